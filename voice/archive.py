"""Write what a call leaves behind: what was said, what the tools did, what the model billed.

Every verb may be repeated, so that a batch that failed is simply tried again.
"""

from collections.abc import Sequence

from voice import billing
from voice.models import ToolRun, Turn, UsageRecord
from voice.records import ToolRecord, TurnRecord, UsageSeen, fingerprint
from voice.statuses import ToolState
from voice.wire import sautikit

_MOST = 2**31 - 1  # what an integer column holds


def record_turns(call_id: int, turns: Sequence[TurnRecord]) -> None:
    """Keep what was said; the same position again replaces what stood there."""
    latest = {turn.position: turn for turn in turns}  # PostgreSQL refuses one row twice in a statement
    Turn.objects.bulk_create(
        [
            Turn(
                call_id=call_id,
                position=turn.position,
                speaker=turn.speaker,
                text=_storable(turn.text),
                started_ms=turn.started_ms,
                ended_ms=turn.ended_ms,
                interrupted=turn.interrupted,
            )
            for turn in latest.values()
        ],
        update_conflicts=True,
        unique_fields=["call", "position"],
        update_fields=["text", "ended_ms", "interrupted"],
    )


def record_tool_run(call_id: int, tool: ToolRecord) -> None:
    """Keep what a tool did, once a call of the model's; what was done too late replaces that it was late."""
    kept = {
        "name": _storable(tool.name)[:64],
        "business_key": _storable(tool.business_key)[:256],
        "arguments": sautikit.storable(tool.arguments),
        "result": sautikit.storable(tool.result),
        "state": tool.state,
        "started_ms": tool.started_ms,
        "duration_ms": tool.duration_ms,
    }
    run, new = ToolRun.objects.get_or_create(
        call_id=call_id, model_call_id=_storable(tool.model_call_id)[:128], defaults=kept
    )
    if not new:
        ToolRun.objects.filter(pk=run.pk, state=ToolState.TIMED_OUT).update(**kept)


def record_usage(call_id: int, reports: Sequence[UsageSeen]) -> None:
    """Keep what the model says it billed; the same report again is kept once."""
    records = []
    for report in reports:
        tokens = billing.tokens_of(report.raw)
        raw = sautikit.storable(report.raw)
        records.append(
            UsageRecord(
                call_id=call_id,
                at_ms=report.at_ms,
                digest=fingerprint(raw),
                raw=raw,
                text_in=min(tokens.text_in, _MOST),
                audio_in=min(tokens.audio_in, _MOST),
                text_out=min(tokens.text_out, _MOST),
                audio_out=min(tokens.audio_out, _MOST),
                thoughts=min(tokens.thoughts, _MOST),
                cached=min(tokens.cached, _MOST),
            )
        )
    UsageRecord.objects.bulk_create(records, ignore_conflicts=True)


def _storable(text: str) -> str:
    """Return text as every database takes it: PostgreSQL refuses a NUL, and with it the whole batch."""
    return "".join(filter(str.isprintable, " ".join(text.split())))
