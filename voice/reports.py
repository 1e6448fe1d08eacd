"""Write what the carrier reports of calls: edges, states of streams, events; none ends one that talks."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from voice import access, calls, dialing
from voice.models import Call, CallEvent
from voice.records import fingerprint
from voice.rights import StreamToken
from voice.statuses import CallStatus, Direction, EventSource, StreamState
from voice.wire import placing, sautikit

logger = logging.getLogger(__name__)

_RANK = {"": 0, StreamState.CREATED: 1, StreamState.STARTED: 2, StreamState.STOPPED: 3, StreamState.ERROR: 3}


def note_edge(webhook: sautikit.Webhook, *, now: datetime) -> str:
    """Keep a later edge of a call, once; it annotates, and ends only what never had a stream.

    Returns the public id of a call that the carrier says is over, else "".
    """
    payload = {"duration_s": webhook.duration_s, "stream_sid": webhook.stream_sid[:64]}
    # Without a session there is no telling a repeat from another call's edge: each is kept.
    once = f"voice:{fingerprint(webhook.session_id, webhook.edge, payload)}" if webhook.session_id else None
    with transaction.atomic():
        call = calls.find(webhook)
        if call is None:
            logger.info("an edge of a call that is not ours", extra={"edge": webhook.edge.value})
        _keep_event(once, EventSource.VOICE, webhook.edge.value, call, payload, now)
        if call is None:
            return ""
        if webhook.duration_s is not None:
            _set_carrier_duration(call, webhook.duration_s)
        if webhook.edge not in _OVER:
            return ""
        # A call that was never answered has no socket to tell of its end.
        lasted = webhook.edge is sautikit.Edge.COMPLETED and bool(webhook.duration_s)
        calls.end_unanswered(call, _OVER[webhook.edge], now, picked_up=lasted)
        return call.public_id


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
            f"status:{token.pk}:{fingerprint(event, payload)}", EventSource.STATUS, event, call, payload, now
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
            # What the documents show names a call by the platform's own id alone (sautikit.md §1.7).
            or Call.objects.filter(outbound__carrier_call_id__in=ids).first()
        )
        new = _keep_event(event_id[:160], EventSource.EVENTS, kind, call, payload, now)
        if call is not None and call.direction == Direction.OUTBOUND:
            account = sautikit.parse_account({"status": kind.removeprefix("call."), **named})
            calls.take_account(call, account, now)
        duration = named.get("duration_seconds")
        if new and call is not None and isinstance(duration, int) and duration >= 0:
            _set_carrier_duration(call, duration)
        if call is not None:  # last, as what was placed is locked after its call
            dialing.learn_name(call, placing.call_id_of(named))
    return new


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
