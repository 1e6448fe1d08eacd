"""Take in files that somebody offers at the desk: shown first, then done once; and write parcels to one."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction

from shipments import files, intake
from shipments.audit import AuditEntry
from shipments.errors import FileRefusedError
from shipments.handovers import ParcelFile
from shipments.intake import Result, Sender, Taken
from shipments.models import Shipment
from shipments.phones import masked
from shipments.statuses import Source

ROWS = intake.ROWS
"""How many rows a server takes without its calls noticing; more are for `manage.py import_shipments`."""
BYTES = 5_000_000
_KEPT = timedelta(days=1)
_SHOWN = 50
_FIRST = 20
_TOLD = ("tracking_id", "recipient_name", "phone", "neighbourhood", "city")


def offer(*, name: str, content: bytes, by: str, now: datetime) -> ParcelFile:
    """Look at what a file would do, and keep it for who then says that it shall be done; nothing is done.

    Raises:
        FileRefusedError: it cannot be read, or is longer than the desk takes.
        RowsRefusedError: with what is wrong in which row.
    """
    if len(content) > BYTES:
        raise FileRefusedError("That file is too large for this page: use manage.py import_shipments.")
    with transaction.atomic():
        taken = _load(content, by, now)
        transaction.set_rollback(True)
    return ParcelFile.objects.create(
        name=name[:200],
        content=content,
        offered_by=by[:120],
        offered_at=now,
        first_rows=[_row(one) for one in taken[:_FIRST]],
        **_counted(taken),
    )


def take_in(*, file_id: int, by: str, now: datetime) -> bool:
    """Take an offered file in, all of it; False when that was done already.

    Raises:
        ShipmentError: what is there has changed so that it cannot be taken any more.
    """
    with transaction.atomic():
        if not ParcelFile.objects.filter(pk=file_id, taken_at=None).update(taken_at=now, taken_by=by[:120]):
            return False
        offered = ParcelFile.objects.get(pk=file_id)
        counted = _counted(_load(bytes(offered.content), by, now))
        ParcelFile.objects.filter(pk=file_id).update(**counted)
        AuditEntry.objects.create(
            at=now,
            actor=by[:120],
            verb="take_file",
            object_kind="file",
            object_id=offered.name[:64],
            after={name: value for name, value in counted.items() if name != "kept"},
        )
    return True


def export(shipments: Sequence[Shipment], *, by: str, now: datetime) -> str:
    """Return parcels as a CSV file with masked numbers, and keep who had it written."""
    AuditEntry.objects.create(
        at=now,
        actor=by[:120],
        verb="export",
        object_kind="file",
        object_id="parcels.csv",
        after={"rows": len(shipments)},
    )
    return files.write_file(shipments, {shipment.pk: masked(shipment.phone) for shipment in shipments})


def purge(now: datetime) -> int:
    """Forget the content of files a day after they were offered; return how many."""
    old = ParcelFile.objects.filter(offered_at__lt=now - _KEPT)
    return old.filter(taken_at=None).delete()[0] + old.exclude(content=b"").update(content=b"", first_rows=[])


def _load(content: bytes, by: str, now: datetime) -> list[Taken]:
    rows = files.read_file(content)
    if len(rows) > ROWS:
        raise FileRefusedError(
            f"This page takes {ROWS:,} rows at once; for more there is manage.py import_shipments."
        )
    return intake.upsert(rows, sender=Sender(by, Source.IMPORT), now=now)


def _row(one: Taken) -> dict[str, str]:
    said = {name: str(one.row.values[name] or "") for name in _TOLD}
    return {"row": str(one.row.number), "result": one.result.value, **said, "phone": masked(said["phone"])}


def _counted(taken: Iterable[Taken]) -> dict[str, int | list[str]]:
    done = list(taken)
    counts = Counter(one.result for one in done)
    kept = [f"row {one.row.number}, {one.row.tracking_id}: {', '.join(one.kept)}" for one in done if one.kept]
    return {result.value: counts[result] for result in Result} | {"kept": kept[:_SHOWN]}
