"""Several calls at the same moment: each place is given once, and each yes counts once."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import pytest

from shipments import rescheduling, tokens
from shipments.clients import Scope
from shipments.depots import DeliverySlot
from shipments.errors import (
    AlreadyWaitingError,
    NoProposalError,
    ParcelChangedError,
    SlotFullError,
)
from shipments.models import DeliveryChange, Shipment, TrackingEvent
from shipments.statuses import ChangeState, Source, Status
from shipments.telling import find_own
from tests.rivals import at_once
from tests.shipments.builders import AMINA, CALL, FRIDAY, NOW, a_depot, a_parcel, a_slot

pytestmark = pytest.mark.django_db(transaction=True)


def prepare(number=AMINA, call=CALL, day="friday", window=None):
    return rescheduling.prepare_reschedule(
        find_own(number, ""),
        day=day,
        window=window,
        call_public_id=call,
        key=f"{day} {window}",
        now=NOW,
    )


def confirming(change_id, number=AMINA, call=CALL):
    return lambda: rescheduling.confirm_reschedule(
        number=number, change_id=change_id, call_public_id=call, now=NOW
    )


def kinds(answers: Sequence[object]) -> list[type]:
    return sorted((type(answer) for answer in answers), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("places", [1, 3])
def test_p13_the_last_places_of_a_window_are_given_once(places):
    depot = a_depot()
    slot = a_slot(depot, capacity=places)
    numbers = [f"+2547000001{n:02}" for n in range(8)]
    for number in numbers:
        a_parcel(number, depot=depot)
    works = [
        confirming(prepare(number, call=number[-4:])["change_id"], number, number[-4:]) for number in numbers
    ]

    answers = at_once(*works)

    slot.refresh_from_db()
    assert kinds(answers) == [SlotFullError] * (8 - places) + [dict] * places
    assert slot.booked == places
    assert Shipment.objects.filter(slot=slot, version=2).count() == places
    assert Shipment.objects.filter(slot=None, version=1).count() == 8 - places
    assert TrackingEvent.objects.filter(source=Source.VOICE_AGENT).count() == places


def test_one_yes_heard_eight_times_counts_once():
    depot = a_depot()
    slot = a_slot(depot)
    parcel = a_parcel(depot=depot)
    change_id = prepare()["change_id"]

    answers = at_once(*[confirming(change_id)] * 8)

    slot.refresh_from_db()
    parcel.refresh_from_db()
    assert answers == [answers[0]] * 8
    assert kinds(answers) == [dict] * 8
    assert (slot.booked, parcel.version) == (1, 2)
    assert TrackingEvent.objects.filter(source=Source.VOICE_AGENT).count() == 1


def test_of_two_calls_about_one_parcel_one_moves_it():
    depot = a_depot()
    a_slot(depot)
    a_slot(depot, FRIDAY, 14, 17)
    a_parcel(depot=depot)
    works = [
        confirming(prepare(call=f"call-{window}", window=window)["change_id"], call=f"call-{window}")
        for window in ("morning", "afternoon")
    ]

    answers = at_once(*works)

    assert kinds(answers) == [ParcelChangedError, dict]
    assert sum(DeliverySlot.objects.values_list("booked", flat=True)) == 1


def test_of_two_calls_about_a_parcel_with_the_rider_one_reaches_the_dispatcher():
    depot = a_depot()
    a_slot(depot)
    a_parcel(depot=depot, status=Status.OUT_FOR_DELIVERY)
    works = [confirming(prepare(call=call)["change_id"], call=call) for call in ("call-a", "call-b")]

    answers = at_once(*works)

    assert kinds(answers) == [AlreadyWaitingError, dict]
    assert DeliveryChange.objects.filter(state=ChangeState.NEEDS_APPROVAL).count() == 1


def test_two_parcels_that_change_places_do_not_wait_for_each_other():
    depot = a_depot()
    early, late = (
        a_slot(depot, capacity=3, booked=1),
        a_slot(depot, FRIDAY + timedelta(days=1), capacity=3, booked=1),
    )
    numbers = ("+254700000101", "+254700000102")
    for number, slot in zip(numbers, (early, late), strict=True):
        a_parcel(number, depot=depot, slot=slot, promised_start=slot.starts_at, promised_end=slot.ends_at)
    works = [
        confirming(prepare(number, call=number[-4:], day=day)["change_id"], number, number[-4:])
        for number, day in zip(numbers, ("saturday", "friday"), strict=True)
    ]

    answers = at_once(*works)

    assert kinds(answers) == [dict, dict]
    assert list(DeliverySlot.objects.values_list("booked", flat=True)) == [1, 1]


def test_one_wish_heard_four_times_is_one_proposal():
    depot = a_depot()
    a_slot(depot)
    a_parcel(depot=depot)

    answers = at_once(*[prepare] * 4)

    standing = DeliveryChange.objects.get()
    assert answers == [answers[0]] * 4
    assert kinds(answers) == [dict] * 4
    assert (
        rescheduling.confirm_reschedule(number=AMINA, change_id=standing.ref, call_public_id=CALL, now=NOW)[
            "state"
        ]
        == "applied"
    )


def test_a_yes_and_a_new_wish_of_one_call_do_not_wait_for_each_other():
    depot = a_depot()
    for ahead in range(2):
        a_slot(depot, FRIDAY + timedelta(days=ahead), capacity=20)

    for n in range(10):
        number, call = f"+2547000001{n:02}", f"call-{n}"
        a_parcel(number, depot=depot)
        change_id = prepare(number, call)["change_id"]
        answers = at_once(confirming(change_id, number, call), partial(prepare, number, call, day="saturday"))
        assert {type(answer) for answer in answers} <= {dict, NoProposalError}


def test_the_requests_of_a_client_are_counted_together_wherever_they_arrive():
    client, _ = tokens.make_client(name="warehouse", scopes=[Scope.SHIPMENTS_READ], by="mary", now=NOW)

    waits = at_once(*[lambda: tokens.wait_s(client, 5, NOW)] * 8)

    assert Counter(waits) == {0.0: 5, 60.0: 3}
