"""Take orders for calls from the desk and from systems: the gate decides, and the audit names who asked."""

from datetime import datetime

from django.db import transaction

from shipments.audit import AuditEntry
from shipments.models import Shipment
from voice import dialing
from voice.dial_rules import Never


def order_call(
    shipment: Shipment, purpose: str, *, by: str, now: datetime, asked_at: datetime | None = None
) -> dialing.Planned:
    """Plan a call to a parcel's recipient, if the gate allows one; while one is open, it is that one."""
    with transaction.atomic():
        planned = dialing.plan(shipment, purpose, by=by, now=now, asked_at=asked_at)
        AuditEntry.objects.create(
            at=now,
            actor=by[:120],
            verb="order_call",
            object_kind="shipment",
            object_id=shipment.tracking_id,
            after={"purpose": purpose, "planned": not isinstance(planned.answer, Never)},
        )
    return planned
