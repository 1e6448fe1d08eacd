"""Say whether a day's money is spent."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Sum

from voice.models import Call

_KES_MINOR = 100
_USD_MICROS = 1_000_000


def is_spent(now: datetime) -> bool:
    """Tell whether the calls that began today have cost what a day may cost; 0 sets no limit.

    A call is counted when it is over, so what runs at this moment comes on top.
    """
    kes, usd = settings.ADMISSION_KES_PER_DAY, settings.ADMISSION_USD_PER_DAY
    if not kes and not usd:
        return False
    local = now.astimezone(ZoneInfo(settings.TIME_ZONE))
    today = Call.objects.filter(created_at__gte=local.replace(hour=0, minute=0, second=0, microsecond=0))
    spent = today.aggregate(kes=Sum("cost_kes_minor", default=0), usd=Sum("cost_usd_micros", default=0))
    return bool((kes and spent["kes"] >= kes * _KES_MINOR) or (usd and spent["usd"] >= usd * _USD_MICROS))
