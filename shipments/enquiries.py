"""Answer what a caller asks about his parcels; nothing is written.

A parcel was found for this caller, by `telling`; `number` is the number that the call came from (E.164, ""
when withheld), never one that was spoken.
"""

from collections.abc import Sequence
from datetime import datetime

from shipments import wording
from shipments.errors import NoSlotError
from shipments.models import Shipment
from shipments.rules import POLICY, change_route
from shipments.telling import Foreign, NotFound, Own, Several, choice, ending, find, parcel_of, tell
from shipments.windows import OFFERS, day_of, free_slots, phrases, planned_day, slot_fields


def opening_fields(shipment: Shipment, now: datetime, among: Sequence[Shipment] = ()) -> dict[str, str]:
    """Return what a call begins with knowing of a parcel of its own number; it came through `for_telling`."""
    told_of = tell(shipment, now, POLICY, among)
    fields = {
        "ends_with": str(told_of["ending"]),
        "state": wording.state(shipment.status, shipment.substatus),
        "expected": told_of.get("expected") or told_of.get("planned") or "",
        "from": told_of["sender"],
    }
    return {name: str(value) for name, value in fields.items() if value}


def track(*, number: str, said_id: str | None, now: datetime, demo: bool = False) -> dict[str, object]:
    """Return what this caller may hear; `status` is ok, coarse, not_found or ask_id, `say` can be spoken.

    With `demo` there are no parcels but the demonstration's.
    """
    match find(number, said_id or "", demo=demo):
        case Own(shipment):
            return {"status": "ok", **tell(shipment, now, POLICY)}
        case Foreign(state):
            return {"status": "coarse", "say": wording.COARSE[state], "state": state}
        case Several(shipments):
            return {
                "status": "ask_id",
                "say": choice(shipments),
                "endings": [ending(shipment, shipments) for shipment in shipments],
            }
        case NotFound(asked_by_id=True):
            return {
                "status": "not_found",
                "say": "I cannot find a parcel with that tracking number. "
                "Please read it to me once more, one character at a time.",
            }
        case NotFound():
            return {
                "status": "ask_id",
                "say": "I see no parcel for the number you are calling from. "
                "Please read me the tracking number.",
            }


def offer_slots(shipment: Shipment, *, day: str | None, now: datetime) -> dict[str, object]:
    """Return up to three delivery windows that are free for a parcel.

    Raises:
        ShipmentError: it may not be moved, or that day cannot be had.
    """
    change_route(parcel_of(shipment), POLICY)
    free = free_slots(shipment, now)
    if day:
        wanted = planned_day(shipment, day, now)
        free_then = [slot for slot in free if day_of(slot, shipment) == wanted]
        if not free_then:
            raise NoSlotError(offers=phrases(free, shipment))
        free = free_then
    if not free:
        raise NoSlotError
    *first, last = phrases(free, shipment)
    said = f"{'; '.join(first)}; or {last}" if first else last
    return {
        "status": "ok",
        "say": f"For your parcel ending {ending(shipment)} I can offer {said}.",
        "ending": ending(shipment),
        "slots": [slot_fields(slot, shipment) for slot in free[:OFFERS]],
    }
