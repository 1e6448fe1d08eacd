"""The gate's rules by the clock: who may be called now, from when on, or not at all."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipments.statuses import Status, Substatus
from voice import dial_rules as rules
from voice.dial_rules import At, DialPolicy, Hours, Never, Now, Parcel, Seen, Wish, answer
from voice.statuses import Purpose

NAIROBI, LAGOS, BERLIN = ZoneInfo("Africa/Nairobi"), ZoneInfo("Africa/Lagos"), ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=NAIROBI)  # a Tuesday
PARCEL = Parcel(
    number="+254700000001",
    zone=NAIROBI,
    status=Status.OUT_FOR_DELIVERY,
    eta_at=NOON + timedelta(minutes=10),
)
WISH = Wish(purpose=Purpose.ETA, planned_number="+254700000001", not_before=NOON, eta_at=PARCEL.eta_at)


def ask(now=NOON, *, parcel=PARCEL, wish=WISH, seen=None, policy=None):
    return answer(parcel, wish, seen or Seen(), policy or DialPolicy(own_number="+254700000900"), now)


def at(hour, minute=0, second=0, day=24, zone=NAIROBI):
    return datetime(2026, 11, day, hour, minute, second, tzinfo=zone)


def waiting(now, zone=NAIROBI, **others):
    """Ask for a call that has no time of its own."""
    return ask(
        now,
        parcel=replace(PARCEL, zone=zone, eta_at=None, status=Status.IN_TRANSIT),
        wish=Wish(purpose=Purpose.CONFIRM_ADDRESS),
        **others,
    )


def test_nothing_speaks_against_a_parcel_that_is_close():
    assert isinstance(ask(), Now)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        (at(19, 59, 59), None),
        (at(20), at(8, day=25)),
        (at(7, 59, 59), at(8)),
        (at(8), None),
        (at(9, 59, 59, day=29), at(10, day=29)),  # a Sunday
        (at(10, day=29), None),
        (at(20, day=28), at(10, day=29)),
    ],
)
def test_o10_quiet_hours_hold_to_the_second(now, opens):
    got = waiting(now)

    assert (got.when if isinstance(got, At) else None) == opens


def test_o10_quiet_hours_are_those_of_the_recipient():
    now = at(19, 30, zone=LAGOS)  # 21:30 in Nairobi

    assert isinstance(waiting(now, zone=LAGOS), Now)
    assert waiting(now) == At(at(8, day=25), "It is quiet hours there until Wed 25 Nov 08:00.")


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_o10_a_change_of_the_clocks_moves_the_instant_and_not_the_hour(day):
    night = datetime(day.year, day.month, day.day, 0, 30, tzinfo=BERLIN)

    got = waiting(night, zone=BERLIN)

    assert isinstance(got, At)
    local = got.when.astimezone(BERLIN)
    assert (local.date(), f"{local:%H:%M}") == (day, "10:00")
    assert isinstance(waiting(got.when, zone=BERLIN), Now)
    assert not isinstance(waiting(got.when - timedelta(seconds=1), zone=BERLIN), Now)


@pytest.mark.parametrize(
    ("rest", "now", "opens"),
    [
        ("18:00-09:30", at(17, 59, 59), None),
        ("18:00-09:30", at(18), at(9, 30, day=25)),
        ("18:00-09:30", at(9, 29, 59), at(9, 30)),
        ("18:00-09:30", at(9, 30), None),
        ("12:00-14:00", at(12), at(14)),
        ("12:00-14:00", at(11, 59, 59), None),
        ("18:00-21:00", at(19), at(8, day=25)),
        ("20:00-00:00", at(19, 59), None),
        ("", at(12), None),
    ],
)
def test_o10_a_recipients_own_quiet_hours_hold_to_the_second(rest, now, opens):
    got = waiting(now, seen=Seen(rest=rules.parse_rest(rest)))

    assert (got.when if isinstance(got, At) else None) == opens


def test_o10_a_recipients_own_quiet_hours_are_named_as_such_and_hold_even_where_the_couriers_have_none():
    seen = Seen(rest=rules.parse_rest("12:00-14:00"))
    always = DialPolicy(hours=rules.parse_hours("00:00-24:00"))

    for policy in (None, always):
        got = waiting(at(13), seen=seen, policy=policy)
        assert got == At(at(14), "The recipient wants no calls until Tue 24 Nov 14:00.")


@pytest.mark.parametrize("rest", ["08:00-08:00", "at night", "25:00-07:00"])
def test_a_wish_without_a_free_minute_or_that_cannot_be_read_is_disturbed_by_nobody(rest):
    got = waiting(at(13), seen=Seen(rest=rules.parse_rest(rest)))

    assert isinstance(got, At)
    assert got.because == "Nobody there may be called for a month."


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_o10_a_recipients_own_quiet_hours_follow_a_change_of_the_clocks(day):
    night = datetime(day.year, day.month, day.day, 0, 30, tzinfo=BERLIN)

    got = waiting(night, zone=BERLIN, seen=Seen(rest=rules.parse_rest("20:00-11:30")))

    assert isinstance(got, At)
    assert f"{got.when.astimezone(BERLIN):%d %H:%M}" == f"{day:%d} 11:30"


def test_always_means_sundays_and_holidays_too():
    policy = DialPolicy(hours=rules.parse_hours("00:00-24:00"))
    sunday = at(3, day=29)

    got = answer(
        replace(PARCEL, eta_at=sunday + timedelta(minutes=9)),
        Wish(),
        Seen(holidays=frozenset({sunday.date()})),
        policy,
        sunday,
    )

    assert isinstance(got, Now)


def test_a_holiday_is_quiet_unless_the_parcel_is_due():
    seen = Seen(holidays=frozenset({NOON.date()}))

    assert isinstance(ask(seen=seen), Now)
    quiet = ask(
        parcel=replace(PARCEL, eta_at=None, status=Status.IN_TRANSIT),
        wish=Wish(purpose=Purpose.CONFIRM_ADDRESS),
        seen=seen,
    )
    assert quiet == At(at(8, day=25), "It is quiet hours there until Wed 25 Nov 08:00.")


@pytest.mark.parametrize("text", ["", "8", "08:00", "20:00-08:00", "08:00-25:00", "08:61-20:00", "a:b-c:d"])
def test_hours_that_are_none_are_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says of them
        rules.parse_hours(text)


@given(
    st.integers(0, 700 * 24 * 60).map(
        lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    st.sampled_from(["Africa/Nairobi", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]),
    st.integers(0, 23),
    st.integers(1, 24),
    st.sets(st.integers(0, 40)),
    st.none() | st.builds(rules.Rest, st.integers(0, 1439), st.integers(0, 1439)),
)
def test_who_waits_as_told_may_be_called_then(now, zone_name, first, last, holidays, rest):
    if first >= last:
        first, last = last - 1, max(first, last)
    zone = ZoneInfo(zone_name)
    policy = DialPolicy(hours=Hours(first * 60, last * 60, min(10, last - 1) * 60))
    seen = Seen(holidays=frozenset(now.date() + timedelta(days=ahead) for ahead in holidays), rest=rest)
    parcel = replace(PARCEL, zone=zone, eta_at=None, status=Status.IN_TRANSIT)
    wish = Wish(purpose=Purpose.CONFIRM_ADDRESS)

    got = answer(parcel, wish, seen, policy, now)

    quiet = rules.is_quiet(policy.hours, zone, now, seen.holidays, rest=rest)
    assert isinstance(got, At if quiet else Now)
    if isinstance(got, At) and got.when - now < timedelta(days=29):
        assert got.when > now
        assert isinstance(answer(parcel, wish, seen, policy, got.when), Now)


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("", "has no telephone number"),
        ("+254900223456", "none that can be dialled|of a kind"),
        ("+447700900123", "a country that we do not call|none that can"),
        ("+12125550123", "a country that we do not call"),
        ("+254999", "none that can be dialled"),
        ("0700000001", "none that can be dialled"),
        ("+254700000900", "our own"),
    ],
)
def test_o14_a_number_that_is_no_recipients_is_refused(number, why):
    got = ask(parcel=replace(PARCEL, number=number), wish=replace(WISH, planned_number=""))

    assert isinstance(got, Never)
    assert any(part in got.because for part in why.split("|"))


def test_o14_a_number_that_follows_a_person_about_bills_who_dials_it_and_is_not_dialled():
    got = ask(
        parcel=replace(PARCEL, number="+447012345678"),
        wish=replace(WISH, planned_number=""),
        policy=DialPolicy(countries=frozenset({"44"})),
    )

    assert got == Never("The parcel's telephone number is of a kind that we do not call.")


def test_o14_only_the_number_of_record_is_dialled():
    got = ask(parcel=replace(PARCEL, number="+254700000002"))

    assert got == Never("The parcel's telephone number has changed since this call was planned.")


def test_o11_nobody_is_called_who_does_not_want_it():
    unwanted = Never("The recipient does not want to be called.")
    seen = Seen(opted_out_at=NOON)

    assert ask(seen=seen) == unwanted
    assert ask(seen=seen, wish=replace(WISH, asked_at=NOON - timedelta(seconds=1))) == unwanted
    assert isinstance(ask(seen=seen, wish=replace(WISH, asked_at=NOON + timedelta(seconds=1))), Now)


@pytest.mark.parametrize("status", [Status.DELIVERED, Status.EXPIRED])
def test_o12_a_parcel_that_nobody_waits_for_needs_no_call(status):
    got = ask(parcel=replace(PARCEL, status=status))

    assert isinstance(got, Never)
    assert got.moot


@pytest.mark.parametrize("substatus", [Substatus.CANCELLED_BY_SHIPPER, Substatus.RETURNED, Substatus.REFUSED])
def test_o12_a_parcel_that_comes_no_more_needs_no_call(substatus):
    got = ask(parcel=replace(PARCEL, status=Status.EXCEPTION, substatus=substatus))

    assert isinstance(got, Never)
    assert got.moot


def test_o12_a_delivery_that_was_moved_needs_no_call():
    moved = replace(PARCEL, status=Status.IN_TRANSIT, eta_at=None, window_start=NOON + timedelta(days=2))

    assert ask(parcel=moved) == Never("The delivery has been moved to another time.", moot=True)
    again = replace(moved, status=Status.ATTEMPT_FAIL)
    assert isinstance(ask(parcel=again, wish=Wish(purpose=Purpose.REATTEMPT)), Never)


def test_a_plan_moves_with_the_estimate():
    later = replace(PARCEL, eta_at=NOON + timedelta(hours=2))

    assert ask(parcel=later) == At(
        NOON + timedelta(hours=1, minutes=45), "It is planned for Tue 24 Nov 13:45."
    )


def test_a_stale_estimate_is_not_dialled():
    got = ask(parcel=replace(PARCEL, eta_at=NOON - timedelta(seconds=1)))

    assert isinstance(got, Never)
    assert got.moot


def test_a_sample_parcel_rings_on_loopback_only():
    sample = replace(PARCEL, is_demo=True)

    assert isinstance(ask(parcel=sample), Never)
    assert isinstance(ask(parcel=sample, policy=DialPolicy(demo_may_ring=True)), Now)


def test_limits_hold_and_wished_calls_count_apart():
    wished = replace(WISH, asked_at=NOON)

    assert ask(seen=Seen(of_parcel=2)) == Never("The recipient was called twice about this parcel already.")
    assert isinstance(ask(seen=Seen(of_parcel=2), wish=wished), Now)
    tomorrow = ask(
        parcel=replace(PARCEL, eta_at=None, status=Status.IN_TRANSIT),
        wish=Wish(purpose=Purpose.CONFIRM_ADDRESS),
        seen=Seen(of_number_today=3),
    )
    assert isinstance(tomorrow, At)
    assert tomorrow.when == at(8, day=25)
    assert isinstance(ask(seen=Seen(of_number_today=3), wish=wished), Now)
    assert not isinstance(ask(seen=Seen(asked_of_number_today=2), wish=wished), Now)


def test_what_would_wait_past_its_use_is_not_dialled():
    night = at(21)
    late = replace(PARCEL, eta_at=at(22))

    got = ask(night, parcel=late, wish=replace(WISH, eta_at=at(22), not_before=night))

    assert isinstance(got, Never)
    assert (
        got.because == "It is quiet hours there until Wed 25 Nov 08:00. By then it is too late for this call."
    )


def test_pause_budget_and_room_delay():
    assert isinstance(ask(seen=Seen(paused="by a supervisor")), At)
    assert isinstance(ask(seen=Seen(at_once=20)), At)
    plain = replace(PARCEL, eta_at=None, status=Status.IN_TRANSIT)
    got = ask(
        parcel=plain,
        wish=Wish(purpose=Purpose.CONFIRM_ADDRESS),
        seen=Seen(spent_minor=500),
        policy=DialPolicy(budget_minor=500),
    )
    assert isinstance(got, At)
