"""The call in any order of events: what may never be, whatever happens."""

import asyncio
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.counts import counted
from tests.peers import FakeModel, FakeTelephone, speech
from tests.placed import Placed, answer_at_once, talk
from tests.placed import call as place
from voice import events as call
from voice import tools
from voice.limits import Limits
from voice.ports import Outcome
from voice.records import ToolRecord
from voice.scene import Brief
from voice.session import Session, State
from voice.wire import gemini, sautikit

CHANGING = frozenset(name for name, tool in tools.TOOLS.items() if tool.changes)
SPEECH = b"\x09\x00" * 240
SILENCE = bytes(480)
_ORDER = [State.CONNECTING, State.TALKING, State.LEAVING, State.ENDED]
_SIGNS_OF_LIFE = (gemini.CallerSaid, gemini.Activity, gemini.Interrupted, sautikit.Dtmf)

tool_ids = st.sampled_from(["c1", "c2", "c3", "c4", "c5", "c6"])
tool_names = st.sampled_from(
    ["track_shipment", "prepare_reschedule", "confirm_reschedule", "end_call", "none"]
)
tool_args = st.sampled_from([{}, {"tracking_id": "NBO-1"}, {"tracking_id": " nbo 1 "}, {"day": "friday"}, 7])


class CallMachine(RuleBasedStateMachine):
    """One session, and a world that does to it whatever a world can do."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.link = "none"  # none, dialling, open, ready
        self.dials = 0
        self.told_setup = False
        self.answered: set[tuple[int, str]] = set()
        self.running: dict[str, gemini.ToolCall] = {}
        self.ran: list[str] = []
        self.called: dict[int, dict[str, gemini.ToolCall]] = {}  # by connection and id
        self.effects: Counter[str] = Counter()  # of tools that change something, by what was wished
        self.finished = 0
        self.records = 0
        self.asked = 0
        self.callback_due = False
        self.playing = False
        self.ended: call.End | None = None
        self.rank = 0
        setup = gemini.Setup(model="gemini-3.8-live", instruction="Test.")
        brief = Brief(setup, "Greet.", "HD_1", business_key=tools.business_key, changing=CHANGING)
        self.session = Session(brief, Limits(), 0.0)

    # What the session says, carried out as the bridge does

    def take(self, event: call.Event) -> None:
        """Hand an event in and carry out what comes of it."""
        was_ended = self.ended is not None
        before = self.session.state
        commands = self.session.handle(event, self.now_s)
        for command in commands:
            assert not was_ended or isinstance(command, call.Record), "something was done after the end"
            self.carry_out(command)
        after = self.session.state
        if _ORDER.index(after) < _ORDER.index(before):
            assert before is State.LEAVING, "a state went back"
            assert isinstance(event, _SIGNS_OF_LIFE), (
                "a call went on although the caller gave no sign of life"
            )

    def carry_out(self, command: call.Command) -> None:  # noqa: C901 - a case a command, no more
        """Do one command to the world."""
        match command:
            case call.Dial():
                assert self.link == "none", "two sessions with the model at once"
                self.link, self.told_setup = "dialling", False
                self.dials += 1
            case call.Drop():
                self.link = "none"
            case call.Tell(frame):
                self.tell(json.loads(frame))
            case call.Run(tool_call):
                assert tool_call.id not in self.running, "one call runs twice"
                self.running[tool_call.id] = tool_call
                self.ran.append(tool_call.id)
            case call.Record(what):
                self.records += isinstance(what, ToolRecord)
            case call.Play() | call.Say() | call.EndUtterance():
                self.playing = True
            case call.Hush():
                self.playing = False
            case call.Sift():
                self.take(call.Sifted(speech=False))
            case call.AskCallback():
                self.asked += 1
                self.callback_due = True
            case call.End():
                assert self.ended is None, "a call ended twice"
                self.ended = command
                self.link = "none"
            case _:
                pass

    def tell(self, message: dict[str, Any]) -> None:
        """Take what the model is told."""
        if "setup" in message:
            assert self.link == "open"
            assert not self.told_setup, "a second setup"
            self.told_setup = True
            return
        assert self.link == "ready", f"told to nobody: {message}"
        for answer in message.get("toolResponse", {}).get("functionResponses", []):
            key = (self.dials, answer["id"])
            assert key not in self.answered, "a call was answered twice"
            self.answered.add(key)

    # What happens

    @initialize()
    def answer(self) -> None:
        """Open the telephone's stream."""
        self.take(call.Answered())

    @precondition(lambda self: self.link == "dialling")
    @rule(ready=st.booleans())
    def model_opens(self, ready: bool) -> None:
        """Open the connection, and confirm it at once or not."""
        self.link = "open"
        self.take(call.ModelOpened())
        if ready and self.link == "open":
            self.model_is_ready()

    @precondition(lambda self: self.link == "open" and self.told_setup)
    @rule()
    def model_is_ready(self) -> None:
        """Confirm the setup."""
        self.link = "ready"
        self.take(gemini.SetupComplete(""))

    @precondition(lambda self: self.link != "none")
    @rule(why=st.sampled_from(["lost", "lost", "lost", "refused", "busy"]), silent=st.booleans())
    def model_closes(self, why: str, silent: bool) -> None:
        """Lose the connection, at any moment."""
        self.link = "none"
        self.take(call.ModelClosed(why, silent))

    @precondition(lambda self: self.link == "ready")
    @rule(event=st.one_of(
        st.builds(gemini.GoAway, st.sampled_from([0.0, 3.0, 60.0])),
        st.builds(gemini.Handle, st.sampled_from(["h1", "h2", ""]), st.booleans()),
        st.builds(gemini.Audio, st.sampled_from([SPEECH, SILENCE, b""]), st.just(24_000)),
        st.just(gemini.Interrupted()),
        st.just(gemini.GenerationComplete()),
        st.builds(gemini.TurnComplete, st.sampled_from(["", "RESPONSE_REJECTED"])),
        st.builds(gemini.CallerSaid, st.just("Hello?")),
        st.builds(gemini.AgentSaid, st.just("Hello.")),
        st.builds(gemini.Activity, st.booleans()),
        st.just(gemini.WaitingForInput()),
        st.just(gemini.SetupComplete("again")),
        st.builds(gemini.Usage, st.just({"totalTokenCount": 1})),
    ))  # fmt: skip
    def model_says(self, event: gemini.Event) -> None:
        """Say anything at all."""
        self.take(event)

    @precondition(lambda self: self.link == "ready")
    @rule(call_id=tool_ids, name=tool_names, args=tool_args)
    def model_calls(self, call_id: str, name: str, args: object) -> None:
        """Call a tool; on one connection the model uses an id twice only for the very same call."""
        called = self.called.setdefault(self.dials, {})
        if call_id not in called and call_id not in self.running:
            called[call_id] = gemini.ToolCall(call_id, name, args)
            self.take(called[call_id])

    @precondition(lambda self: self.link == "ready" and any(self.called.values()))
    @rule(data=st.data(), at_once=st.booleans())
    def model_wishes_again(self, data: st.DataObject, at_once: bool) -> None:
        """Call a tool anew, under another id and on any connection, as a model that forgot does."""
        made = [tool for called in self.called.values() for tool in called.values() if tool.name in CHANGING]
        if not made:
            return
        wish = data.draw(st.sampled_from(made))
        call_id = f"again{len(made)}"
        self.called.setdefault(self.dials, {})[call_id] = gemini.ToolCall(call_id, wish.name, wish.args)
        self.take(self.called[self.dials][call_id])
        if at_once and call_id in self.running:
            self._finish(call_id)

    @precondition(lambda self: self.link == "ready" and self.called.get(self.dials))
    @rule(data=st.data())
    def model_calls_again(self, data: st.DataObject) -> None:
        """Deliver a call of this connection once more, to be answered once more if it was."""
        called = self.called[self.dials]
        call_id = data.draw(st.sampled_from(sorted(called)))
        self.answered.discard((self.dials, call_id))
        self.take(called[call_id])

    @precondition(lambda self: self.link == "ready")
    @rule(ids=st.lists(tool_ids, max_size=3))
    def model_cancels(self, ids: list[str]) -> None:
        """Take calls back."""
        self.take(gemini.ToolsCancelled(tuple(ids)))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), state=st.sampled_from(["ok", "ok", "refused", "failed", "timed_out"]))
    def tool_finishes(self, data: st.DataObject, state: str) -> None:
        """Finish a tool, also after the end of the call."""
        self._finish(data.draw(st.sampled_from(sorted(self.running))), state)

    def _finish(self, call_id: str, state: str = "ok") -> None:
        tool_call = self.running.pop(call_id)
        key = tools.business_key(tool_call.name, tool_call.args)
        self.finished += 1
        self.note_effect(tool_call.name, state, key)
        self.take(call.ToolDone(tool_call, {"status": state, "message": "So."}, state, key, 1, 2))

    def note_effect(self, name: str, state: str, key: str) -> None:
        """Count what a tool has changed."""
        if state == "ok" and name in CHANGING:
            self.effects[key] += 1
            assert self.effects[key] == 1, "what was wished once was done twice"

    @precondition(lambda self: self.callback_due)
    @rule(written=st.booleans())
    def callback_is_written(self, written: bool) -> None:
        """Report on the request for a call-back."""
        self.callback_due = False
        self.take(call.CallbackAsked(written))

    @precondition(lambda self: self.playing)
    @rule()
    def all_is_heard(self) -> None:
        """Play out what is queued."""
        self.take(call.AgentHeard())
        self.playing = False
        self.take(call.PlayedOut())

    @rule(key=st.sampled_from("0123456789#"))
    def caller_presses(self, key: str) -> None:
        """Press a key."""
        self.take(sautikit.Dtmf(key, 100))

    @rule(seconds=st.sampled_from([0.02, 0.5, 1.3, 2.1, 4.0, 9.0, 21.0, 45.0]), frames=st.booleans())
    def time_passes(self, seconds: float, frames: bool) -> None:
        """Let time pass, with the telephone's frames coming or not."""
        until_s, ticks = self.now_s + seconds, 0
        while self.ended is None and self.session.deadline_s <= until_s:
            self.now_s = max(self.now_s, self.session.deadline_s)
            if frames:
                self.session.heard_s = self.now_s
            if self.now_s < self.session.deadline_s:
                continue
            self.take(call.Tick())
            ticks += 1
            assert ticks < 50 + 20 * seconds, "it rings without end"
        self.now_s = until_s
        if frames:
            self.session.heard_s = until_s

    @precondition(lambda self: self.now_s > 3)
    @rule(event=st.sampled_from([
        call.HungUp(1000), call.HungUp(1006), call.Flooded(), call.WrongAudio("stereo"), call.Broken(),
        call.Stopping(),
    ]))  # fmt: skip
    def it_ends(self, event: call.Event) -> None:
        """Hang up, or be hung up on."""
        self.take(event)

    # What always holds

    @invariant()
    def every_tool_that_finished_is_recorded_once(self) -> None:
        """Count them."""
        assert self.records == self.finished

    @invariant()
    def an_end_has_its_reason(self) -> None:
        """Hold the state and the summary against the command."""
        assert (self.ended is not None) == (self.session.state is State.ENDED)
        if self.ended is not None:
            assert self.session.ending().reason == self.ended.reason

    @invariant()
    def a_living_call_has_a_deadline(self) -> None:
        """Hold that something will happen to every call, whatever does not."""
        assert self.ended is not None or self.session.deadline_s <= 600

    @invariant()
    def one_call_back_is_enough(self) -> None:
        """Count what is promised."""
        assert self.asked <= 1

    def teardown(self) -> None:
        """Let it come to its end by itself."""
        for _ in range(40):
            self.time_passes(45.0, frames=True)
        assert self.ended is not None, "a call that never ends"


TestACallInAnyOrder = CallMachine.TestCase
TestACallInAnyOrder.settings = settings(
    max_examples=counted(10_000),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestACallInAnyOrder.pytestmark = [pytest.mark.slow]  # type: ignore[attr-defined] # a mark for a class that Hypothesis made


# The same on a bridge

_FRAMES: dict[str, dict[str, Any]] = {
    "speaks": speech(2.0),
    "has made it": {"serverContent": {"generationComplete": True}},
    "ends its turn": {"serverContent": {"turnComplete": True}},
    "is interrupted": {"serverContent": {"interrupted": True}},
    "must go": {"goAway": {"timeLeft": "1s"}},
    "can be resumed": {"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}},
    "calls": {"toolCall": {"functionCalls": [{"id": "c1", "name": "track_shipment", "args": {}}]}},
    "calls again": {"toolCall": {"functionCalls": [{"id": "c2", "name": "confirm_reschedule", "args": {}}]}},
    "takes it back": {"toolCallCancellation": {"ids": ["c1", "c2"]}},
    "ends the call": {"toolCall": {"functionCalls": [{"id": "c3", "name": "end_call", "args": {}}]}},
}
_OTHERS = ["is lost", "stops the process", "stops it at once", "falls silent", "speaks up"]


@pytest.mark.slow
@settings(max_examples=counted(1_000), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from([*_FRAMES, *_OTHERS]), st.sampled_from([0.0, 0.1, 1.0])), max_size=14)
)
def test_in_any_order_a_call_that_is_over_has_left_no_task_and_no_connection(steps: list[tuple[str, float]]):
    async def takes_a_second(tool_call: gemini.ToolCall) -> Outcome:
        await asyncio.sleep(1)
        return await answer_at_once(tool_call)

    async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
        for step, wait_s in steps:
            newest = placed.models[-1] if placed.models else model
            match step:
                case "is lost":
                    newest.lose()
                case "stops the process":
                    placed.bridge.take(call.Stopping())
                case "stops it at once":
                    placed.bridge.take(call.Stopping(at_once=True))
                case "falls silent":
                    await asyncio.sleep(6)
                case "speaks up":
                    await talk(telephone, 0.5)
                case _:
                    newest.put(_FRAMES[step])
            await asyncio.sleep(wait_s)

    placed = place(scenario, run_tool=takes_a_second)

    assert placed.tasks_left == []
    assert all(model.closed for model in placed.models)
    assert all(alone for _, alone in placed.dials), "two sessions with the model at once"
    assert placed.telephone.closed is not None
    assert placed.journal.ending is not None
