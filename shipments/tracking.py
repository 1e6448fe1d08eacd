"""Mint ids that can be read aloud: no letter that is taken for a digit, and a check at the end."""

import secrets
from collections.abc import Callable, Sequence

from django.db.models import F, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Replace, Trim, Upper

from shipments.spelling import ALIKE

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: without I, L, O and U."""

_BODY = 8


def new_tracking_id(choose: Callable[[Sequence[str]], str] = secrets.choice) -> str:
    """Return an id of our own: eight random characters and their check character.

    Ids of other couriers are taken as they are. `choose` picks a character, so that a seed can.
    """
    body = "".join(choose(ALPHABET) for _ in range(_BODY))
    return body + check_character(body)


def new_ref() -> str:
    """Return a reference for a change: eight random characters."""
    return "".join(secrets.choice(ALPHABET) for _ in range(_BODY))


def check_character(body: str) -> str:
    """Return the character that follows `body`: Luhn's sum in base 32.

    It differs for any one wrong character and for almost any two that changed places.
    """
    total = 0
    for place, character in enumerate(reversed(body)):
        value = ALPHABET.index(character) * (2 if place % 2 == 0 else 1)
        total += value // 32 + value % 32
    return ALPHABET[-total % 32]


def said_key(field: str, separators: str) -> Trim:
    """Return the expression for what is left of an id when it is said aloud."""
    expression: Combinable = F(field)
    for separator in separators:
        expression = Replace(expression, Value(separator), Value(""))
    expression = Upper(expression)
    for letter, digit in ALIKE.items():
        expression = Replace(expression, Value(letter), Value(digit))
    return Trim(expression)
