"""Hold the demonstration's calls: three people ring, real speech both ways, and what they heard is checked.

Each scene says who calls, what is said, and what has to be heard and changed. Arrival times and free windows
are drawn by the seed, so that nothing can be learnt by heart: they have to be in the recording.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.utils import timezone

from shipments import enquiries
from shipments.errors import ShipmentError
from shipments.models import DeliveryChange, Shipment, TrackingEvent
from shipments.statuses import ChangeState, Status
from voice.audio import MODEL_OUT_HZ, TELEPHONE_HZ
from voice.models import Call
from voice.sandbox import tones
from voice.sandbox.caller import Interrupt, Line, Say, Script
from voice.sandbox.carrier import CallRecord, FakeCarrier
from voice.sandbox.recording import at_telephone_rate, measure, stereo_wav

_TIME = re.compile(r"\b\d{1,2}(?::\d\d)? (?:am|pm|noon)\b|\bmidnight\b")


@dataclass(frozen=True, slots=True)
class Speech:
    """How words become sound for callers (16 kHz) and sound becomes words again."""

    say: Callable[[str, float], Awaitable[bytes]]
    read: Callable[[bytes], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that a caller says, cutting in or not."""

    words: str
    cuts_in: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """One call: who rings, at which pitch, what is said, what must be heard and which change must be made."""

    title: str
    number: str
    pitch: float
    turns: tuple[Turn, ...]
    must_hear: tuple[str, ...]
    window: tuple[str, str] | None = None  # the day and the hours that the parcel must be moved to


@dataclass(frozen=True, slots=True)
class Shown:
    """A scene that was played: the carrier's record, the agent's words as read from it, the recording."""

    scene: Scene
    record: CallRecord
    heard: str
    recording: Path


# What is played


def scenes() -> list[Scene]:
    """Return the demonstration's calls, from the parcels that the database holds now.

    Raises:
        LookupError: the seeded day has no parcel that fits a scene.
    """
    coming = [parcel for parcel in _of_one_number() if _times_told(parcel)]
    movable = [(parcel, slots) for parcel in _of_one_number() if (slots := _free_slots(parcel))]
    if len(coming) < 2 or not movable:
        raise LookupError("the seeded day has no parcels that fit; run seed_demo again")
    by_id, by_number = coming[0], coming[1]
    moved, slots = next(
        (found for found in reversed(movable) if found[0] not in (by_id, by_number)), movable[0]
    )
    slot = slots[-1]
    day, hours = slot["words"].split(", ", 1)
    spelled = ", ".join(by_id.tracking_id)
    return [
        Scene(
            "where is my parcel, by the tracking number read aloud",
            by_id.phone,
            0.9,
            (
                Turn(f"Where is my parcel with the tracking number {spelled}?"),
                Turn("Thank you and goodbye."),
            ),
            _times_told(by_id),
        ),
        Scene(
            "a number that we know, and no tracking number",
            by_number.phone,
            1.12,
            (Turn("Hi, when does my package arrive?"), Turn("Thanks a lot and goodbye.")),
            _times_told(by_number),
        ),
        Scene(
            "move it to another day, cutting in while the agent talks",
            moved.phone,
            1.0,
            (
                Turn("Hello, I want to move my parcel to another day."),
                Turn(f"{day}, {_hours_said(hours)}, please.", cuts_in=True),
                Turn("Yes, please."),
                Turn("Thank you and goodbye."),
            ),
            (day.split(" ", 1)[0], *_TIME.findall(hours)),
            (slot["day"], slot["window"]),
        ),
    ]


def _of_one_number() -> list[Shipment]:
    """Return the demo's parcels whose number of record has no other one."""
    parcels = Shipment.objects.filter(is_demo=True).exclude(phone="").order_by("pk")
    numbers = [parcel.phone for parcel in parcels]
    return [parcel for parcel in parcels if numbers.count(parcel.phone) == 1]


def _times_told(parcel: Shipment) -> tuple[str, ...]:
    """Return the times that whoever asks for this parcel must hear: none when it is not coming today."""
    if parcel.status != Status.OUT_FOR_DELIVERY:
        return ()
    answer = enquiries.track(number=parcel.phone, said_id=None, now=timezone.now())
    return tuple(_TIME.findall(str(answer["say"])))


def _free_slots(parcel: Shipment) -> list[dict[str, str]]:
    try:
        answer = enquiries.offer_slots(number=parcel.phone, said_id=None, day=None, now=timezone.now())
    except ShipmentError:
        return []
    slots = answer["slots"]
    return slots if isinstance(slots, list) else []


def _hours_said(hours: str) -> str:
    """Return a window as people ask for it: "in the morning", "from 3 pm to 6 pm"."""
    return "in the morning" if hours.endswith("noon") else f"from {hours}".replace("12 noon", "12 pm")


# How it is played


async def play(
    all_scenes: Sequence[Scene], carrier: FakeCarrier, own_number: str, speech: Speech, folder: Path
) -> list[Shown]:
    """Place all calls side by side, read the recordings, and say of each what is missing."""
    return list(
        await asyncio.gather(
            *(
                _play(place, scene, carrier, own_number, speech, folder)
                for place, scene in enumerate(all_scenes, 1)
            )
        )
    )


async def _play(
    place: int, scene: Scene, carrier: FakeCarrier, own_number: str, speech: Speech, folder: Path
) -> Shown:
    caller = Script([await _line(turn, scene.pitch, speech) for turn in scene.turns], patience_s=15)
    record = await carrier.place_call(own_number, scene.number, caller)
    recording = folder / f"call-{place}.wav"
    recording.write_bytes(stereo_wav(record.said, record.heard))
    return Shown(scene, record, await speech.read(record.heard), recording)


async def _line(turn: Turn, pitch: float, speech: Speech) -> Line:
    pcm = await speech.say(turn.words, pitch)
    return Interrupt(pcm, 1_500) if turn.cuts_in else Say(pcm, 1_200)


# What came of it


def rows(public_id: str) -> list[str]:
    """Return what a call changed, a line each."""
    asked = DeliveryChange.objects.filter(call_public_id=public_id)
    changes = asked.select_related("shipment", "slot__depot")
    events = TrackingEvent.objects.filter(call_public_id=public_id).select_related("shipment")
    return [
        *(f"row       {change.shipment}: {change}, {change.slot}" for change in changes),
        *(f"row       {event.shipment}: {event}" for event in events),
    ]


def missing(shown: Shown) -> list[str]:
    """Return what should have been heard or changed and was not; nothing when the call went well."""
    scene, record = shown.scene, shown.record
    heard = _letters(shown.heard)
    found = [f'"{words}" was not heard' for words in scene.must_hear if _letters(words) not in heard]
    call = Call.objects.filter(session_id=record.session_id).first()
    if call is None or call.ended_at is None:
        return [*found, "the call's end is not in the database"]
    changes = DeliveryChange.objects.filter(call_public_id=call.public_id).select_related("shipment", "slot")
    if scene.window is None and changes:
        found.append("something was changed that nobody asked for")
    if scene.window is not None and not any(_is_applied(change, scene) for change in changes):
        found.append("the parcel was not moved to " + " ".join(scene.window))
    if record.status != "completed" or record.faults:
        found.append(f"the call was {record.status}: {'; '.join(record.faults) or record.ended_by}")
    cut_in = any(turn.cuts_in for turn in scene.turns)
    if cut_in and not measure(record.said, record.heard).silenced_ms:
        found.append("the agent was not cut off")
    return found


def _is_applied(change: DeliveryChange, scene: Scene) -> bool:
    slot, parcel = change.slot, change.shipment
    if change.state != ChangeState.APPLIED or slot is None or scene.window is None:
        return False
    start, end = slot.starts_at.astimezone(parcel.zone), slot.ends_at.astimezone(parcel.zone)
    asked_for = (start.date().isoformat(), f"{start:%H:%M}-{end:%H:%M}") == scene.window
    return asked_for and parcel.promised_start == slot.starts_at


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
