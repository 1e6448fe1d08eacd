"""Take in where parcels are, as the courier's systems tell it: forward only, by the time of what was seen."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import transaction
from django.db.models import F

from shipments.errors import IllegalMoveError
from shipments.history import append, scoped
from shipments.intake import Sender
from shipments.models import Shipment, TrackingEvent
from shipments.statuses import Status, follows


@dataclass(frozen=True, slots=True)
class Scan:
    """What somebody saw of a parcel; `event_id` is the teller's name for it, by which a repeat is known."""

    status: Status
    occurred_at: datetime
    event_id: str = ""
    substatus: str = ""
    reason: str = ""
    description: str = ""
    location: str = ""
    eta_at: datetime | None = None
    call_public_id: str = ""


class Effect(StrEnum):
    """What a scan did."""

    MOVED = "moved"
    LATE = "late"
    REPEATED = "repeated"


def report(*, shipment_id: int, scan: Scan, sender: Sender, now: datetime) -> Effect:
    """Write a scan into a parcel's history and move the parcel to it; a late one is kept and moves nothing.

    Told twice, it happened once.

    Raises:
        IllegalMoveError: the parcel cannot come to that status from the one that it has.
    """
    with transaction.atomic():
        # One scan of a parcel after the other.
        shipment = Shipment.objects.locked().get(pk=shipment_id)
        key = _key(shipment, scan, sender)
        if TrackingEvent.objects.filter(idempotency_key=key).exists():
            return Effect.REPEATED
        late = shipment.status_at is not None and scan.occurred_at < shipment.status_at
        if not late and not follows(Status(shipment.status), scan.status):
            raise IllegalMoveError(
                f"A parcel that is {shipment.get_status_display().lower()} "
                f"cannot become {scan.status.label.lower()}."
            )
        before = _face(shipment)
        if not late:
            _end_stop(shipment, scan)
            _move(shipment, scan)
        if scan.status == Status.ATTEMPT_FAIL:  # it was tried, however late we hear of it
            Shipment.objects.filter(pk=shipment.pk).update(attempts=F("attempts") + 1)
        event = _event(shipment, scan, key, sender)
        append(event, now=now, verb="report", before=before, after=_face(shipment))
    return Effect.LATE if late else Effect.MOVED


def _key(shipment: Shipment, scan: Scan, sender: Sender) -> str:
    named = (scan.event_id,) if scan.event_id else (scan.status, scan.substatus, scan.occurred_at.isoformat())
    return scoped("scan", sender.name, str(shipment.pk), *named)


def _end_stop(shipment: Shipment, scan: Scan) -> None:
    """Take a parcel that leaves the road off the round of the day."""
    if shipment.status == Status.OUT_FOR_DELIVERY != scan.status:
        day = scan.occurred_at.astimezone(shipment.zone).date()
        shipment.stops.filter(date=day, done_at=None).update(done_at=scan.occurred_at, outcome=scan.status)


def _move(shipment: Shipment, scan: Scan) -> None:
    shipment.status, shipment.substatus, shipment.status_at = scan.status, scan.substatus, scan.occurred_at
    shipment.version += 1
    fields = ["status", "substatus", "status_at", "version", "updated_at"]
    if scan.eta_at is not None:
        shipment.eta_at, shipment.eta_computed_at = scan.eta_at, scan.occurred_at
        fields += ["eta_at", "eta_computed_at"]
    shipment.save(update_fields=fields)


def _event(shipment: Shipment, scan: Scan, key: str, sender: Sender) -> TrackingEvent:
    return TrackingEvent(
        shipment=shipment,
        occurred_at=scan.occurred_at,
        status=scan.status,
        substatus=scan.substatus,
        reason=scan.reason,
        description=scan.description,
        location=scan.location,
        source=sender.source,
        call_public_id=scan.call_public_id,
        actor=sender.name[:120],
        idempotency_key=key,
    )


def _face(shipment: Shipment) -> dict[str, object]:
    return {
        "status": shipment.status,
        "substatus": shipment.substatus,
        "eta_at": shipment.eta_at.isoformat() if shipment.eta_at else None,
    }
