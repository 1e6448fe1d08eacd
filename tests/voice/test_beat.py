"""One timer strikes for all calls of a loop, and what is spoken goes out with the caller's own frames."""

import asyncio
import itertools
from collections.abc import Callable
from contextvars import ContextVar
from random import Random

import pytest

from tests.peers import FakeModel, FakeTelephone, speech
from tests.placed import FRAME, Placed, call
from tests.virtual_time import run, turns
from voice import beat
from voice.beat import BEAT_S, Beat
from voice.events import Hearing
from voice.pacing import Pacer

TAKEN_S = 0.04
"""How long apart the caller's frames are when two are taken at once, as our server does."""


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


# The pacer, by the caller's frames


def given(begins_s: float, jitter_s: float, seconds: float = 60.0) -> list[float]:
    """Return when two frames went out at a time, with a caller whose frames come at these times, roughly."""
    dice, times = Random(1), list[float]()
    pacer = Pacer(16_000, 0.2, limit_s=120, tail_ms=0)
    pacer.put(bytes(int(seconds * 32_000)))
    while pacer.pop(begins_s):
        pass
    for tick in range(int(seconds / TAKEN_S) - 20):
        now_s = begins_s + 0.013 + tick * TAKEN_S + dice.uniform(-jitter_s, jitter_s)
        if pacer.is_turn(now_s) and pacer.pop(now_s, in_turn=True):
            times.append(now_s)
    return times


@pytest.mark.parametrize("jitter_ms", [0, 1, 3])
@pytest.mark.parametrize("phase_ms", range(0, 40, 2))
def test_every_other_of_the_callers_frames_takes_two_along_wherever_they_fall(phase_ms, jitter_ms):
    times = given(phase_ms / 1000, jitter_ms / 1000)

    gaps_ms = [round((later - sooner) * 1000) for sooner, later in itertools.pairwise(times)]
    assert all(80 - 2 * jitter_ms - 1 <= gap <= 80 + 2 * jitter_ms + 1 for gap in gaps_ms), set(gaps_ms)


def test_no_turn_is_given_before_the_telephone_obeyed_a_clear_or_for_less_than_a_frame():
    pacer = Pacer(16_000, 0.2, limit_s=60, tail_ms=0)
    pacer.put(bytes(32_000))
    pacer.clear(10.0)
    pacer.put(bytes(1_279))
    assert not pacer.is_turn(20.0)
    pacer.put(bytes(1))
    assert not pacer.is_turn(10.0)
    assert pacer.is_turn(20.0)


# The bridge


def sent(
    hears: Callable[[float], bool], *, begins_s: float = 0.0, packet: int = 2
) -> list[tuple[float, int]]:
    """Return when how much went out of six seconds of speech to a caller whose frames come at these times."""
    seconds, packet_s = 6.0, packet * 0.02

    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        async def talk() -> None:
            began_s = asyncio.get_running_loop().time()
            for _ in range(round(seconds / packet_s)):
                if hears(asyncio.get_running_loop().time() - began_s):
                    telephone.put(FRAME * packet)
                await asyncio.sleep(packet_s)

        talking = asyncio.create_task(talk())
        await asyncio.sleep(begins_s)
        model.put(speech(seconds + 2))
        await talking

    placed = call(scenario)
    return [(at, len(pcm)) for at, pcm in placed.telephone.got if isinstance(pcm, bytes)]


def leads(frames: list[tuple[float, int]]) -> list[float]:
    """Return how much was still unheard each time before more went out, without the first."""
    heard_at_s, left = 0.0, []
    for at, size in frames:
        left.append(heard_at_s - at)
        heard_at_s = max(heard_at_s, at) + size / 32_000
    return left[4:]


HEARD: dict[str, Callable[[float], bool]] = {
    "all the time": lambda at_s: True,
    "never": lambda at_s: False,
    "for two seconds": lambda at_s: at_s < 2,
    "but for 150 ms in each second": lambda at_s: at_s % 1 > 0.15,
    "but for a frame a second, and then never": lambda at_s: at_s % 1 > 0.05 and at_s < 4,
}


@pytest.mark.parametrize("heard", HEARD)
@pytest.mark.parametrize("packet", [1, 2, 3, 5])
def test_speech_never_runs_out_however_the_callers_frames_come(heard, packet):
    for phase_ms in range(0, 80, 13):
        frames = sent(HEARD[heard], begins_s=phase_ms / 1000, packet=packet)

        assert sum(size for _, size in frames) / 32_000 == pytest.approx(6.2 - phase_ms / 1000, abs=0.25)
        assert min(leads(frames)) >= 0.075
        assert max(leads(frames)) <= 0.2


def test_speech_goes_out_in_the_very_moments_in_which_the_callers_frames_come():
    frames = sent(lambda _: True)

    moments = {round(at, 6) for at, _ in frames[4:-1]}
    steps = sorted(round((at - min(moments)) / TAKEN_S, 3) for at in moments)
    assert steps == [2.0 * n for n in range(len(steps))]


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
