"""Move a parcel to another delivery window: proposed, read back, agreed to, carried out.

The parcel was found for this caller, by `telling`; `number` is the number that the call came from (E.164, ""
when withheld), never one that was spoken.
"""

from datetime import datetime

from django.contrib.auth.models import User

from shipments import wording
from shipments.models import Shipment
from shipments.plans import Plan, another_day
from shipments.proposals import confirm, propose
from shipments.rules import POLICY, Route, change_route
from shipments.statuses import ChangeKind
from shipments.telling import in_full, parcel_of
from shipments.windows import chosen_slot


def prepare_reschedule(
    shipment: Shipment,
    *,
    day: str,
    window: str | None,
    call_public_id: str,
    key: str,
    now: datetime,
    asker: User | None = None,
    level: str = "",
) -> dict[str, object]:
    """Propose another delivery window and return the sentence to read back; the parcel stays as it is.

    Raises:
        ShipmentError: it may not be moved, or that time cannot be had.
    """
    change_route(parcel_of(shipment), POLICY)

    def plan() -> Plan:
        return another_day(shipment, chosen_slot(shipment, day, window, now), now)

    def read_back(planned: Plan) -> str:
        start, end = planned.fields["requested_start"], planned.fields["requested_end"]
        when = wording.slot(start, end, shipment.zone)
        if planned.route is Route.APPLY:
            return f"I will move your parcel {in_full(shipment)} to {when}. Is that right?"
        return (
            f"I can ask our dispatcher to move your parcel {in_full(shipment)} to {when}. "
            "The dispatcher decides. Shall I ask?"
        )

    return propose(
        shipment, plan, read_back, call_public_id=call_public_id, key=key, now=now, asker=asker, level=level
    )


def confirm_reschedule(
    *, number: str, change_id: str, call_public_id: str, now: datetime
) -> dict[str, object]:
    """Move the parcel as it was read back in this call and agreed to.

    Raises:
        ShipmentError: nothing stands to be confirmed, or the parcel or the window has changed since.
    """
    return confirm(
        ChangeKind.RESCHEDULE, number=number, change_id=change_id, call_public_id=call_public_id, now=now
    )
