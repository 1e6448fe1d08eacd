"""Write what happened to a parcel into its history and the audit, and tell the world once it is committed."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from django.db import IntegrityError, transaction

from shipments import outbox, texting
from shipments.audit import AuditEntry
from shipments.models import DeliveryChange, Shipment, TrackingEvent
from shipments.signals import shipment_changed
from shipments.statuses import Source


def record(
    shipment: Shipment,
    *,
    description: str,
    call_public_id: str,
    key: str,
    now: datetime,
    substatus: str = "",
    change_ref: str = "",
    source: Source = Source.VOICE_AGENT,
    actor: str = "voice agent",
    verb: str,
    before: Mapping[str, object],
    after: Mapping[str, object],
) -> None:
    """Append what a parcel has just come to, once a key; see `append`."""
    event = TrackingEvent(
        shipment=shipment,
        occurred_at=now,
        status=shipment.status,
        substatus=substatus,
        description=description,
        source=source,
        actor=actor[:120],
        call_public_id=call_public_id,
        idempotency_key=key,
    )
    append(event, change_ref=change_ref, now=now, verb=verb, before=before, after=after)


def append(
    event: TrackingEvent,
    *,
    now: datetime,
    verb: str,
    before: Mapping[str, object],
    after: Mapping[str, object],
    change_ref: str = "",
) -> None:
    """Append what happened, whenever that was, to a parcel's history and to the audit; tell the world.

    What was appended under this key already is neither audited nor told again.
    """
    shipment = event.shipment
    try:
        with transaction.atomic():
            event.save()
    except IntegrityError:
        return
    change = DeliveryChange.objects.filter(ref=change_ref).first() if change_ref else None
    outbox.tell_of(shipment, event, change, now, but=event.actor)  # who did it need not be told
    if change is not None:
        texting.tell_of_change(shipment, change, now)
    AuditEntry.objects.create(
        at=now,
        actor=event.actor,
        verb=verb,
        object_kind="shipment",
        object_id=shipment.tracking_id,
        before=dict(before),
        after={**after, "change": change_ref} if change_ref else dict(after),
        call_public_id=event.call_public_id,
    )
    send = partial(
        shipment_changed.send_robust,
        sender=Shipment,
        shipment_id=shipment.pk,
        change_ref=change_ref,
        call_public_id=event.call_public_id,
        source=event.source,
    )
    transaction.on_commit(send, robust=True)


def scoped(*parts: str) -> str:
    """Return a key of fixed length for these words: of a call, that means something there only."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
