"""What a caller may hear, on the database."""

from datetime import timedelta

import pytest

from shipments import enquiries
from shipments.errors import (
    NoSlotError,
    ParcelUnknownError,
)
from shipments.models import Shipment
from shipments.statuses import Status
from shipments.telling import find_own
from shipments.tracking import check_character, new_tracking_id
from tests.shipments.builders import (
    AMINA,
    ANYONE,
    BRIAN,
    FRIDAY,
    NOW,
    TODAY,
    a_depot,
    a_parcel,
    a_slot,
)

pytestmark = pytest.mark.django_db


def track(said_id=None, number=AMINA, now=NOW):
    return enquiries.track(number=number, said_id=said_id, now=now)


def opening(number=AMINA):
    return [enquiries.opening_fields(parcel, NOW) for parcel in Shipment.objects.recent_for(number)]


def offer(said_id=None, day=None, number=AMINA, now=NOW):
    return enquiries.offer_slots(find_own(number, said_id or ""), day=day, now=now)


def test_the_one_parcel_of_a_number_needs_no_id():
    a_parcel(
        tracking_id="KM-4279",
        status=Status.OUT_FOR_DELIVERY,
        eta_at=NOW + timedelta(hours=4, minutes=30),
        eta_computed_at=NOW - timedelta(minutes=5),
    )

    answer = track()

    assert answer["status"] == "ok"
    assert answer["say"] == (
        "Your parcel ending 4 2 7 9 is out for delivery. It should reach you between 2:10 pm and 2:50 pm. "
        "That estimate is from 9:55 am."
    )
    assert answer["state"] == "out_for_delivery"
    assert answer["area"] == "Kilimani"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (Status.OUT_FOR_DELIVERY, "on_its_way_today"),
        (Status.DELIVERED, "delivered"),
        *((s, "with_our_team") for s in Status if s not in (Status.OUT_FOR_DELIVERY, Status.DELIVERED)),
    ],
)
@pytest.mark.parametrize("number", [BRIAN, ""])
def test_of_anothers_parcel_only_the_coarse_state_is_told(status, state, number):
    minted = new_tracking_id()
    a_parcel(
        tracking_id=minted, minted=True, status=status, eta_at=NOW + timedelta(hours=1), eta_computed_at=NOW
    )

    answer = track(" ".join(minted), number=number)

    assert set(answer) == {"status", "say", "state"}
    assert (answer["status"], answer["state"]) == ("coarse", state)


@pytest.mark.parametrize("foreign", ["KM4279", "12345678" + check_character("12345678")])
@pytest.mark.parametrize(("allowed", "status"), [(False, "not_found"), (True, "coarse")])
def test_a_foreign_id_that_can_be_guessed_tells_nothing_unless_the_courier_wants_it(
    settings, allowed, status, foreign
):
    settings.COARSE_FOREIGN_IDS = allowed
    a_parcel(tracking_id=foreign)

    answers = [track(foreign, number=BRIAN), track("KM4280", number=BRIAN)]

    assert answers[0]["status"] == status
    assert (answers[0] == answers[1]) is not allowed


def test_an_unknown_id_is_not_found():
    a_parcel(tracking_id="KM4279")

    assert track("KM9999")["status"] == "not_found"


def test_the_end_of_anothers_id_is_nothing():
    a_parcel(tracking_id="KM4279")

    assert track("4279", number=BRIAN)["status"] == "not_found"


@pytest.mark.parametrize("said", ["4279", "k m 4 2 7 9", "J M 4 2 7 9", "K N 4279", "my parcel", ""])
def test_a_half_heard_id_is_looked_for_among_the_callers_own(said):
    a_parcel(tracking_id="KM-4279")
    a_parcel(phone=BRIAN, tracking_id="ZZ-4279")

    assert track(said)["status"] == "ok"


@pytest.mark.parametrize("number", [ANYONE, ""])
def test_a_number_without_parcels_is_asked_for_an_id(number):
    a_parcel()

    answer = track(number=number)

    assert answer["status"] == "ask_id"


def test_several_parcels_are_told_apart_by_their_endings_three_at_most():
    for n in range(40):
        a_parcel(tracking_id=f"KM-{n:04}")

    answer = track()

    assert answer["status"] == "ask_id"
    assert len(answer["endings"]) == 3


def test_a_delivered_parcel_steps_back_behind_a_live_one():
    a_parcel(tracking_id="KM-0001")
    a_parcel(tracking_id="KM-0002", status=Status.DELIVERED)

    assert track()["ending"] == "0 0 0 1"


def test_an_old_estimate_is_not_promised():
    a_parcel(
        status=Status.OUT_FOR_DELIVERY,
        eta_at=NOW + timedelta(hours=1),
        eta_computed_at=NOW - timedelta(hours=2),
    )

    answer = track()

    assert "cannot promise" in answer["say"]
    assert "expected" not in answer


def test_telling_costs_few_queries(django_assert_max_num_queries):
    a_parcel(depot=a_depot())

    with django_assert_max_num_queries(1):
        track()


def test_no_access_to_names_numbers_or_streets_is_given():
    parcel = a_parcel(depot=a_depot())

    told = repr(track()) + repr(opening())

    for secret in (parcel.phone, "Jacaranda", "Example Lane", "Sunbird", "blue gate", "Sample"):
        assert secret not in told


def test_a_call_opens_with_the_callers_parcels_and_nobody_elses(django_assert_num_queries):
    a_parcel(tracking_id="KM-001O", depot=a_depot())
    a_parcel(phone=BRIAN, tracking_id="KM-0002")

    with django_assert_num_queries(1):
        told = opening()

    assert told == [
        {
            "ends_with": "0 0 1 O",
            "state": "is on its way, but not out for delivery yet",
            "from": "Example Books",
        }
    ]
    assert opening(number="") == []


# Windows on offer


def test_free_windows_are_offered_the_earliest_first():
    depot = a_depot()
    a_slot(depot, FRIDAY, 14, 17)
    a_slot(depot, FRIDAY)
    a_slot(depot, TODAY, 14, 17)
    a_slot(depot, FRIDAY - timedelta(days=1), booked=5)
    a_slot(depot, TODAY + timedelta(days=9))
    a_parcel(depot=depot)

    answer = offer()

    assert [slot["words"] for slot in answer["slots"]] == [
        "Friday 27 November, 9 am to 12 noon",
        "Friday 27 November, 2 pm to 5 pm",
    ]
    assert answer["slots"][0]["window"] == "09:00-12:00"


@pytest.mark.parametrize("day", ["2026-11-28", "saturday"])
def test_a_day_without_a_window_is_answered_with_what_there_is(day):
    depot = a_depot()
    a_slot(depot)
    a_parcel(depot=depot)

    with pytest.raises(NoSlotError, match=r"I can offer Friday 27 November, 9 am to 12 noon\."):
        offer(day=day)


def test_no_windows_are_offered_for_anothers_parcel():
    depot = a_depot()
    a_slot(depot)
    a_parcel(tracking_id="KM4279", depot=depot)

    with pytest.raises(ParcelUnknownError) as foreign:
        offer("KM4279", number=BRIAN)
    with pytest.raises(ParcelUnknownError) as unknown:
        offer("KM9999", number=BRIAN)
    assert str(foreign.value) == str(unknown.value)
