"""A call that we placed speaks of a parcel to nobody who has not said to be its recipient (O13)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice import events as call
from voice import notes, prompts, tools
from voice.answerer import CONFIRM, REPORT, Answerer
from voice.limits import Limits
from voice.records import ToolRecord
from voice.scene import Brief
from voice.session import Session, State
from voice.wire import gemini

PCM = b"\xff\x3f\x01\xc0" * 1_200
QUESTION = prompts.question("en")
GREETING = f"Hello, this is Example Couriers, about a delivery. {QUESTION}"


class Ring:
    """A call that was answered; times are seconds of a clock that goes as it is told."""

    def __init__(self, question: str = QUESTION) -> None:
        setup = gemini.Setup(model="gemini-3.8-live", instruction="You are a test.")
        changing = frozenset({CONFIRM, REPORT})
        brief = Brief(setup, "Greet.", business_key=tools.business_key, changing=changing, question=question)
        self.session = Session(brief, Limits(), 0.0)
        self.now_s = 0.0
        self.ids = 0
        self.told: list[str] = []
        for event in (call.Answered(), call.ModelOpened(), gemini.SetupComplete("")):
            self.on(event)

    def on(self, event: call.Event, after_s: float = 0.1) -> list[call.Command]:
        self.now_s += after_s
        self.session.heard_s = self.now_s
        commands = self.session.handle(event, self.now_s)
        self.told += [one.frame for one in commands if isinstance(one, call.Tell)]
        return commands

    def says(self, text: str = GREETING) -> None:
        """Let the agent say something, and be heard out."""
        self.begins(text)
        self.on(call.PlayedOut(), 4.0)

    def begins(self, text: str = GREETING) -> None:
        """Let the agent make all that it says, of which little is played yet."""
        self.on(gemini.Audio(PCM, 24_000))
        self.on(gemini.AgentSaid(text))
        self.on(gemini.GenerationComplete())
        self.on(gemini.TurnComplete(""))

    def hears(self, for_s: float = 1.0) -> list[call.Command]:
        """Let whoever answered make a sound."""
        self.on(gemini.Activity(started=True))
        return self.on(gemini.Activity(started=False), for_s)

    def asks(self, name: str, args: dict[str, object] | None = None) -> list[call.Command]:
        self.ids += 1
        return self.on(gemini.ToolCall(f"c{self.ids}", name, args or {}))

    def confirms(self) -> bool:
        """Let the model say that the recipient is there; tell whether the tool is run."""
        return any(isinstance(command, call.Run) for command in self.asks(CONFIRM))

    def reports(self, who: str) -> list[call.Command]:
        """Let the model say what answered, and the tool take it."""
        [run] = [one for one in self.asks(REPORT, {"who": who}) if isinstance(one, call.Run)]
        told = {"status": "ok", "message": "As you were told.", "data": {"answered_by": who}}
        return self.on(call.ToolDone(run.call, told, "ok", "key", 1, 1))


def test_o13_the_words_of_the_question_alone_ask_nobody_before_their_sound():
    ring = Ring()

    ring.on(gemini.AgentSaid(GREETING))
    ring.on(gemini.Audio(PCM, 24_000))
    ring.on(gemini.Activity(started=True))
    ring.on(gemini.Interrupted())
    ring.on(gemini.Activity(started=False), 1.0)

    assert not ring.confirms()


def test_o13_the_recipient_is_confirmed_only_after_the_question_was_heard_and_answered():
    ring = Ring()
    confirmed = [ring.confirms()]

    ring.says()
    confirmed.append(ring.confirms())
    ring.hears()
    confirmed.append(ring.confirms())

    assert confirmed == [False, False, True]


def test_who_speaks_before_he_is_asked_has_answered_nothing():
    ring = Ring()
    ring.hears()
    ring.says("Hello, it is a nice day.")
    ring.hears()
    early = ring.confirms()

    ring.says(QUESTION)
    asked = ring.confirms()
    ring.hears()

    assert (early, asked, ring.confirms()) == (False, False, True)


def test_a_question_that_was_cut_off_is_not_asked():
    ring = Ring()
    ring.begins()
    ring.on(gemini.Activity(started=True))
    ring.on(gemini.Interrupted())
    ring.on(gemini.Activity(started=False))
    ring.hears()

    assert not ring.confirms()


def test_a_transcript_is_no_speech_and_half_a_word_no_answer():
    ring = Ring()
    ring.says()
    ring.on(gemini.CallerSaid("yes, that is me"))
    read = ring.confirms()

    ring.on(gemini.Activity(started=True))
    still_speaking = ring.confirms()

    assert (read, still_speaking) == (False, False)


def test_what_is_refused_says_what_to_ask():
    ring = Ring()

    [record] = [one.what for one in ring.asks(CONFIRM) if isinstance(one, call.Record)]

    assert isinstance(record, ToolRecord)
    assert (record.state, record.result["message"]) == ("refused", notes.not_asked(QUESTION))


@pytest.mark.parametrize(("for_s", "may"), [(5.9, True), (6.0, False)])
def test_o13_what_speaks_without_a_pause_confirms_nothing(for_s, may):
    ring = Ring()
    ring.says()
    ring.hears(for_s)

    confirmed = ring.confirms()
    ring.hears()

    assert confirmed is may
    assert ring.confirms() is False or may


def test_the_model_is_told_once_of_the_sign_of_a_recording():
    ring = Ring()
    ring.says()
    for _ in range(2):
        ring.hears(7.0)
        ring.says("Hello?")

    assert ring.told.count(gemini.text(notes.RECORDING)) == 1


def test_a_recipient_who_is_known_may_speak_as_long_as_he_likes():
    answerer = Answerer(QUESTION, 6.0)
    answerer.note_words(QUESTION)
    answerer.note_heard_out()
    for started, at_s in ((True, 1.0), (False, 2.0)):
        answerer.note_activity(at_s, started=started)
    answerer.settle()

    answerer.note_activity(3.0, started=True)
    answerer.note_activity(33.0, started=False)

    assert (answerer.is_recording, answerer.may_confirm) == (False, True)


def test_o13_a_voicemail_hears_one_message_of_less_than_a_minute():
    ring = Ring()
    ring.says()
    ring.reports("voicemail")
    reported_s = ring.now_s
    ring.begins("Example Couriers called you.")

    ends: list[call.End] = []
    while not ends and ring.now_s < 600:
        ends = [one for one in ring.on(call.Tick(), 1.0) if isinstance(one, call.End)]

    assert [end.reason for end in ends] == ["voicemail"]
    assert ring.now_s - reported_s < 60
    assert not ring.confirms()


@pytest.mark.parametrize(
    ("who", "reason", "outcome"),
    [
        ("voicemail", "voicemail", "no_outcome"),
        ("child", "agent_hangup", "not_available"),
        ("wrong_number", "agent_hangup", "wrong_number"),
    ],
)
def test_o13_who_is_not_to_be_spoken_with_is_left_after_one_message(who, reason, outcome):
    ring = Ring()
    ring.says()
    ring.hears()
    ring.reports(who)
    confirmed = ring.confirms()

    ring.begins("As I was told.")
    commands = ring.on(call.PlayedOut(), 2.0)

    assert not confirmed
    assert [one.reason for one in commands if isinstance(one, call.End)] == [reason]
    assert ring.session.ending().outcome == outcome


def test_a_voicemail_that_hangs_up_was_a_voicemail():
    ring = Ring()
    ring.reports("voicemail")

    commands = ring.on(call.HungUp(1000))

    assert [one.reason for one in commands if isinstance(one, call.End)] == ["voicemail"]
    assert ring.session.ending().outcome == "voicemail_no_message"


def test_a_voicemail_that_hangs_up_in_mid_message_has_none():
    ring = Ring()
    ring.says()
    ring.reports("voicemail")
    ring.begins("Example Couriers called you.")

    ring.on(call.HungUp(1000))

    assert ring.session.ending().outcome == "voicemail_no_message"


@pytest.mark.parametrize("question", [QUESTION, ""])
def test_a_call_to_somebody_who_wants_no_more_of_them_ended_for_that(question):
    ring = Ring(question)
    ring.says()
    ring.hears()
    [run] = [one for one in ring.asks("opt_out") if isinstance(one, call.Run)]
    ring.on(call.ToolDone(run.call, {"status": "ok", "message": "Noted."}, "ok", "key", 1, 1))

    ring.on(call.HungUp(1000))

    assert ring.session.ending().reason == ("opted_out" if question else "caller_hangup")


def test_who_comes_after_a_screening_is_asked_anew():
    ring = Ring()
    ring.says()
    ring.hears()
    ring.reports("screening")
    ring.says("This is Example Couriers, about a delivery.")
    ring.hears()
    before = ring.confirms()

    ring.says()
    ring.hears()

    assert (before, ring.confirms(), ring.session.state) == (False, True, State.TALKING)


def test_a_person_goes_on_to_be_asked():
    ring = Ring()
    ring.reports("person")

    assert ring.session.state is State.TALKING


STEPS = {
    "sound": Answerer.note_sound,
    "words": lambda answerer: answerer.note_words(QUESTION),
    "cut": Answerer.note_cut_off,
    "heard": Answerer.note_heard_out,
    "screening": lambda answerer: answerer.report("screening"),
    "voicemail": lambda answerer: answerer.report("voicemail"),
}


@given(st.lists(st.sampled_from([*STEPS, "speaks", "stops", "goes on"]), max_size=24))
def test_o13_no_order_of_events_makes_a_recipient_out_of_less(steps):
    answerer, now_s = Answerer(QUESTION, 6.0), 0.0
    for step in steps:
        now_s += 7.0 if step == "goes on" else 0.1
        if step in STEPS:
            STEPS[step](answerer)
        elif step != "goes on":
            answerer.note_activity(now_s, started=step == "speaks")

    # By an account of its own: something heard to its end; the question, then a beginning and an end of
    # speech, none before a screening.
    anew = max((n for n, step in enumerate(steps) if step == "screening"), default=-1) + 1
    needed = ["words", "speaks", "stops"]
    for step in steps[anew:]:
        if needed and step == needed[0]:
            needed.pop(0)
    if answerer.may_confirm:
        assert "heard" in steps
        assert not needed
        assert not answerer.leaves
