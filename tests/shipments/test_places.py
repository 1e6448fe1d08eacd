"""Places as callers describe them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipments.places import is_same_place

FIELDS = ("opposite Sunbird petrol station", "Jacaranda Court", "14 Example Lane", "")
WIDER = ("Kilimani", "", "Nairobi", "Blue gate after the second turning")


@pytest.mark.parametrize(
    "said",
    [
        "Sunbird petrol station",
        "it is opposite the Sunbird",
        "Jacaranda Court in Kilimani",
        "jakaranda court",
        "14 Example Lane, Nairobi",
        "I live at Jacaranda, near the Sunbird station",
        "karibu na Sunbird",
    ],
)
def test_a_right_description_matches(said):
    assert is_same_place(said, FIELDS, WIDER)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Kilimani",
        "Nairobi Kilimani blue gate",
        "petrol station",
        "the court",
        "12 Example Lane",
        "yes",
        "Jacaranda Baobab Acacia Mango Palm Hibiscus Oleander",
        "Acacia House",
        "*",
        "%",
    ],
)
def test_a_wrong_or_a_vague_description_does_not(said):
    assert not is_same_place(said, FIELDS, WIDER)


def test_an_address_without_telling_words_matches_nothing():
    assert not is_same_place("Kilimani", ("", "", ""), ("Kilimani",))


@given(st.text(max_size=300), st.lists(st.text(max_size=50), max_size=4))
def test_any_text_is_answered(said, fields):
    assert is_same_place(said, fields, ()) in (True, False)
