"""Write a call from its first webhook to its end; every verb is sync and one transaction.

What the carrier reports beside that is written by `reports`, what the call leaves behind by `archive`.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from shipments import contacts
from shipments.audit import AuditEntry
from voice import access, billing, missed, outbound, trust
from voice.ends import tell_ended
from voice.models import Call, UsageRecord
from voice.records import Ending
from voice.rights import StreamToken
from voice.statuses import (
    LIVE,
    UNANSWERED,
    CallStatus,
    DialOutcome,
    Direction,
    EndedReason,
    Outcome,
    unanswered_reason,
)
from voice.wire import sautikit

logger = logging.getLogger(__name__)

_FAILED = frozenset(
    {EndedReason.MODEL_FAILURE, EndedReason.CARRIER_ERROR, EndedReason.CAPACITY, EndedReason.RECONCILED}
)
_LABEL = 64


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What is known of a call before anybody speaks; no part of it comes from the model."""

    call_id: int
    public_id: str
    session_id: str
    direction: str
    purpose: str
    language: str
    customer_number: str
    proved: bool
    """Whether `customer_number` counts; `parcels` is empty until it does."""
    parcels: tuple[Mapping[str, str], ...]
    guarded: tuple[str, ...] = ()
    """Parts of addresses that the agent must not say by itself."""
    is_test: bool = False
    """Whether its socket is all there is of it: no telephone, and no carrier who knows of it."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A call that may connect: its facts, the token of its stream and the other one of its status posts."""

    facts: CallFacts
    token: str
    status_token: str


# The carrier's webhooks


def expect(*, number: str, purpose: str, shipment_id: int, client_request_id: str, now: datetime) -> Call:
    """Write a call down that we are about to place, so that its webhook finds it whenever that comes."""
    call, _ = Call.objects.get_or_create(
        client_request_id=client_request_id,
        defaults={
            "direction": Direction.OUTBOUND,
            "status": CallStatus.QUEUED,
            "called_number": number,
            "customer_number": number,
            "purpose": purpose,
            "shipment_id": shipment_id,
            "language": _language(number),
            "created_at": now,
        },
    )
    return call


def learn_session(call_id: int, session_id: str) -> None:
    """Note the session that the platform named when it took a call, unless its webhook was first."""
    if not session_id or Call.objects.filter(session_id=session_id).exists():
        return
    try:
        with transaction.atomic():
            Call.objects.filter(pk=call_id, session_id=None).update(session_id=session_id)
    except IntegrityError:  # its webhook came in this very moment
        return


def open_call(
    webhook: sautikit.Webhook, *, own_number: str, region: str, now: datetime, signed: bool = False
) -> Opening | None:
    """Find or make the call of a first edge and mint a token; None when its stream was opened or it is over.

    Until one token is consumed each delivery gets one of its own and all are valid: the carrier may act
    on any of its tries. `signed` tells whether the carrier's signature vouches for the numbers.
    """
    with transaction.atomic():
        number = trust.customer(webhook, own_number, region)
        call = find(webhook) or _placed_to(webhook, number, now) or _create(webhook, number, now=now)
        trust.note_webhook(call, number, signed=signed, now=now)
        if call.status == CallStatus.QUEUED:  # one that we placed
            Call.objects.filter(pk=call.pk, status=CallStatus.QUEUED).update(status=CallStatus.RINGING)
            _follow(call, now)
        # Should a token be consumed between this look and the new one, that one opens nothing: the
        # database allows one used token a call.
        if call.status not in LIVE or call.tokens.filter(used_at__isnull=False).exists():
            return None
        return _opening(call, now)


def open_test_call(*, number: str, by: User, now: datetime) -> Opening:
    """Make the call of a member of staff who plays the demo customer of a number, and mint its token.

    Whose number it is the caller of this has looked at (`shipments.personas`).
    """
    with transaction.atomic():
        call = Call.objects.create(
            tester=by,
            customer_number=number,
            language=settings.DEFAULT_LANGUAGE,
            created_at=now,
        )
        trust.note_tester(call, now=now)
        AuditEntry.objects.create(
            at=now,
            actor=by.get_username()[:120],
            verb="place_test_call",
            object_kind="call",
            object_id=call.public_id,
            call_public_id=call.public_id,
        )
        return _opening(call, now)


def _opening(call: Call, now: datetime) -> Opening:
    token, status_token = access.new_token(), access.new_token()
    StreamToken.objects.create(
        call=call,
        digest=access.digest(token),
        status_digest=access.digest(status_token),
        created_at=now,
        expires_at=now + timedelta(seconds=settings.STREAM_TOKEN_S),
    )
    return Opening(_facts(call), token, status_token)


def find(webhook: sautikit.Webhook) -> Call | None:
    """Return the call that a webhook is about, by its session or by our own id; None when it is not ours."""
    if webhook.session_id:
        found = Call.objects.filter(session_id=webhook.session_id).first()
        if found is not None:
            return found
    if not webhook.client_request_id:
        return None
    found = Call.objects.filter(client_request_id=webhook.client_request_id).first()
    if found is None or not webhook.session_id:
        return found
    # The carrier promises no uniqueness of this label: who bears it under another session is another call.
    if not Call.objects.filter(pk=found.pk, session_id=None).update(session_id=webhook.session_id):
        return None
    found.session_id = webhook.session_id
    return found


def _placed_to(webhook: sautikit.Webhook, number: str, now: datetime) -> Call | None:
    """Take an outbound webhook without our id for the one call that we just placed to that number."""
    if trust.direction(webhook) is not Direction.OUTBOUND or not number or not webhook.session_id:
        return None
    if webhook.client_request_id:
        return None
    placed = Call.objects.filter(
        direction=Direction.OUTBOUND,
        status=CallStatus.QUEUED,
        session_id=None,
        customer_number=number,
        outbound__dialled_at__gte=now - timedelta(seconds=settings.DIAL_MATCH_S),
    )
    candidates = list(placed[:2])
    if len(candidates) != 1:
        return None
    taken = placed.filter(pk=candidates[0].pk).update(session_id=webhook.session_id, matched_by_number=True)
    return Call.objects.get(pk=candidates[0].pk) if taken else None


def _create(webhook: sautikit.Webhook, number: str, *, now: datetime) -> Call:
    try:
        with transaction.atomic():
            return Call.objects.create(
                direction=trust.direction(webhook),
                session_id=webhook.session_id or None,
                client_request_id=_label(webhook) or None,
                caller_number=webhook.caller[:64],
                called_number=webhook.called[:64],
                customer_number=number,
                language=_language(number),
                created_at=now,
            )
    except IntegrityError:  # the same call, delivered twice at once: the other one made the row
        theirs = find(webhook)
        if theirs is None:
            raise
        return theirs


def _language(number: str) -> str:
    return contacts.language_of(number) or settings.DEFAULT_LANGUAGE


def _label(webhook: sautikit.Webhook) -> str:
    """Return what names a call that has no session; cut to our column it would name another."""
    label = webhook.client_request_id
    return label if not webhook.session_id and len(label) <= _LABEL else ""


def accept_stream(token: str, *, now: datetime) -> CallFacts | None:
    """Consume a token in one atomic step and void its siblings; None when it opens nothing (any more)."""
    digest = access.digest(token)
    try:
        with transaction.atomic():
            # Two tokens of one call at once would each wait for the other's rows; SQLite needs no lock here,
            # and what keeps a token from opening two streams is the update below.
            call = Call.objects.select_for_update(of=("self",)).filter(tokens__digest=digest).first()
            if call is None:
                return None
            taken = StreamToken.objects.filter(
                digest=digest, used_at=None, voided_at=None, expires_at__gt=now
            ).update(used_at=now)
            if not taken:
                return None
            StreamToken.objects.filter(call=call, used_at=None).update(voided_at=now)
            answered = Call.objects.filter(pk=call.pk, status__in=LIVE).update(
                status=CallStatus.ANSWERED, answered_at=now, heartbeat_at=Now(), ended_reason=""
            )
            if not answered:
                return None
            _follow(call, now)
    except IntegrityError:  # two tokens of one call at once: the database lets one of them be used
        return None
    return _facts(call, trust.guarded_places(call))


def accepted_by(token: str) -> CallFacts | None:
    """Return the call whose stream was let in by a token and which is not over; None when there is none."""
    used = StreamToken.objects.filter(digest=access.digest(token), used_at__isnull=False)
    call = Call.objects.filter(tokens__in=used, status=CallStatus.ANSWERED).first()
    return None if call is None else _facts(call)


def _facts(call: Call, guarded: tuple[str, ...] = ()) -> CallFacts:
    return CallFacts(
        call_id=call.pk,
        public_id=call.public_id,
        session_id=call.session_id or "",
        direction=call.direction,
        purpose=call.purpose,
        language=call.language,
        customer_number=call.customer_number,
        proved=bool(call.proof),
        parcels=tuple(call.context),
        guarded=guarded,
        is_test=call.is_test,
    )


def _follow(call: Call, now: datetime) -> None:
    if call.direction == Direction.OUTBOUND:
        call.refresh_from_db()
        outbound.follow(call, now)


def take_account(call: Call, account: sautikit.Account, now: datetime) -> None:
    """Take the carrier's word for how far a call has come that we placed."""
    if (ended := UNANSWERED.get(account.status)) is not None:
        end_unanswered(call, ended, now, picked_up=account.picked_up)
    elif account.status in ("ringing", "answered"):
        _note_ring(call, now, picked_up=account.picked_up)


def _note_ring(call: Call, now: datetime, *, picked_up: bool) -> None:
    with transaction.atomic():
        # Locked before what was placed, as by who opens its stream: one of the two is first.
        locked = Call.objects.select_for_update(of=("self",)).get(pk=call.pk)
        # One that was let in tells of itself, and who was to hear an apology has heard us.
        if locked.answered_at is None and locked.ended_reason != EndedReason.CAPACITY:
            outbound.note_ring(locked, now, picked_up=picked_up)


def end_unanswered(call: Call, status: CallStatus, now: datetime, *, picked_up: bool = False) -> None:
    """End a call whose stream was never opened, as then it has no socket to tell of its end.

    `picked_up` tells of one that we placed that somebody took it all the same: it was the line that failed.
    """
    with transaction.atomic():
        if picked_up and call.direction == Direction.OUTBOUND:
            _note_ring(call, now, picked_up=True)
        unanswered = Call.objects.filter(pk=call.pk, status__in=LIVE, answered_at=None)
        refused = unanswered.filter(ended_reason=EndedReason.CAPACITY).exists()
        if refused or unanswered.filter(outbound__outcome=DialOutcome.ANSWERED).exists():
            status = CallStatus.FAILED  # who hung up had been told to, or heard nothing
        if not refused:
            unanswered.update(ended_reason=unanswered_reason(status, call.direction))
        over = unanswered.update(status=status, ended_at=now, outcome=Outcome.NO_OUTCOME)
        if over:
            tell_ended([call.pk], now)
            _follow(call, now)
            if status is CallStatus.CANCELED:
                missed.note(call, (now - call.created_at).total_seconds(), now)


# The call as it runs and ends


def heartbeats(call_ids: Collection[int], now: datetime) -> None:
    """Note that calls are alive, also those that were taken for dead."""
    alive = Call.objects.filter(pk__in=call_ids)
    if alive.filter(status=CallStatus.ANSWERED).update(heartbeat_at=now) < len(call_ids):
        alive.filter(ended_reason=EndedReason.RECONCILED).update(
            status=CallStatus.ANSWERED, ended_reason="", outcome="", ended_at=None, heartbeat_at=now
        )


def end_call(call_id: int, ending: Ending, *, now: datetime) -> None:
    """Write a call's end and what it cost, once: who comes second changes nothing.

    Only an end that was made up because nothing was heard of the call gives way to the true one.
    """
    with transaction.atomic():
        call = Call.objects.get(pk=call_id)
        bill = _bill(call, ending.duration_s)
        if ending.counters.get("speech_cut"):
            logger.warning(
                "the agent said what it may not say, and was cut off", extra={"call": call.public_id}
            )
        open_end = Q(status__in=LIVE)
        if ending.reason != EndedReason.RECONCILED:
            open_end |= Q(ended_reason=EndedReason.RECONCILED)
        over = Call.objects.filter(open_end, pk=call_id).update(
            status=CallStatus.FAILED if ending.reason in _FAILED else CallStatus.COMPLETED,
            ended_reason=ending.reason,
            outcome=ending.outcome or Outcome.NO_OUTCOME,
            ended_at=now,
            timings=ending.timings,
            counters=ending.counters,
            cost_kes_minor=bill.kes_minor,
            cost_usd_micros=bill.usd_micros,
            rates_date=bill.rates_date,
        )
        if over:
            tell_ended([call_id], now)
            if ending.reason == EndedReason.CALLER_HANGUP:
                missed.note(call, ending.duration_s, now)
        _follow(call, now)


def _bill(call: Call, seconds: float) -> billing.Bill:
    day = (call.answered_at or call.created_at).date()
    reports = UsageRecord.objects.filter(call=call)
    return billing.price(
        direction=call.direction,
        seconds=0 if call.is_test else seconds,  # the carrier knows nothing of it
        tokens=[
            billing.Tokens(one.text_in, one.audio_in, one.text_out, one.audio_out, one.thoughts, one.cached)
            for one in reports
        ],
        rates=billing.rates_of(settings.RATES, day),
    )
