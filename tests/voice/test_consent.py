"""Nothing is changed that was not read back in full, heard to its end and answered."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.peers import FakeModel, FakeTelephone, speech
from tests.placed import FRAME, Placed
from tests.placed import call as placed_call
from tests.voice.test_discretion import PCM, Talk, a_brief, runs
from voice import events as call
from voice.consent import Consent
from voice.records import ToolRecord
from voice.wire import gemini, sautikit

PROPOSAL = "I will move your parcel ending 4 2 7 9 to Friday 27 November, 9 am to 12 noon. Is that right?"
REF = "7K3MQ9"


def consent_after(*steps: str) -> Consent:
    consent = Consent()
    for step in steps:
        {
            "propose": lambda: consent.propose(PROPOSAL, REF),
            "settle": consent.settle,
            "sound": consent.note_sound,
            "words": lambda: consent.note_words(PROPOSAL),
            "other": lambda: consent.note_words("One moment, please. "),
            "cut": consent.note_cut_off,
            "heard": consent.note_heard_out,
            "caller": consent.note_caller,
        }[step]()
    return consent


STEPS = ["propose", "settle", "sound", "words", "other", "cut", "heard", "caller"]


def test_a_proposal_that_was_heard_and_answered_is_agreed_to():
    assert consent_after("propose", "sound", "words", "heard", "caller").is_given(REF)
    assert consent_after("propose", "sound", "heard", "words", "caller").is_given(REF)


@pytest.mark.parametrize("before", [(), ("sound", "heard")])
def test_a3_one_whose_words_came_before_its_sound_and_that_was_cut_off_is_not_agreed_to(before):
    begun = ("sound", "propose", *before, "words", "sound", "caller", "cut")

    assert not consent_after("propose", "words", "sound", "caller", "cut").is_given(REF)
    assert not consent_after(*begun).is_given(REF)
    assert not consent_after(*begun, "sound", "heard", "caller").is_given(REF)
    assert consent_after(*begun, "words", "sound", "heard", "caller").is_given(REF)


@given(st.lists(st.sampled_from(STEPS), max_size=30))
def test_a3_no_order_of_events_makes_an_answer_out_of_less(steps):
    given_consent = consent_after(*steps).is_given(REF)

    # By an account of its own: what was said is heard when it is played out. What is told of after that, too,
    # unless more plays: then it may be that.
    last = max((n for n, step in enumerate(steps) if step in ("propose", "settle")), default=None)
    expected = False
    if last is not None and steps[last] == "propose":
        plays = bool([step for step in steps[:last] if step in ("sound", "cut", "heard")][-1:] == ["sound"])
        said = heard = played = False
        for step in steps[last + 1 :]:
            plays = {"sound": True, "cut": False, "heard": False}.get(step, plays)
            played = {"cut": False, "heard": True}.get(step, played)
            said = (said or step == "words") and (step != "cut" or heard)
            heard = heard or (said and step == "heard")
            late = said and played and not plays
            expected = expected or ((heard or late) and step == "caller")
    assert given_consent is expected


@pytest.mark.parametrize(
    "said",
    [
        PROPOSAL,
        "So that's your parcel ending 4279, Friday the twenty-seventh, from nine to twelve, okay?",
        "Friday 27 November between 9:00 AM and 12:00 PM for 42 79?",
        "The one ending four two seven nine comes on the 27th, nine a.m. to noon. Shall I?",
        "Mzigo wako unaoishia nne mbili saba tisa utaletwa Ijumaa, saa tatu hadi saa sita. Sawa?",
        "Votre colis 4 2 7 9 viendra vendredi 27 novembre, de 9 heures à midi. Ça va ?",
    ],
)
def test_a_proposal_may_be_read_in_other_words_and_languages(said):
    talk = proposed()
    for piece in said.split(" "):
        talk.on(gemini.Audio(PCM, 24_000))
        talk.on(gemini.AgentSaid(f"{piece} "))
    talk.agent("")
    talk.on(call.PlayedOut())
    talk.caller()

    assert runs(talk.asks("confirm_it"))


@pytest.mark.parametrize(
    "said",
    [
        "Would you like to hear our opening hours?",
        "I will move your parcel. Is that right?",
        "I will move your parcel ending 4 2 7 9 to Friday 27 November. Is that right?",
        "I will move your parcel ending 4 2 7 9 to Friday, 2 pm to 5 pm. Is that right?",
        "I will move your parcel ending 4 2 7 9 to Thursday 26 November, 9 am to 12 noon.",
        "I will move your parcel ending 4 2 7 8 to Friday 27 November, 9 am to 12 noon.",
    ],
)
def test_a3_one_of_which_a_part_was_not_read_is_not_carried_out(said):
    talk = proposed()
    talk.agent(said)
    talk.on(call.PlayedOut())
    talk.caller()

    assert not runs(talk.asks("confirm_it"))


def test_a3_the_end_of_what_was_said_before_is_not_the_proposal():
    talk = Talk()
    talk.on(gemini.Audio(PCM, 24_000))
    asked = talk.asks("prepare_it")
    talk.answers(asked, message=PROPOSAL)
    talk.agent("Let me check that for you.")
    talk.on(call.PlayedOut())
    talk.caller("hello?")

    assert not runs(talk.asks("confirm_it"))


def test_a3_what_is_told_late_of_a_proposal_that_was_cut_off_does_not_count():
    talk = proposed()
    talk.on(gemini.Audio(PCM, 24_000))
    talk.on(gemini.Interrupted())
    talk.now_s -= 1
    talk.on(gemini.AgentSaid(PROPOSAL))
    talk.on(gemini.TurnComplete(""))
    talk.caller()

    assert not runs(talk.asks("confirm_it"))


@pytest.mark.parametrize(
    ("proposal", "said", "agreed"),
    [
        ("I will keep your parcel ending Q T X K at Example Depot.", "The one ending QTXK. Yes?", True),
        ("I will keep your parcel ending Q T X K at Example Depot.", "The one ending QTXM. Yes?", False),
        (
            "I will keep your parcel at Example Depot for you.",
            "I will keep the parcel at Example Depot?",
            True,
        ),
        ("I will keep your parcel K M, 4 2 7 9 at Example Depot.", "KM4279 stays at the depot?", True),
        ("I will keep your parcel K M, 4 2 7 9 at Example Depot.", "KM427 stays at the depot?", False),
        ("I will keep your parcel J Z N, F B H at Example Depot.", "J Z N F B H stays there?", True),
        ("I will keep your parcel 7 K 3, M Q 9, T X 5 there.", "7K3, MQ9, TX5?", True),
        ("I will keep your parcel at Example Depot for you.", "One moment, please.", False),
        (
            "I will give your parcel ending 7 0 K 3 to 14 Example Lane.",
            "7 oh K 3, to fourteen Example Lane?",
            True,
        ),
        (
            "I will give your parcel ending 7 0 K 3 to 14 Example Lane.",
            "7 0 K 3, to twelve Example Lane?",
            False,
        ),
        ("Saturday 5 December, 6:30 pm to 9 pm", "Saturday, half past six to nine", True),
        ("Saturday 5 December, 6:30 pm to 9 pm", "Saturday, six to nine", False),
    ],
)
def test_a3_what_has_no_time_is_known_by_its_digits_letters_or_words(proposal, said, agreed):
    consent = Consent()
    consent.propose(proposal, REF)
    consent.note_words(said)
    consent.note_heard_out()
    consent.note_caller()

    assert consent.is_given(REF) is agreed


def proposed() -> Talk:
    talk = Talk()
    talk.answers(talk.asks("prepare_it"), message=PROPOSAL)
    return talk


def test_a3_a_confirmation_without_a_proposal_is_not_carried_out():
    talk = Talk()
    talk.caller()

    assert not runs(talk.asks("confirm_it"))
    assert [(tool.name, tool.state) for tool in talk.tools()] == [("confirm_it", "refused")]


def test_a3_a_confirmation_in_the_same_turn_is_not_carried_out():
    assert not runs(proposed().asks("confirm_it"))


def test_a3_one_that_was_read_but_not_heard_to_its_end_is_not_carried_out():
    talk = proposed()
    talk.agent(PROPOSAL)
    talk.caller()

    assert not runs(talk.asks("confirm_it"))


def test_a3_one_that_was_heard_but_not_answered_is_not_carried_out():
    talk = proposed()
    talk.agent(PROPOSAL)
    talk.on(call.PlayedOut())

    assert not runs(talk.asks("confirm_it"))


def test_a3_a_key_is_no_answer():
    talk = proposed()
    talk.agent(PROPOSAL)
    talk.on(call.PlayedOut())
    talk.on(sautikit.Dtmf("1", 100))

    assert not runs(talk.asks("confirm_it"))


def test_one_that_was_heard_and_answered_is_carried_out_once():
    talk = proposed()
    talk.agent(PROPOSAL)
    talk.on(call.PlayedOut())
    talk.caller()

    first = talk.asks("confirm_it")
    talk.answers(first)
    second = talk.asks("confirm_it")

    assert runs(first)
    assert not runs(second)


def test_a_newer_proposal_needs_an_answer_of_its_own():
    talk = proposed()
    talk.agent(PROPOSAL)
    talk.on(call.PlayedOut())
    talk.caller("rather on monday")
    talk.answers(talk.asks("prepare_it", {"day": "monday"}), message=PROPOSAL)

    assert not runs(talk.asks("confirm_it"))


@pytest.mark.parametrize(
    ("events", "agreed"),
    [
        ([gemini.CallerSaid("yes")], False),
        ([call.CallerSounded()], True),
        ([call.CallerSounded(), gemini.CallerSaid("yes")], True),
    ],
)
def test_a3_without_marks_of_speech_the_level_of_the_telephone_is_an_answer_and_no_transcript(events, agreed):
    talk = proposed()
    talk.agent(PROPOSAL)
    talk.on(call.PlayedOut())
    for event in events:
        talk.on(event)

    assert runs(talk.asks("confirm_it")) is agreed


def test_a3_a_noise_is_no_answer_to_a_model_that_marks_speech():
    talk = Talk()
    talk.caller("move it to friday")
    talk.answers(talk.asks("prepare_it"), message=PROPOSAL)
    talk.agent(PROPOSAL)
    talk.on(call.PlayedOut())
    talk.on(call.CallerSounded())

    assert not runs(talk.asks("confirm_it"))


def test_a3_the_caller_is_heard_on_the_line_by_a_model_that_does_not_mark_speech():
    def confirmed(loud: bool) -> list[str]:
        async def scenario(telephone: FakeTelephone, model: FakeModel, placed: Placed) -> None:
            await asyncio.sleep(1)
            model.put(a_call("c1", "prepare_it"))
            await asyncio.sleep(0.1)
            model.put({"serverContent": {"outputTranscription": {"text": "Fine."}}})
            model.put(speech(1))
            model.put({"serverContent": {"generationComplete": True, "turnComplete": True}})
            await asyncio.sleep(3)
            for _ in range(25):
                telephone.put(b"\x00\x10\x00\xf0" * 160 if loud else FRAME)
                await asyncio.sleep(0.02)
            model.put({"serverContent": {"inputTranscription": {"text": "yes"}}})
            model.put(a_call("c2", "confirm_it"))
            await asyncio.sleep(0.5)

        placed = placed_call(scenario, brief=a_brief())
        return [record.state for record in placed.journal.records if isinstance(record, ToolRecord)]

    assert confirmed(loud=True) == ["ok", "ok"]
    assert confirmed(loud=False) == ["ok", "refused"]


def a_call(call_id: str, name: str) -> dict[str, object]:
    return {"toolCall": {"functionCalls": [{"id": call_id, "name": name, "args": {}}]}}


def test_an_answer_to_one_proposal_is_none_to_another():
    consent = Consent()
    consent.propose(PROPOSAL, "7K3M-Q9")
    consent.note_sound()
    consent.note_words(PROPOSAL)
    consent.note_heard_out()
    consent.note_caller()

    assert consent.is_given("7k3mq9")
    assert not consent.is_given("ANOTHER")
    assert not consent.is_given("")
