"""Write how far a call is trusted: who vouches for its number, and the level that follows."""

import logging
from datetime import datetime
from functools import partial

from django.conf import settings
from django.db import transaction

from shipments import phones
from shipments.enquiries import opening_fields
from shipments.models import Shipment
from shipments.personas import has_something_real
from voice.levels import Level, Proof, ProofWanted, Standing, first_proof, level_of
from voice.models import Call
from voice.newsroom import NEWSROOM
from voice.spoken import places
from voice.statuses import Direction, Purpose
from voice.toolkit import Caller
from voice.wire import sautikit

logger = logging.getLogger(__name__)


def direction(webhook: sautikit.Webhook) -> Direction:
    """Return which side rang."""
    return Direction.OUTBOUND if webhook.direction.startswith("out") else Direction.INBOUND


def customer(webhook: sautikit.Webhook, own_number: str, region: str) -> str:
    """Return the side that is not ours, in E.164: the carrier is known to swap the two (sautikit.md §1.4)."""
    own = phones.normalise(own_number, region)
    sides = [webhook.caller, webhook.dialed, webhook.called]
    if direction(webhook) is Direction.OUTBOUND:
        sides = [webhook.called, webhook.dialed, webhook.caller]
    first = phones.normalise(sides[0], region)
    if first != own or not own:
        return first
    others = [number for side in sides[1:] if (number := phones.normalise(side, region)) and number != own]
    return others[0] if others else ""


def note_webhook(call: Call, number: str, *, signed: bool, now: datetime) -> None:
    """Take a webhook that names `number` for a call; only a signature proves it, if proof is wanted."""
    _prove(call, number, first_proof(ProofWanted(settings.CALLER_PROOF), signed=signed), now)


def note_tester(call: Call, *, now: datetime) -> None:
    """Take a test call for the one whom its member of staff plays; it stands in nobody's record."""
    _prove(call, call.customer_number, Proof.STAFF, now)


def number_in(record: sautikit.CallRecord) -> str:
    """Return the side that is not ours in the carrier's own record of a call, in E.164."""
    return customer(record.sides, settings.SAUTIKIT_NUMBER, settings.PHONE_REGION)


def note_record(call_id: int, record: sautikit.CallRecord, *, now: datetime) -> bool:
    """Take the carrier's own record of a call, and tell whether it vouches for the number that we have.

    A session that is over is somebody's old one: it proves nothing.
    """
    call = Call.objects.get(pk=call_id)
    number = number_in(record)
    if record.is_over or not number or number != call.customer_number:
        logger.warning("the carrier's record does not fit a call", extra={"call": call.public_id})
        return False
    _prove(call, number, Proof.LOOKUP, now)
    return True


def _prove(call: Call, number: str, proof: Proof, now: datetime) -> None:
    if proof is Proof.NOBODY or call.proof or not number or number != call.customer_number:
        return
    if call.matched_by_number:  # it may be somebody else's call to that number
        return
    recent = list(Shipment.objects.open_to(demo=call.is_test).recent_for(number))
    level = level_of(Standing(number=number, proof=proof))
    fields = {"proof": proof, "level": level}
    # Before the stream is open, what the agent opens with can still be told; of a call that we placed
    # anybody may have picked up, so it opens with nothing.
    opens = call.answered_at is None and call.direction == Direction.INBOUND
    context = [opening_fields(parcel, now, recent) for parcel in recent] if opens else call.context
    shipment_id = call.shipment_id or (recent[0].pk if len(recent) == 1 else None)
    if Call.objects.filter(pk=call.pk, proof=Proof.NOBODY, customer_number=number).update(
        **fields, context=context, shipment_id=shipment_id
    ):
        call.proof, call.level, call.context, call.shipment_id = proof, level, context, shipment_id
        _tell(call.public_id)


def guarded_places(call: Call) -> tuple[str, ...]:
    """Return what the agent must not say by itself: parts of the addresses of the number's parcels."""
    # Proved or not: what is guarded is told to nobody.
    addresses = [parcel.address for parcel in Shipment.objects.recent_for(call.customer_number)]
    return places(
        part
        for address in addresses
        for part in (address.line1, address.line2, address.building, address.landmark, address.directions)
    )


_WHO = (
    *("public_id", "customer_number", "proof", "language", "direction", "level", "purpose"),
    *("shipment_id", "tester_id", "driver_id"),
)
"""Every tool begins with it: of a call there are fifty columns more, and few have a tester or a driver."""


def caller_of(call_id: int) -> Caller:
    """Return who a call is now: its number is "" as long as nobody vouches for it.

    Asked anew for every tool, since a number counts from the moment on that somebody does.
    """
    call = Call.objects.only(*_WHO).get(pk=call_id)
    number = call.customer_number
    if call.is_test and has_something_real(number):  # since it was chosen: now it is nobody's to play with
        number = ""
    return Caller(
        call_public_id=call.public_id,
        number=number if call.proof else "",
        language=call.language,
        claimed=number,
        outbound=call.direction == Direction.OUTBOUND,
        agreed=call.level >= Level.L1_PLUS,
        tester=call.tester,
        about=_parcel_rung_about(call),
        driver=_driver_of(call, number),
    )


def _parcel_rung_about(call: Call) -> int | None:
    """Return the parcel that a call of ours is about; who is rung back says himself what he wants."""
    ours = call.direction == Direction.OUTBOUND and call.purpose != Purpose.CALLBACK
    return call.shipment_id if ours else None


def _driver_of(call: Call, number: str) -> int | None:
    """Return the driver who showed his PIN in this call, as long as he is on shift and the number is his."""
    driver = call.driver
    if driver is None or not number or not call.proof:
        return None
    return driver.pk if driver.on_shift and driver.phone == number else None


def note_driver(caller: Caller, driver_id: int) -> None:
    """Keep that the shift PIN of a driver was right in this call, and the level that follows."""
    level = caller.level(shift=True)
    if level is Level.DRIVER:
        Call.objects.filter(public_id=caller.call_public_id).update(driver_id=driver_id, level=level)
        _tell(caller.call_public_id)


def note_level(caller: Caller, level: Level) -> None:
    """Keep the highest level that a call has reached, for those who read its page."""
    if Call.objects.filter(public_id=caller.call_public_id, level__lt=level).update(level=level):
        _tell(caller.call_public_id)


def doubt(caller: Caller) -> None:
    """Take back that the recipient is on the line: whoever is there now has said no such thing."""
    trusted = Call.objects.filter(public_id=caller.call_public_id, level__gte=Level.L1_PLUS)
    if trusted.update(level=Level.L1):
        _tell(caller.call_public_id)


def _tell(public_id: str) -> None:
    transaction.on_commit(partial(NEWSROOM.note_change, public_id))
