"""`manage.py place_calls` as a process of its own: whom it calls, what it shows, and what Ctrl-C leaves."""

import asyncio
import json
import os
import pty
import select
import signal
import subprocess
import sys

import pytest

from tests.line import ROOT
from tests.test_outbound_call import PARCEL, House, in_house
from voice.sandbox.callees import Nobody

pytestmark = pytest.mark.slow

PHONES = [f"+25470000000{number}" for number in range(1, 6)]


def test_ctrl_c_leaves_nothing_half_done_and_what_was_not_begun_stays_planned(tmp_path):
    async def scenario(house: House) -> None:
        await house.manage("shell", "-v0", "-c", PARCEL.format(phones=PHONES, minutes=10))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("manage.py", "place_calls", "--due"),
            cwd=ROOT,
            env=house.line._environment,
            stdout=asyncio.subprocess.PIPE,
        )
        await house.over(1)
        process.send_signal(signal.SIGINT)
        said, _ = await asyncio.wait_for(process.communicate(), 30)

        states = [state for state, _ in house.states()]
        assert process.returncode == 0
        assert len(said.splitlines()) == len(PHONES)
        assert not {"claimed", "dialling"} & set(states)
        assert "planned" in states

    in_house(tmp_path, scenario, callee=lambda _: Nobody.NO_ANSWER, DIAL_PER_SECOND="0.2")


def test_only_the_named_parcels_are_called_for_the_named_purpose_and_no_more_than_the_limit(tmp_path):
    async def scenario(house: House) -> None:
        await house.manage("shell", "-v0", "-c", PARCEL.format(phones=PHONES[:3], minutes=10))

        named = ("--shipment", "KM900001", "KM900002", "--purpose", "driver_request", "--limit", "1")
        [placed] = json.loads(await house.manage("place_calls", *named, "--json"))
        due = json.loads(await house.manage("place_calls", "--due", "--limit", "2", "--json"))
        await house.over(3)

        assert placed.keys() == {"tracking_id", "decision", "reason", "at", "state", "call"}
        assert (placed["tracking_id"], placed["decision"], placed["at"]) == ("KM900001", "now", None)
        assert len(due) == 2
        planned = "SELECT purpose, s.tracking_id FROM voice_outboundcall o JOIN shipments_shipment s"
        rows = house.line.rows(f"{planned} ON s.id = o.shipment_id WHERE may_have_rung ORDER BY o.id")
        assert rows[0] == ("driver_request", "KM900001")
        assert [purpose for purpose, _ in rows[1:]] == ["eta", "eta"]
        calls = {call for (call,) in house.line.rows("SELECT public_id FROM voice_call")}
        assert {placed["call"], *(one["call"] for one in due)} == calls

    in_house(tmp_path, scenario, callee=lambda _: Nobody.NO_ANSWER, DIAL_PER_SECOND="20")


@pytest.mark.parametrize(("options", "bar"), [((), True), (("--json",), False)])
def test_a_terminal_shows_how_far_it_has_come_and_json_is_left_alone(tmp_path, options, bar):
    async def scenario(house: House) -> None:
        await house.manage("shell", "-v0", "-c", PARCEL.format(phones=PHONES[:2], minutes=10))

        shown = await asyncio.to_thread(at_a_terminal, house, "place_calls", "--due", *options)

        assert ("2/2" in shown and "█" * 24 in shown) == bar
        assert shown.count("\r[") == (3 if bar else 0)

    in_house(tmp_path, scenario, callee=lambda _: Nobody.NO_ANSWER, DIAL_PER_SECOND="20")


def at_a_terminal(house: House, *command: str) -> str:
    """Run a command of manage.py whose errors go to a terminal, and return what that shows."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=house.line._environment | {"PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            timeout=30,
            check=False,
        )
        assert process.returncode == 0
        return os.read(ours, 65_536).decode() if _has_some(ours) else ""
    finally:
        os.close(ours)
        os.close(theirs)


def _has_some(descriptor: int) -> bool:
    ready, _, _ = select.select([descriptor], [], [], 0)
    return bool(ready)
