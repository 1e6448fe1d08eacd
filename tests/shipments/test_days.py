"""Days and times of day as callers say them."""

from contextlib import suppress
from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipments.days import read_day, read_window
from shipments.errors import NoSuchDayError, UnclearDayError

TUESDAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("today", TUESDAY),
        ("leo", TUESDAY),
        ("tomorrow", date(2026, 11, 25)),
        ("tomorrow morning please", date(2026, 11, 25)),
        ("kesho", date(2026, 11, 25)),
        ("demain", date(2026, 11, 25)),
        ("the day after tomorrow", date(2026, 11, 26)),
        ("kesho kutwa", date(2026, 11, 26)),
        ("apr\u00e8s-demain", date(2026, 11, 26)),
        ("Friday", date(2026, 11, 27)),
        ("on Friday afternoon", date(2026, 11, 27)),
        ("Ijumaa", date(2026, 11, 27)),
        ("vendredi", date(2026, 11, 27)),
        ("Tuesday", date(2026, 12, 1)),
        ("Friday next week", date(2026, 12, 4)),
        ("next week", date(2026, 11, 30)),
        ("in three days", date(2026, 11, 27)),
        ("siku mbili", date(2026, 11, 26)),
        ("dans 2 jours", date(2026, 11, 26)),
        ("27 November", date(2026, 11, 27)),
        ("November the 27th", date(2026, 11, 27)),
        ("the twenty-seventh of November", date(2026, 11, 27)),
        ("November twenty seventh", date(2026, 11, 27)),
        ("the twenty-eighth", date(2026, 11, 28)),
        ("the third", date(2026, 12, 3)),
        ("December the thirty-first", date(2026, 12, 31)),
        ("27/11", date(2026, 11, 27)),
        ("27/11/2026", date(2026, 11, 27)),
        ("2026-11-27", date(2026, 11, 27)),
        ("2026-11-27T09:00:00+03:00", date(2026, 11, 27)),
        ("the 27th", date(2026, 11, 27)),
        ("tarehe 27", date(2026, 11, 27)),
        ("the 3rd", date(2026, 12, 3)),
        ("the first of January", date(2027, 1, 1)),
    ],
)
def test_a_day_is_understood(said, day):
    assert read_day(said, TUESDAY) == day


@pytest.mark.parametrize(
    "said", ["31 February", "2026-02-31", "2026-13-01", "99/99", "31/02/2027", "0000-00-00"]
)
def test_a_date_that_no_calendar_has_is_said_to_be_none(said):
    with pytest.raises(NoSuchDayError):
        read_day(said, TUESDAY)


@pytest.mark.parametrize("said", ["", "soon", "whenever", "\x00", "in 999 days", "x" * 10_000])
def test_what_is_no_day_is_asked_for_again(said):
    with pytest.raises(UnclearDayError):
        read_day(said, TUESDAY)


@given(
    st.text(max_size=60) | st.text("0123456789-/. TZ:", max_size=25),
    st.dates(date(1950, 1, 1), date(2500, 1, 1)),
)
def test_any_text_is_a_day_or_a_refusal(said, today):
    with suppress(NoSuchDayError, UnclearDayError):
        assert isinstance(read_day(said, today), date)


@given(st.integers(1, 6), st.dates(date(2026, 1, 1), date(2030, 1, 1)))
def test_a_weekday_is_the_next_one_of_its_name(ahead, today):
    day = today + timedelta(days=ahead)

    assert read_day(f"{day:%A}", today) == day


@pytest.mark.parametrize(
    ("said", "window"),
    [
        ("in the morning", (time(0), time(12))),
        ("asubuhi", (time(0), time(12))),
        ("le matin", (time(0), time(12))),
        ("after lunch", (time(12), time(17))),
        ("apr\u00e8s-midi", (time(12), time(17))),
        ("jioni", (time(16), time(23, 59))),
        ("2 pm to 5 pm", (time(14), time(17))),
        ("2 to 5 pm", (time(14), time(17))),
        ("between 9 and 12", (time(9), time(12))),
        ("10 am to noon", (time(10), time(12))),
        ("14:00-17:00", (time(14), time(17))),
        ("9h30 a 11h", (time(9, 30), time(11))),
        ("after 3 pm", (time(15), time(23, 59))),
        ("any time", None),
        ("", None),
        ("25:00 to 99:99", None),
    ],
)
def test_a_time_of_day_is_understood(said, window):
    assert read_window(said) == window


@given(st.text(max_size=60) | st.text("0123456789-:. apmto", max_size=25))
def test_any_text_is_a_window_or_none(said):
    window = read_window(said)

    assert window is None or window[0] < window[1]
