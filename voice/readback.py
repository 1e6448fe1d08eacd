"""Know whether what the agent said holds what was to be read back: days, times, digits, a reason. Pure.

A model says things in its own words, and in Swahili or French: of the rest nothing is asked.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shipments.days import WEEKDAYS
from shipments.statuses import Reason
from shipments.text import plain
from voice.numerals import numbers
from voice.reasons import is_said

_DAY = re.compile(rf"\b({'|'.join(WEEKDAYS)}) (\d{{1,2}})\b", re.IGNORECASE)
_TIME = re.compile(r"\b(\d{1,2})(?::(\d{2}))? (am|pm|noon)\b|\bmidnight\b", re.IGNORECASE)
_RUN = re.compile(r"\d+(?:(?:,? [A-Z])*,? \d+)*")
_SPELLED = re.compile(r"\b[A-Z](?:,? [A-Z])+\b")
_TELLING = re.compile(r"\w{5,}")
_NOONS = (
    (re.compile(r"\b(?:noon|midday|midi)\b"), " 12 "),
    (re.compile(r"\b(?:midnight|minuit)\b"), " 0 "),
    (re.compile(r"\b(?:half|nusu|demie?)\b"), " 30 "),
    (re.compile(r"\b(?:quarter|robo|quart)\b"), " 15 45 "),
)


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What has to be heard of one proposal."""

    days: tuple[tuple[int, int], ...] = ()
    """Weekdays, from Monday as 0, with their days of the month: either tells which day is meant."""
    times: tuple[tuple[int, int], ...] = ()
    """Hours of 24 and minutes."""
    runs: tuple[str, ...] = ()
    """Digits that belong together, such as an id's."""
    spelled: tuple[str, ...] = ()
    """Letters that do, where there is no digit."""
    telling: frozenset[str] = frozenset()
    """Where there is none of these: words of which half have to be said."""
    reason: Reason | None = None
    """Why a parcel was not handed over."""

    def is_in(self, said: str) -> bool:
        """Tell whether all of it is in what was said."""
        text = _plain(said)
        spoken = [number.digits for number in numbers(_figured(text))]
        for run in self.runs:
            place = _place_of(run, spoken)
            if place is None:
                return False
            del spoken[place]
        values = {int(digits) for digits in spoken if len(digits) <= 2}
        weekdays = {WEEKDAYS[word] for word in re.findall(r"[a-z]+", text) if word in WEEKDAYS}
        letters = re.sub(r"[\W_]", "", text)
        return (
            all(weekday in weekdays or day in values for weekday, day in self.days)
            and all(_hours(hour) & values and (not minute or minute in values) for hour, minute in self.times)
            and all(run in letters for run in self.spelled)
            and 2 * len(self.telling.intersection(_TELLING.findall(text))) >= len(self.telling)
            and (self.reason is None or is_said(self.reason, text))
        )


def read_back_of(words: str, reason: str = "") -> ReadBack:
    """Return what has to be heard of a proposal: of the sentence that was to be read, and of its reason."""
    days = tuple((WEEKDAYS[found[1].lower()], int(found[2])) for found in _DAY.finditer(words))
    rest = _DAY.sub(";", words)
    times = tuple(_time(found) for found in _TIME.finditer(rest))
    rest = _TIME.sub(";", rest)
    runs = tuple(re.sub(r"\D", "", found[0]) for found in _RUN.finditer(rest))
    spelled = () if runs else tuple(re.sub(r"\W", "", one).lower() for one in _SPELLED.findall(rest))
    known = bool(days or times or runs or spelled)
    telling = frozenset() if known else frozenset(_TELLING.findall(_plain(words)))
    return ReadBack(days, times, runs, spelled, telling, Reason(reason) if reason else None)


def _plain(said: str) -> str:
    """Return the whole of a text in small letters without accents."""
    return "".join(plain(said[start : start + 200]) for start in range(0, len(said), 200))


def _figured(text: str) -> str:
    for pattern, figure in _NOONS:
        text = pattern.sub(figure, text)
    return text


def _time(found: re.Match[str]) -> tuple[int, int]:
    if found[1] is None:
        return 0, 0
    return int(found[1]) % 12 + (12 if found[3].lower() in ("pm", "noon") else 0), int(found[2] or 0)


def _hours(hour: int) -> set[int]:
    """Return by which numbers an hour is called: in Swahili the day begins at six."""
    return {hour, (hour - 1) % 12 + 1, (hour - 7) % 12 + 1}


def _place_of(run: str, spoken: Sequence[str]) -> slice | None:
    """Return where a run of digits was said, in one number or several; a zero may be called a letter."""
    wanted = run.replace("0", "") or run
    heard = [digits.replace("0", "") if run != wanted else digits for digits in spoken]
    for length in range(1, len(run) + 1):
        for first in range(len(heard) - length + 1):
            parts = heard[first : first + length]
            if parts[0] and parts[-1] and "".join(parts) == wanted:
                return slice(first, first + length)
    return None
