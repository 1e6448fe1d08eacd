"""The scripted stand-in does what its scenario says, and nothing else."""

import asyncio
import json

import pytest

from tests.virtual_time import run
from voice import tools
from voice.sandbox.brain import SILENCE, FunctionCall, Mindful, Reply, Restless, SpeechEnded, SpeechStarted
from voice.sandbox.scenario import SCENARIOS, ScenarioError, load, parse
from voice.sandbox.scripted import EnergyEars, ScriptedBrain, TonalMouth, scripted_voice
from voice.sandbox.tones import decode, encode

LOUD = b"\x00\x20" * 320
QUIET = bytes(640)


def brain(*rules):
    return ScriptedBrain(parse({"when": list(rules)}))


def ears(hears=(), **detection):
    return EnergyEars({"realtimeInputConfig": {"automaticActivityDetection": detection}}, iter(hears))


def feed(listening, frames):
    return [event for frame in frames for event in listening.feed(frame)]


def test_the_first_rule_that_fits_is_used():
    scripted = brain(
        {"nudged": "bye", "say": "Goodbye."}, {"nudged": "", "say": "Hello."}, {"nudged": "", "say": "Never."}
    )

    assert run(scripted.nudged("Greet the caller.")) == Reply(say="Hello.")
    assert run(scripted.nudged("Say BYE.")) == Reply(say="Goodbye.")


def test_a_rule_for_once_is_used_once():
    scripted = brain({"nudged": "", "once": True, "say": "Hello."}, {"nudged": "", "say": "Still there?"})

    said = [run(scripted.nudged("Go on.")).say for _ in range(3)]

    assert said == ["Hello.", "Still there?", "Still there?"]


def test_what_fits_no_rule_is_met_with_silence():
    scripted = brain({"heard": "parcel", "say": "Yes?"})

    assert run(scripted.heard("good morning")) == SILENCE
    assert run(scripted.nudged("parcel")) == SILENCE
    assert run(scripted.answered("track", "1", {})) == SILENCE


def test_a_tool_is_called_with_what_was_heard_and_without_what_was_not():
    scripted = brain(
        {
            "heard": r"(?P<tracking_id>KE\d+)?.*move( to (?P<day>\w+))?",
            "calls": [
                {"name": "move", "args": {"tracking_id": "{tracking_id}", "day": "{day}", "sure": True}}
            ],
        }
    )

    reply = run(scripted.heard("please move KE123")), run(scripted.heard("KE123 move to Friday"))

    assert reply[0].calls == (FunctionCall("move", {"sure": True}),)
    assert reply[1].calls == (FunctionCall("move", {"tracking_id": "KE123", "day": "Friday", "sure": True}),)


def test_an_answer_is_told_in_its_own_words_and_remembered():
    scripted = brain(
        {"answered": "prepare", "with": {"status": "refused"}, "say": "No. {message}"},
        {"answered": "prepare", "say": "{message}"},
        {"heard": "yes", "calls": [{"name": "confirm", "args": {"change_id": "{change_id}"}}]},
    )
    answer = {
        "output": {"status": "ok", "message": "Friday?", "data": {"change_id": 7, "none": None, "is": True}}
    }

    told = run(scripted.answered("prepare", "1", answer))
    refused = run(scripted.answered("prepare", "2", {"status": "refused", "message": "Too late."}))
    confirmed = run(scripted.heard("yes"))

    assert told.say == "Friday?"
    assert refused.say == "No. Too late."
    assert confirmed.calls[0].args == {"change_id": "7"}


def test_a_rule_can_send_close_wait_and_go_on():
    scripted = brain(
        {
            "nudged": "",
            "wait_s": 0.5,
            "raw": [{"goAway": {"timeLeft": "5s"}}, "{}"],
            "then": {"close": {"code": 1011, "reason": "Internal error encountered."}},
        }
    )

    reply = run(scripted.nudged(""))

    assert reply == Reply(
        wait_s=0.5,
        raw=({"goAway": {"timeLeft": "5s"}}, "{}"),
        then=Reply(close=(1011, "Internal error encountered.")),
    )


def test_a_dropped_call_is_made_anew_once_the_caller_was_heard():
    scripted = brain({"heard": "hurry", "say": "One moment."})
    mindful: Mindful = scripted
    mindful.interrupted((FunctionCall("track", {"id": "7"}, "c1"),))

    first, second = run(scripted.heard("hurry")), run(scripted.heard("hurry"))

    assert first == Reply(calls=(FunctionCall("track", {"id": "7"}),), then=Reply(say="One moment."))
    assert second == Reply(say="One moment.")


def test_some_things_are_done_at_their_own_time():
    scripted = brain({"after_s": 9, "say": "Later."}, {"after_s": 2, "say": "Sooner."})
    restless: Restless = scripted

    async def scenario():
        return [(asyncio.get_running_loop().time(), reply.say) async for reply in restless.unprompted()]

    assert run(scenario()) == [(2, "Sooner."), (9, "Later.")]


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"rules": []}, "unknown: rules"),
        ({"when": [{"say": "Hello."}]}, "rule 1 has 0 of nudged"),
        ({"when": [{"nudged": "", "heard": ""}]}, "rule 1 has 2 of nudged"),
        ({"when": [{"nudged": "", "shout": "Hello."}]}, "rule 1: unknown: shout"),
        ({"when": [{"nudged": "", "with": {}}]}, "rule 1: unknown: with"),
        ({"when": [{"heard": "("}]}, "rule 1: "),
        ({"when": [{"nudged": "", "calls": [{"kind": "7"}]}]}, "rule 1: unknown: kind"),
        ({"when": [{"nudged": "", "calls": [{}]}]}, "rule 1: 'name'"),
        ({"when": "always"}, "scenario: "),
    ],
)
def test_a_scenario_with_a_fault_says_where(document, fault):
    with pytest.raises(ScenarioError, match="scenario") as refused:
        parse(document)

    assert fault in str(refused.value)


def test_a_scenario_is_read_from_toml_json_or_by_name(tmp_path):
    document = {"hears": ["hello"], "when": [{"nudged": "", "say": "Hello."}]}
    (tmp_path / "one.json").write_text(json.dumps(document))
    (tmp_path / "two.toml").write_text('hears = ["hello"]\n[[when]]\nnudged = ""\nsay = "Hello."\n')

    one, two = load(tmp_path / "one.json"), load(str(tmp_path / "two.toml"))

    assert [rule.action for rule in one.rules] == [rule.action for rule in two.rules]
    assert one.hears == two.hears == ("hello",)
    with pytest.raises(ScenarioError, match=r"missing\.toml"):
        load("missing")


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_scenario_of_ours_can_be_read(path):
    assert load(path.stem).rules


@pytest.mark.parametrize(
    ("words", "name", "args"),
    [
        ("Where is my parcel?", "track_shipment", {}),
        (
            "My tracking number is 7 K 4 two M 9 Q 1 X.",
            "track_shipment",
            {"tracking_id": "7 K 4 two M 9 Q 1 X."},
        ),
        ("Where is 7K42M9Q1X please", "track_shipment", {"tracking_id": "7K42M9Q1X"}),
        ("the one ending 42", "track_shipment", {"tracking_id": "42"}),
        (
            "Please move my delivery to Friday morning.",
            "prepare_reschedule",
            {"day": "Friday", "window": "morning"},
        ),
        ("I want to move it to another day.", "offer_slots", {}),
        (
            "Thursday 26 November, from 3 pm to 6 pm, please.",
            "prepare_reschedule",
            {"day": "Thursday", "window": "3 pm to 6 pm"},
        ),
        (
            "Friday 27 November, from 12 pm to 3 pm, please.",
            "prepare_reschedule",
            {"day": "Friday", "window": "12 pm to 3 pm"},
        ),
        ("On Tuesday.", "prepare_reschedule", {"day": "Tuesday"}),
        ("Yes, please do.", "confirm_reschedule", {}),
        ("My address is the blue gate.", "confirm_address", {"said": "the blue gate."}),
    ],
)
def test_the_receptionist_calls_the_tool_that_was_asked_for(words, name, args):
    reply = run(ScriptedBrain(load("receptionist")).heard(words))

    assert reply == Reply(calls=(FunctionCall(name, args),))


def test_the_receptionist_calls_only_tools_that_there_are():
    rules = load("receptionist").rules

    for call, args, _ in [call for rule in rules for call in rule.action.calls]:
        assert args.keys() <= {parameter.name for parameter in tools.TOOLS[call].parameters}
    assert {rule.tool for rule in rules if rule.tool} <= tools.TOOLS.keys()


def test_ears_find_a_turn_and_its_words():
    listening = ears(prefixPaddingMs=100, silenceDurationMs=700)
    line = bytes(32_000) + encode("where is my parcel", 16_000) + bytes(32_000)
    frames = [line[start : start + 640] for start in range(0, len(line), 640)]

    started, ended = feed(listening, frames)

    assert isinstance(started, SpeechStarted)
    assert started.offset_s == 1.0
    assert isinstance(ended, SpeechEnded)
    assert run(listening.read(ended.pcm)) == "where is my parcel"


def test_a_sound_shorter_than_the_setup_asks_for_is_no_speech():
    assert feed(ears(prefixPaddingMs=100), [*[LOUD] * 4, *[QUIET] * 100]) == []
    assert len(feed(ears(prefixPaddingMs=80), [*[LOUD] * 4, *[QUIET] * 100])) == 2


def test_a_pause_shorter_than_the_setup_asks_for_ends_nothing():
    frames = [*[LOUD] * 10, *[QUIET] * 34, *[LOUD] * 10, *[QUIET] * 34]

    assert len(feed(ears(silenceDurationMs=700), frames)) == 1
    assert len(feed(ears(silenceDurationMs=600), frames)) == 4


def test_frames_of_any_length_are_heard_alike():
    line = LOUD * 20 + QUIET * 60
    odd = [line[start : start + 1_002] for start in range(0, len(line), 1_002)]

    assert feed(ears(), odd) == feed(ears(), [line])


def test_what_nobody_can_read_is_taken_for_what_the_scenario_says():
    listening = ears(hears=["first", "second"])

    words = [run(listening.read(LOUD * 10)) for _ in range(3)]

    assert words == ["first", "second", ""]


def test_the_mouth_speaks_so_that_it_can_be_read():
    assert decode(run(TonalMouth().speak("Hello, Njeri.")), 24_000) == "Hello, Njeri."


def test_each_conversation_begins_anew():
    voice = scripted_voice(parse({"when": [{"nudged": "", "once": True, "say": "Hello."}]}))

    said = [run(voice.brain_factory({}).nudged("")).say for _ in range(2)]

    assert said == ["Hello.", "Hello."]
