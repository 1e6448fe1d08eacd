"""Tell a driver of his round of today, and write what he reports of it.

Who calls these has proved that he is that driver, on shift. What he hears of a stop is the way to its door:
no number of a recipient, no code of a gate, and nothing of another driver's round.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from shipments import effects, round_rules, scans, texting, wording
from shipments.history import record, scoped
from shipments.intake import Sender
from shipments.models import Shipment, TrackingEvent
from shipments.riders import Driver, Stop
from shipments.round_errors import RoundDoneError
from shipments.round_rules import Door
from shipments.scans import Scan
from shipments.statuses import Reason, Source, Status, Substatus
from shipments.telling import ending
from shipments.text import told

_NOBODY_THERE = {
    Reason.CONSIGNEE_NOT_AVAILABLE,
    Reason.CONSIGNEE_NOT_HOME,
    Reason.CONSIGNEE_BUSINESS_CLOSED,
}


@dataclass(frozen=True, slots=True)
class AtWheel:
    """Which driver asks, in which call and when; with `demo` he has no stops but the demonstration's."""

    driver_id: int
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


def _stop_at(stops: Sequence[Stop], door: Door) -> Stop:
    return next(stop for stop in stops if stop.position == door.position)


def next_stop(wheel: AtWheel) -> dict[str, object]:
    """Tell where a driver goes next.

    Raises:
        RoundError: there is no stop left.
    """
    stops = wheel.stops()
    doors = doors_of(stops)
    door = round_rules.chosen(doors, None)
    shipment = _stop_at(stops, door).shipment
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
        stops = _locked_round(wheel)
        doors = doors_of(stops)
        door = round_rules.waiting(doors, position)
        stop = _stop_at(stops, door)
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


def report_attempt(wheel: AtWheel, position: int | None, said_reason: str) -> dict[str, object]:
    """Write that a parcel could not be handed over, once a stop: a repeat is answered as the first was.

    Raises:
        ShipmentError: he has no such stop, it is done otherwise, or the reason is unclear.
    """
    reason = round_rules.reason_of(said_reason)
    with transaction.atomic():
        stops = _locked_round(wheel)
        stop = _stop_at(stops, round_rules.chosen(doors_of(stops), position))
        if stop.outcome != Status.ATTEMPT_FAIL:
            round_rules.waiting(doors_of(stops), stop.position)
            scan = Scan(
                Status.ATTEMPT_FAIL,
                wheel.now,
                event_id=f"stop:{stop.pk}",
                substatus=Substatus.NOT_AVAILABLE if reason in _NOBODY_THERE else "",
                reason=reason,
                description="Not handed over, says the driver",
                call_public_id=wheel.call_public_id,
            )
            sender = Sender(_name(stop.driver), Source.RIDER)
            scans.report(shipment_id=stop.shipment_id, scan=scan, sender=sender, now=wheel.now)
    failed = TrackingEvent.objects.filter(shipment=stop.shipment_id, status=Status.ATTEMPT_FAIL)
    following = round_rules.next_of(doors_of(wheel.stops()))
    then = f"Your next stop is number {following.position}." if following else RoundDoneError.sentence
    kept = Reason(failed.values_list("reason", flat=True).latest("occurred_at", "pk") or Reason.UNKNOWN)
    return {
        "say": f"I have noted that stop {stop.position} was not handed over: {kept.label.lower()}. {then}",
        "stop": stop.position,
        "reason": kept.value,
    }


def running_late(wheel: AtWheel, minutes: int, key: str) -> dict[str, object]:
    """Move the estimates of all stops that are left by so many minutes, once a call and key.

    Raises:
        ShipmentError: nothing is left, that is no delay, or a parcel was changed in this very moment.
    """
    with transaction.atomic():
        stops = _locked_round(wheel)
        times = round_rules.delayed(doors_of(stops), minutes)
        for stop in sorted(stops, key=lambda stop: stop.shipment_id):  # in one order, as others lock them
            if stop.position not in times:
                continue
            shipment, eta_at = stop.shipment, times[stop.position]
            event_key = scoped("late", wheel.call_public_id, key, str(shipment.pk))
            if TrackingEvent.objects.filter(idempotency_key=event_key).exists():
                continue
            before: dict[str, object] = {"eta_at": shipment.eta_at.isoformat() if shipment.eta_at else None}
            effects.expect(shipment, eta_at, wheel.now)
            _record(
                wheel,
                stop,
                f"The driver is about {minutes} minutes late",
                event_key,
                "running_late",
                before,
                {"eta_at": eta_at.isoformat()},
            )
    moved = len(times)
    what = "the time of one stop" if moved == 1 else f"the times of {moved} stops"
    return {"say": f"I have moved {what} by {minutes} minutes.", "minutes": minutes, "stops": moved}


def stop_to_call(wheel: AtWheel, position: int | None) -> Stop:
    """Return the stop whose recipient a driver wants called.

    Raises:
        RoundError: he has no such stop, or it is done.
    """
    stops = wheel.stops()
    return _stop_at(stops, round_rules.waiting(doors_of(stops), position))


def note_call_wanted(wheel: AtWheel, stop: Stop) -> None:
    """Write that a driver asked to have a recipient called, once a call and stop."""
    key = scoped("call_recipient", wheel.call_public_id, str(stop.pk))
    if not TrackingEvent.objects.filter(idempotency_key=key).exists():
        _record(wheel, stop, "The driver asked that the recipient be called", key, "call_recipient", {}, {})


def _record(
    wheel: AtWheel,
    stop: Stop,
    description: str,
    key: str,
    verb: str,
    before: dict[str, object],
    after: dict[str, object],
) -> None:
    record(
        stop.shipment,
        description=description,
        call_public_id=wheel.call_public_id,
        key=key,
        now=wheel.now,
        source=Source.RIDER,
        actor=_name(stop.driver),
        verb=verb,
        before=before,
        after={**after, "stop": stop.position},
    )


def _locked_round(wheel: AtWheel) -> list[Stop]:
    """Return a driver's stops: one wish of his after the other, by this lock; SQLite has one writer."""
    Driver.objects.select_for_update().get(pk=wheel.driver_id)
    stops = wheel.stops()
    # And no scan of these parcels in between.
    list(Shipment.objects.select_for_update().filter(stops__in=stops).order_by("pk"))
    return wheel.stops()


def _name(driver: Driver) -> str:
    return f"driver {driver.name}"
