"""What a bridge carries, with fakes at its ports and in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.peers import FakeJournal, FakeModel, FakeTelephone, speech
from tests.virtual_time import run
from voice.bridge import Bridge, Outcome, Ports, Tuning
from voice.errors import ModelLost, ModelRefused
from voice.limits import Limits
from voice.records import ToolRecord
from voice.scene import Brief
from voice.session import Session
from voice.wire import gemini, sautikit

FRAME = b"\x07\x00" * 320  # 20 ms at 16 kHz
Scenario = Callable[[FakeTelephone, FakeModel], Awaitable[None]]


async def answer_at_once(tool_call: gemini.ToolCall) -> Outcome:
    """Run a tool that takes no time."""
    return Outcome({"status": "ok", "message": "Fine."}, "ok", tool_call.name)


class Placed:
    """A call that was carried to its end."""

    def __init__(self) -> None:
        self.telephone: FakeTelephone
        self.model: FakeModel
        self.models: list[FakeModel] = []
        self.journal: FakeJournal
        self.hung_up = 0
        self.seconds = 0.0


def call(
    scenario: Scenario,
    *,
    run_tool: Callable[[gemini.ToolCall], Awaitable[Outcome]] = answer_at_once,
    dial_s: float = 0.1,
    refuse: Exception | None = None,
    tuning: Tuning | None = None,
    limits: Limits | None = None,
) -> Placed:
    """Carry one call through `scenario` in virtual time; the caller hangs up when the scenario ends."""
    placed = Placed()

    async def carry() -> None:
        telephone, model, journal = FakeTelephone(), FakeModel(), FakeJournal()
        placed.telephone, placed.model, placed.journal = telephone, model, journal

        async def dial() -> FakeModel:
            await asyncio.sleep(dial_s)
            if refuse is not None:
                raise refuse
            placed.models.append(FakeModel() if placed.models else model)
            return placed.models[-1]

        async def hang_up() -> None:
            placed.hung_up += 1

        async def play_scenario() -> None:
            await scenario(telephone, model)
            telephone.hang_up()

        loop = asyncio.get_running_loop()
        brief = Brief(gemini.Setup(model="gemini-3.8-live", instruction="Test."), "Greet.", "HD_1")
        ports = Ports(telephone, dial, run_tool, hang_up, journal)
        bridge = Bridge(Session(brief, limits or Limits(shield_s=0), loop.time()), ports, tuning or Tuning())
        began = loop.time()
        playing = asyncio.create_task(play_scenario())
        try:
            await bridge.carry()
        finally:
            placed.seconds = loop.time() - began
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)

    run(carry())
    return placed


async def talk(telephone: FakeTelephone, seconds: float) -> None:
    """Let the carrier send frames for so long."""
    for _ in range(round(seconds * 50)):
        telephone.put(FRAME)
        await asyncio.sleep(0.02)


def test_t8_audio_that_comes_before_the_model_is_ready_is_kept_and_not_lost():
    async def scenario(telephone: FakeTelephone, model: FakeModel) -> None:
        await talk(telephone, 6)

    placed = call(scenario, dial_s=1.0)

    first = next(at for at, message in placed.model.got if "realtimeInput" in message)
    assert first >= 1.0
    assert placed.model.heard.count(b"\x07\x00") * 2 >= len(FRAME) * 50 * 6 - 2 * len(FRAME)


def test_t2_speech_at_24_khz_is_played_as_long_at_16_khz():
    async def scenario(telephone: FakeTelephone, model: FakeModel) -> None:
        await asyncio.sleep(1)
        model.put(speech(2.0))
        model.put({"serverContent": {"generationComplete": True}})
        await asyncio.sleep(5)

    placed = call(scenario)

    played_s = len(placed.telephone.audio) / 32_000
    assert played_s == pytest.approx(2.0 + 0.16, abs=0.05)


def test_speech_is_paced_with_a_lead_of_200_ms():
    async def scenario(telephone: FakeTelephone, model: FakeModel) -> None:
        await asyncio.sleep(1)
        model.put(speech(4.0))
        await asyncio.sleep(2)

    placed = call(scenario)

    (began, _), *_ = placed.telephone.got
    for at, _ in placed.telephone.got:
        sent_s = sum(len(pcm) for sent_at, pcm in placed.telephone.got if sent_at <= at) / 32_000
        assert sent_s <= at - began + 0.2 + 0.041
    assert len(placed.telephone.audio) / 32_000 == pytest.approx(2 + 0.2, abs=0.1)


def test_t3_interruption_silences_within_a_frame():
    async def scenario(telephone: FakeTelephone, model: FakeModel) -> None:
        await asyncio.sleep(1)
        model.put(speech(10))
        await asyncio.sleep(2)
        model.put({"serverContent": {"interrupted": True}})
        await asyncio.sleep(5)

    placed = call(scenario)

    last_s, last = placed.telephone.got[-1]
    assert last == sautikit.clear()
    assert last_s == pytest.approx(3.0, abs=0.001)


def test_zeros_keep_the_models_input_going_when_the_carrier_is_silent():
    async def scenario(telephone: FakeTelephone, model: FakeModel) -> None:
        await talk(telephone, 1)
        await asyncio.sleep(3)

    placed = call(scenario)

    heard_s = len(placed.model.heard) / 32_000
    assert heard_s == pytest.approx(4 - 0.1, abs=0.25)


def test_a_slow_tool_is_answered_in_five_seconds_and_holds_up_nothing():
    async def slow(tool_call: gemini.ToolCall) -> Outcome:
        await asyncio.sleep(60)
        return await answer_at_once(tool_call)

    async def scenario(telephone: FakeTelephone, model: FakeModel) -> None:
        await asyncio.sleep(1)
        model.put({"toolCall": {"functionCalls": [{"id": "c1", "name": "track_shipment", "args": {}}]}})
        model.put(speech(1.0))
        await asyncio.sleep(8)

    placed = call(scenario, run_tool=slow)

    ((at, answer),) = [(at, message) for at, message in placed.model.got if "toolResponse" in message]
    assert at == pytest.approx(6.0, abs=0.01)
    assert answer["toolResponse"]["functionResponses"][0]["response"]["status"] == "error"
    assert placed.telephone.got[0][0] < 1.1


def test_a_tool_that_began_is_recorded_when_the_caller_hangs_up_in_the_middle():
    async def committing(tool_call: gemini.ToolCall) -> Outcome:
        await asyncio.sleep(1)
        return await answer_at_once(tool_call)

    async def scenario(telephone: FakeTelephone, model: FakeModel) -> None:
        await asyncio.sleep(1)
        model.put({"toolCall": {"functionCalls": [{"id": "c1", "name": "confirm_reschedule", "args": {}}]}})
        await asyncio.sleep(0.5)

    placed = call(scenario, run_tool=committing)

    (record,) = placed.journal.records
    assert isinstance(record, ToolRecord)
    assert placed.model.closed
    assert placed.journal.ending is not None
    assert placed.journal.ending.outcome == "rescheduled"


def test_a_hang_up_closes_the_model_at_once():
    async def scenario(telephone: FakeTelephone, model: FakeModel) -> None:
        await talk(telephone, 1)

    placed = call(scenario)

    assert placed.model.closed
    assert placed.seconds == pytest.approx(1.0, abs=0.1)
    assert placed.hung_up == 0


@pytest.mark.parametrize("dial_s", [0.1, 5.0])
def test_a_hang_up_while_the_model_is_being_dialled_ends_the_call(dial_s: float):
    async def scenario(telephone: FakeTelephone, model: FakeModel) -> None:
        await asyncio.sleep(0.05)

    placed = call(scenario, dial_s=dial_s)

    assert placed.seconds == pytest.approx(0.05, abs=0.01)
    assert placed.journal.ending is not None
    assert placed.journal.ending.reason == "caller_hangup"


def test_a_model_that_refuses_hangs_the_caller_up():
    async def scenario(telephone: FakeTelephone, model: FakeModel) -> None:
        await talk(telephone, 10)

    placed = call(scenario, refuse=ModelRefused("no"))

    assert placed.hung_up == 1
    assert placed.telephone.closed is not None
    assert placed.journal.ending is not None
    assert placed.journal.ending.reason == "model_failure"
    assert placed.journal.ending.counters["model_refused"] == 1


def test_a_lost_model_is_dialled_again():
    async def scenario(telephone: FakeTelephone, model: FakeModel) -> None:
        await talk(telephone, 2)
        model.lose()
        await talk(telephone, 4)

    placed = call(scenario)

    assert len(placed.models) == 2
    assert placed.hung_up == 0


def test_no_event_at_all_ends_the_call_in_fifteen_seconds():
    async def scenario(telephone: FakeTelephone, model: FakeModel) -> None:
        await asyncio.sleep(60)

    placed = call(scenario)

    assert placed.seconds == pytest.approx(15.0, abs=0.1)
    assert placed.telephone.closed is not None
    assert placed.telephone.closed[1] == 4010


def test_a_flood_of_text_frames_ends_the_call():
    async def scenario(telephone: FakeTelephone, model: FakeModel) -> None:
        for _ in range(100):
            telephone.put("{}")
        await asyncio.sleep(5)

    placed = call(scenario)

    assert placed.telephone.closed is not None
    assert placed.telephone.closed[1] == 4008


def test_a_congested_model_is_not_waited_for_and_loses_nothing_short():
    async def scenario(telephone: FakeTelephone, model: FakeModel) -> None:
        await talk(telephone, 1)
        model.congested = True
        await talk(telephone, 0.5)
        model.congested = False
        await talk(telephone, 3)

    placed = call(scenario)

    assert placed.model.heard.count(b"\x07\x00") * 2 >= len(FRAME) * 50 * 4.5 - 3 * len(FRAME)


def test_a_fault_of_ours_hangs_up_writes_the_end_and_is_raised():
    async def broken(tool_call: gemini.ToolCall) -> Outcome:
        raise RuntimeError("a fault of ours")

    async def scenario(telephone: FakeTelephone, model: FakeModel) -> None:
        await asyncio.sleep(1)
        model.put({"toolCall": {"functionCalls": [{"id": "c1", "name": "x", "args": {}}]}})
        await asyncio.sleep(5)

    with pytest.raises(ExceptionGroup):
        call(scenario, run_tool=broken)


def test_a_lost_connection_while_sending_is_reported_once():
    async def scenario(telephone: FakeTelephone, model: FakeModel) -> None:
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
