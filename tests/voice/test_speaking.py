"""What is said goes out as long as it is, paced, with the caller's own frames, and is silenced at once."""

import asyncio
from collections.abc import Callable

import pytest

from tests.peers import FakeModel, FakeTelephone, speech
from tests.placed import FRAME, Placed, call
from voice.wire import sautikit

TAKEN_S = 0.04
"""How long apart the caller's frames are when two are taken at once, as our server does."""


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 48_000])
def test_t2_g8_speech_of_any_rate_is_played_as_long_as_it_is(rate_hz: int):
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await asyncio.sleep(1)
        model.put(speech(2.0, rate_hz))
        model.put({"serverContent": {"generationComplete": True}})
        await asyncio.sleep(5)

    placed = call(scenario)

    assert len(placed.telephone.audio) / 32_000 == pytest.approx(2.0 + 0.16, abs=0.05)


def test_speech_is_paced_with_a_lead_of_200_ms():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await asyncio.sleep(1)
        model.put(speech(4.0))
        await asyncio.sleep(2)

    placed = call(scenario)

    (began, _), *_ = placed.telephone.got
    for at, _ in placed.telephone.got:
        sent_s = sum(len(pcm) for sent_at, pcm in placed.telephone.got if sent_at <= at) / 32_000
        assert sent_s <= at - began + 0.2 + 0.041
    assert len(placed.telephone.audio) / 32_000 == pytest.approx(2 + 0.2, abs=0.1)


async def interrupted(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
    """Let the model say ten seconds, and be interrupted after two."""
    await asyncio.sleep(1)
    model.put(speech(10))
    await asyncio.sleep(2)
    model.put({"serverContent": {"interrupted": True}})
    await asyncio.sleep(5)


def test_t3_interruption_silences_within_a_frame():
    placed = call(interrupted)

    last_s, last = placed.telephone.got[-1]
    assert last == sautikit.clear()
    assert last_s == pytest.approx(3.0, abs=0.001)


def test_what_was_heard_of_the_agent_is_kept_and_not_what_was_cut_off():
    ending = call(interrupted).journal.ending

    assert ending is not None
    assert ending.counters["speech_heard_ms"] == pytest.approx(2_000, abs=60)
    assert ending.counters["speech_sent_ms"] == pytest.approx(2_200, abs=60)


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
