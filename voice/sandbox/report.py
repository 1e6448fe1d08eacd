"""Put a simulated call into words: what was said, run, heard and paid."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.db import DatabaseError

from voice.models import Call, ToolRun, Turn
from voice.sandbox.call_record import CallRecord
from voice.sandbox.delays import Added
from voice.sandbox.recording import measure

_RECORDS_S = 5.0  # the last record of a call is written after its end

Document = dict[str, Any]


def document(record: CallRecord, bridge: Added | None, recording: Path | None) -> Document:
    """Return all that is known of the call as one JSON object."""
    first = record.hooks[0]
    return {
        "session_id": record.session_id,
        "status": record.status,
        "ended_by": record.ended_by,
        "duration_s": round(record.duration_s, 2),
        "webhook_ms": round(first.took_s * 1000),
        "spoken": list(record.spoken),
        "faults": list(record.faults),
        "closes": [{"code": close.code, "reason": close.reason} for close in record.media.closes],
        "lost_ms": record.media.lost_bytes // 32,
        "timings": asdict(measure(record.said, record.heard)),
        "bridge": asdict(bridge) if bridge else None,
        "recording": str(recording) if recording else None,
        **_records(record.session_id),
    }


def _records(session_id: str) -> Document:
    """Return what our database has of the call; nulls when it cannot be seen from here."""
    unseen: Document = {"call": None, "turns": None, "tools": None}
    try:
        call = _ended_call(session_id)
    except DatabaseError:
        return unseen
    if call is None:
        return unseen
    turns = Turn.objects.filter(call=call).order_by("position")
    tools = ToolRun.objects.filter(call=call).order_by("started_ms")
    return {
        "call": {
            "public_id": call.public_id,
            "status": call.status,
            "ended_reason": call.ended_reason,
            "outcome": call.outcome,
            "timings": call.timings,
            "counters": call.counters,
            "cost_kes_minor": call.cost_kes_minor,
            "cost_usd_micros": call.cost_usd_micros,
        },
        "turns": list(turns.values("speaker", "text", "started_ms", "ended_ms", "interrupted")),
        "tools": list(tools.values("name", "arguments", "result", "state", "started_ms", "duration_ms")),
    }


def _ended_call(session_id: str) -> Call | None:
    """Return the call when its end is written, or as it is when that takes too long."""
    patience_s = time.monotonic() + _RECORDS_S
    while True:
        call = Call.objects.filter(session_id=session_id).first()
        if call is None or call.ended_at is not None or time.monotonic() > patience_s:
            return call
        time.sleep(0.1)


def lines(document: Document) -> list[str]:
    """Return the call as a person reads it."""
    how = f"{document['status']}, {document['duration_s']} s, ended by {document['ended_by']}"
    return [
        f"call      {document['session_id']}: {how}",
        *(f"said      {text}" for text in document["spoken"]),
        *_conversation(document),
        *_timing_lines(document),
        *(f"fault     {fault}" for fault in document["faults"]),
        *([f"recording {document['recording']} (left caller, right agent)"] if document["recording"] else []),
    ]


def _conversation(document: Document) -> list[str]:
    if document["call"] is None:
        return ["turns     not visible: this call is not in the database that this command uses"]
    told = [(turn["started_ms"], _turn_line(turn)) for turn in document["turns"]]
    told += [(tool["started_ms"], _tool_line(tool)) for tool in document["tools"]]
    call = document["call"]
    shillings, cents = divmod(call["cost_kes_minor"], 100)
    dollars, micros = divmod(call["cost_usd_micros"], 1_000_000)
    cost = f"KES {shillings}.{cents:02} telephone, USD {dollars}.{micros:06} model"
    return [*(line for _, line in sorted(told)), f"cost      {cost}"]


def _turn_line(turn: Document) -> str:
    cut = " —" if turn["interrupted"] else ""
    return f"{turn['speaker']:<9} {turn['started_ms'] / 1000:6.1f} s  {turn['text']}{cut}"


def _tool_line(tool: Document) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in tool["arguments"].items())
    what = f"{tool['name']}({arguments}) → {tool['state']}, {tool['duration_ms']} ms"
    return f"tool      {tool['started_ms'] / 1000:6.1f} s  {what}"


def _timing_lines(document: Document) -> list[str]:
    timings = document["timings"]
    first = timings["first_audio_ms"]
    return [
        f"timings   voice webhook {document['webhook_ms']} ms",
        f"          answer → agent heard {'never' if first is None else f'{first} ms'}",
        f"          caller stops → agent heard {_listed(timings['answers_ms'])}",
        f"          caller interrupts → agent silent {_listed(timings['silenced_ms'])}",
        *_bridge_lines(document["bridge"]),
    ]


def _bridge_lines(bridge: Document | None) -> list[str]:
    if bridge is None:
        return ["          bridge's own delay not known: the model is not watched from here (--model)"]
    return [
        f"          bridge's own delay {way}: "
        + (
            ", ".join(f"{name.removesuffix('_ms')} {value} ms" for name, value in part.items())
            if part
            else "none"
        )
        for way, part in (("to the model", bridge["to_model"]), ("to the caller", bridge["to_caller"]))
    ]


def _listed(values_ms: Sequence[int]) -> str:
    return ", ".join(f"{value} ms" for value in values_ms) or "never"
