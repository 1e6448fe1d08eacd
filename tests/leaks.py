"""What no log may hold: secrets that were planted for the tests, tokens and telephone numbers."""

import re

from tests.settings import PLANTED

# Fictional numbers of the four countries, with or without their plus, or as they are written at home;
# and any number that has a plus.
_PHONE = re.compile(
    r"(?<![\dA-Za-z])"
    r"(?:\+[1-9]\d{8,14}|(?:(?:254|256)700\d{3}|234800000\d|233200000)\d{3}"
    r"|(?<!\.)0(?:700\d{3}|800000\d|200000)\d{3})"
    r"(?!\d)"
)
_TOKEN = re.compile(r"(?<![\w-])[\w-]{43}(?![\w-])")
"""What `voice.access.new_token` makes: 256 bits in base64 for addresses."""


def secrets_in(text: str, planted: set[str] | frozenset[str] = frozenset()) -> list[str]:
    """Return what in `text` should be in no log: planted secrets, tokens, telephone numbers."""
    known = [secret for secret in {*PLANTED.values(), *planted} if secret in text]
    return known + _TOKEN.findall(text) + _PHONE.findall(text)
