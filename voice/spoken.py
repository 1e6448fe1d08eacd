"""Find in the agent's speech what it may not say: codes and telephone numbers that nobody gave it.

Pure. What the caller said in this call, and what tools and instructions told, may be read back.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from voice.numerals import Number, digits_of, numbers

CODE, NUMBER, PLACE = "[code]", "[number]", "[address]"
_CODE_DIGITS = 4
_NUMBER_DIGITS = 9
_PLACE_LETTERS = 8
_KEPT = 20_000
_BESIDE = re.compile(r"[ \-()/\u00a0\u2011]{0,3}")
_LISTED = re.compile(r"[ \-()/\u00a0\u2011,.\u2026]{0,3}(?:(?:uh|um|er)[ ,.\u2026]{1,3})?", re.IGNORECASE)
_TIME = re.compile(r"[:.h]")


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
        # A mark between two numbers: a code made of the end of one and the start of the next was in neither.
        told = "|".join(digits for digits, _, _ in _runs(text, told=True))
        self._digits = f"{self._digits}|{told}|"[-_KEPT:]
        self._words = f"{self._words}|{_flat(text)}"[-_KEPT:]

    def allow_more(self, text: str) -> None:
        """Take words that go on where the last ones stopped: a transcript comes in pieces."""
        self._digits = f"{self._digits}{digits_of(text)}"[-_KEPT:]
        self._words = f"{self._words} {_flat(text)}"[-_KEPT:]

    def revoke(self, text: str) -> None:
        """Take back that the digits of this may be said: they turned out to be a code."""
        if len(digits := digits_of(text)) >= _CODE_DIGITS:
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


def codes_hidden(text: str) -> str:
    """Return the text without whatever might be a code: a number of four digits or more, written or said."""
    for digits, start, end in reversed(list(_runs(text))):
        if len(digits) >= _CODE_DIGITS:
            text = text[:start] + CODE + text[end:]
    return text


def _flat(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _runs(text: str, *, told: bool = False) -> Iterator[tuple[str, int, int]]:
    """Yield the digits that are said as one number or code, with where they stand.

    With `told` a time is one, too: what is written "10:45" may be said "ten forty-five".
    """
    run: list[Number] = []
    for number in numbers(text):
        if run and not _joins(text, run[-1], number, told=told):
            yield _run(run)
            run = []
        run.append(number)
    if run:
        yield _run(run)


def _run(parts: list[Number]) -> tuple[str, int, int]:
    return "".join(part.digits for part in parts), parts[0].start, parts[-1].end


def _joins(text: str, one: Number, other: Number, *, told: bool) -> bool:
    """Tell whether two numbers are parts of one: single digits may be read with pauses between."""
    between = text[one.end : other.start]
    if told and _TIME.fullmatch(between):
        return True
    if not told and text[: one.start].endswith(":"):  # the minutes of "14:00-17:00"
        return False
    return bool((_LISTED if one.spelled and other.spelled else _BESIDE).fullmatch(between))


def places(fields: Iterable[str]) -> tuple[str, ...]:
    """Return which parts of addresses are long enough to be guarded."""
    return tuple(dict.fromkeys(part.strip() for part in fields if len(part.strip()) >= _PLACE_LETTERS))
