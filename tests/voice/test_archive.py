"""What a call leaves behind: kept once, and nothing of it holds up the rest."""

import pytest

from tests.voice.builders import USAGE, a_live_call
from voice import archive
from voice.models import ToolRun, Turn, UsageRecord
from voice.records import ToolRecord, TurnRecord, UsageSeen

pytestmark = pytest.mark.django_db


def a_tool(model_call_id="t1", **fields) -> ToolRecord:
    return ToolRecord(
        **{
            "model_call_id": model_call_id,
            "name": "track_shipment",
            "business_key": "track_shipment:",
            "arguments": {},
            "result": {"status": "ok"},
            "state": "ok",
            "started_ms": 4_000,
            "duration_ms": 12,
        }
        | fields
    )


def test_turns_are_kept_by_position_and_the_last_word_counts():
    call_id = a_live_call().call_id
    first, second = TurnRecord(0, "agent", "Hello,", 100, 900), TurnRecord(1, "caller", "Hi", 950, 990)
    longer = TurnRecord(0, "agent", "Hello, Savanna.", 100, 1_500, interrupted=True)

    archive.record_turns(call_id, [first, second])
    archive.record_turns(call_id, [first, longer])

    kept = [(turn.speaker, turn.text, turn.ended_ms, turn.interrupted) for turn in Turn.objects.all()]
    assert kept == [("agent", "Hello, Savanna.", 1_500, True), ("caller", "Hi", 990, False)]


def test_one_run_of_a_tool_is_kept_for_one_call_of_the_models():
    call_id = a_live_call().call_id

    for state in ("ok", "failed"):
        archive.record_tool_run(call_id, a_tool(state=state))
    archive.record_tool_run(call_id, a_tool("t2"))

    assert [(run.model_call_id, run.state) for run in ToolRun.objects.all()] == [("t1", "ok"), ("t2", "ok")]


def test_what_a_tool_did_too_late_replaces_that_it_was_late():
    call_id = a_live_call().call_id

    for state in ("timed_out", "ok", "timed_out"):
        archive.record_tool_run(call_id, a_tool(state=state, result={"status": state}))

    assert [(run.state, run.result) for run in ToolRun.objects.all()] == [("ok", {"status": "ok"})]


def test_a_usage_report_is_kept_raw_with_its_tokens_and_once():
    call_id = a_live_call().call_id

    for _ in range(2):
        archive.record_usage(call_id, [UsageSeen(5_000, USAGE), UsageSeen(9_000, USAGE)])

    first, second = UsageRecord.objects.all()
    assert first.raw == USAGE
    assert (first.text_in, first.audio_in, first.text_out, first.audio_out) == (30, 100, 0, 50)
    assert (first.at_ms, second.at_ms) == (5_000, 9_000)


def test_what_no_database_takes_does_not_hold_up_the_rest():
    call_id = a_live_call().call_id
    poison = "ab\x00cd\ud800"

    archive.record_turns(call_id, [TurnRecord(0, "caller", poison, 0, 1)])
    archive.record_tool_run(
        call_id, a_tool(poison, name=poison, business_key=poison, arguments={poison: [poison, 2**80]})
    )
    archive.record_usage(call_id, [UsageSeen(0, {"x": poison, "promptTokenCount": 2**80})])

    assert Turn.objects.get().text == "abcd"
    assert ToolRun.objects.get().arguments == {"abcd": ["abcd", "81 bits"]}
    assert UsageRecord.objects.get().raw["x"] == "abcd"
