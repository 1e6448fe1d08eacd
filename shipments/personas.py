"""Name the people of the demonstration whom a member of staff may be when he tries the line out."""

from dataclasses import dataclass
from enum import StrEnum

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef

from shipments.models import Shipment, ShipmentQuerySet
from shipments.phones import masked
from shipments.riders import Driver

MOST = 200
"""How many of a kind are offered."""


class Part(StrEnum):
    """Whom one may be."""

    CUSTOMER = "customer"
    DRIVER = "driver"


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody of the demonstration; `key` names him in a form, which never holds the number."""

    key: str
    part: Part
    name: str
    number: str
    parcels: tuple[Shipment, ...]

    @property
    def masked(self) -> str:
        """The last digits of the number."""
        return masked(self.number)


def personas(user: User) -> list[Persona]:
    """Return whom this member of staff may be: demo customers and drivers of his depots with nothing real.

    A number that a real parcel has as well is nobody's to play with.
    """
    demo = Shipment.objects.seen_by(user).open_to(demo=True)
    customers: dict[str, list[Shipment]] = {}
    for shipment in demo.exclude(phone="").exclude(Exists(_real("phone", "phone"))).order_by("pk")[:MOST]:
        customers.setdefault(shipment.phone, []).append(shipment)
    brought = demo.filter(driver=OuterRef("pk"))
    drivers = Driver.objects.filter(Exists(brought)).exclude(phone="")
    drivers = drivers.exclude(Exists(_real("driver", "pk"))).exclude(Exists(_real("phone", "phone")))
    return [
        *(
            Persona(f"customer-{own[0].pk}", Part.CUSTOMER, own[0].recipient_name, number, tuple(own))
            for number, own in customers.items()
        ),
        *(
            Persona(f"driver-{driver.pk}", Part.DRIVER, driver.name, driver.phone, ())
            for driver in drivers.order_by("pk")[:MOST]
        ),
    ]


def has_something_real(number: str) -> bool:
    """Tell whether a number is that of a parcel that is no demonstration."""
    return Shipment.objects.for_number(number).filter(is_demo=False).exists()


def _real(field: str, outer: str) -> ShipmentQuerySet:
    return Shipment.objects.filter(is_demo=False, **{field: OuterRef(outer)})
