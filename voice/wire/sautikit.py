"""Say what the telephone platform sends: stream texts, webhook fields and events.

Nothing here raises for what came from outside: what cannot be read becomes an `Unknown`, an empty
string or a `None`. The grades of evidence behind each name are in the platform's notes; where two
spellings were seen, both are read.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

# What comes on the audio socket as text


@dataclass(frozen=True, slots=True)
class Metadata:
    """The stream says which call it belongs to; `ids` may be empty."""

    ids: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Dtmf:
    """The caller pressed a key."""

    digit: str
    duration_ms: int | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark of ours came back: not proof that it was heard, a clear returns it too."""

    name: str
    event: str


@dataclass(frozen=True, slots=True)
class PlayDone:
    """The platform finished playing a file."""

    id: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A text that this version has no use for; opaque text, such as our openMetadata, is one."""

    kind: str


Event = Metadata | Dtmf | Mark | PlayDone | Unknown

_ID_KEYS = ("callSid", "sessionId", "call_sid", "call_id", "streamSid")
_DIGITS = frozenset("0123456789*#ABCDabcd")
_DOCUMENTS = 16
_DECODER = json.JSONDecoder()
_SHORT = 128


def decode(text: str) -> list[Event]:
    """Return the events of one text frame: one JSON object, several glued together, or opaque text.

    The stock module joins texts that were sent in quick succession into one frame.
    """
    return list(_decode(text))


def _decode(text: str) -> Iterator[Event]:
    at = 0
    for _ in range(_DOCUMENTS):
        begin = text.find("{", at)
        if begin < 0:
            break
        if text[at:begin].strip():
            yield Unknown("opaque")
        try:
            document, at = _DECODER.raw_decode(text, begin)
        except (ValueError, RecursionError):
            yield Unknown("opaque")
            return
        yield _event(document)
    if text[at:].strip():
        yield Unknown("opaque")


def _event(document: dict[str, Any]) -> Event:
    kind = _text(document.get("type")) or _text(document.get("event"))
    match kind:
        case "dtmf":
            return _dtmf(document)
        case "mark":
            mark = _table(document.get("data")) or _table(document.get("mark"))
            return Mark(_text(mark.get("name")), _text(mark.get("event")))
        case "playDone":
            return PlayDone(_text(_table(document.get("data")).get("id")))
        case _:
            return _metadata(document, kind)


def _metadata(document: dict[str, Any], kind: str) -> Event:
    ids: dict[str, str] = {}
    for place in (document.get("headers"), document.get("metadata"), document):  # the last wins
        table = _table(place)
        ids |= {key: value for key in _ID_KEYS if (value := _text(table.get(key)))}
    return Metadata(ids) if ids or not kind else Unknown(kind)


def _dtmf(document: dict[str, Any]) -> Event:
    pressed = document.get("dtmf")
    if isinstance(pressed, dict):  # Twilio's shape
        digit, duration_ms = _text(pressed.get("digit")), None
    else:  # jambonz's, its duration in RTP units of 1/8000 s
        digit = _text(pressed)
        units = _whole(document.get("duration"))
        duration_ms = None if units is None else units // 8
    return Dtmf(digit, duration_ms) if digit in _DIGITS else Unknown("dtmf")


def clear() -> str:
    """Return the text that makes the platform forget what it has not played yet."""
    return '{"type":"killAudio"}'


# What comes to the voice webhook


class Edge(StrEnum):
    """The moment of a call's life that a webhook tells of."""

    RINGING = "ringing"
    STREAM_STARTED = "stream-started"
    STREAM_STOPPED = "stream-stopped"
    COMPLETED = "completed"
    FAILED = "failed"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    DIAL_COMPLETED = "dial-completed"
    OTHER = "other"


_EDGES = {
    "ringing": Edge.RINGING,
    "streamstarted": Edge.STREAM_STARTED,
    "streamstopped": Edge.STREAM_STOPPED,
    "streamerror": Edge.STREAM_STOPPED,
    "completed": Edge.COMPLETED,
    "hangup": Edge.COMPLETED,
    "failed": Edge.FAILED,
    "canceled": Edge.FAILED,
    "cancelled": Edge.FAILED,
    "rejected": Edge.FAILED,
    "busy": Edge.BUSY,
    "noanswer": Edge.NO_ANSWER,
    "dialcompleted": Edge.DIAL_COMPLETED,
}


@dataclass(frozen=True, slots=True)
class Webhook:
    """What a voice webhook says; a string that did not come is empty, numbers are as they were sent."""

    session_id: str
    caller: str
    called: str
    dialed: str
    direction: str
    edge: Edge
    is_active: bool | None
    duration_s: int | None
    client_request_id: str
    stream_sid: str
    digits: str

    @property
    def may_begin(self) -> bool:
        """Tell whether a stream may be the answer: a state we do not know may be the first one."""
        return self.edge in (Edge.RINGING, Edge.OTHER) and self.is_active is not False and not self.stream_sid


def parse_webhook(fields: Mapping[str, object]) -> Webhook:
    """Read the fields of either family; whatever else is there is passed over."""
    is_active = _flag(_first(fields, "isActive"))
    return Webhook(
        session_id=_first(
            fields, "sessionId", "CallId", "CallSid", "callSid", "callId", "call_id", "session_id"
        ),
        caller=_first(fields, "callerNumber", "From", "from"),
        called=_first(fields, "destinationNumber", "To", "to"),
        dialed=_first(fields, "clientDialedNumber"),
        direction=_first(fields, "direction", "Direction").lower(),
        edge=_edge(
            _first(fields, "callSessionState", "streamEvent", "streamStatus", "CallStatus"), is_active
        ),
        is_active=is_active,
        duration_s=_whole(_first(fields, "durationInSeconds", "duration_seconds", "CallDuration")),
        client_request_id=_first(fields, "clientRequestId", "client_request_id"),
        stream_sid=_first(fields, "streamSid", "stream_sid"),
        digits=_first(fields, "Digits", "dtmfDigits", "digits"),
    )


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What the platform itself tells of a call; `sides` has its session, numbers and direction."""

    sides: Webhook
    is_over: bool
    cost_kes_minor: int | None = None
    """What it bills, in hundredths of KES; None while it has not said, or for other money."""


_COST_DIGITS = 12
_SESSION = "HD_"
_OVER_STATUSES = frozenset({"completed", "failed", "no_answer", "busy", "canceled", "cancelled"})


def parse_record(document: object, name: str, *, alone: bool = False) -> CallRecord | None:
    """Find a call in an answer of `GET /v1/calls`, one object or a list of some; None: it is not there.

    It is named by its session or its id. With `alone` nothing else was asked for: a single record without a
    name is it, and so is one that tells its id alone when asked for a session `HD_…`, as hang-ups do.
    """
    found = _table(document)
    listed = next((found[name] for name in ("calls", "data", "items") if name in found), None)
    rows = listed if isinstance(listed, list) else [listed if isinstance(listed, dict) else found]
    for row in map(_table, rows[:_FIELDS]):
        session_id, call_id = _first(row, "session_id", "sessionId"), _first(row, "call_id", "callId")
        by_session = name.startswith(_SESSION) and not call_id.startswith(_SESSION)
        is_it = alone and len(rows) == 1 and bool(row) and not session_id and (by_session or not call_id)
        if is_it or (name and name in (session_id, call_id)):
            sides = replace(parse_webhook(row), session_id=session_id)
            is_over = _first(row, "status").lower() in _OVER_STATUSES
            return CallRecord(sides, is_over, _kes_minor(row))
    return None


def _kes_minor(row: Mapping[str, object]) -> int | None:
    text, currency = _first(row, "cost_minor", "costMinor"), _first(row, "currency", "currencyCode")
    is_amount = text.isascii() and text.isdigit() and len(text) <= _COST_DIGITS
    return int(text) if is_amount and currency.upper() in ("", "KES") else None


def _edge(state: str, is_active: bool | None) -> Edge:
    if not state:  # the samples' family names no state
        return Edge.COMPLETED if is_active is False else Edge.RINGING
    return _EDGES.get("".join(filter(str.isalnum, state.lower())), Edge.OTHER)


@dataclass(frozen=True, slots=True)
class Account:
    """How far the platform says that a call has come, in its words, and whether anybody picked up."""

    status: str
    picked_up: bool


def parse_account(fields: Mapping[str, object]) -> Account:
    """Read what an event or an answer of `GET /v1/calls/{id}` tells of a call.

    Whom nobody answers has words of his own there, so who is "completed" was answered; unless that took no
    time and cost nothing.
    """
    status = _first(fields, "status").lower().replace("-", "_")
    lasted_s = _whole(_first(fields, "duration_seconds", "durationInSeconds"))
    cost_minor = _kes_minor(fields)
    is_empty = (lasted_s, cost_minor) != (None, None) and not lasted_s and not cost_minor
    answered_at = _first(fields, "answered_at", "answeredAt")
    return Account(
        status, status == "answered" or bool(answered_at) or (status == "completed" and not is_empty)
    )


# What comes to the address for events and for the state of a stream


@dataclass(frozen=True, slots=True)
class CallEvent:
    """An event of the platform's; an empty `event_id` did not come."""

    event_id: str
    kind: str
    payload: dict[str, object]


def parse_event(fields: Mapping[str, object], headers: Mapping[str, str]) -> CallEvent:
    """Read an event of the documented shape, of the guides' or of the PBX's; all fields are the payload."""
    kind = _first(fields, "kind", "event_kind", "callSessionState", "streamEvent", "event")
    return CallEvent(
        event_id=_first(fields, "event_id", "eventId") or _text(headers.get("X-Sautikit-Event-Id")),
        kind=kind
        or _text(headers.get("X-Sautikit-Event-Kind"))
        or _text(headers.get("X-Sautikit-Event"))
        or "unknown",
        payload=storable(fields),
    )


def parse_stream_event(fields: Mapping[str, object]) -> str:
    """Return stream-started, stream-stopped, stream-error, or what else the status callback says."""
    said = _first(fields, "streamEvent", "event", "statusEvent", "streamStatus", "status", "callSessionState")
    word = "".join(filter(str.isalnum, said.lower())).removeprefix("stream")
    return f"stream-{word}" if word in ("started", "stopped", "error") else said


def storable(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields as JSON that every database takes: no NUL, no lone surrogate, no NaN, not deep."""
    return {_text(key): _storable(value, 0) for key, value in list(fields.items())[:_FIELDS]}


_FIELDS = 100
_DEPTH = 6
_LONG = 2_000


def _storable(value: object, depth: int) -> object:
    match value:
        case None | bool():
            return value
        case int():
            return value if abs(value) < 2**63 else str(value.bit_length()) + " bits"
        case float():
            return value if math.isfinite(value) else None
        case str():
            return _text(value, _LONG)
        case dict() if depth < _DEPTH:
            return {_text(key): _storable(item, depth + 1) for key, item in list(value.items())[:_FIELDS]}
        case list() if depth < _DEPTH:
            return [_storable(item, depth + 1) for item in value[:_FIELDS]]
        case _:
            return None


# Reading what may be anything


def _first(fields: Mapping[str, object], *names: str) -> str:
    return next((value for name in names if (value := _text(fields.get(name)))), "")


def _text(value: object, limit: int = _SHORT) -> str:
    """Return a string or number as text on one line, without what no database or page can take."""
    match value:
        case bool():
            return "true" if value else "false"
        case float() if math.isfinite(value):
            return f"{value:g}"
        case int() if abs(value) < 10**30:  # longer ones are no number of ours, and slow to write out
            return str(value)
        case str():
            return "".join(filter(str.isprintable, value[: 4 * limit])).strip()[:limit]
        case _:
            return ""


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _flag(word: str) -> bool | None:
    match word.lower():
        case "1" | "true" | "yes":
            return True
        case "0" | "false" | "no":
            return False
        case _:
            return None


def _whole(value: object) -> int | None:
    """Return a count of something, or None where there is none that a database can hold."""
    try:
        number = float(_text(value))
    except ValueError:
        return None
    return int(number) if 0 <= number < 2**31 else None
