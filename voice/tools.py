"""Do for a caller what the model asks for, and answer it: what there is stands in `tool_table`.

Who is calling comes from the call's row, and an argument that no tool has is refused. All tools are declared
at once; a level that is not reached is refused by code, with the way to it.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import timedelta

from django.utils import timezone

from shipments.days import read_day, read_window
from shipments.errors import DayRefusedError, ParcelUnknownError, ShipmentError
from shipments.spelling import folded, readings
from shipments.text import plain
from voice import deeds, handles, quotas
from voice.errors import ToolError
from voice.levels import Level
from voice.numerals import digits_of
from voice.tool_table import TOOLS
from voice.toolkit import Caller, Status, answer

__all__ = ["TOOLS", "Caller", "business_key", "declarations", "run"]

_PEPPER = secrets.token_bytes(16)
"""What hides a code in a key: four digits and a plain hash are four digits."""


def declarations() -> list[dict[str, object]]:
    """Return the function declarations for the model's setup."""
    return [tool.declaration() for tool in TOOLS.values()]


def business_key(name: str, args: object) -> str:
    """Return a key that is equal for equal wishes, however they are spelled; at most 64 characters."""
    wishes = {}
    if isinstance(args, Mapping):
        wishes = {str(k)[:64]: _normal(str(k), v) for k, v in list(args.items())[:32]}
    written = json.dumps([name[:64], dict(sorted(wishes.items()))]).encode()
    known = name if name in TOOLS else "unknown"
    if known == "unknown" or TOOLS[known].private:
        written += _PEPPER
    return f"{known}:{hashlib.sha256(written).hexdigest()[:32]}"


def _normal(name: str, value: object) -> str:
    """Return what an argument means, as far as that can be told without a caller or a parcel."""
    if not isinstance(value, str):
        return f"<{type(value).__name__}>" if value is not None else ""
    match name:
        case "tracking_id" if read := readings(value):
            return read[0]
        case "minutes" | "stop" if digits := digits_of(value):
            return digits.lstrip("0") or "0"
        case "change_id":
            return folded("".join(filter(str.isalnum, value.upper())))
        case "window" if times := read_window(value):
            return f"{times[0]:%H:%M}-{times[1]:%H:%M}"
        case "day" if days := _days(value):
            return days
        case _:
            return " ".join(plain(value).split())


def _days(said: str) -> str:
    """Return which day is meant on each of the days that it may be where the parcel goes; "" of none."""
    today = timezone.localdate()
    try:
        days = [read_day(said, today + timedelta(days=ahead)) for ahead in (-1, 0, 1)]
    except DayRefusedError:
        return ""
    return f"{today}: {', '.join(map(str, days))}"


def run(name: str, args: object, caller: Caller, key: str) -> dict[str, object]:
    """Do what the model asks for and return the answer for it; bad input is answered, never raised.

    The answer has `status` (ok, refused, not_found, error), `retryable`, `message` (may be said as it
    stands) and `data`.

    Raises:
        DatabaseError: there is no database to ask.
    """
    try:
        quotas.take_tool_call(caller, key, timezone.now())
        tool = TOOLS.get(name)
        if tool is None:
            raise ToolError("I cannot do that.")
        checked = tool.checked(args)
        if caller.outbound and not (caller.agreed or tool.for_anybody):
            raise deeds.NobodyAskedForError
        # A driver is known by his call; how far it is trusted with parcels is nothing to his round.
        known = min(tool.level, Level.L1)
        if tool.level is not Level.DRIVER and handles.best_level(caller, enough=known) < known:
            raise deeds.NumberNotProvedError
        return tool.run(caller, checked, key)
    except deeds.LevelError as refusal:
        return answer("refused", str(refusal), {"code": refusal.code}, retryable=True)
    except quotas.LimitReachedError as refusal:
        return answer("refused", str(refusal), {"code": refusal.code})
    except ToolError as refusal:
        return answer("refused", str(refusal), {"code": "bad_arguments"}, retryable=True)
    except ShipmentError as refusal:
        status: Status = "not_found" if isinstance(refusal, ParcelUnknownError) else "refused"
        told = {"code": refusal.code, "offers": list(refusal.offers)}
        return answer(status, str(refusal), told, retryable=refusal.retryable)
