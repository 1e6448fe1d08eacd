"""A connection is renewed before the model ends it, and what is in hand when one goes is not lost with it."""

import pytest

from tests.rehearsal import CLIP_S, GREET, Rehearsal, a_tool_call, done, talking, with_model
from voice import events as call
from voice import notes
from voice.limits import Limits
from voice.wire import gemini

# Renewal


def test_g6_a_notice_is_heeded_in_the_next_quiet_moment():
    line = talking()
    line.speak(4)
    said_s = line.now_s
    line.take(gemini.GoAway(50))

    line.wait(3.9)
    line.take(gemini.TurnComplete())
    line.wait(0.2)

    assert line.times(lambda one: isinstance(one, call.Drop)) == [said_s + 4]
    line.wait(1.2)
    assert line.dials()[-1] == pytest.approx(said_s + 5.0)
    line.connect(0.3)
    assert line.counters["renewals"] == 1
    assert line.counters["resumptions"] == 1


def test_g6_without_a_quiet_moment_the_timer_renews_before_the_deadline():
    line = talking()
    line.take(gemini.Activity(started=True))
    notified_s = line.now_s

    line.take(gemini.GoAway(20))
    line.wait(30)

    assert line.times(lambda one: isinstance(one, call.Drop))[0] == notified_s + 18


def test_a_notice_without_any_time_is_heeded_at_once():
    line = talking()
    line.speak(10, complete=False)

    line.take(gemini.GoAway(0))
    line.wait(0.1)

    assert line.dials()[-1] == pytest.approx(line.now_s - 0.1)


def test_an_old_connection_is_renewed_in_a_quiet_moment():
    line = Rehearsal(Limits(connection_s=60, ask_s=1000, silence_s=1000))
    line.greet()

    line.wait(58.5)

    assert line.times(lambda one: isinstance(one, call.Drop)) == [pytest.approx(60.3)]


def test_g12_no_connection_is_renewed_shortly_before_the_longest_call_is_over():
    line = Rehearsal(Limits(connection_s=60, call_s=80, warning_s=80, ask_s=1000, silence_s=1000))
    line.greet()

    line.wait(65)

    assert not line.commands(call.Drop)


def test_a_planned_gap_counts_as_no_failure():
    line = Rehearsal(Limits(connection_s=20, ask_s=1000, silence_s=1000, machine_s=1000))
    line.greet()

    for wait_s in (19.4, 21.4, 21.4, 21.4, 21.4):
        line.wait(wait_s)
        line.connect(0.3, handle="h")

    assert line.end is None
    assert line.counters["renewals"] == 5


# What is in hand when the connection goes


def test_a_tool_that_ends_in_the_gap_is_answered_in_the_conversation_that_goes_on():
    line = talking()
    tool = a_tool_call()
    line.take(tool)
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"), done(tool))
    before = line.told(lost_s)
    line.wait(1.3)
    line.connect(0.3)

    assert '"toolResponse"' not in before
    assert line.told(lost_s).count('"toolResponse"') == 1


def test_an_answer_that_may_have_been_lost_with_the_connection_is_sent_again():
    line = talking()
    tool = a_tool_call()
    line.take(tool, done(tool))
    line.wait(0.1)
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(0.1)
    line.connect(1.5)

    assert line.told(lost_s).count('"toolResponse"') == 1


def test_an_answer_of_which_the_model_has_spoken_is_not_sent_again():
    line = talking()
    tool = a_tool_call()
    line.take(tool, done(tool))
    line.wait(0.1)
    line.speak(2)
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(1.3)
    line.connect(0.3)

    assert '"toolResponse"' not in line.told(lost_s)


def test_an_answer_that_the_model_asks_for_again_under_its_id_is_sent_again():
    line = talking()
    tool = a_tool_call()
    line.take(tool, done(tool, message="It is in Nairobi."))
    line.speak(2)
    line.wait(3)
    asked_s = line.now_s

    line.take(tool)
    line.wait(6.1)

    assert line.told(asked_s).count("It is in Nairobi.") == 1
    assert len(line.commands(call.Run)) == 1
    assert line.times(lambda one: one == call.Tell(gemini.text(notes.ANSWER))) == [asked_s + 6]


def test_a_new_conversation_may_use_an_id_anew():
    line = talking()
    tool, another = a_tool_call("c1", day="friday"), a_tool_call("c1", day="monday")
    line.take(tool)
    line.take(call.ModelClosed("lost"))
    line.wait(1.3)
    line.take(call.ModelOpened(), call.ModelClosed("refused"))
    line.wait(0.1)
    line.connect(0.3)
    anew_s = line.now_s

    line.take(another, done(tool, message="Friday."), done(another, message="Monday."))

    assert line.commands(call.Run, anew_s) == [call.Run(another)]
    assert line.told(anew_s).count('"toolResponse"') == 1
    assert "Monday." in line.told(anew_s)


def test_a_tool_of_an_old_conversation_is_not_answered_in_a_new_one_but_told():
    line = Rehearsal()
    line.greet(handle="")
    line.wait(11)
    tool = a_tool_call()
    line.take(tool)
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(1.3)
    line.connect(0.3)
    line.speak(1)
    line.wait(4)
    line.take(done(tool, message="It is done."))

    assert '"toolResponse"' not in line.told(lost_s)
    assert "It is done." in line.told(lost_s)


def test_a_caller_who_was_not_greeted_before_the_loss_is_greeted_after_it():
    line = Rehearsal()
    line.connect(handle="h1")
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(1.3)
    line.connect(0.3)

    assert gemini.text(GREET) in line.told(lost_s)


def test_a_goodbye_that_the_model_cannot_say_any_more_is_said_by_a_recording():
    line = talking()
    line.take(a_tool_call(name="end_call"))

    line.take(call.ModelClosed("lost"))
    line.wait(CLIP_S + 1)

    assert line.said()[-1][1] == "goodbye"
    assert len(line.dials()) == 1
    assert line.end == call.End("agent_hangup", call.CLOSE_NORMAL, hang_up=True)


def test_a_model_that_takes_no_content_in_mid_call_is_told_the_summary_too():
    line = Rehearsal(brief=with_model("gemini-3.1-flash-live-preview"))
    line.greet(handle="")
    line.take(gemini.CallerSaid("Where is it?"))
    line.wait(5)
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(1.3)
    line.connect(0.3)

    assert "Where is it?" in line.told(lost_s)
    assert '"clientContent"' not in line.told(lost_s)
