"""Say what a call reaches the world through: the two sockets, the tools, the carrier, the records."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from voice.records import Ending, News, ToolRecord, TurnRecord, UsageSeen
from voice.wire import gemini


class Telephone(Protocol):
    """The telephone's socket, as the bridge needs it."""

    def heard(self) -> AsyncIterator[str | bytes]:
        """Yield what the telephone sends until its socket closes."""

    def hear_by(self, ear: Callable[[bytes], None]) -> None:
        """Give audio to `ear` as soon as it is read, where the server can; `heard` yields the rest."""

    async def play(self, pcm: bytes) -> None:
        """Send 16-bit mono PCM at 16 kHz."""

    def play_now(self, pcm: bytes) -> bool:
        """Send it without waiting; False when that cannot be, and nothing was sent."""

    async def write(self, text: str) -> None:
        """Send a text frame."""

    async def close(self, code: int) -> None:
        """Close the socket."""


class Model(Protocol):
    """A connection to the model, as the bridge needs it."""

    def is_congested(self) -> bool:
        """Tell whether a frame sent now would have to wait."""

    async def send(self, frame: str | bytes) -> None:
        """Send one frame."""

    def send_now(self, frame: bytes) -> None:
        """Send one frame of audio without waiting, unless the connection is gone."""

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield the frames that arrive; raise a RemoteError when the connection is lost."""

    async def close(self) -> None:
        """Close the connection."""


class Journal(Protocol):
    """Where a call's records go; never awaited by a frame."""

    def add(self, record: TurnRecord | ToolRecord | UsageSeen) -> None:
        """Keep a record."""

    async def run(self) -> None:
        """Write what is kept, until cancelled."""

    async def finish(self, ending: Ending) -> None:
        """Write the rest and the call's end."""


class Transfer(Protocol):
    """How a caller who asks for a person is given one while he is on the line."""

    async def connect(self, session_id: str) -> bool:
        """Put a person on this line; tell whether one is there, or else the caller is rung back."""


class NoTransfer:
    """What there is until the platform confirms a way (README.md, "A person on the line"): none."""

    async def connect(self, session_id: str) -> bool:
        """Tell that nobody comes."""
        return False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool came to; `state` is ok, refused or failed."""

    result: Mapping[str, object]
    state: str
    business_key: str


async def _nobody_calls_back(reason: str, summary: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Ports:
    """What a call reaches the world through."""

    telephone: Telephone
    dial: Callable[[], Awaitable[Model]]
    run_tool: Callable[[gemini.ToolCall], Awaitable[Outcome]]
    hang_up: Callable[[], Awaitable[None]]
    journal: Journal
    withdraw: Callable[[str], None] = lambda call_id: None
    """Keep a tool call from beginning, where it has not begun."""
    ask_callback: Callable[[str, str], Awaitable[bool]] = _nobody_calls_back
    """Write a request for a call-back, with reason and summary; tell soon whether it will be done."""
    show: Callable[[News], None] = lambda news: None
    """Let who watches the call see something of it; takes no time and never fails."""
    clips: Mapping[str, bytes] = field(default_factory=dict)
    """Our own recordings by name, 16-bit mono PCM at 16 kHz."""


OUT_OF_REACH: Mapping[str, object] = {
    "status": "error",
    "retryable": True,
    "message": "I cannot reach our system just now. Someone can call you back.",
    "data": {},
}
"""The answer of a tool that could not do its work in time."""
