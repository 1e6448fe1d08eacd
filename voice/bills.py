"""Fetch what the carrier billed for calls that are over; until then our own estimate stands."""

import asyncio
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q

from voice.models import Call
from voice.reconcile import records
from voice.wire import sautikit

_SETTLED = timedelta(seconds=60)
"""A call is left alone for so long after its end: a bill is not written while the line is put down."""
_AGAIN = timedelta(minutes=10)
_ASKED_AT_ONCE = 50


def fetch(now: datetime) -> int:
    """Ask the carrier what ended calls cost, the least asked for first; return how many bills came."""
    since = now - timedelta(days=settings.BILL_DAYS)
    over = Call.objects.by_telephone().filter(
        created_at__gt=since, ended_at__lt=now - _SETTLED, carrier_cost_minor=None
    )
    due = over.filter(Q(bill_asked_at=None) | Q(bill_asked_at__lt=now - _AGAIN))
    named = due.filter(Q(session_id__gt="") | Q(outbound__carrier_call_id__gt="")).select_related("outbound")
    rows = list(named.order_by(F("bill_asked_at").asc(nulls_first=True), "pk")[:_ASKED_AT_ONCE])
    Call.objects.filter(pk__in=[call.pk for call in rows]).update(bill_asked_at=now)
    told = 0
    for call, record in zip(rows, asyncio.run(records([_name(call) for call in rows])), strict=True):
        told += record is not None and note(call, record)
    return told


def _name(call: Call) -> str:
    """Return what the carrier knows a call by: of one that we placed it may have told its own id alone."""
    return call.session_id or call.outbound.carrier_call_id


def note(call: Call, record: sautikit.CallRecord) -> bool:
    """Keep what the carrier's record says a call cost; False when it says nothing or is of one that runs."""
    if not record.is_over or record.cost_kes_minor is None:
        return False
    seconds = record.sides.duration_s
    Call.objects.filter(pk=call.pk).update(
        carrier_cost_minor=record.cost_kes_minor,
        carrier_duration_s=call.carrier_duration_s if seconds is None else seconds,
    )
    return True
