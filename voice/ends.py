"""Tell the courier's systems that calls are over, in the transaction that ends them."""

from collections.abc import Collection
from datetime import datetime

from shipments import outbox
from shipments.notices import Kind
from voice.models import Call
from voice.statuses import LIVE


def tell_ended(call_ids: Collection[int], now: datetime) -> None:
    """Write down for who wants to know that these calls ended, and with what; but of none that still runs.

    A call that was given up as lost and then ended truly is told of twice: the later one is right.
    Test calls are told to nobody.
    """
    over = (
        Call.objects.by_telephone()
        .filter(pk__in=call_ids)
        .exclude(status__in=LIVE)
        .select_related("shipment")
    )
    for call in over:
        outbox.put(
            Kind.CALL_ENDED,
            f"{call.public_id}:{call.status}:{call.ended_reason}:{call.outcome}",
            {
                "call": call.public_id,
                "tracking_id": call.shipment.tracking_id if call.shipment else None,
                "direction": call.direction,
                "purpose": call.purpose,
                "status": call.status,
                "outcome": call.outcome,
                "ended_reason": call.ended_reason,
                "began_at": call.created_at,
                "ended_at": call.ended_at,
                "duration_s": call.duration_s,
            },
            shipper=call.shipment.shipper if call.shipment else None,
            now=now,
        )
