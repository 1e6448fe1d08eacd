"""What the receptionist makes of what callers say, as Whisper writes it."""

import asyncio

import pytest

from shipments.spelling import readings
from voice.sandbox.brain import FunctionCall, Reply
from voice.sandbox.receptionist import Receptionist, said_id

TOOLS = ["track_shipment", "offer_slots", "prepare_reschedule", "confirm_reschedule", "confirm_address"]
SETUP = {
    "systemInstruction": {
        "parts": [{"text": 'You are an AI.\n\nSay first, word for word:\n"Hello, AI here."'}]
    },
    "tools": [{"functionDeclarations": [{"name": name} for name in TOOLS]}],
}


def hears(receptionist: Receptionist, said: str) -> Reply:
    """Return the answer to a turn."""
    return asyncio.run(receptionist.heard(said))


def told(receptionist: Receptionist, tool: str, **data: str) -> Reply:
    """Return what is said of a tool's answer."""
    return asyncio.run(
        receptionist.answered(tool, "c1", {"status": "ok", "message": "So it is.", "data": data})
    )


def test_the_greeting_is_the_one_of_the_instruction_and_is_said_once():
    receptionist = Receptionist(SETUP)

    assert asyncio.run(receptionist.nudged("Greet.")).say == "Hello, AI here."
    assert asyncio.run(receptionist.nudged("Again.")).say != "Hello, AI here."


@pytest.mark.parametrize(("said", "found"), [
    ("Where is my parcel? The number is Km4279B.", "Km4279B"),
    ("The number is k m 4 2 7 9 B.", "k m 4 2 7 9 B"),
    ("Its number is K, M, four, two, seven, nine.", "K M four two seven nine"),
    ("It's 7K2, M9 QX RD.", "7K2 M9 QX RD"),
    ("Where is my parcel?", ""),
    ("I have one or two parcels.", ""),
    ("Please move it to Friday.", ""),
])  # fmt: skip
def test_an_id_is_found_in_what_was_said(said, found):
    assert said_id(said) == found


def test_a_parcel_is_asked_for_by_the_id_that_was_said():
    reply = hears(Receptionist(SETUP), "Where is my parcel? The number is Km4279B.")

    assert reply.calls == (FunctionCall("track_shipment", {"tracking_id": "Km4279B"}),)


def test_without_an_id_the_callers_own_parcel_is_asked_for():
    assert hears(Receptionist(SETUP), "When does my package come?").calls == (
        FunctionCall("track_shipment", {}),
    )


def test_what_a_tool_says_is_said():
    assert told(Receptionist(SETUP), "track_shipment").say == "So it is."


@pytest.mark.parametrize(("said", "args"), [
    ("Please move it to Friday morning.", {"day": "friday", "window": "morning"}),
    ("Can I reschedule? The 27th of November would be good.", {"day": "27th of november"}),
    ("Could you bring it tomorrow afternoon? I want to move it.", {"day": "tomorrow", "window": "afternoon"}),
])  # fmt: skip
def test_a_day_becomes_a_proposal(said, args):
    assert hears(Receptionist(SETUP), said).calls == (FunctionCall("prepare_reschedule", args),)


def test_a_wish_without_a_day_asks_which_are_free_and_takes_the_answer():
    receptionist = Receptionist(SETUP)

    assert hears(receptionist, "I want another day.").calls[0].name == "offer_slots"
    told(receptionist, "offer_slots")
    assert hears(receptionist, "Saturday please.").calls == (
        FunctionCall("prepare_reschedule", {"day": "saturday"}),
    )


@pytest.mark.parametrize("said", ["Yes please.", "Yeah, go ahead.", "That's right."])
def test_a_yes_confirms_what_was_proposed_and_nothing_else(said):
    receptionist = Receptionist(SETUP)
    assert not [call for call in hears(receptionist, said).calls if call.name == "confirm_reschedule"]

    told(receptionist, "prepare_reschedule", change_id="R1")

    assert hears(receptionist, said).calls == (FunctionCall("confirm_reschedule", {"change_id": "R1"}),)


@pytest.mark.parametrize(
    "said", ["No, that's not right.", "I'm not sure.", "That is not okay.", "Wait, yes?"]
)
def test_a_no_with_a_word_of_consent_in_it_confirms_nothing(said):
    receptionist = Receptionist(SETUP)
    told(receptionist, "prepare_reschedule", change_id="R1")

    assert hears(receptionist, said).calls == ()


@pytest.mark.parametrize(("said", "args"), [
    ("Yes, but on Saturday.", {"day": "saturday"}),
    ("No, make it Saturday.", {"day": "saturday"}),
    ("Okay, but in the afternoon.", {"day": "friday", "window": "afternoon"}),
])  # fmt: skip
def test_a_yes_to_something_else_is_proposed_anew(said, args):
    receptionist = Receptionist(SETUP)
    hears(receptionist, "Move it to Friday.")
    told(receptionist, "prepare_reschedule", change_id="R1")

    assert hears(receptionist, said).calls == (FunctionCall("prepare_reschedule", args),)


@pytest.mark.parametrize(("said", "day"), [
    ("I won't be home today, bring it the day after tomorrow.", "the day after tomorrow"),
    ("I will not be at home on Friday. Bring it on Monday.", "monday"),
    ("Move it from Friday to Monday.", "monday"),
    ("Move it to Monday instead of Friday.", "monday"),
])  # fmt: skip
def test_the_day_is_the_one_that_suits(said, day):
    assert hears(Receptionist(SETUP), said).calls == (FunctionCall("prepare_reschedule", {"day": day}),)


@pytest.mark.parametrize(("said", "tool"), [
    ("Thank you. And when does it come?", "track_shipment"),
    ("Thanks. Can you move it to Friday?", "prepare_reschedule"),
])  # fmt: skip
def test_thanks_with_a_wish_are_no_goodbye(said, tool):
    assert hears(Receptionist(SETUP), said).calls[0].name == tool


@pytest.mark.parametrize("said", ["No.", "Thank you.", "Thanks for telling me where it is."])
def test_who_wants_nothing_more_is_parted_from(said):
    receptionist = Receptionist(SETUP)
    told(receptionist, "track_shipment")

    assert "Goodbye" in hears(receptionist, said).say


def test_a_place_is_asked_for_when_none_was_named():
    receptionist = Receptionist(SETUP)

    assert "landmark" in hears(receptionist, "Can you check my address?").say
    assert hears(receptionist, "Sunrise Apartments, near the mosque.").calls == (
        FunctionCall("confirm_address", {"said": "Sunrise Apartments, near the mosque"}),
    )


@pytest.mark.parametrize("said", [
    "The number is K M for to seven nine.",
    "The number is K M 4 2 7 9.",
    "The number is KM4279.",
    "It's K, M, four, two, seven, nine.",
])  # fmt: skip
def test_digits_that_are_heard_as_words_are_read_as_the_digits(said):
    assert "KM4279" in readings(said_id(said))


def test_a_no_forgets_the_proposal():
    receptionist = Receptionist(SETUP)
    told(receptionist, "prepare_reschedule", change_id="R1")

    assert hears(receptionist, "No, leave it.").say.startswith("All right")
    assert not [call for call in hears(receptionist, "Yes.").calls if call.name == "confirm_reschedule"]


def test_a_place_is_compared():
    reply = hears(Receptionist(SETUP), "The address is Sunrise Apartments, near the mosque.")

    assert reply.calls == (FunctionCall("confirm_address", {"said": "Sunrise Apartments, near the mosque"}),)


def test_a_tool_that_was_not_declared_is_not_called():
    receptionist = Receptionist({"tools": []})

    assert hears(receptionist, "Where is my parcel?").calls == ()


def test_a_goodbye_is_returned():
    assert "Goodbye" in hears(Receptionist(SETUP), "No thank you, bye.").say
