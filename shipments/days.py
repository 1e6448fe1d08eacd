"""Read days and parts of a day as callers say them, in English, Swahili and French."""

import re
from datetime import date, time, timedelta

from shipments.errors import NoSuchDayError, UnclearDayError
from shipments.text import DIGITS, plain, words

WEEKDAYS: dict[str, int] = {
    word: weekday
    for weekday, names in enumerate(
        (
            "monday mon jumatatu lundi",
            "tuesday tue tues jumanne mardi",
            "wednesday wed jumatano mercredi",
            "thursday thu thur thurs alhamisi jeudi",
            "friday fri ijumaa vendredi",
            "saturday sat jumamosi samedi",
            "sunday sun jumapili dimanche",
        )
    )
    for word in words(names)
}
_MONTHS: dict[str, int] = {
    word: month
    for month, names in enumerate(
        (
            "january jan januari janvier",
            "february feb februari fevrier",
            "march mar machi mars",
            "april apr aprili avril",
            "may mei mai",
            "june jun juni juin",
            "july jul julai juillet",
            "august aug agosti aout",
            "september sep sept septemba septembre",
            "october oct oktoba octobre",
            "november nov novemba novembre",
            "december dec desemba decembre",
        ),
        start=1,
    )
    for word in words(names)
}
_ORDINALS: dict[str, int] = {
    word: day
    for day, word in enumerate(
        words(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
            "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
        ),
        start=1,
    )
} | {"thirtieth": 30}
_TENS = {"twenty": 20, "thirty": 30}
_UNITS: dict[str, int] = {word: day for word, day in _ORDINALS.items() if day < 10} | {
    word: day for day, word in enumerate(words("one two three four five six seven eight nine"), start=1)
}
_COMPOUND = re.compile(rf"\b({'|'.join(_TENS)})[\s-]+({'|'.join(_UNITS)})\b")
_FROM_TODAY = (
    (r"day\s+after\s+tomorrow|kesho\s*kutwa|apres[\s-]*demain", 2),
    (r"\b(?:tomorrow|kesho|demain)\b", 1),
    (r"\b(?:today|tonight|leo|aujourd'?hui)\b", 0),
)
_NEXT_WEEK = r"next\s+week|week\s+after|wiki\s+ijayo|semaine\s+prochaine"


def read_day(said: str, today: date) -> date:
    """Return the day that a caller names, seen from `today` where the parcel goes.

    A weekday is its next occurrence after today, a date without a year the next one of that name.

    Raises:
        NoSuchDayError: it is a date that no calendar has.
        UnclearDayError: no day can be made out.
    """
    text = _COMPOUND.sub(_figure, plain(said))
    for reader in (_full_date, _date_in_year, _from_today, _in_days, _weekday, _day_of_month):
        if (found := reader(text, today)) is not None:
            return found
    raise UnclearDayError


def _figure(match: re.Match[str]) -> str:
    """Return "twenty-seventh" or "thirty one" as a figure."""
    return str(_TENS[match[1]] + _UNITS[match[2]])


def _full_date(text: str, today: date) -> date | None:
    """Read "2026-11-27" (whatever time follows) and "27/11/2026"."""
    if match := re.search(r"\b(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)", text):
        return _date(int(match[1]), int(match[2]), int(match[3]))
    if match := re.search(r"\b(\d{1,2})[/.](\d{1,2})[/.](\d{4})\b", text):
        return _date(int(match[3]), int(match[2]), int(match[1]))
    return None


def _date_in_year(text: str, today: date) -> date | None:
    """Read "27 November", "November the 27th", "27/11"."""
    found = _day_and_month(text)
    return _coming(*found, today) if found else None


def _from_today(text: str, today: date) -> date | None:
    """Read "today", "kesho", "apres-demain"."""
    for pattern, days in _FROM_TODAY:
        if re.search(pattern, text):
            return today + timedelta(days=days)
    return None


def _in_days(text: str, today: date) -> date | None:
    """Read "in three days", "siku mbili", "dans 2 jours"."""
    match = re.search(r"\b(?:in|after|dans)\s+(\w+)\s+(?:days?|jours?)\b|\bsiku\s+(\w+)", text)
    if not match:
        return None
    said = match[1] or match[2]
    count = DIGITS.get(said, said)
    return today + timedelta(days=int(count)) if count.isdecimal() and len(count) <= 2 else None


def _weekday(text: str, today: date) -> date | None:
    """Read "Friday", "Ijumaa", "Friday next week", "next week"."""
    monday = today - timedelta(days=today.weekday())
    skip_week = re.search(_NEXT_WEEK, text)
    for word in re.findall(r"[a-z]+", text):
        if (weekday := WEEKDAYS.get(word)) is not None:
            if skip_week:
                return monday + timedelta(days=7 + weekday)
            return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)
    return monday + timedelta(days=7) if skip_week else None


def _day_of_month(text: str, today: date) -> date | None:
    """Read "the 27th", "tarehe 27", "le 27"."""
    match = re.search(r"\b(?:the|on|le|tarehe)\s+(\d{1,2}|[a-z]+)(?:st|nd|rd|th)?\b", text)
    match = match or re.search(r"\b(\d{1,2})(?:st|nd|rd|th)\b", text)
    day = _ordinal(match[1]) if match else None
    return None if day is None else _coming(day, None, today)


def _day_and_month(text: str) -> tuple[int, int] | None:
    """Return the day and month of "27 November", "November the 27th", "27/11", or None."""
    words = re.findall(r"[a-z]+|\d+", re.sub(r"(?<=\d)(?:st|nd|rd|th|er)\b", "", text))
    for place, word in enumerate(words):
        if word not in _MONTHS or (word in ("may", "mar") and len(words) == 1):
            continue
        near = [w for w in words[max(0, place - 2) : place][::-1] + words[place + 1 : place + 3] if w != "of"]
        for other in near:
            if (day := _ordinal(other)) is not None:
                return day, _MONTHS[word]
    if match := re.search(r"\b(\d{1,2})/(\d{1,2})\b", text):
        return int(match[1]), int(match[2])
    return None


def _ordinal(word: str) -> int | None:
    if word.isdecimal() and len(word) <= 2:
        return int(word)
    return _ORDINALS.get(word)


def _coming(day: int, month: int | None, today: date) -> date:
    """Return the next date of that name, within a year or so."""
    if month is not None:
        this_year = _date_or_none(today.year, month, day)
        if this_year is not None and this_year >= today:
            return this_year
        if (next_year := _date_or_none(today.year + 1, month, day)) is not None:
            return next_year
        raise NoSuchDayError
    for ahead in range(3):
        year, past = divmod(today.month - 1 + ahead, 12)
        found = _date_or_none(today.year + year, past + 1, day)
        if found is not None and found >= today:
            return found
    raise NoSuchDayError


def _date_or_none(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _date(year: int, month: int, day: int) -> date:
    found = _date_or_none(year, month, day)
    if found is None:
        raise NoSuchDayError
    return found


_PARTS: tuple[tuple[str, time, time], ...] = (
    (r"late morning", time(10), time(12)),
    (r"\bmorning|asubuhi|matin|before (?:noon|lunch)", time(0), time(12)),
    (r"afternoon|after lunch|mchana|alasiri|apres[\s-]*midi", time(12), time(17)),
    (r"evening|jioni|\bsoir|after work|night|usiku", time(16), time(23, 59)),
)
_HOUR = r"(\d{1,2})(?:[:.h](\d{2}))?\s*(am|pm|noon|a\.m\.?|p\.m\.?)?"


def read_window(said: str) -> tuple[time, time] | None:
    """Return the part of a day that a caller names, from and to, or None when any will do.

    "2 pm to 5 pm", "14:00-17:00", "after lunch", "asubuhi". What cannot be made out is taken as any:
    the slot is read back before anything changes.
    """
    text = re.sub(r"\b12 noon\b|\bnoon\b|\bmidday\b", "12 pm", plain(said))
    if match := re.search(rf"{_HOUR}\s*(?:-|–|to|till|until|and|hadi|a)\s*{_HOUR}", text):
        start = _clock(match[1], match[2], match[3] or "")
        end = _clock(match[4], match[5], match[6] or "")
        if start is not None and end is not None:
            if not match[3] and match[6] and start.hour < 12 <= end.hour and start.hour + 12 < end.hour:
                start = start.replace(hour=start.hour + 12)  # "2 to 5 pm"
            if start < end:
                return start, end
    for pattern, start, end in _PARTS:
        if re.search(pattern, text):
            return start, end
    if match := re.search(rf"(?:at|after|from|kuanzia|vers|a)\s+{_HOUR}", text):
        start_at = _clock(match[1], match[2], match[3] or "")
        if start_at is not None:
            return start_at, time(23, 59)
    return None


def _clock(hour: str, minute: str | None, half: str) -> time | None:
    number = int(hour)
    if half.startswith("p") and number < 12:
        number += 12
    if half.startswith("a") and number == 12:
        number = 0
    try:
        return time(number, int(minute or 0))
    except ValueError:
        return None
