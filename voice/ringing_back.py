"""Ring those back whom the line failed: who asked for a person waits for one, who was cut off for us."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef

from shipments.models import Shipment, ShipmentQuerySet
from voice import dialing
from voice.levels import Proof
from voice.models import Call, CallbackRequest, CallbackRequestQuerySet, OutboundCall
from voice.statuses import CallStatus, Direction, Purpose

_FOR = timedelta(days=2)
"""Who was not rung back by then is a person's: a machine that calls about it is no answer any more."""
_AT_ONCE = 100


def owed(now: datetime) -> CallbackRequestQuerySet:
    """Return the open requests that the dialler takes by itself, whoever vouches for their numbers."""
    requests = CallbackRequest.objects.open().filter(
        reason__in=settings.DIAL_CALLBACKS, created_at__gt=now - _FOR, call__tester=None
    )
    return requests.select_related("call__shipment")


def is_owed(asked: CallbackRequest) -> bool:
    """Tell whether the dialler rings by itself because of a request, if a parcel has the number."""
    return asked.reason in settings.DIAL_CALLBACKS and bool(asked.call.proof) and not asked.call.is_test


def parcel_of(asked: CallbackRequest, within: ShipmentQuerySet) -> Shipment | None:
    """Return the parcel that a call back is about: the one they spoke of, or the number's most recent."""
    own = asked.call.shipment
    if own is not None and own.phone == asked.number:
        return own
    return within.open_to(demo=asked.call.is_test).recent_for(asked.number).first()


def plan(*, now: datetime, limit: int | None = None) -> list[dialing.Planned]:
    """Plan a call to each whom the line owes one, once the time that he was told has come; once a request."""
    return [
        dialing.plan(parcel, Purpose.CALLBACK, by="rules", now=now, asked_at=asked.created_at)
        for asked, parcel in _waiting(now, limit)
    ]


def look(*, now: datetime, limit: int | None = None) -> list[dialing.Planned]:
    """Return what the gate says of the calls that `plan` would plan, and plan nothing."""
    return [
        dialing.Planned(
            parcel, dialing.look(parcel, Purpose.CALLBACK, now=now, asked_at=asked.created_at), None
        )
        for asked, parcel in _waiting(now, limit)
    ]


def _waiting(now: datetime, limit: int | None) -> Iterator[tuple[CallbackRequest, Shipment]]:
    """Yield whom nobody has planned to ring since he asked, if he is known to have, with his parcel.

    Who has rung once more since and was served waits for nothing.
    """
    since = OutboundCall.objects.filter(
        number=OuterRef("number"), purpose=Purpose.CALLBACK, created_at__gte=OuterRef("created_at")
    )
    served = Call.objects.by_telephone().filter(
        customer_number=OuterRef("number"),
        direction=Direction.INBOUND,
        answered_at__gt=OuterRef("created_at"),
        status__in=(CallStatus.ANSWERED, CallStatus.COMPLETED),
    )
    has_parcel = Exists(Shipment.objects.filter(phone=OuterRef("number")))
    asked = owed(now).filter(~Exists(since), ~Exists(served), has_parcel, window_start__lte=now)
    for one in asked.exclude(call__proof=Proof.NOBODY)[: limit or _AT_ONCE]:
        parcel = parcel_of(one, Shipment.objects.all())
        if parcel is not None:
            yield one, parcel
