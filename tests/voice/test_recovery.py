"""What a call does when the model goes away: G1 to G6, G12 and G13, by the clock."""

from itertools import pairwise

import pytest

from tests.rehearsal import CLIP_S, Rehearsal, a_tool_call, done, setups, talking
from voice import events as call
from voice import notes
from voice.limits import Limits
from voice.session import State
from voice.wire import gemini


def test_a_lost_idle_connection_is_taken_up_again_by_its_handle_after_a_second():
    line = talking()
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(1.3)
    line.connect(0.3, handle="h2")

    assert line.dials()[-1] == pytest.approx(lost_s + 1.0)
    assert '"handle": "h1"' in setups(line, lost_s)[0]
    assert line.counters["resumptions"] == 1
    assert line.session.state is State.TALKING


def test_a_connection_lost_in_mid_speech_is_taken_up_again_at_once():
    line = talking()
    line.speak(5, complete=False)
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(0.1)
    line.connect(0.3)

    assert line.dials()[-1] == lost_s
    assert call.Trim(0.8) in line.commands(since_s=lost_s)
    assert notes.CAME_BACK in line.told(lost_s)


def test_nobody_is_spoken_to_after_a_gap_in_which_nothing_was_owed():
    line = talking()
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(1.3)
    line.connect(0.3)

    assert notes.CAME_BACK not in line.told(lost_s)


def test_the_newest_handle_that_can_be_resumed_is_the_one_that_is_used():
    line = talking()
    line.take(gemini.Handle("h2", resumable=True), gemini.Handle("h3", resumable=False))
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(1.3)
    line.take(call.ModelOpened())

    assert '"handle": "h2"' in setups(line, lost_s)[0]


def test_g13_after_two_refused_tries_a_new_conversation_begins_with_a_summary():
    line = talking()
    line.take(gemini.CallerSaid("Where is my parcel?"))
    tool = a_tool_call()
    line.take(tool, done(tool, message="It is in Nairobi."), gemini.TurnComplete())
    line.speak(1)
    line.wait(3)
    line.take(gemini.TurnComplete())
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(1.3)
    for _ in range(2):
        line.take(call.ModelOpened(), call.ModelClosed("lost"))
        line.wait(0.7)
    line.connect(0.3)

    handles = ['"handle": "h1"' in setup for setup in setups(line, lost_s)]
    told = line.told(lost_s)
    assert handles == [True, True, False]
    assert line.now_s - lost_s < 4.0
    assert "Where is my parcel?" in told
    assert "track_shipment: ok: It is in Nairobi." in told
    assert "must not be done again" in told
    assert line.counters["fresh_sessions"] == 1


def test_a_silent_loss_gets_one_try_at_once_and_then_a_new_conversation():
    line = talking()
    lost_s = line.now_s

    line.take(call.ModelClosed("lost", silent=True))
    line.wait(0.1)
    line.take(call.ModelOpened(), call.ModelClosed("lost"))
    line.wait(0.1)
    line.connect(0.3)

    assert line.dials()[-2] == lost_s
    assert '"handle"' in setups(line, lost_s)[0]
    assert '"handle"' not in setups(line, lost_s)[1]


def test_two_tries_that_hang_after_an_idle_loss_share_the_time_until_a_new_conversation():
    line = talking()
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    for wait_s in (1.1, 1.1, 1.2):
        line.wait(wait_s)
        line.take(call.ModelOpened())

    handles = ['"handle": "h1"' in setup for setup in setups(line, lost_s)]
    assert line.dials()[1:] == pytest.approx([lost_s + 1.0, lost_s + 2.15, lost_s + 3.3])
    assert handles == [True, True, False]
    assert line.commands(call.Drop, lost_s).count(call.Drop(awaited=False)) == 2


def test_two_tries_that_hang_in_mid_speech_share_the_time_until_a_new_conversation():
    line = talking()
    line.speak(5, complete=False)
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    for wait_s in (0.1, 1.7, 1.6):
        line.wait(wait_s)
        line.take(call.ModelOpened())

    handles = ['"handle": "h1"' in setup for setup in setups(line, lost_s)]
    assert line.dials()[1:] == pytest.approx([lost_s, lost_s + 1.65, lost_s + 3.3])
    assert handles == [True, True, False]


def test_on_a_far_network_a_first_try_is_waited_for_two_seconds():
    line = talking(took_s=0.9)
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(1.1)
    line.connect(1.8)

    assert line.dials()[1:] == pytest.approx([lost_s + 1.0])
    assert line.counters["resumptions"] == 1


def test_on_a_far_network_a_first_try_that_hangs_is_followed_by_a_new_conversation():
    line = talking(took_s=0.9)
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    for wait_s in (1.1, 2.0):
        line.wait(wait_s)
        line.take(call.ModelOpened())

    handles = ['"handle": "h1"' in setup for setup in setups(line, lost_s)]
    assert line.dials()[1:] == pytest.approx([lost_s + 1.0, lost_s + 3.0])
    assert handles == [True, False]


def test_no_try_in_a_call_is_given_more_than_two_seconds():
    line = talking(Limits(resume_s=20.0, failures=9))
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(6)

    assert line.dials()[1:] == pytest.approx([lost_s + 1.0, lost_s + 3.0, lost_s + 5.0])


def test_a_refused_try_leaves_the_next_one_its_whole_share():
    line = talking()
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(1.3)
    line.take(call.ModelOpened(), call.ModelClosed("lost"))
    line.wait(2.1)

    assert line.dials()[1:] == pytest.approx([lost_s + 1.0, lost_s + 1.8, lost_s + 3.3])


def test_a_refused_handle_is_dropped_for_one_new_conversation():
    line = talking()
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(1.3)
    line.take(call.ModelOpened(), call.ModelClosed("refused"))
    line.wait(0.1)
    line.connect(0.3)

    assert '"handle"' not in setups(line, lost_s)[1]
    assert line.end is None


@pytest.mark.parametrize("why", ["refused", "busy"])
def test_g5_what_will_not_be_taken_back_is_not_tried_again(why: str):
    line = talking()

    line.take(call.ModelClosed(why))
    line.take(call.CallbackAsked(written=True))
    line.wait(CLIP_S)

    assert len(line.dials()) == 1
    assert line.said()[-1][1] == "apology_callback"
    assert line.end == call.End("model_failure", call.CLOSE_UPSTREAM, hang_up=True)
    assert line.counters[f"model_{why}"] == 1
    assert line.session.ending().outcome == "callback_requested"


@pytest.mark.parametrize("why", ["refused", "busy"])
def test_g1_a_model_that_refuses_at_the_start_is_apologised_for(why: str):
    line = Rehearsal()

    line.wait(0.2)
    line.take(call.ModelClosed(why))
    line.take(call.CallbackAsked(written=False))
    line.wait(CLIP_S)

    assert [clip for _, clip in line.said()] == ["apology"]
    assert line.end == call.End("model_failure", call.CLOSE_UPSTREAM, hang_up=True)
    assert line.session.ending().outcome == "no_outcome"


def test_g1_a_model_that_cannot_be_reached_is_tried_three_times():
    line = Rehearsal()
    for _ in range(3):
        line.take(call.ModelClosed("lost"))
        line.wait(0.4)

    assert len(line.dials()) == 3
    assert line.commands(call.AskCallback)


def test_g4_three_failures_in_a_row_end_the_call_in_words():
    line = talking()
    line.take(call.ModelClosed("lost"))
    for _ in range(3):
        line.wait(1.3)
        line.take(call.ModelOpened(), call.ModelClosed("lost"))

    line.take(call.CallbackAsked(written=True))
    line.wait(20)

    (asked,) = line.commands(call.AskCallback)
    assert isinstance(asked, call.AskCallback)
    assert asked.reason == "model_failure"
    assert line.said()[-1][1] == "apology_callback"
    assert line.end == call.End("model_failure", call.CLOSE_UPSTREAM, hang_up=True)


def test_ten_seconds_of_speech_clear_the_count_of_failures():
    line = talking()

    for _ in range(6):
        line.take(call.ModelClosed("lost"))
        line.wait(1.3)
        line.connect(0.3, handle="h")
        line.speak(1)
        line.wait(11)
        line.take(gemini.TurnComplete())

    assert line.end is None


def test_connections_that_do_not_hold_are_failures():
    line = talking()

    line.take(call.ModelClosed("lost"))
    for _ in range(3):
        line.wait(1.3)
        line.connect(0.1, handle="h")
        line.wait(1)
        line.take(call.ModelClosed("lost"))

    assert line.commands(call.AskCallback)


def test_the_caller_is_told_to_wait_within_a_second_and_a_half_and_never_left_alone_for_five():
    line = talking()
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(8)

    fillers = [at for at, clip in line.said() if clip == "filler"]
    assert fillers[0] - lost_s <= 1.5
    assert all(later - at - CLIP_S < 5 for at, later in pairwise(fillers))


def test_a_caller_who_still_hears_the_agent_is_not_told_to_wait():
    line = talking()
    line.speak(6)
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(0.1)
    line.connect(0.3)
    line.wait(8)

    assert [clip for _, clip in line.said()] == []
    assert call.Trim(0.8) not in line.commands(since_s=lost_s)


def test_a_loss_that_is_mended_at_once_is_not_mentioned():
    line = talking()

    line.take(call.ModelClosed("lost", silent=True))
    line.connect(0.5)
    line.wait(5)

    assert line.said() == []


def test_the_gaps_are_measured():
    line = talking()

    line.take(call.ModelClosed("lost"))
    line.wait(1.3)
    line.connect(0.2)

    assert line.session.ending().timings["gaps_ms"] == [1500]


def test_what_is_said_meanwhile_is_kept_and_then_passed_on():
    line = talking()
    lost_s = line.now_s

    line.take(call.ModelClosed("lost"))
    line.wait(1.3)
    line.connect(0.2)

    assert line.commands(call.Listen, lost_s) == [
        call.Listen(call.Hearing.KEEP),
        call.Listen(call.Hearing.PASS),
    ]


def test_a_silent_caller_whom_a_gap_kept_from_being_asked_is_asked_after_it():
    line = talking()
    line.wait(8.8)
    line.take(call.ModelClosed("lost", silent=True))
    line.wait(0.1)
    line.connect(0.5)
    back_s = line.now_s

    line.wait(20.1)
    line.speak(1)
    line.wait(20.1)

    assert line.times(lambda one: one == call.Tell(gemini.text(notes.ASK))) == [pytest.approx(back_s + 20)]
    assert line.times(lambda one: one == call.Tell(gemini.text(notes.SILENT))) == [pytest.approx(back_s + 40)]


def test_a_question_that_the_gap_swallowed_is_put_again():
    line = talking()
    line.wait(9.05)
    line.take(call.ModelClosed("lost", silent=True))
    line.wait(0.1)
    line.connect(0.3)
    line.speak(1)
    line.wait(1)
    back_s = line.now_s

    line.wait(20.1)

    assert line.times(lambda one: one == call.Tell(gemini.text(notes.ASK)))[-1] == pytest.approx(back_s + 20)


def test_who_was_heard_out_in_a_gap_and_says_nothing_is_asked():
    line = talking()
    line.caller_says()
    line.speak(0.4)
    line.take(gemini.TurnComplete())
    line.take(call.ModelClosed("lost", silent=True))
    line.wait(0.1)
    line.connect(0.5)
    back_s = line.now_s

    line.wait(20.1)

    assert line.times(lambda one: one == call.Tell(gemini.text(notes.ASK))) == [pytest.approx(back_s + 20)]
