"""Decide whether a recipient may be called now, later or never, and say why. Pure: time is an argument.

Every sentence is for the dispatcher who asked; it names no telephone number.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import phonenumbers

from shipments.statuses import OVER, Status, Substatus
from voice.statuses import Purpose

_DAY_MIN = 24 * 60
_FAR_DAYS = 30
AHEAD = timedelta(days=_FAR_DAYS)
"""How far the gate looks for a day on which people may be called."""
_LATE = timedelta(hours=12)
_PEOPLE = frozenset(
    {
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
        phonenumbers.PhoneNumberType.TOLL_FREE,
        phonenumbers.PhoneNumberType.VOIP,
    }
)
"""Kinds of number behind which somebody may wait for a parcel, and none of which bills the one who dials."""
_COMES_NO_MORE = frozenset(
    {
        Substatus.CUSTOMER_MOVED,
        Substatus.REFUSED,
        Substatus.RETURNING,
        Substatus.RETURNED,
        Substatus.DAMAGED,
        Substatus.LOST,
        Substatus.CANCELLED_BY_SHIPPER,
    }
)
_OTHERS = "Somebody else answers at the parcel's telephone number."
_ON_ITS_WAY = frozenset(set(Status) - OVER - {Status.ATTEMPT_FAIL, Status.AVAILABLE_FOR_PICKUP})


@dataclass(frozen=True, slots=True)
class Hours:
    """When people are called, in minutes of their own day; `sunday_from_min` holds on Sundays."""

    from_min: int = 8 * 60
    until_min: int = 20 * 60
    sunday_from_min: int = 10 * 60

    @property
    def always(self) -> bool:
        """Whether there are no quiet hours at all, nor quiet days."""
        return self.from_min == 0 and self.until_min == _DAY_MIN


@dataclass(frozen=True, slots=True)
class Rest:
    """When a recipient wants no calls, in minutes of his day; it may go over midnight, or all day round."""

    from_min: int
    until_min: int

    def holds(self, at_min: int) -> bool:
        """Tell whether it is quiet in a minute of the day."""
        if self.from_min < self.until_min:
            return self.from_min <= at_min < self.until_min
        return at_min >= self.from_min or at_min < self.until_min


@dataclass(frozen=True, slots=True)
class DialPolicy:
    """What the courier allows; zero for a budget is none."""

    hours: Hours = Hours()
    per_parcel: int = 2
    per_number_and_day: int = 3
    asked_per_number_and_day: int = 2
    countries: frozenset[str] = frozenset({"KE", "NG", "GH", "UG"})
    at_once: int = 20
    budget_minor: int = 0
    own_number: str = ""
    demo_may_ring: bool = False
    eta_lead: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What the gate knows of a parcel: it asks anew each time."""

    number: str
    zone: ZoneInfo
    status: str
    substatus: str = ""
    is_demo: bool = False
    eta_at: datetime | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """The call in question: the number of record when it was planned, and when the customer asked for it."""

    purpose: str = Purpose.ETA
    planned_number: str = ""
    not_before: datetime | None = None
    expires_at: datetime | None = None
    eta_at: datetime | None = None
    asked_at: datetime | None = None

    @property
    def asked_for(self) -> bool:
        """Whether the customer wants this call."""
        return self.asked_at is not None


@dataclass(frozen=True, slots=True)
class Seen:
    """What was dialled so far, this call left out, and what else holds now."""

    of_parcel: int = 0
    of_number_today: int = 0
    asked_of_number_today: int = 0
    at_once: int = 0
    on_the_line: bool = False
    spent_minor: int = 0
    lacking: str = ""
    opted_out_at: datetime | None = None
    wrong_number: bool = False
    holidays: frozenset[date] = frozenset()
    rest: Rest | None = None
    paused: str = ""
    served_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Now:
    """Dial."""

    because: str = "Nothing speaks against it."


@dataclass(frozen=True, slots=True)
class At:
    """Ask again at this time."""

    when: datetime
    because: str


@dataclass(frozen=True, slots=True)
class Never:
    """Do not dial; `moot` when the parcel needs no call any more, otherwise a rule forbids it."""

    because: str
    moot: bool = False


Answer = Now | At | Never


def parse_hours(text: str) -> Hours:
    """Read "08:00-20:00".

    Raises:
        ValueError: it is no span within a day.
    """
    first, _, last = text.partition("-")
    from_min, until_min = (_minutes(part) for part in (first, last))
    if from_min >= until_min:
        raise ValueError("the hours end before they begin")
    return Hours(from_min, until_min)


def parse_rest(text: str) -> Rest | None:
    """Read "20:00-07:00"; None is no wish, and one that cannot be read is for the whole day."""
    if not text:
        return None
    first, _, last = text.partition("-")
    try:
        return Rest(_minutes(first), _minutes(last))
    except ValueError:
        return Rest(0, 0)


def _minutes(text: str) -> int:
    hours, _, minutes = text.strip().partition(":")
    at = int(hours) * 60 + int(minutes)
    if not 0 <= int(minutes) < 60 or not 0 <= at <= _DAY_MIN:
        raise ValueError("no time of a day")
    return at


def answer(parcel: Parcel, wish: Wish, seen: Seen, policy: DialPolicy, now: datetime) -> Answer:
    """Say whether this call may be placed now, from when on, or not at all: the first reason that holds."""
    for rule in (_number, _person, _worth, _limits):
        if because := rule(parcel, wish, seen, policy, now):
            return because
    latest: At | None = None
    for when in _waits(parcel, wish, seen, policy, now):
        if latest is None or when.when > latest.when:
            latest = when
    if latest is None:
        return Now()
    # What has to wait for its time may wait into the night: the hours are asked of that moment too.
    opens = _opening(parcel, seen, policy.hours, latest.when, _is_due(parcel))
    if opens is not None and opens.when > latest.when:
        latest = opens
    until = _useless_from(parcel, wish)
    if until is not None and latest.when >= until:
        return Never(f"{latest.because} By then it is too late for this call.")
    return latest


def is_quiet(
    hours: Hours,
    zone: ZoneInfo,
    now: datetime,
    holidays: frozenset[date] = frozenset(),
    *,
    due: bool = False,
    rest: Rest | None = None,
) -> bool:
    """Tell whether somebody in `zone` is not to be called at `now`; a parcel due on a holiday lets him be.

    His own `rest` holds whatever the courier's hours are.
    """
    local = now.astimezone(zone)
    at_min = local.hour * 60 + local.minute
    if rest is not None and rest.holds(at_min):
        return True
    if hours.always:
        return False
    if local.date() in holidays and not due:
        return True
    return not _first_min(hours, local.date()) <= at_min < hours.until_min


def _first_min(hours: Hours, day: date) -> int:
    return max(hours.from_min, hours.sunday_from_min) if day.isoweekday() == 7 else hours.from_min


# What forbids


def _number(parcel: Parcel, wish: Wish, seen: Seen, policy: DialPolicy, now: datetime) -> Never | None:
    if parcel.is_demo and not policy.demo_may_ring:
        return Never("It is a sample parcel: none is called over a real line.")
    if not parcel.number:
        return Never("The parcel has no telephone number.")
    if wish.planned_number and wish.planned_number != parcel.number:
        return Never("The parcel's telephone number has changed since this call was planned.")
    if parcel.number == policy.own_number:
        return Never("The parcel's telephone number is our own.")
    try:
        number = phonenumbers.parse(parcel.number, None)
    except phonenumbers.NumberParseException:
        return Never("The parcel's telephone number is none that can be dialled.")
    if not phonenumbers.is_valid_number(number):
        return Never("The parcel's telephone number is none that can be dialled.")
    # A number shared by countries (+1, +44) has a region; the country code alone would let islands in.
    region = phonenumbers.region_code_for_number(number) or ""
    if region not in policy.countries and str(number.country_code) not in policy.countries:
        return Never("The parcel's telephone number belongs to a country that we do not call.")
    if phonenumbers.number_type(number) not in _PEOPLE:
        return Never("The parcel's telephone number is of a kind that we do not call.")
    return None


def _person(parcel: Parcel, wish: Wish, seen: Seen, policy: DialPolicy, now: datetime) -> Never | None:
    # Whoever asks us to call back wants this one call: it lifts nothing for the next, nor what he says later.
    if seen.opted_out_at is not None and (wish.asked_at is None or seen.opted_out_at > wish.asked_at):
        return Never("The recipient does not want to be called.")
    return Never(_OTHERS) if seen.wrong_number and not wish.asked_for else None


def _worth(parcel: Parcel, wish: Wish, seen: Seen, policy: DialPolicy, now: datetime) -> Never | None:
    if wish.purpose == Purpose.CALLBACK:
        if seen.served_at is not None and wish.asked_at is not None and seen.served_at > wish.asked_at:
            return Never("The customer has rung us since, and was answered.", moot=True)
        return _expired(parcel, wish, now)
    if parcel.status in OVER:
        return Never(f"The parcel is {Status(parcel.status).label.lower()}.", moot=True)
    if parcel.substatus in _COMES_NO_MORE:
        return Never(f"The parcel is not delivered: {Substatus(parcel.substatus).label.lower()}.", moot=True)
    rescheduled = parcel.window_start is not None and parcel.window_start - now > _LATE
    match wish.purpose:
        case Purpose.ETA:
            return _arrival(parcel, wish, now, rescheduled=rescheduled) or _expired(parcel, wish, now)
        case Purpose.REATTEMPT if parcel.status != Status.ATTEMPT_FAIL:
            return Never("The parcel no longer waits for another attempt.", moot=True)
        case Purpose.REATTEMPT | Purpose.RESCHEDULE_OFFER if rescheduled:
            return Never("The delivery has another time already.", moot=True)
        case Purpose.DRIVER_REQUEST if parcel.status != Status.OUT_FOR_DELIVERY:
            return Never("The parcel is not with a driver any more.", moot=True)
    return _expired(parcel, wish, now)


def _arrival(parcel: Parcel, wish: Wish, now: datetime, *, rescheduled: bool) -> Never | None:
    if parcel.status not in _ON_ITS_WAY:
        return Never("The parcel is not on its way to the recipient.", moot=True)
    if parcel.eta_at is None and wish.eta_at is not None:
        return Never("The delivery has been moved to another time.", moot=True)
    if parcel.eta_at is None and rescheduled:
        return Never("The parcel is not expected to arrive yet.")
    expected = parcel.eta_at or parcel.window_end
    if expected is None:
        return Never("Nobody has estimated when the parcel arrives.")
    if expected <= now:
        return Never("The time at which the parcel was expected has passed.", moot=True)
    return None


def _expired(parcel: Parcel, wish: Wish, now: datetime) -> Never | None:
    until = _useless_from(parcel, wish)
    return Never("The time for this call has passed.", moot=True) if until and until <= now else None


def _useless_from(parcel: Parcel, wish: Wish) -> datetime | None:
    """Return when this call becomes pointless; an estimate that moved takes that moment with it."""
    if wish.purpose == Purpose.ETA and parcel.eta_at is not None and wish.eta_at is not None:
        return parcel.eta_at
    return wish.expires_at


def _limits(parcel: Parcel, wish: Wish, seen: Seen, policy: DialPolicy, now: datetime) -> Never | None:
    if not wish.asked_for and seen.of_parcel >= policy.per_parcel:
        return Never(f"The recipient was called {_times(seen.of_parcel)} about this parcel already.")
    return None


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


# What delays


def _waits(parcel: Parcel, wish: Wish, seen: Seen, policy: DialPolicy, now: datetime) -> Iterator[At]:
    if seen.paused:
        yield At(now + timedelta(minutes=1), f"Dialling is paused: {seen.paused}")
    if (start := _start(parcel, wish, policy)) > now:
        yield At(start, f"It is planned for {spoken(start, parcel.zone)}.")
    count = seen.asked_of_number_today if wish.asked_for else seen.of_number_today
    most = policy.asked_per_number_and_day if wish.asked_for else policy.per_number_and_day
    if count >= most:
        day = now.astimezone(parcel.zone).date() + timedelta(days=1)
        yield At(
            _moment(day, policy.hours.from_min, parcel.zone),
            f"The number was called {_times(count)} today; more is for tomorrow.",
        )
    if policy.budget_minor and seen.spent_minor >= policy.budget_minor:
        yield At(now + timedelta(hours=1), "The budget for calls is spent for today.")
    if seen.lacking:
        yield At(now + timedelta(minutes=5), seen.lacking)
    if seen.at_once >= policy.at_once:
        yield At(now + timedelta(seconds=5), f"{seen.at_once} calls are under way, which is all at once.")
    if seen.on_the_line:
        yield At(now + timedelta(minutes=1), "The recipient's number rings or is on the line just now.")
    if opens := _opening(parcel, seen, policy.hours, now, _is_due(parcel)):
        yield opens


def _start(parcel: Parcel, wish: Wish, policy: DialPolicy) -> datetime:
    """Return from when on the call makes sense: with the estimate, not with what was estimated once."""
    if wish.purpose == Purpose.ETA and parcel.eta_at and wish.eta_at and parcel.eta_at != wish.eta_at:
        return parcel.eta_at - policy.eta_lead
    return wish.not_before or datetime.min.replace(tzinfo=parcel.zone)


def _is_due(parcel: Parcel) -> Callable[[date], bool]:
    days = {
        at.astimezone(parcel.zone).date() for at in (parcel.eta_at, parcel.window_start) if at is not None
    }
    return days.__contains__


def _opening(
    parcel: Parcel, seen: Seen, hours: Hours, now: datetime, due_on: Callable[[date], bool]
) -> At | None:
    """Return when the quiet hours that hold at `now` end, or None when none hold."""
    today = now.astimezone(parcel.zone).date()
    if not is_quiet(hours, parcel.zone, now, seen.holidays, due=due_on(today), rest=seen.rest):
        return None
    wished = not is_quiet(hours, parcel.zone, now, seen.holidays, due=due_on(today))
    for day in (today + timedelta(days=ahead) for ahead in range(_FAR_DAYS)):
        ends = {_first_min(hours, day), seen.rest.until_min if seen.rest else 0}
        for opens in (_moment(day, at_min, parcel.zone) for at_min in sorted(ends)):
            if opens <= now:
                continue
            if not is_quiet(hours, parcel.zone, opens, seen.holidays, due=due_on(day), rest=seen.rest):
                until = spoken(opens, parcel.zone)
                because = "The recipient wants no calls" if wished else "It is quiet hours there"
                return At(opens, f"{because} until {until}.")
    return At(now + timedelta(days=_FAR_DAYS), "Nobody there may be called for a month.")


def _moment(day: date, at_min: int, zone: ZoneInfo) -> datetime:
    """Return a minute of a day as an instant; one that a clock change leaves out is the one after it."""
    wall = datetime(day.year, day.month, day.day, at_min // 60 % 24, at_min % 60, tzinfo=zone)
    return datetime.fromtimestamp(wall.timestamp(), zone)


def spoken(at: datetime, zone: ZoneInfo) -> str:
    """Return a moment as a clock there shows it."""
    return f"{at.astimezone(zone):%a %d %b %H:%M}"
