"""Carry out on a parcel what was decided: each by compare-and-set, so that of two at once one wins.

Compare-and-set carries the safety on both databases: SQLite has no row locks. A parcel came through
`for_telling`, and the caller of these has a transaction open, which also writes the history.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import F
from django.db.models.functions import Greatest

from shipments.errors import ParcelChangedError
from shipments.models import Address, DeliverySlot, Shipment
from shipments.statuses import Status

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
    slot_id = shipment.slot_id
    _change(
        shipment,
        now,
        status=Status.AVAILABLE_FOR_PICKUP,
        status_at=now,
        substatus="",
        slot=None,
        promised_start=None,
        promised_end=None,
        eta_at=None,
        eta_computed_at=None,
    )
    shipment.status = Status.AVAILABLE_FOR_PICKUP
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
