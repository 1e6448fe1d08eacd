"""Plan the calls that we place: what the gate lets through goes into the queue, and waits there."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, OuterRef

from shipments import contacts
from shipments.audit import AuditEntry
from shipments.models import Shipment
from shipments.statuses import Status
from voice.books import Books, wish_of
from voice.dial_rules import Answer, At, Never, Now, Wish
from voice.ends import tell_ended
from voice.models import Call, OutboundCall
from voice.shared import DialSwitch
from voice.statuses import LIVE, CallStatus, DialState, EndedReason, Outcome, Purpose, dial_sources

_SWITCH = 1
_USE = timedelta(days=2)
_ENOUGH = tuple(set(DialState) - {DialState.PLANNED, DialState.SUPPRESSED})
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Planned:
    """What became of a wish to call: the gate's answer, and the open call that stands for it, if any."""

    shipment: Shipment
    answer: Answer
    outbound: OutboundCall | None


# The plan


def note_refusal(shipment: Shipment, purpose: str, because: str, *, by: str, now: datetime) -> None:
    """Write down a call that the gate forbids, so that it is seen, and not asked for again and again."""
    earlier = OutboundCall.objects.filter(shipment=shipment, purpose=purpose)
    attempt = (earlier.aggregate(Max("attempt"))["attempt__max"] or 0) + 1
    with suppress(IntegrityError), transaction.atomic():  # another dialler did
        OutboundCall.objects.create(
            shipment=shipment,
            purpose=purpose,
            attempt=attempt,
            number=shipment.phone,
            state=DialState.SUPPRESSED,
            not_before=now,
            expires_at=now,
            reason=because[:300],
            requested_by=by[:120],
            created_at=now,
            ended_at=now,
        )


def look(
    shipment: Shipment,
    purpose: str,
    *,
    now: datetime,
    asked_at: datetime | None = None,
) -> Answer:
    """Return what the gate would say to `plan`, or of the call that is open, and plan nothing."""
    books = Books([shipment], now)
    row = OutboundCall.objects.open().filter(shipment=shipment, purpose=purpose).first()
    if row is not None:
        return _stands(row, shipment, books)
    return books.answer(shipment, _wish(shipment, purpose, now, asked_at=asked_at))


def plan(
    shipment: Shipment,
    purpose: str,
    *,
    by: str,
    now: datetime,
    not_before: datetime | None = None,
    asked_at: datetime | None = None,
) -> Planned:
    """Plan a call, if the gate does not forbid it; while one of this purpose is open, it is that one.

    Without `not_before` the call is for as soon as the gate lets it. `asked_at` is when the customer asked
    for it.
    """
    wish = _wish(shipment, purpose, not_before or now, asked_at=asked_at)
    return _plan([(shipment, wish)], by=by, now=now)[0]


def plan_arrivals(*, now: datetime, limit: int | None = None) -> list[Planned]:
    """Plan an `eta` call for each parcel that is out for delivery, some time before it arrives."""
    planned: list[Planned] = []
    for wishes in _arrivals(now, limit):
        planned += _plan(wishes, by="rules", now=now)
    return planned


def look_at_due(*, now: datetime, limit: int | None = None) -> list[Planned]:
    """Return what the gate says of the calls that `plan_arrivals` would plan, and of what is due already."""
    found: list[Planned] = []
    for wishes in _arrivals(now, limit):
        books = Books([shipment for shipment, _ in wishes], now)
        found += [Planned(shipment, books.answer(shipment, wish), None) for shipment, wish in wishes]
    arriving = {one.shipment.pk for one in found}
    due = list(OutboundCall.objects.due(now).select_related("shipment")[:limit])
    rows = [row for row in due if row.purpose != Purpose.ETA or row.shipment_id not in arriving]
    for first in range(0, len(rows), _BATCH):
        batch = rows[first : first + _BATCH]
        books = Books([row.shipment for row in batch], now)
        found += [Planned(row.shipment, _stands(row, row.shipment, books), row) for row in batch]
    return found


def _arrivals(now: datetime, limit: int | None) -> Iterator[list[tuple[Shipment, Wish]]]:
    lead = timedelta(seconds=settings.DIAL_ETA_LEAD_S)
    parcels = Shipment.objects.filter(status=Status.OUT_FOR_DELIVERY, eta_at__gt=now).order_by("eta_at", "pk")
    # One call a parcel is enough: who was reached, or lost on the way, is not planned for again by the rules.
    called = OutboundCall.objects.filter(shipment=OuterRef("pk"), purpose=Purpose.ETA, state__in=_ENOUGH)
    due = list(parcels.filter(~Exists(called))[:limit])
    for first in range(0, len(due), _BATCH):
        yield [
            (parcel, _wish(parcel, Purpose.ETA, (parcel.eta_at or now) - lead))
            for parcel in due[first : first + _BATCH]
        ]


def _wish(
    shipment: Shipment, purpose: str, not_before: datetime, *, asked_at: datetime | None = None
) -> Wish:
    is_arrival = purpose == Purpose.ETA
    until = (shipment.eta_at or shipment.promised_end) if is_arrival else None
    return Wish(
        purpose=purpose,
        planned_number=shipment.phone,
        not_before=not_before,
        expires_at=until or not_before + _USE,
        eta_at=shipment.eta_at if is_arrival else None,
        asked_at=asked_at,
    )


def _plan(wishes: Sequence[tuple[Shipment, Wish]], *, by: str, now: datetime) -> list[Planned]:
    """Plan calls of one purpose."""
    if not wishes:
        return []
    purpose, shipments = wishes[0][1].purpose, [shipment for shipment, _ in wishes]
    books = Books(shipments, now)
    rows = OutboundCall.objects.filter(shipment__in=shipments, purpose=purpose)
    standing = {row.shipment_id: row for row in rows.open()}
    attempts = dict(rows.order_by().values_list("shipment_id").annotate(Max("attempt")))
    planned, new = [], []
    for shipment, wish in wishes:
        said = books.answer(shipment, wish)
        row = standing.get(shipment.pk)
        if row is not None:
            _follow_estimate(row, wish, said)
            said = _stands(row, shipment, books)
        elif not isinstance(said, Never):
            row = _row(shipment, wish, said, attempts.get(shipment.pk, 0) + 1, by, now)
            new.append(row)
        planned.append(Planned(shipment, said, row))
    try:
        with transaction.atomic():
            OutboundCall.objects.bulk_create(new)
    except IntegrityError:  # somebody planned one of them in this very moment: then one by one
        if len(wishes) > 1:
            return [_plan([wish], by=by, now=now)[0] for wish in wishes]
        theirs = rows.open().first()
        return [Planned(planned[0].shipment, planned[0].answer, theirs)]
    return planned


def _row(shipment: Shipment, wish: Wish, said: Answer, attempt: int, by: str, now: datetime) -> OutboundCall:
    return OutboundCall(
        shipment=shipment,
        purpose=wish.purpose,
        attempt=attempt,
        number=shipment.phone,
        asked_for=wish.asked_for,
        not_before=said.when if isinstance(said, At) else wish.not_before or now,
        expires_at=wish.expires_at,
        eta_at=wish.eta_at,
        reason=said.because[:300] if isinstance(said, At) else "",
        requested_by=by[:120],
        created_at=now,
    )


def _stands(row: OutboundCall, shipment: Shipment, books: Books) -> Answer:
    """Return what a call that is open waits for, or how far it has come; a lost one keeps others away."""
    if row.state == DialState.UNKNOWN:
        return Never("Nobody knows whether the last call of this kind rang: somebody has to say so first.")
    if row.state != DialState.PLANNED:
        return Now(f"A call of this kind is open: {row.get_state_display().lower()}.")
    return books.answer(shipment, wish_of(row))


def _follow_estimate(row: OutboundCall, wish: Wish, said: Answer) -> None:
    """Move a planned call with the parcel's estimate."""
    if wish.eta_at is not None and wish.eta_at != row.eta_at and not isinstance(said, Never):
        when = said.when if isinstance(said, At) else wish.not_before or row.not_before
        OutboundCall.objects.filter(pk=row.pk, state=DialState.PLANNED).update(
            not_before=when, expires_at=wish.expires_at, eta_at=wish.eta_at, reason=said.because[:300]
        )
        row.refresh_from_db()


def move(pk: int, target: DialState, **fields: object) -> bool:
    """Move a placed call on, if its state allows it; False when somebody was first or it never may."""
    moved = OutboundCall.objects.filter(pk=pk, state__in=dial_sources(target))
    return bool(moved.update(state=target, **fields))


def learn_name(call: Call, name: str) -> None:
    """Note the platform's own id of a call that was dialled, unless one is known or it is another call's."""
    if name and not OutboundCall.objects.filter(carrier_call_id=name).exists():
        # What was put back is dialled anew, under another id.
        dialled = OutboundCall.objects.filter(call=call, carrier_call_id="", dialled_at__isnull=False)
        dialled.update(carrier_call_id=name)


def is_taken(outbound: OutboundCall) -> bool:
    """Tell whether the telephone call of what was placed has been let in, and keep that so.

    It is locked before what was placed, as by its webhook and its stream: neither waits for the other.
    """
    call = Call.objects.select_for_update(of=("self",)).filter(outbound=outbound.pk).first()
    return call is not None and call.answered_at is not None


def close(outbound: OutboundCall, status: CallStatus, reason: EndedReason, now: datetime) -> None:
    """End the telephone call of what was placed or was to be, unless somebody took it."""
    with transaction.atomic():
        over = Call.objects.filter(outbound=outbound.pk, status__in=LIVE, answered_at=None).update(
            status=status, ended_reason=reason, ended_at=now, outcome=Outcome.NO_OUTCOME
        )
        if over and outbound.call_id is not None:
            tell_ended([outbound.call_id], now)


def fault(outbound: OutboundCall, now: datetime) -> None:
    """Put right that nobody took a telephone call that is over: the carrier failed it."""
    with transaction.atomic():
        over = Call.objects.filter(outbound=outbound.pk, answered_at=None)
        over.update(status=CallStatus.FAILED, ended_reason=EndedReason.CARRIER_ERROR)
        tell_ended([outbound.call_id or 0], now)


def withdraw(outbound: OutboundCall, target: DialState, reason: str, now: datetime) -> bool:
    """Take a call off the plan, and end its telephone call, which one has that was dialled and put back."""
    with transaction.atomic():
        if is_taken(outbound):
            return False
        withdrawn = move(outbound.pk, target, reason=reason[:300], ended_at=now)
        if withdrawn:
            refused = contacts.has_opted_out(outbound.number)
            why = EndedReason.OPTED_OUT if refused else EndedReason.AGENT_HANGUP
            close(outbound, CallStatus.CANCELED, why, now)
    return withdrawn


def cancel(pks: Iterable[int], *, by: str, now: datetime) -> int:
    """Take calls off the plan that were not dialled yet; return how many."""
    cancelled = 0
    for row in OutboundCall.objects.filter(pk__in=list(pks)).select_related("shipment"):
        with transaction.atomic():
            if withdraw(row, DialState.CANCELLED, f"Cancelled by {by}.", now):
                note(row, "cancel_call", by=by, now=now, state=DialState.CANCELLED.value)
                cancelled += 1
    return cancelled


def note(row: OutboundCall, verb: str, *, by: str, now: datetime, **after: object) -> None:
    """Write into the audit what a person did to a placed call, under its parcel."""
    AuditEntry.objects.create(
        at=now,
        actor=by[:120],
        verb=verb,
        object_kind="shipment",
        object_id=row.shipment.tracking_id,
        before={"purpose": row.purpose, "attempt": row.attempt, "state": row.state},
        after=after,
    )


def forget(number: str, *, reason: str, now: datetime, shipment: Shipment | None = None) -> int:
    """Suppress what is planned for a number, or only about one parcel, the moment that calls are unwanted."""
    waiting = OutboundCall.objects.filter(number=number, state__in=dial_sources(DialState.SUPPRESSED))
    if shipment is not None:
        waiting = waiting.filter(shipment=shipment)
    return sum(withdraw(row, DialState.SUPPRESSED, reason, now) for row in waiting)


# The switch


def switch() -> DialSwitch:
    """Return the row that all diallers share."""
    row, _ = DialSwitch.objects.get_or_create(pk=_SWITCH)
    return row


def pause(*, by: str, reason: str, now: datetime) -> bool:
    """Stop all dialling; False when it was stopped already."""
    switch()
    return _turn(paused=True, reason=reason[:300], by=by, now=now)


def resume(*, by: str, now: datetime, seen_at: datetime | None = None) -> bool:
    """Let dialling go on; False when it was not stopped, or not at `seen_at` but anew since."""
    return _turn(paused=False, reason="", by=by, now=now, seen_at=seen_at)


def _turn(*, paused: bool, reason: str, by: str, now: datetime, seen_at: datetime | None = None) -> bool:
    with transaction.atomic():
        other = DialSwitch.objects.filter(pk=_SWITCH, paused=not paused)
        if seen_at is not None:
            other = other.filter(changed_at=seen_at)
        if not other.update(paused=paused, reason=reason, changed_by=by[:120], changed_at=now):
            return False
        AuditEntry.objects.create(
            at=now,
            actor=by[:120],
            verb="pause_dialling" if paused else "resume_dialling",
            object_kind="dialling",
            object_id="all",
            before={"paused": not paused},
            after={"paused": paused, "reason": reason},
        )
    return True
