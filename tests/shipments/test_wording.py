"""What is said aloud."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipments import wording
from shipments.statuses import Status, Substatus

NAIROBI = ZoneInfo("Africa/Nairobi")
NOW = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("substatus", ["", *Substatus, "Exception_999"])
def test_every_state_has_words(status, substatus):
    words = wording.state(status, substatus)

    assert words.split()[0] in ("is", "has", "was", "could")
    assert "_" not in words


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (time(0), "midnight"),
        (time(0, 5), "12:05 am"),
        (time(9), "9 am"),
        (time(12), "12 noon"),
        (time(12, 30), "12:30 pm"),
        (time(14, 10), "2:10 pm"),
    ],
)
def test_a_time_is_said_as_people_say_it(at, words):
    assert wording.clock(at) == words


@pytest.mark.parametrize(
    ("from_min", "to_min", "words"),
    [
        (250, 290, "between 2:10 pm and 2:50 pm"),
        (-10, 30, "by 10:30 am"),
        (24 * 60, 25 * 60, "tomorrow between 10 am and 11 am"),
        (72 * 60, 73 * 60, "on Friday 27 November between 10 am and 11 am"),
    ],
)
def test_a_window_is_said_with_its_day_unless_that_is_today(from_min, to_min, words):
    start, end = NOW + timedelta(minutes=from_min), NOW + timedelta(minutes=to_min)

    assert wording.between(start, end, NOW, NAIROBI) == words


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(-5, ""), (2, ""), (41, "in about 40 minutes"), (120, "in about 120 minutes"), (121, "")],
)
def test_how_far_off_it_is_said_roughly(minutes, words):
    assert wording.ahead(NOW + timedelta(minutes=minutes), NOW) == words


@pytest.mark.parametrize(
    ("hours", "words"),
    [(0, "10 am"), (-18, "yesterday at 4 pm"), (-72, "Saturday 21 November at 10 am")],
)
def test_a_past_moment_is_as_short_as_it_can_be(hours, words):
    assert wording.moment(NOW + timedelta(hours=hours), NOW, NAIROBI) == words


@given(st.integers(0, 20 * 365 * 24 * 60))
def test_a_slot_is_said_where_it_happens(minutes):
    at = NOW + timedelta(minutes=minutes)
    local = at.astimezone(NAIROBI)

    words = wording.slot(at, at + timedelta(hours=3), NAIROBI)

    assert f" {local.day} " in words
    assert wording.clock(local.time()) in words


@pytest.mark.parametrize(
    ("key", "others", "tail"),
    [
        ("KM4279", [], "4279"),
        ("KM4279", ["KE5380"], "4279"),
        ("KM4279", ["KM4279", "KE4279"], "M4279"),
        ("KM4279", ["9KM4279"], "KM4279"),
        ("42", ["42"], "42"),
    ],
)
def test_an_end_is_as_long_as_it_takes_to_tell_parcels_apart(key, others, tail):
    assert wording.tail(key, others) == tail


@pytest.mark.parametrize(
    ("tracking_id", "words"),
    [
        ("KM-4279", "K M, 4 2 7 9"),
        ("7k3mq9tx5", "7 K 3, M Q 9, T X 5"),
        ("RR 12345678 KE", "R R, 1 2 3 4, 5 6 7 8, K E"),
        ("KM427", "K M 4, 2 7"),
        ("", ""),
    ],
)
def test_a_whole_id_is_read_in_groups(tracking_id, words):
    assert wording.in_groups(tracking_id) == words
