"""What the local Live server asks of a brain, of ears and of a mouth: the ports of the stand-in.

The server keeps the protocol, the timeline, barge-in and the bill; these three decide what is heard,
what is said and in which voice. One brain and one pair of ears serve one conversation; a mouth may be
shared by all of them.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from voice.sandbox.mishaps import UNSPOILT, Spoilt


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A tool the model wants run; with no id the server gives one."""

    name: str
    args: Mapping[str, object]
    id: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model does next: waits, sends raw frames, speaks and calls (one turn), closes, goes on.

    Speech and calls wait for the turn before them to be over; raw frames and a close wait for nothing
    but `wait_s`, so that both can fall into the middle of a turn. A raw frame that is a string goes out
    as it is, JSON or not. An empty reply is a model that says nothing.
    """

    say: str = ""
    calls: tuple[FunctionCall, ...] = ()
    raw: tuple[Mapping[str, object] | str, ...] = ()
    close: tuple[int, str] | None = None
    wait_s: float = 0.0
    then: "Reply | None" = None
    spoilt: Spoilt = UNSPOILT


SILENCE = Reply()


class Brain(Protocol):
    """Decides what the model says and which tools it calls, in one conversation."""

    async def nudged(self, text: str) -> Reply:
        """Answer words that the client wrote (`realtimeInput.text`, or a closing `clientContent`)."""

    async def heard(self, utterance: str) -> Reply:
        """Answer one whole turn of the caller, as the ears read it."""

    async def answered(self, name: str, call_id: str, response: Mapping[str, object]) -> Reply:
        """Go on after a tool answered; `response` is the object as the client sent it."""


@runtime_checkable
class Restless(Protocol):
    """What a brain may have besides: things that it does by itself."""

    def unprompted(self) -> AsyncIterator[Reply]:
        """Yield replies at their own times, from the moment the setup is complete."""


@runtime_checkable
class Mindful(Protocol):
    """What a brain may have besides: it wants to know that it was cut off."""

    def interrupted(self, dropped: tuple[FunctionCall, ...]) -> None:
        """Note that the caller spoke over it; `dropped` are calls whose answers will never be told."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller has begun to speak; `offset_s` counts from the first sample that was ever fed."""

    offset_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The caller has stopped; `pcm` is the whole utterance, 16 kHz s16le mono."""

    pcm: bytes
    offset_s: float = 0.0


class Ears(Protocol):
    """Finds the caller's turns in a stream, for one conversation, and reads them."""

    def feed(self, pcm: bytes) -> list[SpeechStarted | SpeechEnded]:
        """Return what the next 16 kHz s16le mono samples made happen; must be quick."""

    async def read(self, pcm: bytes) -> str:
        """Return the words of one utterance; empty when there were none."""


class Mouth(Protocol):
    """Turns a sentence into speech."""

    async def speak(self, text: str) -> bytes:
        """Return 24 kHz s16le mono speech."""


BrainFactory = Callable[[Mapping[str, object]], Brain]
"""Builds a brain from the client's `setup`, its field names all in camelCase."""

EarsFactory = Callable[[Mapping[str, object]], Ears]
"""Builds ears from the same `setup`, whose activity detection they may honour."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A whole stand-in for the model: who decides, who hears, who speaks."""

    brain_factory: BrainFactory
    ears_factory: EarsFactory
    mouth: Mouth
