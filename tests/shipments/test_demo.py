"""The demonstration's day: as drawn, and as written."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.forms.models import model_to_dict
from django.utils import timezone

from shipments import demo, enquiries, rescheduling, round_reports, rounds
from shipments.depots import DeliverySlot
from shipments.models import Address, DeliveryChange, Shipment, TrackingEvent
from shipments.phones import normalise
from shipments.proofs import try_pin, try_shift_pin
from shipments.riders import Driver, Stop
from shipments.statuses import Status
from shipments.telling import find_own
from shipments.tracking import check_character
from tests.shipments.builders import NOW, a_parcel

SATURDAY_NIGHT = datetime(2026, 11, 28, 21, 55, tzinfo=UTC)


def seed(*args) -> str:
    out = StringIO()
    call_command("seed_demo", *args, stdout=out)
    return out.getvalue()


def rows() -> dict[str, list]:
    hidden = ("eta_at", "eta_computed_at", "version")  # they move with the clock
    models = (Shipment, Address, DeliverySlot, TrackingEvent)
    fields = {
        model.__name__: [model_to_dict(row) for row in model.objects.order_by("pk")] for model in models
    }
    return {
        name: [{k: v for k, v in row.items() if k not in hidden} for row in found]
        for name, found in fields.items()
    }


# As drawn


def test_one_seed_draws_one_day():
    assert demo.parcels(7, NOW) == demo.parcels(7, NOW + timedelta(minutes=9))
    assert demo.parcels(7, NOW) != demo.parcels(8, NOW)


def test_another_seed_changes_neither_parcels_nor_people():
    ones, others = demo.parcels(1, NOW), demo.parcels(2, NOW)

    assert [(p.tracking_id, p.phone, p.status) for p in ones] == [
        (p.tracking_id, p.phone, p.status) for p in others
    ]


@pytest.mark.parametrize("now", [NOW, SATURDAY_NIGHT])
def test_parcels_are_plausible(now):
    parcels = demo.parcels(3, now)

    assert len({p.tracking_id for p in parcels}) == len(parcels)
    assert {p.city.name for p in parcels} == {"Nairobi", "Lagos", "Accra", "Kampala"}
    for parcel in parcels:
        assert check_character(parcel.tracking_id[:-1]) == parcel.tracking_id[-1]
        assert normalise(parcel.phone, "KE") == parcel.phone
        assert "000000" in parcel.phone or "00000" in parcel.phone
        assert all(event.at <= now for event in parcel.events)
        assert parcel.events == tuple(sorted(parcel.events, key=lambda event: event.at))
        assert parcel.events[-1].status == parcel.status
        assert parcel.eta_at is None or parcel.eta_at > now
        assert parcel.promised is None or parcel.promised[0] > now


@pytest.mark.parametrize("hour", range(24))
def test_at_any_hour_of_the_day_parcels_come_and_have_come_by_day(hour):
    now = NOW.replace(hour=hour, minute=35)

    for parcel in demo.parcels(3, now):
        zone = ZoneInfo(parcel.city.time_zone)
        done = [event.at for event in parcel.events]
        for at in (*done, *filter(None, [parcel.eta_at])):
            assert demo.STARTS <= at.astimezone(zone).time() <= demo.ENDS
        assert done == sorted(set(done))
        assert now - timedelta(hours=10) <= done[-1] <= now
        assert parcel.eta_at is None or now < parcel.eta_at < now + timedelta(hours=14)
        if parcel.promised is not None:
            start, end = (at.astimezone(zone) for at in parcel.promised)
            assert start > now
            assert (start.time(), end.time()) in demo.WINDOWS


@pytest.mark.parametrize("hour", range(24))
def test_at_any_hour_of_the_day_each_round_begins_at_a_gate_with_a_code(hour):
    parcels = demo.parcels(3, NOW.replace(hour=hour, minute=35))

    for city in demo.CITIES:
        due = {p.eta_at: p.person for p in parcels if p.city == city and p.eta_at is not None}
        assert due[min(due)].access_code


@pytest.mark.parametrize("seed_number", range(20))
def test_every_working_day_has_a_free_window_and_no_sunday_has_any(seed_number):
    for city in demo.CITIES:
        planned = demo.slots(seed_number, city, NOW.date())

        free = {slot.date for slot in planned if slot.booked < demo.CAPACITY}
        assert free == {slot.date for slot in planned}
        assert len(free) == 7
        assert all(day.weekday() != 6 for day in free)


# As written


@pytest.mark.django_db
def test_the_list_has_what_a_caller_needs():
    listed = json.loads(seed("--json"))

    assert {frozenset(parcel) for parcel in listed} == {
        frozenset({"tracking_id", "phone", "name", "status", "delivery_code"})
    }
    assert listed[0] == {
        "tracking_id": Shipment.objects.order_by("pk")[0].tracking_id,
        "phone": "+254700000001",
        "name": "Amina Otieno",
        "status": "out_for_delivery",
        "delivery_code": "6017",
    }
    assert Shipment.objects.count() == len(listed)


@pytest.mark.django_db
def test_each_parcel_has_the_delivery_code_that_is_printed_and_seeding_again_forgives_wrong_ones():
    listed = json.loads(seed("--json"))
    Shipment.objects.update(pin_failures=10)

    seed()

    for one in listed:
        assert try_pin(Shipment.objects.get(tracking_id=one["tracking_id"]).pk, one["delivery_code"])


@pytest.mark.django_db
def test_all_parcels_are_marked_and_no_user_is_made():
    seed()

    assert not Shipment.objects.filter(is_demo=False).exists()
    assert not get_user_model().objects.exists()


@pytest.mark.django_db
def test_it_can_be_run_twice():
    seed()
    before = rows()

    seed()

    assert rows() == before


@pytest.mark.django_db
def test_running_it_again_puts_a_moved_parcel_back():
    seed()
    before = rows()
    shipment = Shipment.objects.get(phone="+254700000002")
    now = timezone.now()
    offered = enquiries.offer_slots(find_own(shipment.phone, ""), day=None, now=now)["slots"]
    assert isinstance(offered, list)
    proposed = rescheduling.prepare_reschedule(
        find_own(shipment.phone, ""),
        day=offered[0]["day"],
        window=offered[0]["window"],
        call_public_id="call",
        key="k",
        now=now,
    )
    rescheduling.confirm_reschedule(
        number=shipment.phone, change_id=str(proposed["change_id"]), call_public_id="call", now=now
    )
    assert rows() != before

    seed()

    assert {**rows(), "TrackingEvent": None} == {**before, "TrackingEvent": None}
    assert Shipment.objects.get(pk=shipment.pk).version == 3
    assert DeliveryChange.objects.count() == 1


@pytest.mark.django_db
def test_the_callers_of_the_demonstration_are_understood():
    listed = json.loads(seed("--json", "--seed", "42"))
    on_the_road = next(p for p in listed if p["status"] == Status.OUT_FOR_DELIVERY)
    now = timezone.now()

    by_number = enquiries.track(number=on_the_road["phone"], said_id=None, now=now)
    by_id = enquiries.track(
        number=on_the_road["phone"], said_id=" ".join(on_the_road["tracking_id"]), now=now
    )

    assert by_number == by_id
    assert by_number["status"] == "ok"
    assert "It should reach you" in str(by_number["say"])


@pytest.mark.django_db
def test_a_real_parcel_is_never_written_over():
    a_parcel(tracking_id=demo.parcels(1, NOW)[3].tracking_id)

    with pytest.raises(CommandError):
        seed()
    assert Shipment.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("seed_number", range(5))
def test_each_driver_is_on_shift_with_his_round_of_today_and_next_at_a_gate_with_a_code(seed_number):
    seed("--seed", str(seed_number))
    seed("--seed", str(seed_number))

    for driver in Driver.objects.all():
        stops = Stop.objects.round_of(driver.pk, timezone.now(), demo=True)
        due = [stop.shipment.eta_at for stop in stops if stop.shipment.eta_at is not None]
        assert [stop.position for stop in stops] == list(range(1, len(stops) + 1))
        assert len(due) == len(stops) >= 2
        assert due == sorted(due)
        assert stops[0].shipment.address.gate_code
        assert try_shift_pin(driver.pk, demo.SHIFT_PIN)
    assert Driver.objects.count() == len(demo.CITIES)


@pytest.mark.django_db
def test_running_it_again_puts_a_round_back():
    seed()
    driver = Driver.objects.get(name="Nairobi demo rider")
    now = timezone.now()
    wheel = rounds.AtWheel(driver.pk, driver.phone, "call", now, demo=True)
    before = rounds.next_stop(wheel)
    asked = round_reports.report_attempt(wheel, 1, "not_home", "key")
    round_reports.confirm(wheel, str(asked["change_id"]))
    for _ in range(10):
        try_shift_pin(driver.pk, "0000")
    Driver.objects.update(on_shift=False)

    seed()

    assert Stop.objects.round_of(driver.pk, now)[0].done_at is None
    assert {**rounds.next_stop(wheel), "say": ""} == {**before, "say": ""}
    assert try_shift_pin(driver.pk, demo.SHIFT_PIN)
