"""When a process that was told to stop does what."""

from math import inf

import pytest

from courier.drain import Deadlines

DRAIN_S, GOODBYE_S, AGAIN_S = 660.0, 20.0, 5.0


def told_at(*seconds: float) -> Deadlines:
    """Return what comes of signals at these times."""
    deadlines = Deadlines(DRAIN_S, GOODBYE_S, AGAIN_S)
    for now_s in seconds:
        deadlines.note_signal(now_s)
    return deadlines


def test_who_was_told_nothing_never_leaves():
    due = told_at()

    assert (due.goodbye_at_s, due.cut_at_s, due.leave_at_s, due.gone_at_s) == (inf,) * 4


def test_after_one_signal_calls_have_their_time_and_their_goodbye():
    due = told_at(100)

    assert due.goodbye_at_s == 760
    assert due.goodbye_at_s < due.cut_at_s < due.leave_at_s == 780


@pytest.mark.parametrize("second_s", [101, 759, 761, 779])
def test_after_a_second_signal_it_is_five_seconds_wherever_the_drain_is(second_s):
    due = told_at(100, second_s)

    assert due.cut_at_s <= second_s + 2.5
    assert due.leave_at_s <= second_s + 4
    assert due.gone_at_s < second_s + 5


def test_a_third_signal_wins_no_time():
    assert told_at(100, 101, 104) == Deadlines(DRAIN_S, GOODBYE_S, AGAIN_S, 3, 101, 103.5, 105, 105.9)


def test_a_goodbye_that_is_being_said_is_not_begun_again():
    due = told_at(100)
    due.goodbye_at_s = inf  # it has come

    due.note_signal(765)

    assert due.goodbye_at_s == inf
    assert due.cut_at_s == 767.5
