"""Ask the carrier about callers who were gone before their number was proved, so that they are rung back."""

import asyncio
from datetime import datetime

from django.conf import settings

from voice import missed, ringing_back, trust
from voice.levels import VOUCHED_FOR_WITHIN, Proof, ProofWanted
from voice.models import Call
from voice.reconcile import records
from voice.statuses import CallStatus, Direction, EndedReason

_LOOKED_AT = 500
_ASKED_AT_ONCE = 50


def is_wanted() -> bool:
    """Tell whether anybody is rung back by us, and whether the carrier has to be asked who rang."""
    rings_back = settings.CALLBACK_MISSED_S or settings.DIAL_CALLBACKS
    return bool(rings_back) and ProofWanted(settings.CALLER_PROOF) is ProofWanted.LOOKUP


def look_up(now: datetime) -> int:
    """Ask for the last minutes' calls to ring back; return of how many the carrier vouched for the number.

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
            if _is_missed(call):
                missed.note(call, _lasted_s(call), now)
            proved += 1
    return proved


def _unproved(now: datetime) -> list[Call]:
    calls = Call.objects.by_telephone().filter(
        direction=Direction.INBOUND, proof=Proof.NOBODY, ended_at__gt=now - VOUCHED_FOR_WITHIN
    )
    calls = calls.filter(
        created_at__gt=now - 2 * VOUCHED_FOR_WITHIN, session_id__gt="", customer_number__gt=""
    )
    latest = list(calls.order_by("-created_at")[:_LOOKED_AT])
    owed = set(ringing_back.owed(now).filter(call__in=latest).values_list("call", flat=True))
    return [call for call in latest if call.pk in owed or _is_missed(call)][:_ASKED_AT_ONCE]


def _is_missed(call: Call) -> bool:
    gone = call.status == CallStatus.CANCELED or call.ended_reason == EndedReason.CALLER_HANGUP
    return gone and _lasted_s(call) < settings.CALLBACK_MISSED_S


def _lasted_s(call: Call) -> float:
    begun = call.answered_at or call.created_at
    return ((call.ended_at or begun) - begun).total_seconds()
