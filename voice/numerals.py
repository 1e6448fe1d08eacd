"""Read the numbers in what is said, in figures or in words of English, Swahili and French. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shipments.text import DIGITS, plain, words

_ROUND: dict[str, int] = {
    word: value
    for names in (
        "twenty thirty forty fifty sixty seventy eighty ninety",
        "ishirini thelathini arobaini hamsini sitini sabini themanini tisini",
        "vingt trente quarante cinquante soixante septante huitante nonante",
    )
    for word, value in zip(words(names), range(20, 100, 10), strict=False)
} | {"kumi": 10, "dix": 10, "vingts": 20}
"""What a single digit may follow: "forty-two", "ishirini na saba", "vingt et un"."""
_TEENS: dict[str, int] = {
    word: value
    for names in (
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
        "dix onze douze treize quatorze quinze seize",
    )
    for word, value in zip(words(names), range(10, 20), strict=False)
    if word != "dix"
}
_TIMES: dict[str, int] = {"double": 2, "triple": 3, "treble": 3}
_HUNDRED = frozenset(("hundred", "cent", "cents"))
_SCORES = frozenset(("vingt", "vingts"))
"""What "quatre" makes eighty of."""
_OH = frozenset(("oh", "o"))
_ZEROS = ("z\u00e9ro", "ze\u0301ro")
"""The one number that is written with an accent."""
_WORDS = sorted({*DIGITS, *_ROUND, *_TEENS, *_TIMES, *_HUNDRED, *_OH, *_ZEROS}, key=len, reverse=True)
_TOKEN = re.compile(rf"\+?\d+|\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)
_CLOSE = re.compile(r"[\s\u00a0\-\u2011]{1,3}")
_TIED = re.compile(r"[\s\u00a0\-\u2011]{1,3}(?:(?:na|et)[\s\u00a0\-\u2011]{1,3})?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was said, and where; `spelled` when it is a part of a longer one, such as a digit."""

    digits: str
    start: int
    end: int
    spelled: bool = False


def numbers(text: str) -> Iterator[Number]:
    """Yield the numbers of a text in their order: "forty-two" is one, and so are "42" and "double zero"."""
    tokens = list(_TOKEN.finditer(text))
    place = 0
    while place < len(tokens):
        taken, digits, spelled = _number(text, tokens[place : place + 4])
        if digits:
            yield Number(digits, tokens[place].start(), tokens[place + taken - 1].end(), spelled)
        place += taken


def digits_of(text: str) -> str:
    """Return all digits of a text, written or said, as one run."""
    return "".join(number.digits for number in numbers(text))


def _number(text: str, tokens: list[re.Match[str]]) -> tuple[int, str, bool]:
    """Return how many of the tokens make the first number, its digits, and whether it is spelled."""
    word = plain(tokens[0][0])
    following = plain(tokens[1][0]) if len(tokens) > 1 else ""
    gap = text[tokens[0].end() : tokens[1].start()] if following else ""
    close = bool(_CLOSE.fullmatch(gap))
    digit = _digit(following)
    if word in _TIMES:
        return (2, digit * _TIMES[word], True) if close and digit else (1, "", False)
    if word in _OH:  # alone it is no zero: "oh, I see"
        return 1, "0" if close else "", True
    if word in _HUNDRED:
        return 1, "", False
    if word == "quatre" and close and following in _SCORES:
        taken, unit = _unit(text, tokens[1:], to_nineteen=True)
        return 2 + taken, str(80 + unit), False
    if word in _ROUND:
        taken, unit = _unit(text, tokens, to_nineteen=word == "soixante")
        return 1 + taken, str(_ROUND[word] + unit), False
    if word in _TEENS:
        return 1, str(_TEENS[word]), False
    if not word.lstrip("+").isdecimal() and close and following in _HUNDRED:
        return 2, f"{DIGITS[word]}00", True  # of a telephone number
    value = _digit(word) or "".join(str(int(c)) for c in word.lstrip("+"))  # of other scripts, too
    return 1, value, len(value) == 1


def _unit(text: str, tokens: list[re.Match[str]], *, to_nineteen: bool) -> tuple[int, int]:
    """Return how many tokens after the first are tied to it, and what they add: "soixante-quinze"."""
    if len(tokens) < 2 or not _TIED.fullmatch(text, tokens[0].end(), tokens[1].start()):
        return 0, 0
    word = plain(tokens[1][0])
    if to_nineteen and word in _TEENS:
        return 1, _TEENS[word]
    if to_nineteen and word == "dix":
        taken, unit = _unit(text, tokens[1:], to_nineteen=False)
        return (1 + taken, 10 + unit) if unit > 6 else (1, 10)  # 11 to 16 have words of their own
    unit = int(_digit(word) or 0)
    return int(unit > 0), unit


def _digit(word: str) -> str:
    """Return the one digit that a word stands for, or nothing."""
    return word if len(word) == 1 and word.isascii() and word.isdecimal() else DIGITS.get(word, "")
