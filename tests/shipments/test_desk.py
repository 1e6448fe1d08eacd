"""What dispatchers do to parcels: by the telephone's rules, once, and never past another's change."""

from typing import Any

import pytest

from shipments import desk
from shipments.audit import AuditEntry
from shipments.errors import (
    AlreadyWaitingError,
    DeliveredError,
    NoReasonError,
    NoSlotError,
    SlotFullError,
    StaleFormError,
    TooFarError,
)
from shipments.models import DeliveryChange, Shipment
from shipments.statuses import ChangeState, Source, Status
from tests.shipments.builders import AMINA, BRIAN, FRIDAY, NOW, a_depot, a_parcel, a_slot, staff
from tests.shipments.test_two_at_once import at_once, confirming, kinds, prepare

pytestmark = pytest.mark.django_db


def moving(parcel, slot, by="dana", version=1):
    return lambda: desk.reschedule(
        shipment_id=parcel.pk, slot_id=slot.pk, version=version, by=staff(by), now=NOW
    )


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


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_nothing_is_revealed_or_settled_without_a_reason(reason):
    shared: dict[str, Any] = {
        "kind": "call",
        "object_id": "c" * 16,
        "by": staff(),
        "reason": reason,
        "now": NOW,
    }

    with pytest.raises(NoReasonError):
        desk.reveal_number(number=AMINA, **shared)
    with pytest.raises(NoReasonError):
        desk.look_into(**shared)

    assert not AuditEntry.objects.exists()


def test_a_wish_is_kept_with_what_it_was_before_and_the_first_day_of_an_opt_out_stands():
    shared: dict[str, Any] = {"number": AMINA, "quiet_hours": "", "by": staff("dana")}

    first = desk.keep_wishes(opted_out=True, language="", now=NOW, **shared)
    later = NOW.replace(day=25)
    again = desk.keep_wishes(opted_out=True, language="sw", now=later, **shared)
    lifted = desk.keep_wishes(opted_out=False, language="sw", now=later, **shared)
    desk.keep_wishes(opted_out=False, language="sw", now=later, **shared)

    assert first.opted_out_at == again.opted_out_at == NOW
    assert lifted.opted_out_at is None
    written = [(one.before["opted_out"], one.after["opted_out"]) for one in AuditEntry.objects.order_by("pk")]
    assert written == [(False, True), (True, True), (True, False)]
