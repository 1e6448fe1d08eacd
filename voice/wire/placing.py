"""Read what the telephone platform answers when asked to place a call, and above all: whether it may ring."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from voice.wire import sautikit

_LONGEST_S = 900.0
_UNSAID_S = 5.0
_ID = 128


@dataclass(frozen=True, slots=True)
class Order:
    """A call to place; `request_id` is ours, opaque, and never used for another."""

    to: str
    frm: str
    request_id: str
    webhook_url: str = ""

    def body(self) -> dict[str, object]:
        """Return the request; our id in both spellings that are in use."""
        return {
            "from": self.frm,
            "to": [self.to],
            "client_request_id": self.request_id,
            "clientRequestId": self.request_id,
            **({"voice_callback_url": self.webhook_url} if self.webhook_url else {}),
        }


@dataclass(frozen=True, slots=True)
class Accepted:
    """It rings, or will; the ids may be missing."""

    call_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class Unsent:
    """The request never left us: nothing rings, and it may be sent again."""

    why: str


@dataclass(frozen=True, slots=True)
class Slow:
    """The platform takes no more for a while: nothing rings, and it may be sent again then."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Refused:
    """The platform will not place this call; 401 and 402 hold for every other, too."""

    status: int
    code: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """It may ring: never to be sent again unless it is proved that nothing rang."""

    why: str


Placement = Accepted | Unsent | Slow | Refused | Unclear


def read(status: int, headers: Mapping[str, str], text: str, now: datetime) -> Placement:
    """Return what an answer means; never raises."""
    document = _object(text)
    if 200 <= status < 300:
        if document is None:
            return Unclear(f"The platform answered {status} with what is no JSON.")
        ids = document if "call_id" in document or "session_id" in document else _inner(document)
        return Accepted(call_id_of(ids), _id(ids, "session_id", "sessionId"))
    if status == 429:
        return Slow(_after_s(headers.get("Retry-After", ""), now))
    if status == 409:
        return Unclear("The platform says that this call was placed already.")
    if 400 <= status < 500 and status != 408:
        return Refused(status, _code(document))
    return Unclear(f"The platform answered {status}.")


def account_of(document: object) -> sautikit.Account:
    """Return what an answer of `GET /v1/calls/{id}` tells of a call; of an unknown one its status is ""."""
    found = document if isinstance(document, dict) else {}
    return sautikit.parse_account(found if "status" in found else _inner(found))


def call_id_of(document: Mapping[str, Any]) -> str:
    """Return the platform's own id of a call, or "" where it names none that can be asked for."""
    return _id(document, "call_id", "callId")


def _after_s(text: str, now: datetime) -> float:
    """Return how long to wait: in seconds or until a date, and what is no time is a short one."""
    try:
        wait_s = float(text)
    except ValueError:
        try:
            until = parsedate_to_datetime(text)
        except (TypeError, ValueError):
            return _UNSAID_S
        wait_s = ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds()
    if wait_s != wait_s:  # not a number, in a word that float takes
        return _UNSAID_S
    return min(max(wait_s, 1.0), _LONGEST_S)


def _object(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _inner(document: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = next((document[name] for name in ("data", "call") if name in document), None)
    return inner if isinstance(inner, dict) else {}


def _id(document: Mapping[str, Any], *names: str) -> str:
    found = next((document[name] for name in names if isinstance(document.get(name), str)), "")
    return found if len(found) <= _ID and found.isprintable() else ""


def _code(document: Mapping[str, Any] | None) -> str:
    error = (document or {}).get("error")
    code = (error if isinstance(error, dict) else document or {}).get("code")
    return code[:64] if isinstance(code, str) and code.isprintable() else ""
