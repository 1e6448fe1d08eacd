"""Numbers are the same, said in words or written in figures."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.numerals import digits_of, numbers


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("4815", ["4815"]),
        ("4 8 1 5", ["4", "8", "1", "5"]),
        ("four eight one five", ["4", "8", "1", "5"]),
        ("forty-eight fifteen", ["48", "15"]),
        ("forty one seventy seven", ["41", "77"]),
        ("double four one seven", ["44", "1", "7"]),
        ("oh seven double zero", ["0", "7", "00"]),
        ("triple five", ["555"]),
        ("Oh, I see: four", ["4"]),
        ("a double room", []),
        ("seven hundred", ["700"]),
        ("a hundred times", []),
        ("twenty zero", ["20", "0"]),
        ("+254 700", ["254", "700"]),
        ("tarehe ishirini na saba", ["27"]),
        ("kumi na moja na tano", ["11", "5"]),
        ("le vingt-sept novembre", ["27"]),
        ("vingt et un", ["21"]),
        ("dix-sept heures", ["17"]),
        ("soixante-quinze, soixante-dix", ["75", "70"]),
        ("soixante et onze, soixante-dix-sept", ["71", "77"]),
        ("quatre-vingts", ["80"]),
        ("quatre-vingt-un quatre-vingt-sept", ["81", "87"]),
        ("quatre vingt dix, quatre-vingt-onze", ["90", "91"]),
        ("quatre-vingt-dix-neuf zero un", ["99", "0", "1"]),
        ("quatre-vingt-dix deux", ["90", "2"]),
        ("vingt-quatre vingt-deux", ["24", "22"]),
        ("quatre, vingt", ["4", "20"]),
        ("quatre cents", ["400"]),
        ("z\u00e9ro un, Ze\u0301ro deux", ["0", "1", "0", "2"]),
        ("septante-deux, huitante, nonante et un", ["72", "80", "91"]),
        ("sixty fifteen", ["60", "15"]),
        ("\u0664\u0668", ["48"]),
        ("Friday", []),
    ],
)
def test_a_number_is_read_however_it_is_said(said, read):
    assert [number.digits for number in numbers(said)] == read


@given(st.text(max_size=80))
def test_of_any_text_the_numbers_are_found_where_they_stand(text):
    found = list(numbers(text))

    assert all(one.end <= other.start for one, other in pairwise(found))
    assert "".join(number.digits for number in found) == digits_of(text)
    assert digits_of(text) == "" or digits_of(text).isascii()
