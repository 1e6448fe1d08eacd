"""Propose what only who knows the delivery code may have: another place, the depot, a neighbour, no delivery.

Each is read back in full, and carried out by `proposals.confirm`. `telling` found the parcel for this caller.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from django.contrib.auth.models import User

from shipments.effects import PLACE
from shipments.errors import PlaceUnclearError
from shipments.models import Shipment
from shipments.plans import Plan, another_place, at_the_depot, not_wanted, to_a_neighbour
from shipments.proposals import propose
from shipments.rules import Route
from shipments.telling import in_full
from shipments.text import told


def prepare_address_change(
    shipment: Shipment,
    *,
    place: Mapping[str, str],
    call_public_id: str,
    key: str,
    now: datetime,
    asker: User | None = None,
    level: str = "",
) -> dict[str, object]:
    """Propose another place, found by its landmark and directions; the city stays unless one is named.

    Raises:
        ShipmentError: it may not go there, or nobody could find the place.
    """
    wanted = {name: told(place.get(name, "")) for name in PLACE}
    if not (wanted["landmark"] and wanted["directions"]):
        raise PlaceUnclearError("Please tell me the nearest landmark, and how to get to the door from there.")
    wanted["city"] = wanted["city"] or (shipment.depot.city if shipment.depot else shipment.address.city)
    spoken = ", ".join(wanted[name] for name in PLACE if wanted[name])
    return _proposed(
        shipment,
        lambda: another_place(shipment, wanted, now),
        f"bring {{parcel}} to {spoken}",
        call_public_id,
        key,
        now,
        asker,
        level,
    )


def hold_for_pickup(
    shipment: Shipment,
    *,
    call_public_id: str,
    key: str,
    now: datetime,
    asker: User | None = None,
    level: str = "",
) -> dict[str, object]:
    """Propose to keep a parcel at its depot.

    Raises:
        ShipmentError: it may not be kept there, or is not there.
    """
    depot = told(shipment.depot.name) if shipment.depot else "our depot"
    what = f"keep {{parcel}} at {depot} for you to collect"
    return _proposed(
        shipment, lambda: at_the_depot(shipment, now), what, call_public_id, key, now, asker, level
    )


def authorise_neighbour(
    shipment: Shipment,
    *,
    neighbour: str,
    call_public_id: str,
    key: str,
    now: datetime,
    asker: User | None = None,
    level: str = "",
) -> dict[str, object]:
    """Propose to hand a parcel to a neighbour.

    Raises:
        ShipmentError: it may not be changed, or no neighbour is named.
    """
    name = told(neighbour)
    what = f"give {{parcel}} to your neighbour, {name}"
    return _proposed(
        shipment, lambda: to_a_neighbour(shipment, name, now), what, call_public_id, key, now, asker, level
    )


def refuse_delivery(
    shipment: Shipment,
    *,
    call_public_id: str,
    key: str,
    now: datetime,
    asker: User | None = None,
    level: str = "",
) -> dict[str, object]:
    """Propose not to deliver a parcel.

    Raises:
        ShipmentError: it has arrived, or may not be changed.
    """
    what = "not deliver {parcel}, and let the sender decide what becomes of it"
    return _proposed(
        shipment, lambda: not_wanted(shipment, now), what, call_public_id, key, now, asker, level
    )


def _proposed(
    shipment: Shipment,
    plan: Callable[[], Plan],
    what: str,
    call_public_id: str,
    key: str,
    now: datetime,
    asker: User | None = None,
    level: str = "",
) -> dict[str, object]:
    words = what.replace("{parcel}", f"your parcel {in_full(shipment)}")

    def read_back(planned: Plan) -> str:
        if planned.route is Route.APPLY:
            return f"I will {words}. Is that right?"
        return f"I can ask our dispatcher to {words}. The dispatcher decides. Shall I ask?"

    return propose(
        shipment, plan, read_back, call_public_id=call_public_id, key=key, now=now, asker=asker, level=level
    )
