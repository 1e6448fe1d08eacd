"""Take parcels in as the courier's systems and files bring them, a thousand in a few statements."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Greatest

from shipments.audit import AuditEntry
from shipments.depots import DeliverySlot
from shipments.errors import Fault, ReferenceTakenError, RowsRefusedError
from shipments.manifest import PLACE, Row
from shipments.models import Address, DeliveryChange, Shipment, TrackingEvent
from shipments.signals import parcels_taken_in
from shipments.statuses import ChangeKind, ChangeState, Source

_T = TypeVar("_T")
ROWS = 1_000
"""How many parcels are written at once."""
_RECIPIENT = ("recipient_name", "phone")
_OWN = ("shipper", *_RECIPIENT, "cod_minor", "cod_currency", "changes_allowed")
_WINDOW = ("promised_start", "promised_end")
_AMENDED = (
    *(*_OWN, *_WINDOW, "time_zone", "depot", "address", "slot", "intake_digest", "pin_seal", "pin_failures"),
    *("version", "updated_at"),
)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who tells us of parcels: what the audit calls him, and whose parcels he may write ("" for all)."""

    name: str
    source: Source
    shipper: str = ""


class Result(StrEnum):
    """What became of a row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a row; `kept` names what was sent and not taken over, as something newer stands."""

    row: Row
    result: Result
    kept: tuple[str, ...] = ()


def book(row: Row, *, sender: Sender, now: datetime) -> Result:
    """Take one new parcel in; the same again changes nothing.

    Raises:
        ReferenceTakenError: a parcel of that tracking id is known otherwise.
    """
    try:
        with transaction.atomic():
            if (known := Shipment.objects.filter(tracking_id=row.tracking_id).first()) is None:
                _create([row], sender, now)
                return Result.CREATED
    except IntegrityError:  # the same parcel, sent twice at once: the other one is there now
        known = Shipment.objects.get(tracking_id=row.tracking_id)
    if not _is_senders(known, sender) or _differs(known, row):
        raise ReferenceTakenError
    return Result.UNCHANGED


def upsert(
    rows: Sequence[Row], *, sender: Sender, now: datetime, told: Callable[[int], object] = lambda _: None
) -> list[Taken]:
    """Take parcels in, new ones and known ones that changed: all of them or none.

    A window or a place that the recipient chose stands against a row; where a parcel is, no row says. `told`
    hears of every thousand how many are done.

    Raises:
        RowsRefusedError: a tracking id is that of another shipper's parcel.
    """
    try:
        with transaction.atomic():
            return _upsert(rows, sender, now, told)
    except IntegrityError:
        # Somebody wrote one of them in this very moment: now it is known. All is begun anew, once: to lock it
        # behind what is held already would be out of order.
        with transaction.atomic():
            return _upsert(rows, sender, now, told)


def _upsert(rows: Sequence[Row], sender: Sender, now: datetime, told: Callable[[int], object]) -> list[Taken]:
    """Write rows, a thousand at a time, in the order that `ShipmentQuerySet.locked` tells of."""
    keys = _lock_known(rows, sender)
    taken: dict[str, Taken] = {}
    given_back: list[int] = []
    for some in _batches(sorted(rows, key=lambda row: row.tracking_id)):
        held = Shipment.objects.filter(
            pk__in=[keys[row.tracking_id] for row in some if row.tracking_id in keys]
        )
        known = {one.tracking_id: one for one in held.select_related("address", "depot")}
        changed = [
            (row, known[row.tracking_id])
            for row in some
            if row.tracking_id in known and _differs(known[row.tracking_id], row)
        ]
        given_back += [
            one.slot_id for row, one in changed if one.slot_id and one.depot != row.values["depot"]
        ]
        _create([row for row in some if row.tracking_id not in known], sender, now)
        kept = _amend(changed, sender, now)
        taken |= {row.tracking_id: _taken(row, row.tracking_id in known, kept) for row in some}
        told(len(taken))
    for slot_id in sorted(given_back):
        DeliverySlot.objects.filter(pk=slot_id).update(booked=Greatest(F("booked") - 1, 0))
    return [taken[row.tracking_id] for row in rows]


def _lock_known(rows: Sequence[Row], sender: Sender) -> dict[str, int]:
    """Lock the parcels that are there already; return their keys by their tracking ids.

    Raises:
        RowsRefusedError: one of them is another shipper's.
    """
    pks: list[int] = []
    for some in _batches(rows):
        there = Shipment.objects.filter(tracking_id__in=[row.tracking_id for row in some])
        pks += there.values_list("pk", flat=True)
    known: dict[str, Shipment] = {}
    for keys in _batches(sorted(pks)):
        held = Shipment.objects.filter(pk__in=keys).locked().only("tracking_id", "shipper")
        known |= {one.tracking_id: one for one in held}
    foreign = [
        Fault(row.number, "tracking_id", ReferenceTakenError.sentence)
        for row in rows
        if row.tracking_id in known and not _is_senders(known[row.tracking_id], sender)
    ]
    if foreign:
        raise RowsRefusedError(foreign)
    return {tracking_id: one.pk for tracking_id, one in known.items()}


def _batches(of: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (of[start : start + ROWS] for start in range(0, len(of), ROWS))


def _taken(row: Row, was_known: bool, kept: Mapping[str, tuple[str, ...]]) -> Taken:
    if not was_known:
        return Taken(row, Result.CREATED)
    if row.tracking_id in kept:
        return Taken(row, Result.UPDATED, kept[row.tracking_id])
    return Taken(row, Result.UNCHANGED)


def _is_senders(shipment: Shipment, sender: Sender) -> bool:
    return not sender.shipper or shipment.shipper == sender.shipper


def _differs(shipment: Shipment, row: Row) -> bool:
    code = row.values["delivery_code"]
    return shipment.intake_digest != row.digest or (code is not None and not shipment.is_pin(code))


def _create(rows: Sequence[Row], sender: Sender, now: datetime) -> None:
    addresses = Address.objects.bulk_create([_address(row) for row in rows])
    shipments = []
    for row, address in zip(rows, addresses, strict=True):
        shipment = Shipment(
            **{name: row.values[name] for name in ("tracking_id", *_OWN, *_WINDOW, "status", "depot")},
            time_zone=row.zone,
            address=address,
            intake_digest=row.digest,
        )  # its status was seen at no time that we know of: the first scan counts, whenever that was
        if row.values["delivery_code"]:
            shipment.set_pin(row.values["delivery_code"])
        shipments.append(shipment)
    Shipment.objects.bulk_create(shipments)
    _write_down([(shipment, {}, _face(shipment)) for shipment in shipments], "book", sender, now)


def _amend(
    pairs: Sequence[tuple[Row, Shipment]], sender: Sender, now: datetime
) -> dict[str, tuple[str, ...]]:
    """Bring parcels to what their rows say; return for each what was kept as it is."""
    ids = [one.pk for _, one in pairs]
    before = {one.pk: _face(one) for _, one in pairs}
    held, sent_elsewhere = _chosen(ids, ChangeKind.HOLD_FOR_PICKUP), _chosen(ids, ChangeKind.ADDRESS_CHANGE)
    kept = {row.tracking_id: _take_over(row, one, one.pk in held) for row, one in pairs}
    elsewhere = [(row, one) for row, one in pairs if _is_elsewhere(row, one)]
    for row, one in elsewhere:
        if one.pk in sent_elsewhere:
            kept[row.tracking_id] += ("address",)
    moved = [(row, one) for row, one in elsewhere if one.pk not in sent_elsewhere]
    left = [one.address_id for _, one in moved]
    addresses = Address.objects.bulk_create([_address(row) for row, _ in moved])
    for (_, one), address in zip(moved, addresses, strict=True):
        one.address = address
    # By their keys, all in one statement; the rows are locked, and whoever waits for them sees the version.
    Shipment.objects.bulk_create(
        [one for _, one in pairs], update_conflicts=True, unique_fields=["id"], update_fields=_AMENDED
    )
    Address.objects.filter(pk__in=left, shipments=None).delete()
    _write_down([(one, before[one.pk], _face(one)) for _, one in pairs], "amend", sender, now)
    return kept


def _chosen(ids: Sequence[int], kind: ChangeKind) -> set[int]:
    """Return the parcels for which the recipient had something of this kind changed."""
    applied = DeliveryChange.objects.filter(shipment__in=ids, kind=kind, state=ChangeState.APPLIED)
    return set(applied.values_list("shipment_id", flat=True))


def _take_over(row: Row, one: Shipment, held: bool) -> tuple[str, ...]:
    """Set what a row says of a parcel, all but its place; return the names of what stands against it."""
    values = row.values
    if one.depot != values["depot"]:
        one.slot = None
    chosen = held or one.slot_id is not None
    stand = [name for name in _WINDOW if chosen and getattr(one, name) != values[name]]
    if values["status"] != one.status:
        stand.append("status")
    for name in (*_OWN, "depot", *(() if chosen else _WINDOW)):
        setattr(one, name, values[name])
    one.time_zone, one.intake_digest, one.version = row.zone, row.digest, one.version + 1
    code = values["delivery_code"]
    if code is not None and not one.is_pin(code):
        one.set_pin(code)
    return tuple(stand)


def _is_elsewhere(row: Row, one: Shipment) -> bool:
    return any(row.values[name] != getattr(one.address, name) for name in PLACE + _RECIPIENT)


def _address(row: Row) -> Address:
    return Address(**{name: row.values[name] for name in PLACE + _RECIPIENT})


def _face(shipment: Shipment) -> dict[str, Any]:
    """Return what the audit keeps of a parcel: what it is, but not whose."""
    start, end = shipment.promised_start, shipment.promised_end
    return {
        "status": shipment.status,
        "shipper": shipment.shipper,
        "depot": shipment.depot_id,
        "address": shipment.address_id,
        "promised_start": start.isoformat() if start else None,
        "promised_end": end.isoformat() if end else None,
        "cod": f"{shipment.cod_minor} {shipment.cod_currency}".strip(),
        "changes_allowed": shipment.changes_allowed,
    }


_WORDS = {"book": "Announced", "amend": "Details changed"}


def _write_down(
    changes: Iterable[tuple[Shipment, dict[str, Any], dict[str, Any]]],
    verb: str,
    sender: Sender,
    now: datetime,
) -> None:
    """Write one event and one audit entry a parcel, and tell of all of them at once when it is committed."""
    written = list(changes)
    if not written:
        return
    TrackingEvent.objects.bulk_create(
        TrackingEvent(
            shipment=shipment,
            occurred_at=now,
            status=shipment.status,
            description=_WORDS[verb],
            source=sender.source,
            actor=sender.name[:120],
            idempotency_key=f"intake:{shipment.tracking_id}:{shipment.version}",
        )
        for shipment, _, _ in written
    )
    AuditEntry.objects.bulk_create(
        AuditEntry(
            at=now,
            actor=sender.name[:120],
            verb=verb,
            object_kind="shipment",
            object_id=shipment.tracking_id,
            before=before,
            after=after,
        )
        for shipment, before, after in written
    )
    ids = [shipment.pk for shipment, _, _ in written]
    send = partial(parcels_taken_in.send_robust, sender=Shipment, shipment_ids=ids)
    transaction.on_commit(send, robust=True)
