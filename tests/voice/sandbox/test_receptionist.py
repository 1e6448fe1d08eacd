"""What the receptionist makes of what callers say, as Whisper writes it."""

import asyncio

import pytest

from shipments.spelling import readings
from voice import notes
from voice.sandbox.brain import FunctionCall, Reply
from voice.sandbox.phrases import said_id
from voice.sandbox.receptionist import Receptionist

TOOLS = ["track_shipment", "offer_slots", "prepare_reschedule", "confirm_reschedule", "confirm_address"]
OF_A_CODE = ["submit_pin", "prepare_address_change", "confirm_address_change", "hold_for_pickup"]


def a_setup(*more: str, task: str = "") -> dict[str, object]:
    """Return a setup with these tools besides."""
    text = f"You are the AI voice assistant of Swift, a courier company. {task}\n\n"
    greeting = 'Say first, word for word:\n"Hello, AI here."'
    return {
        "systemInstruction": {"parts": [{"text": text + greeting}]},
        "tools": [{"functionDeclarations": [{"name": name} for name in (*TOOLS, *more)]}],
    }


SETUP = a_setup()


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


def refused(receptionist: Receptionist, tool: str, code: str) -> Reply:
    """Return what is done about a tool's refusal."""
    response = {"status": "refused", "message": "Not so.", "data": {"code": code}}
    return asyncio.run(receptionist.answered(tool, "c1", response))


def test_another_place_is_asked_for_by_its_landmark_and_the_way_from_there():
    receptionist = Receptionist(a_setup(*OF_A_CODE))

    assert "landmark" in hears(receptionist, "Our office has moved and I want to change the address.").say
    assert "How does the rider" in hears(receptionist, "It is opposite the central library.").say
    assert hears(receptionist, "Second floor, the blue door.").calls == (
        FunctionCall(
            "prepare_address_change",
            {"landmark": "opposite the central library", "directions": "Second floor, the blue door"},
        ),
    )


def test_a_code_that_a_tool_asks_for_is_handed_on_and_the_wish_taken_up_again():
    receptionist = Receptionist(a_setup(*OF_A_CODE))
    (wish,) = hears(receptionist, "I would like to collect it at the depot.").calls

    assert refused(receptionist, "hold_for_pickup", "needs_code").say == "Not so."
    assert hears(receptionist, "The code is 6491.").calls == (
        FunctionCall("submit_pin", {"pin": "The code is 6491."}),
    )
    assert told(receptionist, "submit_pin").calls == (wish,)


def test_a_wrong_code_is_asked_for_again():
    receptionist = Receptionist(a_setup(*OF_A_CODE))
    hears(receptionist, "I would like to collect it at the depot.")
    refused(receptionist, "hold_for_pickup", "needs_code")
    hears(receptionist, "6491")

    assert refused(receptionist, "submit_pin", "not_right").say == "Not so."
    assert hears(receptionist, "Then 6492.").calls[0].name == "submit_pin"


def test_who_thinks_better_of_it_is_asked_nothing_more():
    receptionist = Receptionist(a_setup(*OF_A_CODE))
    hears(receptionist, "We have another address now.")

    assert "changed nothing" in hears(receptionist, "Never mind.").say
    assert hears(receptionist, "Where is my parcel?").calls[0].name == "track_shipment"


@pytest.mark.parametrize(("said", "call"), [
    ("My parcel is damaged.", FunctionCall("report_problem", {"kind": "damaged"})),
    ("It never arrived.", FunctionCall("report_problem", {"kind": "dispute"})),
    ("Please stop calling me.", FunctionCall("opt_out", {})),
    ("I want to speak to a person.", FunctionCall("request_callback", {})),
])  # fmt: skip
def test_what_is_asked_for_in_a_word_has_its_tool(said, call):
    receptionist = Receptionist(a_setup("report_problem", "opt_out", "request_callback"))

    assert hears(receptionist, said).calls == (call,)


# Who was rung

RUNG = "You rang the recipient of a parcel."


def test_who_answers_is_asked_and_only_a_yes_opens_the_parcel():
    receptionist = Receptionist(a_setup("confirm_recipient", task=RUNG))

    assert hears(receptionist, "Hello? Where is this from?").calls == ()
    assert hears(receptionist, "Yes, that is me.").calls == (FunctionCall("confirm_recipient", {}),)
    assert told(receptionist, "confirm_recipient").calls == (FunctionCall("track_shipment", {}),)


def test_somebody_else_is_parted_from():
    receptionist = Receptionist(a_setup("confirm_recipient", "end_call", task=RUNG))

    reply = hears(receptionist, "No, wrong number.")

    assert [call.name for call in reply.calls] == ["end_call"]


def test_a_voicemail_hears_who_rang_and_nothing_else():
    receptionist = Receptionist(a_setup("confirm_recipient", "end_call", task=RUNG))

    reply = hears(receptionist, "Please leave a message after the tone.")

    assert "Swift" in reply.say
    assert [call.name for call in reply.calls] == ["end_call"]
    assert hears(receptionist, "Yes. To listen to your message, press one.") == Reply()


def test_a_voicemail_is_reported_and_hears_what_the_tool_says_and_nothing_else():
    receptionist = Receptionist(a_setup("report_answered_by", "end_call", task=RUNG))

    reply = hears(receptionist, "You have reached the voicemail of this number.")
    word = told(receptionist, "report_answered_by", answered_by="voicemail")

    assert reply.calls == (FunctionCall("report_answered_by", {"who": "voicemail"}),)
    assert (word.say, [call.name for call in word.calls]) == ("So it is.", ["end_call"])
    assert hears(receptionist, "To listen to your message, press one.") == Reply()


def test_what_a_recording_talked_over_is_said_once_more():
    receptionist = Receptionist(a_setup("report_answered_by", "end_call", task=RUNG))
    hears(receptionist, "You have reached the voicemail of this number.")
    told(receptionist, "report_answered_by", answered_by="voicemail")

    receptionist.interrupted(())

    assert hears(receptionist, "Please leave a message after the tone.").say == "So it is."
    assert hears(receptionist, "Thank you.") == Reply()


def test_who_is_told_that_it_is_a_recording_reports_it():
    receptionist = Receptionist(a_setup("report_answered_by", task=RUNG))
    asyncio.run(receptionist.nudged("Greet."))

    assert asyncio.run(receptionist.nudged(notes.RECORDING)).calls == (
        FunctionCall("report_answered_by", {"who": "voicemail"}),
    )


def test_whoever_answers_is_asked_whatever_the_call_is_about():
    receptionist = Receptionist(a_setup("confirm_recipient", task="Somebody or something answered."))

    assert hears(receptionist, "Yes, that is me.").calls == (FunctionCall("confirm_recipient", {}),)


# A driver on his round

OF_A_ROUND = [
    *("next_stop", "stop_directions", "report_attempt", "running_late", "confirm_report", "call_recipient")
]


def a_driver(*, at_stop: str = "") -> Receptionist:
    """Return who talks to a driver, who was told of a stop or is about to be."""
    receptionist = Receptionist(a_setup(*OF_A_CODE, *OF_A_ROUND))
    if at_stop:
        told(receptionist, "next_stop", stop=at_stop)
    return receptionist


@pytest.mark.parametrize(("said", "call"), [
    ("I cannot find the gate. How do I get to my next stop?", FunctionCall("stop_directions", {})),
    ("Where is the entrance of stop 2?", FunctionCall("stop_directions", {"stop": "2"})),
    ("Give me directions to stop number three.", FunctionCall("stop_directions", {"stop": "three"})),
    ("What is my next stop?", FunctionCall("next_stop", {})),
    ("Where do I go now?", FunctionCall("next_stop", {})),
    ("Nobody opens at stop 4.", FunctionCall("report_attempt", {"stop": "4", "reason": "not_home"})),
    ("Please ring the customer of stop 2.", FunctionCall("call_recipient", {"stop": "2"})),
])  # fmt: skip
def test_a_driver_is_understood(said, call):
    assert hears(a_driver(), said).calls == (call,)


@pytest.mark.parametrize(("said", "call"), [
    ("Nobody is here.", FunctionCall("report_attempt", {"stop": "7", "reason": "not_home"})),
    ("She refused it.", FunctionCall("report_attempt", {"stop": "7", "reason": "refused"})),
    ("The shop is closed.", FunctionCall("report_attempt", {"stop": "7", "reason": "business_closed"})),
    ("They don't let me in.", FunctionCall("report_attempt", {"stop": "7", "reason": "access_restricted"})),
    ("I can't find it.", FunctionCall("report_attempt", {"stop": "7", "reason": "address_not_found"})),
    ("Can you call him?", FunctionCall("call_recipient", {"stop": "7"})),
    ("I am 20 minutes late.", FunctionCall("running_late", {"minutes": "20"})),
    ("I am running late.", FunctionCall("running_late", {})),
])  # fmt: skip
def test_on_a_round_the_stop_that_was_spoken_of_is_meant(said, call):
    assert hears(a_driver(at_stop="7"), said).calls == (call,)


@pytest.mark.parametrize("tool", ["report_attempt", "running_late"])
def test_what_a_driver_reports_is_confirmed_on_his_yes_only(tool):
    receptionist = a_driver(at_stop="7")

    told(receptionist, tool, change_id="R1")
    unclear = hears(receptionist, "What did you say?")
    told(receptionist, tool, change_id="R2")
    no = hears(receptionist, "No, that is wrong.")
    told(receptionist, tool, change_id="R3")
    yes = hears(receptionist, "Yes, that is right.")

    assert not unclear.calls
    assert no == Reply(say="All right, I have changed nothing. Is there anything else?")
    assert yes.calls == (FunctionCall("confirm_report", {"change_id": "R3"}),)


@pytest.mark.parametrize("said", ["Nobody was here.", "I refuse it.", "It is late.", "Where is my parcel?"])
def test_a_customer_is_taken_for_no_driver(said):
    assert not {call.name for call in hears(a_driver(), said).calls} & set(OF_A_ROUND)


def test_a_driver_shows_his_pin_of_no_parcel_and_hears_what_he_asked_for():
    receptionist = a_driver()
    (wish,) = hears(receptionist, "I cannot find the gate.").calls
    refused(receptionist, "stop_directions", "needs_code")

    assert hears(receptionist, "The pin is 3905.").calls == (
        FunctionCall("submit_pin", {"pin": "The pin is 3905."}),
    )
    assert told(receptionist, "submit_pin").calls == (wish,)


def test_what_drivers_may_is_not_done_where_it_was_not_declared():
    assert not hears(Receptionist(SETUP), "What is my next stop?").calls


def test_a_goodbye_is_returned():
    assert "Goodbye" in hears(Receptionist(SETUP), "No thank you, bye.").say
