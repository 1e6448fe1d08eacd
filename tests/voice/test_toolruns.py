"""A tool is answered in time and once, and what it did is kept, whoever hangs up meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.peers import FakeModel, FakeTelephone, speech
from tests.placed import Placed, answer_at_once, call, talk
from voice.events import Stopping
from voice.limits import Tuning
from voice.ports import Outcome
from voice.records import ToolRecord
from voice.wire import gemini


def asked(name: str) -> dict[str, object]:
    """Return the frame in which the model asks for a tool."""
    return {"toolCall": {"functionCalls": [{"id": "c1", "name": name, "args": {}}]}}


def a_change(seconds: float) -> Callable[[gemini.ToolCall], Awaitable[Outcome]]:
    """Return a tool that commits after so many seconds."""

    async def run_tool(tool_call: gemini.ToolCall) -> Outcome:
        await asyncio.sleep(seconds)
        return await answer_at_once(tool_call)

    return run_tool


def states(placed: Placed) -> list[str]:
    """Return what became of the tools, as it was recorded."""
    return [record.state for record in placed.journal.records if isinstance(record, ToolRecord)]


def test_a_slow_tool_is_answered_in_five_seconds_and_holds_up_nothing():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await asyncio.sleep(1)
        model.put(asked("track_shipment"))
        model.put(speech(1.0))
        await asyncio.sleep(8)

    placed = call(scenario, run_tool=a_change(60))

    ((at, answer),) = [(at, message) for at, message in placed.model.got if "toolResponse" in message]
    assert at == pytest.approx(6.0, abs=0.01)
    assert answer["toolResponse"]["functionResponses"][0]["response"]["status"] == "error"
    assert placed.telephone.got[0][0] < 1.1


@pytest.mark.parametrize(("ends_s", "late_s"), [(7.0, 10.0), (14.0, 10.0)])
def test_what_a_tool_commits_after_its_answer_is_kept_and_told_when_the_model_is_idle(ends_s, late_s):
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 1)
        model.put(asked("confirm_reschedule"))
        await talk(telephone, 6)
        model.put(speech(0.5))
        model.put({"serverContent": {"generationComplete": True}})
        model.put({"serverContent": {"turnComplete": True}})
        await talk(telephone, 12)

    placed = call(scenario, run_tool=a_change(ends_s), tuning=Tuning(tool_late_s=late_s))

    told = [(at, str(message)) for at, message in placed.model.got]
    ((answered_s, answer),) = [(at, text) for at, text in told if "toolResponse" in text]
    told_s = min(at for at, text in told if "finished meanwhile" in text)
    assert "cannot reach" in answer
    assert answered_s == pytest.approx(6.0, abs=0.1)
    assert told_s == pytest.approx(1 + ends_s, abs=0.1)
    assert states(placed) == ["timed_out", "ok"]
    assert placed.journal.ending is not None
    assert placed.journal.ending.outcome == "rescheduled"


@pytest.mark.parametrize(("commits_s", "kept"), [(8.0, "ok"), (14.0, "ok"), (60.0, "timed_out")])
def test_what_a_tool_commits_after_the_caller_is_gone_is_kept_and_waited_for_in_bounds(commits_s, kept):
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await talk(telephone, 1)
        model.put(asked("confirm_reschedule"))
        await talk(telephone, 6)

    placed = call(scenario, run_tool=a_change(commits_s), tuning=Tuning(tool_late_s=10))

    assert states(placed)[-1] == kept
    assert placed.seconds <= 7 + 15.1


def test_a_tool_that_began_is_recorded_when_the_caller_hangs_up_in_the_middle():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await asyncio.sleep(1)
        model.put(asked("confirm_reschedule"))
        await asyncio.sleep(0.5)

    placed = call(scenario, run_tool=a_change(1))

    (record,) = placed.journal.records
    assert isinstance(record, ToolRecord)
    assert placed.model.closed
    assert placed.journal.ending is not None
    assert placed.journal.ending.outcome == "rescheduled"


def test_a_tool_is_recorded_when_the_caller_hangs_up_while_its_answer_is_being_sent():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        async def send(frame: str | bytes) -> None:
            await asyncio.sleep(0.9 if "toolResponse" in str(frame) else 0)

        await asyncio.sleep(1)
        model.send = send  # type: ignore[method-assign] # a socket that is full
        model.put(asked("confirm_reschedule"))
        await asyncio.sleep(0.5)

    placed = call(scenario)

    assert [type(record) for record in placed.journal.records] == [ToolRecord]


def test_a_slow_tool_keeps_nobody_on_a_line_that_is_over():
    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        await asyncio.sleep(1)
        model.put(asked("confirm_reschedule"))
        await asyncio.sleep(0.5)
        placed.bridge.take(Stopping(at_once=True))
        await asyncio.sleep(10)

    placed = call(scenario, run_tool=a_change(4))

    assert placed.hung_up_s == pytest.approx(1.5, abs=0.1)
    assert placed.telephone.closed is not None
    assert placed.telephone.closed[0] == pytest.approx(1.5, abs=0.1)
    assert [type(record) for record in placed.journal.records] == [ToolRecord]
