"""What dispatchers order for parcels: by the telephone's rules, once, never past another's change."""

import pytest

from shipments import decisions, orders
from shipments.audit import AuditEntry
from shipments.depots import DeliverySlot
from shipments.errors import (
    AlreadyWaitingError,
    AttemptsUsedError,
    DeliveredError,
    HeldAlreadyError,
    NoSlotError,
    NotHereYetError,
    OutOfZoneError,
    OwnWishError,
    PlaceUnclearError,
    SlotFullError,
    StaleFormError,
    TooFarError,
)
from shipments.models import Address, DeliveryChange, Shipment
from shipments.orders import Order
from shipments.statuses import ChangeState, Source, Status, Substatus
from tests.rivals import at_once
from tests.shipments.builders import AMINA, BRIAN, FRIDAY, NOW, a_depot, a_parcel, a_slot, staff
from tests.shipments.test_two_at_once import confirming, kinds, prepare

pytestmark = pytest.mark.django_db


def ordered(parcel, by="dana", version=1) -> Order:
    return Order(parcel.pk, version, by=staff(by), now=NOW)


def moving(parcel, slot, by="dana", version=1):
    return lambda: orders.reschedule(ordered(parcel, by, version), slot_id=slot.pk)


def test_a_parcel_is_moved_with_its_history_and_its_audit():
    slot = a_slot(a_depot())
    parcel = a_parcel(depot=slot.depot)

    change = moving(parcel, slot)()

    parcel.refresh_from_db()
    slot.refresh_from_db()
    event, entry = parcel.events.get(source=Source.DISPATCHER), AuditEntry.objects.get()
    assert (parcel.slot, parcel.promised_start, parcel.version) == (slot, slot.starts_at, 2)
    assert slot.booked == 1
    assert (change.state, str(change.asker)) == (ChangeState.APPLIED, "dana")
    assert "Moved to Friday 27 November" in event.description
    assert (entry.actor, entry.verb, entry.after["slot"]) == ("dana", "reschedule", slot.pk)


def test_the_same_form_sent_twice_moves_once():
    slot = a_slot(a_depot())
    parcel = a_parcel(depot=slot.depot)

    first, again = moving(parcel, slot)(), moving(parcel, slot)()

    assert first == again
    assert AuditEntry.objects.count() == 1
    assert Shipment.objects.get(pk=parcel.pk).version == 2


@pytest.mark.parametrize(
    ("parcel", "slot", "refusal"),
    [
        ({"status": Status.DELIVERED}, {}, DeliveredError),
        ({"version": 2}, {}, StaleFormError),
        ({}, {"booked": 5}, SlotFullError),
        ({}, {"day": FRIDAY.replace(month=12)}, TooFarError),
        ({"depot": None}, {}, NoSlotError),
    ],
)
def test_what_the_rules_forbid_a_caller_they_forbid_a_dispatcher(parcel, slot, refusal):
    window = a_slot(a_depot(), **slot)
    row = a_parcel(**{"depot": window.depot} | parcel)

    with pytest.raises(refusal):
        moving(row, window)()

    assert not DeliveryChange.objects.exists()
    assert not AuditEntry.objects.exists()


def test_what_the_rider_has_with_him_is_asked_for_and_asked_for_once():
    slot = a_slot(a_depot())
    parcel = a_parcel(depot=slot.depot, status=Status.OUT_FOR_DELIVERY)

    change = moving(parcel, slot)()
    with pytest.raises(AlreadyWaitingError):
        moving(parcel, slot, by="another")()

    parcel.refresh_from_db()
    assert change.state == ChangeState.NEEDS_APPROVAL
    assert (parcel.slot, parcel.version) == (None, 1)


@pytest.mark.django_db(transaction=True)
def test_of_four_dispatchers_at_once_one_moves_a_parcel():
    slot = a_slot(a_depot())
    parcel = a_parcel(depot=slot.depot)
    works = [moving(parcel, slot, by=name) for name in ("ada", "ben", "cleo", "dan")]
    for name in ("ada", "ben", "cleo", "dan"):
        staff(name)

    answers = at_once(*works)

    slot.refresh_from_db()
    assert kinds(answers) == [DeliveryChange, StaleFormError, StaleFormError, StaleFormError]
    assert slot.booked == 1


@pytest.mark.django_db(transaction=True)
def test_of_a_dispatcher_and_a_call_at_once_one_moves_a_parcel():
    slot = a_slot(a_depot())
    parcel = a_parcel(depot=slot.depot)
    change_id = prepare()["change_id"]
    staff("dana")

    at_once(moving(parcel, slot), confirming(change_id))

    slot.refresh_from_db()
    assert Shipment.objects.get(pk=parcel.pk).version == 2
    assert slot.booked == 1
    assert DeliveryChange.objects.filter(state=ChangeState.APPLIED).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_dispatcher_and_a_call_do_not_both_get_the_last_place():
    slot = a_slot(a_depot(), capacity=1)
    parcel, other = a_parcel(depot=slot.depot), a_parcel(BRIAN, depot=slot.depot)
    change_id = prepare(BRIAN)["change_id"]
    staff("dana")

    answers = at_once(moving(parcel, slot), confirming(change_id, BRIAN))

    slot.refresh_from_db()
    assert slot.booked == 1
    assert SlotFullError in kinds(answers)
    assert Shipment.objects.filter(pk__in=[parcel.pk, other.pk], slot=slot).count() == 1


# Another address, and the depot

CHURCH = {"landmark": "behind the church", "city": "Nairobi", "building": "Acacia House"}


def test_a_parcel_is_sent_to_another_place_and_the_old_address_stays_for_others():
    parcel = a_parcel(depot=a_depot())
    old = parcel.address
    sibling = a_parcel(depot=parcel.depot, address=old)

    change = orders.change_address(ordered(parcel), place=CHURCH)
    again = orders.change_address(ordered(parcel), place=CHURCH)

    parcel.refresh_from_db()
    sibling.refresh_from_db()
    old.refresh_from_db()
    event, entry = parcel.events.get(source=Source.DISPATCHER), AuditEntry.objects.get()
    assert change == again
    assert (parcel.address.landmark, parcel.address.phone, parcel.version) == ("behind the church", AMINA, 2)
    assert (sibling.address, old.landmark) == (old, "opposite the Sunbird petrol station")
    assert (change.kind, change.state) == ("address_change", ChangeState.APPLIED)
    assert (event.substatus, "Acacia House" in event.description) == (Substatus.FORWARDED, True)
    assert (entry.verb, entry.before["building"], entry.after["building"]) == (
        "change_address",
        "Jacaranda Court",
        "Acacia House",
    )


@pytest.mark.parametrize(
    ("fields", "place", "refusal"),
    [
        ({}, {"city": "Mombasa"}, OutOfZoneError),
        ({}, {"landmark": "", "building": ""}, PlaceUnclearError),
        ({"attempts": 3}, {}, AttemptsUsedError),
        ({"status": Status.DELIVERED}, {}, DeliveredError),
        ({"version": 2}, {}, StaleFormError),
        ({"depot": None}, {}, OutOfZoneError),
    ],
)
def test_a_place_that_cannot_be_delivered_to_is_refused(fields, place, refusal):
    parcel = a_parcel(**{"depot": a_depot()} | fields)

    with pytest.raises(refusal):
        orders.change_address(ordered(parcel), place=CHURCH | place)

    assert Address.objects.count() == 1
    assert not AuditEntry.objects.exists()


def test_a_parcel_is_kept_at_its_depot_and_gives_its_place_in_a_window_back():
    slot = a_slot(a_depot())
    parcel = a_parcel(depot=slot.depot, status=Status.ATTEMPT_FAIL, attempts=3)
    Shipment.objects.filter(pk=parcel.pk).update(slot=slot, promised_start=slot.starts_at)
    DeliverySlot.objects.update(booked=1)

    change = orders.hold(ordered(parcel))

    parcel.refresh_from_db()
    slot.refresh_from_db()
    assert (change.kind, change.state) == ("hold_for_pickup", ChangeState.APPLIED)
    assert (parcel.status, parcel.slot, parcel.promised_start) == (Status.AVAILABLE_FOR_PICKUP, None, None)
    assert (parcel.version, slot.booked) == (2, 0)
    assert parcel.events.get(source=Source.DISPATCHER).status == Status.AVAILABLE_FOR_PICKUP


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"status": Status.AVAILABLE_FOR_PICKUP}, HeldAlreadyError),
        ({"status": Status.INFO_RECEIVED}, NotHereYetError),
        ({"status": Status.DELIVERED}, DeliveredError),
        ({"version": 2}, StaleFormError),
    ],
)
def test_what_cannot_be_kept_at_the_depot_is_refused(fields, refusal):
    parcel = a_parcel(**{"depot": a_depot()} | fields)

    with pytest.raises(refusal):
        orders.hold(ordered(parcel))


def asked(parcel, kind) -> DeliveryChange:
    if kind == "hold":
        return orders.hold(ordered(parcel))
    return orders.change_address(ordered(parcel), place=CHURCH)


@pytest.mark.parametrize("kind", ["hold", "address"])
def test_what_the_rider_has_with_him_waits_for_somebody_else_and_is_then_carried_out(kind):
    parcel = a_parcel(depot=a_depot(), status=Status.OUT_FOR_DELIVERY)

    change = asked(parcel, kind)
    parcel.refresh_from_db()
    assert (change.state, parcel.version) == (ChangeState.NEEDS_APPROVAL, 1)
    with pytest.raises(OwnWishError):
        decisions.decide_change(ref=change.ref, approve=True, by=staff("dana"), reason="Mine", now=NOW)
    decisions.decide_change(ref=change.ref, approve=True, by=staff("sam"), reason="Rang her", now=NOW)

    parcel.refresh_from_db()
    change.refresh_from_db()
    assert (change.state, change.decided_by, parcel.version) == (ChangeState.APPLIED, "sam", 2)
    if kind == "hold":
        assert parcel.status == Status.AVAILABLE_FOR_PICKUP
    else:
        assert (parcel.status, parcel.address.landmark) == (Status.OUT_FOR_DELIVERY, "behind the church")
    assert AuditEntry.objects.latest("pk").after["reason"] == "Rang her"


@pytest.mark.parametrize("kind", ["hold", "address"])
def test_what_is_turned_down_leaves_the_parcel_as_it_is(kind):
    parcel = a_parcel(depot=a_depot(), status=Status.OUT_FOR_DELIVERY)
    change = asked(parcel, kind)

    decisions.decide_change(ref=change.ref, approve=False, by=staff("sam"), reason="Too late", now=NOW)

    parcel.refresh_from_db()
    change.refresh_from_db()
    assert (parcel.status, parcel.version) == (Status.OUT_FOR_DELIVERY, 1)
    assert (change.state, change.decision_reason) == (ChangeState.REJECTED, "Too late")
    assert "Stays as planned" in parcel.events.order_by("-pk")[0].description


def test_d5_a_change_of_a_parcel_that_was_changed_since_it_was_shown_is_not_decided():
    slot = a_slot(a_depot())
    parcel = a_parcel(depot=slot.depot, status=Status.OUT_FOR_DELIVERY)
    change = moving(parcel, slot)()
    Shipment.objects.filter(pk=parcel.pk).update(version=2, status=Status.ATTEMPT_FAIL)

    with pytest.raises(StaleFormError):
        decisions.decide_change(
            ref=change.ref, approve=True, by=staff("sam"), reason="As asked", version=1, now=NOW
        )

    change.refresh_from_db()
    slot.refresh_from_db()
    assert (change.state, change.decided_by, slot.booked) == (ChangeState.NEEDS_APPROVAL, "", 0)
