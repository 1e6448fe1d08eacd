"""When a scripted caller speaks: a life of 20 ms ticks without a clock."""

from collections.abc import Callable

from voice.sandbox.caller import Greet, Interrupt, Moment, Press, Say, Script
from voice.sandbox.pbx import TICK_BYTES

SPEECH = b"\xe8\x03" * 320
QUIET = bytes(TICK_BYTES)


def live(script: Script, agent: Callable[[int], bool], ms: int) -> list[tuple[int, Moment]]:
    """Return what the caller does at which millisecond; the agent talks where `agent` says so."""
    moments = [(at, script.live(SPEECH if agent(at) else QUIET)) for at in range(0, ms, 20)]
    return [(at, moment) for at, moment in moments if moment != Moment()]


def test_a_line_is_said_when_the_agent_has_spoken_and_fallen_silent():
    script = Script([Say(b"\x01" * TICK_BYTES * 3, after_ms=500)])

    done = live(script, lambda at: 1000 <= at < 2000, 3000)

    assert [at for at, _ in done] == [2480, 2500, 2520]
    assert b"".join(moment.pcm for _, moment in done) == b"\x01" * TICK_BYTES * 3


def test_pauses_within_a_sentence_are_not_the_end_of_it():
    script = Script([Say(b"\x01" * TICK_BYTES, after_ms=500)])

    done = live(script, lambda at: at < 3000 and at % 600 < 300, 4000)

    assert done[0][0] > 3000


def test_the_next_line_waits_for_the_next_answer():
    script = Script([Say(b"\x01" * TICK_BYTES, 200), Say(b"\x02" * TICK_BYTES, 200)])

    done = live(script, lambda at: at < 500 or 3000 <= at < 3500, 5000)

    assert [at for at, _ in done] == [680, 3680]


def test_an_interruption_comes_while_the_agent_talks():
    script = Script([Interrupt(b"\x01" * TICK_BYTES, after_ms=800)])

    done = live(script, lambda at: 1000 <= at < 9000, 5000)

    assert done[0][0] == 1780


def test_a_key_is_pressed_once():
    script = Script([Press("5", after_ms=200)])

    done = live(script, lambda at: at < 500, 1500)

    assert [moment.digit for _, moment in done] == ["5"]


def test_who_has_heard_the_last_answer_hangs_up():
    script = Script([Say(b"\x01" * TICK_BYTES, 200)], linger_ms=1000)

    done = live(script, lambda at: at < 500 or 1000 <= at < 2000, 3000)

    assert done[-1][1].hangs_up
    assert next(at for at, moment in done if moment.hangs_up) == 2980


def test_who_hears_nothing_speaks_anyway_and_then_gives_up():
    script = Script([Say(b"\x01" * TICK_BYTES)], patience_s=2)

    done = live(script, lambda _: False, 4060)

    assert done[0] == (2000 - 20, Moment(b"\x01" * TICK_BYTES))
    assert done[-1][1].hangs_up


def test_a_voicemail_waits_for_nobody():
    script = Script([Greet(b"\x01" * TICK_BYTES, after_ms=600)])

    done = live(script, lambda _: False, 2000)

    assert done[0] == (600 - 20, Moment(b"\x01" * TICK_BYTES))
