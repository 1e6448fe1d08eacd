"""Decide on the changes that wait for somebody: carry them out, or leave the parcel as it is planned."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from shipments import wording
from shipments.depots import DeliverySlot
from shipments.effects import move, slot_times, times
from shipments.errors import (
    AlreadyDecidedError,
    NoProposalError,
    NoReasonError,
    OwnWishError,
    StaleFormError,
    TooSoonError,
)
from shipments.history import record
from shipments.models import DeliveryChange, Shipment
from shipments.plans import Plan, plan_of
from shipments.rules import POLICY, change_route
from shipments.statuses import ChangeKind, ChangeState, Source, Status, Substatus
from shipments.telling import parcel_of


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a decision came to, for the history and the audit."""

    description: str
    before: Mapping[str, object]
    after: Mapping[str, object]
    substatus: str = ""


def decide_change(
    *, ref: str, approve: bool, by: User, reason: str, now: datetime, version: int | None = None
) -> None:
    """Carry out or turn down a change that waits for a decision; who took it and why is kept.

    With `version` the parcel must be as it was shown to who decides.

    Raises:
        ShipmentError: it was decided already, it is his own wish, no reason is given, the parcel was changed
            since it was shown, or what was asked for cannot be had any more.
    """
    change = DeliveryChange.objects.select_related("slot__depot").filter(ref=ref).first()
    if change is None:
        raise NoProposalError
    if change.asker_id == by.pk:
        raise OwnWishError
    if not (reason := " ".join(reason.split())[:300]):
        raise NoReasonError
    name = by.get_username()
    with transaction.atomic():
        waiting = DeliveryChange.objects.filter(pk=change.pk, state=ChangeState.NEEDS_APPROVAL)
        decided = ChangeState.APPROVED if approve else ChangeState.REJECTED
        if not waiting.update(state=decided, decided_by=name[:120], decided_at=now, decision_reason=reason):
            raise AlreadyDecidedError
        shipment = Shipment.objects.for_telling().get(pk=change.shipment_id)
        if version is not None and shipment.version != version:
            raise StaleFormError
        outcome = _carried_out(change, shipment, now) if approve else _left(change, shipment)
        DeliveryChange.objects.filter(pk=change.pk, state=ChangeState.APPROVED).update(
            state=ChangeState.APPLIED
        )
        record(
            shipment,
            description=f"{outcome.description} by the dispatcher"[:300],
            substatus=outcome.substatus,
            source=Source.DISPATCHER,
            actor=name,
            call_public_id=change.call_public_id,
            key=f"decision:{change.ref}",
            now=now,
            change_ref=change.ref,
            verb="approve_change" if approve else "reject_change",
            before=outcome.before,
            after={**outcome.after, "reason": reason},
        )


def _carried_out(change: DeliveryChange, shipment: Shipment, now: datetime) -> _Outcome:
    """Do what a change asks for, if the rules still let it pass.

    Raises:
        ShipmentError: they do not, or somebody changed the parcel just now.
    """
    if change.kind == ChangeKind.RESCHEDULE and change.slot is not None:
        return _moved(change.slot, shipment, now)
    return _planned(plan_of(change, shipment, now))


def _planned(plan: Plan) -> _Outcome:
    plan.carry_out()
    return _Outcome(plan.done, plan.before, plan.after, plan.substatus)


def _moved(slot: DeliverySlot, shipment: Shipment, now: datetime) -> _Outcome:
    change_route(parcel_of(shipment), POLICY)
    if slot.starts_at <= now:
        raise TooSoonError
    before, when = times(shipment), wording.slot(slot.starts_at, slot.ends_at, shipment.zone)
    # What a rider has with him comes back first.
    back = shipment.status in (Status.OUT_FOR_DELIVERY, Status.EXCEPTION)
    move(shipment, slot, now, Status.IN_TRANSIT if back else Status(shipment.status))
    return _Outcome(f"Moved to {when}", before, slot_times(slot), Substatus.APPOINTMENT_SCHEDULED)


def _left(change: DeliveryChange, shipment: Shipment) -> _Outcome:
    before = times(shipment)
    if change.slot is None:
        return _Outcome(f"Stays as planned: {change.get_kind_display().lower()} turned down", before, before)
    when = wording.slot(change.slot.starts_at, change.slot.ends_at, shipment.zone)
    return _Outcome(f"Stays as planned: not moved to {when}", before, before)
