"""Rehearse a call: its session by a clock that jumps, and an ear for which speech takes its time."""

from collections.abc import Callable
from dataclasses import replace

from voice import events as call
from voice.limits import Limits
from voice.scene import Brief
from voice.session import Session, State
from voice.wire import gemini

GREET = "Greet."
CLIP_S = 2.0
_SPIN = 50


def a_setup(model: str = "gemini-3.8-live") -> gemini.Setup:
    """Return the smallest setup."""
    return gemini.Setup(model=model, instruction="You are a test.")


def a_tool_call(call_id: str = "c1", name: str = "track_shipment", **args: str) -> gemini.ToolCall:
    """Return a function call of the model's."""
    return gemini.ToolCall(id=call_id, name=name, args=args)


def done(tool: gemini.ToolCall, state: str = "ok", message: str = "Fine.") -> call.ToolDone:
    """Return the end of a tool's run."""
    return call.ToolDone(tool, {"status": state, "message": message}, state, "key", 10, 20)


class Rehearsal:
    """One call. Ticks come when they are due, and what is played takes its time."""

    def __init__(self, limits: Limits | None = None, brief: Brief | None = None) -> None:
        brief = brief or Brief(setup=a_setup(), nudge=GREET, session_id="HD_1")
        self.session = Session(brief, limits or Limits(), 0.0)
        self.now_s = 0.0
        self.log: list[tuple[float, call.Command]] = []
        self.telephone_is_dead = False
        self._played_until_s: float | None = None
        self.take(call.Answered())

    def take(self, *events: call.Event) -> None:
        """Let events happen now."""
        for event in events:
            self.session.heard_s = self.session.heard_s if self.telephone_is_dead else self.now_s
            for command in self.session.handle(event, self.now_s):
                self.log.append((self.now_s, command))
                self._perform(command)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        until_s, spun = self.now_s + seconds, 0
        while self.session.state is not State.ENDED:
            if not self.telephone_is_dead:
                self.session.heard_s = self.now_s
            played_s = self._played_until_s if self._played_until_s is not None else until_s + 1
            due_s = min(self.session.deadline_s, played_s)
            if due_s > until_s:
                break
            spun = spun + 1 if due_s <= self.now_s else 0
            assert spun < _SPIN, "the session asks to be called at once for ever"
            self.now_s = max(self.now_s, due_s)
            if played_s <= self.now_s:
                self._played_until_s = None
                self.take(call.PlayedOut())
            else:
                self.take(call.Tick())
        self.now_s = until_s

    def _perform(self, command: call.Command) -> None:
        match command:
            case call.Play(pcm, rate_hz):
                self._queue(len(pcm) / 2 / rate_hz)
            case call.Say():
                self._queue(CLIP_S)
            case call.Hush():
                self._played_until_s = None
            case call.Trim(keep_s):
                if self._played_until_s is not None:
                    self._played_until_s = min(self._played_until_s, self.now_s + keep_s)
            case _:
                pass

    def _queue(self, seconds: float) -> None:
        is_new = self._played_until_s is None
        self._played_until_s = max(self._played_until_s or 0.0, self.now_s) + seconds
        if is_new:
            self.take(call.AgentHeard())

    # What the model does

    def connect(self, after_s: float = 0.3, handle: str = "") -> None:
        """Let the model become ready, and give a handle."""
        self.take(call.ModelOpened())
        self.wait(after_s)
        self.take(gemini.SetupComplete())
        if handle:
            self.take(gemini.Handle(handle, resumable=True))

    def speak(self, seconds: float, *, complete: bool = True) -> None:
        """Let the model say so much, all of it at once."""
        self.take(gemini.Audio(b"\x00\x10\x00\xf0" * round(12_000 * seconds), 24_000))
        if complete:
            self.take(gemini.GenerationComplete())

    def hear_out(self) -> None:
        """Let all that was played have been heard, as the silence behind an utterance is."""
        self._played_until_s = None
        self.take(call.PlayedOut())

    def greet(self, handle: str = "h1", took_s: float = 0.3) -> None:
        """Let the model become ready and greet the caller, who hears it out."""
        self.connect(took_s, handle=handle)
        self.speak(2.0)
        self.wait(2.0)
        self.take(gemini.TurnComplete())

    def sound(self, seconds: float) -> None:
        """Let the telephone be as loud as speech for so long."""
        self.take(call.CallerSounded())
        for _ in range(round(seconds * 50)):
            self.session.loud_s = self.now_s
            self.wait(0.02)

    def caller_says(self, words: str = "Where is it?", seconds: float = 1.0) -> None:
        """Let the caller say something, as the model hears it."""
        self.take(gemini.Activity(started=True))
        self.wait(seconds)
        self.take(gemini.Activity(started=False), gemini.CallerSaid(words))

    # What was decided

    def commands(self, kind: type[call.Command] | None = None, since_s: float = 0.0) -> list[call.Command]:
        """Return what was commanded since then."""
        return [one for at, one in self.log if at >= since_s and (kind is None or isinstance(one, kind))]

    def times(self, holds: Callable[[call.Command], bool]) -> list[float]:
        """Return when such a command was given."""
        return [at for at, one in self.log if holds(one)]

    def told(self, since_s: float = 0.0) -> str:
        """Return all that the model was told since then."""
        return "\n".join(one.frame for at, one in self.log if at >= since_s and isinstance(one, call.Tell))

    def said(self) -> list[tuple[float, str]]:
        """Return which recordings were played, and when."""
        return [(at, one.clip) for at, one in self.log if isinstance(one, call.Say)]

    def dials(self) -> list[float]:
        """Return when the model was dialled."""
        return self.times(lambda one: isinstance(one, call.Dial))

    @property
    def end(self) -> call.End | None:
        """Return how the call ended, if it did."""
        return next((one for _, one in self.log if isinstance(one, call.End)), None)

    @property
    def counters(self) -> dict[str, int]:
        """Return what was counted."""
        return self.session.ending().counters


def with_model(model: str) -> Brief:
    """Return a brief for another model."""
    return replace(Brief(setup=a_setup(), nudge=GREET), setup=a_setup(model))


def talking(limits: Limits | None = None, took_s: float = 0.3) -> Rehearsal:
    """Return a call in which the agent has greeted and nobody speaks; the model took so long to be ready."""
    line = Rehearsal(limits)
    line.greet(took_s=took_s)
    line.wait(11)
    return line


def setups(line: Rehearsal, since_s: float = 0.0) -> list[str]:
    """Return the setups that were sent since then."""
    tells = line.commands(call.Tell, since_s)
    return [one.frame for one in tells if isinstance(one, call.Tell) and '"setup"' in one.frame]
