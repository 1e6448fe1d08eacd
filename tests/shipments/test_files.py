"""A file of parcels is taken whole or not at all, its faults told by their rows, and none computes."""

import csv
import io
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from shipments import files, loading
from shipments.audit import AuditEntry
from shipments.errors import FileRefusedError, RowsRefusedError
from shipments.handovers import ParcelFile
from shipments.models import Shipment, TrackingEvent
from shipments.statuses import Source
from tests.shipments.builders import AMINA, NOW, a_parcel, an_address
from tests.test_roles import ROLES, logged_in

pytestmark = pytest.mark.django_db
HEADER = "tracking_id,recipient_name,phone,city,country,landmark\n"
ROW = "EX-1001,Amina Sample,0700 000 001,Nairobi,KE,opposite the kiosk\n"
GOOD = (HEADER + ROW).encode()


def refused(content: str | bytes) -> list[tuple[int, str]]:
    """Return the rows and fields that a file is refused for."""
    with pytest.raises(RowsRefusedError) as refusal:
        files.read_file(content if isinstance(content, bytes) else content.encode())
    return [(fault.row, fault.field) for fault in refusal.value.faults]


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        b"\xef\xbb\xbf" + GOOD,
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b",", b";"),
        GOOD.replace(b"tracking_id", b" Tracking_ID "),
        GOOD + b"\n,,,,,\n",
        GOOD.replace(b"opposite the kiosk", b'"opposite\nthe ""kiosk"""'),
    ],
)
def test_a_file_is_read_as_spreadsheets_write_it(content):
    [row] = files.read_file(content)

    assert (row.number, row.tracking_id, row.values["phone"]) == (2, "EX-1001", AMINA)


def test_faults_are_told_by_the_rows_of_the_spreadsheet():
    text = HEADER + ROW + "\n" + ROW.replace("EX-1001", "EX-2").replace("KE", "Kenya") + ROW

    assert refused(text) == [(4, "country"), (5, "tracking_id")]


def test_a_row_with_more_cells_than_there_are_columns_is_wrong():
    assert refused(HEADER + ROW.strip() + ",what is this\n") == [(2, "column 7")]


def test_columns_that_are_not_known_missing_or_there_twice_are_told_before_all_rows():
    header = "tracking_id,recipient_name,phone,city,city,colour\n"

    assert refused(header + "EX-1,A,0700000001,Nairobi,Nairobi,red\n") == [
        (1, "colour"),
        (1, "country"),
        (1, "city"),
    ]
    assert {row for row, _ in refused("")} == {1}


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", GOOD + b'"open', GOOD + b"a" * 200_000, b"PK\x03\x04\x80"],
)
def test_what_is_no_csv_is_refused(content):
    with pytest.raises((FileRefusedError, RowsRefusedError)):
        files.read_file(content)


@pytest.mark.parametrize("cell", ["=1+1", "+254", "-1", "@SUM(A1)", "\tx", "\rx", "=HYPERLINK(1)"])
def test_no_cell_is_a_formula_and_it_is_read_back_as_it_was(cell):
    parcel = a_parcel(recipient_name=cell, address=an_address(landmark=cell))

    text = files.write_file([parcel], {parcel.pk: "••• 001"})

    [row] = list(csv.DictReader(io.StringIO(text)))
    assert row["recipient_name"] == f"'{cell}"
    assert row["landmark"] == f"'{cell}"
    assert files._bare(row["landmark"]) == cell


def test_a_shell_takes_a_file_in_and_says_what_it_did(tmp_path, capsys):
    path = tmp_path / "parcels.csv"
    path.write_bytes(GOOD)

    call_command("import_shipments", str(path), "--dry-run")
    assert not Shipment.objects.exists()
    call_command("import_shipments", str(path))
    call_command("import_shipments", str(path))

    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "1 created, 0 updated, 0 unchanged (nothing was written)",
        "1 created, 0 updated, 0 unchanged",
        "0 created, 0 updated, 1 unchanged",
    ]
    assert "1 of 1" in said.err
    assert TrackingEvent.objects.get().source == Source.IMPORT


def test_a_shell_takes_nothing_of_a_file_with_a_fault(tmp_path, capsys):
    path = tmp_path / "parcels.csv"
    path.write_text(HEADER + ROW + ROW.replace("EX-1001", "EX-2").replace("0700 000 001", "ring"))

    with pytest.raises(CommandError, match="1 faults; nothing was taken"):
        call_command("import_shipments", str(path))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_shipments", str(tmp_path / "nowhere.csv"))

    assert "row 3, phone: That is no telephone number." in capsys.readouterr().err
    assert not Shipment.objects.exists()


def sent(desk, content: bytes):
    """Offer a file on the page."""
    return desk.post(
        reverse("admin:shipments_parcelfile_add"), {"file": SimpleUploadedFile("parcels.csv", content)}
    )


def test_a_supervisor_looks_at_what_a_file_would_do_and_then_takes_it_in_once():
    desk, order = logged_in("Supervisor"), {"_form_submitted": "True"}

    answer = sent(desk, GOOD)
    file = ParcelFile.objects.get()
    page = desk.get(answer["Location"]).content.decode()
    nothing_yet = Shipment.objects.count()
    take = reverse("admin:shipments_parcelfile_take_in", args=[file.pk])
    first, again = desk.post(take, order), desk.post(take, order)

    file.refresh_from_db()
    assert (file.created, nothing_yet) == (1, 0)
    assert "parcels.csv" in page
    assert (first.status_code, again.status_code) == (204, 403)
    assert (Shipment.objects.count(), file.taken_by) == (1, "supervisor 0")
    assert AuditEntry.objects.get(verb="take_file").after == {"created": 1, "updated": 0, "unchanged": 0}
    assert AuditEntry.objects.get(verb="book").actor == "supervisor 0"


def test_the_page_shows_the_first_rows_with_what_would_become_of_each():
    desk = logged_in("Supervisor")
    sent(desk, GOOD)
    loading.take_in(file_id=ParcelFile.objects.get().pk, by="mary", now=timezone.now())
    more = [ROW.replace("EX-1001", f"EX-2{number:03}") for number in range(25)]

    page = desk.get(sent(desk, GOOD + "".join(more).encode())["Location"]).content.decode()

    first = ParcelFile.objects.latest("pk").first_rows
    assert [(one["row"], one["tracking_id"], one["result"]) for one in first[:2]] == [
        ("2", "EX-1001", "unchanged"),
        ("3", "EX-2000", "created"),
    ]
    assert len(first) == 20
    assert "EX-2018" in page
    assert "EX-2019" not in page
    assert "••• 001" in page
    assert AMINA not in f"{page}{first}"


def test_the_page_names_the_rows_that_are_wrong_and_keeps_nothing():
    shown = sent(logged_in("Supervisor"), GOOD + ROW.encode()).content.decode()

    assert "Row 3, tracking_id: This is the tracking id of row 2." in shown
    assert not ParcelFile.objects.exists()
    assert not Shipment.objects.exists()


def test_a_file_that_would_hold_up_calls_is_for_the_shell():
    many = HEADER + "".join(ROW.replace("1001", str(number)) for number in range(loading.ROWS + 1))

    with pytest.raises(FileRefusedError, match="import_shipments"):
        loading.offer(name="a.csv", content=many.encode(), by="mary", now=NOW)


def test_two_clicks_take_a_file_in_once():
    file = loading.offer(name="a.csv", content=GOOD, by="mary", now=NOW)

    done = [loading.take_in(file_id=file.pk, by="mary", now=NOW) for _ in range(2)]

    assert done == [True, False]
    assert TrackingEvent.objects.count() == 1


def test_only_supervisors_bring_files_and_write_them():
    parcel = a_parcel(recipient_name="=1+1")
    order = {"action": "export", "_selected_action": [parcel.pk]}

    pages = [logged_in(role).get(reverse("admin:shipments_parcelfile_add")).status_code for role in ROLES]
    exports = {
        role: logged_in(role).post(reverse("admin:shipments_shipment_changelist"), order) for role in ROLES
    }

    assert pages == [403, 200, 403]
    assert [exports[role].headers["Content-Type"].startswith("text/csv") for role in ROLES] == [
        *(False, True, False)
    ]
    text = exports["Supervisor"].content.decode()
    assert "'=1+1" in text
    assert AMINA not in text
    assert AuditEntry.objects.get(verb="export").after == {"rows": 1}


def test_what_is_in_a_file_is_forgotten_after_a_day():
    taken = loading.offer(name="a.csv", content=GOOD, by="mary", now=timezone.now())
    loading.offer(name="b.csv", content=GOOD, by="mary", now=timezone.now())
    loading.take_in(file_id=taken.pk, by="mary", now=timezone.now())

    assert loading.purge(timezone.now()) == 0
    assert loading.purge(timezone.now() + timedelta(days=2)) == 2

    kept = ParcelFile.objects.get()
    assert (kept.name, bytes(kept.content), kept.first_rows) == ("a.csv", b"", [])
