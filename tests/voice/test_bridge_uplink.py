"""What the model hears of the caller: all of it, in order, without gaps and bursts."""

import asyncio
from array import array

import pytest

from tests.peers import FakeModel, FakeTelephone, speech
from tests.placed import FRAME, Placed, call, talk
from voice.limits import Limits


def test_t8_audio_that_comes_before_the_model_is_ready_is_kept_and_not_lost():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 6)

    placed = call(scenario, dial_s=1.0)

    first = next(at for at, message in placed.model.got if "realtimeInput" in message)
    assert first == pytest.approx(1.0)
    assert placed.model.heard.count(b"\x07\x00") * 2 >= len(FRAME) * 50 * 6 - 2 * len(FRAME)


def test_zeros_keep_the_models_input_going_when_the_carrier_is_silent():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 1)
        await asyncio.sleep(3)

    placed = call(scenario)

    heard_s = len(placed.model.heard) / 32_000
    assert heard_s == pytest.approx(4 - 0.1, abs=0.25)


def test_zeros_go_on_after_one_that_could_not_be_sent():
    faults: list[str] = []

    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: faults.append(what["message"]))
        send_now = model.send_now

        def fail_once(frame: bytes) -> None:
            model.send_now = send_now  # type: ignore[method-assign]
            raise ValueError("a fault of ours")

        await talk(telephone, 1)
        await asyncio.sleep(1)
        model.send_now = fail_once  # type: ignore[method-assign]
        await asyncio.sleep(2)

    placed = call(scenario)

    assert len(faults) == 1
    assert len(placed.model.heard) / 32_000 == pytest.approx(4 - 0.1, abs=0.3)


def test_a_congested_model_is_not_waited_for_and_loses_nothing_short():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 1)
        model.congested = True
        await talk(telephone, 0.5)
        model.congested = False
        await talk(telephone, 3)

    placed = call(scenario)

    assert placed.model.heard.count(b"\x07\x00") * 2 >= len(FRAME) * 50 * 4.5 - 3 * len(FRAME)


def marked(first: int, seconds: float) -> bytes:
    """Return so much of a caller's audio, in which no sample is like another."""
    count = round(seconds * 16_000)
    return b"".join((1 + n % 65_000).to_bytes(2, "little") for n in range(first, first + count))


@pytest.mark.parametrize("dial_s", [0.1, 1.9])
def test_no_sample_of_the_caller_is_lost_doubled_or_swapped_over_a_loss(dial_s: float):
    said = marked(0, 4.0)

    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await asyncio.sleep(0.2)
        for at in range(0, len(said), 640):
            if at == 640 * 50:
                model.lose()
            telephone.put(said[at : at + 640])
            await asyncio.sleep(0.02)
        await asyncio.sleep(5)

    placed = call(scenario, dial_s=dial_s)

    heard = array("H", b"".join(model.heard for model in placed.models))
    assert len(placed.models) == 2
    assert array("H", filter(None, heard)).tobytes() == said


def test_a_backlog_comes_at_no_more_than_twice_real_time():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 1)
        model.lose()
        await talk(telephone, 6)

    placed = call(scenario, dial_s=0.5)

    second = placed.models[1]
    began_s = next(at for at, message in second.got if "audio" in message.get("realtimeInput", {}))
    for at, _ in second.got:
        sent = [m for sent_s, m in second.got if sent_s <= at and "audio" in m.get("realtimeInput", {})]
        assert len(sent) * 0.04 <= 2 * (at - began_s) + 0.2


def test_no_silence_is_made_up_for_the_time_without_a_model():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 2)
        model.lose()
        await asyncio.sleep(2.5)

    placed = call(scenario, dial_s=1.0)

    assert len(placed.models[1].heard) / 32_000 == pytest.approx(1.5 - 0.2, abs=0.15)


def test_what_is_said_into_the_greeting_is_heard_after_it():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await asyncio.sleep(0.5)
        model.put(speech(3))
        model.put({"serverContent": {"generationComplete": True}})
        await asyncio.sleep(0.5)
        for _ in range(25):
            telephone.put(b"\x00\x20" * 320)  # loud, for half a second
            await asyncio.sleep(0.02)
        for _ in range(200):
            telephone.put(bytes(640))
            await asyncio.sleep(0.02)

    placed = call(scenario, limits=Limits())

    first_s = next(
        at
        for at, message in placed.model.got
        if "ACAA" in message.get("realtimeInput", {}).get("audio", {}).get("data", "")
    )
    assert first_s == pytest.approx(0.5 + 3 + 0.16, abs=0.1)
    assert placed.model.heard.count(b"\x00\x20") == 8_000
    assert len(placed.model.heard) / 32_000 == pytest.approx(placed.seconds + 0.5, abs=0.6)


def test_after_the_shield_a_silent_caller_is_heard_at_once():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await asyncio.sleep(0.5)
        model.put(speech(6))
        await talk(telephone, 2.5)
        for _ in range(25):
            telephone.put(b"\x00\x20" * 320)
            await asyncio.sleep(0.02)

    placed = call(scenario, limits=Limits())

    assert placed.model.heard.count(b"\x00\x20") >= 7_000
