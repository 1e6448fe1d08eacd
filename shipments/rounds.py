"""Tell a driver of his round of today, and write what he wants at a stop.

Who calls these has proved that he is that driver, on shift; what writes looks once more, behind the lock.
What he hears of a stop is the way to its door: no number of a recipient, no code of a gate, and nothing of
another driver's round.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from shipments import round_rules, texting, wording
from shipments.history import record, scoped
from shipments.models import Shipment, TrackingEvent
from shipments.riders import Driver, Stop
from shipments.round_errors import NotOnShiftError
from shipments.round_rules import Door
from shipments.statuses import Source, Status
from shipments.telling import ending
from shipments.text import told


@dataclass(frozen=True, slots=True)
class AtWheel:
    """Which driver asks, from which number (E.164), in which call and when.

    With `demo` he has no stops but the demonstration's.
    """

    driver_id: int
    number: str
    call_public_id: str
    now: datetime
    demo: bool = False

    def stops(self) -> list[Stop]:
        """Return his stops of today in order."""
        return Stop.objects.round_of(self.driver_id, self.now, demo=self.demo)


def doors_of(stops: Sequence[Stop]) -> list[Door]:
    """Return stops as the rules see them."""
    return [
        Door(
            position=stop.position,
            status=Status(stop.shipment.status),
            is_done=stop.done_at is not None,
            eta_at=stop.shipment.eta_at,
        )
        for stop in stops
    ]


def stop_at(stops: Sequence[Stop], door: Door) -> Stop:
    """Return the stop that the rules chose."""
    return next(stop for stop in stops if stop.position == door.position)


def _stay_on_shift(wheel: AtWheel) -> None:
    """Have a driver be the one on shift until what he wants is written, one wish of his after the other.

    By this lock: who takes him off the shift comes before it or after. SQLite has one writer.
    """
    his = Driver.objects.filter(pk=wheel.driver_id, phone=wheel.number, on_shift=True)
    if his.select_for_update().first() is None:
        raise NotOnShiftError


def locked_round(wheel: AtWheel) -> list[Stop]:
    """Return a driver's stops as they stay until what he wants is written.

    Raises:
        NotOnShiftError: he has been taken off the shift.
    """
    _stay_on_shift(wheel)
    stops = wheel.stops()
    # And no scan of these parcels in between.
    list(Shipment.objects.filter(stops__in=stops).locked())
    return wheel.stops()


def next_stop(wheel: AtWheel) -> dict[str, object]:
    """Tell where a driver goes next.

    Raises:
        RoundError: there is no stop left.
    """
    stops = wheel.stops()
    doors = doors_of(stops)
    door = round_rules.chosen(doors, None)
    shipment = stop_at(stops, door).shipment
    address, zone = shipment.address, shipment.zone
    left = sum(each.is_waiting for each in doors)
    place = _spoken(address.area, address.gate_code)
    due = f", expected at {wording.clock(door.eta_at.astimezone(zone).time())}" if door.eta_at else ""
    return {
        "say": f"Your next stop is number {door.position}, the parcel ending {ending(shipment)} "
        f"in {place}{due}. {_left(left)}",
        "stop": door.position,
        "stops_left": left,
    }


def _left(count: int) -> str:
    return "It is the last one." if count == 1 else f"{count} stops are left."


def directions(wheel: AtWheel, position: int | None) -> dict[str, object]:
    """Tell a driver the way to a door of his round; what opens its gate is sent to his number, when next.

    Raises:
        RoundError: he has no such stop, or it is done.
    """
    with transaction.atomic():
        stops = locked_round(wheel)
        doors = doors_of(stops)
        door = round_rules.waiting(doors, position)
        stop = stop_at(stops, door)
        address = stop.shipment.address
        code = address.gate_code
        sends = bool(code) and round_rules.gets_code(doors, door)
        if sends:
            texting.tell_code(stop, call_public_id=wheel.call_public_id, now=wheel.now)
    way = {
        "landmark": _spoken(address.landmark, code),
        "building": _spoken(", ".join(filter(None, (address.building, address.line1))), code),
        "directions": _spoken(address.directions, code),
        "gate_notes": _spoken(address.gate_notes, code),
    }
    named = [f"{name.replace('_', ' ').capitalize()}: {text}." for name, text in way.items() if text]
    say = " ".join((f"Stop {door.position}, {_spoken(address.area, code)}.", *named, _of_code(code, sends)))
    return {"say": say.strip(), "stop": door.position, "way": way, "code_sent": sends}


def _spoken(text: str, code: str) -> str:
    # Before it is cut, since half a code is one too, and after: cleaning makes plain digits of others.
    return round_rules.speakable(told(round_rules.speakable(text, code)), code).rstrip(" .")


def _of_code(code: str, sends: bool) -> str:
    if sends:
        return "I have sent the code for the gate to your number."
    return "The gate has a code: you get it once this stop is your next one." if code else ""


def stop_to_call(wheel: AtWheel, position: int | None) -> Stop:
    """Return the stop whose recipient a driver wants called, behind the lock of his shift.

    Raises:
        RoundError: he has no such stop, it is done, or he has been taken off the shift.
    """
    _stay_on_shift(wheel)
    stops = wheel.stops()
    return stop_at(stops, round_rules.waiting(doors_of(stops), position))


def note_call_wanted(wheel: AtWheel, stop: Stop) -> None:
    """Write that a driver asked to have a recipient called, once a call and stop."""
    key = scoped("call_recipient", wheel.call_public_id, str(stop.pk))
    if not TrackingEvent.objects.filter(idempotency_key=key).exists():
        note(wheel, stop, "The driver asked that the recipient be called", key, "call_recipient", {}, {})


def note(
    wheel: AtWheel,
    stop: Stop,
    description: str,
    key: str,
    verb: str,
    before: dict[str, object],
    after: dict[str, object],
) -> None:
    """Write into a parcel's history what its driver says of his stop."""
    record(
        stop.shipment,
        description=description,
        call_public_id=wheel.call_public_id,
        key=key,
        now=wheel.now,
        source=Source.RIDER,
        actor=actor_of(stop.driver),
        verb=verb,
        before=before,
        after={**after, "stop": stop.position},
    )


def actor_of(driver: Driver) -> str:
    """Return a driver as a history and an audit name him."""
    return f"driver {driver.name}"
