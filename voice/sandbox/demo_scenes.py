"""Write the demonstration's calls, from the parcels that the database holds.

Arrival times and free windows are drawn by the seed, so that nothing can be learnt by heart: they have to be
in the recording.
"""

import re

from django.utils import timezone

from shipments import enquiries
from shipments.demo import parcels
from shipments.errors import ShipmentError
from shipments.models import Shipment
from shipments.statuses import ChangeKind, ChangeState, Status
from voice.sandbox.demo import Scene, Turn, Wanted

STRANGER = "+254700000077"
_TIME = re.compile(r"\b\d{1,2}(?::\d\d)? (?:am|pm|noon)\b|\bmidnight\b")
_THANKS = Turn("Thank you and goodbye.")
_NEW_LANDMARK = "opposite the central library"


def scenes() -> list[Scene]:
    """Return the calls of those who ring us.

    Raises:
        LookupError: the seeded day has no parcel that fits a scene.
    """
    coming = [parcel for parcel in _of_one_number() if _times_told(parcel)]
    movable = [(parcel, slots) for parcel in _of_one_number() if (slots := _free_slots(parcel))]
    if len(coming) < 4 or not movable:
        raise LookupError("the seeded day has no parcels that fit; run seed_demo again")
    moved, slots = next((found for found in reversed(movable) if found[0] not in coming), movable[0])
    return [
        _by_id(coming[0]),
        _by_number(coming[1]),
        _another_day(moved, slots[-1]),
        _another_office(coming[2]),
        _stranger(coming[3]),
    ]


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
            Turn("Hello, our office has moved and I want to change the delivery address."),
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


# What is said of a parcel


def secrets_of(parcel: Shipment) -> tuple[str, ...]:
    """Return what nobody but the recipient may hear of a parcel."""
    address = parcel.address
    said = (parcel.shipper, *parcel.recipient_name.split(), address.neighbourhood, address.landmark)
    return (*(part for part in said if part), *_times_told(parcel))


def _of_one_number() -> list[Shipment]:
    """Return the demo's parcels whose number of record has no other one."""
    found = Shipment.objects.filter(is_demo=True).exclude(phone="").select_related("address").order_by("pk")
    numbers = [parcel.phone for parcel in found]
    return [parcel for parcel in found if numbers.count(parcel.phone) == 1]


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


def _delivery_code(parcel: Shipment) -> str:
    seeded = {one.tracking_id: one.delivery_code for one in parcels(0, timezone.now())}
    return seeded[parcel.tracking_id]


def _spelled(parcel: Shipment) -> str:
    return ", ".join(parcel.tracking_id)


def _slot_told(day: str, hours: str) -> tuple[str, ...]:
    return (day.split(" ", 1)[0], *_TIME.findall(hours))


def _hours_said(hours: str) -> str:
    """Return a window as people ask for it: "in the morning", "from 3 pm to 6 pm"."""
    return "in the morning" if hours.endswith("noon") else f"from {hours}".replace("12 noon", "12 pm")
