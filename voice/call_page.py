"""Put a call into the words of its page: what was said and done in order, what it took, what it cost.

Numbers are shown by their last three digits, also those that were said or that a tool returned: who reads a
page need not be able to ring the caller.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from django.urls import reverse
from django.utils.timezone import localtime

from shipments.audit import AuditEntry
from shipments.models import DeliveryChange
from shipments.phones import mask_numbers
from voice import call_timing
from voice.billing import Tokens
from voice.levels import Proof
from voice.models import Call, CallEvent, ToolRun, Turn
from voice.rights import CallParcel
from voice.statuses import CallStatus, Outcome, ToolState

NONE = "–"
STATUS_COLOURS: Mapping[str, str] = {
    CallStatus.QUEUED: "warning",
    CallStatus.RINGING: "warning",
    CallStatus.ANSWERED: "info",
    CallStatus.COMPLETED: "success",
    CallStatus.FAILED: "danger",
    CallStatus.NO_ANSWER: "danger",
    CallStatus.BUSY: "danger",
    CallStatus.CANCELED: "default",
}
_TOOL_COLOURS: Mapping[str, str] = {
    ToolState.OK: "success",
    ToolState.REFUSED: "warning",
    ToolState.FAILED: "danger",
    ToolState.TIMED_OUT: "danger",
}


@dataclass(frozen=True, slots=True)
class Spoken:
    """A turn in the conversation; a cut one was interrupted."""

    at: str
    by: str
    from_caller: bool
    text: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Done:
    """A tool's run in the conversation: what the agent asked of us and got."""

    at: str
    name: str
    state: str
    colour: str
    took: str
    arguments: tuple[tuple[str, str], ...]
    answer: str
    result: str


@dataclass(frozen=True, slots=True)
class Answer:
    """How long the caller waited for an answer: for the model with its tools, and for the sound to come."""

    at: str
    took: str
    percent: int
    model: call_timing.Bar
    ear: call_timing.Bar
    tools: tuple[call_timing.Bar, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """Something that the carrier told us."""

    at: object
    by: str
    kind: str
    payload: str


Row = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """All that the call's page shows, besides the call itself."""

    our_number: str
    status_colour: str
    conversation: tuple[Spoken | Done, ...]
    changes: tuple[Mapping[str, str], ...]
    parcel_url: str
    duration: str
    timings: tuple[Row, ...]
    carrier_bill: str
    reckoned: tuple[Row, ...]
    carrier_counted: str
    model_bill: str
    tokens: tuple[Row, ...]
    counters: tuple[Row, ...]
    opened_with: tuple[tuple[Row, ...], ...]
    trust: tuple[Row, ...]
    answers: tuple[Answer, ...]
    ordered: tuple[Row, ...]
    events: tuple[Told, ...]


def page_of(call: Call) -> Page:
    """Return the page of a call that came through `for_page`; reads the changes that it brought about."""
    inbound = call.direction == "inbound"
    return Page(
        our_number=mask_numbers(call.called_number if inbound else call.caller_number) or NONE,
        status_colour=STATUS_COLOURS.get(call.status, "default"),
        conversation=conversation(call.turns.all(), call.tool_runs.all()),
        changes=tuple(map(_change, _changes_by(call))),
        parcel_url=_parcel_url(call.shipment_id),
        duration=NONE if call.duration_s is None else clock(call.duration_s * 1000),
        timings=timings(call.timings),
        carrier_bill=kes(call.billed_kes_minor),
        reckoned=reckoned(call),
        carrier_counted=NONE if call.carrier_duration_s is None else clock(call.carrier_duration_s * 1000),
        model_bill=usd(call.cost_usd_micros, places=6),
        tokens=_tokens(call),
        counters=tuple(
            (_COUNTERS.get(name) or _words(name), _count(name, value))
            for name, value in call.counters.items()
            if value
        ),
        opened_with=tuple(tuple(_known(parcel)) for parcel in call.context),
        events=tuple(map(_told, call.events.all())),
        trust=tuple(_trust(call)),
        ordered=tuple(_ordered(call)),
        answers=_answers_of(call),
    )


def _known(parcel: Mapping[str, object]) -> Iterator[Row]:
    for name, value in parcel.items():
        yield _words(name), mask_numbers(str(value))


def _trust(call: Call) -> Iterator[Row]:
    """Yield how much the call was trusted, and by what it got there."""
    yield "Level", call.get_level_display()
    yield "The number", _PROOFS[Proof(call.proof)]
    if call.tester is not None:
        yield "Test call by", call.tester.get_username()
    for parcel in CallParcel.objects.filter(call_public_id=call.public_id).order_by("place"):
        shown = {"surname": parcel.surname_at, "two facts": parcel.facts_at, "the code": parcel.code_at}
        named = [f"{what} at {localtime(at):%H:%M:%S}" for what, at in shown.items() if at]
        yield f"Parcel {parcel}", ", ".join(named) or "nothing named of it"


def _ordered(call: Call) -> Iterator[Row]:
    """Yield what the desk wanted of the call while it ran, and who did."""
    entries = AuditEntry.objects.filter(call_public_id=call.public_id, verb__in=_ORDERS).order_by("at", "pk")
    for entry in entries:
        yield _ORDERS[entry.verb], f"{entry.actor}, {localtime(entry.at):%H:%M:%S}"


_ORDERS = {
    "order_end": "Wanted it ended",
    "order_note": "Wanted the agent told something",
    "order_say": "Wanted something said",
    "order_message": "Wanted a message taken",
}


_PROOFS = {
    Proof.NOBODY: "proved by nobody",
    Proof.SIGNATURE: "signed by the carrier",
    Proof.LOOKUP: "proved by the carrier's record",
    Proof.WORD: "believed as it came",
    Proof.STAFF: "played by a member of staff",
}


def _answers_of(call: Call) -> tuple[Answer, ...]:
    done = [
        call_timing.Span(_words(run.name), run.started_ms, run.started_ms + run.duration_ms)
        for run in call.tool_runs.all()
    ]
    return tuple(
        Answer(clock(strip.at_ms), took(strip.took_ms), strip.percent, strip.model, strip.ear, strip.tools)
        for strip in call_timing.strips(call_timing.waits(call.timings.get("waits_ms")), done)
    )


def conversation(turns: Iterable[Turn], runs: Iterable[ToolRun]) -> tuple[Spoken | Done, ...]:
    """Return what was said and what was done about it, in the order in which it began."""
    said = [(turn.started_ms, 0, _spoken(turn)) for turn in turns]
    done = [(run.started_ms, 1, _done(run)) for run in runs]
    ordered: list[tuple[int, int, Spoken | Done]] = sorted([*said, *done], key=lambda one: one[:2])
    return tuple(line for _, _, line in ordered)


def _spoken(turn: Turn) -> Spoken:
    return Spoken(
        at=clock(turn.started_ms),
        by=turn.get_speaker_display(),
        from_caller=turn.speaker == "caller",
        text=mask_numbers(turn.text),
        cut=turn.interrupted,
    )


def _done(run: ToolRun) -> Done:
    return Done(
        at=clock(run.started_ms),
        name=_words(run.name),
        state=run.get_state_display(),
        colour=_TOOL_COLOURS.get(run.state, "default"),
        took=took(run.duration_ms),
        arguments=tuple((_words(str(key)), _short(value)) for key, value in run.arguments.items()),
        answer=mask_numbers(str(run.result.get("message", ""))),
        result=_json(run.result),
    )


def _told(event: CallEvent) -> Told:
    payload = {key: value for key, value in event.payload.items() if value not in ("", None)}
    return Told(
        at=event.received_at,
        by=event.get_source_display(),
        kind=event.kind,
        payload=_json(payload) if payload else "",
    )


def _changes_by(call: Call) -> Iterable[DeliveryChange]:
    changes = DeliveryChange.objects.filter(call_public_id=call.public_id)
    return changes.select_related("shipment").order_by("created_at", "pk")


def _change(change: DeliveryChange) -> Mapping[str, str]:
    return {
        "parcel": change.shipment.tracking_id,
        "url": _parcel_url(change.shipment_id),
        "kind": change.get_kind_display(),
        "state": change.get_state_display(),
        "read_back": mask_numbers(change.read_back),
    }


def _parcel_url(shipment_id: int | None) -> str:
    return reverse("admin:shipments_shipment_change", args=[shipment_id]) if shipment_id else ""


# Numbers, times and money


def clock(ms: int) -> str:
    """Return a moment of the call, or how long it lasted, in minutes and seconds."""
    minutes, seconds = divmod(ms // 1000, 60)
    return f"{minutes}:{seconds:02}"


def took(ms: float) -> str:
    """Return how long something took: in milliseconds while that is short to read."""
    return f"{ms:.0f} ms" if ms < 100 else f"{ms / 1000:.2f} s"


def kes(minor: int) -> str:
    """Return hundredths of a shilling as money."""
    return f"KES {minor // 100:,}.{minor % 100:02}"


def reckoned(call: Call) -> tuple[Row, ...]:
    """Return how the carrier's bill and our estimate of it differ; an estimate alone is called one."""
    if call.rates_date is None:
        return ()
    if call.carrier_cost_minor is None:
        return (("Telephone is", "our estimate"),)
    over = call.carrier_cost_minor - call.cost_kes_minor
    sign = "+" if over > 0 else "−" if over else ""
    return (("We reckoned", kes(call.cost_kes_minor)), ("Difference", f"{sign}{kes(abs(over))}"))


def usd(micros: int, *, places: int) -> str:
    """Return millionths of a dollar as money with so many places, rounded up as bills are."""
    scale = 10 ** (6 - places)
    dollars, fraction = divmod(-(-micros // scale), 10**places)
    return f"USD {dollars:,}.{fraction:0{places}}"


def both_bills(call: Call) -> str:
    """Return what a call cost, in the money of each bill; nothing before its end is priced."""
    if call.rates_date is None:
        return NONE
    return f"{kes(call.billed_kes_minor)} + {usd(call.cost_usd_micros, places=4)}"


def outcome(call: Call) -> str:
    """Return what a call achieved, if anything."""
    return NONE if call.outcome in ("", Outcome.NO_OUTCOME) else call.get_outcome_display()


def timings(measured: Mapping[str, Any]) -> tuple[Row, ...]:
    """Return what a call measured as a dispatcher reads it; unknown names are shown as they are."""
    rows: list[Row] = []
    for name, value in measured.items():
        if name == "answers_ms":
            rows += _answers([ms for ms in value if isinstance(ms, int)] if isinstance(value, list) else [])
        elif value is not None and name != "waits_ms":  # they are drawn
            shown = took(value) if name.endswith("_ms") and isinstance(value, int | float) else str(value)
            rows.append((_TIMINGS.get(name) or _words(name), shown))
    return tuple(rows)


_TIMINGS = {
    "setup_ms": "Voice model ready after",
    "first_audio_ms": "Caller first heard us after",
    "interruptions": "Times the caller cut in",
}


def _answers(answers_ms: list[int]) -> list[Row]:
    if not answers_ms:
        return []
    return [
        ("Answers measured", str(len(answers_ms))),
        ("Caller's words → answer, median", took(median(answers_ms))),
        ("Caller's words → answer, longest", took(max(answers_ms))),
    ]


def _tokens(call: Call) -> tuple[Row, ...]:
    used = {name: sum(getattr(one, name) for one in call.usage.all()) for name in Tokens.__slots__}
    return tuple((_TOKENS[name], f"{count:,}") for name, count in used.items() if count)


_TOKENS = {
    "text_in": "Text in",
    "audio_in": "Audio in",
    "text_out": "Text out",
    "audio_out": "Audio out",
    "thoughts": "Thoughts",
    "cached": "Of these cached",
}


_COUNTERS = {
    "speech_sent_ms": "Agent's speech sent",
    "speech_heard_ms": "Agent's speech heard",
    "speech_cut_ms": "Agent's speech cut off",
    "speech_dropped_ms": "Agent's speech lost",
    "caller_dropped_ms": "Caller's speech lost",
    "caller_silence_ms": "Silence put in for the caller",
    "late_audio": "Late audio dropped",
    "records_lost": "Records lost",
    "desk_end": "Times the desk ended it",
    "desk_note": "Times the desk told the agent something",
    "desk_say": "Times the desk had something said",
    "desk_message": "Times the desk had a message taken",
}


def _count(name: str, value: object) -> str:
    return took(value) if name.endswith("_ms") and isinstance(value, int) else str(value)


def _words(name: str) -> str:
    return name.removesuffix("_ms").replace("_", " ").capitalize()


def _short(value: object) -> str:
    return mask_numbers(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _json(value: Mapping[str, Any]) -> str:
    return mask_numbers(json.dumps(value, ensure_ascii=False, indent=2))
