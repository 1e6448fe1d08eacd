"""Find the parcel that a caller means, and put what he may hear of it into words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from shipments import wording
from shipments.errors import ParcelUnknownError, WhichParcelError
from shipments.models import Shipment, ShipmentQuerySet
from shipments.rules import (
    Expected,
    NotKnown,
    Parcel,
    Planned,
    Policy,
    Telling,
    coarse_state,
    expectation,
    is_stale,
    telling,
)
from shipments.spelling import ends_as, names_an_id, readings, sounds_like
from shipments.statuses import OVER, Status
from shipments.text import told

_KNOWN_LIMIT = 50
"""How many parcels of one number a half-heard id is compared with."""


@dataclass(frozen=True, slots=True)
class Own:
    """A parcel whose number of record is the caller's: it may be told and moved."""

    shipment: Shipment


@dataclass(frozen=True, slots=True)
class Foreign:
    """A parcel of another number: one of three coarse states is all there is to hear."""

    state: str


@dataclass(frozen=True, slots=True)
class Several:
    """Parcels of the caller's number among which he has to choose."""

    shipments: tuple[Shipment, ...]


@dataclass(frozen=True, slots=True)
class NotFound:
    """Nothing; `asked_by_id` tells whether an id was given at all."""

    asked_by_id: bool


Found = Own | Foreign | Several | NotFound


def find(number: str, said_id: str, *, demo: bool = False) -> Found:
    """Return what a caller on `number` (E.164, "" when withheld) means by the id that he said, if any.

    His own parcels are searched by sound as well; those of others only by the exact id. With `demo` there
    are no parcels but the demonstration's.
    """
    named, within = readings(said_id), Shipment.objects.open_to(demo=demo)
    if not named:
        return _only(_expected_by(number, within), asked_by_id=False)
    exact = list(within.for_telling().filter(tracking_key__in=named)[: _KNOWN_LIMIT + 1])
    own = [shipment for shipment in exact if telling(shipment.phone, number) is Telling.OWN]
    own = [shipment for shipment in own if shipment.tracking_id == said_id] or own
    if not own:
        known = within.for_number(number).for_telling()[:_KNOWN_LIMIT]
        own = [s for s in known if ends_as(said_id, s.tracking_key) or sounds_like(said_id, s.tracking_key)]
    if own:
        return _only(own, asked_by_id=True)
    # Ids that others mint are often numbers in a row: whoever has one can guess the next.
    if len(exact) == 1 and (settings.COARSE_FOREIGN_IDS or exact[0].minted):
        return Foreign(coarse_state(Status(exact[0].status)))
    if not exact and not names_an_id(said_id):
        return _only(_expected_by(number, within), asked_by_id=True)
    return NotFound(asked_by_id=True)


def find_own(number: str, said_id: str, *, demo: bool = False) -> Shipment:
    """Return the one parcel of this number that is meant; with `demo` one of the demonstration.

    Raises:
        ParcelUnknownError: it is nobody's or somebody else's: the same words for both.
        WhichParcelError: several could be meant.
    """
    match find(number, said_id, demo=demo):
        case Own(shipment):
            return shipment
        case Several(shipments):
            raise WhichParcelError(choice(shipments))
        case Foreign() | NotFound():
            raise ParcelUnknownError


def _expected_by(number: str, within: ShipmentQuerySet) -> list[Shipment]:
    """Return the live parcels of a number, or else the latest of those that are over."""
    recent = list(within.recent_for(number))
    return [shipment for shipment in recent if shipment.status not in OVER] or recent[:1]


def _only(shipments: Sequence[Shipment], *, asked_by_id: bool) -> Found:
    match shipments:
        case []:
            return NotFound(asked_by_id)
        case [shipment]:
            return Own(shipment)
        case _:
            return Several(tuple(shipments[:3]))


def choice(shipments: Sequence[Shipment]) -> str:
    """Return the question which of his parcels a caller means."""
    names = [f"one ending {ending(shipment, shipments)}" for shipment in shipments]
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    return f"There is more than one parcel for your number: {listed}. Which one do you mean?"


def ending(shipment: Shipment, among: Sequence[Shipment] = ()) -> str:
    """Return the end of an id as it is read out, "4 2 7 9": as much as tells it from those `among` it is."""
    return wording.spelled(wording.tail(_bare(shipment), [_bare(other) for other in among]))


def in_full(shipment: Shipment) -> str:
    """Return a whole id as it is read out before its parcel is changed."""
    return wording.in_groups(shipment.tracking_id)


def _bare(shipment: Shipment) -> str:
    return "".join(filter(str.isalnum, shipment.tracking_id.upper()))


def parcel_of(shipment: Shipment) -> Parcel:
    """Return what the rules know of a parcel that came through `for_telling`."""
    return Parcel(
        status=Status(shipment.status),
        substatus=shipment.substatus,
        zone=shipment.zone,
        attempts=shipment.attempts,
        changes_allowed=shipment.changes_allowed,
        change_waiting=shipment.change_waiting,
        booked_start=shipment.slot.starts_at if shipment.slot else shipment.promised_start,
        promised_start=shipment.promised_start,
        promised_end=shipment.promised_end,
        eta_at=shipment.eta_at,
        eta_computed_at=shipment.eta_computed_at,
        news_at=shipment.news_at,
    )


def tell(
    shipment: Shipment, now: datetime, policy: Policy, among: Sequence[Shipment] = ()
) -> dict[str, object]:
    """Return what the holder of the number of record may hear, in words and as fields.

    `among` are the parcels that are told of with it, for the end of its id to tell them apart.
    """
    parcel, zone = parcel_of(shipment), shipment.zone
    expected = expectation(parcel, now, policy)
    state = wording.state(shipment.status, shipment.substatus)
    if shipment.status == Status.AVAILABLE_FOR_PICKUP and shipment.depot:
        state = f"{state} at {told(shipment.depot.name)}"
    sentences = [f"Your parcel ending {ending(shipment, among)} {state}."]
    fields: dict[str, object] = {
        "ending": ending(shipment, among),
        "state": shipment.status,
        "sender": told(shipment.shipper),
        "area": told(shipment.address.area),
        "change_waiting": parcel.change_waiting,
    }
    match expected:
        case Expected():
            window = wording.between(expected.starts_at, expected.ends_at, now, zone)
            as_of = wording.moment(expected.as_of, now, zone)
            sentences.append(f"It should reach you {window}. That estimate is from {as_of}.")
            fields |= {"expected": window, "as_of": as_of}
            if about := wording.ahead(expected.eta_at, now):
                fields["about"] = about
        case Planned():
            window = wording.slot(expected.starts_at, expected.ends_at, zone)
            sentences.append(f"It is planned for {window}.")
            fields["planned"] = window
        case NotKnown(was=was) if was is not None:
            sentences.append("The last estimate is too old to rely on, so I cannot promise a time.")
        case NotKnown():
            if shipment.status in (Status.PENDING, Status.INFO_RECEIVED, Status.IN_TRANSIT):
                sentences.append("I have no delivery time for it yet.")
    if parcel.news_at is not None and (shipment.status == Status.DELIVERED or is_stale(parcel, now, policy)):
        news = wording.moment(parcel.news_at, now, zone)
        sentences.append(f"The last news of it is from {news}.")
        fields["last_news"] = news
    if parcel.change_waiting:
        sentences.append("A change to it is waiting for our dispatcher to decide.")
    return {"say": " ".join(sentences), **fields}
