"""Take a file of parcels in, all of it or nothing."""

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from shipments import files, intake
from shipments.errors import RowsRefusedError, ShipmentError
from shipments.intake import Result, Sender
from shipments.statuses import Source

_WIDTH = 40
_SHOWN = 50


class Command(BaseCommand):
    """Take parcels from a CSV file: new ones, and known ones that changed."""

    help = (
        "Take parcels from a CSV file whose first row names the columns (as the API does: see /api/docs). "
        "All of it is taken, or, when a row is wrong, nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        parser.add_argument("--shipper", default="", help="whose parcels they are; another's are refused")

    def handle(self, *args: Any, file: Path, dry_run: bool, shipper: str, **options: Any) -> None:
        """Read, check and write the file, and say what became of it."""
        try:
            rows = files.read_file(file.read_bytes(), shipper=shipper)
            sender = Sender("import_shipments", Source.IMPORT, shipper)
            with transaction.atomic():
                taken = intake.upsert(rows, sender=sender, now=timezone.now(), told=self._bar(len(rows)))
                if dry_run:
                    transaction.set_rollback(True)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}") from error
        except RowsRefusedError as refusal:
            for fault in refusal.faults[:_SHOWN]:
                self.stderr.write(f"row {fault.row}, {fault.field}: {fault.message}")
            raise CommandError(f"{len(refusal.faults)} faults; nothing was taken") from refusal
        except ShipmentError as refusal:
            raise CommandError(f"{refusal} Nothing was taken.") from refusal
        counts = Counter(one.result for one in taken)
        said = ", ".join(f"{counts[result]} {result.value}" for result in Result)
        self.stdout.write(f"{said} (nothing was written)" if dry_run else said)
        for one in [one for one in taken if one.kept][:_SHOWN]:
            self.stdout.write(f"row {one.row.number}, {one.row.tracking_id}: stays {', '.join(one.kept)}")

    def _bar(self, total: int) -> Any:
        """Return what draws how far it has come, each time on the same line."""

        def draw(done: int) -> None:
            full = _WIDTH * done // max(total, 1)
            bar = "█" * full + "░" * (_WIDTH - full)
            self.stderr.write(f"\r{bar} {done:,} of {total:,}", ending="" if done < total else "\n")
            self.stderr.flush()

        return draw
