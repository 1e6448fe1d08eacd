"""Write who is to be rung back: on the number of record, within a window that the caller was told."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef

from shipments import wording
from shipments.audit import AuditEntry
from voice.levels import VOUCHED_FOR_WITHIN, Proof
from voice.models import Call, CallbackRequest, OutboundCall, OutboundCallQuerySet
from voice.rights import CallParcel
from voice.spoken import SpeechCheck
from voice.statuses import CallbackReason, CallbackState, Purpose

_QUARTER_S = 900
_WITHHELD = (
    "I cannot have you called back, because your number does not reach us. Please call again from a "
    "telephone that shows its number."
)


def window(now: datetime) -> tuple[datetime, datetime]:
    """Return from when until when a caller of now is to be rung back; the end is a full quarter."""
    local = now.astimezone(ZoneInfo(settings.TIME_ZONE))
    opens = local.replace(hour=settings.CALLBACK_FROM_HOUR, minute=0, second=0, microsecond=0)
    closes = opens + timedelta(hours=settings.CALLBACK_UNTIL_HOUR - settings.CALLBACK_FROM_HOUR)
    start = max(local, opens)
    if _end(start) > closes:
        start = opens + timedelta(days=1)
    return start, _end(start)


def _end(start: datetime) -> datetime:
    end = start + timedelta(seconds=settings.CALLBACK_WITHIN_S)
    over_s = (end.minute * 60 + end.second + end.microsecond / 1e6) % _QUARTER_S
    return end + timedelta(seconds=_QUARTER_S - over_s) if over_s else end


def request(
    *, call_public_id: str, number: str, reason: str, summary: str, now: datetime
) -> dict[str, object]:
    """Ask for a caller to be rung back, once a call; a repeat is answered with the first one's window.

    Without `number` it is the one on the call's row, proved or not: to be rung back opens nothing. The answer
    has `status` (ok, or refused when there is no number), `say` and the window.
    """
    call = Call.objects.filter(public_id=call_public_id).first()
    number = number or (call.customer_number if call else "")
    if call is None or not number:
        return _refused()
    if reason == CallbackReason.NOT_ADMITTED and (waiting := _waiting(number, now)):
        return _told(waiting, now)  # who is refused again and again is rung back once
    start, end = window(now)
    asked, new = CallbackRequest.objects.get_or_create(
        call=call,
        defaults={
            "number": number,
            "reason": reason if reason in CallbackReason else CallbackReason.OTHER,
            "summary": _kept(summary, call),
            "window_start": start,
            "window_end": end,
            "created_at": now,
        },
    )
    if not new and summary:  # what it is about may be said after it was asked for
        CallbackRequest.objects.filter(pk=asked.pk, state=CallbackState.OPEN).update(
            summary=_kept(summary, call)
        )
    return _told(asked, now)


def calls_since() -> OutboundCallQuerySet:
    """Return, within a query of requests, the calls back to a request's number that were planned since."""
    return OutboundCall.objects.filter(
        number=OuterRef("number"), purpose=Purpose.CALLBACK, created_at__gte=OuterRef("created_at")
    )


def promise(number: str, now: datetime) -> dict[str, object]:
    """Return what `request` answers, for one that is sure to be written but is not yet."""
    if not number:
        return _refused()
    start, end = window(now)
    return _told(CallbackRequest(number=number, window_start=start, window_end=end), now)


def settle(pks: Iterable[int], state: CallbackState, *, by: str, now: datetime) -> int:
    """Take open requests off the list, as done or cancelled, and keep who did; return how many there were."""
    settled = 0
    for asked in CallbackRequest.objects.filter(pk__in=pks).select_related("call"):
        with transaction.atomic():
            # By compare-and-set: of two who settle it at once one did.
            if not CallbackRequest.objects.filter(pk=asked.pk, state=CallbackState.OPEN).update(state=state):
                continue
            AuditEntry.objects.create(
                at=now,
                actor=by[:120],
                verb="settle_callback",
                object_kind="call",
                object_id=asked.call.public_id,
                before={"state": CallbackState.OPEN.value},
                after={"state": state.value},
                call_public_id=asked.call.public_id,
            )
            settled += 1
    return settled


def _refused() -> dict[str, object]:
    return {"status": "refused", "say": _WITHHELD, "code": "no_number"}


def _waiting(number: str, now: datetime) -> CallbackRequest | None:
    """Return a request by which this number will be rung yet: not one whose call is over and reached nobody.

    Nor one of a call that nobody has vouched for by now: it may have been anybody's.
    """
    since = calls_since()
    waiting = CallbackRequest.objects.open().filter(number=number, window_end__gte=now)
    waiting = waiting.filter(~Exists(since) | Exists(since.open()))
    return waiting.exclude(call__proof=Proof.NOBODY, created_at__lt=now - VOUCHED_FOR_WITHIN).first()


def _told(asked: CallbackRequest, now: datetime) -> dict[str, object]:
    ending = wording.spelled(asked.number[-3:])
    zone = ZoneInfo(settings.TIME_ZONE)
    return {
        "status": "ok",
        "say": f"{_who(asked)} will call you back on the number ending in {ending}, {_when(asked, now)}.",
        "window_start": asked.window_start.astimezone(zone).isoformat(),
        "window_end": asked.window_end.astimezone(zone).isoformat(),
    }


def _who(asked: CallbackRequest) -> str:
    """Return who is said to call: whom the dialler rings by itself may hear the agent again."""
    return "We" if asked.reason in settings.DIAL_CALLBACKS else "A colleague"


def _when(asked: CallbackRequest, now: datetime) -> str:
    zone = ZoneInfo(settings.TIME_ZONE)
    start, end = asked.window_start.astimezone(zone), asked.window_end.astimezone(zone)
    if start.date() != now.astimezone(zone).date():
        day = f"on {wording.day(start.date())}"
        return f"{day} between {wording.clock(start.time())} and {wording.clock(end.time())}"
    return f"today by {wording.clock(end.time())}"


def _kept(summary: str, call: Call) -> str:
    """Return what a call-back is about as it is kept: without codes, with the ids of its parcels."""
    check = SpeechCheck()
    parcels = CallParcel.objects.filter(call_public_id=call.public_id)
    for tracking_id in parcels.values_list("shipment__tracking_id", flat=True):
        check.allow(tracking_id)
    return "".join(filter(str.isprintable, " ".join(check.masked(summary).split())))[:500]
