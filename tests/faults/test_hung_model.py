"""A model that hangs when a call comes back to it, on a server process and the local Live server."""

import asyncio
import json
from math import inf

import pytest

from tests.benchmarks.stage import Told, a_stage
from voice.sandbox.mishaps import NO_MISHAP, Mishap

pytestmark = [pytest.mark.slow, pytest.mark.logs_errors]
_BACK_S = 4.0
_HANGS = Mishap(setup_s=inf, stalls=((0.0, 8.0),))


def test_g3_a_call_is_back_in_four_seconds_although_its_tries_hang():
    gaps_ms, frames = asyncio.run(_lose_two_callers())

    told = [json.loads(frame) for frame in frames]
    assert len(gaps_ms) == 2
    assert max(gaps_ms) <= _BACK_S * 1_000
    assert len(told) == 4, "one that hung was told more than its setup"
    assert all(frame["setup"]["sessionResumption"].get("handle") for frame in told)


async def _lose_two_callers() -> tuple[list[float], list[str | bytes]]:
    """Lose one in mid-sentence and one who has heard all; return the gaps, and what hung tries were told."""
    internal = (1011, "Internal error encountered.")
    told = Told(lose_after_s={0: (0.6, internal), 1: (7.5, internal)})
    mishaps = [NO_MISHAP, NO_MISHAP, *[_HANGS] * 2, NO_MISHAP, *[_HANGS] * 2]
    async with a_stage(told=told, mishaps=mishaps) as stage:
        talkers = await stage.place(2)
        await asyncio.sleep(6)  # a connection that stood for ten seconds has earned its tries
        for number, talker in enumerate(talkers):
            talker.name_self(number)
        await asyncio.sleep(15)
        await stage.end(talkers)
        await asyncio.sleep(1)
        rows = await asyncio.to_thread(stage.line.rows, "SELECT timings FROM voice_call")
        hung = [seen.frame for _, seen in stage.frames if seen.from_client and seen.session in (3, 4, 6, 7)]
    return [gap for (timings,) in rows for gap in json.loads(timings).get("gaps_ms", ())], hung
