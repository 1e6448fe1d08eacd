"""What a bridge carries, with fakes at its ports and in virtual time."""

import asyncio
from contextlib import suppress

import pytest

from tests.peers import FakeModel, FakeTelephone, speech
from tests.placed import Placed, call, talk
from voice.errors import ModelLost, ModelRefused
from voice.events import Stopping
from voice.ports import Outcome
from voice.records import TurnRecord
from voice.wire import gemini


def test_what_comes_while_a_broken_call_is_taken_down_disturbs_nobody():
    told: list[str] = []

    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await asyncio.sleep(1)

        async def slow_close() -> None:
            await asyncio.sleep(0)
            placed.bridge.take(Stopping())  # as the process's signal, while the group is being ended
            told.append("taken")

        async def play(pcm: bytes) -> None:
            raise ZeroDivisionError  # a fault of ours

        model.close = slow_close  # type: ignore[method-assign] # a model that takes its time
        telephone.play = play  # type: ignore[method-assign] # what a fault of ours would do
        model.put(speech(1))
        await asyncio.sleep(5)

    with pytest.raises(ExceptionGroup) as raised:
        call(scenario)

    assert told == ["taken"]
    assert raised.group_contains(ZeroDivisionError)


def test_what_was_said_is_kept_when_the_caller_hangs_up_while_the_agent_is_being_silenced():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        async def write(text: str) -> None:
            await asyncio.sleep(3)

        await asyncio.sleep(1)
        telephone.write = write  # type: ignore[method-assign] # a socket that is full
        model.put({"serverContent": {"outputTranscription": {"text": "Your parcel is"}}})
        model.put(speech(2))
        model.put({"serverContent": {"interrupted": True}})
        await asyncio.sleep(0.5)

    placed = call(scenario)

    assert [record.text for record in placed.journal.records if isinstance(record, TurnRecord)] == [
        "Your parcel is"
    ]


def test_a_hang_up_closes_the_model_at_once():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 1)

    placed = call(scenario)

    assert placed.model.closed
    assert placed.seconds == pytest.approx(1.0, abs=0.1)
    assert placed.hung_up == 0


@pytest.mark.parametrize("dial_s", [0.1, 5.0])
def test_a_hang_up_while_the_model_is_being_dialled_ends_the_call(dial_s: float):
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await asyncio.sleep(0.05)

    placed = call(scenario, dial_s=dial_s)

    assert placed.seconds == pytest.approx(0.05, abs=0.01)
    assert placed.journal.ending is not None
    assert placed.journal.ending.reason == "caller_hangup"


def test_a_model_that_refuses_hangs_the_caller_up():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 10)

    placed = call(scenario, refuse=ModelRefused("no"))

    assert placed.hung_up == 1
    assert placed.telephone.closed is not None
    assert placed.journal.ending is not None
    assert placed.journal.ending.reason == "model_failure"
    assert placed.journal.ending.counters["model_refused"] == 1


def test_a_lost_model_is_dialled_again():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 2)
        model.lose()
        await talk(telephone, 4)

    placed = call(scenario)

    assert len(placed.models) == 2
    assert placed.hung_up == 0


def test_no_event_at_all_ends_the_call_in_fifteen_seconds():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await asyncio.sleep(60)

    placed = call(scenario)

    assert placed.seconds == pytest.approx(15.0, abs=0.1)
    assert placed.telephone.closed is not None
    assert placed.telephone.closed[1] == 4010


def test_a_flood_of_text_frames_ends_the_call():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        for _ in range(100):
            telephone.put("{}")
        await asyncio.sleep(5)

    placed = call(scenario)

    assert placed.telephone.closed is not None
    assert placed.telephone.closed[1] == 4008


def test_a_fault_of_ours_hangs_up_writes_the_end_and_is_raised():
    async def broken(tool_call: gemini.ToolCall) -> Outcome:
        raise RuntimeError("a fault of ours")

    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await asyncio.sleep(1)
        model.put({"toolCall": {"functionCalls": [{"id": "c1", "name": "x", "args": {}}]}})
        await asyncio.sleep(5)

    with pytest.raises(ExceptionGroup):
        call(scenario, run_tool=broken)


def test_a_lost_connection_while_sending_is_reported_once():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 1)

        async def fail(frame: str | bytes) -> None:
            raise ModelLost("gone")

        model.send = fail  # type: ignore[method-assign]
        await talk(telephone, 1)
        model.lose()
        await asyncio.sleep(1)

    placed = call(scenario)

    assert placed.journal.ending is not None
    assert placed.journal.ending.counters["model_lost"] == 1


# When the model goes away


def test_a_connection_is_closed_before_the_next_one_is_opened():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 1)
        model.put({"sessionResumptionUpdate": {"newHandle": "h1", "resumable": True}})
        model.put(speech(1))
        model.put({"serverContent": {"generationComplete": True}})
        await talk(telephone, 2)
        model.put({"serverContent": {"turnComplete": True}, "goAway": {"timeLeft": "20s"}})
        await talk(telephone, 14)

    placed = call(scenario)

    (_, _), (_, all_closed) = placed.dials
    assert all_closed
    assert placed.models[1].got[0][1]["setup"]["sessionResumption"] == {"handle": "h1"}


@pytest.mark.parametrize("hung_up_s", [0.05, 0.3, 0.8, 1.55, 1.75, 2.2, 3.0, 4.6, 5.2, 6.5])
def test_whenever_the_caller_hangs_up_every_connection_is_closed_at_once(hung_up_s: float):
    async def life(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await asyncio.sleep(0.5)  # greeting, loss, the wait, the next one's dial, a tool, goodbye
        model.put({"sessionResumptionUpdate": {"newHandle": "h1", "resumable": True}})
        model.put(speech(1))
        model.put({"serverContent": {"generationComplete": True, "turnComplete": True}})
        await asyncio.sleep(1)
        model.lose()
        await asyncio.sleep(2.5)
        second = placed.models[1]
        second.put({"toolCall": {"functionCalls": [{"id": "c1", "name": "track_shipment", "args": {}}]}})
        await asyncio.sleep(1)
        second.put(speech(3))
        second.put({"toolCall": {"functionCalls": [{"id": "e1", "name": "end_call", "args": {}}]}})
        await asyncio.sleep(60)

    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(hung_up_s):
                await life(telephone, model, placed)

    placed = call(scenario)

    assert placed.seconds == pytest.approx(hung_up_s, abs=0.01)
    assert all(model.closed for model in placed.models)
    assert placed.journal.ending is not None
    assert placed.journal.ending.reason == "caller_hangup"


def test_a_dial_that_hangs_is_given_up_for_another():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 10)

    placed = call(scenario, dial_s=60)

    assert [at for at, _ in placed.dials] == pytest.approx([0.0, 8.25])
    assert placed.seconds == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("written", [True, False])
def test_who_cannot_be_helped_is_told_the_truth_to_the_last_word_and_then_hung_up_on(written: bool):
    clips = {"apology": b"\x05\x00" * 32_000, "apology_callback": b"\x06\x00" * 32_000}

    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 10)

    placed = call(scenario, refuse=ModelRefused("no"), clips=clips, writes_callbacks=written)

    said = clips["apology_callback" if written else "apology"]
    assert placed.callbacks == ["model_failure"]
    assert placed.telephone.audio.startswith(said)
    assert placed.hung_up_s == pytest.approx(0.1 + 2.0 + 0.16, abs=0.1)
    assert placed.telephone.closed == (placed.hung_up_s, 4011)


def test_a_goodbye_of_the_models_is_heard_to_its_last_word_before_the_line_is_closed():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 1)
        model.put(speech(3))
        model.put({"toolCall": {"functionCalls": [{"id": "e1", "name": "end_call", "args": {}}]}})
        model.put({"serverContent": {"generationComplete": True}})
        await talk(telephone, 10)

    placed = call(scenario)

    assert len(placed.telephone.audio) / 32_000 >= 3.0
    assert placed.hung_up_s == pytest.approx(1 + 3 + 0.16, abs=0.1)
    assert placed.telephone.closed == (placed.hung_up_s, 1000)
    assert placed.journal.ending is not None
    assert placed.journal.ending.reason == "agent_hangup"


def test_a_stopping_process_ends_a_call_in_words():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 1)
        placed.bridge.take(Stopping())
        await talk(telephone, 0.5)
        model.put(speech(1))
        model.put({"serverContent": {"generationComplete": True}})
        await talk(telephone, 10)

    placed = call(scenario)

    assert placed.seconds == pytest.approx(1.5 + 1 + 0.16, abs=0.1)
    assert placed.hung_up == 1


def test_a_call_that_is_over_is_not_stopped():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 1)

    placed = call(scenario)

    placed.bridge.take(Stopping())
    assert placed.journal.ending is not None
    assert placed.journal.ending.reason == "caller_hangup"
