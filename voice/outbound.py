"""Write what becomes of a placed call: claimed by one dialler, followed to its end, tried again or not."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Coalesce

from shipments.contact import note_contact
from shipments.problems import note_wrong_number
from voice import callbacks, dialing
from voice.levels import Level
from voice.models import Call, CallbackRequest, OutboundCall
from voice.statuses import (
    UNDIALLED,
    CallbackState,
    CallStatus,
    DialOutcome,
    DialState,
    Direction,
    EndedReason,
    Outcome,
    Purpose,
    unanswered_reason,
)

logger = logging.getLogger(__name__)

_BREAKER = timedelta(minutes=2)
_BREAKER_CALLS = 10
_RUNG = {
    CallStatus.BUSY: DialOutcome.BUSY,
    CallStatus.NO_ANSWER: DialOutcome.NO_ANSWER,
    CallStatus.CANCELED: DialOutcome.NO_ANSWER,
    CallStatus.FAILED: DialOutcome.NETWORK,
}
_SAYS = {
    DialOutcome.BUSY: CallStatus.BUSY,
    DialOutcome.NO_ANSWER: CallStatus.NO_ANSWER,
    DialOutcome.NETWORK: CallStatus.FAILED,
    DialOutcome.REFUSED: CallStatus.FAILED,
}
_GIVEN_UP_AFTER = timedelta(days=1)
_NEVER_LEARNT = "We never learnt whether it rang: the platform did not say within a day, and nobody else did."
_UNHEARD = "Somebody picked up, and heard nothing of us: the platform opened no audio to us."
_NO_PLACE = "Somebody picked up, and heard nothing of us: we had no place for the call's audio."
_ENDED = {
    EndedReason.CAPACITY: DialOutcome.NETWORK,
    EndedReason.VOICEMAIL: DialOutcome.VOICEMAIL,
    EndedReason.OPTED_OUT: DialOutcome.OPTED_OUT,
}
_ACHIEVED = {
    Outcome.WRONG_NUMBER: DialOutcome.WRONG_NUMBER,
    Outcome.VOICEMAIL_NO_MESSAGE: DialOutcome.VOICEMAIL,
    Outcome.NOT_AVAILABLE: DialOutcome.NOT_AVAILABLE,
}


def claim(by: str, now: datetime) -> OutboundCall | None:
    """Take the planned call that waits longest, so that no other dialler has it; None when none is due."""
    while True:
        with transaction.atomic():
            due = OutboundCall.objects.due(now)
            if connection.features.has_select_for_update_skip_locked:
                due = due.select_for_update(skip_locked=True, of=("self",))
            found = due.values_list("pk", flat=True).first()
            if found is None:
                return None
            taken = dialing.move(found, DialState.CLAIMED, claimed_by=by[:64], claimed_at=now)
        if taken:
            return OutboundCall.objects.select_related("shipment").get(pk=found)


def claim_one(pk: int, by: str, now: datetime) -> OutboundCall | None:
    """Take this planned call, due or not: the gate knows its time. None when it is not to be had."""
    if not dialing.move(pk, DialState.CLAIMED, claimed_by=by[:64], claimed_at=now):
        return None
    return OutboundCall.objects.select_related("shipment").get(pk=pk)


def held(outbound: OutboundCall) -> QuerySet[OutboundCall]:
    """Return the row that was claimed, as long as the claim is still this one: another may have it by now."""
    return OutboundCall.objects.filter(
        pk=outbound.pk,
        state=DialState.CLAIMED,
        claimed_by=outbound.claimed_by,
        claimed_at=outbound.claimed_at,
    )


def release(outbound: OutboundCall, when: datetime, reason: str) -> bool:
    """Plan a call again that was claimed and not dialled; False when the claim is another's by now."""
    return bool(held(outbound).update(state=DialState.PLANNED, **_unclaimed(when, reason)))


def put_back(outbound: OutboundCall, when: datetime, reason: str, **fields: object) -> bool:
    """Plan a dialled call again of which it is certain that nothing rang; no name of that try is kept."""
    dialled = OutboundCall.objects.filter(
        pk=outbound.pk, dialled_at=outbound.dialled_at, state__in=(DialState.DIALLING, DialState.UNKNOWN)
    )
    unrung = {"may_have_rung": False, "dialled_at": None, "carrier_call_id": "", "looked_up_at": None}
    with transaction.atomic():
        if dialing.is_taken(outbound):
            return False
        planned = dialled.update(state=DialState.PLANNED, **_unclaimed(when, reason), **unrung, **fields)
        if planned:
            Call.objects.filter(outbound=outbound.pk, answered_at=None).update(session_id=None)
    return bool(planned)


def _unclaimed(when: datetime, reason: str) -> dict[str, object]:
    return {"not_before": when, "reason": reason[:300], "claimed_by": "", "claimed_at": None}


def fail(
    outbound: OutboundCall,
    outcome: DialOutcome,
    reason: str,
    *,
    rang: bool,
    now: datetime,
    ended: EndedReason | None = None,
) -> bool:
    """End a call that reached nobody, and plan the next try where the table has one.

    `ended` says why where more is known than what came of it.
    """
    with transaction.atomic():
        if dialing.is_taken(outbound):
            return False
        moved = dialing.move(
            outbound.pk,
            DialState.FAILED,
            outcome=outcome,
            reason=reason[:300],
            ended_at=now,
            **(_rung(now) if rang else {"may_have_rung": False}),
        )
        if moved:
            status = _SAYS[outcome]
            dialing.close(outbound, status, ended or unanswered_reason(status, Direction.OUTBOUND), now)
            _try_again(outbound, outcome, now)
            _trip(now)
    return moved


def _fail_unheard(outbound: OutboundCall, now: datetime) -> bool:
    """End a call that somebody picked up and whose stream was never opened: the line failed, not he."""
    moved = fail(outbound, DialOutcome.NETWORK, _UNHEARD, rang=True, now=now)
    if moved:
        _alarm(outbound)
    return moved


def _alarm(outbound: OutboundCall) -> None:
    logger.error("somebody picked up and heard nothing of us", extra={"outbound": outbound.pk})


def _rung(now: datetime) -> dict[str, object]:
    """Return what proof of a ring changes, also of a call that was planned again since it was dialled."""
    return {"may_have_rung": True, "dialled_at": Coalesce("dialled_at", Value(now))}


def lose(outbound: OutboundCall, reason: str, now: datetime, *, seen: DialState = DialState.DIALLING) -> bool:
    """Note that nobody knows whether a call rang: it is not dialled again unless somebody finds out.

    Only one that is still as it was `seen`: of any other there is news.
    """
    mine = OutboundCall.objects.filter(pk=outbound.pk, state=seen)
    lost = bool(mine.update(state=DialState.UNKNOWN, reason=reason[:300]))
    if lost:
        logger.warning("nobody knows whether a call rang", extra={"outbound": outbound.pk})
        _trip(now)
    return lost


def doubt(calls: QuerySet[OutboundCall], reason: str, now: datetime) -> int:
    """Note of those of these calls that ring for longer than any that nobody knows what came of them.

    Of who picked up it is known: a stream that has not come by then comes no more.
    """
    ringing = calls.filter(state=DialState.RINGING, dialled_at__lt=_longest_ring(now))
    return sum(
        _fail_unheard(outbound, now)
        if outbound.outcome == DialOutcome.ANSWERED
        else lose(outbound, reason, now, seen=DialState.RINGING)
        for outbound in ringing.select_related("shipment")
    )


def _longest_ring(now: datetime) -> datetime:
    return now - timedelta(seconds=settings.RING_LIMIT_S)


def note_ring(call: Call, now: datetime, *, picked_up: bool) -> None:
    """Note that the platform says that a call rings, or that somebody picked it up.

    Whether he hears us only its stream tells, so it is answered in its outcome and not yet in its state.
    """
    outbound = OutboundCall.objects.select_related("shipment").filter(call=call).first()
    if outbound is None:
        return
    if not picked_up and outbound.dialled_at is not None and outbound.dialled_at < _longest_ring(now):
        return  # nothing rings for so long, whatever the platform says
    dialing.move(outbound.pk, DialState.RINGING, reason="", **_rung(now))
    if picked_up:
        mine = OutboundCall.objects.filter(pk=outbound.pk)
        mine.filter(state=DialState.RINGING).update(outcome=DialOutcome.ANSWERED)
        if mine.filter(
            state=DialState.FAILED, outcome__in=(DialOutcome.NO_ANSWER, DialOutcome.BUSY)
        ).exists():
            _put_right(outbound, now)


def _put_right(outbound: OutboundCall, now: datetime) -> None:
    """Take back that nobody answered a call; the next try, if it still waits, is by the network's row."""
    was = DialOutcome(outbound.outcome)
    OutboundCall.objects.filter(pk=outbound.pk).update(outcome=DialOutcome.NETWORK, reason=_UNHEARD)
    dialing.fault(outbound, now)
    planned = OutboundCall.objects.open().filter(
        shipment=outbound.shipment_id, purpose=outbound.purpose, requested_by=_by(was)
    )
    because = "The call before it was picked up."
    if any(dialing.withdraw(again, DialState.CANCELLED, because, now) for again in planned):
        _try_again(outbound, DialOutcome.NETWORK, now)
    _alarm(outbound)
    _trip(now)


def follow(call: Call, now: datetime) -> None:
    """Bring what was placed to where its telephone call is; the carrier's news may come in any order."""
    if call.direction != Direction.OUTBOUND:
        return
    outbound = OutboundCall.objects.select_related("shipment").filter(call=call).first()
    if outbound is None:
        return
    status = CallStatus(call.status)
    if status is CallStatus.RINGING:
        dialing.move(outbound.pk, DialState.RINGING, reason="", **_rung(now))
    elif status is CallStatus.ANSWERED:
        answered = {"reason": "", "outcome": DialOutcome.ANSWERED}
        dialing.move(outbound.pk, DialState.ANSWERED, **answered, **_rung(now))
    elif status is CallStatus.COMPLETED or (status in _RUNG and call.answered_at is not None):
        _finish(outbound, call, now)
    elif status in _RUNG and outbound.outcome == DialOutcome.ANSWERED:
        _fail_unheard(outbound, now)
    elif status in _RUNG:
        outcome = _RUNG[status]
        failed = fail(outbound, outcome, f"{outcome.label}.", rang=True, now=now)
        if failed and outcome is not DialOutcome.NETWORK:  # which says nothing of the recipient
            _tell_of(outbound, call, now, reached=False)


def _finish(outbound: OutboundCall, call: Call, now: datetime) -> None:
    outcome, reached = _outcome(call), call.level >= Level.L1_PLUS
    unheard = outcome is DialOutcome.NETWORK
    over = {"reason": _NO_PLACE if unheard else "", "outcome": outcome, "ended_at": now}
    if not dialing.move(outbound.pk, DialState.DONE, **over, **_rung(now)):
        return
    if not unheard and outcome is not DialOutcome.WRONG_NUMBER:
        _tell_of(outbound, call, now, reached=reached)
    if reached and outbound.purpose == Purpose.CALLBACK:
        # What he asks for in this call is another wish than the one that it is the answer to.
        asked = CallbackRequest.objects.open().filter(number=outbound.number, created_at__lt=call.answered_at)
        callbacks.settle(list(asked.values_list("pk", flat=True)), CallbackState.DONE, by="agent", now=now)
    _try_again(outbound, outcome, now)
    if unheard:
        _alarm(outbound)
        _trip(now)


def _tell_of(outbound: OutboundCall, call: Call, now: datetime, *, reached: bool) -> None:
    note_contact(
        outbound.shipment,
        reached=reached,
        call_public_id=call.public_id,
        key=outbound.client_request_id,
        now=now,
    )


def _outcome(call: Call) -> DialOutcome:
    by_reason = _ENDED.get(EndedReason(call.ended_reason)) if call.ended_reason else None
    by_work = _ACHIEVED.get(Outcome(call.outcome)) if call.outcome else None
    return by_reason or by_work or DialOutcome.ANSWERED


def disown(call_public_id: str, now: datetime) -> None:
    """Take the word of whoever answered that it is a wrong number: it is rung no more for this parcel."""
    with transaction.atomic():
        Call.objects.filter(public_id=call_public_id).update(outcome=Outcome.WRONG_NUMBER)
        mine = OutboundCall.objects.filter(call__public_id=call_public_id)
        outbound = mine.select_related("shipment").first()
        if outbound is None:
            return
        OutboundCall.objects.filter(pk=outbound.pk).update(outcome=DialOutcome.WRONG_NUMBER)
        dialing.forget(outbound.number, reason="It is a wrong number.", now=now, shipment=outbound.shipment)
        note_wrong_number(outbound.shipment, call_public_id=call_public_id, now=now)


def _try_again(outbound: OutboundCall, outcome: DialOutcome, now: datetime) -> None:
    rule = settings.DIAL_RETRY.get(outcome.value)
    if rule is None:
        return
    alike = OutboundCall.objects.filter(
        shipment_id=outbound.shipment_id, purpose=outbound.purpose, outcome=outcome
    ).count()
    if alike > rule["times"]:
        return
    shipment = outbound.shipment
    shipment.refresh_from_db()
    when = now + timedelta(seconds=rule["after_s"]) if rule["after_s"] else _tomorrow(outbound, now)
    # Ours to try, whoever asked for the first call: he asked for one.
    dialing.plan(shipment, outbound.purpose, by=_by(outcome), now=now, not_before=when)


def _by(outcome: DialOutcome) -> str:
    return f"after: {outcome.label.lower()}"


def _tomorrow(outbound: OutboundCall, now: datetime) -> datetime:
    local = now.astimezone(outbound.shipment.zone) + timedelta(days=1)
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def _trip(now: datetime) -> None:
    """Stop all dialling when most of what is dialled fails: the fault is then none of the calls'.

    Last of all, as whoever dials locks the switch after what is placed, too.
    """
    switch = dialing.switch()
    since = now - _BREAKER
    dialled = OutboundCall.objects.exclude(claimed_at=None).exclude(state__in=UNDIALLED)
    if switch.changed_at is not None:  # what was before, whoever resumed has seen
        dialled = dialled.filter(claimed_at__gte=switch.changed_at)
    # What came of some is told minutes after they were dialled: nobody is rung into a dead line till then.
    ended = dialled.filter(ended_at__gte=since).exclude(outcome="")  # what was given up tells nothing of now
    for recent in (dialled.filter(claimed_at__gte=since), ended):
        states = list(recent.values_list("state", "outcome"))
        failed = sum(
            state == DialState.UNKNOWN or outcome in (DialOutcome.NETWORK, DialOutcome.REFUSED)
            for state, outcome in states
        )
        if len(states) >= _BREAKER_CALLS and 2 * failed > len(states):
            stop(f"{failed} of {len(states)} calls failed within two minutes.", now)


def stop(reason: str, now: datetime) -> None:
    """Stop all dialling until a person resumes it, and raise the alarm."""
    if dialing.pause(by="the dialler", reason=reason, now=now):
        logger.error("dialling has stopped", extra={"why": reason})


def reconcile(now: datetime) -> int:
    """Resolve what was left: claimed is planned again, dialled is unknown, and so is what rings for too long.

    What has a name at the platform is asked for instead. After a day there is no more to learn of any.
    """
    before = now - timedelta(seconds=settings.DIAL_STUCK_S)
    resolved = OutboundCall.objects.filter(state=DialState.CLAIMED, claimed_at__lt=before).update(
        state=DialState.PLANNED, claimed_by="", claimed_at=None
    )
    for outbound in OutboundCall.objects.filter(state=DialState.DIALLING, dialled_at__lt=before):
        resolved += lose(outbound, "The process that dialled it ended before the platform answered.", now)
    old = Q(dialled_at__lt=now - _GIVEN_UP_AFTER)
    untold = OutboundCall.objects.filter(old | Q(carrier_call_id="", call__session_id=None))
    resolved += doubt(untold, "The platform took it and has told nothing since.", now)
    for outbound in OutboundCall.objects.filter(old, state=DialState.UNKNOWN):
        resolved += _give_up(outbound, now)
    return resolved


def _give_up(outbound: OutboundCall, now: datetime) -> bool:
    """End a call of which it was never learnt whether it rang: it counts, and no other follows by itself."""
    with transaction.atomic():
        if dialing.is_taken(outbound):
            return False
        unknown = OutboundCall.objects.filter(pk=outbound.pk, state=DialState.UNKNOWN)
        given_up = unknown.update(state=DialState.FAILED, reason=_NEVER_LEARNT, ended_at=now)
        if given_up:
            dialing.close(outbound, CallStatus.FAILED, EndedReason.RECONCILED, now)
    return bool(given_up)


def decide(pk: int, *, rang: bool, by: str, now: datetime) -> bool:
    """Take a person's word for whether a lost call rang; one that did not is planned again."""
    lost = OutboundCall.objects.select_related("shipment").filter(pk=pk, state=DialState.UNKNOWN)
    with transaction.atomic():
        outbound = lost.first()
        # Once more behind its lock: no webhook comes in between.
        if outbound is None or dialing.is_taken(outbound) or not lost.exists():
            return False
        if rang:
            moved = fail(outbound, DialOutcome.NO_ANSWER, f"It rang, says {by}.", rang=True, now=now)
        else:
            moved = put_back(outbound, now, f"It did not ring, says {by}.")
        if moved:
            dialing.note(outbound, "decide_call", by=by, now=now, rang=rang)
    return moved
