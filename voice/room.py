"""Say why the line has no room for a call that we would place; who rings us is asked about at the door."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from voice import budget
from voice.models import Call, CallbackRequest
from voice.statuses import CallbackReason, CallStatus, EndedReason

_LATELY = timedelta(minutes=1)
_FAILED_LATELY = timedelta(minutes=10)
_BROKEN = (EndedReason.MODEL_FAILURE, EndedReason.CAPACITY)
_LASTED = timedelta(hours=1)


def lacking(now: datetime) -> str:
    """Return what the line lacks for one more call, as a sentence, or "" for nothing.

    By what is written of calls: whoever dials is another process than those that take them.
    """
    if budget.is_spent(now):
        return "What calls may cost in a day is spent."
    rings = now - timedelta(seconds=settings.RING_LIMIT_S)
    live = Call.objects.by_telephone().live().filter(Q(status=CallStatus.ANSWERED) | Q(created_at__gte=rings))
    if live.count() >= settings.DIAL_BELOW_CALLS:
        return "The line is full."
    refused = CallbackRequest.objects.filter(reason=CallbackReason.NOT_ADMITTED, created_at__gt=now - _LATELY)
    if refused.exists():
        return "A call was not taken just now."
    return "The voice model cannot be had." if _is_broken(now) else ""


def _is_broken(now: datetime) -> bool:
    """Tell whether the last calls all failed by us, as many as shut the door to those who ring."""
    ended = Call.objects.by_telephone().filter(
        created_at__gt=now - _FAILED_LATELY - _LASTED, ended_at__gt=now - _FAILED_LATELY
    )
    last = ended.exclude(ended_reason="").order_by("-ended_at").values_list("ended_reason", flat=True)
    reasons = list(last[: settings.ADMISSION_MODEL_FAILURES])
    return len(reasons) >= settings.ADMISSION_MODEL_FAILURES and all(one in _BROKEN for one in reasons)
