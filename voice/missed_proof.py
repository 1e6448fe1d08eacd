"""Ask the carrier about callers who were gone before their number was proved, so that they are rung back."""

import asyncio
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from voice import missed, trust
from voice.levels import Proof, ProofWanted
from voice.models import Call
from voice.reconcile import records
from voice.statuses import CallStatus, Direction, EndedReason

_ASKED_FOR = timedelta(minutes=10)
"""Whom the carrier does not know by then is not rung: it would be no answer to his call any more."""
_LOOKED_AT = 500
_ASKED_AT_ONCE = 50


def is_wanted() -> bool:
    """Tell whether missed calls are a wish, and whether anybody has to be asked who made them."""
    return bool(settings.CALLBACK_MISSED_S) and ProofWanted(settings.CALLER_PROOF) is ProofWanted.LOOKUP


def look_up(now: datetime) -> int:
    """Ask for the missed calls of the last minutes; return of how many the carrier vouched for the number.

    That proves who rang and nothing else: such a call is over, so its level stays as it was.
    """
    rows = _unproved(now)
    told = asyncio.run(records([call.session_id or "" for call in rows]))
    proved = 0
    for call, record in zip(rows, told, strict=True):
        if record is None or trust.number_in(record) != call.customer_number:
            continue
        if Call.objects.filter(pk=call.pk, proof=Proof.NOBODY).update(proof=Proof.LOOKUP):
            call.proof = Proof.LOOKUP
            missed.note(call, _lasted_s(call), now)
            proved += 1
    return proved


def _unproved(now: datetime) -> list[Call]:
    gone = Q(status=CallStatus.CANCELED) | Q(ended_reason=EndedReason.CALLER_HANGUP)
    calls = Call.objects.by_telephone().filter(
        gone, direction=Direction.INBOUND, proof=Proof.NOBODY, ended_at__gt=now - _ASKED_FOR
    )
    calls = calls.filter(created_at__gt=now - 2 * _ASKED_FOR, session_id__gt="", customer_number__gt="")
    latest = calls.order_by("-created_at")[:_LOOKED_AT]
    return [call for call in latest if _lasted_s(call) < settings.CALLBACK_MISSED_S][:_ASKED_AT_ONCE]


def _lasted_s(call: Call) -> float:
    begun = call.answered_at or call.created_at
    return ((call.ended_at or begun) - begun).total_seconds()
