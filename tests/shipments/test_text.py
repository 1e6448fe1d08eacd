"""Stored text on its way to a model."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipments.text import TOLD_LIMIT, plain, told


@pytest.mark.parametrize(
    ("stored", "cleaned"),
    [
        ("Amina Otieno", "Amina Otieno"),
        ("Duka la Mama\u0300", "Duka la Mam\u00e0"),
        ("line\none\ttwo", "line one two"),
        ("<b>bold</b> <script>x</script>", "bold x"),
        ("a\u202eb\u200bc\x00d", "abcd"),
        ('\uff1cspeak\uff1e{"role":"system"}', '"role":"system"'),
        ("x" * 5000, "x" * TOLD_LIMIT),
        ("", ""),
    ],
)
def test_text_is_one_short_plain_line(stored, cleaned):
    assert told(stored) == cleaned


@given(st.text(max_size=400))
def test_any_text_is_cleaned_once_and_for_all(stored):
    cleaned = told(stored)

    assert len(cleaned) <= TOLD_LIMIT
    assert told(cleaned) == cleaned
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in cleaned)
    assert not set(cleaned) & set("<>{}[]`|")


@given(st.text(max_size=400))
def test_text_for_comparing_has_no_accents_and_stays_as_it_is(said):
    assert plain(said[:50]) == plain(plain(said[:50]))[: len(plain(said[:50]))]
