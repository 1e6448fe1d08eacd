"""What the model may do to a call, each fault by its scenario file, with the whole call in virtual time."""

import asyncio
from itertools import pairwise
from math import inf

import pytest

from tests.faults.rehearsal import LOUD, QUIET, Played, answer_at_once, rehearse, stays
from tests.peers import FakeTelephone
from voice.limits import Limits
from voice.ports import Outcome
from voice.sandbox.mishaps import Mishap
from voice.sandbox.scenario import SCENARIOS, Scenario, load, parse
from voice.wire import gemini, sautikit

pytestmark = pytest.mark.slow
FAULTS = sorted(path.stem for path in (SCENARIOS / "faults").glob("*.toml"))
HISS = b"\x96\x00\x6a\xff" * 160
"""A line's noise, at which no ear takes the caller to speak."""
GREETING = {"nudged": "", "say": "Hello, this is the courier, I am an AI. How can I help you?"}


def met(*mishaps: Mishap) -> Scenario:
    """Return a scenario in which the model only greets, and its connections meet these mishaps."""
    return Scenario(parse({"when": [GREETING]}).rules, connections=mishaps)


def was_given_up(played: Played) -> bool:
    """Tell whether the call ended as one without a model does: in words, with somebody to call back."""
    return (
        played.ending.reason == "model_failure"
        and played.callbacks == ["model_failure"]
        and "[apology_callback]" in played.agent
        and played.hung_up == 1
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_the_model_does_a_call_keeps_its_rules(fault):
    played = rehearse(fault, seconds=25)

    assert played.ending.reason in {"caller_hangup", "model_failure"}
    assert played.tasks_left == []
    assert played.telephone.closed is not None
    for before, after in pairwise(played.sessions):
        assert before.closed_s is not None
        assert before.closed_s <= after.opened_s, "two sessions with the model at once"
    for session in played.sessions:
        assert session.closed_s is not None
        answered = [answer["id"] for answer in session.answers]
        assert len(answered) == len(set(answered))
        told_s = [at for at, message in session.from_us if "setup" not in message]
        ready_s = [at for at, frame in session.to_us if "setupComplete" in frame]
        assert not told_s or (ready_s and min(told_s) >= ready_s[0]), "something was said before the setup"


@pytest.mark.parametrize("fault", FAULTS)
def test_p9_whatever_the_model_does_nobody_waits_in_silence(fault):
    played = rehearse(fault, seconds=15)

    first_s = played.heard_at[0]
    assert first_s <= 5.0
    assert played.silence_before(min(12.0, played.seconds)) <= 5.0


@pytest.mark.parametrize("status", [401, 403, 404, 429])
def test_g1_a_refusal_that_will_not_change_is_not_tried_again(status):
    played = rehearse(met(Mishap(status=status)))

    assert was_given_up(played)
    assert played.sessions == []
    assert played.heard_at[0] <= 5


@pytest.mark.parametrize("status", [500, 502, 503])
def test_g1_a_refusal_that_may_pass_is_tried_again(status):
    played = rehearse(met(Mishap(status=status), Mishap(status=status)))

    assert played.ending.reason == "caller_hangup"
    assert played.ending.counters["model_lost"] == 2
    assert played.heard_at[0] <= 5


def test_g1_a_model_that_cannot_be_reached_is_given_up_after_three_tries():
    played = rehearse(met(*[Mishap(status=503)] * 9))

    assert was_given_up(played)
    assert played.ending.counters["model_lost"] == 3


def test_g2_a_setup_that_is_late_is_waited_for_and_the_caller_told():
    played = rehearse("late_setup")

    assert played.ending.reason == "caller_hangup"
    assert len(played.sessions) == 1
    assert 3.5 <= played.heard_at[0] <= 5
    assert "[filler]" in played.agent


def test_g2_a_setup_that_never_comes_is_tried_once_more():
    played = rehearse("no_setup")

    assert played.ending.reason == "caller_hangup"
    assert [round(session.opened_s) for session in played.sessions] == [0, 8]
    assert played.sessions[0].from_us[1:] == []
    assert "Hello, this is the courier" in played.agent


def test_g2_without_any_setup_the_call_is_given_up():
    played = rehearse("never_any_setup")

    assert was_given_up(played)
    assert len(played.sessions) == 2
    assert played.silence_before(played.seconds) <= 5


def test_g3_a_loss_in_mid_sentence_is_taken_up_at_once():
    played = rehearse("lost_in_mid_sentence")

    first, second = played.sessions
    assert second.handle
    assert first.closed_s is not None
    assert second.opened_s - first.closed_s <= 1.5
    assert played.ending.timings["gaps_ms"][0] <= 4_000
    assert played.ending.reason == "caller_hangup"


@pytest.mark.parametrize("at_s", [0.05, 0.3, 0.6, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0])
@pytest.mark.parametrize("close", [(1011, "Internal error encountered."), (1006, ""), (1000, "")])
def test_g3_whenever_it_is_lost_the_caller_is_told_in_time_and_answered_again(at_s, close):
    played = rehearse(met(Mishap(close=close, close_after_s=at_s)), seconds=18)

    assert played.ending.reason == "caller_hangup"
    assert "Hello, this is the courier" in played.agent
    assert all(gap_ms <= 4_000 for gap_ms in played.ending.timings["gaps_ms"])
    assert played.silence_before(min(at_s + 6, 9)) <= 5


@pytest.mark.parametrize("at_s", [0.5, 1.0, 3.0, 7.0])
def test_g3_the_caller_is_told_in_time_although_the_first_try_hangs(at_s):
    hangs = Mishap(setup_s=inf)

    played = rehearse(met(Mishap(close=(1011, "Internal"), close_after_s=at_s), hangs), seconds=14)

    lost_s = played.sessions[0].opened_s + at_s
    assert _told_after_s(played, lost_s) <= 1.5
    assert played.ending.timings["gaps_ms"][0] <= 4_000
    assert played.sessions[1].closed_s is not None
    assert played.sessions[1].closed_s - lost_s <= 3.1, "by then a new conversation is begun"


_DEAF_TOO = ((0.0, 60.0),)


@pytest.mark.parametrize("hangs", [Mishap(setup_s=inf), Mishap(setup_s=inf, stalls=_DEAF_TOO)])
@pytest.mark.parametrize("close", [(1011, "Internal error encountered."), (1006, "")])
@pytest.mark.parametrize("says", ["", "Your parcel is in Nairobi and will be with you tomorrow morning."])
def test_g3_tries_that_hang_keep_a_caller_waiting_four_seconds_and_not_in_silence(says, close, hangs):
    rules = {"when": [GREETING, {"after_s": 11.6, "say": says}]} if says else {"when": [GREETING]}
    lost = Mishap(close=close, close_after_s=12.0)

    played = rehearse(Scenario(parse(rules).rules, connections=(lost, hangs, hangs)), seconds=20)

    lost_s = played.sessions[0].opened_s + 12.0
    assert played.ending.reason == "caller_hangup"
    assert len(played.sessions) == 4
    assert (played.sessions[1].opened_s - lost_s < 1) == bool(says), "one of both is in mid-sentence"
    assert [gap_ms <= 4_000 for gap_ms in played.ending.timings["gaps_ms"]] == [True]
    assert all(session.from_us[1:] == [] for session in played.sessions[1:-1]), "one that hung was used"
    assert _told_after_s(played, lost_s) <= 1.5
    ear_s = [at for at in played.heard_at if at >= lost_s]
    assert all(later - at <= 5 for at, later in pairwise(ear_s) if later <= lost_s + 5)
    assert any(lost_s + 3 < at < lost_s + 5 for at in ear_s), "the agent speaks again"
    for before, after in pairwise(played.sessions):
        assert before.closed_s is not None
        assert before.closed_s <= after.opened_s


def _told_after_s(played: Played, lost_s: float) -> float:
    """Return how long after a loss, or after what was still heard then, a recording began."""
    told_s = next(at for at, frame in played.telephone.got if _is_recorded(frame) and at >= lost_s)
    return told_s - max(lost_s, *(at for at in played.heard_at if at < told_s))


def _is_recorded(frame: str | bytes) -> bool:
    return isinstance(frame, bytes) and b"\x05\x00" * 16 in frame


def test_g4_a_model_that_is_lost_every_time_is_given_up():
    played = rehearse("lost_every_time")

    assert was_given_up(played)
    assert len(played.sessions) == 3


@pytest.mark.parametrize("reason", [
    "Request contains an invalid argument.",
    "API key not valid. Please pass a valid API key.",
    "setup must be the first message and only the first",
    "User location is not supported for the API use.",
])  # fmt: skip
@pytest.mark.parametrize("at_s", [0.0, 0.5, 3.0])
def test_g5_what_is_our_own_fault_is_not_tried_again(reason, at_s):
    played = rehearse(met(Mishap(close=(1007, reason), close_after_s=at_s)))

    assert was_given_up(played)
    assert len(played.sessions) == 1


@pytest.mark.parametrize("reason", [
    "models/none is not found for API version v1beta, or is not supported for bidiGenerateContent.",
    "Operation is not implemented, or supported, or enabled.",
])  # fmt: skip
def test_g5_a_refusal_by_policy_is_not_tried_again(reason):
    played = rehearse(met(Mishap(close=(1008, reason), close_after_s=2)))

    assert was_given_up(played)
    assert len(played.sessions) == 1


def test_g5_an_aborted_operation_is_tried_again():
    played = rehearse(met(Mishap(close=(1008, "The operation was aborted."), close_after_s=2)))

    assert played.ending.reason == "caller_hangup"
    assert len(played.sessions) == 2


def test_g1_without_quota_the_caller_hears_so_at_once():
    played = rehearse("quota")

    assert was_given_up(played)
    assert played.heard_at[0] <= 1


def test_g6_a_go_away_is_obeyed_in_a_quiet_moment_before_the_end():
    played = rehearse("go_away")

    first, second = played.sessions
    assert second.handle
    assert first.closed_s is not None
    assert 6 <= first.closed_s <= 14
    assert "model_lost" not in played.ending.counters
    assert played.ending.counters["renewals"] == 1


def test_g6_an_end_without_a_word_is_survived():
    played = rehearse("gone_without_a_word")

    assert played.ending.reason == "caller_hangup"
    assert played.sessions[1].handle


def test_g6_a_server_that_sends_everybody_away_is_not_dialled_without_end():
    played = rehearse("go_away_at_once", seconds=20)

    assert len(played.sessions) <= 8
    assert "Hello, this is the courier" in played.agent


def test_g7_what_cannot_be_read_is_passed_over():
    played = rehearse("malformed", seconds=10)

    assert played.ending.reason == "caller_hangup"
    assert len(played.sessions) == 1
    assert played.ran == []
    assert "Hello, this is the courier" in played.agent


def test_g7_twenty_unreadable_frames_in_a_row_are_a_loss():
    played = rehearse("nonsense_only")

    assert played.ending.counters["model_lost"] == 1
    assert played.sessions[1].handle
    assert played.ending.reason == "caller_hangup"


def test_g8_odd_pieces_are_the_same_sound():
    def sound(played: Played) -> bytes:
        return played.telephone.audio

    odd, even = rehearse("odd_bytes", seconds=8), rehearse(met(), seconds=8)

    assert sound(odd) == sound(even)
    assert len(sound(odd)) > 2 * 32_000


def test_g8_a_minute_of_speech_at_once_keeps_to_its_bound():
    scenario = parse({"when": [{"nudged": "", "once": True, "say": "word " * 300}]})

    played = rehearse(scenario, seconds=20)

    assert played.ending.reason == "caller_hangup"
    assert len(played.telephone.audio) <= 21 * 32_000


def test_g9_an_interruption_that_fits_nothing_ends_nothing():
    played = rehearse("interrupted_at_random", seconds=15)

    assert played.ending.reason == "caller_hangup"
    assert "Are you there?" in played.agent


def test_g9_of_ten_seconds_that_are_queued_nothing_follows_an_interruption():
    scenario = parse({
        "when": [
            {"nudged": "", "once": True, "say": "this and that and more of it, on and on it goes " * 4},
            {"heard": "", "say": "Yes?"},
        ],
        "hears": ["Stop"],
    })  # fmt: skip

    async def caller(telephone: FakeTelephone) -> None:
        await stays(telephone, 4)
        await stays(telephone, 0.6, LOUD)
        await stays(telephone, 6)

    played = rehearse(scenario, caller)

    cleared = [at for at, frame in played.telephone.got if frame == sautikit.clear()]
    after = [at for at, frame in played.telephone.got if isinstance(frame, bytes) and cleared[0] < at]
    assert 4.0 < cleared[0] < 4.5
    assert min(after) - cleared[0] > 0.5, "something of the old turn went out after it was cut off"


def test_g9_a_tool_that_runs_finishes_when_the_caller_speaks():
    scenario = parse({
        "when": [
            {"nudged": "", "once": True, "calls": [{"name": "track_shipment", "id": "call-1"}]},
            {"heard": "", "say": "One moment."},
        ],
        "hears": ["Hurry"],
    })  # fmt: skip

    async def slow(tool_call: gemini.ToolCall) -> Outcome:
        await asyncio.sleep(3)
        return await answer_at_once(tool_call)

    async def caller(telephone: FakeTelephone) -> None:
        await stays(telephone, 1.5)
        await stays(telephone, 0.6, LOUD)
        await stays(telephone, 8)

    played = rehearse(scenario, caller, run_tool=slow)

    assert [record.state for record in played.tool_records] == ["ok"]
    assert len(played.ran) == 1
    assert played.ending.reason == "caller_hangup"


def test_g10_empty_turns_are_asked_again_in_other_words():
    played = rehearse("empty_turns", seconds=15)

    assert played.ending.counters["empty_turns"] == 2
    assert any("other words" in text for text in played.sessions[0].texts)
    assert "Hello, this is the courier" in played.agent


def test_g10_audio_of_zero_level_counts_as_nothing_said():
    played = rehearse("zero_audio", seconds=15)

    assert played.ending.counters["empty_turns"] == 1
    assert "Hello, this is the courier" in played.agent
    assert played.heard_at[0] <= 5


def test_g10_a_model_that_says_nothing_is_nudged_and_then_left():
    scenario = parse({"when": [GREETING | {"once": True}], "hears": ["Where is my parcel?", "Hello?"]})

    async def caller(telephone: FakeTelephone) -> None:
        await stays(telephone, 6)
        await stays(telephone, 0.6, LOUD)
        await stays(telephone, 14)

    played = rehearse(scenario, caller)

    assert played.ending.counters["nudges"] >= 1
    assert len(played.sessions) == 2


def test_g11_a_stall_that_passes_is_survived():
    played = rehearse("stalled", seconds=15)

    assert played.ending.reason == "caller_hangup"
    assert "Hello, this is the courier" in played.agent


def test_g11_a_turn_that_never_ends_keeps_nobody_waiting():
    played = rehearse("endless_turn", seconds=15)

    assert "Are you there?" in played.agent
    assert played.silence_before(played.seconds) <= 5


def test_g11_a_model_that_hangs_for_good_is_left_when_a_silent_caller_is_to_be_asked():
    played = rehearse("stalled_for_ever", seconds=60)

    assert played.silence_before(played.seconds) <= 20 + 10 + 1.5
    assert played.ending.counters["model_stuck"] == 1


def test_g11_a_caller_who_speaks_to_a_model_that_hangs_is_answered_by_another():
    async def caller(telephone: FakeTelephone) -> None:
        await stays(telephone, 6)
        await stays(telephone, 0.6, LOUD)
        await stays(telephone, 20)

    played = rehearse("stalled_for_ever", caller)

    assert played.ending.counters["unheard"] == 1
    assert min(at for at in played.heard_at if at > 6.6) <= 6.6 + 2 + 10 + 1.5


def test_g12_our_own_limit_comes_before_that_of_a_session():
    async def caller(telephone: FakeTelephone) -> None:
        for _ in range(60):
            await stays(telephone, 14)
            await stays(telephone, 0.6, LOUD)

    scenario = parse({
        "when": [GREETING | {"once": True}, {"heard": "", "calls": [{"name": "track_shipment"}]},
                 {"answered": "track_shipment", "say": "It is on its way."},
                 {"nudged": "", "say": "This call must end soon."}],
    })  # fmt: skip

    played = rehearse(scenario, caller)

    assert played.ending.reason == "max_duration"
    assert 585 <= played.seconds <= 601
    assert len(played.sessions) == 1, "a renewal is a gap, and nobody asked for one"
    assert "model_lost" not in played.ending.counters


def test_g12_a_connection_that_is_closed_after_58_minutes_is_taken_up_again():
    async def caller(telephone: FakeTelephone) -> None:
        await stays(telephone, 5)
        while asyncio.get_running_loop().time() < 3_500:
            await stays(telephone, 0.6, LOUD)
            for _ in range(10):  # a carrier that sends nothing while nobody speaks, or almost
                telephone.put(QUIET)
                await asyncio.sleep(10)

    limits = Limits(call_s=4_000, connection_s=4_000, ask_s=4_000, silence_s=4_000)
    played = rehearse("closed_at_58_minutes", caller, limits=limits)

    first, second = played.sessions
    assert first.closed_s is not None
    assert 3_480 <= first.closed_s <= 3_481
    assert second.handle
    assert played.ending.timings["gaps_ms"][0] <= 4_000
    assert played.ending.reason == "caller_hangup"


def test_g13_who_comes_back_to_an_idle_conversation_after_a_second_is_taken():
    played = rehearse("lost_while_idle", seconds=20)

    assert played.ending.reason == "caller_hangup"
    assert [bool(session.handle) for session in played.sessions] == [False, True]
    assert played.ending.timings["gaps_ms"][0] <= 2_000


def test_g13_who_comes_back_within_a_second_is_refused_and_taken_at_the_next_try():
    played = rehearse("lost_while_idle", limits=Limits(idle_wait_s=0.5), seconds=20)

    assert played.ending.reason == "caller_hangup"
    assert [bool(session.handle) for session in played.sessions] == [False, True, True]
    assert played.ending.counters["resumptions"] == 1
    assert played.ending.timings["gaps_ms"][0] <= 4_000


def test_g13_a_resumption_that_is_refused_ends_in_a_fresh_session():
    played = rehearse("handle_refused")

    first, refused, fresh = played.sessions
    assert refused.handle
    assert not fresh.handle
    assert first.closed_s is not None
    assert first.closed_s < refused.opened_s
    assert "You are connected again" in str(fresh.from_us)
    assert "Hello, this is the courier" in str(fresh.from_us), "the fresh session knows what was said"
    assert played.ending.counters["fresh_sessions"] == 1


def test_g13_a_resumption_that_is_refused_while_the_old_one_is_open_is_tried_again():
    refusal = (1011, "Internal error encountered.")
    played = rehearse(met(Mishap(close=(1006, ""), close_after_s=6), Mishap(no_resume=refusal)))

    assert played.ending.reason == "caller_hangup"
    assert 2 <= len(played.sessions) <= 3


def test_a_tool_call_delivered_twice_acts_and_is_answered_once():
    played = rehearse("doubled_tool_call")

    assert played.ran == ["call-1"]
    assert [answer["id"] for answer in played.sessions[0].answers] == ["call-1"]


def test_a_call_made_again_in_other_words_acts_once_and_gets_the_first_result():
    played = rehearse("drifted_arguments")

    first, second = played.sessions[0].answers
    assert played.ran == ["call-1"]
    assert (first["id"], second["id"]) == ("call-1", "call-2")
    assert first["response"] == second["response"]


def test_a_call_that_is_taken_back_is_not_spoken_of():
    async def slow(tool_call: gemini.ToolCall) -> Outcome:
        await asyncio.sleep(1)
        return await answer_at_once(tool_call)

    played = rehearse("cancelled_call", run_tool=slow)

    assert played.sessions[0].answers == []
    assert len(played.tool_records) == 1


def test_s19_a_tool_that_runs_when_the_connection_is_lost_is_told_on_the_next():
    async def slow(tool_call: gemini.ToolCall) -> Outcome:
        await asyncio.sleep(2)
        return await answer_at_once(tool_call)

    played = rehearse("lost_with_a_call_open", run_tool=slow)

    assert played.ran == ["call-1"]
    assert [record.state for record in played.tool_records] == ["ok"]
    assert played.ending.reason == "caller_hangup"
    assert "It is on its way." in str(played.sessions[1].from_us)


@pytest.mark.parametrize(("fault", "leaves_s"), [
    ("no_setup", 3.0), ("lost_in_mid_sentence", 1.65), ("handle_refused", 7.0), ("handle_refused", 8.2),
    ("doubled_tool_call", 0.45), ("go_away", 7.0), ("lost_every_time", 2.5), ("quota", 0.8), ("stalled", 6.0),
])  # fmt: skip
def test_s19_p6_a_hang_up_in_any_state_ends_everything_within_a_second(fault, leaves_s):
    played = rehearse(fault, seconds=leaves_s)

    assert played.seconds <= leaves_s + 1
    assert played.tasks_left == []
    assert all(seen.closed_s is not None and seen.closed_s <= leaves_s + 1 for seen in played.sessions)


def test_s13_a_carrier_that_sends_nothing_for_a_while_is_filled_up_with_zeros():
    async def caller(telephone: FakeTelephone) -> None:
        await stays(telephone, 4, LOUD)
        await asyncio.sleep(3)
        await stays(telephone, 4)

    played = rehearse(met(), caller, limits=Limits(shield_s=0))

    heard_s = len(played.sessions[0].audio) / 32_000
    assert 10.0 <= heard_s <= 11.1
    assert played.ending.counters["caller_silence_ms"] >= 2_500


@pytest.mark.parametrize("frame", [QUIET, HISS], ids=["silence", "noise"])
def test_s13_a_silent_caller_is_asked_at_twenty_seconds_and_left_at_forty(frame):
    scenario = parse({
        "when": [GREETING | {"once": True}, {"nudged": "still there", "say": "Are you still there?"},
                 {"nudged": "goodbye", "say": "Goodbye."}],
    })  # fmt: skip

    played = rehearse(scenario, lambda telephone: stays(telephone, 90, frame))

    assert "Are you still there?" in played.agent
    assert "Goodbye." in played.agent
    assert played.ending.reason == "silence_timeout"
    assert 40 <= played.seconds <= 60
    assert played.hung_up == 1


def test_every_fault_of_the_list_has_a_scenario():
    wanted = {"late_setup", "no_setup", "go_away", "gone_without_a_word", "stalled",
              "speech_stalls", "empty_turns",
              "zero_audio", "doubled_tool_call", "drifted_arguments", "cancelled_call", "malformed",
              "handle_refused", "lost_while_idle", "closed_at_58_minutes", "odd_bytes",
              "lost_in_mid_sentence", "quota"}  # fmt: skip

    assert wanted <= set(FAULTS)
    assert load("faults/no_setup").connections[0].setup_s == inf
