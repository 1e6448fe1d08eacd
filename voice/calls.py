"""Write what is kept of calls: the only place that does; every verb is sync and one transaction."""

import hashlib
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q

from voice import access, billing, outbound, trust
from voice.models import Call, CallEvent, StreamToken, ToolRun, Turn, UsageRecord
from voice.records import Ending, ToolRecord, TurnRecord, UsageSeen
from voice.statuses import (
    LIVE,
    CallStatus,
    Direction,
    EndedReason,
    EventSource,
    Outcome,
    StreamState,
)
from voice.wire import sautikit

logger = logging.getLogger(__name__)

_RANK = {"": 0, StreamState.CREATED: 1, StreamState.STARTED: 2, StreamState.STOPPED: 3, StreamState.ERROR: 3}
_FAILED = frozenset(
    {EndedReason.MODEL_FAILURE, EndedReason.CARRIER_ERROR, EndedReason.CAPACITY, EndedReason.RECONCILED}
)
_LABEL = 64
_MOST = 2**31 - 1  # what an integer column holds


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


@dataclass(frozen=True, slots=True)
class Opening:
    """A call that may connect: its facts, the token of its stream and the other one of its status posts."""

    facts: CallFacts
    token: str
    status_token: str


# The carrier's webhooks


def expect(
    *, number: str, purpose: str, shipment_id: int, client_request_id: str, language: str, now: datetime
) -> Call:
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
            "language": language,
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
        call = _find(webhook) or _placed_to(webhook, number, now) or _create(webhook, number, now=now)
        trust.note_webhook(call, number, signed=signed, now=now)
        if call.status == CallStatus.QUEUED:  # one that we placed
            Call.objects.filter(pk=call.pk, status=CallStatus.QUEUED).update(status=CallStatus.RINGING)
            _follow(call, now)
        # Should a token be consumed between this look and the new one, that one opens nothing: the
        # database allows one used token a call.
        if call.status not in LIVE or call.tokens.filter(used_at__isnull=False).exists():
            return None
        token, status_token = access.new_token(), access.new_token()
        StreamToken.objects.create(
            call=call,
            digest=access.digest(token),
            status_digest=access.digest(status_token),
            created_at=now,
            expires_at=now + timedelta(seconds=settings.STREAM_TOKEN_S),
        )
    return Opening(_facts(call), token, status_token)


def _find(webhook: sautikit.Webhook) -> Call | None:
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
                language=settings.DEFAULT_LANGUAGE,
                created_at=now,
            )
    except IntegrityError:  # the same call, delivered twice at once: the other one made the row
        theirs = _find(webhook)
        if theirs is None:
            raise
        return theirs


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
                status=CallStatus.ANSWERED, answered_at=now, heartbeat_at=now
            )
            if not answered:
                return None
            _follow(call, now)
    except IntegrityError:  # two tokens of one call at once: the database lets one of them be used
        return None
    return _facts(call, trust.guarded_places(call))


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
    )


def note_edge(webhook: sautikit.Webhook, *, now: datetime) -> None:
    """Keep a later edge of a call, once; it annotates, and ends only what never had a stream."""
    payload = {"duration_s": webhook.duration_s, "stream_sid": webhook.stream_sid[:64]}
    # Without a session there is no telling a repeat from another call's edge: each is kept.
    once = f"voice:{_digest(webhook.session_id, webhook.edge, payload)}" if webhook.session_id else None
    with transaction.atomic():
        call = _find(webhook)
        if call is None:
            logger.info("an edge of a call that is not ours", extra={"edge": webhook.edge.value})
        _keep_event(once, EventSource.VOICE, webhook.edge.value, call, payload, now)
        if call is None:
            return
        if webhook.duration_s is not None:
            _set_carrier_duration(call, webhook.duration_s)
        if webhook.edge in _OVER:
            # A call that was never answered has no socket to tell of its end.
            _end_unanswered(call, _OVER[webhook.edge], now)


def _follow(call: Call, now: datetime) -> None:
    if call.direction == Direction.OUTBOUND:
        call.refresh_from_db()
        outbound.follow(call, now)


def _end_unanswered(call: Call, status: CallStatus, now: datetime) -> None:
    over = Call.objects.filter(pk=call.pk, status__in=LIVE, answered_at=None).update(
        status=status, ended_at=now, outcome=Outcome.NO_OUTCOME
    )
    if over:
        _follow(call, now)


_OVER = {
    sautikit.Edge.COMPLETED: CallStatus.CANCELED,
    sautikit.Edge.FAILED: CallStatus.FAILED,
    sautikit.Edge.BUSY: CallStatus.BUSY,
    sautikit.Edge.NO_ANSWER: CallStatus.NO_ANSWER,
}


def note_stream_status(status_token: str, event: str, payload: Mapping[str, Any], *, now: datetime) -> bool:
    """Keep what became of a stream, forward only; False when the token is nobody's."""
    token = (
        StreamToken.objects.select_related("call").filter(status_digest=access.digest(status_token)).first()
    )
    if token is None:
        return False
    call = token.call
    state = _STREAM_STATES.get(event, "")
    with transaction.atomic():
        _keep_event(
            f"status:{token.pk}:{_digest(event, payload)}", EventSource.STATUS, event, call, payload, now
        )
        if state:
            behind = [known for known, rank in _RANK.items() if rank < _RANK[state]]
            Call.objects.filter(pk=call.pk, stream_state__in=behind).update(
                stream_state=state, stream_sid=str(payload.get("streamSid", ""))[:64] or F("stream_sid")
            )
    return True


_STREAM_STATES = {
    "stream-started": StreamState.STARTED,
    "stream-stopped": StreamState.STOPPED,
    "stream-error": StreamState.ERROR,
}


def note_event(event_id: str, kind: str, payload: Mapping[str, Any], *, now: datetime) -> bool:
    """Keep one of the carrier's events; False when it was kept before. It ends no call that was answered."""
    data = payload.get("data")
    named = data if isinstance(data, dict) else payload
    ids = {str(named[key]) for key in ("call_id", "session_id", "sessionId", "callId") if named.get(key)}
    requests = {str(named[key]) for key in ("client_request_id", "clientRequestId") if named.get(key)}
    with transaction.atomic():
        call = (
            Call.objects.filter(session_id__in=ids).first()
            or Call.objects.filter(client_request_id__in=requests).first()
        )
        new = _keep_event(event_id[:160], EventSource.EVENTS, kind, call, payload, now)
        status = _UNANSWERED.get(str(named.get("status", "")).lower())
        if call is not None and call.direction == Direction.OUTBOUND and status is not None:
            _end_unanswered(call, status, now)
        duration = named.get("duration_seconds")
        if new and call is not None and isinstance(duration, int) and duration >= 0:
            _set_carrier_duration(call, duration)
    return new


_UNANSWERED = {
    "busy": CallStatus.BUSY,
    "no_answer": CallStatus.NO_ANSWER,
    "no-answer": CallStatus.NO_ANSWER,
    "failed": CallStatus.FAILED,
    "canceled": CallStatus.CANCELED,
}
"""How a call ends that we placed and nobody took, in the platform's words: it has no socket to tell of it."""


def _keep_event(
    event_id: str | None,
    source: EventSource,
    kind: str,
    call: Call | None,
    payload: Mapping[str, Any],
    now: datetime,
) -> bool:
    event = CallEvent(
        event_id=event_id, source=source, kind=kind[:64], call=call, payload=dict(payload), received_at=now
    )
    if event_id is not None and CallEvent.objects.filter(event_id=event_id).exists():
        return False
    try:
        with transaction.atomic():
            event.save(force_insert=True)
    except IntegrityError:  # kept by another process in this very moment
        return False
    return True


def _set_carrier_duration(call: Call, seconds: int) -> None:
    Call.objects.filter(pk=call.pk).update(carrier_duration_s=min(max(0, seconds), 86_400))


def _digest(*parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


# What the call itself leaves behind


def record_turns(call_id: int, turns: Sequence[TurnRecord]) -> None:
    """Keep what was said; the same position again replaces what stood there."""
    latest = {turn.position: turn for turn in turns}  # PostgreSQL refuses one row twice in a statement
    Turn.objects.bulk_create(
        [
            Turn(
                call_id=call_id,
                position=turn.position,
                speaker=turn.speaker,
                text=_storable(turn.text),
                started_ms=turn.started_ms,
                ended_ms=turn.ended_ms,
                interrupted=turn.interrupted,
            )
            for turn in latest.values()
        ],
        update_conflicts=True,
        unique_fields=["call", "position"],
        update_fields=["text", "ended_ms", "interrupted"],
    )


def record_tool_run(call_id: int, tool: ToolRecord) -> None:
    """Keep what a tool did; the same call of the model's is kept once."""
    ToolRun.objects.get_or_create(
        call_id=call_id,
        model_call_id=_storable(tool.model_call_id)[:128],
        defaults={
            "name": _storable(tool.name)[:64],
            "business_key": _storable(tool.business_key)[:256],
            "arguments": sautikit.storable(tool.arguments),
            "result": sautikit.storable(tool.result),
            "state": tool.state,
            "started_ms": tool.started_ms,
            "duration_ms": tool.duration_ms,
        },
    )


def record_usage(call_id: int, reports: Sequence[UsageSeen]) -> None:
    """Keep what the model says it billed; the same report again is kept once."""
    records = []
    for report in reports:
        tokens = billing.tokens_of(report.raw)
        raw = sautikit.storable(report.raw)
        records.append(
            UsageRecord(
                call_id=call_id,
                at_ms=report.at_ms,
                digest=_digest(raw),
                raw=raw,
                text_in=min(tokens.text_in, _MOST),
                audio_in=min(tokens.audio_in, _MOST),
                text_out=min(tokens.text_out, _MOST),
                audio_out=min(tokens.audio_out, _MOST),
                thoughts=min(tokens.thoughts, _MOST),
                cached=min(tokens.cached, _MOST),
            )
        )
    UsageRecord.objects.bulk_create(records, ignore_conflicts=True)


def _storable(text: str) -> str:
    """Return text as every database takes it: PostgreSQL refuses a NUL, and with it the whole batch."""
    return "".join(filter(str.isprintable, " ".join(text.split())))


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
        Call.objects.filter(open_end, pk=call_id).update(
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
        _follow(call, now)


def _bill(call: Call, seconds: float) -> billing.Bill:
    day = (call.answered_at or call.created_at).date()
    reports = UsageRecord.objects.filter(call=call)
    return billing.price(
        direction=call.direction,
        seconds=seconds,
        tokens=[
            billing.Tokens(one.text_in, one.audio_in, one.text_out, one.audio_out, one.thoughts, one.cached)
            for one in reports
        ],
        rates=billing.rates_of(settings.RATES, day),
    )
