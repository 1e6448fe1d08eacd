"""Whatever happens in a call, in whatever order: what always holds."""

import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.rehearsal import Rehearsal, a_tool_call, done
from voice import events as call
from voice.limits import Limits
from voice.session import State
from voice.wire import gemini, sautikit

TOOLS = st.sampled_from(
    ["track_shipment", "prepare_reschedule", "confirm_reschedule", "end_call", "none_such"]
)
WHY = st.sampled_from(["lost", "lost", "lost", "refused", "busy"])


class Anything(RuleBasedStateMachine):
    """A call to which anything may happen that its sockets, tools and clock can do."""

    @initialize(shield_s=st.sampled_from([0.0, 2.0]), connected=st.sampled_from([True, True, False]))
    def begin(self, shield_s: float, connected: bool) -> None:
        self.line = Rehearsal(Limits(call_s=120, connection_s=30, renewal_s=10, shield_s=shield_s))
        self.ids = 0
        self.seen = 0
        self.dialling = False  # a connection is being made or stands, as the bridge sees it
        self.is_open = False
        self.is_ready = False
        self.running: list[gemini.ToolCall] = []
        self.connection = 0
        self.told: set[tuple[int, str]] = set()  # by connection: what may be lost is said on the next, too
        self._follow()
        if connected:
            self.open()
            self.get_ready("h")

    def _take(self, *events: call.Event) -> None:
        for event in events:
            self.line.take(event)
            self._follow()

    def _follow(self) -> None:
        """Follow the commands as a bridge does, and hold them to what it can do."""
        for _, command in self.line.log[self.seen :]:
            self.seen += 1
            match command:
                case call.Dial():
                    assert not self.dialling, "two connections at once"
                    self.dialling = True
                    self.connection += 1
                case call.Drop():
                    self.dialling = self.is_open = self.is_ready = False
                case call.Tell(frame):
                    message = json.loads(frame)
                    assert self.is_open, f"nobody is there to be told {frame[:80]}"
                    assert self.is_ready or "setup" in message, "said before the model was ready"
                    for answer in message.get("toolResponse", {}).get("functionResponses", []):
                        told = (self.connection, answer["id"])
                        assert told not in self.told, "answered twice, and asked for once"
                        self.told.add(told)
                case call.Run(tool):
                    self.running.append(tool)
                case call.End():
                    assert self.line.session.state is State.ENDED
                case _:
                    pass

    @precondition(lambda self: self.dialling and not self.is_open)
    @rule()
    def open(self) -> None:
        self.is_open = True
        self._take(call.ModelOpened())

    @precondition(lambda self: self.is_open and not self.is_ready)
    @rule(handle=st.sampled_from(["", "h"]))
    def get_ready(self, handle: str) -> None:
        self.is_ready = True
        self._take(gemini.SetupComplete())
        if handle and self.is_ready:
            self._take(gemini.Handle(handle, resumable=True))

    @precondition(lambda self: self.dialling)
    @rule(why=WHY, silent=st.booleans())
    def lose(self, why: str, silent: bool) -> None:
        self.dialling = self.is_open = self.is_ready = False
        self._take(call.ModelClosed(why, silent=silent))

    @precondition(lambda self: self.is_ready)
    @rule(seconds=st.sampled_from([0.0, 0.5, 4.0]), sound=st.booleans(), complete=st.booleans())
    def speak(self, seconds: float, sound: bool, complete: bool) -> None:
        pcm = (b"\x00\x10\x00\xf0" if sound else bytes(4)) * round(12_000 * seconds)
        self._take(gemini.Audio(pcm, 24_000), gemini.AgentSaid("Hello."))
        if complete:
            self._take(gemini.GenerationComplete())

    @precondition(lambda self: self.is_ready)
    @rule(reason=st.sampled_from(["", "", "RESPONSE_REJECTED"]))
    def complete_turn(self, reason: str) -> None:
        self._take(gemini.TurnComplete(reason))

    @precondition(lambda self: self.is_ready)
    @rule(
        event=st.sampled_from(
            [
                gemini.Interrupted(),
                gemini.Activity(started=True),
                gemini.Activity(started=False),
                gemini.CallerSaid("Where is it?"),
                gemini.WaitingForInput(),
                gemini.GoAway(30),
                gemini.GoAway(0),
                gemini.Usage({"totalTokenCount": 1}),
                gemini.SetupComplete(),
            ]
        )
    )
    def hear(self, event: gemini.Event) -> None:
        self._take(event)

    @precondition(lambda self: self.is_ready)
    @rule(name=TOOLS, wish=st.integers(0, 2), again=st.booleans())
    def call_a_tool(self, name: str, wish: int, again: bool) -> None:
        if not again or not self.ids:
            self.ids += 1
        self.told.discard((self.connection, f"c{self.ids}"))
        self._take(a_tool_call(f"c{self.ids}", name, wish=str(wish)))

    @precondition(lambda self: self.is_ready and self.ids)
    @rule(back=st.integers(0, 2))
    def cancel(self, back: int) -> None:
        self._take(gemini.ToolsCancelled((f"c{max(1, self.ids - back)}",)))

    @precondition(lambda self: self.running)
    @rule(state=st.sampled_from(["ok", "ok", "refused", "failed", "timed_out"]))
    def finish(self, state: str) -> None:
        self._take(done(self.running.pop(0), state))

    @rule(
        event=st.sampled_from(
            [
                sautikit.Dtmf("1", None),
                sautikit.Mark("a", "cleared"),
                sautikit.Metadata({"callSid": "HD_1"}),
                call.Sifted(speech=True),
                call.Sifted(speech=False),
                call.CallbackAsked(written=True),
                call.PlayedOut(),
                call.CallerSounded(),
                call.AgentHeard(),
                call.Tick(),
            ]
        )
    )
    def happen(self, event: call.Event) -> None:
        self._take(event)

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.line.wait(seconds)
        self._follow()

    @invariant()
    def ends_once_and_in_time(self) -> None:
        if not hasattr(self, "line"):
            return
        ends = self.line.commands(call.End)
        assert len(ends) == (self.line.session.state is State.ENDED)
        assert self.line.now_s < 120 or ends
        if ends:
            assert self.line.session.ending().reason

    def teardown(self) -> None:
        """Let the call run out: whatever happened, it comes to an end."""
        if hasattr(self, "line"):
            self.line.wait(130)
            assert self.line.end is not None


TestAnything = Anything.TestCase
TestAnything.settings = settings(stateful_step_count=40)
