"""Who takes several parcels takes them in one order, so that no two wait for each other."""

from collections.abc import Callable, Sequence
from functools import partial
from threading import Event

import pytest
from django.db import connection, transaction

from shipments import intake
from shipments.depots import DeliverySlot
from shipments.intake import Result
from shipments.manifest import Row, read_rows
from shipments.models import Shipment
from shipments.riders import Stop
from shipments.statuses import Status
from tests.rivals import at_once, until_waited_for
from tests.shipments.builders import NOW, TODAY, a_depot, a_slot
from tests.shipments.reported import agreed, late
from tests.shipments.test_intake import WAREHOUSE, a_row
from tests.shipments.test_rounds import a_driver

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer and no row locks"),
]
BATCH = intake.ROWS


def sent(count: int, first: int = 0, **fields: object) -> list[Row]:
    """Return so many rows of parcels."""
    bodies = (a_row(tracking_id=f"EX-{number:05}", **fields) for number in range(first, first + count))
    return read_rows(enumerate(bodies, start=1))


def load(file: Sequence[Row], told: Callable[[int], object] = lambda _: None) -> set[Result]:
    return {one.result for one in intake.upsert(file, sender=WAREHOUSE, now=NOW, told=told)}


def both(*files: Sequence[Row]) -> list[object]:
    """Load two files at once, which meet when each has a thousand rows, if one does not wait before."""
    first, second = Event(), Event()

    def one(file: Sequence[Row], mine: Event, other: Event) -> set[Result]:
        def meet(done: int) -> None:
            if done == BATCH:
                mine.set()
                until_waited_for(other)

        try:
            return load(file, meet)
        finally:
            mine.set()

    return list(at_once(partial(one, files[0], first, second), partial(one, files[1], second, first)))


def test_two_files_of_the_same_parcels_in_opposite_order_are_both_loaded():
    load(sent(2 * BATCH))
    changed = sent(2 * BATCH, landmark="by the kiosk")

    results = both(changed, changed[::-1])

    assert sorted(results, key=str) == [{Result.UNCHANGED}, {Result.UPDATED}]
    assert Shipment.objects.filter(version=2, address__landmark="by the kiosk").count() == 2 * BATCH


def test_two_files_of_the_same_new_parcels_in_opposite_order_are_both_loaded():
    new = sent(2 * BATCH)

    results = both(new, new[::-1])

    assert sorted(results, key=str) == [{Result.CREATED}, {Result.UNCHANGED}]
    assert Shipment.objects.count() == 2 * BATCH


def test_two_files_that_give_back_places_of_the_same_windows_are_both_loaded():
    depot, _ = a_depot(name="Westlands"), a_depot(name="Industrial Area")
    slots = [a_slot(depot, capacity=4, booked=2), a_slot(depot, capacity=4, booked=2, start=14, end=17)]
    files = [sent(BATCH + 1, first, depot="Westlands") for first in (0, 5_000)]
    for file, (begins, ends) in zip(files, (slots, slots[::-1]), strict=True):
        load(file)
        for row, slot in ((file[0], begins), (file[-1], ends)):
            Shipment.objects.filter(tracking_id=row.tracking_id).update(slot=slot)
    moved = [sent(BATCH + 1, first, depot="Industrial Area") for first in (0, 5_000)]

    results = both(*moved)

    assert results == [{Result.UPDATED}] * 2
    assert list(DeliverySlot.objects.values_list("booked", flat=True)) == [0, 0]


def test_a_file_and_a_driver_who_is_late_do_not_wait_for_each_other():
    file = sent(BATCH + 1)
    load(file)
    driver = a_driver()
    Shipment.objects.update(status=Status.OUT_FOR_DELIVERY, eta_at=NOW)
    for position, row in enumerate((file[0], file[-1]), 1):
        parcel = Shipment.objects.get(tracking_id=row.tracking_id)
        Stop.objects.create(driver=driver, shipment=parcel, date=TODAY, position=position)
    ref = late(driver)
    loading, reported = Event(), Event()

    def report() -> dict[str, object]:
        loading.wait(10)
        try:
            return agreed(driver, ref)
        finally:
            reported.set()

    def hold(done: int) -> None:
        if done == BATCH:
            loading.set()
            until_waited_for(reported)

    told, loaded = at_once(report, partial(load, file[::-1], hold))

    assert loaded == {Result.UNCHANGED}
    assert told == {"say": "I have moved the times of 2 stops by 20 minutes.", "minutes": 20, "stops": 2}


def test_a_stop_is_planned_while_its_parcel_is_locked():
    load(sent(1))
    parcel, driver = Shipment.objects.get(), a_driver()
    locked, planned = Event(), Event()

    def hold() -> bool:
        with transaction.atomic():
            Shipment.objects.locked().get()
            locked.set()
            until_waited_for(planned)
            return planned.is_set()

    def plan() -> None:
        locked.wait(10)
        Stop.objects.create(driver=driver, shipment=parcel, date=TODAY, position=1)
        planned.set()

    assert at_once(hold, plan) == [True, None]
