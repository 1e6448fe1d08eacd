"""Decide what a call does: one event in, commands out; time is an argument and nothing is awaited.

    CONNECTING ──setupComplete──► TALKING ──End──► ENDED
         └───── model refused or lost, hung up ─────┘

The bridge carries the commands out, in order. Every timer is a deadline that the bridge turns into a
`Tick`; every event of every wire has its case here, so that mypy names the missing one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from voice.events import (
    CLOSE_BAD_DATA,
    CLOSE_BUDGET,
    CLOSE_IDLE,
    CLOSE_NORMAL,
    CLOSE_NOT_AUTHORISED,
    CLOSE_TIME_LIMIT,
    CLOSE_UPSTREAM,
    AgentHeard,
    Answered,
    Broken,
    Command,
    Dial,
    End,
    EndUtterance,
    Event,
    Flooded,
    HungUp,
    Hush,
    Listen,
    ModelClosed,
    ModelOpened,
    Play,
    Record,
    Run,
    Tell,
    Tick,
    ToolDone,
    WrongAudio,
)
from voice.limits import Limits
from voice.records import Ending, ToolRecord, UsageSeen
from voice.transcript import Transcript
from voice.wire import gemini, sautikit


class State(Enum):
    """Where a call stands."""

    CONNECTING = auto()
    TALKING = auto()
    ENDED = auto()


_OUTCOMES = {
    # tool → what a call in which it succeeded was good for, the weightiest last
    "track_shipment": "status_given",
    "confirm_address": "address_confirmed",
    "confirm_reschedule": "rescheduled",
}
_METADATA_IDS = frozenset({"callSid", "sessionId", "call_sid", "call_id"})
_LATE_AUDIO_S = 1.0


@dataclass(frozen=True, slots=True)
class Brief:
    """What a call knows before it begins: how to open the model, and what the carrier calls the call."""

    setup: gemini.Setup
    nudge: str
    session_id: str = ""


@dataclass(slots=True)
class _Timings:
    """What a call measured, in milliseconds from the answer."""

    setup_ms: int | None = None
    first_audio_ms: int | None = None
    answers_ms: list[int] = field(default_factory=list)
    interruptions: int = 0


class Session:
    """One call's decisions.

    `heard_s` is set by the bridge with every frame from the telephone, so that a frame costs no event.
    """

    def __init__(self, brief: Brief, limits: Limits, now_s: float) -> None:
        self.state = State.CONNECTING
        self.heard_s = now_s
        self._brief = brief
        self._limits = limits
        self._began_s = now_s
        self._setup_by_s: float | None = None
        self._transcript = Transcript()
        self._calls: dict[str, bool] = {}  # a tool call's id → an answer is still owed
        self._muted_until_s = 0.0
        self._speaking = False
        self._caller_stopped_s: float | None = None
        self._timings = _Timings()
        self._counters: dict[str, int] = {}
        self._outcome: str | None = None
        self._ended: End | None = None
        self._ended_s = now_s

    @property
    def deadline_s(self) -> float:
        """Return when the next `Tick` is due."""
        due = [self._began_s + self._limits.call_s, self.heard_s + self._limits.no_frames_s]
        if self._setup_by_s is not None:
            due.append(self._setup_by_s)
        return min(due)

    def handle(self, event: Event, now_s: float) -> list[Command]:  # noqa: C901 - a case an event, no more
        """Take one event and return what to do, in order."""
        if self.state is State.ENDED:
            return self._after_the_end(event)
        match event:
            case Answered():
                self._setup_by_s = now_s + self._limits.setup_s
                return [Dial()]
            case ModelOpened():
                return [Tell(gemini.setup(self._brief.setup))]
            case ModelClosed(why):
                self._count(f"model_{why}")
                return self._end("model_failure", CLOSE_UPSTREAM, now_s)
            case ToolDone():
                return self._answer(event)
            case AgentHeard():
                return self._note_heard(now_s)
            case WrongAudio(found):
                self._count(f"audio_{found}")
                return self._end("carrier_error", CLOSE_BAD_DATA, now_s)
            case Flooded():
                return self._end("carrier_error", CLOSE_BUDGET, now_s)
            case HungUp():
                return self._end("caller_hangup", CLOSE_NORMAL, now_s, hang_up=False)
            case Broken():
                self._count("crashes")
                return self._end("model_failure", CLOSE_UPSTREAM, now_s)
            case Tick():
                return self._tick(now_s)
            case sautikit.Metadata(ids):
                return self._check_ids(ids, now_s)
            case sautikit.Dtmf() | sautikit.Mark() | sautikit.PlayDone() | sautikit.Unknown():
                self._count(f"text_{type(event).__name__.lower()}")
                return []
            case _:
                return self._hear_model(event, now_s)

    def ending(self) -> Ending:
        """Return the summary of an ended call."""
        reason = self._ended.reason if self._ended else "reconciled"
        timings: dict[str, object] = {
            "setup_ms": self._timings.setup_ms,
            "first_audio_ms": self._timings.first_audio_ms,
            "answers_ms": self._timings.answers_ms,
            "interruptions": self._timings.interruptions,
        }
        return Ending(
            reason=reason,
            outcome=self._outcome or "no_outcome",
            timings=timings,
            counters=dict(self._counters),
            duration_s=self._ended_s - self._began_s,
        )

    def _hear_model(self, event: gemini.Event, now_s: float) -> list[Command]:  # noqa: C901 - the same
        match event:
            case gemini.SetupComplete():
                return self._begin_talking(now_s)
            case gemini.Audio(pcm, rate_hz):
                if now_s < self._muted_until_s:  # what is left of a turn that the caller cut off
                    self._count("late_audio")
                    return []
                self._speaking = True
                return [Play(pcm, rate_hz)]
            case gemini.Interrupted():
                return self._be_interrupted(now_s)
            case gemini.GenerationComplete():
                return self._end_utterance()
            case gemini.TurnComplete():
                self._muted_until_s = 0.0
                return [*self._end_utterance(), *map(Record, self._transcript.close())]
            case gemini.CallerSaid(text):
                if self._caller_stopped_s is None:
                    self._caller_stopped_s = now_s
                return [*map(Record, self._transcript.add("caller", text, self._ms(now_s)))]
            case gemini.AgentSaid(text):
                return [*map(Record, self._transcript.add("agent", text, self._ms(now_s)))]
            case gemini.ToolCall():
                if event.id in self._calls:  # the same call delivered twice acts and answers once
                    self._count("repeated_tool_calls")
                    return []
                self._calls[event.id] = True
                return [Run(event)]
            case gemini.ToolsCancelled(ids):
                self._calls.update(dict.fromkeys(ids, False))
                return []
            case gemini.Usage(raw):
                return [Record(UsageSeen(at_ms=self._ms(now_s), raw=dict(raw)))]
            case gemini.Activity(started):
                self._caller_stopped_s = None if started else now_s
                return []
            case gemini.GoAway():
                self._count("go_aways")
                return []
            case gemini.Handle() | gemini.WaitingForInput():
                return []

    def _begin_talking(self, now_s: float) -> list[Command]:
        if self.state is not State.CONNECTING:
            return []
        self.state = State.TALKING
        self._setup_by_s = None
        self._timings.setup_ms = self._ms(now_s)
        return [Tell(gemini.text(self._brief.nudge)), Listen()]

    def _be_interrupted(self, now_s: float) -> list[Command]:
        # The carrier is told even when nothing is queued here: it still holds up to the lead.
        self._timings.interruptions += 1
        self._speaking = False
        self._muted_until_s = now_s + _LATE_AUDIO_S
        return [Hush(), *map(Record, self._transcript.close(interrupted=True))]

    def _end_utterance(self) -> list[Command]:
        if not self._speaking:
            return []
        self._speaking = False
        return [EndUtterance()]

    def _answer(self, done: ToolDone) -> list[Command]:
        record = Record(
            ToolRecord(
                model_call_id=done.call.id,
                name=done.call.name,
                business_key=done.business_key,
                arguments=done.call.args if isinstance(done.call.args, dict) else {},
                result=dict(done.result),
                state=done.state,
                started_ms=done.started_ms,
                duration_ms=done.duration_ms,
            )
        )
        if done.state == "ok":
            self._weigh_outcome(done.call.name)
        if not self._calls.get(done.call.id, False):  # answered already, or cancelled by the model
            return [record]
        self._calls[done.call.id] = False
        return [Tell(gemini.tool_response(done.call.id, done.call.name, done.result)), record]

    def _weigh_outcome(self, tool: str) -> None:
        weights = list(_OUTCOMES.values())
        new = _OUTCOMES.get(tool)
        if new is not None and (self._outcome is None or weights.index(new) > weights.index(self._outcome)):
            self._outcome = new

    def _note_heard(self, now_s: float) -> list[Command]:
        if self._timings.first_audio_ms is None:
            self._timings.first_audio_ms = self._ms(now_s)
        elif self._caller_stopped_s is not None and len(self._timings.answers_ms) < 100:
            self._timings.answers_ms.append(round((now_s - self._caller_stopped_s) * 1000))
        self._caller_stopped_s = None
        return []

    def _check_ids(self, ids: Mapping[str, str], now_s: float) -> list[Command]:
        named = {value for key, value in ids.items() if key in _METADATA_IDS and value}
        if named and self._brief.session_id and self._brief.session_id not in named:
            self._count("contradicting_ids")
            return self._end("carrier_error", CLOSE_NOT_AUTHORISED, now_s, hang_up=False)
        return []

    def _tick(self, now_s: float) -> list[Command]:
        if now_s >= self._began_s + self._limits.call_s:
            return self._end("max_duration", CLOSE_TIME_LIMIT, now_s)
        if now_s >= self.heard_s + self._limits.no_frames_s:
            return self._end("carrier_error", CLOSE_IDLE, now_s)
        if self._setup_by_s is not None and now_s >= self._setup_by_s:
            self._count("setup_timeouts")
            return self._end("model_failure", CLOSE_UPSTREAM, now_s)
        return []

    def _end(self, reason: str, code: int, now_s: float, *, hang_up: bool = True) -> list[Command]:
        self.state = State.ENDED
        self._ended_s = now_s
        self._ended = End(reason, code, hang_up)
        return [*map(Record, self._transcript.close()), self._ended]

    def _after_the_end(self, event: Event) -> list[Command]:
        # A tool that had begun may commit after the caller is gone: that is kept, and told to nobody.
        if isinstance(event, ToolDone):
            self._calls[event.call.id] = False
            return self._answer(event)
        return []

    def _ms(self, now_s: float) -> int:
        return round((now_s - self._began_s) * 1000)

    def _count(self, what: str) -> None:
        self._counters[what] = self._counters.get(what, 0) + 1
