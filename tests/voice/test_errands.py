"""What becomes of the model's tools: each id answered once, each wish acted on once, A4 and A15."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rehearsal import GREET, Rehearsal, a_setup, a_tool_call, done, with_model
from voice import events as call
from voice import notes
from voice.limits import Limits
from voice.scene import Brief
from voice.session import State
from voice.tools import TOOLS, business_key
from voice.wire import gemini

CHANGING = frozenset(name for name, tool in TOOLS.items() if tool.changes)
PROPOSING = frozenset(name for name, tool in TOOLS.items() if tool.step == "prepare")


def talking(brief: Brief | None = None, limits: Limits | None = None) -> Rehearsal:
    """Return a call in which the agent has greeted, with the wishes told apart as in production."""
    brief = brief or Brief(setup=a_setup(), nudge=GREET)
    brief = replace(brief, business_key=business_key, changing=CHANGING, proposing=PROPOSING)
    line = Rehearsal(limits, brief)
    line.greet()
    return line


def ran(line: Rehearsal) -> list[gemini.ToolCall]:
    """Return the calls that were run."""
    return [one.call for one in line.commands(call.Run) if isinstance(one, call.Run)]


def runs(line: Rehearsal) -> list[str]:
    """Return the ids of the calls that were run."""
    return [tool.id for tool in ran(line)]


def answers(line: Rehearsal) -> list[dict[str, Any]]:
    """Return the answers that the model got, in order."""
    frames = [json.loads(one.frame) for one in line.commands(call.Tell) if isinstance(one, call.Tell)]
    told = [frame["toolResponse"]["functionResponses"] for frame in frames if "toolResponse" in frame]
    return [answer for answers in told for answer in answers]


def a_change(call_id: str, **args: str) -> gemini.ToolCall:
    """Return a call of a tool that changes something."""
    return a_tool_call(call_id, "confirm_reschedule", **(args or {"change_id": "abc"}))


def test_a_reissued_call_in_other_words_acts_once_and_gets_the_first_answer():
    line = talking()
    first = a_tool_call("c1", "prepare_reschedule", day="Tomorrow ", window="2 pm")
    second = a_tool_call("c2", "prepare_reschedule", day="tomorrow", window="2  PM")

    line.take(first, done(first, message="Thursday at 2?"), second)

    assert runs(line) == ["c1"]
    assert [(one["id"], one["response"]["message"]) for one in answers(line)] == [
        ("c1", "Thursday at 2?"),
        ("c2", "Thursday at 2?"),
    ]


def test_a_wish_that_is_being_acted_on_answers_everybody_who_asked():
    line = talking()
    first, second = a_change("c1"), a_change("c2")

    line.take(first, second, done(first))

    assert runs(line) == ["c1"]
    assert [one["id"] for one in answers(line)] == ["c1", "c2"]


def test_a_change_that_succeeded_is_never_made_again_in_this_call():
    line = talking(limits=Limits(ask_s=1000, silence_s=1000))
    line.take(a_change("c1"), done(a_change("c1")))
    line.speak(1)

    line.wait(100)
    line.take(a_change("c2"))

    assert runs(line) == ["c1"]
    assert [one["id"] for one in answers(line)] == ["c1", "c2"]


@pytest.mark.parametrize("state", ["refused", "failed"])
def test_a_change_that_did_not_succeed_is_tried_again(state: str):
    line = talking()
    line.take(a_change("c1"), done(a_change("c1"), state))

    line.take(a_change("c2"))

    assert runs(line) == ["c1", "c2"]


def test_a_change_that_is_late_is_not_made_again_while_it_may_still_be_done():
    line = talking(limits=Limits(ask_s=1000, silence_s=1000))
    line.take(a_change("c1"), done(a_change("c1"), "timed_out"))

    line.take(a_change("c2"))
    meanwhile = runs(line)
    line.wait(31)
    line.take(a_change("c3"))

    assert meanwhile == ["c1"]
    assert [one["id"] for one in answers(line)] == ["c1", "c2"]
    assert runs(line) == ["c1", "c3"]


def test_another_change_is_another_wish():
    line = talking()
    line.take(a_change("c1", change_id="one"), done(a_change("c1", change_id="one")))

    line.take(a_change("c2", change_id="two"))

    assert runs(line) == ["c1", "c2"]


def test_a_look_up_is_made_anew_after_half_a_minute():
    line = talking()
    line.take(a_tool_call("c1"), done(a_tool_call("c1")))

    line.wait(31)
    line.take(a_tool_call("c2"))

    assert runs(line) == ["c1", "c2"]


def test_a_look_up_is_made_anew_when_something_else_was_asked_between():
    line = talking()
    for n, day in enumerate(["Monday", "Tuesday", "Monday"]):
        tool = a_tool_call(f"c{n}", "prepare_reschedule", day=day)
        line.take(tool, done(tool))

    assert runs(line) == ["c0", "c1", "c2"]


def test_an_interrupted_call_finishes_and_is_told_of_when_nobody_speaks():
    line = talking()
    tool = a_change("c1")
    line.take(tool, gemini.TurnComplete(), gemini.Activity(started=True))

    line.take(done(tool, message="Moved to Friday."))
    before = line.told()
    line.take(gemini.Activity(started=False))
    line.speak(2)
    line.wait(1.9)
    meanwhile = line.told()
    line.wait(0.2)

    assert notes.done_meanwhile("confirm_reschedule", "Moved to Friday.") not in before
    assert "finished meanwhile" not in meanwhile
    assert "finished meanwhile: Moved to Friday." in line.told()


def test_an_interrupted_call_that_is_issued_again_is_not_told_of_besides():
    line = talking()
    line.take(a_change("c1"), gemini.TurnComplete(), gemini.Activity(started=True))
    line.take(done(a_change("c1")), gemini.Activity(started=False), a_change("c2"))

    line.speak(1)
    line.wait(5)

    assert runs(line) == ["c1"]
    assert "finished meanwhile" not in line.told()


def test_what_a_tool_did_after_it_was_said_to_be_late_is_told_of_when_nobody_speaks():
    line = talking()
    tool = a_change("c1")

    line.take(tool, done(tool, "timed_out"), done(tool, message="Moved to Friday."))
    line.speak(1)
    line.wait(1)
    line.take(done(tool, message="Moved to Friday."))
    line.wait(1)

    assert len(answers(line)) == 1
    assert line.told().count("finished meanwhile: Moved to Friday.") == 1


@pytest.mark.parametrize("state", ["refused", "failed", "timed_out"])
def test_of_what_came_to_nothing_after_it_was_late_nothing_is_told(state: str):
    line = talking()
    tool = a_change("c1")

    line.take(tool, done(tool, "timed_out"), done(tool, state))
    line.speak(1)
    line.wait(5)

    assert "finished meanwhile" not in line.told()


def test_a_call_that_the_model_does_not_wait_for_is_not_forgotten_when_the_caller_speaks():
    line = talking(with_model("gemini-3.8-live-extended-thinking"))
    tool = a_change("c1")

    line.take(tool, gemini.TurnComplete(), gemini.Activity(started=True), done(tool))
    line.take(gemini.Activity(started=False))
    line.speak(1)
    line.wait(2)

    assert [one["id"] for one in answers(line)] == ["c1"]
    assert "finished meanwhile" not in line.told()


def test_a15_a_call_that_is_taken_back_is_not_begun_and_not_answered():
    line = talking()
    tool = a_change("c1")

    line.take(tool, gemini.ToolsCancelled(("c1",)))
    line.take(done(tool, "refused", message=""))
    line.wait(3)

    assert line.commands(call.Withdraw) == [call.Withdraw(("c1",))]
    assert answers(line) == []
    assert "finished meanwhile" not in line.told()


def test_a15_a_call_that_is_taken_back_after_it_began_is_told_of():
    line = talking()
    tool = a_change("c1")

    line.take(tool, gemini.ToolsCancelled(("c1",)))
    line.take(done(tool, message="Moved to Friday."))
    line.wait(3)

    assert answers(line) == []
    assert "finished meanwhile: Moved to Friday." in line.told()


def test_a4_a_model_that_runs_away_is_told_to_stop_and_then_left():
    line = talking()
    line.caller_says()

    for n in range(100):
        line.take(a_tool_call(f"c{n}", day=str(n)))

    refused = [one for one in answers(line) if one["response"]["status"] == "refused"]
    assert len(runs(line)) <= 3 * 8
    assert refused[0]["id"] == "c8"
    assert refused[0]["response"]["message"] == notes.TOO_MANY
    assert line.counters["model_stuck"] >= 1


def test_the_count_begins_again_when_the_caller_speaks():
    line = talking()

    for n in range(30):
        line.caller_says(seconds=0.5)
        line.take(a_tool_call(f"c{n}", tracking_id=f"KE{n}"), done(a_tool_call(f"c{n}")))
        line.speak(0.5)
        line.wait(1)

    assert len(runs(line)) == 30


@pytest.mark.parametrize(
    ("model", "wanted", "how"),
    [
        ("gemini-3.1-flash-live-preview", "", call.Hearing.PAUSE),
        ("gemini-3.1-flash-live-preview", "pass", call.Hearing.PASS),
        ("gemini-3.8-live", "", call.Hearing.PASS),
        ("gemini-3.8-live", "silence", call.Hearing.SILENCE),
        ("gemini-3.8-live", "pause", call.Hearing.PAUSE),
    ],
)
def test_what_the_model_hears_while_a_tool_runs_is_what_it_takes_unless_a_setting_says_otherwise(
    model: str, wanted: str, how: call.Hearing
):
    line = talking(replace(with_model(model), pending_audio=wanted))
    tool = a_tool_call()

    line.take(tool)
    during = line.commands(call.Listen)[-1]
    line.take(done(tool))

    assert during == call.Listen(how)
    assert line.commands(call.Listen)[-1] == call.Listen(call.Hearing.PASS)


def test_nobody_goes_unheard_for_longer_than_ten_seconds():
    line = talking(with_model("gemini-3.1-flash-live-preview"))
    line.take(a_tool_call())

    line.wait(10.1)

    assert line.commands(call.Listen)[-1] == call.Listen(call.Hearing.PASS)


class Disorder:
    """A call in which anything may happen at any time; each step has a number that says which of several."""

    def __init__(self) -> None:
        self.line = talking()
        self.finished: list[gemini.ToolCall] = []
        self.delivered: Counter[str] = Counter()
        self.losses = 0
        self._made = 0

    def call(self, n: int) -> None:
        self._made += 1
        self._deliver(n)

    def deliver_again(self, n: int) -> None:
        self._made = max(1, self._made)
        self._deliver(n)

    def _deliver(self, n: int) -> None:
        self.delivered[f"c{self._made}"] += 1
        self.line.take(a_change(f"c{self._made}", change_id=str(n)))

    def finish(self, n: int) -> None:
        open_calls = [tool for tool in ran(self.line) if tool not in self.finished]
        if len(open_calls) > n:
            self.finished.append(open_calls[n])
            self.line.take(done(open_calls[n]))

    def speak(self, n: int) -> None:
        self.line.speak(0.2 * n)

    def cut_in(self, n: int) -> None:
        self.line.take(gemini.Activity(started=True), gemini.Interrupted(), gemini.TurnComplete())

    def end_turn(self, n: int) -> None:
        self.line.take(gemini.Activity(started=False), gemini.TurnComplete())

    def cancel(self, n: int) -> None:
        self.line.take(gemini.ToolsCancelled((f"c{max(1, self._made - n)}",)))

    def lose(self, n: int) -> None:
        self.losses += 1
        self.line.take(call.ModelClosed("lost"))
        self.line.wait(1.3)
        self.line.connect(0.1, handle="h" * n)

    def wait(self, n: int) -> None:
        self.line.wait(n)


STEPS = [name for name in vars(Disorder) if not name.startswith("_")]


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 3)), max_size=40))
def test_in_any_order_each_delivery_is_answered_once_and_no_change_is_made_twice(
    steps: list[tuple[str, int]],
):
    disorder = Disorder()
    for step, n in steps:
        if disorder.line.session.state is State.TALKING:
            getattr(disorder, step)(n)

    told = Counter(one["id"] for one in answers(disorder.line))
    made = [tool.args for tool in disorder.finished]
    again = disorder.losses  # what may have been lost with a connection is sent on the next
    assert all(times <= disorder.delivered[id_] + again for id_, times in told.items())
    assert all(made.count(args) == 1 for args in made)


def test_what_was_refused_for_want_of_something_is_run_again_once_that_was_done():
    line = talking()
    first, again = a_tool_call("c1", "hold_for_pickup"), a_tool_call("c3", "hold_for_pickup")
    code = a_tool_call("c2", "submit_pin", pin="4815")

    line.take(first, done(first, "refused"), code, done(code), again)

    assert runs(line) == ["c1", "c2", "c3"]


def test_what_was_refused_stands_while_nothing_was_done_since():
    line = talking()
    first, again = a_tool_call("c1", "hold_for_pickup"), a_tool_call("c3", "hold_for_pickup")
    code = a_tool_call("c2", "submit_pin", pin="4815")

    line.take(first, done(first, "refused"), code, done(code, "refused"), again)

    assert runs(line) == ["c1", "c2"]


def test_what_was_told_is_asked_anew_once_something_was_changed():
    line = talking()
    first, again = a_tool_call("c1", "next_stop"), a_tool_call("c3", "next_stop")
    report = a_tool_call("c2", "confirm_report", change_id="abc")

    line.take(first, done(first), report, done(report), again)

    assert runs(line) == ["c1", "c2", "c3"]


def test_what_was_told_stands_while_nothing_was_changed():
    line = talking()
    first, again = a_tool_call("c1", "next_stop"), a_tool_call("c3", "next_stop")
    way = a_tool_call("c2", "stop_directions", stop="1")

    line.take(first, done(first), way, done(way), again)

    assert runs(line) == ["c1", "c2"]


@pytest.mark.parametrize(
    ("name", "between", "state", "anew"),
    [
        ("prepare_reschedule", "hold_for_pickup", "ok", True),
        ("prepare_reschedule", "hold_for_pickup", "refused", False),
        ("prepare_reschedule", "offer_slots", "ok", False),
        ("report_attempt", "running_late", "ok", True),
        ("running_late", "next_stop", "ok", False),
        ("offer_slots", "hold_for_pickup", "ok", False),
    ],
)
def test_a_proposal_stands_until_another_is_made(name: str, between: str, state: str, anew: bool):
    line = talking()
    first, other, again = a_tool_call("c1", name), a_tool_call("c2", between), a_tool_call("c3", name)

    line.take(first, done(first), other, done(other, state), again)

    assert ("c3" in runs(line)) is anew


def test_a_change_that_the_rules_refused_is_what_the_call_came_to():
    line = talking()
    tool = a_tool_call("c1", "prepare_reschedule", day="Friday")
    told = {
        "status": "refused",
        "message": "The sender does not allow it.",
        "data": {"code": "shipper_forbids"},
    }

    line.take(tool, replace(done(tool, "refused"), result=told))

    assert line.session.ending().outcome == "change_refused_by_rule"
