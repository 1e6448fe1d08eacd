"""Change a parcel in two steps: proposed and read back first, carried out once the caller has agreed.

A proposal means something in its own call, for two minutes and for the parcel as it was. `number` is the
number that the call came from (E.164, "" when withheld), never one that was spoken.
"""

from collections.abc import Callable
from datetime import datetime

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from shipments import texting
from shipments.errors import AlreadyWaitingError, NoProposalError, ParcelChangedError
from shipments.history import record, scoped
from shipments.models import DeliveryChange, Shipment
from shipments.plans import Plan, plan_of
from shipments.riders import RoundReport
from shipments.rules import Route
from shipments.statuses import ChangeKind, ChangeState, Substatus
from shipments.telling import ending


def propose(
    shipment: Shipment,
    plan: Callable[[], Plan],
    read_back: Callable[[Plan], str],
    *,
    call_public_id: str,
    key: str,
    now: datetime,
    asker: User | None = None,
    level: str = "",
) -> dict[str, object]:
    """Propose a change and return the sentence to read back; the parcel stays as it is.

    `asker` is the member of staff who plays the caller: he may not decide on it. `level` is how far the call
    is trusted with the parcel. Asked again with the same `key` in the same call, the proposal that still
    stands is returned.

    Raises:
        ShipmentError: the rules do not let it pass.
    """
    idempotency_key = scoped("prepare", call_public_id, str(shipment.pk), key)
    with transaction.atomic():
        _lock(shipment.pk)
        standing = DeliveryChange.objects.standing(idempotency_key, now)
        if (same := standing.filter(shipment_version=shipment.version).first()) is not None:
            return _proposed(same)
        planned = plan()
        void_earlier(call_public_id)
        change = DeliveryChange.objects.propose(
            key=idempotency_key,
            call_public_id=call_public_id,
            read_back=read_back(planned),
            now=now,
            shipment=shipment,
            kind=planned.kind,
            previous=dict(planned.before),
            rule_results={"route": planned.route.value},
            requested_by=asker.get_username()[:120] if asker else "recipient",
            asker=asker,
            verification_level=level,
            shipment_version=shipment.version,
            **planned.fields,
        )
    return _proposed(change)


def confirm(
    kind: ChangeKind, *, number: str, change_id: str, call_public_id: str, now: datetime
) -> dict[str, object]:
    """Carry out what was read back in this call and agreed to.

    A proposal is used up by it: said twice, it happens once and is answered twice.

    Raises:
        ShipmentError: nothing of this kind stands to be confirmed, or the parcel has changed since.
    """
    change = _proposal(kind, number, change_id, call_public_id)
    shipment = change.shipment
    try:
        DeliveryChange.objects.use_up(
            change, lambda: _carry_out(change, now), behind=lambda: _lock(change.shipment_id), now=now
        )
    except IntegrityError as error:  # another call's wish for this parcel reached the dispatcher first
        raise AlreadyWaitingError from error
    return _outcome(change, shipment)


def void_earlier(call_public_id: str) -> None:
    """Have nothing that was read back in a call before stand any more: only the latest may be agreed to."""
    DeliveryChange.objects.void(call_public_id)
    RoundReport.objects.void(call_public_id)


def _lock(shipment_id: int) -> None:
    """Let one wish for a parcel come after the other."""
    Shipment.objects.filter(pk=shipment_id).locked().only("pk").first()


def _proposal(kind: ChangeKind, number: str, change_id: str, call_public_id: str) -> DeliveryChange:
    """Return what was proposed in this call, for a parcel that still is this caller's."""
    changes = DeliveryChange.objects.read_back_in(call_public_id, change_id)
    mine = changes.filter(kind=kind, shipment__phone=number) if number else changes.none()
    change = mine.select_related("shipment", "slot__depot").first()
    if change is None:
        raise NoProposalError
    return change


def _carry_out(change: DeliveryChange, now: datetime) -> None:
    """Do what a proposal says; the caller of this rolls all of it back when it raises."""
    shipment = Shipment.objects.for_telling().get(pk=change.shipment_id)
    if shipment.version != change.shipment_version:
        raise ParcelChangedError
    plan = plan_of(change, shipment, now)
    if plan.route.value != change.rule_results.get("route"):
        raise ParcelChangedError
    applied = plan.route is Route.APPLY
    if applied:
        plan.carry_out()
    state = ChangeState.APPLIED if applied else ChangeState.NEEDS_APPROVAL
    confirmed = DeliveryChange.objects.filter(pk=change.pk, state=ChangeState.CONFIRMED_BY_CALLER)
    confirmed.update(state=state, decided_at=now if applied else None)
    record(
        shipment,
        substatus=plan.substatus if applied else Substatus.CUSTOMER_CONTACTED,
        description=(f"{plan.done} by the recipient" if applied else f"{plan.asked}: to approve")[:300],
        call_public_id=change.call_public_id,
        key=f"change:{change.ref}",
        now=now,
        change_ref=change.ref,
        verb=f"confirm_{plan.verb}",
        before={**plan.before, "state": ChangeState.PROPOSED.value},
        after={**(plan.after if applied else plan.before), "state": state.value},
    )


def _proposed(change: DeliveryChange) -> dict[str, object]:
    return {
        "status": "ok",
        "say": change.read_back,
        "read_back": change.read_back,
        "change_id": change.ref,
        "needs_approval": change.rule_results.get("route") == Route.APPROVE,
    }


def _outcome(change: DeliveryChange, shipment: Shipment) -> dict[str, object]:
    """Return what a confirmed change came to: the same words each time it is asked."""
    applied = change.rule_results.get("route") == Route.APPLY
    asked = f"I have asked our dispatcher for {texting.wish_of(change, shipment)}."
    return {
        "status": "ok",
        "say": f"Done. Your parcel ending {ending(shipment)} {texting.done(change, shipment)}."
        if applied
        else f"{asked} Until it is decided, your parcel stays as planned.",
        "change_id": change.ref,
        "state": "applied" if applied else "needs_approval",
    }
