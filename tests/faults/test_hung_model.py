"""A model that hangs when a call comes back to it, on a server process and the local Live server."""

import asyncio
import base64
import json
from collections import Counter
from math import inf
from typing import Any

import pytest

from tests.benchmarks.stage import Stage, Told, a_stage
from voice.sandbox.mishaps import NO_MISHAP, Mishap

pytestmark = [pytest.mark.slow(seconds=25), pytest.mark.logs_errors]
_BACK_S = 4.0
_HANGS = Mishap(setup_s=inf, stalls=((0.0, 8.0),))
_INTERNAL = (1011, "Internal error encountered.")
_KEPT_S = 2.0
_SAMPLES = 640
"""Of each number that a caller counts: 40 ms."""


def test_g3_a_call_is_back_in_four_seconds_although_its_tries_hang():
    gaps_ms, frames = asyncio.run(_lose_two_callers())

    told = [json.loads(frame) for frame in frames]
    assert len(gaps_ms) == 2
    assert max(gaps_ms) <= _BACK_S * 1_000
    assert len(told) == 4, "one that hung was told more than its setup"
    assert all(frame["setup"]["sessionResumption"].get("handle") for frame in told)


async def _lose_two_callers() -> tuple[list[float], list[str | bytes]]:
    """Lose one in mid-sentence and one who has heard all; return the gaps, and what hung tries were told."""
    told = Told(lose_after_s={0: (0.6, _INTERNAL), 1: (7.5, _INTERNAL)})
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


def test_of_a_caller_who_is_not_heard_for_long_the_newest_is_kept_and_caught_up_with_at_twice_the_pace():
    before, after, row = asyncio.run(_count_through_a_gap())

    [gap_ms] = row["timings"]["gaps_ms"]
    first, *_, last = after.said
    dropped_s = (first - max(before.said) - 1) * _SAMPLES / 16_000
    assert gap_ms >= 3_900, "it was not away for as long as twice what is kept"
    assert abs(gap_ms / 1000 - dropped_s - _KEPT_S) <= 0.3, "not the last two seconds"
    assert abs(row["counters"]["caller_dropped_ms"] / 1000 - dropped_s) <= 0.2
    assert list(after.said) == list(range(first, last + 1)), "a hole, or another order"
    assert set(list(after.said.values())[1:-1]) == {_SAMPLES}, "samples were lost or came twice"
    assert max(heard_s - 2 * at_s for at_s, heard_s in after.arrived) <= 0.3, "faster than twice real time"
    assert after.heard_s(within_s=3.5) >= 3.5 + _KEPT_S - 0.5, "not caught up with"


class _Ear:
    """What a conversation heard of a caller who counts: how many samples of each number, and by when."""

    def __init__(self, stage: Stage, session: int) -> None:
        self.said: Counter[int] = Counter()
        self.arrived: list[tuple[float, float]] = []  # seconds since the first, seconds of sound
        began_s, heard_bytes = 0.0, 0
        for at_s, seen in stage.frames:
            message = json.loads(seen.frame) if seen.session == session and seen.from_client else {}
            if audio := message.get("realtimeInput", {}).get("audio"):
                pcm = base64.b64decode(audio["data"])
                began_s, heard_bytes = began_s or at_s, heard_bytes + len(pcm)
                self.arrived.append((at_s - began_s, heard_bytes / 32_000))
                self.said.update(number for number in memoryview(pcm).cast("H").tolist() if number)

    def heard_s(self, within_s: float) -> float:
        """Return how many seconds of sound came within so long."""
        return max(heard_s for at_s, heard_s in self.arrived if at_s <= within_s)


async def _count_through_a_gap() -> tuple[_Ear, _Ear, dict[str, Any]]:
    """Lose a caller who counts, each 40 ms a number, and be away twice as long as what is kept of him."""
    mishaps = [Mishap(close=_INTERNAL, close_after_s=4.5), Mishap(setup_s=3.0)]
    async with a_stage(
        mishaps=mishaps, UPLINK_QUEUE_S=str(_KEPT_S), GEMINI_SETUP_AGAIN_S="6", GEMINI_RESUME_S="15"
    ) as stage:
        [talker] = await stage.place(1)
        for number in range(1, 290):  # as samples they are softer than speech, and nobody answers
            talker.say(number.to_bytes(2, "little") * _SAMPLES)
        await asyncio.sleep(11.5)
        await stage.end([talker])
        await asyncio.sleep(1)
        [(timings, counters)] = await asyncio.to_thread(
            stage.line.rows, "SELECT timings, counters FROM voice_call"
        )
        row = {"timings": json.loads(timings), "counters": json.loads(counters)}
        return _Ear(stage, 1), _Ear(stage, 2), row
