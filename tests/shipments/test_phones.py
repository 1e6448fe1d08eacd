"""One form for a number, whatever a carrier or a person writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipments.phones import normalise

REGIONS = st.sampled_from(["KE", "NG", "GH", "UG", "US", "ZZ", ""])


@pytest.mark.parametrize(
    ("raw", "region", "number"),
    [
        ("+254700000001", "KE", "+254700000001"),
        ("+254 700 000 001", "NG", "+254700000001"),
        ("0700 000 001", "KE", "+254700000001"),
        ("700000001", "KE", "+254700000001"),
        ("254700000001", "KE", "+254700000001"),
        ("00254700000001", "KE", "+254700000001"),
        ("(+254) 700-000-001", "KE", "+254700000001"),
        ("tel:+254700000001", "KE", "+254700000001"),
        ("sip:+254700000001@example.invalid;user=phone", "KE", "+254700000001"),
        (
            "\uff0b\uff12\uff15\uff14\uff17\uff10\uff10\uff10\uff10\uff10\uff10\uff10\uff11",
            "KE",
            "+254700000001",
        ),
        ("+2348000000001", "KE", "+2348000000001"),
        ("+233200000001", "KE", "+233200000001"),
        ("+256700000001", "KE", "+256700000001"),
        ("", "KE", ""),
        ("anonymous", "KE", ""),
        ("Restricted", "KE", ""),
        ("+266696687", "KE", ""),  # "anonymous" on a keypad
        ("0700 CALL NOW", "KE", ""),
        ("sip:alice@example.invalid", "KE", ""),
        ("+254", "KE", ""),
        ("1", "KE", ""),
        ("+" + "9" * 500, "KE", ""),
    ],
)
def test_a_number_has_one_form(raw, region, number):
    assert normalise(raw, region) == number


@given(st.text(max_size=80) | st.text("+0123456789() -.", max_size=25), REGIONS)
def test_whatever_comes_is_a_number_or_nothing_and_stays_what_it_is(raw, region):
    number = normalise(raw, region)

    assert number == "" or (number[0] == "+" and number[1:].isdecimal() and 8 <= len(number) <= 16)
    assert normalise(number, region) == number


@given(st.integers(0, 999_999), st.sampled_from([" ", "-", ".", "", "  "]))
def test_separators_change_nothing(tail, separator):
    plain = f"0700{tail:06}"

    assert normalise(separator.join((plain[:4], plain[4:7], plain[7:])), "KE") == normalise(plain, "KE")
