"""Do what each tool stands for: find the parcel that is meant, ask for the level, call the verb."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import ClassVar, TypedDict

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from shipments import addresses, contacts, enquiries, problems, proposals, rescheduling, telling, wishes
from shipments.errors import ParcelUnknownError
from shipments.models import Shipment
from shipments.rules import POLICY
from shipments.statuses import ChangeKind
from voice import answerer, callbacks, dialing, handles, outbound, quotas, trust
from voice.errors import ToolError
from voice.levels import Level
from voice.statuses import CallbackReason
from voice.toolkit import Caller, Deed, answer, said


class LevelError(ToolError):
    """The call is not trusted far enough for this; the words say how to get there."""

    code: ClassVar[str] = "level"
    sentence: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__(self.sentence)


class NumberNotProvedError(LevelError):
    """Below L1."""

    code = "needs_number"
    sentence = (
        "I can only do that for the person the parcel is for. Please call from the number that the parcel is "
        "booked to, or read me the tracking number and tell me the surname on it and one more thing about it."
    )


class NobodyAskedForError(LevelError):
    """In a call that we placed, below L1+."""

    code = "needs_recipient"
    sentence = (
        "I can only speak about a delivery with the person expecting it. Am I speaking with that person?"
    )


class CodeNeededError(LevelError):
    """Below L2."""

    code = "needs_code"
    sentence = (
        "For that I need the delivery code of the parcel, four to six digits from our message or the "
        "delivery note. Please say it, or type it on the keypad and end with the hash key."
    )


def _mine(caller: Caller, args: Mapping[str, str]) -> Shipment:
    return handles.own(caller, args.get("tracking_id", ""), timezone.now())


def _trusted(caller: Caller, args: Mapping[str, str]) -> Shipment:
    """Return the parcel that is meant, when the call has shown its delivery code."""
    shipment = _mine(caller, args)
    if handles.level_for(caller, shipment) < Level.L2:
        raise CodeNeededError
    return shipment


def _named(caller: Caller, shipment: Shipment, answered: dict[str, object]) -> dict[str, object]:
    return answered | {"alias": handles.alias(caller, shipment)}


_RANG_US = "You rang us, so there is nobody to ask for. How can I help you?"


def confirm_recipient(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Keep that who answered our call said to be the person we asked for: L1+, on a number that is proved."""
    if not caller.outbound:
        raise ToolError(_RANG_US)
    level = replace(caller, agreed=True).level()
    if level < Level.L1_PLUS:
        raise NobodyAskedForError
    trust.note_level(caller, level)
    return answer("ok", "Thank you.", {})


def report_answered_by(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Note what answered our call, and return all that may be said to it."""
    if not caller.outbound:
        raise ToolError(_RANG_US)
    who, courier = args["who"].casefold(), settings.COURIER_NAME
    number = settings.SAUTIKIT_NUMBER
    match who:
        case answerer.PERSON:
            words = NobodyAskedForError.sentence
        case answerer.CHILD:
            words = "Thank you. We call again later. Goodbye."
        case answerer.VOICEMAIL:
            words = f"{courier} called you. {f'Our number is {number}. ' if number else ''}Goodbye."
        case answerer.SCREENING:
            words = f"This is {courier}, about a delivery."
        case answerer.WRONG_NUMBER:
            words = "I am sorry, that was a wrong number. We do not call you about this again. Goodbye."
            outbound.disown(caller.call_public_id, timezone.now())
        case _:
            raise ToolError("I did not get who is speaking. Please say it again.")
    if who != answerer.PERSON:
        trust.doubt(caller)
    return answer("ok", words, {"answered_by": who})


def track_shipment(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Tell where a parcel is: all to whom it is for, one of three states to anybody with a right id."""
    now, said_id = timezone.now(), args.get("tracking_id", "")
    shipment = handles.meant(caller, said_id, now)
    if shipment is not None:
        return said("ok", _named(caller, shipment, telling.tell(shipment, now, POLICY)))
    told = enquiries.track(number=caller.number, said_id=said_id, now=now, demo=caller.is_test)
    if told["status"] in ("ok", "coarse"):
        return said("ok", told)
    if told["status"] == "not_found":
        quotas.note_miss(caller, now)
    return said("not_found", told, retryable=True)


def list_my_shipments(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Tell of the caller's own parcels, at most three and by their aliases."""
    now = timezone.now()
    mine = list(Shipment.objects.open_to(demo=caller.is_test).recent_for(caller.number))
    if not mine:
        return answer(
            "not_found",
            "I see no parcel for the number you are calling from. Please read me the tracking number.",
            {},
            retryable=True,
        )
    told = [telling.tell(shipment, now, POLICY, mine) for shipment in mine]
    listed = [
        {"alias": handles.alias(caller, shipment), "ending": one["ending"], "state": one["state"]}
        for shipment, one in zip(mine, told, strict=True)
    ]
    return answer("ok", " ".join(str(one["say"]) for one in told), {"parcels": listed})


def offer_slots(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Tell which delivery windows are free."""
    shipment = _mine(caller, args)
    told = enquiries.offer_slots(shipment, day=args.get("day"), now=timezone.now())
    return said("ok", _named(caller, shipment, told))


def prepare_reschedule(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Propose another delivery window."""
    shipment = _mine(caller, args)
    told = rescheduling.prepare_reschedule(
        shipment,
        day=args["day"],
        window=args.get("window"),
        **_now(caller, shipment, key),
    )
    return said("ok", _named(caller, shipment, told))


def confirm_reschedule(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Carry out what was read back."""
    number = handles.number_of_change(caller, args["change_id"])
    told = rescheduling.confirm_reschedule(
        number=number,
        change_id=args["change_id"],
        call_public_id=caller.call_public_id,
        now=timezone.now(),
    )
    return said("ok", told)


def confirm_address(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Compare what the caller describes with the address of record."""
    shipment = _mine(caller, args)
    now = timezone.now()
    quotas.take_try(caller, shipment.tracking_key, now)
    told = addresses.confirm_address(
        shipment,
        said=args["said"],
        call_public_id=caller.call_public_id,
        now=now,
    )
    if told["match"]:
        quotas.give_back_try(caller, shipment.tracking_key)
    # No match is no "ok": a call in which the address was never confirmed must not count as one.
    return said("ok" if told["match"] else "refused", told, retryable=not told["match"])


# With the delivery code


def prepare_address_change(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Propose another place."""
    shipment = _trusted(caller, args)
    place = {name: text for name, text in args.items() if name != "tracking_id"}
    told = wishes.prepare_address_change(shipment, place=place, **_now(caller, shipment, key))
    return said("ok", _named(caller, shipment, told))


def hold_for_pickup(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Propose to keep a parcel at its depot."""
    shipment = _trusted(caller, args)
    told = wishes.hold_for_pickup(shipment, **_now(caller, shipment, key))
    return said("ok", _named(caller, shipment, told))


def authorise_neighbour(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Propose to hand a parcel to a neighbour."""
    shipment = _trusted(caller, args)
    told = wishes.authorise_neighbour(
        shipment,
        neighbour=args["neighbour"],
        **_now(caller, shipment, key),
    )
    return said("ok", _named(caller, shipment, told))


def refuse_delivery(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Propose not to deliver a parcel."""
    shipment = _trusted(caller, args)
    told = wishes.refuse_delivery(shipment, **_now(caller, shipment, key))
    return said("ok", _named(caller, shipment, told))


def confirming(kind: ChangeKind) -> Deed:
    """Return the deed that carries out what was read back of one kind, by who knows the delivery code."""

    def confirm(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
        shipment = handles.parcel_of_change(caller, args["change_id"])
        level = handles.best_level(caller) if shipment is None else handles.level_for(caller, shipment)
        if level < Level.L2:
            raise CodeNeededError
        told = proposals.confirm(
            kind,
            number=handles.number_of_change(caller, args["change_id"]),
            change_id=args["change_id"],
            call_public_id=caller.call_public_id,
            now=timezone.now(),
        )
        return said("ok", told)

    return confirm


class _Now(TypedDict):
    call_public_id: str
    key: str
    now: datetime
    asker: User | None
    level: str


def _now(caller: Caller, shipment: Shipment, key: str) -> _Now:
    return {
        "call_public_id": caller.call_public_id,
        "key": key,
        "now": timezone.now(),
        "asker": caller.tester,
        "level": handles.level_for(caller, shipment).label,
    }


# Of this call's number alone, or of what went wrong


def report_problem(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Note that a parcel is damaged, that something is missing, or that it never came.

    Of a parcel that is not known to be the caller's the call itself is what a colleague looks into.
    """
    try:
        shipment = _mine(caller, args)
    except ParcelUnknownError:
        if "tracking_id" not in args or caller.number:
            raise
        return answer("refused", _NOTED, {"code": "noted"})
    told = problems.report_problem(
        shipment,
        kind=args["kind"],
        call_public_id=caller.call_public_id,
        now=timezone.now(),
    )
    return said("ok", _named(caller, shipment, told))


_NOTED = (
    "I have noted that for a colleague to look into. I can say nothing of that parcel on this call, as it "
    "does not come from the number that the parcel is booked to."
)


def opt_out(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Never have this call's number rung on our account again; it concerns that number alone."""
    number, now = caller.number or caller.claimed, timezone.now()
    told = contacts.opt_out(number=number, call_public_id=caller.call_public_id, now=now)
    dialing.forget(number, reason="asked not to be called", now=now)
    return said("ok", told)


def set_language(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Keep in which language this call's number wants to be spoken to."""
    told = contacts.set_language(
        number=caller.number or caller.claimed,
        language=args["language"],
        call_public_id=caller.call_public_id,
        now=timezone.now(),
    )
    return said("ok", told)


def request_callback(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    """Have a colleague ring the caller back, proved or not: it opens nothing."""
    told = callbacks.request(
        call_public_id=caller.call_public_id,
        number=caller.number,
        reason=CallbackReason.ASKED,
        summary=args.get("summary", ""),
        now=timezone.now(),
    )
    return said("ok" if told["status"] == "ok" else "refused", told)
