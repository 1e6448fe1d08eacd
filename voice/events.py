"""Name what happens to a call and what is done about it: what a session takes, and what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from voice.records import News, ToolRecord, TurnRecord, UsageSeen
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
    """The connection to the model is gone or never came.

    `why` is lost, refused or busy; `silent` when no close frame came, so that the other side may still
    hold it for open.
    """

    why: str
    silent: bool = False


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
class PlayedOut:
    """All that was queued has been heard: our own queue is empty and the telephone's should be."""


@dataclass(frozen=True, slots=True)
class CallerSounded:
    """The caller begins to be as loud as speech, by the telephone's own level; once a burst."""


@dataclass(frozen=True, slots=True)
class Sifted:
    """What was kept of the caller was looked through; `speech` tells whether there is any, and it stays."""

    speech: bool


@dataclass(frozen=True, slots=True)
class Stopping:
    """Our process has to stop: the call is to come to an end, `at_once` without a goodbye."""

    at_once: bool = False


class Order(Enum):
    """What the desk may want of a call."""

    END = "end"
    NOTE = "note"  # words for the agent alone
    SAY = "say"  # words for the caller
    MESSAGE = "message"  # that a message is taken for who rings back


@dataclass(frozen=True, slots=True)
class Ordered:
    """The desk wants something of this call; whether it may was looked at where it was said."""

    order: Order
    words: str = ""


@dataclass(frozen=True, slots=True)
class CallbackAsked:
    """The request for a call-back is written, or could not be."""

    written: bool


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
    | PlayedOut
    | CallerSounded
    | Sifted
    | Stopping
    | Ordered
    | CallbackAsked
    | WrongAudio
    | Flooded
    | HungUp
    | Broken
    | Tick
    | gemini.Event
    | sautikit.Event
)


# What to do about it


class Hearing(Enum):
    """What becomes of the caller's audio."""

    KEEP = auto()  # nothing is sent; what is said is kept
    HOLD = auto()  # silence is sent; what is said is kept
    PASS = auto()  # what was kept is sent, then what is said
    SILENCE = auto()  # silence is sent; what is said is lost
    PAUSE = auto()  # nothing is sent; what is said is lost


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a connection to the model, once the one that was dropped is closed."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection to the model, or stop dialling it; nothing of it is reported any more.

    The next one waits until it is closed, or the model would refuse to go on there; one on which nothing was
    begun is not `awaited`, as the model may not even answer its close.
    """

    awaited: bool = True


@dataclass(frozen=True, slots=True)
class Tell:
    """Send the model one frame."""

    frame: str


@dataclass(frozen=True, slots=True)
class Listen:
    """Treat the caller's audio so from now on."""

    how: Hearing = Hearing.PASS


@dataclass(frozen=True, slots=True)
class Sift:
    """Drop what was kept of the caller when nobody speaks in it, and report `Sifted`."""


@dataclass(frozen=True, slots=True)
class Play:
    """Queue 16-bit mono PCM at `rate_hz` for the caller's ear."""

    pcm: bytes
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Say:
    """Queue one of our own recordings for the caller's ear."""

    clip: str


@dataclass(frozen=True, slots=True)
class Trim:
    """Drop what is queued but for the next `keep_s`: the end of the sentence will not come."""

    keep_s: float


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
class Withdraw:
    """Do not begin these tool calls, where they have not begun yet."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskCallback:
    """Have a colleague call the caller back, and report `CallbackAsked`."""

    reason: str
    summary: str


@dataclass(frozen=True, slots=True)
class Record:
    """Keep a record of what happened."""

    what: TurnRecord | ToolRecord | UsageSeen


@dataclass(frozen=True, slots=True)
class Show:
    """Let who watches the call see this; nothing is kept of it, and nothing waits for it."""

    what: News


@dataclass(frozen=True, slots=True)
class End:
    """End the call: hang the caller up where we are the first to go, then close with `code`.

    Closing the socket alone leaves the caller on dead air (sautikit.md §1.9).
    """

    reason: str
    code: int
    hang_up: bool


Command = (
    Dial
    | Drop
    | Tell
    | Listen
    | Sift
    | Play
    | Say
    | Trim
    | EndUtterance
    | Hush
    | Run
    | Withdraw
    | AskCallback
    | Record
    | Show
    | End
)


# Closing codes towards the telephone: our own range, which every server can send
CLOSE_NORMAL = 1000
CLOSE_DRAINING = 4001
CLOSE_NOT_AUTHORISED = 4003
CLOSE_BUDGET = 4008
CLOSE_BAD_DATA = 4009
CLOSE_IDLE = 4010
CLOSE_UPSTREAM = 4011
CLOSE_TIME_LIMIT = 4012
