"""List what the model may do for a caller: how each tool is declared, and the verb that it comes to.

Who is calling comes from the call's row: no tool has an argument for it, and an argument that no tool has is
refused.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from django.utils import timezone

from shipments import services
from shipments.errors import ParcelUnknownError, ShipmentError
from shipments.spelling import readings
from shipments.text import plain
from voice import callbacks
from voice.errors import ToolError
from voice.statuses import CallbackReason

ARGUMENTS_LIMIT = 4096
"""Characters of all arguments of one call together."""

_UNHEARD = "I did not get that. Please say it again."
_TOO_LONG = "That is too long for me. Please say it in a few words."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who this call is, from its row and never from the model; `number` is E.164, "" when withheld."""

    call_public_id: str
    number: str
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument of a tool: a text of at most `limit` characters; `question` asks the caller for it."""

    name: str
    description: str
    limit: int
    required: bool = False
    question: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """Something the model may have done; `run` takes caller, checked arguments and business key."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    run: Callable[[Caller, Mapping[str, str], str], dict[str, object]]
    changes: bool = False
    behavior: Literal["BLOCKING", "NON_BLOCKING"] = "BLOCKING"


def declarations() -> list[dict[str, object]]:
    """Return the function declarations for the model's setup."""
    return [
        {
            "name": tool.name,
            "description": tool.description,
            "behavior": tool.behavior,
            "parameters": {
                "type": "OBJECT",
                "properties": {
                    parameter.name: {"type": "STRING", "description": parameter.description}
                    for parameter in tool.parameters
                },
                "required": [parameter.name for parameter in tool.parameters if parameter.required],
            },
        }
        for tool in TOOLS.values()
    ]


def business_key(name: str, args: object) -> str:
    """Return a key that is equal for equal wishes, however they are spelled; at most 64 characters."""
    wishes = {}
    if isinstance(args, Mapping):
        wishes = {str(k)[:64]: _normal(str(k), v) for k, v in list(args.items())[:32]}
    written = json.dumps([name[:64], dict(sorted(wishes.items()))])
    known = name if name in TOOLS else "unknown"
    return f"{known}:{hashlib.sha256(written.encode()).hexdigest()[:32]}"


def _normal(name: str, value: object) -> str:
    if not isinstance(value, str):
        return f"<{type(value).__name__}>" if value is not None else ""
    if name == "tracking_id" and (read := readings(value)):
        return read[0]
    return " ".join(plain(value).split())


def run(name: str, args: object, caller: Caller, key: str) -> dict[str, object]:
    """Do what the model asks for and return the answer for it; bad input is answered, never raised.

    The answer has `status` (ok, refused, not_found, error), `retryable`, `message` (may be said as it
    stands) and `data`.

    Raises:
        DatabaseError: there is no database to ask.
    """
    try:
        tool = TOOLS.get(name)
        if tool is None:
            raise ToolError("I cannot do that.")
        return tool.run(caller, _checked(tool, args), key)
    except ToolError as refusal:
        return _answer("refused", str(refusal), {"code": "bad_arguments"}, retryable=True)
    except ShipmentError as refusal:
        status: Status = "not_found" if isinstance(refusal, ParcelUnknownError) else "refused"
        told = {"code": refusal.code, "offers": list(refusal.offers)}
        return _answer(status, str(refusal), told, retryable=refusal.retryable)


Status = Literal["ok", "refused", "not_found", "error"]


def _answer(
    status: Status, message: str, told: Mapping[str, object], *, retryable: bool = False
) -> dict[str, object]:
    return {"status": status, "retryable": retryable, "message": message, "data": dict(told)}


def _said(status: Status, answer: Mapping[str, object], *, retryable: bool = False) -> dict[str, object]:
    told = {name: value for name, value in answer.items() if name not in ("say", "status")}
    return _answer(status, str(answer["say"]), told, retryable=retryable)


def _checked(tool: Tool, args: object) -> dict[str, str]:
    """Return the arguments that were given, each a text within its limit.

    Raises:
        ToolError: one is unknown, missing, too long or no text, with words for the caller.
    """
    if args is None:
        args = {}
    if not isinstance(args, Mapping):
        raise ToolError(_UNHEARD)
    parameters = {parameter.name: parameter for parameter in tool.parameters}
    if not parameters.keys() >= args.keys():
        raise ToolError("I cannot use that. Please tell me again what you would like.")
    texts = {name: _text(value, parameters[name].limit) for name, value in args.items()}
    if sum(map(len, texts.values())) > ARGUMENTS_LIMIT:
        raise ToolError(_TOO_LONG)
    for parameter in tool.parameters:
        if parameter.required and not texts.get(parameter.name):
            raise ToolError(parameter.question)
    return {name: text for name, text in texts.items() if text}


def _text(value: object, limit: int) -> str:
    """Return an argument as a database takes it; "" when there is nothing in it."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ToolError(_UNHEARD)
    if len(value) > limit:
        raise ToolError(_TOO_LONG)
    # Lone surrogates and NUL are no text that a database takes.
    return value.encode("utf-8", "ignore").decode().replace("\0", " ").strip()


# What each does


def _track_shipment(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    answer = services.track(number=caller.number, said_id=args.get("tracking_id"), now=timezone.now())
    if answer["status"] in ("ok", "coarse"):
        return _said("ok", answer)
    return _said("not_found", answer, retryable=True)


def _offer_slots(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    answer = services.offer_slots(
        number=caller.number, said_id=args.get("tracking_id"), day=args.get("day"), now=timezone.now()
    )
    return _said("ok", answer)


def _prepare_reschedule(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    answer = services.prepare_reschedule(
        number=caller.number,
        said_id=args.get("tracking_id"),
        day=args["day"],
        window=args.get("window"),
        call_public_id=caller.call_public_id,
        key=key,
        now=timezone.now(),
    )
    return _said("ok", answer)


def _confirm_reschedule(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    answer = services.confirm_reschedule(
        number=caller.number,
        change_id=args["change_id"],
        call_public_id=caller.call_public_id,
        now=timezone.now(),
    )
    return _said("ok", answer)


def _confirm_address(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    answer = services.confirm_address(
        number=caller.number,
        said_id=args.get("tracking_id"),
        said=args["said"],
        call_public_id=caller.call_public_id,
        now=timezone.now(),
    )
    # No match is no "ok": a call in which the address was never confirmed must not count as one.
    return _said("ok" if answer["match"] else "refused", answer, retryable=not answer["match"])


def _request_callback(caller: Caller, args: Mapping[str, str], key: str) -> dict[str, object]:
    answer = callbacks.request(
        call_public_id=caller.call_public_id,
        number=caller.number,
        reason=CallbackReason.ASKED,
        summary=args.get("summary", ""),
        now=timezone.now(),
    )
    return _said("ok" if answer["status"] == "ok" else "refused", answer)


_TRACKING_ID = Parameter(
    "tracking_id",
    "The tracking number as the caller said it, letters and digits. Leave it out when none was given: "
    "then the caller's own parcel is looked up.",
    limit=120,
)
_DAY = "The day as the caller said it, such as 'tomorrow', 'Friday', '27 November', or as YYYY-MM-DD."

TOOLS: Mapping[str, Tool] = MappingProxyType(
    {
        tool.name: tool
        for tool in (
            Tool(
                "track_shipment",
                "Look up where the caller's parcel is and when it may be expected. "
                "Say the returned message; state nothing that it does not hold.",
                (_TRACKING_ID,),
                _track_shipment,
            ),
            Tool(
                "offer_slots",
                "Look up which delivery windows are free for the caller's parcel.",
                (_TRACKING_ID, Parameter("day", _DAY + " Leave it out for the earliest.", limit=60)),
                _offer_slots,
            ),
            Tool(
                "prepare_reschedule",
                "Propose another delivery window for the caller's parcel. Nothing changes yet: read the "
                "returned message to the caller and wait for the answer.",
                (
                    _TRACKING_ID,
                    Parameter("day", _DAY, limit=60, required=True, question="Which day would you like?"),
                    Parameter(
                        "window",
                        "The time of day as the caller said it, such as 'morning' or '2 pm to 5 pm', "
                        "or as HH:MM-HH:MM. Leave it out when any will do.",
                        limit=60,
                    ),
                ),
                _prepare_reschedule,
            ),
            Tool(
                "confirm_reschedule",
                "Carry out the proposed delivery window, only after the caller has said yes to it.",
                (
                    Parameter(
                        "change_id",
                        "The change_id that prepare_reschedule returned in this call.",
                        limit=32,
                        required=True,
                        question="I have nothing to confirm. Please tell me the day again.",
                    ),
                ),
                _confirm_reschedule,
                changes=True,
            ),
            Tool(
                "confirm_address",
                "Compare the delivery place that the caller describes with the address on record. The "
                "answer is match or no match; the address itself is never told, only its area.",
                (
                    _TRACKING_ID,
                    Parameter(
                        "said",
                        "The building, street or landmark in the caller's own words.",
                        limit=200,
                        required=True,
                        question="Where should it be brought? Please tell me the building, the street "
                        "or the nearest landmark.",
                    ),
                ),
                _confirm_address,
                changes=True,
            ),
            Tool(
                "request_callback",
                "Have a colleague ring the caller back, when the caller asks for a person or you cannot "
                "help. Say the returned message; promise no other time, and never that you connect the call.",
                (Parameter("summary", "What it is about, in one sentence.", limit=400),),
                _request_callback,
                changes=True,
            ),
        )
    }
)
"""What the model may have done, by name."""
