"""Parcels come in once, all of a batch or none, and what the recipient chose stands against a file."""

from threading import Barrier, Thread

import pytest
from django.db import connection

from shipments import intake
from shipments.audit import AuditEntry
from shipments.depots import DeliverySlot
from shipments.errors import ReferenceTakenError, RowsRefusedError
from shipments.intake import Result, Sender
from shipments.manifest import read_rows
from shipments.models import Address, DeliveryChange, Shipment, TrackingEvent
from shipments.signals import parcels_taken_in
from shipments.statuses import ChangeKind, ChangeState, Source, Status
from tests.shipments.builders import AMINA, BRIAN, NOW, a_depot, a_parcel, a_slot

pytestmark = pytest.mark.django_db
WAREHOUSE = Sender("api warehouse", Source.CARRIER)


def a_row(**fields):
    """Return a parcel as a system sends it."""
    return {
        "tracking_id": "EX-1001",
        "shipper": "Example Books",
        "recipient_name": "Amina Sample",
        "phone": "0700 000 001",
        "city": "Nairobi",
        "country": "KE",
        "landmark": "opposite the Sunbird petrol station",
    } | fields


def rows(*sent, shipper=""):
    return read_rows(enumerate(sent, start=1), shipper=shipper)


def booked(**fields) -> Shipment:
    intake.book(rows(a_row(**fields))[0], sender=WAREHOUSE, now=NOW)
    return Shipment.objects.get(tracking_id=fields.get("tracking_id", "EX-1001"))


def upsert(*sent, sender=WAREHOUSE):
    return intake.upsert(rows(*sent, shipper=sender.shipper), sender=sender, now=NOW)


def test_a_parcel_comes_in_with_its_event_and_who_sent_it():
    depot = a_depot(name="Westlands", time_zone="Africa/Kampala")

    parcel = booked(depot="Westlands", cod_minor=150_000, cod_currency="KES", delivery_code="4279")

    event, entry = TrackingEvent.objects.get(), AuditEntry.objects.get()
    assert (parcel.phone, parcel.status, parcel.depot, parcel.time_zone) == (
        AMINA,
        Status.INFO_RECEIVED,
        depot,
        "Africa/Kampala",
    )
    assert (parcel.address.landmark, parcel.tracking_key) == ("opposite the Sunbird petrol station", "EX1001")
    assert parcel.is_pin("4279")
    assert (event.actor, event.source, event.status) == (
        "api warehouse",
        Source.CARRIER,
        Status.INFO_RECEIVED,
    )
    assert (entry.actor, entry.verb, entry.object_id) == ("api warehouse", "book", "EX-1001")
    assert "4279" not in f"{entry.after}"


def test_the_same_parcel_again_changes_nothing():
    booked()

    again = intake.book(rows(a_row(phone="+254 700 000 001"))[0], sender=WAREHOUSE, now=NOW)

    assert again is Result.UNCHANGED
    assert TrackingEvent.objects.count() == AuditEntry.objects.count() == Shipment.objects.count() == 1


def test_it_is_still_the_same_after_it_was_moved():
    parcel = booked()
    Shipment.objects.filter(pk=parcel.pk).update(status=Status.DELIVERED, promised_start=NOW)

    assert intake.book(rows(a_row())[0], sender=WAREHOUSE, now=NOW) is Result.UNCHANGED


@pytest.mark.parametrize("other", [{"phone": BRIAN}, {"landmark": ""}, {"delivery_code": "4279"}])
def test_another_parcel_under_the_same_reference_is_refused(other):
    booked()

    with pytest.raises(ReferenceTakenError):
        intake.book(rows(a_row(**other))[0], sender=WAREHOUSE, now=NOW)

    assert Shipment.objects.get().phone == AMINA


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_same_parcel_sent_twice_at_once_is_one():
    sent, together, found = rows(a_row())[0], Barrier(2), []

    def send() -> None:
        together.wait(10)
        try:
            found.append(intake.book(sent, sender=WAREHOUSE, now=NOW))
        finally:
            connection.close()

    threads = [Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(found) == [Result.CREATED, Result.UNCHANGED]
    assert Shipment.objects.count() == TrackingEvent.objects.count() == Address.objects.count() == 1


def test_a_batch_creates_updates_and_leaves_alone():
    booked(tracking_id="EX-1")
    booked(tracking_id="EX-2")

    taken = upsert(
        a_row(tracking_id="EX-1"),
        a_row(tracking_id="EX-2", landmark="by the kiosk"),
        a_row(tracking_id="EX-3"),
    )

    assert [one.result for one in taken] == [Result.UNCHANGED, Result.UPDATED, Result.CREATED]
    changed = Shipment.objects.select_related("address").get(tracking_id="EX-2")
    assert (changed.version, changed.address.landmark) == (2, "by the kiosk")
    assert TrackingEvent.objects.filter(shipment=changed).count() == 2
    assert Address.objects.count() == 3  # the old place is nobody's any more


def test_an_address_that_two_parcels_share_is_changed_for_one():
    first = booked(tracking_id="EX-1")
    second = a_parcel(address=first.address)

    upsert(a_row(tracking_id="EX-1", landmark="by the kiosk"))

    second.refresh_from_db()
    assert second.address.landmark == "opposite the Sunbird petrol station"


def test_a_window_that_the_recipient_chose_stands_against_a_file():
    depot = a_depot(name="Westlands")
    slot = a_slot(depot, booked=1)
    parcel = booked(depot="Westlands", promised_start="2026-11-25T06:00Z", promised_end="2026-11-25T09:00Z")
    Shipment.objects.update(slot=slot, promised_start=slot.starts_at, promised_end=slot.ends_at)

    [taken] = upsert(
        a_row(
            depot="Westlands",
            landmark="by the kiosk",
            promised_start="2026-11-25T06:00Z",
            promised_end="2026-11-25T09:00Z",
        )
    )

    parcel.refresh_from_db()
    assert taken.kept == ("promised_start", "promised_end")
    assert (parcel.slot, parcel.promised_start) == (slot, slot.starts_at)
    assert parcel.address.landmark == "by the kiosk"


def test_a_parcel_that_goes_to_another_depot_gives_its_place_back():
    slot = a_slot(a_depot(name="Westlands"), booked=1)
    a_depot(name="Industrial Area")
    parcel = booked(depot="Westlands")
    Shipment.objects.update(slot=slot, promised_start=slot.starts_at, promised_end=slot.ends_at)

    upsert(a_row(depot="Industrial Area"))

    parcel.refresh_from_db()
    assert (parcel.slot, parcel.promised_start) == (None, None)
    assert DeliverySlot.objects.get(pk=slot.pk).booked == 0


@pytest.mark.parametrize(
    ("kind", "stays"),
    [
        (ChangeKind.ADDRESS_CHANGE, ("address",)),
        (ChangeKind.HOLD_FOR_PICKUP, ("promised_start", "promised_end")),
    ],
)
def test_a_wish_that_was_carried_out_stands_against_a_file(kind, stays):
    parcel = booked(landmark="by the church")
    DeliveryChange.objects.create(
        shipment=parcel,
        kind=kind,
        state=ChangeState.APPLIED,
        idempotency_key="a wish",
        shipment_version=1,
        created_at=NOW,
        expires_at=NOW,
    )
    window = {"promised_start": "2026-11-25T06:00Z", "promised_end": "2026-11-25T09:00Z"}
    sent = window if kind == ChangeKind.HOLD_FOR_PICKUP else {}

    [taken] = upsert(a_row(landmark="by the church" if sent else "by the kiosk", cod_minor=0, **sent))

    parcel.refresh_from_db()
    assert taken.kept == stays
    assert parcel.address.landmark == "by the church"
    assert parcel.promised_start is None


def test_a_row_does_not_move_a_parcel():
    booked()
    Shipment.objects.update(status=Status.DELIVERED)

    [taken] = upsert(a_row(landmark="by the kiosk"))

    assert taken.kept == ("status",)
    assert Shipment.objects.get().status == Status.DELIVERED


def test_nothing_is_written_when_one_row_is_wrong_and_each_is_named():
    a_depot(name="Westlands")

    with pytest.raises(RowsRefusedError) as refusal:
        upsert(
            a_row(tracking_id="EX-1"),
            a_row(tracking_id="EX-2", phone="ring me", country="Kenya"),
            a_row(tracking_id="EX-1", depot="Nowhere"),
            a_row(tracking_id="EX-1", colour="red"),
            a_row(tracking_id="EX-1"),
            "no row at all",
        )

    assert [(fault.row, fault.field) for fault in refusal.value.faults] == [
        *((2, "country"), (3, "depot"), (4, "colour"), (5, "tracking_id"), (6, "")),
    ]
    assert not Shipment.objects.exists()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"phone": "12"}, "phone"),
        ({"tracking_id": "EX 1"}, "tracking_id"),
        ({"tracking_id": "E/1001"}, "tracking_id"),
        ({"recipient_name": "a\x00b"}, "recipient_name"),
        ({"time_zone": "Africa/Nowhere"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"promised_start": "2026-11-25T06:00Z"}, "promised_end"),
        (
            {"promised_start": "2026-11-25T06:00Z", "promised_end": "2026-11-25T05:00Z"},
            "promised_end",
        ),
        ({"cod_minor": 5}, "cod_currency"),
        ({"cod_minor": 2**60, "cod_currency": "KES"}, "cod_minor"),
        ({"delivery_code": "12"}, "delivery_code"),
        ({"latitude": 91}, "latitude"),
        ({"status": "lost"}, "status"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(fields, field):
    with pytest.raises(RowsRefusedError) as refusal:
        rows(a_row(**fields))

    assert [fault.field for fault in refusal.value.faults] == [field]


def test_a_sender_of_one_shipper_touches_no_other_shippers_parcel():
    booked(tracking_id="EX-1", shipper="Sample Shoes")
    books = Sender("api books", Source.CARRIER, "Example Books")

    with pytest.raises(RowsRefusedError) as refusal:
        upsert(a_row(tracking_id="EX-2"), a_row(tracking_id="EX-1"), sender=books)
    with pytest.raises(ReferenceTakenError):
        intake.book(rows(a_row(tracking_id="EX-1"))[0], sender=books, now=NOW)

    assert [(fault.row, fault.field) for fault in refusal.value.faults] == [(2, "tracking_id")]
    assert Shipment.objects.count() == 1


def test_a_thousand_parcels_are_a_few_statements(django_assert_max_num_queries):
    sent = [a_row(tracking_id=f"EX-{number}") for number in range(1_000)]
    read = rows(*sent)

    with django_assert_max_num_queries(80):  # on SQLite, which takes few values at once; else ten
        intake.upsert(read, sender=WAREHOUSE, now=NOW)

    assert Shipment.objects.count() == TrackingEvent.objects.count() == 1_000


def test_each_row_of_another_shippers_parcel_is_told_wherever_in_a_file_it_stands():
    numbers = (2_099, 1_000)
    for number in numbers:
        booked(tracking_id=f"EX-{number}", shipper="Sample Shoes")
    sent = rows(*(a_row(tracking_id=f"EX-{number}") for number in range(2_099, 999, -1)))

    with pytest.raises(RowsRefusedError) as refusal:
        intake.upsert(sent, sender=Sender("import", Source.IMPORT, "Example Books"), now=NOW)

    assert [fault.row for fault in refusal.value.faults] == [1, 1_100]
    assert Shipment.objects.count() == 2


def test_a_file_is_answered_in_its_own_order():
    booked(tracking_id="EX-2")

    taken = upsert(*(a_row(tracking_id=f"EX-{number}") for number in (3, 2, 1)))

    assert [(one.row.number, one.row.tracking_id, one.result) for one in taken] == [
        (1, "EX-3", Result.CREATED),
        (2, "EX-2", Result.UNCHANGED),
        (3, "EX-1", Result.CREATED),
    ]


def test_a_file_is_loaded_whole_or_not_at_all():
    booked(tracking_id="EX-1999", shipper="Sample Shoes")
    sent = rows(
        *(a_row(tracking_id=f"EX-{number}") for number in range(1_000, 2_100)), shipper="Example Books"
    )
    told: list[int] = []

    with pytest.raises(RowsRefusedError):
        intake.upsert(
            sent, sender=Sender("import", Source.IMPORT, "Example Books"), now=NOW, told=told.append
        )

    assert told == []
    assert Shipment.objects.count() == 1

    intake.upsert(sent, sender=Sender("import", Source.IMPORT), now=NOW, told=told.append)

    assert told == [1_000, 1_100]


@pytest.mark.django_db(transaction=True)
def test_the_world_is_told_once_of_all():
    heard: list[list[int]] = []

    def listen(*, shipment_ids, **_):
        heard.append(shipment_ids)

    parcels_taken_in.connect(listen)
    try:
        upsert(a_row(tracking_id="EX-1"), a_row(tracking_id="EX-2"))
        upsert(a_row(tracking_id="EX-1"), a_row(tracking_id="EX-2"))
    finally:
        parcels_taken_in.disconnect(listen)

    assert heard == [list(Shipment.objects.order_by("pk").values_list("pk", flat=True))]
