"""Write what a driver reports of his round, in two steps: read back to him, and noted once he has agreed.

A report means something in its own call, for two minutes, for that driver and for the stops as they were.
"""

from collections.abc import Sequence

from django.db import transaction

from shipments import effects, round_rules, scans
from shipments.errors import NoProposalError
from shipments.history import scoped
from shipments.intake import Sender
from shipments.models import TrackingEvent
from shipments.proposals import void_earlier
from shipments.riders import RoundReport, Stop
from shipments.round_errors import RoundChangedError, RoundDoneError, StopDoneError
from shipments.rounds import AtWheel, actor_of, doors_of, locked_round, note, stop_at
from shipments.scans import Effect, Scan
from shipments.statuses import ChangeState, Reason, Source, Status, Substatus

_NOBODY_THERE = {
    Reason.CONSIGNEE_NOT_AVAILABLE,
    Reason.CONSIGNEE_NOT_HOME,
    Reason.CONSIGNEE_BUSINESS_CLOSED,
}


def report_attempt(wheel: AtWheel, position: int | None, said_reason: str, key: str) -> dict[str, object]:
    """Propose to note that a parcel could not be handed over; return the sentence to read back.

    Raises:
        ShipmentError: he has no such stop, it is done, or the reason is unclear.
    """
    reason = round_rules.reason_of(said_reason)
    with transaction.atomic():
        stop = _tried(locked_round(wheel), position)
        what = f"note that stop {stop.position} was not handed over: {reason.label.lower()}"
        return _proposed(wheel, key, [stop], what, reason=reason)


def running_late(wheel: AtWheel, minutes: int, key: str) -> dict[str, object]:
    """Propose to move the estimates of all stops that are left; return the sentence to read back.

    Raises:
        ShipmentError: nothing is left or has an estimate, or that is no delay.
    """
    with transaction.atomic():
        stops = _late(locked_round(wheel), minutes)
        return _proposed(wheel, key, stops, f"move {_times_of(stops)} by {minutes} minutes", minutes=minutes)


def confirm(wheel: AtWheel, change_id: str) -> dict[str, object]:
    """Write what was read back to this driver in this call and agreed to; said twice, it happens once.

    Raises:
        ShipmentError: nothing stands to be confirmed, or the round has changed since.
    """
    reports = RoundReport.objects.read_back_in(wheel.call_public_id, change_id)
    report = reports.filter(driver=wheel.driver_id).first()
    if report is None:
        raise NoProposalError
    RoundReport.objects.use_up(
        report, lambda: _carry_out(wheel, report), behind=lambda: locked_round(wheel), now=wheel.now
    )
    return dict(report.told)


def _proposed(
    wheel: AtWheel, key: str, stops: Sequence[Stop], what: str, *, reason: str = "", minutes: int = 0
) -> dict[str, object]:
    """Write a report down, or find the same as it stands, and return what to read back of it."""
    idempotency_key = scoped("report", wheel.call_public_id, str(wheel.driver_id), key)
    standing = RoundReport.objects.standing(idempotency_key, wheel.now)
    report = next((one for one in standing if one.seen == _seen(stops)), None)
    if report is None:
        void_earlier(wheel.call_public_id)
        report = RoundReport.objects.propose(
            key=idempotency_key,
            call_public_id=wheel.call_public_id,
            read_back=f"I will {what}. Is that right?",
            now=wheel.now,
            driver_id=wheel.driver_id,
            reason=reason,
            minutes=minutes,
            seen=_seen(stops),
        )
    return {"say": report.read_back, "read_back": report.read_back, "change_id": report.ref, **_about(report)}


def _about(report: RoundReport) -> dict[str, object]:
    if report.reason:
        return {"stop": _position(report), "reason": report.reason}
    return {"minutes": report.minutes, "stops": len(report.seen)}


def _position(report: RoundReport) -> int:
    return int(report.seen[0][0])


def _carry_out(wheel: AtWheel, report: RoundReport) -> None:
    """Do what a report says, behind the lock of the round; who calls this rolls it back when it raises."""
    round_now = wheel.stops()
    attempt = bool(report.reason)
    stops = [_tried(round_now, _position(report))] if attempt else _late(round_now, report.minutes)
    if _seen(stops) != report.seen:
        raise RoundChangedError
    say = _note_attempt(wheel, stops[0], report) if attempt else _move_times(wheel, stops, report)
    confirmed = RoundReport.objects.filter(pk=report.pk, state=ChangeState.CONFIRMED_BY_CALLER)
    confirmed.update(state=ChangeState.APPLIED, told={"say": say, **_about(report)})


# Which stops it is about


def _tried(stops: Sequence[Stop], position: int | None) -> Stop:
    """Return the stop at which nothing was handed over; where that is noted already, it is told."""
    stop = stop_at(stops, round_rules.chosen(doors_of(stops), position))
    if stop.outcome == Status.ATTEMPT_FAIL:
        raise StopDoneError(_noted(stops, stop))
    round_rules.waiting(doors_of(stops), stop.position)
    return stop


def _late(stops: Sequence[Stop], minutes: int) -> list[Stop]:
    """Return the stops whose times move, in the order in which others lock their parcels."""
    times = round_rules.delayed(doors_of(stops), minutes)
    return sorted((stop for stop in stops if stop.position in times), key=lambda stop: stop.shipment_id)


def _seen(stops: Sequence[Stop]) -> list[list[int]]:
    return [[stop.position, stop.shipment_id, stop.shipment.version] for stop in stops]


# What is written


def _note_attempt(wheel: AtWheel, stop: Stop, report: RoundReport) -> str:
    seen_at = stop.shipment.status_at or wheel.now  # by another's clock, which may be ahead of ours
    scan = Scan(
        Status.ATTEMPT_FAIL,
        max(wheel.now, seen_at),
        event_id=f"stop:{stop.pk}",
        substatus=Substatus.NOT_AVAILABLE if report.reason in _NOBODY_THERE else "",
        reason=report.reason,
        description="Not handed over, says the driver",
        call_public_id=wheel.call_public_id,
    )
    sender = Sender(actor_of(stop.driver), Source.RIDER)
    effect = scans.report(shipment_id=stop.shipment_id, scan=scan, sender=sender, now=wheel.now)
    if effect is not Effect.MOVED:
        raise RoundChangedError
    return _noted(wheel.stops(), stop)


def _noted(stops: Sequence[Stop], stop: Stop) -> str:
    failed = TrackingEvent.objects.filter(shipment=stop.shipment_id, status=Status.ATTEMPT_FAIL)
    reason = Reason(failed.values_list("reason", flat=True).latest("occurred_at", "pk") or Reason.UNKNOWN)
    following = round_rules.next_of(doors_of(stops))
    then = f"Your next stop is number {following.position}." if following else RoundDoneError.sentence
    return f"I have noted that stop {stop.position} was not handed over: {reason.label.lower()}. {then}"


def _move_times(wheel: AtWheel, stops: Sequence[Stop], report: RoundReport) -> str:
    times = round_rules.delayed(doors_of(stops), report.minutes)
    for stop in stops:
        shipment, eta_at = stop.shipment, times[stop.position]
        before: dict[str, object] = {"eta_at": shipment.eta_at.isoformat() if shipment.eta_at else None}
        effects.expect(shipment, eta_at, wheel.now)
        note(
            wheel,
            stop,
            f"The driver is about {report.minutes} minutes late",
            scoped("late", report.ref, str(shipment.pk)),
            "running_late",
            before,
            {"eta_at": eta_at.isoformat()},
        )
    return f"I have moved {_times_of(stops)} by {report.minutes} minutes."


def _times_of(stops: Sequence[Stop]) -> str:
    return "the time of one stop" if len(stops) == 1 else f"the times of {len(stops)} stops"
