"""A parcel's page costs the same whatever has happened to the parcel."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from shipments.models import DeliveryChange, TrackingEvent
from shipments.statuses import ChangeState, Source
from tests.shipments.builders import AMINA, NOW, a_parcel
from tests.staff import a_member
from voice.models import Call

pytestmark = pytest.mark.django_db


def a_past(parcel, start: int, end: int) -> None:
    """Give a parcel so many events, changes and calls."""
    for place in range(start, end):
        at = NOW + timedelta(minutes=place)
        TrackingEvent.objects.create(
            shipment=parcel,
            occurred_at=at,
            status=parcel.status,
            source=Source.CARRIER,
            idempotency_key=f"e{place}",
        )
        DeliveryChange.objects.create(
            shipment=parcel,
            kind="reschedule",
            state=ChangeState.APPLIED,
            requested_start=at,
            requested_end=at,
            idempotency_key=f"c{place}",
            shipment_version=1,
            created_at=at,
            expires_at=at,
        )
        Call.objects.create(shipment=parcel, customer_number=AMINA, created_at=at)


def test_a_long_past_costs_no_more_queries_than_a_short_one():
    parcel, client = a_parcel(), Client()
    client.force_login(a_member("Supervisor"))
    counted = []

    for start, end in ((0, 1), (1, 2), (2, 22)):  # the first fills what a process keeps
        a_past(parcel, start, end)
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse("admin:shipments_shipment_change", args=[parcel.pk]))
        counted.append(len(captured))

    assert counted[1] == counted[2] <= 12
