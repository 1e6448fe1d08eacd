"""What a call does about silence, from either side, and about a model that does not do its work: G9, G10."""

import pytest

from tests.rehearsal import CLIP_S, GREET, Rehearsal, a_tool_call, done, with_model
from voice import events as call
from voice import notes
from voice.limits import Limits
from voice.session import State
from voice.wire import gemini, sautikit


def talking(limits: Limits | None = None) -> Rehearsal:
    """Return a call in which the agent has greeted and nobody speaks."""
    line = Rehearsal(limits)
    line.greet()
    return line


def nudges(line: Rehearsal, words: str) -> list[float]:
    """Return when the model was told something."""
    return line.times(lambda one: one == call.Tell(gemini.text(words)))


# Speak first


def test_a_model_that_does_not_greet_is_told_once_more_and_then_a_recording_greets():
    line = Rehearsal()

    line.connect(0.3)
    line.wait(9)

    assert nudges(line, GREET) == pytest.approx([0.3, 3.8])
    ((at, clip),) = line.said()
    assert at == pytest.approx(8.3)
    assert clip == "greeting"
    assert notes.GREETED in line.told(8)


def test_a_model_that_greets_late_is_not_told_any_more():
    line = Rehearsal()
    line.connect(0.3)
    line.wait(3)

    line.speak(2)
    line.wait(10)

    assert len(nudges(line, GREET)) == 1
    assert line.said() == []


def test_a_greeting_of_zero_level_is_none():
    line = Rehearsal()
    line.connect(0.3)

    line.take(gemini.Audio(bytes(48_000), 24_000), gemini.GenerationComplete())
    line.wait(9)

    assert len(nudges(line, GREET)) == 2
    assert [clip for _, clip in line.said()] == ["greeting"]


def test_a_callers_hello_does_not_reach_the_model_before_the_greeting_is_over():
    line = Rehearsal()
    line.connect(0.3)
    line.wait(0.7)

    line.speak(4)
    line.wait(2.1)
    line.take(call.Sifted(speech=True))
    line.wait(1.8)
    held = line.commands(call.Listen)
    line.wait(0.2)

    assert line.times(lambda one: isinstance(one, call.Sift)) == pytest.approx([3.0])
    assert held == [call.Listen(call.Hearing.HOLD)]
    assert line.log[-1][0] == pytest.approx(5.0)
    assert line.log[-1][1] == call.Listen(call.Hearing.PASS)


def test_after_the_shield_a_caller_who_was_silent_can_cut_in():
    line = Rehearsal()
    line.connect(0.3)
    line.speak(4)

    line.wait(2.1)
    line.take(call.Sifted(speech=False))

    assert line.log[-1] == (line.now_s, call.Listen(call.Hearing.PASS))


def test_the_shield_is_a_setting():
    line = Rehearsal(Limits(shield_s=0))

    line.connect(0.3)

    assert line.commands(call.Listen) == [call.Listen(call.Hearing.PASS)]


def test_a_model_that_does_not_greet_hears_the_caller():
    line = Rehearsal()
    line.connect(0.3)

    line.wait(3.6)

    assert line.commands(call.Listen)[-1] == call.Listen(call.Hearing.PASS)


# The model's silence


def test_g10_a_caller_who_gets_no_answer_gets_one_by_a_nudge_and_then_by_another_connection():
    line = talking()
    line.caller_says()
    said_s = line.now_s

    line.wait(10.1)

    assert nudges(line, notes.ANSWER) == pytest.approx([said_s + 5.5])
    assert line.times(lambda one: isinstance(one, call.Drop)) == pytest.approx([said_s + 10])
    assert line.counters["model_stuck"] == 1


def test_after_that_the_model_is_told_to_answer():
    line = talking()
    line.caller_says()
    line.wait(11.3)

    line.connect(0.3)

    assert notes.CAME_BACK in line.told(line.now_s - 0.1)


@pytest.mark.parametrize("sign", [gemini.WaitingForInput(), a_tool_call(), gemini.Activity(started=True)])
def test_who_has_another_reason_is_not_told_to_answer(sign: gemini.Event):
    line = talking()
    line.caller_says()

    line.wait(1)
    line.take(sign)
    line.wait(8)

    assert nudges(line, notes.ANSWER) == []


def test_a_model_that_says_no_begin_and_end_of_speech_is_waited_for_from_the_words_on():
    line = talking()
    line.take(gemini.CallerSaid("Where is it?"))
    said_s = line.now_s

    line.wait(6)

    assert nudges(line, notes.ANSWER) == pytest.approx([said_s + 5.5])


def test_g9_an_interruption_after_which_nothing_comes_is_followed_by_a_nudge():
    line = talking()
    line.speak(10)
    line.wait(1)
    line.take(gemini.Interrupted(), gemini.TurnComplete())
    cut_s = line.now_s

    line.wait(4.5)

    assert nudges(line, notes.ANSWER) == pytest.approx([cut_s + 4])


def test_g9_who_speaks_on_after_cutting_in_is_not_spoken_over():
    line = talking()
    line.speak(10)
    line.wait(1)
    line.take(gemini.Activity(started=True), gemini.Interrupted(), gemini.TurnComplete())

    line.wait(8)

    assert nudges(line, notes.ANSWER) == []


def test_g9_two_interruptions_and_one_without_audio_hush_each_time():
    line = talking()

    line.take(gemini.Interrupted(), gemini.Interrupted())

    assert line.commands(call.Hush) == [call.Hush(), call.Hush()]


def test_g9_a_tool_goes_on_when_the_caller_cuts_in():
    line = talking()
    tool = a_tool_call(name="confirm_reschedule")
    line.take(tool, gemini.Interrupted(), gemini.TurnComplete())

    line.take(done(tool))

    assert line.session.ending().outcome == "rescheduled"


def test_a_tools_answer_that_is_not_spoken_of_is_followed_by_a_nudge():
    line = talking()
    tool = a_tool_call()
    line.take(tool, gemini.TurnComplete(), done(tool))
    told_s = line.now_s

    line.wait(7)

    assert nudges(line, notes.ANSWER) == pytest.approx([told_s + 6])


def test_g10_two_empty_turns_are_followed_by_a_nudge_and_a_third_by_a_new_conversation():
    line = talking()

    line.take(gemini.TurnComplete(), gemini.TurnComplete())
    nudged = nudges(line, notes.REPHRASE)
    line.take(gemini.TurnComplete())
    line.wait(0.1)
    line.take(call.ModelOpened())

    assert len(nudged) == 1
    assert '"handle"' not in line.told(line.now_s)


def test_rejected_answers_count_as_empty_turns_though_they_were_begun():
    line = talking()

    for _ in range(2):
        line.speak(0.2)
        line.take(gemini.TurnComplete("RESPONSE_REJECTED"))
        line.wait(1)

    assert line.counters["empty_turns"] == 2


def test_turns_of_tools_of_waiting_and_of_interruption_are_not_empty():
    line = talking()

    for event in (a_tool_call(), gemini.WaitingForInput(), gemini.Interrupted()):
        line.take(event, gemini.TurnComplete())

    assert "empty_turns" not in line.counters


def test_g11_a_model_that_stops_in_mid_turn_is_told_to_go_on_and_then_left():
    line = talking()
    line.speak(2, complete=False)
    line.wait(2)
    heard_s = line.now_s

    line.wait(10.1)

    assert nudges(line, notes.GO_ON) == pytest.approx([heard_s + 4])
    assert line.times(lambda one: isinstance(one, call.Drop)) == pytest.approx([heard_s + 10])


@pytest.mark.parametrize("end", [gemini.GenerationComplete(), gemini.TurnComplete()])
def test_g11_a_turn_whose_end_comes_late_is_an_ordinary_one(end: gemini.Event):
    line = talking()
    line.speak(2, complete=False)
    line.wait(4)

    line.take(end)
    ended_s = line.now_s
    line.hear_out()
    line.wait(20.1)

    assert nudges(line, notes.GO_ON) == []
    assert nudges(line, notes.ASK) == pytest.approx([ended_s + 20])


def test_g11_a_model_that_pauses_is_left_to_speak_on():
    line = talking()
    line.speak(2, complete=False)
    line.wait(5)

    line.speak(2)
    line.wait(12)

    assert nudges(line, notes.GO_ON) == []
    assert "model_stuck" not in line.counters


def test_g11_who_never_ends_a_turn_is_told_once_and_its_silent_caller_asked():
    line = talking()
    line.speak(2, complete=False)
    line.wait(7.6)
    line.speak(2, complete=False)
    line.wait(2)
    heard_s = line.now_s

    line.wait(20.1)

    assert len(nudges(line, notes.GO_ON)) == 1
    assert nudges(line, notes.ASK) == pytest.approx([heard_s + 20])


def test_g11_a_goodbye_whose_end_never_comes_is_no_silence_before_the_end():
    line = talking()
    line.take(a_tool_call(name="end_call"))
    line.speak(3, complete=False)
    line.wait(3)
    heard_s = line.now_s

    line.wait(5)

    assert line.times(lambda one: isinstance(one, call.End)) == pytest.approx([heard_s + 3.5])


def test_a_short_answer_that_the_model_does_not_notice_is_pointed_out_to_it_once():
    line = talking()
    line.sound(0.4)
    said_s = line.now_s

    line.wait(2.1)
    line.speak(1)
    line.wait(3)
    line.sound(0.4)
    line.wait(3)

    assert nudges(line, notes.UNHEARD) == pytest.approx([said_s + 2], abs=0.03)


@pytest.mark.parametrize(
    "sign",
    [
        gemini.Activity(started=True),
        gemini.CallerSaid("Yes."),
        gemini.Audio(b"\x00\x10\x00\xf0" * 480, 24_000),
        a_tool_call(),
        sautikit.Dtmf("1", None),
    ],
)
def test_what_the_model_notices_is_not_pointed_out_to_it(sign: call.Event):
    line = talking()
    line.sound(0.4)

    line.wait(1)
    line.take(sign)
    line.wait(3)

    assert nudges(line, notes.UNHEARD) == []


def test_who_sounds_on_is_not_spoken_over():
    line = talking()
    line.sound(3)
    said_s = line.now_s

    line.wait(2.1)

    assert nudges(line, notes.UNHEARD) == pytest.approx([said_s + 2], abs=0.03)


def test_a_sound_while_the_agent_speaks_is_its_echo():
    line = talking()
    line.speak(3)

    line.sound(0.4)
    line.wait(8)

    assert nudges(line, notes.UNHEARD) == []


# The caller's silence


def test_a_silent_caller_is_asked_after_20_seconds_and_left_after_40():
    line = Rehearsal()
    line.connect(handle="h1")
    line.speak(5)
    line.wait(5)
    line.take(gemini.TurnComplete())
    heard_s = line.now_s

    line.wait(20)
    line.speak(1)
    line.wait(20)
    line.speak(1)
    line.wait(2)

    assert nudges(line, notes.ASK) == pytest.approx([heard_s + 20])
    assert nudges(line, notes.SILENT) == pytest.approx([heard_s + 40])
    assert line.end == call.End("silence_timeout", call.CLOSE_IDLE, hang_up=True)


def test_the_silence_counts_from_when_the_agent_was_heard_out():
    line = talking()
    line.speak(30)
    made_s = line.now_s

    line.wait(49)

    assert nudges(line, notes.ASK) == []
    line.wait(2)
    assert nudges(line, notes.ASK) == pytest.approx([made_s + 50])


@pytest.mark.parametrize(
    "sign", [gemini.Activity(started=True), gemini.CallerSaid("Yes?"), sautikit.Dtmf("1", None)]
)
def test_any_sign_of_life_puts_the_question_off(sign: call.Event):
    line = talking()

    line.wait(15)
    line.take(sign)
    line.wait(4.9)
    line.speak(1)
    line.wait(15)

    assert nudges(line, notes.ASK) == []


def test_a_caller_who_speaks_while_goodbye_is_said_for_their_silence_is_heard():
    line = talking()
    line.wait(20.1)
    line.speak(1)
    line.wait(20)
    line.speak(3)

    line.caller_says("I am here!")
    line.speak(1)
    line.wait(5)

    assert line.end is None
    assert line.session.state is State.TALKING


def test_a_goodbye_that_the_model_does_not_say_is_said_by_a_recording():
    line = talking(Limits(ask_s=1000))

    line.wait(40.1 + 3.5 + CLIP_S)

    assert [clip for _, clip in line.said()] == ["goodbye"]
    assert line.end == call.End("silence_timeout", call.CLOSE_IDLE, hang_up=True)


def test_a_key_is_a_sign_of_life_and_only_that_it_was_pressed_is_written_down():
    line = talking()

    line.take(sautikit.Dtmf("7", 100), sautikit.Dtmf("3", None), call.HungUp(1000))

    words = [one.what for one in line.commands(call.Record) if isinstance(one, call.Record)]
    assert getattr(words[-1], "text", "") == "[key] [key]"


# The length of a call


def test_a_minute_before_the_end_the_caller_is_told_and_at_the_end_is_said_goodbye():
    line = talking(Limits(call_s=120, ask_s=1000, silence_s=1000))

    line.wait(60)
    line.speak(2)
    line.wait(46.5)
    line.speak(2)
    line.wait(3)

    assert nudges(line, notes.WARNING) == pytest.approx([60])
    assert nudges(line, notes.TIME_IS_UP) == pytest.approx([108])
    assert line.end == call.End("max_duration", call.CLOSE_TIME_LIMIT, hang_up=True)


def test_the_warning_waits_until_nobody_speaks():
    line = talking(Limits(call_s=120, ask_s=1000, silence_s=1000))
    line.wait(57)
    line.speak(10)

    line.wait(12)

    assert nudges(line, notes.WARNING) == pytest.approx([69.3])


def test_who_speaks_on_is_cut_off_at_the_end():
    line = talking(Limits(call_s=30, ask_s=1000, silence_s=1000))

    line.take(gemini.Activity(started=True))
    line.speak(60, complete=False)
    line.wait(40)

    assert line.times(lambda one: isinstance(one, call.End)) == [30.0]


def test_two_machines_are_parted_after_40_turns():
    line = talking()

    for n in range(20):
        line.take(gemini.CallerSaid(f"Hello {n}."), gemini.AgentSaid("Hello."))
        line.speak(0.1)
        line.take(gemini.TurnComplete())
    line.take(gemini.CallerSaid("Hello."))

    assert line.counters["talks_to_no_end"] == 1
    assert notes.NO_PROGRESS in line.told()
    assert line.session.state is State.LEAVING


def test_a_call_that_comes_to_nothing_for_three_minutes_ends():
    line = talking()

    for _ in range(24):
        line.caller_says(seconds=1)
        line.speak(3)
        line.wait(6.6)

    assert notes.NO_PROGRESS in line.told()


def test_a_call_in_which_something_is_done_goes_on():
    line = talking()

    for n in range(24):
        line.caller_says(seconds=1)
        tool = a_tool_call(f"c{n}")
        line.take(tool, done(tool))
        line.speak(3)
        line.wait(6.6)

    assert "talks_to_no_end" not in line.counters


def test_machines_that_avert_each_others_goodbye_are_parted_all_the_same():
    line = talking()

    for n in range(30):
        line.speak(2)
        line.take(a_tool_call(f"e{n}", "end_call"))
        line.wait(1)
        line.take(gemini.Activity(started=True), gemini.Interrupted(), gemini.TurnComplete())
        line.wait(2)
        line.take(gemini.Activity(started=False))
        line.wait(4)

    assert line.counters["talks_to_no_end"] == 1
    assert line.end is not None


# The end


def test_the_model_ends_the_call_once_its_goodbye_has_been_heard_out():
    line = talking()
    line.caller_says("That is all, thank you.")
    line.speak(4, complete=False)
    said_s = line.now_s

    line.take(a_tool_call("e1", "end_call"), gemini.GenerationComplete(), gemini.TurnComplete())
    line.wait(10)

    assert '"e1"' in line.told(said_s)
    assert '"scheduling": "SILENT"' in line.told(said_s)
    assert line.times(lambda one: isinstance(one, call.End)) == pytest.approx([said_s + 4])
    assert line.end == call.End("agent_hangup", call.CLOSE_NORMAL, hang_up=True)


def test_a_goodbye_that_comes_after_the_tool_is_waited_for():
    line = talking()
    line.take(a_tool_call(name="end_call"), gemini.GenerationComplete(), gemini.TurnComplete())
    line.wait(1)

    line.speak(3)
    said_s = line.now_s
    line.wait(10)

    assert line.times(lambda one: isinstance(one, call.End)) == pytest.approx([said_s + 3])


def test_a_caller_who_has_one_more_thing_is_heard():
    line = talking()
    line.speak(3)
    line.take(a_tool_call(name="end_call"))
    line.wait(1)

    line.take(gemini.Activity(started=True), gemini.Interrupted(), gemini.TurnComplete())
    line.wait(2)
    line.take(gemini.Activity(started=False))
    line.speak(1)
    line.wait(5)

    assert line.end is None


def test_a_stopping_process_says_goodbye():
    line = talking()

    line.take(call.Stopping())
    line.speak(2)
    line.wait(3)

    assert notes.STOPPING in line.told()
    assert line.end == call.End("agent_hangup", call.CLOSE_DRAINING, hang_up=True)


def test_a_process_that_is_out_of_time_says_no_goodbye():
    line = talking()
    line.take(call.Stopping())

    line.take(call.Stopping(at_once=True))

    assert line.end == call.End("agent_hangup", call.CLOSE_DRAINING, hang_up=True)


def test_who_cuts_off_a_last_goodbye_hears_another_and_is_not_hung_up_on_at_once():
    line = talking()
    line.take(call.Stopping())
    line.speak(4)
    line.wait(1)

    line.take(gemini.Activity(started=True), gemini.Interrupted(), gemini.TurnComplete())
    cut_s = line.now_s
    line.wait(5)

    assert line.said() == [(cut_s + 1.5, "goodbye")]
    assert line.times(lambda one: isinstance(one, call.End)) == [cut_s + 1.5 + CLIP_S]


def test_the_silence_of_the_telephone_itself_ends_the_call():
    line = talking()
    line.telephone_is_dead = True

    line.wait(16)

    assert line.end == call.End("carrier_error", call.CLOSE_IDLE, hang_up=True)


@pytest.mark.parametrize("model", ["gemini-3.8-live", "gemini-3.1-flash-live-preview", "gemini-9"])
def test_a_call_with_any_model_comes_to_an_end(model: str):
    line = Rehearsal(brief=with_model(model))
    line.greet()

    line.wait(700)

    assert line.end is not None
