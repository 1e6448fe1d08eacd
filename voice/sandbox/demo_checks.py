"""Say what came of a scene of the demonstration: the rows that it changed, and what is missing of it."""

import json
import re
from collections.abc import Iterator
from itertools import groupby

from shipments.messages import CODE_PLACE, MessageKind, OutgoingMessage
from shipments.models import DeliveryChange, TrackingEvent
from shipments.phones import masked
from shipments.places import is_same_place
from shipments.statuses import ChangeState
from shipments.text import DIGITS
from voice.dial_rules import spoken
from voice.models import Call, OutboundCall
from voice.sandbox.demo import Placed, Scene, Shown, Wanted
from voice.sandbox.recording import measure
from voice.statuses import DialState

_DIGIT = re.compile(rf"\b(?:{'|'.join(DIGITS)})\b")
_WITHIN, _APART = re.compile(r"[.:'\u2019]"), re.compile(r"[\W_]+")
_TELLING = re.compile(r"\w{4,}")
# "2:40 pm" is at times written "2pm 40pm"; forty is no hour, so nothing else is meant.
_TWICE = re.compile(r"(\d)\s*([ap]\.?m)\.?,? (1[3-9]|[2-5]\d)(?=\s*\2)")


# The rows


def rows(shown: Shown) -> list[str]:
    """Return what a scene changed, a line each."""
    call = call_of(shown)
    return [f"row       {row}" for row in (*_placed_rows(shown.scene), *(_rows_of(call) if call else ()))]


def call_of(shown: Shown) -> Call | None:
    """Return a scene's call as the database has it."""
    return Call.objects.filter(session_id=shown.record.session_id).first() if shown.record else None


def _placed_rows(scene: Scene) -> Iterator[str]:
    for placed in _placed(scene) if scene.placed else ():
        outcome = f", {placed.get_outcome_display()}" if placed.outcome else ""
        when = (
            f", {spoken(placed.not_before, placed.shipment.zone)}"
            if placed.state == DialState.PLANNED
            else ""
        )
        because = f": {placed.reason}" if placed.reason else ""
        yield f"{placed.shipment}: call about {placed}{outcome}{when}{because}"


def _placed(scene: Scene) -> list[OutboundCall]:
    return list(OutboundCall.objects.select_related("shipment").filter(number=scene.number).order_by("pk"))


def _rows_of(call: Call) -> Iterator[str]:
    changes = DeliveryChange.objects.filter(call_public_id=call.public_id)
    for change in changes.select_related("shipment", "slot__depot"):
        yield f"{change.shipment}: {change}, {_object_of(change)}"
    for event in TrackingEvent.objects.filter(call_public_id=call.public_id).select_related("shipment"):
        yield f"{event.shipment}: {event}"
    for message in _messages(call):
        yield f"{message.shipment}: message to {masked(message.number)}: {message.text}"


def _messages(call: Call) -> list[OutgoingMessage]:
    """Return what was to be told of a call by message, the oldest first."""
    refs = DeliveryChange.objects.filter(call_public_id=call.public_id).values_list("ref", flat=True)
    of_call = (f"access:{call.public_id}:", *(f"change:{ref}:" for ref in refs))
    written = OutgoingMessage.objects.select_related("shipment").order_by("pk")
    return [message for message in written if message.idempotency_key.startswith(of_call)]


def _object_of(change: DeliveryChange) -> str:
    if change.slot is not None:
        return str(change.slot)
    return ", ".join(str(part) for part in change.requested_address.values() if part)


# What is missing


def missing(shown: Shown) -> list[str]:
    """Return what should have been heard or changed and was not; nothing when the scene went well."""
    scene = shown.scene
    found = [*_not_heard(scene, shown.heard), *(_not_placed(scene, scene.placed) if scene.placed else ())]
    rings = scene.placed is None or scene.placed.rings
    if rings is not (shown.record is not None):
        return [*found, "nobody was rung" if rings else "somebody was rung"]
    if not rings:
        return found
    call = call_of(shown)
    if call is None or call.ended_at is None:
        return [*found, "the call's end is not in the database"]
    return [*found, *_not_changed(scene, call), *_not_secret(scene, call), *_not_as_it_sounded(shown)]


def _not_heard(scene: Scene, heard: str) -> Iterator[str]:
    for words in scene.must_hear:
        if not _is_in(words, heard):
            yield f'"{words}" was not heard'
    for words in scene.gist:
        if not _is_in_the_main(words, heard):
            yield f'"{words}" was not heard in the main'
    for words in scene.must_not_hear:
        if _is_in(words, heard):
            yield f'"{words}" was heard'
    for code in scene.codes:
        if _has_code(code, heard):
            yield "a code was heard"


def _not_as_it_sounded(shown: Shown) -> Iterator[str]:
    scene, record = shown.scene, shown.record
    if record is None:
        return
    if record.status != "completed" or record.faults:
        yield f"the call was {record.status}: {'; '.join(record.faults) or record.ended_by}"
    if any(turn.cuts_in for turn in scene.turns) and not measure(record.said, record.heard).silenced_ms:
        yield "the agent was not cut off"
    if scene.longest_s and record.duration_s >= scene.longest_s:
        yield f"the call took {record.duration_s:.0f} s"


def _not_placed(scene: Scene, wanted: Placed) -> Iterator[str]:
    first, *others = _placed(scene) or (None,)
    if first is None:
        yield "no call was planned"
        return
    outcome = wanted.outcome.value if wanted.outcome else ""
    if (first.state, first.outcome) != (wanted.state, outcome):
        yield f"the placed call is {first}, {first.get_outcome_display() or 'no outcome'}"
    if wanted.because not in first.reason:
        yield f'the reason "{wanted.because}" is not there'
    if wanted.again is not any(_is_for_another_day(first, other) for other in others):
        yield "it is not planned for the next window" if wanted.again else "it is planned again"


def _is_for_another_day(first: OutboundCall, other: OutboundCall) -> bool:
    zone = first.shipment.zone
    later = other.not_before.astimezone(zone).date() > first.created_at.astimezone(zone).date()
    return later and (other.state, other.purpose) == (DialState.PLANNED, first.purpose)


def _not_changed(scene: Scene, call: Call) -> Iterator[str]:
    asked = DeliveryChange.objects.filter(call_public_id=call.public_id)
    changes = list(asked.select_related("shipment__address", "slot__depot"))
    if scene.wanted is None:
        if changes:
            yield "something was changed that nobody asked for"
        return
    made = [change for change in changes if _is_wanted(change, scene.wanted)]
    if not made:
        what = " ".join(scene.wanted.window or (scene.wanted.landmark,))
        yield f"the parcel was not moved to {what}: {scene.wanted.state.label.lower()}"
        return
    history = TrackingEvent.objects.filter(shipment=made[0].shipment, call_public_id=call.public_id)
    if not history.exists():
        yield "the parcel's history says nothing of it"


def _is_wanted(change: DeliveryChange, wanted: Wanted) -> bool:
    if (change.kind, change.state) != (wanted.kind, wanted.state):
        return False
    slot, parcel = change.slot, change.shipment
    applied = change.state == ChangeState.APPLIED
    if slot is not None:
        start, end = slot.starts_at.astimezone(parcel.zone), slot.ends_at.astimezone(parcel.zone)
        asked_for = (start.date().isoformat(), f"{start:%H:%M}-{end:%H:%M}") == wanted.window
        return asked_for and applied is (parcel.promised_start == slot.starts_at)
    landmark = change.requested_address.get("landmark", "")
    # As it was understood: a letter or two beside what was said.
    goes_there = parcel.address.landmark == landmark
    return is_same_place(landmark, [wanted.landmark], []) and applied is goes_there


def _not_secret(scene: Scene, call: Call) -> Iterator[str]:
    """Yield what is wrong with the codes of a call: none is kept, and that of a gate goes by message."""
    kept = [*call.turns.values_list("text", flat=True)]
    kept += [json.dumps(run) for run in call.tool_runs.values_list("arguments", "result")]
    kept += [message.text for message in _messages(call)]
    if any(_has_code(code, text) for code in scene.codes for text in kept):
        yield "a code is in what is kept of the call"
    sent = [
        message
        for message in _messages(call)
        if message.kind == MessageKind.ACCESS
        and message.number == scene.number
        and CODE_PLACE in message.text
    ]
    if len(sent) != scene.code_sent:
        yield "the code was not sent to the driver's number" if scene.code_sent else "a code was sent"


# What was heard


def _is_in(words: str, heard: str) -> bool:
    if words.startswith("+"):  # of a run of noughts a recogniser writes fewer, or more
        return _uneven(words) in _uneven(heard)
    letters = r"\s*".join(_letters(words))
    whole = rf"(?<!\d){letters}(?!\d)" if letters[0].isdigit() else letters
    return re.search(whole, _plain(heard)) is not None


def _has_code(code: str, text: str) -> bool:
    return code in _letters(text)


def _is_in_the_main(words: str, heard: str) -> bool:
    telling = set(_TELLING.findall(words.lower()))
    return 3 * len(telling & set(_TELLING.findall(heard.lower()))) >= 2 * len(telling)


def _plain(words: str) -> str:
    """Return words as no recogniser writes them otherwise: "5.36 A.M." is "536 am", "12 noon" "12 pm"."""
    once = _TWICE.sub(r"\1 \3", words.lower().replace("noon", "pm"))
    digits = _DIGIT.sub(lambda digit: DIGITS[digit[0]], once)
    return _APART.sub(" ", _WITHIN.sub("", digits))


def _letters(words: str) -> str:
    return "".join(filter(str.isalnum, _plain(words)))


def _uneven(words: str) -> str:
    return "".join(letter for letter, _ in groupby(_letters(words)))
