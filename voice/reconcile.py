"""Close calls that nobody will end: their process died, or the carrier's last word never came."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from voice import calls, hanging_up
from voice.carrier import reach
from voice.clients.sautikit import SautikitClient
from voice.ends import tell_ended
from voice.errors import RemoteError
from voice.models import Call
from voice.records import Ending
from voice.statuses import LIVE, CallStatus, Direction, EndedReason, Outcome
from voice.wire import sautikit

logger = logging.getLogger(__name__)

_CLOSED_AT_ONCE = 500
_ASKED_AT_ONCE = 20
_ASKED_FOR = timedelta(hours=1)


def reconcile(now: datetime) -> int:
    """Close what is over and was not closed; return how many calls that were."""
    closed = close_lost(now)
    closed += ask_carrier(now) + close_unanswered(now)
    if settings.SAUTIKIT_API_KEY:
        hanging_up.settle(now)
    return closed


def close_lost(now: datetime) -> int:
    """Close calls without a heartbeat: the process that carried them is gone."""
    quiet = now - timedelta(seconds=settings.RECONCILE_S)
    lost = Call.objects.filter(status=CallStatus.ANSWERED, heartbeat_at__lt=quiet)
    found = list(lost[:_CLOSED_AT_ONCE])
    for call in found:
        talked = call.heartbeat_at and call.answered_at and call.heartbeat_at - call.answered_at
        seconds = max(0.0, talked.total_seconds()) if talked else 0.0  # of two clocks
        ending = Ending(EndedReason.RECONCILED, None, {}, {}, seconds)
        calls.end_call(call.pk, ending, now=now)
        logger.error("a call was lost with its process", extra={"call": call.public_id})
        if call.session_id and not call.is_test and settings.SAUTIKIT_API_KEY:
            # Its caller hears nothing. But a process that only could not reach the database is given the
            # time of two heartbeats to say that it has the call.
            hanging_up.owe(call.pk, from_at=now + timedelta(seconds=2 * settings.HEARTBEAT_S))
    return len(found)


def ask_carrier(now: datetime) -> int:
    """Ask the carrier for the calls whose end it never told us; return how many it says are over."""
    if not settings.SAUTIKIT_API_KEY:
        return 0
    quiet = now - timedelta(seconds=settings.RECONCILE_S)
    untold = Q(status=CallStatus.RINGING, direction=Direction.INBOUND)
    untold |= Q(ended_reason=EndedReason.RECONCILED, carrier_duration_s=None)
    asked = Call.objects.filter(untold, created_at__lt=quiet, created_at__gt=now - _ASKED_FOR)
    rows = list(asked.exclude(session_id=None).order_by("created_at")[:_ASKED_AT_ONCE])
    told = asyncio.run(records([call.session_id or "" for call in rows]))
    over = 0
    for call, record in zip(rows, told, strict=True):
        if record is None or not record.is_over:
            continue
        if record.sides.duration_s is not None:
            Call.objects.filter(pk=call.pk).update(carrier_duration_s=record.sides.duration_s)
        over += _close(Q(pk=call.pk), CallStatus.CANCELED, now)
    return over


def close_unanswered(now: datetime) -> int:
    """Close inbound calls that rang too long ago for anything to come of them."""
    stale = Q(created_at__lt=now - timedelta(seconds=settings.RING_LIMIT_S), direction=Direction.INBOUND)
    return _close(stale, CallStatus.FAILED, now)


def _close(which: Q, status: CallStatus, now: datetime) -> int:
    unanswered = Call.objects.filter(which, status__in=LIVE, answered_at=None)
    with transaction.atomic():
        pks = list(unanswered.values_list("pk", flat=True))
        unanswered = unanswered.filter(pk__in=pks)
        unanswered.filter(ended_reason="").update(ended_reason=EndedReason.RECONCILED)
        over = unanswered.update(status=status, ended_at=now, outcome=Outcome.NO_OUTCOME)
        tell_ended(pks, now)
    return over


async def records(names: Sequence[str]) -> list[sautikit.CallRecord | None]:
    """Return what the carrier tells of calls, each in its place; None for what it does not know or say."""
    if not names:
        return []
    async with reach() as carrier:
        # All at once: twenty that the carrier is slow with take no longer than one.
        return await asyncio.gather(*(_record(carrier, name) for name in names))


async def _record(carrier: SautikitClient, name: str) -> sautikit.CallRecord | None:
    try:
        return sautikit.parse_record(await carrier.fetch(name), name, alone=True)
    except RemoteError as error:
        logger.warning("the carrier was not asked for a call", extra={"why": str(error)})
        return None
