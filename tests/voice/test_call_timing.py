"""How long a caller waited for each answer, as it is drawn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.call_timing import Bar, Span, Wait, strips, waits

TIMES = st.integers(0, 60_000)
WAITS = st.lists(st.builds(lambda *at: Wait(*sorted(at)), TIMES, TIMES, TIMES), max_size=8)
SPANS = st.lists(
    st.builds(lambda start, took: Span("x", start, start + took), TIMES, st.integers(0, 9_000)), max_size=8
)


def test_an_answer_is_drawn_from_the_callers_last_word_by_the_models_first_to_the_ear():
    tools = [Span("track_shipment", 13_000, 14_000)]

    short, long = strips([Wait(2_000, 2_900, 3_000), Wait(12_000, 15_000, 16_000)], tools)

    assert (short.at_ms, short.took_ms, short.percent, short.tools) == (2_000, 1_000, 25, ())
    assert (short.model, short.ear) == (Bar("the model", 0, 90, 900), Bar("to the ear", 90, 10, 100))
    assert (long.at_ms, long.took_ms, long.percent) == (12_000, 4_000, 100)
    assert (long.model, long.ear) == (Bar("the model", 0, 75, 3_000), Bar("to the ear", 75, 25, 1_000))
    assert long.tools == (Bar("track_shipment", 25, 25, 1_000),)


@pytest.mark.parametrize("stored", [None, "x", [], [None], [[1, 2]], [[1, 2, "3"]], [[3, 2, 4]], [[1, 5, 4]]])
def test_what_is_no_wait_is_passed_over(stored):
    assert waits(stored) == []


def test_a_wait_is_read_as_it_was_stored():
    assert waits([[1, 2, 3], "x"]) == [Wait(1, 2, 3)]


@given(WAITS, SPANS)
def test_no_bar_leaves_its_strip(measured, tools):
    for strip in strips(measured, tools):
        assert strip.took_ms >= 0
        assert 1 <= strip.percent <= 100
        for bar in (strip.model, strip.ear, *strip.tools):
            assert bar.left >= 0
            assert bar.left + bar.width <= 100
            assert bar.width >= 1
