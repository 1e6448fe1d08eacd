"""Ring those back whom the line failed: who asked for a person waits for one, who was cut off for us."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef

from shipments.courtesy import ContactPreference
from shipments.models import Shipment, ShipmentQuerySet
from voice import callbacks, dialing
from voice.dial_rules import Never
from voice.levels import Proof
from voice.models import CallbackRequest, CallbackRequestQuerySet, OutboundCall
from voice.served import last_served
from voice.statuses import CallbackState, Purpose

_FOR = timedelta(days=2)
"""Who was not rung back by then is a person's: a machine that calls about it is no answer any more."""
_AT_ONCE = 100
_BY = "rules"


def owed(now: datetime) -> CallbackRequestQuerySet:
    """Return the open requests that the dialler takes by itself, whoever vouches for their numbers."""
    requests = CallbackRequest.objects.open().filter(
        reason__in=settings.DIAL_CALLBACKS, created_at__gt=now - _FOR, call__tester=None
    )
    return requests.select_related("call__shipment")


def parcel_of(asked: CallbackRequest, within: ShipmentQuerySet) -> Shipment | None:
    """Return the parcel that a call back is about: the one they spoke of, or the number's most recent."""
    own = asked.call.shipment
    if own is not None and own.phone == asked.number:
        return own
    return within.open_to(demo=asked.call.is_test).recent_for(asked.number).first()


def plan(*, now: datetime, limit: int | None = None) -> list[dialing.Planned]:
    """Plan a call to each whom the line owes one, once the time that he was told has come; once a request.

    Who has rung once more since and was served waits for nothing: his request is settled. Whom the gate
    forbids to ring stays with the people, and the reason is among the placed calls.
    """
    planned = []
    for asked, parcel in _waiting(now, limit):
        served_at = last_served(asked.number, now)
        if served_at is not None and served_at > asked.created_at:
            callbacks.settle([asked.pk], CallbackState.DONE, by="agent", now=now)
            continue
        one = dialing.plan(parcel, Purpose.CALLBACK, by=_BY, now=now, asked_at=asked.created_at)
        if isinstance(one.answer, Never) and one.outbound is None:
            dialing.note_refusal(parcel, Purpose.CALLBACK, one.answer.because, by=_BY, now=now)
        planned.append(one)
    return planned


def look(*, now: datetime, limit: int | None = None) -> list[dialing.Planned]:
    """Return what the gate says of the calls that `plan` would plan, and plan nothing."""
    return [
        dialing.Planned(
            parcel, dialing.look(parcel, Purpose.CALLBACK, now=now, asked_at=asked.created_at), None
        )
        for asked, parcel in _waiting(now, limit)
    ]


def settle(pks: Sequence[int], state: CallbackState, *, by: str, now: datetime) -> int:
    """Take open requests off the list, and off the plan what was to be dialled for them; return how many."""
    settled = callbacks.settle(pks, state, by=by, now=now)
    numbers = CallbackRequest.objects.filter(pk__in=pks).values("number")
    planned = OutboundCall.objects.filter(number__in=numbers, purpose=Purpose.CALLBACK)
    dialing.cancel(planned.values_list("pk", flat=True), by=by, now=now)
    return settled


def _waiting(now: datetime, limit: int | None) -> Iterator[tuple[CallbackRequest, Shipment]]:
    """Yield whom nobody has planned to ring since he asked, if he is known to have, with his parcel.

    An opt-out is lifted by who asks for a call, not by who rang and was not served: he is a person's to ring.
    """
    unwanted = ContactPreference.objects.filter(number=OuterRef("number"), opted_out_at__isnull=False)
    has_parcel = Exists(Shipment.objects.filter(phone=OuterRef("number")))
    since = callbacks.calls_since()
    asked = owed(now).filter(~Exists(since), ~Exists(unwanted), has_parcel, window_start__lte=now)
    seen: set[str] = set()
    for one in asked.exclude(call__proof=Proof.NOBODY)[: limit or _AT_ONCE]:
        parcel = parcel_of(one, Shipment.objects.all())
        if parcel is not None and one.number not in seen:  # one call is the answer to all his requests
            seen.add(one.number)
            yield one, parcel
