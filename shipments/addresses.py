"""Compare where a parcel goes with what a caller says of it."""

from datetime import datetime

from django.db import transaction

from shipments import texting
from shipments.history import record, scoped
from shipments.messages import MessageKind
from shipments.models import Address, Shipment
from shipments.places import is_same_place
from shipments.text import told


def confirm_address(
    shipment: Shipment, *, said: str, call_public_id: str, now: datetime
) -> dict[str, object]:
    """Tell whether the place that a caller describes is the address of record; the area is all that is said.

    The parcel was found for this caller, by `telling`.
    """
    address, area = shipment.address, told(shipment.address.area)
    matches = is_same_place(
        said,
        (address.landmark, address.building, address.line1, address.line2),
        (address.neighbourhood, address.district, address.city, address.directions),
    )
    if not matches:
        return {
            "match": False,
            "area": area,
            "say": f"That does not match the address that we have in {area}. "
            "Please tell me the building, the street or the nearest landmark.",
        }
    key = scoped("address", call_public_id, str(shipment.pk))
    with transaction.atomic():
        Address.objects.filter(pk=address.pk).update(
            verified_at=now, verified_by=f"call {call_public_id}"[:120]
        )
        record(
            shipment,
            description="Address confirmed by the recipient",
            call_public_id=call_public_id,
            key=key,
            now=now,
            verb="confirm_address",
            before={"verified_at": address.verified_at.isoformat() if address.verified_at else None},
            after={"verified_at": now.isoformat()},
        )
        texting.tell(shipment, MessageKind.ADDRESS, texting.ADDRESS_CONFIRMED, key=key, now=now)
    return {
        "match": True,
        "area": area,
        "say": f"Thank you, that matches the address that we have in {area}.",
    }
