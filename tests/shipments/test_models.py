"""What the tables keep to by themselves."""

import pytest
from django.db import IntegrityError, transaction

from shipments.depots import DeliverySlot
from shipments.models import Shipment, TrackingEvent
from shipments.statuses import Status
from tests.shipments.builders import AMINA, a_depot, a_parcel, a_slot

pytestmark = pytest.mark.django_db


def test_history_is_never_rewritten():
    a_parcel()
    event = TrackingEvent.objects.get()

    with pytest.raises(TypeError):
        event.save()
    with pytest.raises(TypeError):
        event.delete()
    with pytest.raises(TypeError):
        TrackingEvent.objects.update(status=Status.DELIVERED)
    with pytest.raises(TypeError):
        TrackingEvent.objects.all().delete()


def test_a_window_is_never_overbooked_whoever_writes():
    slot = a_slot(a_depot(), capacity=1, booked=1)

    with pytest.raises(IntegrityError), transaction.atomic():
        DeliverySlot.objects.filter(pk=slot.pk).update(booked=2)


@pytest.mark.parametrize(
    ("tracking_id", "said"),
    [("KM-4279", "km 42 79"), ("sev/o9", "S E V zero nine"), ("LA.1I #0", "L A one I zero")],
)
def test_an_id_is_found_as_it_is_read_aloud(tracking_id, said):
    parcel = a_parcel(tracking_id=tracking_id)

    assert list(Shipment.objects.by_said_id(said)) == [parcel]


def test_live_parcels_come_before_those_that_are_over_the_newest_first():
    first, second = a_parcel(), a_parcel()
    over = a_parcel(status=Status.DELIVERED)
    a_parcel("+254700000002")

    assert list(Shipment.objects.recent_for(AMINA)) == [second, first, over]
    assert list(Shipment.objects.recent_for("")) == []
