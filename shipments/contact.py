"""Write into a parcel's history whether its recipient was reached by telephone."""

from datetime import datetime

from shipments.models import Shipment, TrackingEvent
from shipments.statuses import Reason, Source, Substatus


def note_contact(shipment: Shipment, *, reached: bool, call_public_id: str, key: str, now: datetime) -> None:
    """Append that the recipient was called, once a key; the parcel itself stays as it is."""
    event = TrackingEvent(
        shipment=shipment,
        occurred_at=now,
        status=shipment.status,
        substatus=Substatus.CUSTOMER_CONTACTED if reached else "",
        reason="" if reached else Reason.CONSIGNEE_NOT_AVAILABLE,
        description="Recipient reached by telephone" if reached else "Recipient not reached by telephone",
        source=Source.VOICE_AGENT,
        actor="voice agent",
        call_public_id=call_public_id,
        idempotency_key=f"contact:{key}",
    )
    TrackingEvent.objects.bulk_create([event], ignore_conflicts=True)
