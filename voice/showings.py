"""Take what a caller shows of himself in a call: facts of a parcel, its delivery code, the PIN of a shift."""

from collections.abc import Mapping
from datetime import datetime

from django.utils import timezone

from shipments import problems
from shipments.facts import Fact, is_right
from shipments.models import Shipment
from shipments.proofs import try_pin, try_shift_pin
from shipments.riders import Driver
from shipments.spelling import readings
from voice import handles, quotas, trust
from voice.errors import ToolError
from voice.numerals import digits_of
from voice.toolkit import Caller, answer


def check_fact(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Compare facts with a parcel's; only the surname and another tell whether they were right."""
    now, said_id = timezone.now(), args["tracking_id"]
    if args["kind"] not in {fact.value for fact in Fact}:
        raise ToolError(_WHICH_FACT)
    quotas.take_id(caller, said_id, now)
    within = Shipment.objects.open_to(demo=caller.is_test)
    found = list(within.for_telling().by_said_id(said_id)[:2])
    shipment = found[0] if len(found) == 1 else None
    # With other words around it, it is the same parcel; of none, the barest reading counts in its place.
    parcel = shipment.tracking_key if shipment else min(readings(said_id), key=len, default="")
    quotas.take_try(caller, parcel, now)
    right = shipment is not None and is_right(shipment, Fact(args["kind"]), args["value"])
    named = quotas.note_fact(caller, parcel, args["kind"], right=right, now=now)
    if len(named) < 2 or Fact.SURNAME not in named:  # right or wrong is not told yet, so it is no try
        quotas.give_back_try(caller, parcel)
        which = _WHICH_FACT if Fact.SURNAME in named else _WHICH_NAME
        return answer("ok", f"Thank you. {which}", {"code": "one_more"})
    if shipment is None or not named[Fact.SURNAME] or sum(named.values()) < 2:
        quotas.note_miss(caller, now)
        return answer("refused", _NOT_RIGHT, {"code": "not_right"}, retryable=True)
    quotas.give_back_try(caller, parcel)
    handles.note_facts(caller, shipment, now)
    trust.note_level(caller, handles.level_for(caller, shipment))
    return answer("ok", "Thank you, that is right.", {"alias": handles.alias(caller, shipment)})


_WHICH_FACT = "Please tell me one more thing that you know about the parcel."
_WHICH_NAME = "Please tell me the surname on the parcel, too."
_NOT_RIGHT = (
    "I cannot find a parcel for what you told me. Please check it, or I can have a colleague call you back."
)


def submit_pin(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Compare a code, as it was said or typed, with the parcel's, or of no parcel with the driver's shift."""
    now, code = timezone.now(), digits_of(args["pin"])
    if not _FEWEST_DIGITS <= len(code) <= _MOST_DIGITS:
        raise ToolError("A code has four to six digits. Please say it once more.")
    driver = None if "tracking_id" in args else Driver.objects.on_shift_at(caller.number)
    if driver is not None:
        return _submit_shift_pin(caller, driver, code, now)
    shipment = handles.own(caller, args.get("tracking_id", ""), now)
    quotas.take_try(caller, shipment.tracking_key, now)
    if not try_pin(shipment.pk, code):
        problems.note_spent_code(shipment.pk, call_public_id=caller.call_public_id, now=now)
        return answer("refused", "That code is not right.", {"code": "not_right"}, retryable=True)
    quotas.give_back_try(caller, shipment.tracking_key)
    handles.note_code(caller, shipment, now)
    trust.note_level(caller, handles.level_for(caller, shipment))
    return answer("ok", "Thank you, that code is right.", {"alias": handles.alias(caller, shipment)})


def _submit_shift_pin(caller: Caller, driver: Driver, code: str, now: datetime) -> dict[str, object]:
    about = f"driver {driver.pk}"
    quotas.take_try(caller, about, now)
    if not try_shift_pin(driver.pk, code):
        return answer("refused", "That code is not right.", {"code": "not_right"}, retryable=True)
    quotas.give_back_try(caller, about)
    trust.note_driver(caller, driver.pk)
    return answer("ok", "Thank you, that code is right.", {})


_FEWEST_DIGITS, _MOST_DIGITS = 4, 6
