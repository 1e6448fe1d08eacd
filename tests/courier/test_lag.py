"""When the event loop counts as late, and until when."""

from hypothesis import given
from hypothesis import strategies as st

from courier.lag import Lag


def test_one_late_look_closes_and_half_a_second_in_time_opens():
    lag = Lag(0.1, 0.5)

    told = [lag.note(0.101, 10.0), lag.note(0.0, 10.05), lag.note(0.0, 10.49), lag.note(0.0, 10.5)]

    assert told == [True, True, True, False]


def test_a_loop_that_is_late_now_and_then_stays_late():
    lag = Lag(0.1, 0.5)

    assert all(lag.note(0.2 if look % 8 == 0 else 0.0, look * 0.05) for look in range(100))


def test_what_is_just_not_too_late_is_in_time():
    lag = Lag(0.1, 0.5)

    assert not any(lag.note(0.1, look * 0.05) for look in range(100))


@given(st.lists(st.floats(min_value=0, max_value=0.3), min_size=1, max_size=60))
def test_it_is_late_just_when_a_look_of_the_last_half_second_was(lates):
    lag, now_s, late_at_s = Lag(0.1, 0.5), 100.0, -1.0

    for late_s in lates:
        now_s += 0.05 + late_s
        late_at_s = now_s if late_s > 0.1 else late_at_s

        assert lag.note(late_s, now_s) == (now_s - late_at_s < 0.5)
