"""What was to be read back is known again in what was said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.readback import read_back_of

PIECES = st.sampled_from(
    [
        *("K M, 4 2 7 9", "7 K 3, M Q 9", "0 0 1", "Friday 27 November", "Sunday 6 December", "midnight"),
        *("9 am to 12 noon", "2:30 pm to 5 pm", "14 Example Lane", "plot 209/12", "second floor", "door 4"),
    ]
)


@given(st.lists(PIECES, max_size=6))
def test_what_is_read_as_it_stands_is_known_again(pieces):
    words = "; ".join(pieces)

    assert read_back_of(words).is_in(words)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_words_can_be_compared(words, said):
    assert read_back_of(words).is_in(said) in (True, False)


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("the 27th, from nine to noon, for four two seven nine", True),
        ("Friday, 09:00 to 12:00, 42 79", True),
        ("vendredi, neuf heures à midi, quatre deux sept neuf", True),
        ("Friday, nine to noon", False),
        ("4279 on Friday at nine", False),
    ],
)
def test_a_time_is_known_in_figures_and_in_words(said, known):
    assert read_back_of("parcel K M, 4 2 7 9 to Friday 27 November, 9 am to 12 noon").is_in(said) is known
