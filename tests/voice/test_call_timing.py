"""How long a caller waited for each answer, as it is drawn."""

from hypothesis import given
from hypothesis import strategies as st

from voice.call_timing import Bar, Span, strips

TIMES = st.integers(0, 60_000)
SPANS = st.lists(
    st.builds(lambda start, took: Span("x", start, start + took), TIMES, st.integers(0, 9_000)), max_size=8
)


def test_an_answer_is_drawn_from_the_callers_last_word_to_our_first_with_the_tools_between():
    said = [Span("caller", 1_000, 2_000), Span("caller", 10_000, 12_000)]
    heard = [Span("agent", 0, 900), Span("agent", 3_000, 5_000), Span("agent", 16_000, 18_000)]
    tools = [Span("track_shipment", 13_000, 14_000)]

    short, long = strips(said, heard, tools)

    assert (short.at_ms, short.took_ms, short.percent, short.bars) == (2_000, 1_000, 25, ())
    assert (long.at_ms, long.took_ms, long.percent) == (12_000, 4_000, 100)
    assert long.bars == (Bar("track_shipment", 25, 25, 1_000),)


def test_who_goes_on_speaking_before_he_is_answered_is_answered_once():
    said = [Span("caller", 0, 1_000), Span("caller", 1_500, 2_000)]

    [strip] = strips(said, [Span("agent", 3_000, 4_000)], [])

    assert strip.at_ms == 2_000


def test_a_question_that_nobody_answered_has_no_strip():
    assert strips([Span("caller", 0, 1_000)], [Span("agent", 500, 900)], []) == ()


@given(SPANS, SPANS, SPANS)
def test_no_bar_leaves_its_strip(said, heard, tools):
    for strip in strips(said, heard, tools):
        assert strip.took_ms > 0
        assert 1 <= strip.percent <= 100
        for bar in strip.bars:
            assert bar.left >= 0
            assert bar.left + bar.width <= 100
            assert bar.width >= 1
