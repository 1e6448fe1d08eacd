"""Put times, days, ids and states into words that can be said aloud as they stand."""

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from math import ceil

from shipments.statuses import Status, Substatus

# Not strftime: its names follow the locale of whatever machine this runs on.
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

COARSE: Mapping[str, str] = {
    "on_its_way_today": "That parcel is on its way today.",
    "delivered": "That parcel has been delivered.",
    "with_our_team": "That parcel is with our team.",
}

_STATES: Mapping[Status, str] = {
    Status.PENDING: "is registered, but has not reached us yet",
    Status.INFO_RECEIVED: "has been announced by the sender, but has not reached us yet",
    Status.IN_TRANSIT: "is on its way, but not out for delivery yet",
    Status.OUT_FOR_DELIVERY: "is out for delivery",
    Status.ATTEMPT_FAIL: "could not be handed over when we tried to deliver it",
    Status.AVAILABLE_FOR_PICKUP: "is ready for you to pick up",
    Status.DELIVERED: "has been delivered",
    Status.EXCEPTION: "is held up, and our team is looking into it",
    Status.EXPIRED: "has had no news for a long time, and our team has to look into it",
}
_EXCEPTIONS: Mapping[str, str] = {
    Substatus.CUSTOMER_MOVED: "is held up, because we were told that you have moved",
    Substatus.REFUSED: "was refused at the door",
    Substatus.HELD_FOR_PAYMENT: "is held until a payment is made",
    Substatus.INCORRECT_ADDRESS: "is held up, because we could not find the address",
    Substatus.RETURNING: "is on its way back to the sender",
    Substatus.RETURNED: "has gone back to the sender",
    Substatus.DAMAGED: "was damaged, and our team is looking into it",
    Substatus.LOST: "is being looked for by our team",
    Substatus.CANCELLED_BY_SHIPPER: "was cancelled by the sender",
}


def state(status: str, substatus: str = "") -> str:
    """Return what a parcel does, to follow "your parcel"."""
    if status == Status.EXCEPTION and substatus in _EXCEPTIONS:
        return _EXCEPTIONS[substatus]
    return _STATES[Status(status)]


def tail(key: str, others: Collection[str] = ()) -> str:
    """Return the last four characters of a tracking key, or as many as tell it from `others`."""
    for length in range(4, len(key)):
        if not any(other != key and other.endswith(key[-length:]) for other in others):
            return key[-length:]
    return key


def in_groups(tracking_id: str) -> str:
    """Return a whole tracking id as it is to be read out, in groups of at most four: "K M, 4 2 7 9"."""
    groups = []
    for part in re.findall(r"[A-Z0-9]+", tracking_id.upper()):
        size = ceil(len(part) / ceil(len(part) / 4))
        groups += [spelled(part[start : start + size]) for start in range(0, len(part), size)]
    return ", ".join(groups)


def spelled(characters: str) -> str:
    """Return characters one by one, as they are to be read out: "4 2 7 9"."""
    return " ".join(characters)


def clock(at: time) -> str:
    """Return a time of day: "9 am", "2:10 pm", "12 noon"."""
    if (at.hour, at.minute) == (12, 0):
        return "12 noon"
    if (at.hour, at.minute) == (0, 0):
        return "midnight"
    half = "am" if at.hour < 12 else "pm"
    hour = (at.hour - 1) % 12 + 1
    return f"{hour}:{at.minute:02} {half}" if at.minute else f"{hour} {half}"


def day(on: date) -> str:
    """Return a day with its weekday: "Friday 27 November"."""
    return f"{_WEEKDAYS[on.weekday()]} {on.day} {_MONTHS[on.month - 1]}"


def slot(starts_at: datetime, ends_at: datetime, zone: tzinfo) -> str:
    """Return a delivery window: "Friday 27 November, 9 am to 12 noon"."""
    start, end = starts_at.astimezone(zone), ends_at.astimezone(zone)
    return f"{day(start.date())}, {clock(start.time())} to {clock(end.time())}"


def between(starts_at: datetime, ends_at: datetime, now: datetime, zone: tzinfo) -> str:
    """Return an expected window: "between 2:10 pm and 2:50 pm", with its day unless that is today."""
    start, end, today = starts_at.astimezone(zone), ends_at.astimezone(zone), now.astimezone(zone).date()
    if starts_at <= now < ends_at and end.date() == today:
        return f"by {clock(end.time())}"
    words = f"between {clock(start.time())} and {clock(end.time())}"
    if start.date() == today:
        return words
    if start.date() == today + timedelta(days=1):
        return f"tomorrow {words}"
    return f"on {day(start.date())} {words}"


def ahead(at: datetime, now: datetime) -> str:
    """Return how far off a moment is, roughly: "in about 40 minutes", or "" beyond two hours or when past."""
    minutes = (at - now).total_seconds() / 60
    if minutes < 2.5 or minutes > 120:
        return ""
    return f"in about {round(minutes / 5) * 5} minutes"


def moment(at: datetime, now: datetime, zone: tzinfo) -> str:
    """Return when something was, as short as today allows: "10:15 am", "yesterday at 4 pm"."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    if local.date() == today:
        return clock(local.time())
    if local.date() == today - timedelta(days=1):
        return f"yesterday at {clock(local.time())}"
    return f"{day(local.date())} at {clock(local.time())}"
