"""Bring phone numbers into one form, and show them to those who need not be able to ring them."""

import re
import unicodedata

import phonenumbers

_LONGEST = 64
_NUMBER = re.compile(r"(?<![\w.])\+?(?:\d ?){6,12}(\d) ?(\d) ?(\d)(?!\w|\.\w)")
"""What may be a telephone number, in groups or not: seconds since 1970 look the same, and are no loss."""


def normalise(raw: str, region: str) -> str:
    """Return a number as E.164, or "" when there is none to be had.

    Withheld and alphabetic callers, SIP users without a number and numbers that no network assigns all
    come out as "". `region` (ISO 3166-1, two letters) is where a number without a country code belongs.
    """
    text = unicodedata.normalize("NFKC", raw[: 2 * _LONGEST]).strip().casefold()
    for scheme in ("sips:", "sip:", "tel:"):
        text = text.removeprefix(scheme)
    text = text.partition("@")[0].partition(";")[0].strip()
    # phonenumbers would read "0700 CALL NOW" as keypad letters; a caller id with letters is a name.
    if not text or len(text) > _LONGEST or any(c.isalpha() for c in text):
        return ""
    digits = "".join(str(unicodedata.decimal(c)) for c in text if c.isdecimal())
    if text.lstrip("( ").startswith("+"):
        international = True
    elif digits.startswith("00"):
        digits, international = digits[2:], True
    else:
        international = False
    candidates = ["+" + digits] if international else [digits, "+" + digits]
    for candidate in candidates:
        # A carrier may leave the plus away: what is no local number is tried as an international one.
        try:
            number = phonenumbers.parse(candidate, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return ""


def masked(number: str) -> str:
    """Return a number by its last three digits."""
    return f"••• {number[-3:]}" if number else "–"


def mask_numbers(text: str) -> str:
    """Return text in which whatever may be a telephone number shows its last three digits only."""
    return _NUMBER.sub(r"••• \1\2\3", text)
