"""Hold the demonstration's calls: real speech both ways, and what was heard and changed is checked.

Each scene (voice/sandbox/demo_scenes.py) says who calls or is called, what is said, and what has to be heard
and changed, and what must not be.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from shipments.models import DeliveryChange, TrackingEvent
from shipments.places import is_same_place
from shipments.statuses import ChangeKind, ChangeState
from voice.audio import MODEL_OUT_HZ, TELEPHONE_HZ
from voice.models import Call, OutboundCall
from voice.sandbox import tones
from voice.sandbox.call_record import CallRecord
from voice.sandbox.caller import Caller, Greet, Interrupt, Line, Say, Script
from voice.sandbox.carrier import FakeCarrier
from voice.sandbox.recording import at_telephone_rate, measure, stereo_wav


@dataclass(frozen=True, slots=True)
class Speech:
    """How words become sound for callers (16 kHz) and sound becomes words again."""

    say: Callable[[str, float], Awaitable[bytes]]
    read: Callable[[bytes], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that a caller says: when the agent is done, cutting in, or first of all."""

    words: str
    cuts_in: bool = False
    comes_first: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """The change that a call has to leave: to a day and hours, or to a place known by its landmark."""

    kind: ChangeKind
    state: ChangeState
    window: tuple[str, str] | None = None
    landmark: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """One call: with whom, at which pitch, what is said, what is to be heard and which change to be made."""

    title: str
    number: str
    pitch: float
    turns: tuple[Turn, ...]
    must_hear: tuple[str, ...]
    wanted: Wanted | None = None
    must_not_hear: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """A scene that was played: the carrier's record, the agent's words as read from it, the recording."""

    scene: Scene
    record: CallRecord
    heard: str
    recording: Path


# How it is played


async def play(
    all_scenes: Sequence[Scene], carrier: FakeCarrier, own_number: str, speech: Speech, folder: Path
) -> list[Shown]:
    """Place all calls side by side, read the recordings, and say of each what is missing."""

    async def ring(place: int, scene: Scene) -> Shown:
        record = await carrier.place_call(own_number, scene.number, await person(scene, speech))
        return await listened(scene, record, speech, folder / f"call-{place}.wav")

    return list(await asyncio.gather(*(ring(place, scene) for place, scene in enumerate(all_scenes, 1))))


async def person(scene: Scene, speech: Speech) -> Caller:
    """Return who says a scene's turns."""
    lines = [await _line(turn, scene.pitch, speech) for turn in scene.turns]
    return Script(lines, patience_s=25)  # a whole id and a place take 16 s to be read back


async def listened(scene: Scene, record: CallRecord, speech: Speech, recording: Path) -> Shown:
    """Keep a call's recording, and read from it what the agent said."""
    await asyncio.to_thread(recording.write_bytes, stereo_wav(record.said, record.heard))
    return Shown(scene, record, await speech.read(record.heard), recording)


async def _line(turn: Turn, pitch: float, speech: Speech) -> Line:
    pcm = await speech.say(turn.words, pitch)
    if turn.comes_first:
        return Greet(pcm)
    return Interrupt(pcm, 1_500) if turn.cuts_in else Say(pcm, 1_200)


# What came of it


def rows(public_id: str) -> list[str]:
    """Return what a call changed, a line each."""
    asked = DeliveryChange.objects.filter(call_public_id=public_id)
    changes = asked.select_related("shipment", "slot__depot")
    events = TrackingEvent.objects.filter(call_public_id=public_id).select_related("shipment")
    placed = OutboundCall.objects.filter(call__public_id=public_id).select_related("shipment")
    return [
        *(f"row       {call.shipment}: call about {call}, {call.get_outcome_display()}" for call in placed),
        *(f"row       {change.shipment}: {change}, {_object_of(change)}" for change in changes),
        *(f"row       {event.shipment}: {event}" for event in events),
    ]


def _object_of(change: DeliveryChange) -> str:
    if change.slot is not None:
        return str(change.slot)
    return ", ".join(str(part) for part in change.requested_address.values() if part)


def missing(shown: Shown) -> list[str]:
    """Return what should have been heard or changed and was not; nothing when the call went well."""
    scene, record = shown.scene, shown.record
    heard = _letters(shown.heard)
    found = [f'"{words}" was not heard' for words in scene.must_hear if _letters(words) not in heard]
    found += [f'"{words}" was heard' for words in scene.must_not_hear if _letters(words) in heard]
    call = Call.objects.filter(session_id=record.session_id).first()
    if call is None or call.ended_at is None:
        return [*found, "the call's end is not in the database"]
    found += _not_changed(scene, call)
    if record.status != "completed" or record.faults:
        found.append(f"the call was {record.status}: {'; '.join(record.faults) or record.ended_by}")
    cut_in = any(turn.cuts_in for turn in scene.turns)
    if cut_in and not measure(record.said, record.heard).silenced_ms:
        found.append("the agent was not cut off")
    return found


def _not_changed(scene: Scene, call: Call) -> list[str]:
    asked = DeliveryChange.objects.filter(call_public_id=call.public_id)
    changes = list(asked.select_related("shipment__address", "slot__depot"))
    if scene.wanted is None:
        return ["something was changed that nobody asked for"] if changes else []
    made = [change for change in changes if _is_wanted(change, scene.wanted)]
    if not made:
        what = " ".join(scene.wanted.window or (scene.wanted.landmark,))
        return [f"the parcel was not moved to {what}: {scene.wanted.state.label.lower()}"]
    history = TrackingEvent.objects.filter(shipment=made[0].shipment, call_public_id=call.public_id)
    return [] if history.exists() else ["the parcel's history says nothing of it"]


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


def _letters(words: str) -> str:
    return "".join(filter(str.isalnum, words.lower().replace("noon", "pm")))


# How it sounds


def offline_speech() -> Speech:
    """Return real speech, of this machine; raises ImportError where its packages are missing."""
    from voice.sandbox.ears import transcribe  # noqa: PLC0415 - only where the extra is installed
    from voice.sandbox.mouth import OfflineMouth  # noqa: PLC0415 - the same

    async def say(words: str, pitch: float) -> bytes:
        return at_telephone_rate(await OfflineMouth(pitch).speak(words), MODEL_OUT_HZ)

    return Speech(say, transcribe)


def tonal_speech() -> Speech:
    """Return words as tones, for where no speech package is."""

    async def say(words: str, pitch: float) -> bytes:
        return tones.encode(words, TELEPHONE_HZ)

    async def read(pcm: bytes) -> str:
        return tones.decode(pcm, TELEPHONE_HZ)

    return Speech(say, read)
