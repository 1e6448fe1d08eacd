"""Find in the agent's speech what it may not say: codes and telephone numbers that nobody gave it.

Pure. What the caller said in this call, and what tools and instructions told, may be read back.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from shipments.text import DIGITS, plain

CODE, NUMBER, PLACE = "[code]", "[number]", "[address]"
_CODE_DIGITS = 4
_NUMBER_DIGITS = 9
_PLACE_LETTERS = 8
_KEPT = 20_000
_TOKEN = re.compile(rf"\+?\d+|\b(?:{'|'.join(sorted(DIGITS, key=len, reverse=True))})\b", re.IGNORECASE)


@dataclass(slots=True)
class SpeechCheck:
    """What may be said in one call; `guarded` are the places that may not, unless the caller named them."""

    guarded: tuple[str, ...] = ()
    _digits: str = ""
    _words: str = ""
    _guarded: list[re.Pattern[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._guarded = [
            re.compile(r"\W+".join(map(re.escape, parts)), re.IGNORECASE)
            for place in self.guarded
            if sum(map(len, parts := re.findall(r"\w+", place))) >= _PLACE_LETTERS
        ]

    def allow(self, text: str) -> None:
        """Take words that may be read back."""
        # A mark between two texts: a code made of the end of one and the start of the next was in neither.
        self._digits = f"{self._digits}|{digits_of(text)}"[-_KEPT:]
        self._words = f"{self._words}|{_flat(text)}"[-_KEPT:]

    def allow_more(self, text: str) -> None:
        """Take words that go on where the last ones stopped: a transcript comes in pieces."""
        self._digits = f"{self._digits}{digits_of(text)}"[-_KEPT:]
        self._words = f"{self._words} {_flat(text)}"[-_KEPT:]

    def revoke(self, text: str) -> None:
        """Take back that the digits of this may be said: they turned out to be a code."""
        if digits := digits_of(text):
            self._digits = self._digits.replace(digits, "|")

    def is_clean(self, text: str) -> bool:
        """Tell whether all of this may be said."""
        return not any(self._faults(text))

    def masked(self, text: str) -> str:
        """Return the text with what may not be said taken out."""
        for start, end, mask in sorted(self._faults(text), reverse=True):
            text = text[:start] + mask + text[end:]
        return text

    def _faults(self, text: str) -> Iterator[tuple[int, int, str]]:
        for digits, start, end in _runs(text):
            if len(digits) >= _CODE_DIGITS and digits not in self._digits:
                yield start, end, NUMBER if len(digits) >= _NUMBER_DIGITS else CODE
        for place in self._guarded:
            for found in place.finditer(text):
                if _flat(found[0]) not in self._words:
                    yield found.start(), found.end(), PLACE


def digits_of(text: str) -> str:
    """Return all digits of a text, written or said, as one run."""
    return "".join(_value(found[0]) for found in _TOKEN.finditer(text))


def codes_hidden(text: str) -> str:
    """Return the text without whatever might be a code: a number of four digits or more, written or said."""
    for digits, start, end in reversed(list(_runs(text))):
        if len(digits) >= _CODE_DIGITS:
            text = text[:start] + CODE + text[end:]
    return text


def _flat(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _value(token: str) -> str:
    token = token.lstrip("+")
    # Digits of other scripts are digits too.
    return "".join(str(int(c)) for c in token) if token.isdecimal() else DIGITS[plain(token)]


def _runs(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the digits that are said as one number or code, with where they stand."""
    digits, start, end, single = "", 0, 0, False
    for token in _TOKEN.finditer(text):
        value = _value(token[0])
        between = text[end : token.start()]
        joins = bool(digits) and _joins(between, listed=single and len(value) == 1)
        if not joins:
            if digits:
                yield digits, start, end
            digits, start = "", token.start()
        digits, end, single = digits + value, token.end(), len(value) == 1
    if digits:
        yield digits, start, end


def _joins(between: str, *, listed: bool) -> bool:
    """Tell whether two numbers are parts of one: single digits may be read with pauses between."""
    return len(between) <= 3 and set(between) <= set(" -()/\u00a0\u2011" + (",.…" if listed else ""))


def places(fields: Iterable[str]) -> tuple[str, ...]:
    """Return which parts of addresses are long enough to be guarded."""
    return tuple(dict.fromkeys(part.strip() for part in fields if len(part.strip()) >= _PLACE_LETTERS))
