"""What a worker does for calls, on real processes and with the fake carrier as the platform."""

import asyncio
import select
import socket

import pytest

from tests.line import CALLER, OWN_NUMBER, Line, eventually
from tests.test_outbound_call import PARCEL, House, in_house
from voice.sandbox.caller import Script

pytestmark = pytest.mark.slow(seconds=25)

HURRIED = {"HEARTBEAT_S": "1", "RECONCILE_S": "2", "RECONCILE_EVERY_S": "0.5"}
CALLS = "SELECT status, ended_reason, carrier_duration_s IS NOT NULL FROM voice_call"


async def until(line: Line, query: str, *rows: tuple[object, ...], seconds: float = 20) -> None:
    """Wait until a query of the line's database finds just these rows."""
    await asyncio.to_thread(eventually, lambda: line.rows(query) == [*rows], seconds)


async def killed(line: Line) -> None:
    """Kill the server, so that nothing which the carrier still tells finds anybody."""
    line.process.kill()
    await asyncio.to_thread(line.process.wait, 5)


def test_the_carrier_is_asked_how_long_a_call_was_that_was_lost_with_its_process(tmp_path):
    async def scenario(house: House) -> None:
        ringing = asyncio.create_task(
            house.carrier.place_call(OWN_NUMBER, CALLER, Script(linger_ms=60_000, patience_s=60))
        )
        await until(house.line, "SELECT status FROM voice_call", ("answered",))
        await killed(house.line)
        record = await ringing

        with house.line.command("worker"):
            await until(house.line, CALLS, ("failed", "reconciled", 1), seconds=30)

        assert record.status == "completed"
        assert house.line.rows("SELECT carrier_duration_s FROM voice_call") == [(round(record.duration_s),)]

    in_house(tmp_path, scenario, **HURRIED)


def test_the_carrier_is_asked_for_a_call_that_rang_and_whose_end_was_never_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # where the stream is to go, and nobody answers

        async def scenario(house: House) -> None:
            ringing = asyncio.create_task(house.carrier.place_call(OWN_NUMBER, CALLER, Script()))
            await asyncio.to_thread(select.select, [deaf], [], [], 20)
            await killed(house.line)
            record = await ringing
            await asyncio.sleep(2)  # so long it counts as new

            with house.line.command("worker"):
                await until(house.line, CALLS, ("canceled", "reconciled", 1))

            assert record.ended_by == "stream refused"

        in_house(tmp_path, scenario, PUBLIC_URL=f"http://127.0.0.1:{deaf.getsockname()[1]}", **HURRIED)


def test_a_worker_places_what_is_planned(tmp_path):
    async def scenario(house: House) -> None:
        await house.manage("shell", "-v0", "-c", PARCEL.format(phones=[CALLER], minutes=10))
        await house.manage("shell", "-v0", "-c", _PLAN)

        with house.line.command("worker"), house.line.command("worker"):
            [record] = await house.over()
            await house.become(("done", "answered"))

        assert (record.direction, record.status, record.faults) == ("Outbound", "completed", ())
        assert len(house.carrier.records) == 1

    in_house(tmp_path, scenario)


_PLAN = """
from django.utils import timezone
from voice import dialing
dialing.plan_arrivals(now=timezone.now())
"""
