"""What happens to a parcel plans the calls that it asks for."""

from datetime import timedelta

import pytest
from django.utils import timezone

from shipments.models import Shipment, TrackingEvent
from shipments.signals import shipment_changed
from shipments.statuses import Source, Status
from tests.shipments.builders import a_parcel
from voice.models import OutboundCall
from voice.statuses import DialState, Purpose

pytestmark = pytest.mark.django_db


def tell(parcel, **fields):
    Shipment.objects.filter(pk=parcel.pk).update(**fields)
    TrackingEvent.objects.create(
        shipment=parcel,
        occurred_at=timezone.now(),
        status=fields.get("status", parcel.status),
        source=Source.RIDER,
        idempotency_key=f"{parcel.pk}:{TrackingEvent.objects.count()}",
    )
    again(parcel)


def again(parcel, call="", source=Source.VOICE_AGENT):
    for _, answer in shipment_changed.send_robust(
        sender=Shipment, shipment_id=parcel.pk, change_ref="", call_public_id=call, source=source
    ):
        assert not isinstance(answer, Exception), answer


@pytest.fixture(autouse=True)
def _at_any_hour(settings):
    settings.DIAL_HOURS = "00:00-24:00"


def test_a_parcel_that_goes_out_is_called_about_a_quarter_before_it_comes():
    parcel, eta = a_parcel(), timezone.now() + timedelta(hours=2)

    tell(parcel, status=Status.OUT_FOR_DELIVERY, eta_at=eta)
    again(parcel)

    row = OutboundCall.objects.get()
    assert (row.purpose, row.not_before) == (Purpose.ETA, eta - timedelta(minutes=15))


def test_the_plan_moves_with_the_estimate():
    parcel, eta = a_parcel(), timezone.now() + timedelta(hours=2)
    tell(parcel, status=Status.OUT_FOR_DELIVERY, eta_at=eta)

    tell(parcel, status=Status.OUT_FOR_DELIVERY, eta_at=eta + timedelta(hours=1))

    assert OutboundCall.objects.get().not_before == eta + timedelta(minutes=45)


def test_a_failed_attempt_is_called_about_once():
    parcel = a_parcel()

    tell(parcel, status=Status.ATTEMPT_FAIL)
    OutboundCall.objects.update(state=DialState.DONE)
    again(parcel)
    assert OutboundCall.objects.get().purpose == Purpose.REATTEMPT

    tell(parcel, status=Status.ATTEMPT_FAIL)
    assert OutboundCall.objects.count() == 2


def test_what_a_call_changed_rings_nobody():
    parcel = a_parcel(status=Status.ATTEMPT_FAIL)

    again(parcel, call="0123456789abcdef")

    assert OutboundCall.objects.count() == 0


@pytest.mark.parametrize("status", [Status.IN_TRANSIT, Status.DELIVERED, Status.OUT_FOR_DELIVERY])
def test_what_nobody_can_time_is_not_planned(status):
    tell(a_parcel(), status=status)

    assert OutboundCall.objects.count() == 0


@pytest.mark.parametrize(("source", "planned"), [(Source.VOICE_AGENT, False), (Source.RIDER, True)])
def test_what_a_driver_reports_by_telephone_is_news_to_the_recipient(source, planned):
    parcel = a_parcel(status=Status.ATTEMPT_FAIL)

    again(parcel, call="0123456789abcdef", source=source)

    assert OutboundCall.objects.filter(purpose=Purpose.REATTEMPT).exists() is planned
