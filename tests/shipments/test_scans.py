"""A parcel moves forward by the time of what was seen; what is told twice or late does no harm."""

from datetime import timedelta
from itertools import permutations

import pytest

from shipments import scans
from shipments.audit import AuditEntry
from shipments.errors import IllegalMoveError
from shipments.intake import Sender
from shipments.models import Shipment, TrackingEvent
from shipments.scans import Effect, Scan
from shipments.statuses import Source, Status
from tests.shipments.builders import NOW, a_parcel

pytestmark = pytest.mark.django_db
COURIER = Sender("api courier", Source.CARRIER)


def told(parcel, status, hours=0.0, **fields) -> Effect:
    scan = Scan(status, NOW + timedelta(hours=hours), **fields)
    return scans.report(shipment_id=parcel.pk, scan=scan, sender=COURIER, now=NOW)


def test_a_scan_moves_a_parcel_and_is_written_down():
    parcel = a_parcel()
    eta = NOW + timedelta(hours=2)

    effect = told(parcel, Status.OUT_FOR_DELIVERY, eta_at=eta, location="Westlands")

    parcel.refresh_from_db()
    event, entry = TrackingEvent.objects.latest("pk"), AuditEntry.objects.latest("pk")
    assert effect is Effect.MOVED
    assert (parcel.status, parcel.version, parcel.eta_at) == (Status.OUT_FOR_DELIVERY, 2, eta)
    assert (event.status, event.occurred_at, event.location) == (Status.OUT_FOR_DELIVERY, NOW, "Westlands")
    assert (entry.actor, entry.verb, entry.before["status"]) == ("api courier", "report", "in_transit")


@pytest.mark.parametrize("event_id", ["", "scan-1"])
def test_a_scan_told_twice_happened_once(event_id):
    parcel = a_parcel()

    effects = [told(parcel, Status.ATTEMPT_FAIL, event_id=event_id) for _ in range(2)]

    parcel.refresh_from_db()
    assert effects == [Effect.MOVED, Effect.REPEATED]
    assert (parcel.attempts, parcel.version) == (1, 2)


def test_a_late_scan_is_kept_and_moves_nothing_back():
    parcel = a_parcel()
    told(parcel, Status.DELIVERED)

    effect = told(parcel, Status.ATTEMPT_FAIL, hours=-3)

    parcel.refresh_from_db()
    assert effect is Effect.LATE
    assert (parcel.status, parcel.version, parcel.attempts) == (Status.DELIVERED, 2, 1)
    assert TrackingEvent.objects.filter(shipment=parcel, status=Status.ATTEMPT_FAIL).exists()


def test_nothing_follows_a_delivery():
    parcel = a_parcel()
    told(parcel, Status.DELIVERED)

    with pytest.raises(IllegalMoveError, match="is delivered cannot become in transit"):
        told(parcel, Status.IN_TRANSIT, hours=1)

    assert TrackingEvent.objects.filter(shipment=parcel).count() == 2


def test_scans_in_any_order_leave_a_parcel_where_it_was_seen_last():
    seen = (
        (Status.IN_TRANSIT, 1),
        (Status.OUT_FOR_DELIVERY, 2),
        (Status.ATTEMPT_FAIL, 3),
        (Status.IN_TRANSIT, 4),
    )

    for order in permutations(seen):
        parcel = a_parcel(status=Status.INFO_RECEIVED)
        for status, hours in order:
            told(parcel, status, hours)
        parcel.refresh_from_db()
        assert (parcel.status, parcel.attempts) == (Status.IN_TRANSIT, 1), order
        assert TrackingEvent.objects.filter(shipment=parcel).count() == 5


def test_a_call_about_a_parcel_makes_no_scan_late():
    parcel = a_parcel()
    told(parcel, Status.IN_TRANSIT, hours=-2)
    TrackingEvent.objects.create(
        shipment=parcel,
        occurred_at=NOW,
        status=parcel.status,
        source=Source.VOICE_AGENT,
        idempotency_key="a call",
    )

    assert told(parcel, Status.OUT_FOR_DELIVERY, hours=-1) is Effect.MOVED
    assert Shipment.objects.get(pk=parcel.pk).status == Status.OUT_FOR_DELIVERY
