"""Do what each of a driver's tools stands for: on his own round of today, once he has shown his shift PIN."""

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from shipments import round_reports, rounds, wording
from shipments.riders import Driver
from shipments.round_errors import NotOnShiftError
from shipments.rounds import AtWheel
from voice import dialing
from voice.deeds import LevelError
from voice.dial_rules import At, Never
from voice.errors import ToolError
from voice.numerals import digits_of
from voice.secrecy import NEEDS_CODE
from voice.statuses import Purpose
from voice.toolkit import Caller, answer, said

_MOST_DIGITS = 3
WHICH_STOP = "Which stop do you mean? Please tell me its number."
HOW_LATE = "By how many minutes are you late?"


class NotADriverError(LevelError):
    """The number of this call is of no driver on shift, or nobody vouches for it."""

    code = NotOnShiftError.code
    sentence = NotOnShiftError.sentence


class ShiftPinNeededError(LevelError):
    """It is a driver's number, and his PIN is still to come."""

    code = NEEDS_CODE
    sentence = "For that I need your shift PIN. Please say it, or type it and end with the hash key."


def _wheel(caller: Caller) -> AtWheel:
    if caller.driver is not None:
        return AtWheel(
            caller.driver, caller.number, caller.call_public_id, timezone.now(), demo=caller.is_test
        )
    if Driver.objects.on_shift_at(caller.number) is None:
        raise NotADriverError
    raise ShiftPinNeededError


def _position(args: Mapping[str, str]) -> int | None:
    if "stop" not in args:
        return None
    digits = digits_of(args["stop"])
    if not 0 < len(digits) <= _MOST_DIGITS:
        raise ToolError(WHICH_STOP)
    return int(digits)


def next_stop(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Tell a driver where he goes next."""
    return said("ok", rounds.next_stop(_wheel(caller)))


def stop_directions(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Tell a driver the way to a door; a code goes to his number, and is not told."""
    return said("ok", rounds.directions(_wheel(caller), _position(args)))


def report_attempt(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Propose to note that a parcel could not be handed over."""
    return said("ok", round_reports.report_attempt(_wheel(caller), _position(args), args["reason"], key))


def running_late(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Propose to move the estimates of what is left of a round."""
    wheel, digits = _wheel(caller), digits_of(args["minutes"])
    if not 0 < len(digits) <= _MOST_DIGITS:
        raise ToolError(HOW_LATE)
    return said("ok", round_reports.running_late(wheel, int(digits), key))


def confirm_report(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Write what was read back to a driver, who has to be one still."""
    return said("ok", round_reports.confirm(_wheel(caller), args["change_id"]))


def call_recipient(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Plan a call of ours to a recipient, whose number the driver does not hear; the dialler takes it."""
    wheel, position = _wheel(caller), _position(args)
    with transaction.atomic():
        stop = rounds.stop_to_call(wheel, position)
        planned = dialing.plan(
            stop.shipment, Purpose.DRIVER_REQUEST, by=f"driver {stop.driver.name}", now=wheel.now
        )
        if isinstance(planned.answer, Never):
            refusal = f"I cannot have the recipient called. {planned.answer.because}"
            return answer("refused", refusal, {"code": "not_called", "stop": stop.position})
        rounds.note_call_wanted(wheel, stop)
    message = f"We ring the recipient of stop {stop.position} now, and say that you are there."
    if isinstance(planned.answer, At):
        when = wording.moment(planned.answer.when, wheel.now, stop.shipment.zone)
        message = f"We ring the recipient of stop {stop.position}, but not before {when}."
    return answer("ok", message, {"stop": stop.position})
