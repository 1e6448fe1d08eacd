"""Plan the calls that what happens to parcels asks for; what is planned, a dialler places."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.dispatch import receiver
from django.utils import timezone

from shipments.models import Shipment, TrackingEvent
from shipments.signals import parcels_taken_in, shipment_changed
from shipments.statuses import Source, Status
from voice import dialing
from voice.models import OutboundCall
from voice.statuses import Purpose


@receiver(shipment_changed, dispatch_uid="voice.dispatch")
def plan_for(*, shipment_id: int, call_public_id: str = "", source: str = "", **_: Any) -> None:
    """Plan an `eta` call for what is out for delivery, a `reattempt` for what failed; once an occasion."""
    # A call changed it, and nobody is rung about what he just said; what a driver says he has not heard.
    if call_public_id and source != Source.RIDER:
        return
    shipment = Shipment.objects.filter(pk=shipment_id).first()
    if shipment is None:
        return
    now = timezone.now()
    if shipment.status == Status.OUT_FOR_DELIVERY and shipment.eta_at is not None:
        lead = timedelta(seconds=settings.DIAL_ETA_LEAD_S)
        _plan(shipment, Purpose.ETA, max(shipment.eta_at - lead, now))
    elif shipment.status == Status.ATTEMPT_FAIL:
        _plan(shipment, Purpose.REATTEMPT, now)


@receiver(parcels_taken_in, dispatch_uid="voice.dispatch.many")
def plan_for_many(*, shipment_ids: Sequence[int], **_: Any) -> None:
    """Plan for those of many parcels that came together of which a call may be asked."""
    under_way = Q(status=Status.OUT_FOR_DELIVERY, eta_at__isnull=False) | Q(status=Status.ATTEMPT_FAIL)
    for pk in Shipment.objects.filter(under_way, pk__in=shipment_ids).values_list("pk", flat=True):
        plan_for(shipment_id=pk)


def _plan(shipment: Shipment, purpose: Purpose, not_before: datetime) -> None:
    news = TrackingEvent.objects.filter(shipment=shipment, status=shipment.status)
    since = (
        news.exclude(source=Source.VOICE_AGENT).order_by("-recorded_at").values_list("recorded_at").first()
    )
    earlier = OutboundCall.objects.filter(shipment=shipment, purpose=purpose)
    if (
        since is not None
        and not earlier.open().exists()
        and earlier.filter(created_at__gte=since[0]).exists()
    ):
        return
    dialing.plan(shipment, purpose, by="rules", now=timezone.now(), not_before=not_before)
