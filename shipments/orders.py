"""Do what a dispatcher orders for a parcel, by the telephone's rules and the version that his form showed.

What the rules leave to somebody else waits for approval. Sent twice by the same person, an order is carried
out once and answered twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from shipments.depots import DeliverySlot
from shipments.errors import AlreadyWaitingError, NoSlotError, ParcelChangedError, StaleFormError
from shipments.history import scoped
from shipments.models import DeliveryChange, Shipment
from shipments.plans import Asker, Plan, another_day, another_place, at_the_depot, carry_out_or_ask
from shipments.rules import POLICY, change_route
from shipments.statuses import Source
from shipments.telling import parcel_of
from shipments.windows import free_slots, phrases


@dataclass(frozen=True, slots=True)
class Order:
    """Who orders something for which parcel, and at which version he saw it."""

    shipment_id: int
    version: int
    by: User
    now: datetime


def reschedule(order: Order, *, slot_id: int) -> DeliveryChange:
    """Move a parcel to another delivery window.

    Raises:
        ShipmentError: the parcel was changed since, may not be moved, or that window cannot be had.
    """

    def plan(shipment: Shipment) -> Plan:
        slot = DeliverySlot.objects.select_related("depot").filter(pk=slot_id).first()
        if slot is None or slot.depot_id != shipment.depot_id:
            change_route(parcel_of(shipment), POLICY)
            raise NoSlotError(offers=phrases(free_slots(shipment, order.now), shipment))
        return another_day(shipment, slot, order.now)

    return _once(order, f"slot {slot_id}", plan)


def change_address(order: Order, *, place: Mapping[str, str]) -> DeliveryChange:
    """Send a parcel to another place of the city that its depot delivers to.

    Raises:
        ShipmentError: the parcel was changed since, may not go elsewhere, or nobody could find the place.
    """
    what = scoped("place", *(f"{name} {value}" for name, value in sorted(place.items())))
    return _once(order, what, lambda shipment: another_place(shipment, place, order.now))


def hold(order: Order) -> DeliveryChange:
    """Have a parcel wait at its depot to be collected.

    Raises:
        ShipmentError: the parcel was changed since, may not be kept, or is not there.
    """
    return _once(order, "hold", lambda shipment: at_the_depot(shipment, order.now))


def _once(order: Order, what: str, plan: Callable[[Shipment], Plan]) -> DeliveryChange:
    key = f"desk:{order.by.pk}:{order.shipment_id}:{order.version}:{what}"
    asker = Asker(order.by.get_username(), "the dispatcher", Source.DISPATCHER, order.by)
    try:
        with transaction.atomic():
            # One wish after the other.
            Shipment.objects.filter(pk=order.shipment_id).locked().first()
            if (done := DeliveryChange.objects.filter(idempotency_key=key).first()) is not None:
                return done
            shipment = Shipment.objects.for_telling().get(pk=order.shipment_id)
            if shipment.version != order.version:
                raise StaleFormError
            return carry_out_or_ask(shipment, plan(shipment), asker=asker, key=key, now=order.now)
    except IntegrityError as error:  # a call's wish for this parcel came to wait for approval first
        raise AlreadyWaitingError from error
    except ParcelChangedError as error:  # a call changed it just now
        raise StaleFormError from error
