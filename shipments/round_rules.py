"""Decide what a driver may hear of his round, and what he may do on it. Pure: no database, no clock."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shipments.round_errors import (
    DelayUnclearError,
    NoRoundError,
    NothingTimedError,
    NotOnRoundError,
    ReasonUnclearError,
    RoundDoneError,
    StopDoneError,
)
from shipments.statuses import Reason, Status

_LONGEST_MIN = 240
_NUMBER = re.compile(r"\+?\d(?:[\s().-]{0,2}\d){6,}")
"""What may be a telephone number, in groups or not."""
_COMMON = (
    Reason.CONSIGNEE_NOT_HOME,
    Reason.CONSIGNEE_REFUSED,
    Reason.CONSIGNEE_ACCESS_RESTRICTED,
    Reason.CARRIER_ADDRESS_NOT_FOUND,
)
_SIDES = ("consignee_", "carrier_", "retailer_")


@dataclass(frozen=True, slots=True)
class Door:
    """A stop as the rules see it."""

    position: int
    status: Status
    is_done: bool = False
    eta_at: datetime | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether the driver has still to come there: a parcel that left the road takes its stop with it."""
        return not self.is_done and self.status == Status.OUT_FOR_DELIVERY


def next_of(doors: Sequence[Door]) -> Door | None:
    """Return the stop that a driver goes to now, if any is left; `doors` are in his order."""
    return next((door for door in doors if door.is_waiting), None)


def chosen(doors: Sequence[Door], position: int | None) -> Door:
    """Return the stop that a driver means: by its number on his own round, or the next one.

    Raises:
        RoundError: he has no such stop.
    """
    if not doors:
        raise NoRoundError
    if position is None:
        found = next_of(doors)
        if found is None:
            raise RoundDoneError
        return found
    found = next((door for door in doors if door.position == position), None)
    if found is None:
        raise NotOnRoundError
    return found


def waiting(doors: Sequence[Door], position: int | None) -> Door:
    """Return the stop that a driver means, if he has still to come there.

    Raises:
        RoundError: he has no such stop, or it is done.
    """
    door = chosen(doors, position)
    if not door.is_waiting:
        raise StopDoneError
    return door


def gets_code(doors: Sequence[Door], door: Door) -> bool:
    """Tell whether a driver is sent what opens this gate: only where he goes next."""
    return next_of(doors) == door


def delayed(doors: Sequence[Door], minutes: int) -> Mapping[int, datetime]:
    """Return when the parcels of the stops that are left come, by position, when the driver is late.

    The one that he goes to now is late as well; what nobody estimated stays without an estimate.

    Raises:
        RoundError: nothing is left or has a time, or that is no delay.
    """
    if not 1 <= minutes <= _LONGEST_MIN:
        raise DelayUnclearError
    waiting(doors, None)
    late = timedelta(minutes=minutes)
    times = {door.position: door.eta_at + late for door in doors if door.is_waiting and door.eta_at}
    if not times:
        raise NothingTimedError
    return times


def reason_of(said: str) -> Reason:
    """Return why nothing was handed over, by its name with or without whose side it was.

    Raises:
        ReasonUnclearError: no reason is called so.
    """
    name = "_".join(re.findall(r"[a-z]+", said.lower()))
    for full in (name, *(f"{side}{name}" for side in _SIDES)):
        if full in Reason:
            return Reason(full)
    raise ReasonUnclearError(offers=tuple(reason.label.lower() for reason in _COMMON))


def speakable(text: str, code: str) -> str:
    """Return a note without the code of the gate, however it is spaced there, and without telephone numbers.

    Notes are typed by people, who write such things into them.
    """
    text = _NUMBER.sub("(number left out)", text)
    signs = [re.escape(sign) for sign in code if sign.isalnum()]
    if not signs:
        return text
    spaced = r"(?<![^\W_])" + r"[\W_]*".join(signs) + r"(?![^\W_])"
    return re.sub(spaced, "(code by message)", text, flags=re.IGNORECASE)
