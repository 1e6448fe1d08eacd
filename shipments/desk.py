"""Do what a dispatcher asks for, by the telephone's rules and the version that his form was opened with."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from shipments.audit import AuditEntry
from shipments.courtesy import ContactPreference
from shipments.errors import (
    AlreadyWaitingError,
    NoReasonError,
    NoSlotError,
    ParcelChangedError,
    StaleFormError,
)
from shipments.models import DeliveryChange, DeliverySlot, Shipment
from shipments.moving import Asker, move_or_ask
from shipments.rules import POLICY, change_route
from shipments.statuses import Source
from shipments.telling import parcel_of
from shipments.windows import free_slots, phrases


def reschedule(*, shipment_id: int, slot_id: int, version: int, by: User, now: datetime) -> DeliveryChange:
    """Move a parcel to another delivery window, or ask for it where somebody else has to approve.

    Sent twice by the same person, it happens once and is answered twice.

    Raises:
        ShipmentError: the parcel was changed since, may not be moved, or that window cannot be had.
    """
    key = f"desk:{by.pk}:{shipment_id}:{version}:{slot_id}"
    try:
        with transaction.atomic():
            # One wish after the other: by this lock on PostgreSQL, while SQLite has one writer.
            Shipment.objects.select_for_update().filter(pk=shipment_id).first()
            done = DeliveryChange.objects.filter(idempotency_key=key).first()
            return done or _rescheduled(shipment_id, slot_id, version, by, key, now)
    except IntegrityError as error:  # a call's wish for this parcel came to wait for approval first
        raise AlreadyWaitingError from error
    except ParcelChangedError as error:  # a call moved it just now
        raise StaleFormError from error


def _rescheduled(
    shipment_id: int, slot_id: int, version: int, by: User, key: str, now: datetime
) -> DeliveryChange:
    shipment = Shipment.objects.for_telling().get(pk=shipment_id)
    if shipment.version != version:
        raise StaleFormError
    slot = DeliverySlot.objects.select_related("depot").filter(pk=slot_id).first()
    if slot is None or slot.depot_id != shipment.depot_id:
        change_route(parcel_of(shipment), POLICY)
        raise NoSlotError(offers=phrases(free_slots(shipment, now), shipment))
    asker = Asker(by.get_username(), "the dispatcher", Source.DISPATCHER, by)
    return move_or_ask(shipment, slot, asker=asker, key=key, now=now)


def keep_wishes(
    *, number: str, opted_out: bool, language: str, quiet_hours: str, by: User, now: datetime
) -> ContactPreference:
    """Keep how the owner of a number wants to be reached, as he told a colleague; `number` is E.164."""
    with transaction.atomic():
        ContactPreference.objects.get_or_create(number=number)
        kept = ContactPreference.objects.select_for_update().get(number=number)
        before = _wishes(kept)
        kept.opted_out_at = (kept.opted_out_at or now) if opted_out else None
        kept.language, kept.quiet_hours = language, quiet_hours
        kept.save()
        if _wishes(kept) != before:
            AuditEntry.objects.create(
                at=now,
                actor=by.get_username()[:120],
                verb="keep_wishes",
                object_kind="number",
                object_id=number,
                before=before,
                after=_wishes(kept),
            )
    return kept


def _wishes(kept: ContactPreference) -> dict[str, object]:
    opted_out = kept.opted_out_at is not None
    return {"opted_out": opted_out, "language": kept.language, "quiet_hours": kept.quiet_hours}


def look_into(*, kind: str, object_id: str, by: User, reason: str, now: datetime) -> None:
    """Take a call whose caller proved nothing (`call`), or a parcel's problems (`problem`), off the worklist.

    Raises:
        NoReasonError: nothing is said of what came of it.
    """
    if not (reason := " ".join(reason.split())[:300]):
        raise NoReasonError
    AuditEntry.objects.create(
        at=now,
        actor=by.get_username()[:120],
        verb="look_into",
        object_kind=kind,
        object_id=object_id,
        after={"reason": reason},
    )


def reveal_number(*, kind: str, object_id: str, number: str, by: User, reason: str, now: datetime) -> str:
    """Return a telephone number in full to somebody who may see it, once it is written down who and why.

    Raises:
        NoReasonError: no reason is given.
    """
    if not (reason := " ".join(reason.split())[:300]):
        raise NoReasonError
    AuditEntry.objects.create(
        at=now,
        actor=by.get_username()[:120],
        verb="reveal_number",
        object_kind=kind,
        object_id=object_id,
        after={"reason": reason},
    )
    return number
