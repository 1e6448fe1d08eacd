"""Compare a place as a caller describes it with an address of record, without giving the address away."""

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from shipments.text import plain, words

_NOISE = frozenset(
    words(
        "the a an is at on in of to by my our we i it its am and or near next opposite behind beside before "
        "after from off along just please address place house home office live lives living staying located "
        "called name named yes no "
        "road rd street st avenue ave lane ln drive close way highway crescent rue route avenue boulevard "
        "barabara mtaa karibu na ya wa kwa nyuma mbele ni yangu yetu "
        "le la les de du des pres chez au aux en"
    )
)
_COMMON = frozenset(
    words(
        "gate building floor apartment apartments flat estate block shop supermarket market school church "
        "mosque hospital stage station petrol junction roundabout centre mall plaza tower towers court "
        "gardens heights hotel bank primary red blue green white black yellow big small "
        "duka soko shule kanisa msikiti"
    )
)
_SPELLINGS = {"center": "centre", "saint": "st"}


def is_same_place(said: str, fields: Iterable[str], wider: Iterable[str]) -> bool:
    """Tell whether what was said names one of the telling `fields` of an address.

    `fields` are the landmark, the building and the street; `wider` (area, city, directions) may go with
    them but proves nothing. A list of guesses matches nothing: a good part of what is said must belong.
    """
    spoken = _tokens(said)
    if not spoken:
        return False
    candidates = [tokens for tokens in map(_tokens, fields) if tokens]
    known = {t for tokens in candidates for t in tokens} | {t for text in wider for t in _tokens(text)}
    belonging = sum(1 for token in spoken if _is_among(token, known))
    if belonging * 2 < len(spoken):
        return False
    return any(_covers(spoken, tokens) for tokens in candidates)


def _covers(spoken: Sequence[str], field: Sequence[str]) -> bool:
    """Tell whether the telling words of a field, or most of them, were said."""
    telling = [token for token in field if token not in _COMMON and not token.isdecimal()] or list(field)
    numbers, said_numbers = _numbers(field), _numbers(spoken)
    if numbers and said_numbers and not numbers & said_numbers:  # plot 14 is not plot 12
        return False
    hits = sum(1 for token in telling if _is_among(token, spoken))
    return hits * 3 >= len(telling) * 2


def _numbers(tokens: Iterable[str]) -> set[str]:
    return {token for token in tokens if token.isdecimal()}


def _is_among(token: str, others: Iterable[str]) -> bool:
    return any(_is_alike(token, other) for other in others)


def _is_alike(one: str, other: str) -> bool:
    """Tell whether two words are the same to an ear: a letter or two apart in a long one."""
    if one == other:
        return True
    if min(len(one), len(other)) < 4 or one.isdecimal() or other.isdecimal():
        return False
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= 0.8


def _tokens(text: str) -> list[str]:
    storeless = re.sub(r"\b\d+(?:st|nd|rd|th)\b|\bfloor\s+\d+\b", " ", plain(text))
    found = re.findall(r"\d+|[^\W\d_]+", storeless)
    return [_SPELLINGS.get(token, token) for token in found if token not in _NOISE]
