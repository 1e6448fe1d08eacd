"""Name what happens to a call and what is done about it: the events a session takes, the commands it gives."""

from collections.abc import Mapping
from dataclasses import dataclass

from voice.records import ToolRecord, TurnRecord, UsageSeen
from voice.wire import gemini, sautikit

# What happened, besides what the two wires say


@dataclass(frozen=True, slots=True)
class Answered:
    """The telephone's stream is open: the call begins."""


@dataclass(frozen=True, slots=True)
class ModelOpened:
    """A connection to the model stands; nothing has been said on it."""


@dataclass(frozen=True, slots=True)
class ModelClosed:
    """The connection to the model is gone or never came; `why` is the error's class in lower case."""

    why: str


@dataclass(frozen=True, slots=True)
class ToolDone:
    """A tool finished, failed or took too long; `state` is ok, refused, failed or timed_out."""

    call: gemini.ToolCall
    result: Mapping[str, object]
    state: str
    business_key: str
    started_ms: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class AgentHeard:
    """The first frame of an utterance went to the telephone."""


@dataclass(frozen=True, slots=True)
class WrongAudio:
    """The telephone sends another rate or more channels than were agreed."""

    found: str


@dataclass(frozen=True, slots=True)
class Flooded:
    """The telephone sends more than a telephone can say."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The telephone's socket closed."""

    code: int


@dataclass(frozen=True, slots=True)
class Broken:
    """A task of this call failed by a fault of ours."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline passed."""


Event = (
    Answered
    | ModelOpened
    | ModelClosed
    | ToolDone
    | AgentHeard
    | WrongAudio
    | Flooded
    | HungUp
    | Broken
    | Tick
    | gemini.Event
    | sautikit.Event
)


# What to do about it


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a connection to the model."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Send the model one frame."""

    frame: str


@dataclass(frozen=True, slots=True)
class Listen:
    """Begin to pass the caller's audio on, from what was kept."""


@dataclass(frozen=True, slots=True)
class Play:
    """Queue 16-bit mono PCM at `rate_hz` for the caller's ear."""

    pcm: bytes
    rate_hz: int


@dataclass(frozen=True, slots=True)
class EndUtterance:
    """Put silence behind what is queued, so that nothing stays stuck in the carrier."""


@dataclass(frozen=True, slots=True)
class Hush:
    """Drop what is queued, here and at the carrier."""


@dataclass(frozen=True, slots=True)
class Run:
    """Run a tool in a task of its own and report `ToolDone`."""

    call: gemini.ToolCall


@dataclass(frozen=True, slots=True)
class Record:
    """Keep a record of what happened."""

    what: TurnRecord | ToolRecord | UsageSeen


@dataclass(frozen=True, slots=True)
class End:
    """End the call: hang the caller up where we are the first to go, then close with `code`.

    Closing the socket alone leaves the caller on dead air (sautikit.md §1.9).
    """

    reason: str
    code: int
    hang_up: bool


Command = Dial | Tell | Listen | Play | EndUtterance | Hush | Run | Record | End


# Closing codes towards the telephone: our own range, which every server can send
CLOSE_NORMAL = 1000
CLOSE_NOT_AUTHORISED = 4003
CLOSE_BUDGET = 4008
CLOSE_BAD_DATA = 4009
CLOSE_IDLE = 4010
CLOSE_UPSTREAM = 4011
CLOSE_TIME_LIMIT = 4012
