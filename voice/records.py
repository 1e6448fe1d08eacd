"""Name what a call leaves behind, as plain values: the session makes them, others write them."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

JsonObject = dict[str, Any]
"""A JSON object that goes into a column as it is."""


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """What one side said in one go; milliseconds since the stream opened."""

    position: int
    speaker: str  # "caller" or "agent"
    text: str
    started_ms: int
    ended_ms: int
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class ToolRecord:
    """One call of a tool by the model, and what came of it."""

    model_call_id: str
    name: str
    business_key: str
    arguments: JsonObject
    result: JsonObject
    state: str  # ok, refused, failed or timed_out
    started_ms: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class ToolBegun:
    """A tool that the model called and that runs now; milliseconds since the stream opened."""

    model_call_id: str
    name: str
    started_ms: int


@dataclass(frozen=True, slots=True)
class Speaking:
    """Who speaks from now on: "caller", "agent" or "" for nobody."""

    who: str


@dataclass(frozen=True, slots=True)
class Obeyed:
    """An order of the desk's that the call took."""

    order: str
    at_ms: int


News = TurnRecord | ToolRecord | ToolBegun | Speaking | Obeyed
"""What who watches a call sees of it; a turn comes again, by its position, as more of it is said."""


@dataclass(frozen=True, slots=True)
class UsageSeen:
    """A usage report of the model, as it came."""

    at_ms: int
    raw: JsonObject


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended; `counters` is open so that each part can add what it counted."""

    reason: str
    outcome: str | None
    timings: JsonObject
    counters: dict[str, int]
    duration_s: float


def fingerprint(*parts: object) -> str:
    """Return 32 hex digits that tell one value from another, whatever the order of its keys."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
