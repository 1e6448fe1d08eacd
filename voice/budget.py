"""Say whether a day's money is spent."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, Q, Sum

from voice import billing
from voice.models import BILLED_KES_MINOR, RUNS, Call
from voice.statuses import Direction

_KES_MINOR = 100
_USD_MICROS = 1_000_000


def is_spent(now: datetime, *, but: int = 0) -> bool:
    """Tell whether the calls that began today cost what a day may cost, not counting one; 0 sets no limit.

    A call that is not over counts with what it may come to, so that many at once do not all find money left.
    """
    kes, usd = settings.ADMISSION_KES_PER_DAY, settings.ADMISSION_USD_PER_DAY
    if not kes and not usd:
        return False
    local = now.astimezone(ZoneInfo(settings.TIME_ZONE))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    live = RUNS & Q(tester=None)  # the carrier bills nothing of a test call
    today = (
        Call.objects.filter(created_at__gte=midnight)
        .exclude(pk=but)
        .aggregate(
            kes=Sum(BILLED_KES_MINOR, default=0),
            usd=Sum("cost_usd_micros", default=0),
            running=Count("pk", filter=RUNS),
            inbound=Count("pk", filter=live & Q(direction=Direction.INBOUND)),
            outbound=Count("pk", filter=live & Q(direction=Direction.OUTBOUND)),
        )
    )
    running = sum(today[way] * longest_kes_minor(way, local.date()) for way in Direction.values)
    kes_minor = today["kes"] + running
    usd_micros = today["usd"] + today["running"] * round(settings.ADMISSION_USD_PER_CALL * _USD_MICROS)
    return bool((kes and kes_minor >= kes * _KES_MINOR) or (usd and usd_micros >= usd * _USD_MICROS))


def longest_kes_minor(direction: str, day: date) -> int:
    """Return what the carrier bills for a call that takes all the time there is, in hundredths of KES."""
    rates = billing.rates_of(settings.RATES, day)
    seconds = settings.CALL_LIMIT_S
    return billing.price(direction=direction, seconds=seconds, tokens=(), rates=rates).kes_minor
