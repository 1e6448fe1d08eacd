"""Carry out on a parcel what was decided: each by compare-and-set, so that of two at once one wins.

Compare-and-set carries the safety on both databases: SQLite has no row locks. A parcel came through
`for_telling`, and the caller of these has a transaction open, which also writes the history.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import F
from django.db.models.functions import Greatest

from shipments.depots import DeliverySlot
from shipments.errors import ParcelChangedError, SlotFullError
from shipments.models import Address, Shipment
from shipments.statuses import Status, Substatus
from shipments.windows import day_of, offers

PLACE = ("building", "line1", "neighbourhood", "city", "landmark", "directions")
"""What a place is described by."""


def readdress(shipment: Shipment, place: Mapping[str, str], now: datetime) -> Address:
    """Send a parcel to another place; the old address stays as it was, since other parcels may go there.

    Raises:
        ParcelChangedError: somebody was first.
    """
    old = shipment.address
    described = {name: place.get(name, "") for name in PLACE}
    address = Address.objects.create(
        recipient_name=old.recipient_name, phone=old.phone, country=old.country, **described
    )
    _change(shipment, now, address=address, eta_at=None, eta_computed_at=None)
    shipment.address = address
    return address


def keep_at_depot(shipment: Shipment, now: datetime) -> None:
    """Have a parcel wait at its depot to be collected, and give its place in a window back.

    Raises:
        ParcelChangedError: somebody was first.
    """
    _take_off(shipment, now, Status.AVAILABLE_FOR_PICKUP)


def refuse(shipment: Shipment, now: datetime) -> None:
    """Have a parcel not delivered, since its recipient does not want it, and give its place back.

    Raises:
        ParcelChangedError: somebody was first.
    """
    _take_off(shipment, now, Status.EXCEPTION, Substatus.REFUSED)


def note(shipment: Shipment, now: datetime) -> None:
    """Count a change that stands in the history alone.

    Raises:
        ParcelChangedError: somebody was first.
    """
    _change(shipment, now)


def expect(shipment: Shipment, eta_at: datetime, now: datetime) -> None:
    """Expect a parcel at another time.

    Raises:
        ParcelChangedError: somebody was first.
    """
    _change(shipment, now, eta_at=eta_at, eta_computed_at=now)
    shipment.eta_at, shipment.eta_computed_at = eta_at, now


def _take_off(shipment: Shipment, now: datetime, status: Status, substatus: str = "") -> None:
    slot_id = shipment.slot_id
    _change(
        shipment,
        now,
        status=status,
        status_at=now,
        substatus=substatus,
        slot=None,
        promised_start=None,
        promised_end=None,
        eta_at=None,
        eta_computed_at=None,
    )
    shipment.status = status
    if slot_id is not None:
        DeliverySlot.objects.filter(pk=slot_id).update(booked=Greatest(F("booked") - 1, 0))


def _change(shipment: Shipment, now: datetime, **fields: Any) -> None:
    unchanged = Shipment.objects.filter(
        pk=shipment.pk, version=shipment.version, status=shipment.status, phone=shipment.phone
    )
    if not unchanged.update(version=F("version") + 1, updated_at=now, **fields):
        raise ParcelChangedError


def place_of(address: Address) -> dict[str, str]:
    """Return what an address is described by."""
    return {name: getattr(address, name) for name in PLACE}


def in_words(place: Mapping[str, str]) -> str:
    """Return a place as it is written in a history."""
    return ", ".join(place[name] for name in PLACE if place.get(name) and name != "directions")


def move(shipment: Shipment, slot: DeliverySlot, now: datetime, status: Status) -> None:
    """Give a parcel a place in `slot` and a status, and give its old place back.

    Compare-and-set carries the safety on both databases: SQLite has no row locks.
    """
    moved = Shipment.objects.filter(
        pk=shipment.pk, version=shipment.version, status=shipment.status, phone=shipment.phone
    ).update(
        version=F("version") + 1,
        status=status,
        status_at=shipment.status_at if status == shipment.status else now,
        substatus=shipment.substatus if status == shipment.status else "",
        slot=slot,
        promised_start=slot.starts_at,
        promised_end=slot.ends_at,
        eta_at=None,
        eta_computed_at=None,
        updated_at=now,
    )
    if not moved:
        raise ParcelChangedError
    shipment.status = status
    # Rows in the order of their keys: two parcels that change places must not wait for each other.
    for pk in sorted({slot.pk, shipment.slot_id or slot.pk}):
        if pk == slot.pk:
            taken = DeliverySlot.objects.filter(pk=pk, booked__lt=F("capacity")).update(
                booked=F("booked") + 1
            )
            if not taken:
                raise SlotFullError(offers=offers(shipment, now, day_of(slot, shipment)))
        else:
            DeliverySlot.objects.filter(pk=pk).update(booked=Greatest(F("booked") - 1, 0))


def times(shipment: Shipment) -> dict[str, str | int | None]:
    """Return what a reschedule replaces."""
    start, end = shipment.promised_start, shipment.promised_end
    return {
        "slot": shipment.slot_id,
        "promised_start": start.isoformat() if start else None,
        "promised_end": end.isoformat() if end else None,
    }


def slot_times(slot: DeliverySlot) -> dict[str, str | int | None]:
    """Return what a reschedule brings."""
    return {
        "slot": slot.pk,
        "promised_start": slot.starts_at.isoformat(),
        "promised_end": slot.ends_at.isoformat(),
    }
