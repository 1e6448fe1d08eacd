"""Measure how long a file of 50,000 parcels takes, on the PostgreSQL that DATABASE_URL names.

`python -m tests.services python -m tests.benchmarks.intake` starts one for it. Prints a row for the first
time (all new), for the same file again (nothing changed), and for one in which every parcel changed.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "courier.settings")
django.setup()

from django.core.management import call_command  # noqa: E402

from shipments.depots import Depot  # noqa: E402
from shipments.models import Shipment, TrackingEvent  # noqa: E402

ROWS = int(os.environ.get("BENCH_ROWS", "50000"))
LIMIT_S = 60.0


def write(path: Path, landmark: str) -> None:
    """Write a day's file of a big shipper."""
    with path.open("w") as file:
        file.write("tracking_id,shipper,recipient_name,phone,building,neighbourhood,city,country,landmark,")
        file.write("depot,promised_start,promised_end,cod_minor,cod_currency\n")
        for number in range(ROWS):
            file.write(
                f"KM-{number:08},Example Books,Amina Sample {number},+2547{number:08},House {number},"
                f"Kilimani,Nairobi,KE,{landmark} {number},Westlands,"
                "2026-11-27T06:00Z,2026-11-27T09:00Z,150000,KES\n"
            )


def main() -> None:
    """Measure and print."""
    call_command("migrate", verbosity=0)
    Depot.objects.create(name="Westlands", city="Nairobi", country="KE")
    worst_s = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parcels.csv"
        for what, landmark in (("new", "by kiosk"), ("the same", "by kiosk"), ("changed", "opposite kiosk")):
            write(path, landmark)
            began = time.perf_counter()
            call_command("import_shipments", str(path))
            took_s = time.perf_counter() - began
            worst_s = max(worst_s, took_s)
            print(
                f"| {ROWS:,} parcels, {what} | {took_s:.1f} s | {ROWS / took_s:,.0f} a second |", flush=True
            )
    parcels, events = Shipment.objects.count(), TrackingEvent.objects.count()
    print(f"| in the end | {parcels:,} parcels | {events:,} events |")
    if worst_s > LIMIT_S:
        sys.exit(f"slower than {LIMIT_S:.0f} s")


if __name__ == "__main__":
    main()
