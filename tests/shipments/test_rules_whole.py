"""The rules over their whole space, beside a tiny account of them that was written from the prose alone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from shipments.errors import ShipmentError
from shipments.rules import (
    POLICY,
    Parcel,
    Policy,
    Window,
    change_route,
    check_place,
    check_window,
    coarse_state,
    hold_route,
    refusal_route,
    telling,
)
from shipments.statuses import Status, Substatus

ZONES = ["Africa/Nairobi", "Africa/Lagos", "Africa/Accra", "Europe/Paris", "America/Sao_Paulo"]
_ENDINGS = ("REFUSED", "RETURNING", "RETURNED", "DAMAGED", "LOST", "CANCELLED_BY_SHIPPER")
ENDED = [Substatus[name] for name in _ENDINGS]
NUMBERS = ["", "+254700000001", "+254700000002"]
WORDS = st.sampled_from(["", "Sunbird stage", "Nairobi", "nairobi", "Accra"])
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
PARCELS = st.builds(
    Parcel,
    status=st.sampled_from(Status),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    substatus=st.sampled_from(["", *Substatus]),
    attempts=st.integers(0, 5),
    changes_allowed=st.booleans(),
    change_waiting=st.booleans(),
)


def came_to(rule, *args) -> str:
    """Return what a rule says: the route, "" for letting it pass, or the code of its refusal."""
    try:
        return str(rule(*args) or "")
    except ShipmentError as refusal:
        return refusal.code if str(refusal) else "said nothing"


def first(*told: tuple[bool, str]) -> str:
    return next(word for holds, word in told if holds)


def expected(parcel: Parcel, *more: tuple[bool, str]) -> str:
    """Tell what becomes of a change: refused for the first reason there is, else asked for or done."""
    by_hand = parcel.status in ("out_for_delivery", "exception")
    return first(
        (parcel.status == "delivered", "delivered"),
        (parcel.status == "expired" or parcel.substatus in ENDED, "closed"),
        (not parcel.changes_allowed, "shipper_forbids"),
        (parcel.change_waiting, "already_waiting"),
        *more,
        (by_hand, "approve"),
        (True, "apply"),
    )


@given(PARCELS, st.integers(1, 4))
def test_what_may_be_changed_and_who_decides(parcel, attempts):
    spent = (parcel.attempts >= attempts, "attempts_used")
    there = (parcel.status == "available_for_pickup", "held_already")
    not_yet = (parcel.status in ("pending", "info_received"), "not_here_yet")

    assert came_to(change_route, parcel, Policy(attempts=attempts)) == expected(parcel, spent)
    assert came_to(hold_route, parcel) == expected(parcel, there, not_yet)
    assert came_to(refusal_route, parcel) == expected(parcel)


@given(
    PARCELS,
    MOMENTS,
    st.integers(-2, 10),
    st.integers(0, 23),
    st.integers(-1, 3),
    st.booleans(),
)
def test_which_windows_can_be_had(parcel, now, days, hour, free, same):
    there = now.astimezone(parcel.zone)
    day = there.date() + timedelta(days=days)
    start = datetime(day.year, day.month, day.day, hour, tzinfo=parcel.zone)
    parcel = Parcel(parcel.status, parcel.zone, booked_start=start if same else None)
    meant = start.astimezone(UTC).astimezone(parcel.zone).date().toordinal() - there.date().toordinal()
    late = there.hour >= 18

    came = came_to(check_window, Window(start, start + timedelta(hours=2), free), parcel, now, POLICY)

    assert came == first(
        (meant < (2 if late else 1), "too_soon"),
        (meant > 7, "too_far"),
        (same, "same_slot"),
        (free <= 0, "slot_full"),
        (True, ""),
    )


@given(st.dictionaries(st.sampled_from(["landmark", "building", "line1", "city", "neighbourhood"]), WORDS))
def test_which_places_can_be_found(place):
    found = any(place.get(name, "") != "" for name in ("landmark", "building", "line1"))
    here = place.get("city", "").lower() == "nairobi"

    assert came_to(check_place, place, "Nairobi") == first(
        (not found, "place_unclear"), (not here, "out_of_zone"), (True, "")
    )


@given(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS), st.sampled_from(Status))
def test_what_may_be_told_to_whom(record, caller, status):
    own = caller != "" and caller == record
    word = {"out_for_delivery": "on_its_way_today", "delivered": "delivered"}.get(status, "with_our_team")

    assert telling(record, caller) == ("own" if own else "coarse")
    assert coarse_state(status) == word
