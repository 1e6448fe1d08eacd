"""What a call decides: events in, commands out, with no clock and no socket."""

import pytest

from voice import events as call
from voice.limits import Limits
from voice.records import ToolRecord, TurnRecord, UsageSeen
from voice.scene import Brief
from voice.session import Session
from voice.wire import gemini, sautikit

PCM = b"\x01\x00" * 960
LOUD = b"\xff\x3f\x01\xc0" * 480


class Unwatched(Session):
    """A session whose commands are those that do something: what is shown has tests of its own."""

    def handle(self, event: call.Event, now_s: float) -> list[call.Command]:
        return [one for one in super().handle(event, now_s) if not isinstance(one, call.Show)]


def begun(limits: Limits | None = None) -> Session:
    """Return a session that is being connected, at 0 s."""
    session = Unwatched(Brief(setup=a_setup(), nudge="Greet.", session_id="HD_1"), limits or Limits(), 0.0)
    session.handle(call.Answered(), 0.0)
    return session


def talking() -> Session:
    """Return a session whose model is ready, at 0.3 s."""
    session = begun()
    session.handle(call.ModelOpened(), 0.1)
    session.handle(gemini.SetupComplete(""), 0.3)
    return session


def a_setup() -> gemini.Setup:
    """Return the smallest setup."""
    return gemini.Setup(model="gemini-3.8-live", instruction="You are a test.")


def a_tool_call(call_id: str = "c1", name: str = "track_shipment") -> gemini.ToolCall:
    """Return a function call of the model's."""
    return gemini.ToolCall(id=call_id, name=name, args={})


def done(tool_call: gemini.ToolCall, state: str = "ok") -> call.ToolDone:
    """Return the end of a tool's run."""
    return call.ToolDone(tool_call, {"status": "ok"}, state, "key", 10, 20)


def an_utterance_of(text: str, position: int, at_s: float) -> call.Record:
    """Return the record of something that the agent said in one piece."""
    return call.Record(TurnRecord(position, "agent", text, round(at_s * 1000), round(at_s * 1000)))


def kinds(commands: list[call.Command]) -> list[str]:
    """Return the commands' names, in order."""
    return [type(command).__name__ for command in commands]


def test_an_answered_call_dials_the_model():
    session = Session(Brief(setup=a_setup(), nudge="Greet."), Limits(), 0.0)

    assert session.handle(call.Answered(), 0.0) == [call.Dial()]


def test_t8_nothing_but_the_setup_is_said_before_the_model_is_ready():
    session = begun()

    (setup,) = session.handle(call.ModelOpened(), 0.1)

    assert isinstance(setup, call.Tell)
    assert '"setup"' in setup.frame


def test_t9_the_agent_is_made_to_speak_first():
    session = begun()
    session.handle(call.ModelOpened(), 0.1)

    nudge, listen = session.handle(gemini.SetupComplete(""), 0.3)

    assert nudge == call.Tell(gemini.text("Greet."))
    assert listen == call.Listen(call.Hearing.HOLD)


def test_g2_a_model_that_never_gets_ready_is_tried_twice_and_then_given_up():
    session = begun()

    first = [*session.handle(call.Tick(), 4.0), *session.handle(call.Tick(), 8.0)]
    redialled = session.handle(call.Tick(), 8.3)
    session.heard_s = 16.0
    second = session.handle(call.Tick(), 16.3)

    assert first == [call.Say("filler"), an_utterance_of("[filler]", 0, 4.0), call.Drop(awaited=False)]
    assert redialled == [call.Dial()]
    assert kinds(second) == ["Drop", "Drop", "AskCallback"]
    assert session.ending().counters["model_late"] == 2


def test_a_repeated_setup_complete_changes_nothing():
    session = talking()

    assert session.handle(gemini.SetupComplete(""), 1.0) == []


def test_audio_is_played_at_the_rate_that_it_declares():
    session = talking()

    assert session.handle(gemini.Audio(PCM, 24_000), 1.0) == [call.Play(PCM, 24_000)]


def test_an_utterance_ends_once_whichever_end_is_said_first():
    session = talking()
    session.handle(gemini.Audio(PCM, 24_000), 1.0)

    first = session.handle(gemini.GenerationComplete(), 1.1)
    second = session.handle(gemini.TurnComplete(""), 3.0)

    assert first == [call.EndUtterance()]
    assert second == []


def test_t3_an_interruption_hushes_and_nothing_of_the_old_turn_follows():
    session = talking()
    session.handle(gemini.Audio(PCM, 24_000), 1.0)

    hushed = session.handle(gemini.Interrupted(), 1.5)
    late = session.handle(gemini.Audio(PCM, 24_000), 1.6)

    assert hushed == [call.Hush()]
    assert late == []
    assert session.ending().counters["late_audio"] == 1


def test_the_turn_after_an_interruption_is_heard():
    session = talking()
    session.handle(gemini.Interrupted(), 1.5)
    session.handle(gemini.TurnComplete(""), 1.5)

    assert session.handle(gemini.Audio(PCM, 24_000), 1.6) == [call.Play(PCM, 24_000)]


def test_of_a_turn_that_was_cut_off_nothing_follows_however_late_it_comes():
    session = talking()
    session.handle(gemini.Audio(PCM, 24_000), 1.0)
    session.handle(gemini.Interrupted(), 1.5)

    late = session.handle(gemini.Audio(PCM, 24_000), 4.0)
    session.handle(gemini.TurnComplete(""), 4.1)

    assert late == []
    assert session.handle(gemini.Audio(PCM, 24_000), 4.2) == [call.Play(PCM, 24_000)]


@pytest.mark.parametrize(
    "heard", [[gemini.Activity(started=True), gemini.Activity(started=False)], [gemini.CallerSaid("Stop.")]]
)
def test_a_model_that_never_completes_its_turn_is_heard_again_once_the_caller_was(heard):
    session = talking()
    session.handle(gemini.Interrupted(), 1.5)
    for event in heard:
        session.handle(event, 1.8)

    within_a_second = session.handle(gemini.Audio(PCM, 24_000), 2.4)
    after_it = session.handle(gemini.Audio(PCM, 24_000), 2.6)

    assert within_a_second == []
    assert after_it == [call.Play(PCM, 24_000)]


def test_a_model_that_never_completes_its_turn_is_heard_again_when_it_is_told_to_speak():
    session = talking()
    session.handle(gemini.Interrupted(), 1.5)

    told = session.handle(call.Tick(), 1.5 + Limits().interrupted_nudge_s)

    assert "Tell" in kinds(told)
    assert session.handle(gemini.Audio(PCM, 24_000), 6.0) == [call.Play(PCM, 24_000)]


def test_an_interruption_is_told_to_the_carrier_even_when_the_model_has_finished():
    session = talking()
    session.handle(gemini.Audio(PCM, 24_000), 1.0)
    session.handle(gemini.GenerationComplete(), 1.1)

    assert session.handle(gemini.Interrupted(), 1.5) == [call.Hush()]


def test_a_tool_call_is_run_and_answered_once():
    session, tool_call = talking(), a_tool_call()

    run = session.handle(tool_call, 1.0)
    record, tell = session.handle(done(tool_call), 1.2)

    assert run == [call.Run(tool_call)]
    assert tell == call.Tell(gemini.tool_response("c1", "track_shipment", {"status": "ok"}))
    assert isinstance(record, call.Record)
    assert isinstance(record.what, ToolRecord)


def test_a_tool_call_delivered_twice_acts_and_answers_once():
    session, tool_call = talking(), a_tool_call()
    session.handle(tool_call, 1.0)

    again = session.handle(tool_call, 1.1)
    first = session.handle(done(tool_call), 1.2)
    second = session.handle(done(tool_call), 1.3)

    assert again == []
    assert kinds(first) == ["Record", "Tell"]
    assert kinds(second) == ["Record"]


def test_a_cancelled_tool_answers_nothing():
    session, tool_call = talking(), a_tool_call()
    session.handle(tool_call, 1.0)
    session.handle(gemini.ToolsCancelled(("c1",)), 1.1)

    assert kinds(session.handle(done(tool_call), 1.2)) == ["Record"]


@pytest.mark.parametrize("state", ["refused", "failed", "timed_out"])
def test_a_tool_that_does_not_succeed_is_answered_too(state: str):
    session, tool_call = talking(), a_tool_call()
    session.handle(tool_call, 1.0)

    assert kinds(session.handle(done(tool_call, state), 1.2)) == ["Record", "Tell"]


def test_a_tool_that_ends_after_the_call_is_recorded_and_told_to_nobody():
    session, tool_call = talking(), a_tool_call(name="confirm_reschedule")
    session.handle(tool_call, 1.0)
    session.handle(call.HungUp(1000), 1.1)

    assert kinds(session.handle(done(tool_call), 1.2)) == ["Record"]
    assert session.ending().outcome == "rescheduled"


def test_the_weightiest_outcome_stays():
    session = talking()
    for n, name in enumerate(["confirm_reschedule", "track_shipment"]):
        tool_call = a_tool_call(f"c{n}", name)
        session.handle(tool_call, 1.0)
        session.handle(done(tool_call), 1.1)

    session.handle(call.HungUp(1000), 2.0)

    assert session.ending().outcome == "rescheduled"


def test_a_hang_up_ends_the_call_without_asking_the_carrier_to():
    session = talking()

    commands = session.handle(call.HungUp(1000), 12.0)

    assert commands == [call.End("caller_hangup", call.CLOSE_NORMAL, hang_up=False)]
    assert session.ending().duration_s == 12.0


def test_a_call_in_which_no_frame_ever_comes_ends():
    session = talking()

    assert session.deadline_s <= 15.0
    assert session.handle(call.Tick(), 15.0) == [call.End("carrier_error", call.CLOSE_IDLE, hang_up=True)]


def test_a_frame_puts_the_idle_end_off():
    session = talking()
    session.heard_s = 10.0

    assert "End" not in kinds(session.handle(call.Tick(), 15.0))


def test_a_call_has_a_longest_length():
    session = talking()
    session.heard_s = 599.0

    assert session.handle(call.Tick(), 600.0) == [
        call.End("max_duration", call.CLOSE_TIME_LIMIT, hang_up=True)
    ]


def test_an_ended_call_decides_nothing_more():
    session = talking()
    session.handle(call.HungUp(1000), 2.0)

    assert session.handle(gemini.Audio(PCM, 24_000), 2.1) == []
    assert session.handle(call.ModelClosed("lost"), 2.1) == []
    assert session.ending().reason == "caller_hangup"


def test_a_wrong_rate_is_said_and_ends_the_call():
    session = talking()

    commands = session.handle(call.WrongAudio("8000_hz"), 1.0)

    assert commands == [call.End("carrier_error", call.CLOSE_BAD_DATA, hang_up=True)]
    assert session.ending().counters["audio_8000_hz"] == 1


def test_a_stream_that_names_another_call_is_closed():
    session = talking()

    commands = session.handle(sautikit.Metadata({"callSid": "HD_2"}), 1.0)

    assert commands == [call.End("carrier_error", call.CLOSE_NOT_AUTHORISED, hang_up=False)]


@pytest.mark.parametrize("ids", [{}, {"callSid": "HD_1"}, {"streamSid": "other"}, {"callSid": ""}])
def test_a_stream_that_names_this_call_or_none_goes_on(ids: dict[str, str]):
    session = talking()

    assert session.handle(sautikit.Metadata(ids), 1.0) == []


def test_transcript_and_usage_are_recorded():
    session = talking()

    session.handle(gemini.CallerSaid("Where is it?"), 1.0)
    (caller,) = session.handle(gemini.AgentSaid("On its way."), 2.0)
    (agent,) = session.handle(gemini.TurnComplete(""), 3.0)
    (usage,) = session.handle(gemini.Usage({"totalTokenCount": 15}), 3.0)

    assert caller == call.Record(TurnRecord(0, "caller", "Where is it?", 1000, 1000))
    assert agent == call.Record(TurnRecord(1, "agent", "On its way.", 2000, 2000))
    assert usage == call.Record(UsageSeen(3000, {"totalTokenCount": 15}))


def test_answer_times_are_taken_from_the_end_of_the_callers_turn():
    session = talking()
    session.handle(call.AgentHeard(), 1.0)
    session.handle(gemini.Activity(started=False), 5.0)

    session.handle(call.AgentHeard(), 5.8)

    timings = session.ending().timings
    assert timings["setup_ms"] == 300
    assert timings["first_audio_ms"] == 1000
    assert timings["answers_ms"] == [800]


def test_of_each_answer_the_moments_are_kept():
    session = talking()
    session.handle(call.AgentHeard(), 1.0)
    session.handle(gemini.Activity(started=False), 5.0)
    session.handle(gemini.Audio(LOUD, 24_000), 5.6)
    session.handle(gemini.Audio(LOUD, 24_000), 5.7)

    session.handle(call.AgentHeard(), 5.8)

    assert session.ending().timings["waits_ms"] == [[5000, 5600, 5800]]


def test_a_model_that_speaks_before_the_callers_words_arrive_was_not_waited_for():
    session = talking()
    session.handle(call.AgentHeard(), 1.0)
    session.handle(gemini.TurnComplete(""), 2.0)
    session.handle(gemini.Audio(LOUD, 24_000), 5.0)
    session.handle(gemini.CallerSaid("Where is it?"), 5.1)

    session.handle(call.AgentHeard(), 5.2)

    assert session.ending().timings["waits_ms"] == [[5100, 5100, 5200]]


def test_a_fault_of_ours_ends_the_call_loudly():
    session = talking()

    (end,) = session.handle(call.Broken(), 3.0)

    assert end == call.End("model_failure", call.CLOSE_UPSTREAM, hang_up=True)
    assert session.ending().counters["crashes"] == 1
