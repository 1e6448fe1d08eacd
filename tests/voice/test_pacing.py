"""When a call's audio goes out: paced to the telephone, without gaps and bursts to the model."""

import itertools
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.audio import FRAME_MS
from voice.pacing import InputClock, Pacer

FRAME = bytes(range(1, 65)) * 20  # 40 ms at 16 kHz, no sample zero
QUIET = bytes(1_280)
TAKEN_S = 0.04
"""How long apart the caller's frames are when two are taken at once, as our server does."""


def paced(pacer: Pacer, until_s: float, step_s: float = 0.005) -> list[tuple[float, bytes]]:
    """Return what goes out, with its times."""
    out = []
    for step in range(round(until_s / step_s)):
        now_s = step * step_s
        while frame := pacer.pop(now_s):
            out.append((now_s, frame))
    return out


def a_pacer(**kwargs) -> Pacer:
    """Return a pacer as calls have it."""
    return Pacer(16_000, 0.2, **({"limit_s": 60, "tail_ms": 160} | kwargs))


def test_frames_go_out_with_a_lead_of_200_ms_and_then_in_real_time():
    pacer = a_pacer()
    pacer.put(FRAME * 25)

    out = paced(pacer, 2)

    assert [len(frames) // len(FRAME) for _, frames in out] == [2] * 12 + [1]
    for number, (at_s, _) in enumerate(out):
        assert at_s == pytest.approx(max(0, number * 0.08 - 0.16), abs=0.011)


def test_what_has_nothing_behind_it_is_not_waited_for():
    pacer = a_pacer()
    pacer.put(FRAME)

    assert pacer.pop(0.0) == FRAME


def test_a_late_tick_is_made_up_for():
    pacer = a_pacer()
    pacer.put(FRAME * 50)
    paced(pacer, 0.3)

    late = [pacer.pop(0.53), pacer.pop(0.53), pacer.pop(0.53), pacer.pop(0.53)]

    assert [bool(frame) for frame in late] == [True, True, True, False]


def test_an_utterance_ends_with_160_ms_of_silence_in_whole_frames():
    pacer = a_pacer()
    pacer.put(FRAME + b"\x01\x00" * 5)
    pacer.end_utterance()

    heard = b"".join(frame for _, frame in paced(pacer, 1))

    assert heard.startswith(FRAME + b"\x01\x00" * 5)
    assert len(heard) % len(FRAME) == 0
    assert len(heard) - len(FRAME) - 10 >= 160 * 32


def test_a_full_queue_leaves_out_the_newest_whole_frames_and_counts_them():
    pacer = a_pacer(limit_s=0.4)
    pacer.put(FRAME * 8)
    pacer.put(b"\x05\x00" * 640 * 5)

    out = b"".join(frame for _, frame in paced(pacer, 2))

    assert out == FRAME * 8 + b"\x05\x00" * 640 * 2
    assert pacer.counters(0.0)["speech_dropped_ms"] == 3 * FRAME_MS


def test_a_cleared_pacer_gives_out_nothing_and_knows_what_was_not_heard():
    pacer = a_pacer()
    pacer.put(FRAME * 100)
    paced(pacer, 1.0)

    pacer.clear(1.0)

    assert pacer.wait_s(1.0) is None
    assert pacer.played_s(1.0) == pytest.approx(1.0, abs=0.01)
    assert pacer.counters(1.0)["speech_cut_ms"] == pytest.approx(200, abs=45)


def test_what_follows_a_clear_waits_until_the_telephone_obeyed_it():
    pacer = a_pacer()
    pacer.clear(1.0)
    pacer.put(FRAME * 2)

    assert pacer.wait_s(1.0) == pytest.approx(0.04)
    assert pacer.pop(1.0) == b""
    assert pacer.pop(1.05) == FRAME * 2


def test_after_a_pause_the_lead_is_given_anew():
    pacer = a_pacer()
    pacer.put(FRAME * 5)
    paced(pacer, 1.0)
    pacer.put(FRAME * 10)

    at_once = [pacer.pop(5.0) for _ in range(10)]

    assert [len(frames) for frames in at_once] == [len(FRAME) * 2] * 3 + [0] * 7


def popped(clock: InputClock, now_s: float) -> list[bytes]:
    """Return all frames that are due."""
    return list(iter(lambda: clock.pop(now_s), b""))


def test_a_callers_frame_is_passed_on_at_once():
    clock = InputClock(limit_s=5)
    out = []
    for step in range(50):
        clock.push(FRAME, step * 0.04)
        out.append(popped(clock, step * 0.04))

    assert out == [[FRAME]] * 50


def test_t8_what_was_kept_goes_out_no_faster_than_twice_real_time_and_nothing_is_lost():
    clock = InputClock(limit_s=5)
    for step in range(50):
        clock.push(FRAME, step * 0.04)

    sent = [(at, frame) for at in np.arange(2.0, 4.0, 0.02) for frame in popped(clock, float(at))]

    assert b"".join(frame for _, frame in sent if frame != QUIET) == FRAME * 50
    in_half_a_second = sum(at < 2.5 for at, _ in sent)
    assert in_half_a_second * 0.04 <= 1.0 + 0.13


def test_above_the_limit_the_oldest_is_dropped_and_counted():
    clock = InputClock(limit_s=0.2)
    for number in range(10):
        clock.push(bytes([number, 1]) * 640, 0.0)

    kept = [frame for at in np.arange(0, 0.2, 0.02) for frame in popped(clock, float(at))]

    assert [frame[0] for frame in kept] == [5, 6, 7, 8, 9]
    assert clock.counters()["caller_dropped_ms"] == 200


@pytest.mark.parametrize("stalled_s", [2, 5])
def test_s9_of_what_a_stalled_carrier_brings_at_once_the_last_second_is_passed_on(stalled_s):
    clock, at_s = InputClock(limit_s=5), 1.0 + stalled_s
    clock.pass_on()
    clock.push(FRAME, 0.0)
    popped(clock, 0.0)

    clock.push(bytes([1, 1]) * 16_000 * (stalled_s - 1) + bytes([7, 1]) * 16_000, at_s)
    sent = [frame for step in range(100) for frame in popped(clock, at_s + step * 0.02)]

    assert b"".join(frame for frame in sent if any(frame)) == bytes([7, 1]) * 16_000
    assert clock.counters()["caller_dropped_ms"] == (stalled_s - 1) * 1_000


def test_what_a_reconnect_owes_is_passed_on_whole_while_the_caller_speaks_on():
    clock, said, sent = InputClock(limit_s=5), b"", b""
    for step in range(600):
        now_s = step * 0.02
        frame = bytes([1 + step % 250, 1]) * 320
        said += frame if step < 500 else b""
        clock.push(frame if step < 500 else b"", now_s)
        if step == 240:
            clock.start(now_s)
            clock.pass_on()
        if step >= 240:
            sent += b"".join(popped(clock, now_s))

    assert sent.startswith(said)
    assert clock.counters()["caller_dropped_ms"] == 0


def test_how_fast_a_backlog_is_passed_on_is_a_setting():
    clock = InputClock(limit_s=5, catch_up=4.0)
    clock.push(FRAME * 100, 0.0)

    sent = [frame for step in range(50) for frame in popped(clock, step * 0.02)]

    assert 3.8 <= len(sent) * 0.04 <= 4.1


def test_t9_a_silent_carrier_becomes_silence_in_real_time():
    clock = InputClock(limit_s=5)
    clock.push(FRAME, 0.0)
    popped(clock, 0.0)

    sent = [frame for at in np.arange(0, 2, 0.02) for frame in popped(clock, float(at))]

    assert set(sent) == {QUIET}
    assert 43 <= len(sent) <= 47


def test_half_a_sample_is_not_shifted_by_silence():
    clock = InputClock(limit_s=5)
    clock.pop(0.0)
    clock.push(b"\x01\x02\x03", 0.0)

    first = popped(clock, 0.25)[0]
    clock.push(b"\x04" + FRAME, 0.3)
    (second,) = popped(clock, 0.3)

    assert first == b"\x01\x02" + bytes(1_278)
    assert second == (b"\x03\x04" + FRAME)[:1_280]


@given(st.lists(st.tuples(st.binary(max_size=3_000), st.floats(0, 0.3)), max_size=40))
def test_the_callers_samples_arrive_whole_in_order_and_once(pieces):
    clock, now_s, sent, said = InputClock(limit_s=60), 0.0, [], b""
    clock.pop(0.0)
    for drawn, gap_s in pieces:
        piece = bytes(byte | 1 for byte in drawn)
        now_s += gap_s
        said += piece
        clock.push(piece, now_s)
        sent += popped(clock, now_s)
    for _ in range(1_000):
        now_s += 0.04
        sent += popped(clock, now_s)

    assert b"".join(sent).replace(b"\x00", b"") == said[: len(said) & ~1]


def test_what_is_kept_is_sifted_to_what_was_said():
    loud = (np.sin(np.arange(8_000) / 3) * 8_000).astype("<i2").tobytes()
    clock = InputClock(limit_s=5)
    clock.push(bytes(32_000) + loud + bytes(32_000) + b"\x07", 0.0)

    assert clock.sift()

    out = b""
    for step in range(100):
        out += clock.pop(step * 0.04)
    assert loud in out
    assert len(out.rstrip(b"\x00")) < 32_000


def test_what_is_kept_of_a_silent_caller_is_dropped():
    clock = InputClock(limit_s=5)
    clock.push(bytes(64_000), 0.0)

    assert not clock.sift()
    assert clock.pop(0.0) == b""


def test_held_audio_is_replaced_by_silence_in_real_time():
    clock = InputClock(limit_s=5)
    frames = 0
    for step in range(100):
        clock.push(b"\x07\x00" * 320, step * 0.02)
        frames += bool(clock.silence(step * 0.02))

    assert frames == 49
    assert clock.counters()["caller_silence_ms"] == 49 * 40


def test_a_trimmed_pacer_keeps_the_next_second():
    pacer = Pacer(16_000, 0.2, limit_s=60, tail_ms=0)
    pacer.put(bytes(32_000 * 5))

    pacer.trim(1.0)

    sent = b""
    for step in range(100):
        sent += pacer.pop(step * 0.04)
    assert len(sent) == 32_000
    assert pacer.left_s(4.0) == 0.0


def turns_taken(begins_s: float, jitter_s: float, seconds: float = 60.0) -> list[float]:
    """Return when two frames went out at a time, with a caller whose frames come at these times, roughly."""
    dice, times = Random(1), list[float]()
    pacer = Pacer(16_000, 0.2, limit_s=120, tail_ms=0)
    pacer.put(bytes(int(seconds * 32_000)))
    while pacer.pop(begins_s):
        pass
    for tick in range(int(seconds / TAKEN_S) - 20):
        now_s = begins_s + 0.013 + tick * TAKEN_S + dice.uniform(-jitter_s, jitter_s)
        if pacer.is_turn(now_s) and pacer.pop(now_s, in_turn=True):
            times.append(now_s)
    return times


@pytest.mark.parametrize("jitter_ms", [0, 1, 3])
@pytest.mark.parametrize("phase_ms", range(0, 40, 2))
def test_every_other_of_the_callers_frames_takes_two_along_wherever_they_fall(phase_ms, jitter_ms):
    times = turns_taken(phase_ms / 1000, jitter_ms / 1000)

    gaps_ms = [round((later - sooner) * 1000) for sooner, later in itertools.pairwise(times)]
    assert all(80 - 2 * jitter_ms - 1 <= gap <= 80 + 2 * jitter_ms + 1 for gap in gaps_ms), set(gaps_ms)


def test_no_turn_is_given_before_the_telephone_obeyed_a_clear_or_for_less_than_a_frame():
    pacer = Pacer(16_000, 0.2, limit_s=60, tail_ms=0)
    pacer.put(bytes(32_000))
    pacer.clear(10.0)
    pacer.put(bytes(1_279))
    assert not pacer.is_turn(20.0)
    pacer.put(bytes(1))
    assert not pacer.is_turn(10.0)
    assert pacer.is_turn(20.0)
