"""Fetch what the carrier billed for calls that are over; until then our own estimate stands."""

import asyncio
from datetime import datetime, timedelta

from django.db.models import F, Q

from voice.models import Call
from voice.reconcile import records

_SETTLED = timedelta(seconds=60)
"""A call is left alone for so long after its end: a bill is not written while the line is put down."""
_AGAIN = timedelta(minutes=10)
_ASKED_FOR = timedelta(days=1)
_ASKED_AT_ONCE = 50


def fetch(now: datetime) -> int:
    """Ask the carrier what ended calls cost, the least asked for first; return how many bills came."""
    over = Call.objects.by_telephone().filter(
        created_at__gt=now - _ASKED_FOR, ended_at__lt=now - _SETTLED, carrier_cost_minor=None
    )
    due = over.filter(Q(bill_asked_at=None) | Q(bill_asked_at__lt=now - _AGAIN)).exclude(session_id=None)
    rows = list(due.order_by(F("bill_asked_at").asc(nulls_first=True), "pk")[:_ASKED_AT_ONCE])
    Call.objects.filter(pk__in=[call.pk for call in rows]).update(bill_asked_at=now)
    told = 0
    for call, record in zip(rows, asyncio.run(records(rows)), strict=True):
        if record is None or record.cost_kes_minor is None:
            continue
        told += 1
        seconds = record.sides.duration_s
        Call.objects.filter(pk=call.pk).update(
            carrier_cost_minor=record.cost_kes_minor,
            carrier_duration_s=call.carrier_duration_s if seconds is None else seconds,
        )
    return told
