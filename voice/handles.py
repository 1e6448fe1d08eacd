"""Name parcels by aliases (P1, P2) that mean nothing in another call, and find what a caller means by one."""

import re
from dataclasses import replace
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Max

from shipments.errors import ParcelUnknownError, WhichParcelError
from shipments.models import DeliveryChange, Shipment
from shipments.spelling import readings
from shipments.telling import find_own
from shipments.text import plain
from voice import quotas
from voice.levels import Level
from voice.rights import CallParcel
from voice.toolkit import Caller

_ALIAS = re.compile(r"\s*p\s*-?\s*([1-9]\d?)\s*")


def alias(caller: Caller, shipment: Shipment) -> str:
    """Return the alias of a parcel in this call, the same each time; who calls this has checked the right."""
    return f"P{_handle(caller, shipment).place}"


def _handle(caller: Caller, shipment: Shipment) -> CallParcel:
    mine = CallParcel.objects.filter(call_public_id=caller.call_public_id)
    while True:
        known = mine.filter(shipment=shipment).first()
        if known is not None:
            return known
        last = mine.aggregate(last=Max("place"))["last"] or 0
        try:
            with transaction.atomic():
                return CallParcel.objects.create(
                    call_public_id=caller.call_public_id, shipment=shipment, place=last + 1
                )
        except IntegrityError:  # two tools of one call at once: one of them was first
            continue


def own(caller: Caller, said_id: str, now: datetime) -> Shipment:
    """Return the one parcel that is meant by an alias, a spoken id or nothing, and is this caller's.

    Raises:
        ParcelUnknownError: it is nobody's or somebody else's: the same words for both.
        WhichParcelError: several could be meant.
        LimitReachedError: too many ids were named.
    """
    try:
        return _find(caller, said_id, now)
    except ParcelUnknownError:
        if said_id:
            quotas.note_miss(caller, now)
        raise


def meant(caller: Caller, said_id: str, now: datetime) -> Shipment | None:
    """Return the one parcel of this caller's that is meant, or None.

    Raises:
        LimitReachedError: too many ids were named.
    """
    try:
        return _find(caller, said_id, now)
    except (ParcelUnknownError, WhichParcelError):
        return None


def number_of_change(caller: Caller, ref: str) -> str:
    """Return the number of record to confirm a change under: the caller's, or of a parcel that he showed."""
    pid = caller.call_public_id
    shown = CallParcel.objects.filter(call_public_id=pid, facts_at__isnull=False)
    change = DeliveryChange.objects.read_back_in(pid, ref).filter(shipment__in=shown.values("shipment"))
    return change.values_list("shipment__phone", flat=True).first() or caller.number


def parcel_of_change(caller: Caller, ref: str) -> Shipment | None:
    """Return the parcel of what was proposed in this call, or None."""
    change = DeliveryChange.objects.read_back_in(caller.call_public_id, ref)
    found = change.select_related("shipment").first()
    return found.shipment if found is not None else None


def _find(caller: Caller, said_id: str, now: datetime) -> Shipment:
    granted = CallParcel.objects.filter(call_public_id=caller.call_public_id).select_related("shipment")
    if found := _ALIAS.fullmatch(plain(said_id)):
        handle = granted.filter(place=int(found[1])).first()
        if handle is None or not _is_his(caller, handle):
            raise ParcelUnknownError
        return find_own(handle.shipment.phone, handle.shipment.tracking_id, demo=caller.is_test)
    if not said_id and (ours := _rung_about(caller)):
        return find_own(ours.phone, ours.tracking_id, demo=caller.is_test)
    shown = granted.filter(facts_at__isnull=False)
    if said_id:
        shown = shown.filter(shipment__tracking_key__in=readings(said_id))
    if said_id or not caller.number:
        of_facts = list(shown.values_list("shipment__phone", "shipment__tracking_id")[:2])
        if len(of_facts) == 1:
            return find_own(*of_facts[0], demo=caller.is_test)
    try:
        shipment = find_own(caller.number, said_id, demo=caller.is_test)
    except (ParcelUnknownError, WhichParcelError):
        if said_id:
            quotas.take_id(caller, said_id, now)
        raise
    if said_id:
        quotas.note_own_id(caller)
    return shipment


def _rung_about(caller: Caller) -> Shipment | None:
    if caller.about is None or not caller.number:
        return None
    return Shipment.objects.filter(pk=caller.about, phone=caller.number).first()


def _is_his(caller: Caller, handle: CallParcel) -> bool:
    by_number = bool(caller.number) and handle.shipment.phone == caller.number
    return by_number or handle.facts_at is not None


def level_for(caller: Caller, shipment: Shipment) -> Level:
    """Return how far this call is trusted with one parcel."""
    handle = CallParcel.objects.filter(call_public_id=caller.call_public_id, shipment=shipment).first()
    number = caller.number if caller.number and caller.number == shipment.phone else ""
    here = replace(caller, number=number)
    if handle is None:
        return here.level()
    return here.level(named_facts=handle.facts_at is not None, code=handle.code_at is not None)


def best_level(caller: Caller, *, enough: Level = Level.L2) -> Level:
    """Return the highest level that this call has reached with any parcel, or one that is enough."""
    shown = [caller.level()]
    if shown[0] >= enough:
        return shown[0]
    handles = CallParcel.objects.filter(call_public_id=caller.call_public_id)
    for facts_at, code_at in handles.values_list("facts_at", "code_at"):
        shown.append(caller.level(named_facts=facts_at is not None, code=code_at is not None))
    return max(shown)


def note_facts(caller: Caller, shipment: Shipment, now: datetime) -> None:
    """Keep that the caller named two facts of a parcel."""
    CallParcel.objects.filter(pk=_handle(caller, shipment).pk).update(facts_at=now)


def note_code(caller: Caller, shipment: Shipment, now: datetime) -> None:
    """Keep that the caller knew a parcel's delivery code."""
    CallParcel.objects.filter(pk=_handle(caller, shipment).pk).update(code_at=now)
