"""Fill a database with a day of demonstration parcels."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import Model, Q
from django.utils import timezone

from shipments import demo
from shipments.depots import DeliverySlot, Depot
from shipments.models import Address, DeliveryChange, Shipment, TrackingEvent
from shipments.riders import Driver, Stop
from shipments.statuses import ChangeState, Source, Status


class Command(BaseCommand):
    """Write the demonstration's parcels, or put them back to where its day begins."""

    help = "Fill the database with a day of demonstration parcels. It can be run again and creates no user."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="print the parcels as a JSON list")
        parser.add_argument(
            "--seed", type=int, default=1, help="draws the arrival times and the free windows"
        )

    def handle(self, *args: object, json: bool, seed: int, **options: object) -> None:
        """Write everything in one transaction and say what is there."""
        now = timezone.now()
        with transaction.atomic():
            depots = {city: _write_depot(city, seed, now) for city in demo.CITIES}
            drivers = {city: _write_driver(city) for city in demo.CITIES}
            parcels = demo.parcels(seed, now)
            for parcel in parcels:
                _write_parcel(parcel, depots[parcel.city], drivers[parcel.city], now)
            for city, driver in drivers.items():
                _write_round(driver, now.astimezone(ZoneInfo(city.time_zone)).date())
        self.stdout.write(_as_json(parcels) if json else _as_text(parcels, seed))


def _as_json(parcels: list[demo.DemoParcel]) -> str:
    listed = [
        {
            "tracking_id": p.tracking_id,
            "phone": p.phone,
            "name": p.person.name,
            "status": p.status.value,
            "delivery_code": p.delivery_code,
        }
        for p in parcels
    ]
    return json.dumps(listed, indent=2, ensure_ascii=False)


def _as_text(parcels: list[demo.DemoParcel], seed: int) -> str:
    lines = [
        f"{p.tracking_id}  {p.phone:<15} {p.person.name:<18} code {p.delivery_code}  {p.status.label}"
        for p in parcels
    ]
    riders = [f"{_rider(city):<18} {_rider_number(city)}  shift PIN {demo.SHIFT_PIN}" for city in demo.CITIES]
    return "\n".join([*lines, *riders, f"{len(parcels)} parcels, seed {seed}"])


def _write_depot(city: demo.City, seed: int, now: datetime) -> Depot:
    depot, _ = Depot.objects.update_or_create(
        name=city.depot,
        defaults={"city": city.name, "country": city.country, "time_zone": city.time_zone},
    )
    for slot in demo.slots(seed, city, now.astimezone(ZoneInfo(city.time_zone)).date()):
        planned = {"window_end": slot.window_end, "capacity": demo.CAPACITY, "booked": slot.booked}
        DeliverySlot.objects.update_or_create(
            depot=depot, date=slot.date, window_start=slot.window_start, defaults=planned
        )
    return depot


def _rider(city: demo.City) -> str:
    return f"{city.name} demo rider"


def _rider_number(city: demo.City) -> str:
    return f"{city.dialling}90"


def _write_driver(city: demo.City) -> Driver:
    driver, _ = Driver.objects.update_or_create(
        name=_rider(city), defaults={"phone": _rider_number(city), "on_shift": True}
    )
    if driver.pin_failures or not driver.is_shift_pin(demo.SHIFT_PIN):
        driver.set_shift_pin(demo.SHIFT_PIN)
        driver.save()
    return driver


def _write_round(driver: Driver, today: date) -> None:
    """Plan a driver's stops of today anew, in the order in which his parcels come."""
    on_the_road = Shipment.objects.filter(is_demo=True, driver=driver, status=Status.OUT_FOR_DELIVERY)
    ordered = list(on_the_road.order_by("eta_at", "tracking_id"))
    Stop.objects.filter(Q(driver=driver) | Q(shipment__in=ordered), date=today).delete()
    Stop.objects.bulk_create(
        Stop(driver=driver, shipment=shipment, date=today, position=position)
        for position, shipment in enumerate(ordered, start=1)
    )


def _write_parcel(parcel: demo.DemoParcel, depot: Depot, driver: Driver, now: datetime) -> None:
    """Create a parcel, or put it back; its version grows when that changes anything."""
    known = Shipment.objects.filter(tracking_id=parcel.tracking_id).select_related("address").first()
    if known is not None and not known.is_demo:
        raise CommandError(f"{parcel.tracking_id} is a real parcel: nothing was written")
    shipment = known or Shipment(tracking_id=parcel.tracking_id, is_demo=True, address=Address())
    if _set(shipment.address, _address_fields(parcel)):
        shipment.address.save()
    on_the_road = parcel.status == Status.OUT_FOR_DELIVERY
    fields = {
        "address": shipment.address,
        "shipper": parcel.shipper,
        "recipient_name": parcel.person.name,
        "phone": parcel.phone,
        "status": parcel.status.value,
        "substatus": str(parcel.substatus),
        "depot": depot,
        "driver": driver if on_the_road else None,
        "slot": _slot_of(parcel, depot),
        "time_zone": parcel.city.time_zone,
        "promised_start": parcel.promised[0] if parcel.promised else None,
        "promised_end": parcel.promised[1] if parcel.promised else None,
        "eta_at": parcel.eta_at,
        "attempts": parcel.attempts,
        "cod_minor": parcel.cod_minor,
        "cod_currency": parcel.city.currency if parcel.cod_minor else "",
        "changes_allowed": parcel.changes_allowed,
        "minted": True,
    }
    # When an estimate was made moves with every run; that alone is no change of the parcel.
    changed = _set(shipment, fields)
    shipment.eta_computed_at = now if parcel.eta_at else None
    if shipment.pin_failures or not shipment.is_pin(parcel.delivery_code):
        shipment.set_pin(parcel.delivery_code)
    if known is not None and changed:
        shipment.version += 1
    shipment.save()
    waiting = DeliveryChange.objects.filter(
        shipment=shipment, state__in=(ChangeState.PROPOSED, ChangeState.NEEDS_APPROVAL)
    )
    waiting.update(state=ChangeState.SUPERSEDED)
    _write_events(shipment, parcel)


def _slot_of(parcel: demo.DemoParcel, depot: Depot) -> DeliverySlot | None:
    """Return the slot in which a parcel has its place; it is counted among those that are taken."""
    if parcel.promised is None:
        return None
    start = parcel.promised[0]
    return DeliverySlot.objects.filter(depot=depot, date=start.date(), window_start=start.time()).first()


def _address_fields(parcel: demo.DemoParcel) -> dict[str, object]:
    person = parcel.person
    return {
        "recipient_name": person.name,
        "phone": parcel.phone,
        "line1": person.line1,
        "building": person.building,
        "neighbourhood": person.neighbourhood,
        "city": parcel.city.name,
        "country": parcel.city.country,
        "landmark": person.landmark,
        "directions": person.directions,
        "gate_notes": person.gate_notes,
        "access_code": person.access_code,
        "verified_at": None,
        "verified_by": "",
    }


def _set(row: Model, fields: Mapping[str, object]) -> bool:
    """Set fields of a row and tell whether any was different."""
    different = {name: value for name, value in fields.items() if getattr(row, name, None) != value}
    for name, value in different.items():
        setattr(row, name, value)
    return bool(different) or row.pk is None


def _write_events(shipment: Shipment, parcel: demo.DemoParcel) -> None:
    """Append what is not in the history yet: its past once, and each day's news."""
    rows = [
        TrackingEvent(
            shipment=shipment,
            occurred_at=event.at,
            status=event.status,
            substatus=event.substatus,
            reason=event.reason,
            description=event.description,
            location=parcel.city.depot,
            source=Source.RIDER if event.status == Status.OUT_FOR_DELIVERY else Source.CARRIER,
            idempotency_key=f"demo:{parcel.tracking_id}:{event.status.value}:{event.day or 'before'}",
        )
        for event in parcel.events
    ]
    TrackingEvent.objects.bulk_create(rows, ignore_conflicts=True)
