"""Measure the queue of calls to place, on the PostgreSQL that DATABASE_URL names.

`python -m tests.services python -m tests.benchmarks.outbound` starts one for it. Prints a row for claiming
one of 100,000 planned calls, and one for planning a day of 50,000 parcels.
"""

import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "courier.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from shipments.models import Address, Shipment  # noqa: E402
from tests.benchmarks.desk import fill  # noqa: E402
from voice import dialing, outbound  # noqa: E402
from voice.models import OutboundCall  # noqa: E402

PLANNED, PARCELS, CLAIMS = 100_000, 50_000, 1_000
CLAIM_MS, PLAN_S = 5.0, 60.0
_PHONE = "'+25470' || lpad(i::text, 7, '0')"
_SOON = "now() + interval '2 hours' + i * interval '0.4 seconds'"


def write() -> None:
    """Fill the database with parcels, the first of which are out for delivery, and a call to each."""
    address = Address.objects.create(recipient_name="Amina Sample", city="Nairobi", country="KE")
    fill(
        Shipment,
        PLANNED,
        tracking_id="'KM' || lpad(i::text, 8, '0')",
        phone=_PHONE,
        status=f"CASE WHEN i <= {PARCELS} THEN 'out_for_delivery' ELSE 'in_transit' END",
        eta_at=_SOON,
        address_id=str(address.pk),
        time_zone="'Africa/Nairobi'",
        created_at="now()",
        updated_at="now()",
    )
    first = Shipment.objects.order_by("pk").values_list("pk", flat=True)[0]
    fill(
        OutboundCall,
        PLANNED,
        shipment_id=f"{first} + i - 1",
        purpose="'confirm_address'",
        number=_PHONE,
        not_before="now() - i * interval '0.1 seconds'",
        client_request_id="md5(i::text)",
        created_at="now()",
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def claim_ms() -> list[float]:
    """Claim calls one after another; return how long each took, the shortest first."""
    took = []
    for _ in range(CLAIMS):
        began = time.perf_counter()
        claimed = outbound.claim("bench", timezone.now())
        took.append((time.perf_counter() - began) * 1000)
        assert claimed is not None
    return sorted(took)


def main() -> None:
    """Measure and print; exit with an error when it is slower than promised."""
    call_command("migrate", verbosity=0)
    write()
    print("\n| queue of placed calls | measured | kept |\n| --- | --- | --- |")
    took = claim_ms()
    p50, p95 = took[len(took) // 2], took[int(len(took) * 0.95)]
    claimed = p95 <= CLAIM_MS
    print(
        f"| claiming one of {PLANNED:,} planned calls, p95 at most {CLAIM_MS:.0f} ms "
        f"| p50 {p50:.1f}, p95 {p95:.1f} ms | {'yes' if claimed else 'NO'} |",
        flush=True,
    )
    began = time.perf_counter()
    calls = sum(one.outbound is not None for one in dialing.plan_arrivals(now=timezone.now()))
    took_s = time.perf_counter() - began
    planned = took_s <= PLAN_S and calls == PARCELS
    print(
        f"| planning a day of {PARCELS:,} parcels, at most {PLAN_S:.0f} s "
        f"| {calls:,} calls in {took_s:.1f} s | {'yes' if planned else 'NO'} |",
        flush=True,
    )
    if not (claimed and planned):
        sys.exit("slower than promised")


if __name__ == "__main__":
    main()
