"""Stand in for the person on the telephone: hears 20 ms, does 20 ms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from voice.sandbox.pbx import TICK_BYTES, TICK_MS

AUDIBLE = 160.0
"""Root mean square of 16-bit samples: under -46 dB of full scale nobody hears it."""
_BREATH_MS = 300  # shorter gaps are within a sentence


def is_audible(pcm: bytes) -> bool:
    """Tell speech from silence in some milliseconds of 16-bit PCM."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32)
    return bool(samples.size) and float(np.sqrt(np.mean(samples * samples))) > AUDIBLE


@dataclass(frozen=True, slots=True)
class Moment:
    """What a caller does in one tick; `pcm` is up to 20 ms at 16 kHz, less is silence."""

    pcm: bytes = b""
    digit: str = ""
    hangs_up: bool = False


class Caller(Protocol):
    """Decides what is said, one tick at a time; one for each call."""

    def live(self, heard: bytes) -> Moment:
        """Hear 20 ms of the agent and return what happens in the same 20 ms at this end."""


@dataclass(frozen=True, slots=True)
class Say:
    """Speak when the agent has said something and has then been silent for so long."""

    pcm: bytes
    after_ms: int = 1000


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Speak when the agent has been talking for so long, whether it has finished or not."""

    pcm: bytes
    after_ms: int = 1000


@dataclass(frozen=True, slots=True)
class Press:
    """Press a key when the agent has said something and has then been silent for so long."""

    digit: str
    after_ms: int = 1000


@dataclass(frozen=True, slots=True)
class Greet:
    """Speak so long after the last line, whether the agent has said anything or not, as a voicemail does."""

    pcm: bytes
    after_ms: int = 600


Line = Say | Interrupt | Press | Greet


class Script:
    """Says its lines in order, each at its time, waits for the last answer and hangs up.

    Who waits longer than `patience_s` for a line's moment speaks anyway; at the end, hangs up.
    """

    def __init__(
        self, lines: Sequence[Line] = (), *, linger_ms: int = 2000, patience_s: float = 20.0
    ) -> None:
        self._lines = list(lines)
        self._linger_ms = linger_ms
        self._patience_ms = patience_s * 1000
        self._speech = b""
        self._waited_ms = 0  # since our own last line
        self._heard = False  # the agent has spoken since then
        self._silent_ms = _BREATH_MS
        self._talking_ms = 0

    def live(self, heard: bytes) -> Moment:
        """Hear 20 ms of the agent and return what happens in the same 20 ms at this end."""
        self._listen(heard)
        if not self._speech:
            self._waited_ms += TICK_MS
            moment = self._next()
            if moment is not None:
                return moment
        said, self._speech = self._speech[:TICK_BYTES], self._speech[TICK_BYTES:]
        return Moment(said)

    def _listen(self, heard: bytes) -> None:
        if is_audible(heard):
            fresh = self._silent_ms >= _BREATH_MS
            self._talking_ms = TICK_MS if fresh else self._talking_ms + self._silent_ms + TICK_MS
            self._silent_ms = 0
            self._heard = self._heard or not self._speech
        else:
            self._silent_ms += TICK_MS

    def _next(self) -> Moment | None:
        """Return a moment of its own, or None when it is speech or nothing."""
        if not self._lines:
            return Moment(hangs_up=True) if self._is_due(self._linger_ms) else None
        match self._lines[0]:
            case Say(pcm, after_ms) if self._is_due(after_ms):
                self._start(pcm)
            case Interrupt(pcm, after_ms) if self._may_interrupt(after_ms):
                self._start(pcm)
            case Greet(pcm, after_ms) if self._waited_ms >= after_ms:
                self._start(pcm)
            case Press(digit, after_ms) if self._is_due(after_ms):
                self._start(b"")
                return Moment(digit=digit)
            case _:
                pass
        return None

    def _is_due(self, after_ms: int) -> bool:
        return (self._heard and self._silent_ms >= after_ms) or self._waited_ms >= self._patience_ms

    def _may_interrupt(self, after_ms: int) -> bool:
        talking = self._heard and self._silent_ms < _BREATH_MS
        return (talking and self._talking_ms >= after_ms) or self._waited_ms >= self._patience_ms

    def _start(self, pcm: bytes) -> None:
        del self._lines[0]
        self._speech = pcm
        self._waited_ms = 0
        self._heard = False
        self._talking_ms = 0
