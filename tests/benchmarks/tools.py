"""Measure how soon tools answer in 50 calls over 200,000 parcels, on the PostgreSQL that DATABASE_URL names.

`python -m tests.services python -m tests.benchmarks.tools` starts one for it. The calls are real ones, on
`serve`, with the sound of both ends: `tools_load` says what is asked, and how often.
"""

import argparse
import os
import sys
from datetime import timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "courier.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from shipments.depots import DeliverySlot, Depot  # noqa: E402
from tests.benchmarks.bench import load  # noqa: E402
from tests.benchmarks.desk import ROWS, write  # noqa: E402
from tests.benchmarks.tools_load import EVERY_S  # noqa: E402

CALLS, NUMBERS = 50, 150_000
P95_MS, BURST_MS = 30.0, 400.0
FIRST, STEP = 60_000, 606
"""Parcels of numbers that have no other, all in transit (every sixth is) and spread over the depots."""
DAYS, WINDOWS = range(1, 7), ((8, 12), (12, 16), (16, 20))
UNBOUNDED = {  # who asks for a minute without pause asks for more than a caller may
    "TOOL_CALLS_A_CALL": "100000",
    "TOOL_CALLS_A_MINUTE": "100000",
    "TOOL_CALLS_ALIKE": "100000",
    "CALLER_PROOF": "none",
}


def write_slots() -> None:
    """Let every depot deliver as much as is asked for, on each day that a parcel may be moved to."""
    today = timezone.localdate()
    DeliverySlot.objects.bulk_create(
        DeliverySlot(
            depot=depot,
            date=today + timedelta(days=day),
            window_start=f"{start:02}:00",
            window_end=f"{end:02}:00",
            capacity=10_000,
        )
        for depot in Depot.objects.all()
        for day in DAYS
        for start, end in WINDOWS
    )


def main() -> None:
    """Write the rows, measure, print the table; exit with an error when it is slower than promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    write()
    write_slots()
    told = {
        "calls": CALLS,
        "seconds": options.seconds,
        "first-parcel": FIRST,
        "step": STEP,
        "numbers": NUMBERS,
    }
    flags = [word for name, value in told.items() for word in (f"--{name}", str(value))]
    database = {"DATABASE_URL": os.environ["DATABASE_URL"]}
    figures = load("serve", *flags, of="tools_load", **UNBOUNDED, **database)
    took, bursts = figures["took_ms"], figures["bursts_ms"]
    soon, together = took["p95"] <= P95_MS, max(bursts) <= BURST_MS
    print(f"\n| tools of {CALLS} talking calls, {ROWS:,} parcels | measured | kept |\n| --- | --- | --- |")
    print(
        f"| each call one every {EVERY_S:.0f} s ({figures['asked']} answers), p95 at most {P95_MS:.0f} ms "
        f"| p50 {took['p50']}, p95 {took['p95']}, p99 {took['p99']}, max {took['max']} ms "
        f"| {'yes' if soon else 'NO'} |"
    )
    print(
        f"| all at once ({len(bursts)} times), the last answered within {BURST_MS:.0f} ms "
        f"| {', '.join(f'{one:.0f}' for one in bursts)} ms | {'yes' if together else 'NO'} |",
        flush=True,
    )
    if figures["void"]:
        sys.exit("void: the load's own core was too busy")
    if not (soon and together):
        sys.exit("slower than promised")


if __name__ == "__main__":
    main()
