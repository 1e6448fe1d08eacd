"""Move a parcel to another delivery window: proposed, read back, agreed to, carried out.

`number` is the number that the call came from (E.164, "" when withheld), never one that was spoken.
"""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Greatest

from shipments import wording
from shipments.errors import (
    AlreadyWaitingError,
    NoProposalError,
    ParcelChangedError,
    ProposalExpiredError,
    SlotFullError,
)
from shipments.history import record, scoped
from shipments.models import DeliveryChange, DeliverySlot, Shipment
from shipments.rules import POLICY, Route, change_route, check_day
from shipments.spelling import folded
from shipments.statuses import ChangeKind, ChangeState, Status, Substatus
from shipments.telling import ending, find_own, parcel_of
from shipments.windows import chosen_slot, day_of, offers

_CONFIRMED = (ChangeState.APPLIED, ChangeState.NEEDS_APPROVAL, ChangeState.APPROVED, ChangeState.REJECTED)


def prepare_reschedule(
    *,
    number: str,
    said_id: str | None,
    day: str,
    window: str | None,
    call_public_id: str,
    key: str,
    now: datetime,
) -> dict[str, object]:
    """Propose another delivery window and return the sentence to read back; the parcel stays as it is.

    Asked again with the same `key` in the same call, the proposal that still stands is returned.

    Raises:
        ShipmentError: the parcel is not his or may not be moved, or that time cannot be had.
    """
    shipment = find_own(number, said_id or "")
    route = change_route(parcel_of(shipment), POLICY)
    idempotency_key = scoped("prepare", call_public_id, str(shipment.pk), key)
    with transaction.atomic():
        # One proposal of a parcel after the other: by this lock on PostgreSQL, while SQLite has one writer.
        Shipment.objects.select_for_update().filter(pk=shipment.pk).first()
        if (standing := _standing(idempotency_key, shipment, now)) is not None:
            return _proposed(standing)
        slot = chosen_slot(shipment, day, window, now)
        # What was read back before is void: only the latest may be agreed to.
        mine = DeliveryChange.objects.filter(call_public_id=call_public_id, state=ChangeState.PROPOSED)
        mine.update(state=ChangeState.SUPERSEDED)
        earlier = DeliveryChange.objects.filter(idempotency_key__startswith=f"{idempotency_key}:").count()
        change = DeliveryChange.objects.create(
            shipment=shipment,
            kind=ChangeKind.RESCHEDULE,
            slot=slot,
            requested_start=slot.starts_at,
            requested_end=slot.ends_at,
            previous=times(shipment),
            rule_results={"route": route.value},
            call_public_id=call_public_id,
            requested_by="recipient",
            idempotency_key=f"{idempotency_key}:{earlier}",
            shipment_version=shipment.version,
            read_back=_read_back(shipment, slot, route),
            created_at=now,
            expires_at=now + timedelta(seconds=POLICY.proposal_s),
        )
    return _proposed(change)


def confirm_reschedule(
    *, number: str, change_id: str, call_public_id: str, now: datetime
) -> dict[str, object]:
    """Carry out what was read back in this call and agreed to.

    A proposal is used up by it: said twice, it happens once and is answered twice.

    Raises:
        ShipmentError: nothing stands to be confirmed, or the parcel or the window has changed since.
    """
    change = _proposal(number, change_id, call_public_id)
    if change.state in _CONFIRMED:
        return _outcome(change)
    if change.state != ChangeState.PROPOSED:
        raise NoProposalError
    if now > change.expires_at:
        DeliveryChange.objects.filter(pk=change.pk, state=ChangeState.PROPOSED).update(
            state=ChangeState.EXPIRED
        )
        raise ProposalExpiredError
    try:
        with transaction.atomic():
            _carry_out(change, now)
    except IntegrityError as error:  # another call's wish for this parcel reached the dispatcher first
        raise AlreadyWaitingError from error
    change.refresh_from_db()
    if change.state not in _CONFIRMED:
        raise NoProposalError
    return _outcome(change)


def move(shipment: Shipment, slot: DeliverySlot, now: datetime, status: Status) -> None:
    """Give a parcel a place in `slot` and a status, and give its old place back.

    Compare-and-set carries the safety on both databases: SQLite has no row locks.
    """
    moved = Shipment.objects.filter(
        pk=shipment.pk, version=shipment.version, status=shipment.status, phone=shipment.phone
    ).update(
        version=F("version") + 1,
        status=status,
        status_at=shipment.status_at if status == shipment.status else now,
        substatus=shipment.substatus if status == shipment.status else "",
        slot=slot,
        promised_start=slot.starts_at,
        promised_end=slot.ends_at,
        eta_at=None,
        eta_computed_at=None,
        updated_at=now,
    )
    if not moved:
        raise ParcelChangedError
    shipment.status = status
    # Rows in the order of their keys: two parcels that change places must not wait for each other.
    for pk in sorted({slot.pk, shipment.slot_id or slot.pk}):
        if pk == slot.pk:
            taken = DeliverySlot.objects.filter(pk=pk, booked__lt=F("capacity")).update(
                booked=F("booked") + 1
            )
            if not taken:
                raise SlotFullError(offers=offers(shipment, now, day_of(slot, shipment)))
        else:
            DeliverySlot.objects.filter(pk=pk).update(booked=Greatest(F("booked") - 1, 0))


def times(shipment: Shipment) -> dict[str, str | int | None]:
    """Return what a reschedule replaces."""
    start, end = shipment.promised_start, shipment.promised_end
    return {
        "slot": shipment.slot_id,
        "promised_start": start.isoformat() if start else None,
        "promised_end": end.isoformat() if end else None,
    }


def slot_times(slot: DeliverySlot) -> dict[str, str | int | None]:
    """Return what a reschedule brings."""
    return {
        "slot": slot.pk,
        "promised_start": slot.starts_at.isoformat(),
        "promised_end": slot.ends_at.isoformat(),
    }


# Proposals


def _standing(idempotency_key: str, shipment: Shipment, now: datetime) -> DeliveryChange | None:
    """Return the proposal made under this key, if it could be confirmed now."""
    return DeliveryChange.objects.filter(
        idempotency_key__startswith=f"{idempotency_key}:",
        state=ChangeState.PROPOSED,
        expires_at__gte=now,
        shipment_version=shipment.version,
    ).first()


def _proposal(number: str, change_id: str, call_public_id: str) -> DeliveryChange:
    """Return what was proposed in this call, for a parcel that still is this caller's."""
    if not number or not call_public_id:
        raise NoProposalError
    ref = folded("".join(c for c in change_id.upper() if c.isascii() and c.isalnum()))
    change = (
        DeliveryChange.objects.select_related("shipment", "slot__depot")
        .filter(
            ref=ref[:16],
            call_public_id=call_public_id,
            kind=ChangeKind.RESCHEDULE,
            shipment__phone=number,
        )
        .first()
    )
    if change is None:
        raise NoProposalError
    return change


def _carry_out(change: DeliveryChange, now: datetime) -> None:
    """Use the proposal up and do what it says; the caller of this rolls all of it back when it raises."""
    proposed = DeliveryChange.objects.filter(pk=change.pk, state=ChangeState.PROPOSED, expires_at__gte=now)
    if not proposed.update(state=ChangeState.CONFIRMED_BY_CALLER):
        return  # the same yes came twice: the first one does it
    shipment = Shipment.objects.for_telling().get(pk=change.shipment_id)
    if shipment.version != change.shipment_version:
        raise ParcelChangedError
    route = change_route(parcel_of(shipment), POLICY)
    if route.value != change.rule_results.get("route"):
        raise ParcelChangedError
    slot = change.slot
    if slot is None:
        raise NoProposalError
    check_day(day_of(slot, shipment), shipment.zone, now, POLICY)
    if route is Route.APPLY:
        move(shipment, slot, now, Status(shipment.status))
        state, substatus = ChangeState.APPLIED, Substatus.APPOINTMENT_SCHEDULED
        description = f"Moved to {wording.slot(slot.starts_at, slot.ends_at, shipment.zone)}"
    else:
        state, substatus = ChangeState.NEEDS_APPROVAL, Substatus.CUSTOMER_CONTACTED
        description = f"Asked for {wording.slot(slot.starts_at, slot.ends_at, shipment.zone)}"
    confirmed = DeliveryChange.objects.filter(pk=change.pk, state=ChangeState.CONFIRMED_BY_CALLER)
    confirmed.update(state=state, decided_at=now if route is Route.APPLY else None)
    record(
        shipment,
        substatus=substatus,
        description=f"{description} by the recipient"
        if route is Route.APPLY
        else f"{description}: to approve",
        call_public_id=change.call_public_id,
        key=f"change:{change.ref}",
        now=now,
        change_ref=change.ref,
        verb="confirm_reschedule",
        before={**times(shipment), "state": ChangeState.PROPOSED.value},
        after={**(slot_times(slot) if route is Route.APPLY else times(shipment)), "state": state.value},
    )


# Words


def _read_back(shipment: Shipment, slot: DeliverySlot, route: Route) -> str:
    when = wording.slot(slot.starts_at, slot.ends_at, shipment.zone)
    if route is Route.APPLY:
        return f"I will move your parcel ending {ending(shipment)} to {when}. Is that right?"
    return (
        f"I can ask our dispatcher to move your parcel ending {ending(shipment)} to {when}. "
        "The dispatcher decides. Shall I ask?"
    )


def _proposed(change: DeliveryChange) -> dict[str, object]:
    return {
        "status": "ok",
        "say": change.read_back,
        "read_back": change.read_back,
        "change_id": change.ref,
        "needs_approval": change.rule_results.get("route") == Route.APPROVE,
    }


def _outcome(change: DeliveryChange) -> dict[str, object]:
    """Return what a confirmed change came to: the same words each time it is asked."""
    shipment, slot = change.shipment, change.slot
    if slot is None:
        raise NoProposalError
    when = wording.slot(slot.starts_at, slot.ends_at, shipment.zone)
    applied = change.rule_results.get("route") == Route.APPLY
    return {
        "status": "ok",
        "say": f"Done. Your parcel ending {ending(shipment)} now comes {when}."
        if applied
        else f"I have asked our dispatcher for {when}. Until it is decided, your parcel stays as planned.",
        "change_id": change.ref,
        "state": "applied" if applied else "needs_approval",
        "when": when,
    }
