"""What the tests look for in every log is found there, and little else is."""

import pytest

from tests.leaks import secrets_in
from voice.access import new_token


@pytest.mark.parametrize("number", [
    "+254700000001", "254700000001", "0700000001", "+2348000000001", "08000000001", "233200000001",
    "0200000001",
])  # fmt: skip
@pytest.mark.parametrize("around", ["from {} at", "?q={}&o=1", '"{}"', "'{}'"])
def test_a_number_is_found_however_it_is_written(number, around):
    assert secrets_in(around.format(number)) == [number]


def test_tokens_and_planted_words_are_found():
    token = new_token()

    assert secrets_in(f"/audio/{token}", {"planted-here"}) == [token]
    assert secrets_in("a planted-here word", {"planted-here"}) == ["planted-here"]


@pytest.mark.parametrize(
    "text", ["took 0.0700000001 s", "2026-11-28T02:06:18.700000+00:00", "id 20700000001"]
)
def test_what_is_no_number_of_a_person_is_not_taken_for_one(text):
    assert secrets_in(text) == []
