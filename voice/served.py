"""Know when somebody was last with the agent: who has been answered meanwhile waits for no call of ours."""

from datetime import datetime, timedelta

from django.conf import settings

from voice.levels import Proof
from voice.models import Call
from voice.statuses import CallStatus, Direction

_LATELY = timedelta(days=2)
_A_CALL_S = 3.0
"""What is shorter was missed, whether or not that is taken for a wish."""
_LATEST = 20


def last_served(number: str, now: datetime) -> datetime | None:
    """Return until when the number's last call to us lasted, `now` while it does; None without one.

    A number that nobody vouches for tells of nobody, and a call that failed served nobody.
    """
    calls = Call.objects.by_telephone().filter(
        customer_number=number,
        direction=Direction.INBOUND,
        status__in=(CallStatus.ANSWERED, CallStatus.COMPLETED),
        answered_at__gte=now - _LATELY,
    )
    latest = calls.exclude(proof=Proof.NOBODY).order_by("-answered_at")
    shortest = timedelta(seconds=max(_A_CALL_S, settings.CALLBACK_MISSED_S))
    ends = [
        ended or now
        for answered, ended in latest.values_list("answered_at", "ended_at")[:_LATEST]
        if answered is not None and (ended is None or ended - answered >= shortest)
    ]
    return max(ends, default=None)
