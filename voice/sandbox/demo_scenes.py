"""Write the demonstration's calls, from the parcels that the database holds.

Arrival times and free windows are drawn by the seed, so that nothing can be learnt by heart: they have to be
in the recording.
"""

import re

from django.conf import settings
from django.utils import timezone

from shipments import enquiries
from shipments.demo import SHIFT_PIN, parcels
from shipments.errors import ShipmentError
from shipments.models import Shipment
from shipments.riders import Stop
from shipments.statuses import ChangeKind, ChangeState, Status
from shipments.telling import find_own
from voice.sandbox import demo_stage
from voice.sandbox.demo import Placed, Scene, Turn, Wanted
from voice.statuses import DialOutcome, DialState

STRANGER = "+254700000077"
_TIME = re.compile(r"\b\d{1,2}(?::\d\d)? (?:am|pm|noon)\b|\bmidnight\b")
_THANKS = Turn("Thank you and goodbye.")
_VOICEMAIL = (
    "This is the voicemail of a number where nobody can take your call just now so please leave your message "
    "after the tone."
)
_MINUTE_S = 60.0
_NEW_LANDMARK = "opposite the central library"


def scenes() -> list[Scene]:
    """Return all calls: of those who ring us, and of those whom we ring.

    Raises:
        LookupError: the seeded day has no parcel that fits a scene.
    """
    rounds = demo_stage.rounds()
    others = [parcel for parcel in _of_one_number() if parcel not in rounds.parcels]
    coming = [parcel for parcel in others if _times_told(parcel)]
    movable = [(parcel, slots) for parcel in others if (slots := _free_slots(parcel))]
    arriving = _free_slots(rounds.arriving)
    if len(coming) < 4 or not movable or not arriving:
        raise LookupError("the seeded day has no parcels that fit; run seed_demo again")
    moved, slots = next((found for found in reversed(movable) if found[0] not in coming), movable[0])
    return [
        _by_id(coming[0]),
        _by_number(coming[1]),
        _another_day(moved, slots[-1]),
        _another_office(coming[2]),
        _stranger(coming[3]),
        _at_the_gate(rounds.gate),
        _arriving(rounds.arriving, arriving[-1]),
        _voicemail(rounds.failed),
        _at_rest(rounds.rest),
    ]


# Who rings us


def _by_id(parcel: Shipment) -> Scene:
    return Scene(
        "where is my parcel, by the tracking number read aloud",
        parcel.phone,
        0.9,
        (Turn(f"Where is my parcel with the tracking number {_spelled(parcel)}?"), _THANKS),
        _times_told(parcel),
    )


def _by_number(parcel: Shipment) -> Scene:
    return Scene(
        "a number that we know, and no tracking number",
        parcel.phone,
        1.12,
        (Turn("Hi, when does my package arrive?"), Turn("Thanks a lot and goodbye.")),
        _times_told(parcel),
    )


def _another_day(parcel: Shipment, slot: dict[str, str]) -> Scene:
    day, hours = slot["words"].split(", ", 1)
    return Scene(
        "move it to another day, cutting in while the agent talks",
        parcel.phone,
        1.0,
        (
            Turn("Hello, I want to move my parcel to another day."),
            Turn(f"{day}, {_hours_said(hours)}, please.", cuts_in=True),
            Turn("Yes, please."),
            _THANKS,
        ),
        _slot_told(day, hours),
        Wanted(ChangeKind.RESCHEDULE, ChangeState.APPLIED, (slot["day"], slot["window"])),
    )


def _another_office(parcel: Shipment) -> Scene:
    code = ", ".join(_delivery_code(parcel))
    return Scene(
        "the office has moved: the delivery code, another address, and the dispatcher has the last word",
        parcel.phone,
        0.9,
        (
            Turn("Hello, our office has moved."),
            Turn(f"It is {_NEW_LANDMARK}."),
            Turn("Go up to the second floor, the blue door on the left."),
            Turn(f"The code is {code}."),
            Turn("Yes, please."),
            _THANKS,
        ),
        ("library", "I have asked our dispatcher"),
        Wanted(ChangeKind.ADDRESS_CHANGE, ChangeState.NEEDS_APPROVAL, landmark=_NEW_LANDMARK),
        must_not_hear=("".join(_delivery_code(parcel)),),
    )


def _stranger(parcel: Shipment) -> Scene:
    return Scene(
        "a stranger with a right tracking number and a telephone that is not the recipient's",
        STRANGER,
        1.0,
        (
            Turn(f"Where is my parcel with the tracking number {_spelled(parcel)}?"),
            Turn("Can you move it to Friday?"),
            Turn("Okay, goodbye."),
        ),
        ("that parcel is on its way today",),
        must_not_hear=secrets_of(parcel),
    )


def _at_the_gate(stop: Stop) -> Scene:
    address = stop.shipment.address
    pin = ", ".join(SHIFT_PIN)
    return Scene(
        "a driver who cannot find the next gate: his shift PIN, the way, and the gate's code by message only",
        stop.driver.phone,
        1.12,
        (
            Turn("I cannot find the gate."),
            Turn(f"The PIN is {pin}."),
            _THANKS,
        ),
        gist=(address.landmark, address.directions, address.gate_notes, "sent the code for the gate"),
        codes=(address.gate_code, SHIFT_PIN),
        code_sent=True,
    )


# Whom we ring


def _arriving(parcel: Shipment, slot: dict[str, str]) -> Scene:
    day, hours = slot["words"].split(", ", 1)
    return Scene(
        "we ring: the parcel is near, its recipient wants another day, and the dispatcher lets it be moved",
        parcel.phone,
        0.9,
        (
            Turn("Yes, that is me."),
            Turn("I am not at home, can you bring it another day?"),
            Turn(f"{day}, {_hours_said(hours)}, please."),
            Turn("Yes, please."),
            _THANKS,
        ),
        ("out for delivery", *_times_told(parcel), *_slot_told(day, hours), "I have asked our dispatcher"),
        Wanted(ChangeKind.RESCHEDULE, ChangeState.APPLIED, (slot["day"], slot["window"]), approved=True),
        placed=Placed(),
    )


def _voicemail(parcel: Shipment) -> Scene:
    return Scene(
        "we ring after a failed attempt, and a voicemail talks over our question, which holds its words up: "
        "it hears who rang and our number",
        parcel.phone,
        1.0,
        (Turn(_VOICEMAIL, comes_first=True),),
        must_hear=(settings.SAUTIKIT_NUMBER,),
        gist=(f"{settings.COURIER_NAME} called you",),
        must_not_hear=(*secrets_of(parcel), _ending(parcel)),
        placed=Placed(outcome=DialOutcome.VOICEMAIL, again=True),
        longest_s=_MINUTE_S,
    )


def _at_rest(parcel: Shipment) -> Scene:
    return Scene(
        "we do not ring: whoever waits for this parcel wants no calls at this hour",
        parcel.phone,
        1.0,
        (),
        placed=Placed(DialState.SUPPRESSED, None, because="The recipient wants no calls until"),
    )


# What is said of a parcel


def secrets_of(parcel: Shipment) -> tuple[str, ...]:
    """Return what nobody but the recipient may hear of a parcel."""
    address = parcel.address
    said = (parcel.shipper, *parcel.recipient_name.split(), address.neighbourhood, address.landmark)
    return (*(part for part in said if part), *_TIME.findall(str(_told(parcel).get("say", ""))))


def _of_one_number() -> list[Shipment]:
    """Return the demo's parcels whose number of record has no other one."""
    found = Shipment.objects.filter(is_demo=True).exclude(phone="").select_related("address").order_by("pk")
    numbers = [parcel.phone for parcel in found]
    return [parcel for parcel in found if numbers.count(parcel.phone) == 1]


def _times_told(parcel: Shipment) -> tuple[str, ...]:
    """Return the times that whoever asks for this parcel must hear: none when it is not coming today.

    They are full tens of minutes. When the estimate was made is any minute, and of those a recogniser gets
    one in fifteen wrong: "3:52 am" is "350 to AM".
    """
    return tuple(_TIME.findall(str(_told(parcel).get("expected", ""))))


def _told(parcel: Shipment) -> dict[str, object]:
    """Return what whoever asks for this parcel is told of its coming."""
    if parcel.status != Status.OUT_FOR_DELIVERY:
        return {}
    return enquiries.track(number=parcel.phone, said_id=None, now=timezone.now())


def _free_slots(parcel: Shipment) -> list[dict[str, str]]:
    try:
        answer = enquiries.offer_slots(find_own(parcel.phone, ""), day=None, now=timezone.now())
    except ShipmentError:
        return []
    slots = answer["slots"]
    return slots if isinstance(slots, list) else []


def _delivery_code(parcel: Shipment) -> str:
    seeded = {one.tracking_id: one.delivery_code for one in parcels(0, timezone.now())}
    return seeded[parcel.tracking_id]


def _ending(parcel: Shipment) -> str:
    return parcel.tracking_id[-4:]


def _spelled(parcel: Shipment) -> str:
    return ", ".join(parcel.tracking_id)


def _slot_told(day: str, hours: str) -> tuple[str, ...]:
    return (day.split(" ", 1)[0], *_TIME.findall(hours))


def _hours_said(hours: str) -> str:
    """Return a window as people ask for it: "in the morning", "from 3 pm to 6 pm"."""
    return "in the morning" if hours.endswith("noon") else f"from {hours}".replace("12 noon", "12 pm")
