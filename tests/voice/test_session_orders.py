"""What a call does about the orders of the desk, and what it shows of them."""

import pytest

from tests.rehearsal import Rehearsal, a_tool_call
from voice import events as call
from voice import notes
from voice.events import Order
from voice.records import Obeyed
from voice.session import State
from voice.wire import gemini

WORDS = [Order.NOTE, Order.SAY, Order.MESSAGE]


def talking() -> Rehearsal:
    """Return a call in which the agent has greeted and nobody speaks."""
    line = Rehearsal()
    line.greet()
    return line


def leaving() -> Rehearsal:
    """Return a call in which the agent says goodbye, and the caller may avert it."""
    line = talking()
    line.caller_says("That is all, thank you.")
    line.speak(4)
    line.take(a_tool_call(name="end_call"))
    return line


def obeyed(line: Rehearsal) -> list[tuple[float, str]]:
    """Return which orders were shown as carried out, and when."""
    shown = [(at, one.what) for at, one in line.log if isinstance(one, call.Show)]
    return [(at, what.order) for at, what in shown if isinstance(what, Obeyed)]


@pytest.mark.parametrize("order", WORDS)
def test_what_the_desk_wants_told_is_told_and_shown_once_nobody_speaks(order: Order):
    line = talking()
    line.speak(3)
    ordered_s = line.now_s

    line.take(call.Ordered(order, "Gate 4."))
    line.wait(4)

    told = call.Tell(gemini.text(notes.from_the_desk(order.value, "Gate 4.")))
    assert line.times(lambda one: one == told) == [pytest.approx(ordered_s + 3)]
    ((shown_s, shown),) = obeyed(line)
    assert shown_s == pytest.approx(ordered_s + 3)
    assert shown == order.value


@pytest.mark.parametrize("order", WORDS)
def test_an_order_that_a_goodbye_came_before_is_not_shown_as_obeyed(order: Order):
    line = leaving()

    line.take(call.Ordered(order, "Gate 4."))
    line.wait(10)

    assert line.end is not None
    assert obeyed(line) == []


def test_an_order_that_waits_for_a_goodbye_is_obeyed_when_the_caller_averts_it():
    line = leaving()
    line.take(call.Ordered(Order.NOTE, "Gate 4."))

    line.take(gemini.Activity(started=True), gemini.Interrupted(), gemini.TurnComplete())
    line.take(gemini.Activity(started=False))
    line.speak(1)
    line.wait(2)

    assert [order for _, order in obeyed(line)] == ["note"]
    assert "Gate 4." in line.told()


def test_the_desk_ends_a_call_that_the_caller_could_still_have_gone_on_with():
    line = leaving()

    line.take(call.Ordered(Order.END))
    line.take(gemini.Activity(started=True), gemini.Interrupted(), gemini.TurnComplete())
    line.wait(10)

    assert [order for _, order in obeyed(line)] == ["end"]
    assert line.session.state is State.ENDED
    assert line.end == call.End("agent_hangup", call.CLOSE_NORMAL, hang_up=True)


def test_the_desk_ends_a_call_with_a_goodbye():
    line = talking()

    line.take(call.Ordered(Order.END))
    line.speak(2)
    line.wait(3)

    assert notes.DESK_ENDS in line.told()
    assert line.end == call.End("agent_hangup", call.CLOSE_NORMAL, hang_up=True)
