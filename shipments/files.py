"""Read parcels from a file that a spreadsheet wrote, and write one that no spreadsheet takes for formulas."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

from shipments.errors import Fault, FileRefusedError, RowsRefusedError
from shipments.manifest import ParcelIn, Row, read_rows
from shipments.models import Shipment

COLUMNS = tuple(ParcelIn().fields)
"""What a file may say of a parcel, by the names of the API."""
_NEEDED = tuple(name for name, field in ParcelIn().fields.items() if field.required)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would compute."""
_EXPORTED = (
    *("tracking_id", "shipper", "recipient_name", "phone", "status", "substatus"),
    *("neighbourhood", "city", "country", "landmark", "depot", "promised_start", "promised_end"),
    *("attempts", "created_at", "updated_at"),
)


def read_file(content: bytes, *, shipper: str = "") -> list[Row]:
    """Return the parcels of a CSV file, checked: all of them or none; rows are numbered as spreadsheets do.

    Raises:
        FileRefusedError: it is no CSV in UTF-8, or its first row does not name the columns.
        RowsRefusedError: with what is wrong in which row.
    """
    try:
        text = content.decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text, newline=""), _dialect(text), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileRefusedError("That is no CSV file in UTF-8.") from error
    header = [name.strip().lower() for name in lines[0]] if lines else []
    wrong = [Fault(1, name, "There is no such column.") for name in header if name not in COLUMNS]
    wrong += [Fault(1, name, "This column is needed.") for name in _NEEDED if name not in header]
    wrong += [
        Fault(1, name, "This column is there twice.")
        for place, name in enumerate(header)
        if name in header[:place]
    ]
    if wrong:
        raise RowsRefusedError(wrong)
    return read_rows(_cells(header, lines), shipper=shipper)


def _dialect(text: str) -> type[csv.Dialect]:
    """Return how cells are parted: some countries' spreadsheets write semicolons."""
    first = text.partition("\n")[0]

    class Parted(csv.excel):
        delimiter = ";" if first.count(";") > first.count(",") else ","

    return Parted


def _cells(header: list[str], lines: list[list[str]]) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(lines[1:], start=2):
        cells = [_bare(cell.strip()) for cell in line]
        if not any(cells):
            continue
        beyond = {f"column {place + 1}": cell for place, cell in enumerate(cells) if place >= len(header)}
        named = dict(zip(header, cells, strict=False)) | beyond
        yield number, {name: cell for name, cell in named.items() if cell}


def _bare(cell: str) -> str:
    """Return a cell as it was before `guarded` had it."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in _FORMULA else cell


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet computes."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def write_file(shipments: Iterable[Shipment], phones: Mapping[int, str]) -> str:
    """Return parcels as a CSV file; `phones` gives each number as it may be shown, by the parcel's key."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(_EXPORTED)
    for shipment in shipments:
        address = shipment.address
        values: dict[str, object] = {
            "phone": phones[shipment.pk],
            "depot": shipment.depot,
            "neighbourhood": address.neighbourhood,
            "city": address.city,
            "country": address.country,
            "landmark": address.landmark,
        }
        cells = (values.get(name, getattr(shipment, name, None)) for name in _EXPORTED)
        writer.writerow(["" if cell is None else guarded(str(cell)) for cell in cells])
    return written.getvalue()
