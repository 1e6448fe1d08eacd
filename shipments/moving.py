"""Move a parcel to a delivery window for somebody who is not on the telephone, by the telephone's rules."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from shipments import wording
from shipments.clients import ApiClient
from shipments.errors import AlreadyWaitingError, StaleFormError
from shipments.models import DeliveryChange, DeliverySlot, Shipment
from shipments.rules import POLICY, Route, change_route, check_window
from shipments.services import move, record, scoped, slot_times, times
from shipments.statuses import ChangeKind, ChangeState, Source, Status, Substatus
from shipments.telling import parcel_of
from shipments.windows import chosen_slot, window_of


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants a parcel moved, as the audit and the history call him; `user` may not decide on it then."""

    name: str
    words: str
    source: Source
    user: User | None = None


def move_or_ask(
    shipment: Shipment, slot: DeliverySlot, *, asker: Asker, key: str, now: datetime
) -> DeliveryChange:
    """Move a parcel to another window, or ask for it where somebody else has to approve.

    The parcel came through `for_telling`; whoever calls this holds its lock and a transaction.

    Raises:
        ShipmentError: the parcel may not be moved, or that window cannot be had.
    """
    parcel = parcel_of(shipment)
    route = change_route(parcel, POLICY)
    check_window(window_of(slot), parcel, now, POLICY)
    before, when = times(shipment), wording.slot(slot.starts_at, slot.ends_at, shipment.zone)
    version, applied = shipment.version, route is Route.APPLY
    if applied:
        move(shipment, slot, now, Status(shipment.status))
    change = DeliveryChange.objects.create(
        shipment=shipment,
        kind=ChangeKind.RESCHEDULE,
        state=ChangeState.APPLIED if applied else ChangeState.NEEDS_APPROVAL,
        slot=slot,
        requested_start=slot.starts_at,
        requested_end=slot.ends_at,
        previous=before,
        rule_results={"route": route.value},
        requested_by=asker.name[:120],
        asker=asker.user,
        decided_at=now if applied else None,
        idempotency_key=key,
        shipment_version=version,
        created_at=now,
        expires_at=now,
    )
    record(
        shipment,
        description=f"Moved to {when} by {asker.words}" if applied else f"Asked for {when}: to approve",
        substatus=Substatus.APPOINTMENT_SCHEDULED if applied else "",
        source=asker.source,
        actor=asker.name,
        call_public_id="",
        key=f"change:{change.ref}",
        now=now,
        change_ref=change.ref,
        verb="reschedule",
        before=before,
        after={**(slot_times(slot) if applied else before), "state": change.state},
    )
    return change


def reschedule_for(
    client: ApiClient,
    shipment: Shipment,
    *,
    day: str,
    window: str | None,
    request_id: str,
    version: int | None,
    now: datetime,
) -> DeliveryChange:
    """Move a client's parcel to the window nearest to what it names; asked again, it happened once.

    `version` refuses what was decided on before the parcel's last change.

    Raises:
        ShipmentError: the parcel may not be moved, was changed since, or that time cannot be had.
    """
    asker = Asker(client.actor, "its sender", Source.CARRIER)
    key = scoped("api", str(client.pk), str(shipment.pk), request_id)
    try:
        with transaction.atomic():
            # One wish after the other: by this lock on PostgreSQL, while SQLite has one writer.
            Shipment.objects.select_for_update().filter(pk=shipment.pk).first()
            done = DeliveryChange.objects.select_related("slot__depot").filter(idempotency_key=key).first()
            if done is not None:
                return done
            current = Shipment.objects.for_telling().get(pk=shipment.pk)
            if version is not None and current.version != version:
                raise StaleFormError
            change_route(parcel_of(current), POLICY)
            slot = chosen_slot(current, day, window, now)
            return move_or_ask(current, slot, asker=asker, key=key, now=now)
    except IntegrityError as error:  # a call's wish for this parcel came to wait for approval first
        raise AlreadyWaitingError from error
