"""What may be told to whom, and what may be moved when: one table each."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipments import errors
from shipments.rules import (
    Expected,
    NotKnown,
    Parcel,
    Planned,
    Policy,
    Route,
    Telling,
    Window,
    change_route,
    check_day,
    check_place,
    check_window,
    coarse_state,
    expectation,
    hold_route,
    is_stale,
    telling,
)
from shipments.statuses import NEXT, NEXT_CHANGE, ChangeState, Status, Substatus, follows, sources

NAIROBI, CAIRO = ZoneInfo("Africa/Nairobi"), ZoneInfo("Africa/Cairo")
NOW = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
POLICY = Policy()


def parcel(status=Status.OUT_FOR_DELIVERY, **fields) -> Parcel:
    return Parcel(**{"status": status, "zone": NAIROBI, "news_at": NOW - timedelta(hours=1)} | fields)


@pytest.mark.parametrize(
    ("record", "caller", "told"),
    [
        ("+254700000001", "+254700000001", Telling.OWN),
        ("+254700000001", "+254700000002", Telling.COARSE),
        ("+254700000001", "", Telling.COARSE),
        ("", "", Telling.COARSE),
    ],
)
def test_all_is_told_on_the_number_of_record_only(record, caller, told):
    assert telling(record, caller) is told


@pytest.mark.parametrize("status", Status)
def test_a_stranger_hears_one_of_three_states(status):
    assert coarse_state(status) in ("on_its_way_today", "delivered", "with_our_team")


@pytest.mark.parametrize(
    ("status", "route"),
    [
        (Status.PENDING, Route.APPLY),
        (Status.INFO_RECEIVED, Route.APPLY),
        (Status.IN_TRANSIT, Route.APPLY),
        (Status.OUT_FOR_DELIVERY, Route.APPROVE),
        (Status.ATTEMPT_FAIL, Route.APPLY),
        (Status.AVAILABLE_FOR_PICKUP, Route.APPLY),
        (Status.DELIVERED, errors.DeliveredError),
        (Status.EXCEPTION, Route.APPROVE),
        (Status.EXPIRED, errors.ClosedError),
    ],
)
def test_each_status_is_moved_asked_about_or_refused(status, route):
    if isinstance(route, Route):
        assert change_route(parcel(status), POLICY) is route
    else:
        with pytest.raises(route):
            change_route(parcel(status), POLICY)


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"substatus": Substatus.RETURNING}, errors.ClosedError),
        ({"substatus": Substatus.CANCELLED_BY_SHIPPER}, errors.ClosedError),
        ({"changes_allowed": False}, errors.ShipperForbidsError),
        ({"change_waiting": True}, errors.AlreadyWaitingError),
        ({"attempts": 3}, errors.AttemptsUsedError),
    ],
)
@pytest.mark.parametrize("status", [Status.IN_TRANSIT, Status.ATTEMPT_FAIL, Status.EXCEPTION])
def test_what_stands_in_the_way_of_a_change_is_named(status, fields, refusal):
    with pytest.raises(refusal):
        change_route(parcel(status, **fields), POLICY)


@pytest.mark.parametrize(
    ("ahead", "local_hour", "refusal"),
    [
        (-1, 10, errors.TooSoonError),
        (0, 10, errors.TooSoonError),
        (1, 17, None),
        (1, 18, errors.TooSoonError),
        (2, 23, None),
        (7, 10, None),
        (8, 10, errors.TooFarError),
        (400, 10, errors.TooFarError),
    ],
)
def test_a_day_can_be_planned_from_tomorrow_to_a_week(ahead, local_hour, refusal):
    now = datetime(2026, 11, 24, local_hour, tzinfo=NAIROBI)
    day = date(2026, 11, 24) + timedelta(days=ahead)

    if refusal is None:
        check_day(day, NAIROBI, now, POLICY)
    else:
        with pytest.raises(refusal):
            check_day(day, NAIROBI, now, POLICY)


def test_a_window_that_is_full_or_its_own_is_refused():
    start = NOW + timedelta(days=2)

    with pytest.raises(errors.SlotFullError):
        check_window(Window(start, start + timedelta(hours=3), 0), parcel(), NOW, POLICY)
    with pytest.raises(errors.SameSlotError):
        check_window(Window(start, start + timedelta(hours=3), 5), parcel(booked_start=start), NOW, POLICY)


def test_a_fresh_estimate_is_promised_as_a_round_window():
    made = NOW - timedelta(minutes=5)

    told = expectation(parcel(eta_at=NOW + timedelta(minutes=92), eta_computed_at=made), NOW, POLICY)

    assert told == Expected(
        datetime(2026, 11, 24, 11, 10, tzinfo=NAIROBI),
        datetime(2026, 11, 24, 11, 50, tzinfo=NAIROBI),
        eta_at=NOW + timedelta(minutes=92),
        as_of=made,
    )


@pytest.mark.parametrize(
    ("eta_min", "age_min", "fresh"),
    [(60, 0, True), (60, 30, True), (60, 31, False), (60, -5, True), (60, -31, False), (-60, 5, False)],
)
def test_an_estimate_is_promised_for_half_an_hour(eta_min, age_min, fresh):
    told = expectation(
        parcel(eta_at=NOW + timedelta(minutes=eta_min), eta_computed_at=NOW - timedelta(minutes=age_min)),
        NOW,
        POLICY,
    )

    assert isinstance(told, Expected) is fresh


def test_a_booked_window_is_the_plan_until_it_has_passed_or_the_news_are_old():
    start, end = NOW + timedelta(hours=20), NOW + timedelta(hours=23)
    planned = parcel(Status.IN_TRANSIT, promised_start=start, promised_end=end)

    assert expectation(planned, NOW, POLICY) == Planned(start, end)
    assert expectation(planned, end, POLICY) == NotKnown()
    assert expectation(planned, NOW + timedelta(hours=23), POLICY) == NotKnown()


@pytest.mark.parametrize("status", [Status.DELIVERED, Status.EXPIRED])
def test_what_is_over_is_expected_no_more(status):
    fresh = {"eta_at": NOW + timedelta(hours=1), "eta_computed_at": NOW}

    assert expectation(parcel(status, **fresh), NOW, POLICY) == NotKnown()


def test_news_of_a_parcel_on_the_road_age_in_a_day():
    assert is_stale(parcel(news_at=None), NOW, POLICY)
    assert is_stale(parcel(news_at=NOW - timedelta(hours=25)), NOW, POLICY)
    assert not is_stale(parcel(news_at=NOW - timedelta(hours=23)), NOW, POLICY)
    assert not is_stale(parcel(Status.DELIVERED, news_at=None), NOW, POLICY)


@given(
    st.sampled_from(Status),
    st.integers(-3000, 3000),
    st.integers(-3000, 3000),
    st.sampled_from([NAIROBI, CAIRO, UTC]),
)
def test_nothing_is_ever_promised_for_the_past(status, eta_min, age_min, zone):
    told = expectation(
        parcel(
            status,
            zone=zone,
            eta_at=NOW + timedelta(minutes=eta_min),
            eta_computed_at=NOW - timedelta(minutes=age_min),
        ),
        NOW,
        POLICY,
    )

    assert isinstance(told, NotKnown) or told.ends_at > NOW


# The tables


@pytest.mark.parametrize("target", Status)
@pytest.mark.parametrize("source", Status)
def test_every_pair_of_statuses_is_decided_once(source, target):
    assert (source in sources(target)) == (target in NEXT[source])
    assert source not in NEXT[source]


def test_every_state_of_a_change_has_its_row_and_is_reached():
    assert set(NEXT_CHANGE) == set(ChangeState)
    assert set(NEXT) == set(Status)
    assert set().union(*NEXT_CHANGE.values()) == set(ChangeState) - {ChangeState.PROPOSED}


def test_what_nobody_scanned_may_lie_between_two_statuses_and_nothing_follows_a_delivery():
    assert follows(Status.PENDING, Status.DELIVERED)
    assert follows(Status.EXPIRED, Status.OUT_FOR_DELIVERY)
    assert not follows(Status.IN_TRANSIT, Status.INFO_RECEIVED)
    assert [status for status in Status if follows(Status.DELIVERED, status)] == [Status.DELIVERED]


@pytest.mark.parametrize(
    ("status", "route"),
    [
        (Status.IN_TRANSIT, Route.APPLY),
        (Status.ATTEMPT_FAIL, Route.APPLY),
        (Status.OUT_FOR_DELIVERY, Route.APPROVE),
        (Status.EXCEPTION, Route.APPROVE),
        (Status.PENDING, errors.NotHereYetError),
        (Status.INFO_RECEIVED, errors.NotHereYetError),
        (Status.AVAILABLE_FOR_PICKUP, errors.HeldAlreadyError),
        (Status.DELIVERED, errors.DeliveredError),
        (Status.EXPIRED, errors.ClosedError),
    ],
)
def test_a_parcel_is_kept_at_its_depot_however_often_it_was_tried(status, route):
    tried = parcel(status, attempts=POLICY.attempts)

    if isinstance(route, Route):
        assert hold_route(tried) is route
    else:
        with pytest.raises(route):
            hold_route(tried)


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"changes_allowed": False}, errors.ShipperForbidsError),
        ({"change_waiting": True}, errors.AlreadyWaitingError),
        ({"substatus": Substatus.RETURNING}, errors.ClosedError),
    ],
)
def test_what_may_not_be_changed_is_not_kept_at_the_depot_either(fields, refusal):
    with pytest.raises(refusal):
        hold_route(parcel(Status.IN_TRANSIT, **fields))


@pytest.mark.parametrize(
    ("place", "refusal"),
    [
        ({"landmark": "the church", "city": "Nairobi"}, None),
        ({"building": "Acacia House", "city": "nairobi"}, None),
        ({"line1": "14 Example Lane", "city": "Nairobi"}, None),
        ({"neighbourhood": "Kilimani", "city": "Nairobi"}, errors.PlaceUnclearError),
        ({"landmark": "the church", "city": "Mombasa"}, errors.OutOfZoneError),
        ({"landmark": "the church"}, errors.OutOfZoneError),
    ],
)
def test_a_rider_of_the_depot_can_find_the_place(place, refusal):
    if refusal is None:
        check_place(place, "Nairobi")
    else:
        with pytest.raises(refusal):
            check_place(place, "Nairobi")
