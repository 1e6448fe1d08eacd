"""Parcels, slots and the day on which all of it happens, for tests."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import count

from django.contrib.auth.models import User

from shipments.depots import DeliverySlot, Depot
from shipments.models import Address, Shipment, TrackingEvent
from shipments.statuses import Source, Status

NOW = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
"""A Tuesday, ten in the morning in Nairobi."""

TODAY = date(2026, 11, 24)
FRIDAY = date(2026, 11, 27)
AMINA, BRIAN = "+254700000001", "+254700000002"
CALL = "0123456789abcdef"
ANYONE = "+254700000099"

_numbers = count(1)


def staff(name="dispatcher") -> User:
    """Return the member of staff of that name, with no rights."""
    return User.objects.get_or_create(username=name, defaults={"is_staff": True})[0]


def a_depot(**fields) -> Depot:
    return Depot.objects.create(
        **{
            "name": f"Depot {next(_numbers)}",
            "city": "Nairobi",
            "country": "KE",
            "time_zone": "Africa/Nairobi",
        }
        | fields
    )


def a_slot(depot, day=FRIDAY, start=9, end=12, capacity=5, booked=0) -> DeliverySlot:
    return DeliverySlot.objects.create(
        depot=depot,
        date=day,
        window_start=time(start),
        window_end=time(end),
        capacity=capacity,
        booked=booked,
    )


def an_address(**fields) -> Address:
    return Address.objects.create(
        **{
            "recipient_name": "Amina Sample",
            "phone": AMINA,
            "line1": "14 Example Lane",
            "building": "Jacaranda Court",
            "neighbourhood": "Kilimani",
            "city": "Nairobi",
            "country": "KE",
            "landmark": "opposite the Sunbird petrol station",
            "directions": "the blue gate after the second turning",
        }
        | fields
    )


def a_parcel(phone=AMINA, **fields) -> Shipment:
    """Create a parcel in transit with news of an hour ago; `news_at=None` leaves it without."""
    news_at = fields.pop("news_at", NOW - timedelta(hours=1))
    address = fields.pop("address", None) or an_address(phone=phone)
    parcel = Shipment.objects.create(
        **{
            "tracking_id": f"KM{next(_numbers):06}",
            "shipper": "Example Books",
            "recipient_name": "Amina Sample",
            "phone": phone,
            "status": Status.IN_TRANSIT,
            "address": address,
            "time_zone": "Africa/Nairobi",
        }
        | fields
    )
    if news_at is not None:
        TrackingEvent.objects.create(
            shipment=parcel,
            occurred_at=news_at,
            status=parcel.status,
            source=Source.CARRIER,
            idempotency_key=f"news:{parcel.tracking_id}",
        )
    return parcel
