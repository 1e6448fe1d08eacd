"""`manage.py place_calls` as a process of its own: what Ctrl-C leaves."""

import asyncio
import signal
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
