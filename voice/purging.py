"""Delete what was of use for a while only: counters, rights to open a stream, aliases of parcels in calls."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from voice.models import Call
from voice.rights import CallParcel, StreamToken
from voice.shared import Lease, Tally
from voice.statuses import LIVE

_AT_ONCE = 1_000
"""Rows of a kind in one go: no lock is held for long, and the next go takes the rest."""
_KEPT = timedelta(days=1)
"""The carrier may still tell of a stream that is over, and a dispatcher ask what a call was about."""


def purge(now: datetime, *, at_once: int = _AT_ONCE) -> int:
    """Delete a bounded part of what is over since a day; return how much that was."""
    before = now - _KEPT
    live = Call.objects.filter(public_id=OuterRef("call_public_id"), status__in=LIVE)
    lately = Call.objects.filter(public_id=OuterRef("call_public_id"), created_at__gte=before)
    old: tuple[QuerySet[Any], ...] = (
        Tally.objects.filter(until__lt=before),
        StreamToken.objects.filter(expires_at__lt=before).exclude(call__status__in=LIVE),
        CallParcel.objects.filter(~Exists(live), ~Exists(lately)),
        Lease.objects.filter(held_until__lt=before, due_at__lt=before),
    )
    return sum(_delete(rows, at_once) for rows in old)


def _delete(rows: QuerySet[Any], at_once: int) -> int:
    first = list(rows.order_by("pk").values_list("pk", flat=True)[:at_once])
    # Asked again with the condition: a counter that began anew in the meantime stays.
    return rows.filter(pk__in=first).delete()[0] if first else 0
