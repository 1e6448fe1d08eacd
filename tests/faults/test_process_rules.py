"""The rules of a call once more on a real process: a `serve` with short limits, and the local Live server.

Each is proved in virtual time elsewhere; here it is seen that settings, sockets and records carry it, and
what the model, the caller and the carrier hear of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.faults.at_once import Case, House, Played, a_house
from tests.line import CALLER
from voice import clips, notes
from voice import events as call
from voice.prompts import greeting_nudge
from voice.sandbox.scenario import Scenario, load, parse

pytestmark = [
    pytest.mark.slow,
    pytest.mark.punctual,
    pytest.mark.logs_errors,
    pytest.mark.xdist_group("process-rules"),
]
LIMITS = {
    "SAUTIKIT_API_KEY": "planted-carrier-key-0123456789",
    "CALLER_PROOF": "none",
    "GEMINI_SETUP_S": "2",
    "GEMINI_STABLE_S": "2",
    "GREETING_NUDGE_S": "1",
    "GREETING_CLIP_S": "2.5",
    "GREETING_SHIELD_S": "1",
    "ANSWER_NUDGE_S": "1.5",
    "INTERRUPTED_NUDGE_S": "1.5",
    "TOOL_NUDGE_S": "1.5",
    "STUCK_S": "3",
    "STUCK_NUDGED_S": "1.5",
    "SILENCE_ASK_S": "2.5",
    "SILENCE_END_S": "4",
    "CALL_LIMIT_S": "17",
    "CALL_WARNING_S": "7",
    "CALL_GOODBYE_S": "3",
    "CALL_MACHINE_S": "9",
    "CALL_MACHINE_TURNS": "12",
    "GEMINI_CONNECTION_S": "6.5",  # a renewal is in nobody's goodbye: silence ends before, no progress later
    "GEMINI_RENEWAL_S": "3",
}
_GREET = greeting_nudge("en")
_GREETING = "Hello, I am an AI."
_HELLO = {"nudged": "", "say": _GREETING}
_BACK = {"nudged": "is back", "say": "Here I am again."}
_NOTHING = {"raw": [{"usageMetadata": {"promptTokenCount": 1}}]}
_INTERNAL = {"code": 1011, "reason": "Internal error encountered."}
_CODES = {
    "caller_hangup": call.CLOSE_NORMAL,
    "agent_hangup": call.CLOSE_NORMAL,
    "silence_timeout": call.CLOSE_IDLE,
    "max_duration": call.CLOSE_TIME_LIMIT,
    "model_failure": call.CLOSE_UPSTREAM,
}


def told(*when: dict[str, Any], **more: Any) -> Scenario:
    """Return a scenario out of its rules."""
    return parse({"when": list(when), **more})


def fault(name: str) -> Scenario:
    """Return one of the scenarios of faults."""
    return load(f"faults/{name}")


def calls(*names: str, **args: str) -> list[dict[str, Any]]:
    """Return tool calls as a scenario has them."""
    return [{"name": name, "args": args} for name in names]


_TALE = " ".join(["It is on its way to you and comes today."] * 3)
_TRACKS = [{"name": "track_shipment", "args": {"tracking_id": f"NBO-{n}"}, "id": f"c{n}"} for n in range(25)]
_PRESSED: tuple[Mapping[str, object], ...] = (
    *({"event": "dtmf", "dtmf": {"track": "inbound", "digit": key}} for key in "12"),
    *({"event": "dtmf", "dtmf": key, "duration": "1600"} for key in "34#"),
)
_TURNS = [
    {"serverContent": {"inputTranscription": {"text": "Hello?"}}},
    {"serverContent": {"outputTranscription": {"text": "Hello."}}},
]
SHORT = {
    "no quota": Case(
        fault("quota"),
        "model_failure",
        ("model_busy",),
        heard=("[apology_callback]",),
        stays_s=12,
        outcome="callback_requested",
    ),
    "a greeting": Case(
        told({"nudged": "", "say": "Hello, this is the courier. I am an AI. How can I help you?"}),
        told=(_GREET,),
        heard=("Hello, this is the courier. I am an AI. How can I help you?",),
    ),
    "a greeting that is nudged": Case(
        told({"nudged": "", "once": True, **_NOTHING}, _HELLO),
        counts=("nudges",),
        told=(_GREET, _GREET),
        heard=(_GREETING,),
    ),
    "a greeting that does not come": Case(
        told({"nudged": "", **_NOTHING}),
        counts=("nudges", "clip_greeting"),
        told=(_GREET, _GREET),
        heard=("[greeting]",),
        stays_s=10,
    ),
    "a greeting into which the caller speaks": Case(
        told(
            {"nudged": "", "say": "Hello, this is the courier. I am an AI. How can I help you?"},
            {"heard": "hello", "say": "Yes, I hear you."},
        ),
        told=(_GREET, "[caller] Hello?"),
        heard=("Hello, this is the courier. I am an AI. How can I help you?", "Yes, I hear you."),
        breaks_in="Hello?",
        stays_s=7,
    ),
    "empty turns": Case(
        fault("empty_turns"), counts=("empty_turns", "nudges"), told=(_GREET, _GREET, notes.REPHRASE)
    ),
    "turns of no sound": Case(fault("zero_audio"), counts=("nudges",), stays_s=5),
    "a call in other words": Case(
        fault("drifted_arguments"),
        counts=("reissued_tool_calls",),
        stays_s=6,
        runs=(("track_shipment", "refused"),),
        answers=2,
    ),
    "a call that comes twice": Case(
        fault("doubled_tool_call"),
        counts=("repeated_tool_calls",),
        runs=(("track_shipment", "refused"),),
    ),
    "an answer of a tool that is not told": Case(
        told({"nudged": "", "once": True, "calls": _TRACKS[:1]}, _HELLO),
        counts=("nudges",),
        told=(_GREET, notes.ANSWER),
        answers=1,
    ),
    "an interruption after which nothing is said": Case(
        told(_HELLO, {"after_s": 1.5, "raw": [{"serverContent": {"interrupted": True}}]}),
        counts=("nudges",),
        told=(_GREET, notes.ANSWER),
        stays_s=5,
    ),
    "a call that is taken back": Case(fault("cancelled_call"), heard=("Never mind.",), answers=0),
    "a goodbye of the model's": Case(
        told(
            _HELLO,
            {"heard": "bye", "say": "Thank you for calling, and goodbye now.", "calls": calls("end_call")},
        ),
        "agent_hangup",
        heard=(_GREETING, "Thank you for calling, and goodbye now."),
        says=((2.5, "bye"),),
        stays_s=12,
    ),
    "a wish for a person": Case(
        told(
            _HELLO,
            {"heard": "person", "calls": calls("request_callback", summary="The gate is locked.")},
            {"answered": "request_callback", "say": "{message}"},
        ),
        heard=(_GREETING, "A colleague will call you back on the number ending in 0 0 1,"),
        says=((2.5, "a person please"),),
        stays_s=9,
        outcome="callback_requested",
        runs=(("request_callback", "ok"),),
    ),
    "keys": Case(
        told(_HELLO),
        types=_PRESSED,
    ),
    "a setup that never comes": Case(  # dialled twice without a handle: it is placed last
        told(_HELLO, connection=[{"setup_s": float("inf")}] * 2),
        "model_failure",
        ("model_late", "clip_filler"),
        heard=("[apology_callback]",),
        stays_s=16,
        outcome="callback_requested",
    ),
}
LONG = {
    "a model that goes away": Case(
        told(_HELLO, connection=[{"life_s": 6, "notice_s": 5}]),
        counts=("go_aways", "renewals", "resumptions"),
        stays_s=5,
    ),
    "a model that goes away while it is heard": Case(
        told(
            _HELLO, {"after_s": 2.5, "say": _TALE}, connection=[{"life_s": 8, "notice_s": 5}]
        ),  # two seconds before its end, quiet or not
        counts=("go_aways", "renewals", "resumptions"),
        heard=(_GREETING, _TALE),
        stays_s=9.5,
        back_s=(5.5, 7.0),
    ),
    "a loss in mid-sentence": Case(
        told(
            _BACK,
            _HELLO,
            {"after_s": 2.5, "say": "It comes today, after two and before four.", "spoilt": {"stall_s": 3}},
            connection=[{"close": _INTERNAL, "close_after_s": 4.0}],
        ),
        counts=("model_lost", "resumptions"),
        told=(_GREET, notes.CAME_BACK),
        heard=(_GREETING, "Here I am again."),
        stays_s=8,
        back_s=(0.0, 0.9),
    ),
    "a loss while nobody speaks": Case(
        told(_BACK, _HELLO, connection=[{"close": _INTERNAL, "close_after_s": 3.0}]),
        counts=("model_lost", "resumptions"),
        stays_s=5,
        back_s=(0.9, 2.0),
    ),
    "silence": Case(
        told(
            {"nudged": notes.ASK, "say": "Are you still there?"},
            {"nudged": notes.SILENT, "say": "Then goodbye."},
            _HELLO,
        ),
        "silence_timeout",
        told=(_GREET, notes.ASK, notes.SILENT),
        heard=(_GREETING, "Are you still there?", "Then goodbye."),
        stays_s=14,
    ),
    "an answer that does not come": Case(
        told(_HELLO), counts=("nudges",), told=(_GREET, notes.ANSWER), says=((2.5, "where is it"),), stays_s=6
    ),
    "a model that does not answer any more": Case(
        told({"nudged": "", "once": True, "say": _GREETING}, _BACK),
        counts=("nudges", "model_stuck", "clip_filler", "resumptions"),
        told=(_GREET, notes.ANSWER, notes.CAME_BACK),
        heard=(_GREETING, "Here I am again."),
        says=((2.5, "where is it"),),
        stays_s=11,
    ),
    "a talk to no end": Case(
        told({"nudged": notes.NO_PROGRESS, "say": "We call back. Goodbye."}, _HELLO),
        "agent_hangup",
        ("talks_to_no_end",),
        told=(_GREET, notes.NO_PROGRESS),
        heard=(_GREETING, "We call back. Goodbye."),
        says=((3.0, "yes and no"), (5.0, "yes and no"), (7.0, "yes and no")),
        stays_s=14,
    ),
    "a talk of many turns": Case(
        told(
            {"nudged": notes.NO_PROGRESS, "say": "We call back. Goodbye."},
            _HELLO,
            {"after_s": 2.5, "raw": _TURNS * 6},
        ),
        "agent_hangup",
        ("talks_to_no_end",),
        heard=(_GREETING, "We call back. Goodbye."),
        stays_s=7,  # before its time without a tool is up
    ),
    "a call that takes too long": Case(
        told(
            {"nudged": notes.WARNING, "say": "One minute is left."},
            {"nudged": notes.TIME_IS_UP, "say": "Our time is up. Goodbye."},
            _HELLO,
            {"after_s": 5.0, "calls": calls("track_shipment")},
        ),
        "max_duration",
        ("renewals", "resumptions"),  # its connection is old before it ends
        told=(_GREET, notes.WARNING, notes.TIME_IS_UP),
        heard=(_GREETING, "One minute is left.", "Our time is up. Goodbye."),
        says=tuple((at, "yes") for at in (3.0, 5.0, 7.0, 9.0)),
        stays_s=19,
    ),
    "a model that runs away": Case(  # goes on in a conversation of its own: it is placed last
        told({"nudged": "connected again", "say": "I am back."}, _HELLO, {"heard": "", "calls": _TRACKS}),
        counts=("refused_tool_calls", "model_stuck", "fresh_sessions"),
        told=(_GREET, notes.AFTER_SUMMARY),
        heard=(_GREETING, "I am back."),
        says=((2.5, "where is it"),),
        stays_s=8,
    ),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Run one server process for all calls here."""
    with a_house(tmp_path_factory.mktemp("rules"), **LIMITS) as running:
        yield running


@pytest.mark.parametrize("name", SHORT)
def test_a_rule_holds_in_a_real_call(house: House, name: str):
    played = house.played(SHORT, name)

    assert_as_told(house, SHORT[name], played)


@pytest.mark.parametrize("name", LONG)
def test_a_rule_holds_in_a_real_call_that_takes_its_time(house: House, name: str):
    played = house.played(LONG, name)

    assert_as_told(house, LONG[name], played)


def assert_as_told(house: House, case: Case, played: Played) -> None:
    """Fail unless the row, the model, the caller and the carrier say what was to come of the call."""
    if played.fault is not None:
        raise played.fault
    assert_row(case, played)
    words = [words for _, words in played.told]
    assert _in_order(case.told, words), words
    heard = [words for _, words in played.utterances()]
    spoken = [words for words in case.heard if words[0] != "["]
    assert _in_order(spoken, heard), heard
    pcm = b"".join(frame for _, frame in played.frames)
    recordings = clips.load("en")
    assert not [clip for clip in case.heard if clip[0] == "[" and recordings[clip[1:-1]].pcm not in pcm]
    for _, setup in played.setups:
        assert "sessionResumption" in setup
        assert "slidingWindow" in setup["contextWindowCompression"]
    assert_ended(house, case, played)
    if case.back_s is not None:
        lost_s = played.setups[0][0] + case.story.connections[0].close_after_s
        assert case.back_s[0] <= played.setups[1][0] - lost_s <= case.back_s[1]


def assert_row(case: Case, played: Played) -> None:
    """Fail unless the row says what was to come of the call."""
    assert played.reason == case.reason, (played.counters, played.told, played.utterances())
    assert played.outcome == case.outcome
    counters = played.counters
    assert not [name for name in case.counts if not counters.get(name)], counters
    assert not [name for name in counters if name.startswith("model_") and name not in case.counts], counters
    assert not counters.get("crashes"), counters
    assert counters.get("keys", 0) == len(case.types), counters
    assert case.runs is None or played.runs == case.runs
    assert case.answers is None or played.answers == case.answers


def assert_ended(house: House, case: Case, played: Played) -> None:
    """Fail unless the caller's line was closed as it should be: hung up first, with all words heard."""
    assert played.code == _CODES[case.reason]
    hung_up_s = house.carrier.hung_up_s.get(played.session_id, [])
    if case.reason == "caller_hangup":
        assert hung_up_s == []
        return
    [at_s] = hung_up_s
    assert at_s < played.closed_s
    assert max((ear_s for ear_s, _ in played.utterances()), default=0.0) <= at_s + 0.1, "cut off"


def _in_order(wanted: Sequence[str], found: Sequence[str]) -> bool:
    """Tell whether all that is wanted begins what was found, in this order."""
    rest = iter(found)
    return all(any(one.startswith(words) for one in rest) for words in wanted)


def test_a_greeting_is_heard_out_before_the_model_hears_what_was_said_meanwhile(house: House):
    played = house.played(SHORT, "a greeting into which the caller speaks")

    said_s = next(at_s for at_s, words in played.told if words == "[caller] Hello?")
    assert played.utterances()[0][0] <= said_s
    assert played.cleared == played.timings["interruptions"] == 0


def test_a_greeting_that_does_not_come_is_nudged_in_time_and_then_made_by_a_recording(house: House):
    played = house.played(SHORT, "a greeting that does not come")

    (first_s, _), (again_s, _) = played.told
    heard_s = next(at_s for at_s, frame in played.frames if any(frame))
    assert 0.9 <= again_s - first_s <= 2.0
    assert 2.4 <= heard_s - first_s <= 3.5


def test_a_silent_caller_is_asked_once_what_was_said_has_been_heard_out(house: House):
    played = house.played(LONG, "silence")

    heard_out_s = played.utterances()[0][0]
    asked_s = next(at_s for at_s, words in played.told if words == notes.ASK)
    assert 2.4 <= asked_s - heard_out_s <= 4.0


def test_who_asks_for_a_person_is_on_the_list_to_be_called_back(house: House):
    played = house.played(SHORT, "a wish for a person")

    [(number, reason, summary, state)] = house.line.rows(
        "SELECT number, reason, summary, b.state FROM voice_callbackrequest b JOIN voice_call c "
        "ON c.id = b.call_id WHERE c.session_id = ? AND window_start < window_end",
        played.session_id,
    )
    assert (number, reason, summary, state) == (CALLER, "asked", "The gate is locked.", "open")
