"""One timer strikes for all calls of a loop."""

import asyncio
from contextvars import ContextVar

import pytest

from tests.peers import FakeModel, FakeTelephone
from tests.placed import Placed, call
from tests.virtual_time import run, turns
from voice import beat
from voice.beat import BEAT_S, Beat
from voice.events import Hearing


def struck(seconds: float, members: int = 1) -> list[list[float]]:
    """Return when each of so many members was called in so many seconds."""
    times: list[list[float]] = [[] for _ in range(members)]

    async def stay() -> None:
        for one in times:
            beat.join(one.append)
        await asyncio.sleep(seconds)
        for one in times:
            beat.leave(one.append)

    run(stay())
    return times


def test_all_members_are_called_at_the_same_moments():
    one, two = struck(1.05, members=2)

    assert one == two == pytest.approx([BEAT_S * (n + 1) for n in range(10)])
    assert beat._BEATS == {}


def test_who_left_is_called_no_more_and_nothing_strikes_for_nobody():
    async def stay() -> list[object]:
        loop, times = asyncio.get_running_loop(), list[float]()
        own = Beat(loop)
        own.join(times.append)
        await asyncio.sleep(2.5 * BEAT_S)
        own.leave(times.append)
        await asyncio.sleep(1)
        return [len(times), own._timer]

    assert run(stay()) == [2, None]


def test_what_goes_wrong_in_one_call_stops_no_others_clock():
    faults: list[object] = []

    def breaks(now_s: float) -> None:
        raise ValueError

    async def stay() -> list[float]:
        loop, times = asyncio.get_running_loop(), list[float]()
        loop.set_exception_handler(lambda _, told: faults.append(told["exception"]))
        own = Beat(loop)
        own.join(breaks)
        own.join(times.append)
        await asyncio.sleep(3.5 * BEAT_S)
        own.leave(breaks)
        own.leave(times.append)
        return times

    assert len(run(stay())) == len(faults) == 3


def test_each_is_called_in_the_context_in_which_it_joined():
    call_of = ContextVar[str]("call_of")
    seen: list[str] = []

    async def stay() -> None:
        own, members = Beat(asyncio.get_running_loop()), []
        for name in ("one", "two"):
            call_of.set(name)
            members.append(lambda _: seen.append(call_of.get()))
            own.join(members[-1])
        await asyncio.sleep(1.5 * BEAT_S)
        for member in members:
            own.leave(member)

    run(stay())
    assert seen == ["one", "two"]


def test_a_telephone_that_is_silent_while_nobody_listens_keeps_the_loop_from_nothing():
    """A timer of a millisecond went round and round there."""
    woken: list[int] = []

    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await asyncio.sleep(1)
        placed.bridge._listen_so(Hearing.PAUSE)
        await asyncio.sleep(0.5)
        before = turns()
        await asyncio.sleep(2)
        woken.append(turns() - before)

    call(scenario)
    assert woken[0] <= 100  # twenty beats, of two turns each, and what else a call does in two seconds
