"""Measure what the bridge adds to the time that audio takes, where both of its ends are ours.

The caller's audio is found again at the model byte for byte, so a line whose silence is all zeros tells
little: give the leg some hiss. The agent's is resampled on its way, so only beginnings can be compared.
"""

import base64
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil

import numpy as np

from voice.sandbox.live_server import Seen

_APART_S = 0.5  # frames of the agent that are further apart belong to two utterances
_BUSY_S = 0.1  # who was still being heard then cannot be told from who begins
_SAMPLE = 16  # of a call's frames tell its session; to look for all in each would take seconds a call


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a byte stream that passed a place; `end_bytes` counts from the stream's beginning."""

    at_s: float
    end_bytes: int


@dataclass(frozen=True, slots=True)
class Percentiles:
    """A distribution in three figures, in milliseconds."""

    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Added:
    """What the bridge added to one call, each way; None where nothing could be compared."""

    to_model: Percentiles | None
    to_caller: Percentiles | None


@dataclass(slots=True)
class Traffic:
    """What passed the model's end of one session, on the monotonic clock."""

    heard: bytearray = field(default_factory=bytearray)
    passages: list[Passage] = field(default_factory=list)
    spoke_s: list[float] = field(default_factory=list)


class ModelWatch:
    """Keeps the audio that passes a model's end; `sessions` has a session's traffic by its number.

    Its `note` is a witness of the local Live server.
    """

    def __init__(self) -> None:
        self.sessions: dict[int, Traffic] = {}

    def note(self, seen: Seen) -> None:
        """Look at one frame of the model's protocol as it passes."""
        at_s = time.monotonic()
        traffic = self.sessions.setdefault(seen.session, Traffic())
        message = json.loads(seen.frame)
        if seen.from_client:
            if audio := message.get("realtimeInput", {}).get("audio", {}).get("data"):
                traffic.heard += base64.b64decode(audio)
                traffic.passages.append(Passage(at_s, len(traffic.heard)))
        elif any("inlineData" in part for part in _parts(message)):
            traffic.spoke_s.append(at_s)


def to_model_ms(sent: Sequence[Passage], sent_pcm: bytes, model: Traffic) -> list[float]:
    """Return for each frame of the caller how much later its last byte was at the model.

    What was dropped on the way or is all zeros is passed over; silence put in between does not matter.
    """
    delays: list[float] = []
    heard = bytes(model.heard)
    start = searched = place = 0
    for entered in sent:
        piece, start = sent_pcm[start : entered.end_bytes], entered.end_bytes
        found = heard.find(piece, searched) if any(piece) else -1
        if found < 0:
            continue
        searched = found + len(piece)
        while model.passages[place].end_bytes < searched:
            place += 1
        delays.append((model.passages[place].at_s - entered.at_s) * 1000)
    return delays


def to_caller_ms(model: Traffic, arrived_s: Sequence[float]) -> list[float]:
    """Return for each utterance of the agent how much later its first frame was at the telephone.

    An utterance that begins while the one before is still on its way is passed over.
    """
    delays: list[float] = []
    for place, spoke_s in enumerate(model.spoke_s):
        if place and spoke_s - model.spoke_s[place - 1] < _APART_S:
            continue
        busy = any(spoke_s - _BUSY_S <= at_s < spoke_s for at_s in arrived_s)
        first_s = next((at_s for at_s in arrived_s if at_s >= spoke_s), None)
        if first_s is not None and not busy:
            delays.append((first_s - spoke_s) * 1000)
    return delays


def added(
    sent: Sequence[Passage], sent_pcm: bytes, arrived_s: Sequence[float], sessions: Iterable[Traffic]
) -> Added:
    """Return what the bridge added to a call; its session is the one that heard most of the call's frames."""
    sample = _sample(sent, sent_pcm)
    session = max(sessions, key=lambda one: sum(piece in one.heard for piece in sample), default=Traffic())
    up_ms = to_model_ms(sent, sent_pcm, session)
    down_ms = to_caller_ms(session, arrived_s) if up_ms else []
    return Added(percentiles(up_ms), percentiles(down_ms))


def _sample(sent: Sequence[Passage], sent_pcm: bytes) -> list[bytes]:
    """Return some of the caller's frames, from all over the call; none that is all zeros."""
    starts = (0, *(passage.end_bytes for passage in sent))
    pieces = [sent_pcm[start:end] for start, end in pairwise(starts) if any(sent_pcm[start:end])]
    return pieces[:: ceil(len(pieces) / _SAMPLE) or 1]


def percentiles(values_ms: Sequence[float]) -> Percentiles | None:
    """Return the middle and the tail of a distribution; None of nothing."""
    if not values_ms:
        return None
    p50, p95, p99 = np.percentile(values_ms, (50, 95, 99)).tolist()
    return Percentiles(round(p50, 1), round(p95, 1), round(p99, 1))


def _parts(message: dict[str, object]) -> list[dict[str, object]]:
    match message:
        case {"serverContent": {"modelTurn": {"parts": [*parts]}}}:
            return [part for part in parts if isinstance(part, dict)]
        case _:
            return []
