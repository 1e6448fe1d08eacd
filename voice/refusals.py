"""Write calls that we cannot take, and that who rang is rung back; every verb is sync and one transaction."""

from datetime import datetime

from django.db import transaction

from voice import callbacks, calls
from voice.calls import CallFacts
from voice.models import Call
from voice.records import Ending
from voice.statuses import LIVE, CallbackReason, Direction, EndedReason


def refuse(facts: CallFacts, *, now: datetime) -> bool:
    """Note why a ringing call will end, and have who rang us rung back; tell whether that will be done.

    It is not over: the carrier may ask once more, and be told another thing.
    """
    with transaction.atomic():
        ringing = Call.objects.filter(pk=facts.call_id, status__in=LIVE, answered_at=None)
        ringing.update(ended_reason=EndedReason.CAPACITY)
        if facts.is_test or facts.direction != Direction.INBOUND:
            return False
        told = callbacks.request(
            call_public_id=facts.public_id,
            number=facts.customer_number,
            reason=CallbackReason.NOT_ADMITTED,
            summary="",
            now=now,
        )
    return told["status"] == "ok"


def cut_off(facts: CallFacts, *, now: datetime) -> None:
    """End a call whose stream was refused: its caller was told nothing."""
    with transaction.atomic():
        calls.end_call(facts.call_id, Ending(EndedReason.CAPACITY, None, {}, {}, 0.0), now=now)
        refuse(facts, now=now)


def turn_away(token: str, *, now: datetime, late: bool = False) -> None:
    """Cut off the call of a stream for which there is no place, if it has the right to one.

    `late` when it was to be let in and the database did not say so in time: it may have done so afterwards.
    """
    with transaction.atomic():
        facts = calls.accept_stream(token, now=now) or (calls.accepted_by(token) if late else None)
        if facts is not None:
            cut_off(facts, now=now)
