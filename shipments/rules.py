"""Decide what may be told to whom, and what may be changed when. Pure: no database, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from shipments.errors import (
    AlreadyWaitingError,
    AttemptsUsedError,
    ClosedError,
    DeliveredError,
    HeldAlreadyError,
    NotHereYetError,
    OutOfZoneError,
    PlaceUnclearError,
    SameSlotError,
    ShipperForbidsError,
    SlotFullError,
    TooFarError,
    TooSoonError,
)
from shipments.statuses import Status, Substatus


@dataclass(frozen=True, slots=True)
class Policy:
    """The courier's own figures."""

    cut_off: time = time(18)
    """Until when, where the parcel goes, the next day can still be planned."""
    days_ahead: int = 7
    attempts: int = 3
    pin_failures: int = 10
    """How many wrong delivery codes in a row a parcel takes before only a new code helps."""
    eta_fresh_s: float = 1800
    """How long an estimate may be promised for after it was computed."""
    news_fresh_s: float = 86400
    """How long a status of a parcel that moves is believed."""
    proposal_s: float = 120
    eta_margin_s: float = 1200
    eta_grid_s: int = 600


POLICY = Policy()
"""The figures that the product runs with."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What the rules know of a parcel."""

    status: Status
    zone: tzinfo
    substatus: str = ""
    attempts: int = 0
    changes_allowed: bool = True
    change_waiting: bool = False
    booked_start: datetime | None = None
    promised_start: datetime | None = None
    promised_end: datetime | None = None
    eta_at: datetime | None = None
    eta_computed_at: datetime | None = None
    news_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A delivery slot and how many places are left in it."""

    starts_at: datetime
    ends_at: datetime
    free: int


class Telling(StrEnum):
    """How much of a parcel a caller may hear."""

    OWN = "own"
    COARSE = "coarse"


class Route(StrEnum):
    """What becomes of a change once the caller has agreed to it."""

    APPLY = "apply"
    APPROVE = "approve"


@dataclass(frozen=True, slots=True)
class Expected:
    """A fresh estimate: it may be promised."""

    starts_at: datetime
    ends_at: datetime
    eta_at: datetime
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Planned:
    """A booked window: it may be named as the plan."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class NotKnown:
    """Nothing that may be promised; `was` is an estimate too old to repeat."""

    was: datetime | None = None


Expectation = Expected | Planned | NotKnown

_ON_THE_ROAD = frozenset({Status.IN_TRANSIT, Status.OUT_FOR_DELIVERY})
_NOT_COMING = frozenset(
    {
        Substatus.REFUSED,
        Substatus.RETURNING,
        Substatus.RETURNED,
        Substatus.DAMAGED,
        Substatus.LOST,
        Substatus.CANCELLED_BY_SHIPPER,
    }
)


def telling(number_of_record: str, caller: str) -> Telling:
    """Say how much a caller may hear of a parcel: all that is his only on his own number."""
    return Telling.OWN if caller and caller == number_of_record else Telling.COARSE


def coarse_state(status: Status) -> str:
    """Return the one of three states that anybody with the id may hear."""
    if status == Status.OUT_FOR_DELIVERY:
        return "on_its_way_today"
    return "delivered" if status == Status.DELIVERED else "with_our_team"


def is_stale(parcel: Parcel, now: datetime, policy: Policy) -> bool:
    """Tell whether the last news of a parcel on the road is too old to build on."""
    if parcel.status not in _ON_THE_ROAD:
        return False
    return parcel.news_at is None or (now - parcel.news_at).total_seconds() > policy.news_fresh_s


def expectation(parcel: Parcel, now: datetime, policy: Policy) -> Expectation:
    """Return when a parcel may be said to come; nothing is promised from an old estimate."""
    if parcel.status in (Status.DELIVERED, Status.EXPIRED) or parcel.substatus in _NOT_COMING:
        return NotKnown()
    old = None
    if parcel.eta_at is not None and parcel.status in _ON_THE_ROAD:
        if parcel.eta_computed_at is not None:
            age_s = (now - parcel.eta_computed_at).total_seconds()
            window = _around(parcel.eta_at, parcel.zone, policy)
            # A computer whose clock runs ahead of ours by minutes is no reason to distrust it.
            if -policy.eta_fresh_s <= age_s <= policy.eta_fresh_s and window[1] > now:
                return Expected(*window, eta_at=parcel.eta_at, as_of=min(parcel.eta_computed_at, now))
        old = parcel.eta_computed_at or parcel.eta_at
    if (
        parcel.promised_start is not None
        and parcel.promised_end is not None
        and parcel.promised_end > now
        and old is None
        and not is_stale(parcel, now, policy)
    ):
        return Planned(parcel.promised_start, parcel.promised_end)
    return NotKnown(was=old)


def _around(eta_at: datetime, zone: tzinfo, policy: Policy) -> tuple[datetime, datetime]:
    """Return the window to speak of for an estimate, on round minutes where the parcel goes."""
    local = eta_at.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    past_s = round((local - midnight).total_seconds() / policy.eta_grid_s) * policy.eta_grid_s
    # Same-zone arithmetic is wall-clock arithmetic: the minutes stay round across a change of clocks.
    middle = midnight + timedelta(seconds=past_s)
    margin = timedelta(seconds=policy.eta_margin_s)
    return middle - margin, middle + margin


def change_route(parcel: Parcel, policy: Policy) -> Route:
    """Return whether a new day is booked at once or goes to a dispatcher.

    Raises:
        ChangeRefusedError: this parcel may not be moved, with the reason to say.
    """
    _check_open(parcel)
    if parcel.attempts >= policy.attempts:
        raise AttemptsUsedError
    return _route(parcel)


def hold_route(parcel: Parcel) -> Route:
    """Return whether a parcel is kept at its depot at once or somebody has to approve.

    However often it was tried to deliver it: this is what is left then.

    Raises:
        ChangeRefusedError: it may not be kept there, is there already, or has not reached it yet.
    """
    _check_open(parcel)
    if parcel.status == Status.AVAILABLE_FOR_PICKUP:
        raise HeldAlreadyError
    if parcel.status in (Status.PENDING, Status.INFO_RECEIVED):
        raise NotHereYetError
    return _route(parcel)


def refusal_route(parcel: Parcel) -> Route:
    """Return whether a parcel is taken off at once when its recipient does not want it.

    Raises:
        ChangeRefusedError: it has arrived, is not coming anyway, or may not be changed.
    """
    _check_open(parcel)
    return _route(parcel)


def _check_open(parcel: Parcel) -> None:
    """Let a parcel pass that somebody waits for and that may be changed at all."""
    if parcel.status == Status.DELIVERED:
        raise DeliveredError
    if parcel.status == Status.EXPIRED or parcel.substatus in _NOT_COMING:
        raise ClosedError
    if not parcel.changes_allowed:
        raise ShipperForbidsError
    if parcel.change_waiting:
        raise AlreadyWaitingError


def _route(parcel: Parcel) -> Route:
    """Leave to a person what concerns a rider on the road, or a parcel that something is wrong with."""
    away = parcel.status in (Status.OUT_FOR_DELIVERY, Status.EXCEPTION)
    return Route.APPROVE if away else Route.APPLY


def check_place(place: Mapping[str, str], depot_city: str) -> None:
    """Let a place pass that a rider of that depot can find.

    Raises:
        PlaceUnclearError: it has neither a landmark, nor a building, nor a street.
        OutOfZoneError: it is in another city than the depot.
    """
    if not any(place.get(name) for name in ("landmark", "building", "line1")):
        raise PlaceUnclearError
    if place.get("city", "").casefold() != depot_city.casefold():
        raise OutOfZoneError


def check_day(day: date, zone: tzinfo, now: datetime, policy: Policy) -> None:
    """Let a day pass that can be planned for: from tomorrow, or the day after once the cut-off has gone.

    Raises:
        TooSoonError: it is past, today, or tomorrow after the cut-off.
        TooFarError: it is further ahead than a parcel is kept.
    """
    local = now.astimezone(zone)
    ahead = (day - local.date()).days
    if ahead < 1 or (ahead == 1 and local.time() >= policy.cut_off):
        raise TooSoonError
    if ahead > policy.days_ahead:
        raise TooFarError


def check_window(window: Window, parcel: Parcel, now: datetime, policy: Policy) -> None:
    """Let a delivery window pass that this parcel can be moved to.

    Raises:
        DayRefusedError: too soon, too far, full, or where the parcel is already.
    """
    check_day(window.starts_at.astimezone(parcel.zone).date(), parcel.zone, now, policy)
    if parcel.booked_start == window.starts_at:
        raise SameSlotError
    if window.free < 1:
        raise SlotFullError
