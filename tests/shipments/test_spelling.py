"""Tracking ids as callers say them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipments.spelling import ends_as, readings, sounds_like
from shipments.tracking import ALPHABET, check_character, new_tracking_id


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("K47Z2M9P3", "K47Z2M9P3"),
        ("k4-7z 2m9p3", "K47Z2M9P3"),
        ("K, four, 7 Z, two, M, nine P three", "K47Z2M9P3"),
        ("my tracking number is K 4 7 Z 2 M 9 P 3 please", "K47Z2M9P3"),
        ("K as in kilo, M like Mombasa, 42 79", "KM4279"),
        ("S E V zero nine", "SEV09"),
        ("S E V oh nine", "SEV09"),
        ("sev O 9", "SEV09"),
        ("SEVO9", "SEV09"),
        ("sierra echo victor zero niner", "SEV09"),
        ("bee I 1 L seven", "B1117"),
        ("double four triple seven", "44777"),
        ("forty-two seventy nine", "4279"),
        ("saba nane tisa", "789"),
        ("un deux trois", "123"),
        ("\uff2b\uff14\uff17", "K47"),
    ],
)
def test_an_id_is_understood_however_it_is_said(said, key):
    assert key in readings(said)


@pytest.mark.parametrize("said", ["", " ", "...", "\x00", "\ud800"])
def test_what_holds_no_letter_and_no_digit_is_nobodys_id(said):
    assert readings(said) == ()


@given(st.text(max_size=300))
def test_any_text_has_few_and_short_readings(said):
    found = readings(said)

    assert len(found) <= 17
    assert all(0 < len(reading) <= 32 and not set(reading) & set("OIL") for reading in found)


@given(st.text(ALPHABET, min_size=9, max_size=9))
def test_an_id_of_ours_read_letter_by_letter_is_itself(key):
    assert key in readings(" ".join(key)) or "A" in key  # "a" may be the word; then it is among the first
    assert key in readings(key)
    assert key in readings(f"{key[:3]}-{key[3:6]} {key[6:]}".lower())


def test_letters_that_are_words_too_are_still_letters():
    assert "4A29A71AK" in readings("4 A 2 9 A 7 1 A K")


def test_the_end_of_an_id_is_enough_among_known_ones():
    assert ends_as("nine P three", "K47Z2M9P3")
    assert not ends_as("P3", "K47Z2M9P3")


def test_letters_that_a_telephone_makes_alike_are_alike():
    assert sounds_like("K 4 7 B 2 N 9 D 3", "K47Z2M9P3")
    assert not sounds_like("K 4 7 Z 2 M 8 P 3", "K47Z2M9P3")


def test_an_id_that_we_mint_has_eight_random_characters_and_a_check():
    minted = new_tracking_id()

    assert len(minted) == 9
    assert set(minted) <= set(ALPHABET)
    assert check_character(minted[:-1]) == minted[-1]


@given(st.text(ALPHABET, min_size=8, max_size=8), st.integers(0, 7), st.sampled_from(ALPHABET))
def test_one_wrong_character_shows(body, place, other):
    wrong = body[:place] + other + body[place + 1 :]

    assert (check_character(wrong) == check_character(body)) == (wrong == body)
