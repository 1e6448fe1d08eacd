"""Choose delivery windows: which are free for a parcel, and which one is meant by what was said."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shipments import wording
from shipments.days import read_day, read_window
from shipments.depots import DeliverySlot
from shipments.errors import DayRefusedError, NoSlotError
from shipments.models import Shipment
from shipments.rules import POLICY, Window, check_day, check_window
from shipments.telling import parcel_of

OFFERS = 3
"""How many windows are offered at once: more cannot be kept in mind."""


def chosen_slot(shipment: Shipment, day: str, window: str | None, now: datetime) -> DeliverySlot:
    """Return the free slot that comes nearest to what was asked for.

    Raises:
        DayRefusedError: there is none, with what there is instead.
    """
    wanted = planned_day(shipment, day, now)
    of_the_day = [slot for slot in slots_ahead(shipment, now) if day_of(slot, shipment) == wanted]
    fitting = _fitting(of_the_day, read_window(window or ""), shipment.zone)
    if not fitting:
        raise NoSlotError(offers=offers(shipment, now, wanted))
    free = [slot for slot in fitting if slot.booked < slot.capacity]
    # Any free window but the one that it has already, if there is one.
    parcel = parcel_of(shipment)
    others = [slot for slot in free if slot.starts_at != parcel.booked_start]
    best = next(iter(others or free or fitting))
    try:
        check_window(window_of(best), parcel, now, POLICY)
    except DayRefusedError as error:
        raise type(error)(offers=offers(shipment, now, wanted)) from error
    return best


def planned_day(shipment: Shipment, day: str, now: datetime) -> date:
    """Return the day that was named.

    Raises:
        DayRefusedError: it cannot be made out or planned for, with what there is instead.
    """
    wanted = read_day(day, now.astimezone(shipment.zone).date())
    try:
        check_day(wanted, shipment.zone, now, POLICY)
    except DayRefusedError as error:
        raise type(error)(offers=offers(shipment, now, wanted)) from error
    return wanted


def _fitting(
    slots: Sequence[DeliverySlot], part: tuple[time, time] | None, zone: ZoneInfo
) -> list[DeliverySlot]:
    """Return the slots that overlap a part of the day where the parcel goes, the best first."""
    if part is None:
        return list(slots)
    overlaps = [(_minutes_shared(slot, part, zone), slot) for slot in slots]
    return [slot for shared, slot in sorted(overlaps, key=lambda pair: -pair[0]) if shared > 0]


def _minutes_shared(slot: DeliverySlot, part: tuple[time, time], zone: ZoneInfo) -> float:
    start, end = slot.starts_at.astimezone(zone), slot.ends_at.astimezone(zone)
    since, until = (datetime.combine(start.date(), at, zone) for at in part)
    return (min(end, until) - max(start, since)).total_seconds() / 60


def slots_ahead(shipment: Shipment, now: datetime) -> list[DeliverySlot]:
    """Return what is driven from the parcel's depot on the days ahead, full or not, the earliest first."""
    if shipment.depot_id is None:
        return []
    today = now.astimezone(shipment.zone).date()
    days = (today, today + timedelta(days=POLICY.days_ahead + 1))
    slots = list(DeliverySlot.objects.filter(depot_id=shipment.depot_id, date__range=days))
    for slot in slots:
        slot.depot = shipment.depot  # type: ignore[assignment] # it has one
    return slots


def free_slots(shipment: Shipment, now: datetime) -> list[DeliverySlot]:
    """Return the slots that this parcel can be moved to."""
    parcel = parcel_of(shipment)
    free = []
    for slot in slots_ahead(shipment, now):
        try:
            check_window(window_of(slot), parcel, now, POLICY)
        except DayRefusedError:
            continue
        free.append(slot)
    return free


def offers(shipment: Shipment, now: datetime, wanted: date) -> tuple[str, ...]:
    """Return what is free instead, the windows of the wanted day first."""
    free = free_slots(shipment, now)
    return phrases(sorted(free, key=lambda slot: day_of(slot, shipment) != wanted), shipment)


def phrases(slots: Sequence[DeliverySlot], shipment: Shipment) -> tuple[str, ...]:
    """Return the first slots as they are said."""
    return tuple(wording.slot(slot.starts_at, slot.ends_at, shipment.zone) for slot in slots[:OFFERS])


def slot_fields(slot: DeliverySlot, shipment: Shipment) -> dict[str, str]:
    """Return a slot as it can be said and as it can be asked for."""
    start, end = slot.starts_at.astimezone(shipment.zone), slot.ends_at.astimezone(shipment.zone)
    return {
        "day": start.date().isoformat(),
        "window": f"{start:%H:%M}-{end:%H:%M}",
        "words": wording.slot(start, end, shipment.zone),
    }


def window_of(slot: DeliverySlot) -> Window:
    """Return a slot as the rules see it."""
    return Window(slot.starts_at, slot.ends_at, slot.capacity - slot.booked)


def day_of(slot: DeliverySlot, shipment: Shipment) -> date:
    """Return the slot's day where the parcel goes."""
    return slot.starts_at.astimezone(shipment.zone).date()
