"""What who watches a call is shown of it, and what a call makes of the desk's orders."""

import pytest

from tests.rehearsal import Rehearsal, a_tool_call, done
from voice import events as call
from voice import news, notes
from voice.events import Order
from voice.records import Obeyed, Speaking, ToolBegun, ToolRecord, TurnRecord
from voice.wire import gemini


def talking() -> Rehearsal:
    """Return a call in which the agent has greeted and nobody speaks."""
    line = Rehearsal()
    line.greet()
    return line


def shown(line: Rehearsal, kind: type) -> list:
    told: list = []
    for command in line.commands():
        match command:
            case call.Show(what) | call.Record(what) if isinstance(what, kind):
                told.append(what)
            case _:
                pass
    return told


def test_words_are_shown_as_they_are_said_and_not_only_at_their_end():
    line = talking()

    line.take(gemini.CallerSaid("Where is "), gemini.CallerSaid("my parcel?"))

    assert [turn.text for turn in shown(line, TurnRecord)] == ["Where is", "Where is my parcel?"]
    assert len({turn.position for turn in shown(line, TurnRecord)}) == 1
    assert line.commands(call.Record) == []


def test_the_agents_words_are_shown_without_what_he_may_not_say():
    line = talking()

    line.take(gemini.AgentSaid("Your code is 4815"))

    assert [turn.text for turn in shown(line, TurnRecord)] == ["Your code is [code]"]


@pytest.mark.parametrize("said", ["4815", "4 8 1 5", "four eight one five", "my pin is 48 15 thanks"])
def test_what_may_be_a_code_is_not_shown_before_one_is_asked_for(said):
    line = talking()

    line.take(gemini.CallerSaid(said))

    [told] = map(news.message, shown(line, TurnRecord))
    assert "[code]" in told["text"]
    assert "8" not in told["text"]
    assert "eight" not in told["text"]


def test_who_speaks_is_shown_when_it_changes():
    line = Rehearsal()
    line.greet()

    line.caller_says()
    line.speak(1.0)
    line.wait(2)

    assert [one.who for one in shown(line, Speaking)] == ["agent", "", "caller", "", "agent", ""]


def test_a_tool_is_shown_when_it_begins_and_recorded_when_it_ends():
    line = talking()
    tool = a_tool_call()

    line.take(tool)
    begun = shown(line, ToolBegun)
    line.take(done(tool))

    assert [(one.model_call_id, one.name) for one in begun] == [("c1", "track_shipment")]
    assert [one.state for one in shown(line, ToolRecord)] == ["ok"]


# Orders


def test_the_desk_ends_a_call_with_a_goodbye_that_the_caller_cannot_avert():
    line = talking()

    line.take(call.Ordered(Order.END))
    line.wait(0.5)
    line.take(gemini.CallerSaid("No, wait!"))
    line.speak(1.0)
    line.wait(5)

    assert notes.DESK_ENDS in line.told()
    assert line.end is not None
    assert (line.end.reason, line.end.hang_up) == ("agent_hangup", True)
    assert line.counters["desk_end"] == 1


def test_the_desk_ends_a_call_whose_model_is_gone_by_a_recording():
    line = Rehearsal()

    line.take(call.Ordered(Order.END))
    line.wait(10)

    assert [clip for _, clip in line.said()] == ["goodbye"]
    assert line.end is not None


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (Order.NOTE, "tells you, and not the caller"),
        (Order.SAY, "wants you to say this to the caller"),
        (Order.MESSAGE, "call request_callback"),
    ],
)
def test_what_the_desk_wants_reaches_the_model_once_nobody_speaks(order, told):
    line = talking()
    line.speak(3.0)
    line.wait(1)

    line.take(call.Ordered(order, "The shop closes at five."))
    while_speaking = line.told()
    line.wait(2.5)

    assert "The shop closes at five." not in while_speaking
    assert told in line.told()
    assert line.told().count("The shop closes at five.") == 1
    assert [one.order for one in shown(line, Obeyed)] == [order.value]


def test_a_number_that_the_desk_wants_said_may_be_said_and_one_in_a_note_may_not():
    said, noted = talking(), talking()
    for line, order in ((said, Order.SAY), (noted, Order.NOTE)):
        line.take(call.Ordered(order, "Ring 0700 000 123."))
        line.wait(0.1)
        line.take(gemini.AgentSaid("Please ring 0700 000 123."))

    assert said.counters.get("speech_cut", 0) == 0
    assert noted.counters["speech_cut"] == 1


def test_an_order_opens_nothing_that_only_the_callers_answer_opens():
    line = talking()
    answered_before = line.session._scene.consent.is_given("")

    line.take(call.Ordered(Order.SAY, "Yes, please do that."))
    line.wait(1)

    assert line.session._scene.consent.is_given("") == answered_before


# The messages


@pytest.mark.parametrize(
    "what",
    [
        TurnRecord(3, "caller", "Hello", 10, 20),
        ToolBegun("c1", "track_shipment", 10),
        ToolRecord("c1", "track_shipment", "k", {}, {"message": "Here."}, "ok", 10, 5),
        Speaking("agent"),
        Obeyed("note", 10),
    ],
)
def test_every_news_is_a_message_with_a_kind_and_a_key(what):
    told = news.message(what)

    assert told["kind"]
    assert told["key"]


def test_no_telephone_number_is_told_in_full_nor_what_no_message_can_hold():
    said = news.message(TurnRecord(3, "agent", "Is it +254700000123 \ud83d?", 10, 20))
    ran = news.message(
        ToolRecord("c1", "request_callback", "k", {}, {"message": "We ring 0700 000 123."}, "ok", 1, 5)
    )

    assert "700000123" not in said["text"].replace(" ", "")
    assert "0700 000 123" not in ran["answer"]
    assert said["text"].encode()


def test_a_turn_and_a_tool_that_go_on_take_the_place_of_what_was_shown_of_them():
    first, last = (news.message(TurnRecord(3, "caller", text, 10, 20)) for text in ("He", "Hello"))
    begun = news.message(ToolBegun("c1", "track_shipment", 10))
    ended = news.message(ToolRecord("c1", "track_shipment", "k", {}, {"message": "Here."}, "ok", 10, 5))

    assert first["key"] == last["key"]
    assert begun["key"] == ended["key"]


def test_who_may_not_read_what_is_said_sees_that_tools_run_and_no_words():
    said = news.message(TurnRecord(3, "caller", "Hello", 10, 20))
    ran = news.message(ToolRecord("c1", "track_shipment", "k", {}, {"message": "Here."}, "ok", 10, 5))

    assert news.for_viewer(said, heard=False) is None
    seen = news.for_viewer(ran, heard=False)
    assert seen is not None
    assert "Here." not in str(seen)
    assert seen["state"] == "ok"
