"""Plan what is to become of a parcel, and carry it out or ask for it: one way for the desk and for systems.

A parcel came through `for_telling`; whoever calls these holds its lock and a transaction.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from shipments import wording
from shipments.depots import DeliverySlot
from shipments.effects import (
    in_words,
    keep_at_depot,
    move,
    note,
    place_of,
    readdress,
    refuse,
    slot_times,
    times,
)
from shipments.errors import NoProposalError, OutOfZoneError, PlaceUnclearError, SlotFullError
from shipments.history import record
from shipments.models import DeliveryChange, Shipment
from shipments.rules import POLICY, Route, change_route, check_place, check_window, hold_route, refusal_route
from shipments.statuses import ChangeKind, ChangeState, Source, Status, Substatus
from shipments.telling import parcel_of
from shipments.windows import day_of, offers, window_of


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants something, as the audit and the history call him; `user` may not decide on it then."""

    name: str
    words: str
    source: Source
    user: User | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted, in words and as fields, whether it is done at once, and how it is carried out."""

    kind: ChangeKind
    verb: str
    route: Route
    done: str
    asked: str
    before: Mapping[str, object]
    after: Mapping[str, object]
    carry_out: Callable[[], object]
    substatus: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


def another_day(shipment: Shipment, slot: DeliverySlot, now: datetime) -> Plan:
    """Plan to move a parcel to another window.

    Raises:
        ShipmentError: the parcel may not be moved, or that window cannot be had.
    """
    parcel = parcel_of(shipment)
    route = change_route(parcel, POLICY)
    try:
        check_window(window_of(slot), parcel, now, POLICY)
    except SlotFullError as error:
        raise SlotFullError(offers=offers(shipment, now, day_of(slot, shipment))) from error
    when = wording.slot(slot.starts_at, slot.ends_at, shipment.zone)
    return Plan(
        kind=ChangeKind.RESCHEDULE,
        verb="reschedule",
        route=route,
        done=f"Moved to {when}",
        asked=f"Asked for {when}",
        before=times(shipment),
        after=slot_times(slot),
        carry_out=lambda: move(shipment, slot, now, Status(shipment.status)),
        substatus=Substatus.APPOINTMENT_SCHEDULED,
        fields={"slot": slot, "requested_start": slot.starts_at, "requested_end": slot.ends_at},
    )


def another_place(shipment: Shipment, place: Mapping[str, str], now: datetime) -> Plan:
    """Plan to send a parcel to another place.

    Raises:
        ShipmentError: it may not go elsewhere, or no rider of its depot could find the place.
    """
    route = change_route(parcel_of(shipment), POLICY)
    if shipment.depot is None:
        raise OutOfZoneError
    check_place(place, shipment.depot.city)
    return Plan(
        kind=ChangeKind.ADDRESS_CHANGE,
        verb="change_address",
        route=route,
        done=f"Goes to another address: {in_words(place)}",
        asked=f"Another address was asked for: {in_words(place)}",
        before=place_of(shipment.address),
        after=place,
        carry_out=lambda: readdress(shipment, place, now),
        substatus=Substatus.FORWARDED,
        fields={"requested_address": dict(place)},
    )


def at_the_depot(shipment: Shipment, now: datetime) -> Plan:
    """Plan to have a parcel wait at its depot.

    Raises:
        ShipmentError: it may not be kept there, or is not there.
    """
    route, depot = hold_route(parcel_of(shipment)), shipment.depot or "the depot"
    return Plan(
        kind=ChangeKind.HOLD_FOR_PICKUP,
        verb="hold",
        route=route,
        done=f"Kept at {depot} to be collected",
        asked=f"To be kept at {depot} was asked for",
        before={**times(shipment), "status": shipment.status},
        after={"slot": None, "status": Status.AVAILABLE_FOR_PICKUP.value},
        carry_out=lambda: keep_at_depot(shipment, now),
    )


def to_a_neighbour(shipment: Shipment, neighbour: str, now: datetime) -> Plan:
    """Plan to have a parcel handed to a neighbour, named as a rider can find him.

    Raises:
        ShipmentError: the parcel may not be changed, or no neighbour is named.
    """
    route = change_route(parcel_of(shipment), POLICY)
    if not neighbour:
        raise PlaceUnclearError("Which neighbour may take it? Please tell me the name and the door.")
    return Plan(
        kind=ChangeKind.AUTHORISE_NEIGHBOUR,
        verb="authorise_neighbour",
        route=route,
        done=f"May be given to a neighbour: {neighbour}",
        asked=f"To be given to a neighbour was asked for: {neighbour}",
        before={},
        after={"neighbour": neighbour},
        carry_out=lambda: note(shipment, now),
        fields={"requested_address": {"neighbour": neighbour}},
    )


def not_wanted(shipment: Shipment, now: datetime) -> Plan:
    """Plan to take a parcel off that its recipient does not want; what becomes of it the sender decides.

    Raises:
        ShipmentError: it has arrived, or may not be changed.
    """
    return Plan(
        kind=ChangeKind.CANCEL,
        verb="refuse_delivery",
        route=refusal_route(parcel_of(shipment)),
        done="Refused, and not delivered",
        asked="Refused: not to be delivered",
        before={**times(shipment), "status": shipment.status},
        after={"slot": None, "status": Status.EXCEPTION.value},
        carry_out=lambda: refuse(shipment, now),
        substatus=Substatus.REFUSED,
    )


def plan_of(change: DeliveryChange, shipment: Shipment, now: datetime) -> Plan:
    """Plan anew what a change asks for, if the rules still let it pass.

    Raises:
        ShipmentError: they do not.
    """
    wanted = change.requested_address
    match change.kind:
        case ChangeKind.RESCHEDULE if change.slot is not None:
            return another_day(shipment, change.slot, now)
        case ChangeKind.ADDRESS_CHANGE:
            return another_place(shipment, wanted, now)
        case ChangeKind.HOLD_FOR_PICKUP:
            return at_the_depot(shipment, now)
        case ChangeKind.AUTHORISE_NEIGHBOUR:
            return to_a_neighbour(shipment, wanted.get("neighbour", ""), now)
        case ChangeKind.CANCEL:
            return not_wanted(shipment, now)
        case _:
            raise NoProposalError


def carry_out_or_ask(
    shipment: Shipment, plan: Plan, *, asker: Asker, key: str, now: datetime
) -> DeliveryChange:
    """Carry a plan out, or ask for it where somebody else has to approve; both are written down.

    Raises:
        ParcelChangedError: somebody else changed the parcel just now.
    """
    version, applied = shipment.version, plan.route is Route.APPLY
    if applied:
        plan.carry_out()
    change = DeliveryChange.objects.create(
        shipment=shipment,
        kind=plan.kind,
        state=ChangeState.APPLIED if applied else ChangeState.NEEDS_APPROVAL,
        previous=dict(plan.before),
        rule_results={"route": plan.route.value},
        requested_by=asker.name[:120],
        asker=asker.user,
        decided_at=now if applied else None,
        idempotency_key=key,
        shipment_version=version,
        created_at=now,
        expires_at=now,
        **plan.fields,
    )
    record(
        shipment,
        description=(f"{plan.done} by {asker.words}" if applied else f"{plan.asked}: to approve")[:300],
        substatus=plan.substatus if applied else "",
        source=asker.source,
        actor=asker.name,
        call_public_id="",
        key=f"change:{change.ref}",
        now=now,
        change_ref=change.ref,
        verb=plan.verb,
        before=plan.before,
        after={**(plan.after if applied else plan.before), "state": change.state},
    )
    return change
