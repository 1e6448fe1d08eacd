"""What happens to a call's audio on its way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.audio import FRAME_MS, Onset, RateWatch, Resampler, is_heard, speech_in
from voice.pacing import InputClock, Pacer

FRAME = bytes(range(1, 65)) * 20  # 40 ms at 16 kHz, no sample zero
QUIET = bytes(1_280)


def tone(hz: float, seconds: float, rate_hz: int, level: float = 0.5) -> bytes:
    """Return a sine."""
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    return (np.sin(2 * np.pi * hz * at) * level * 32_767).round().astype("<i2").tobytes()


def resampled(pcm: bytes, cuts: list[int] | None = None, from_hz: int = 24_000) -> np.ndarray:
    """Return 16 kHz samples, the input taken in pieces of `cuts` bytes."""
    resampler, out, rest = Resampler(from_hz, 16_000), [], pcm
    for cut in cuts or []:
        out.append(resampler.push(rest[:cut]))
        rest = rest[cut:]
    out += [resampler.push(rest), resampler.flush()]
    return np.frombuffer(b"".join(out), "<i2").astype(float)


def residue_db(samples: np.ndarray, hz: float) -> tuple[float, float]:
    """Return the level of a tone in `samples`, and of all that is not that tone, in dB of full scale."""
    steady = samples[400:-400]
    at = np.arange(len(steady)) / 16_000
    basis = np.stack([np.sin(2 * np.pi * hz * at), np.cos(2 * np.pi * hz * at)], 1)
    fit, *_ = np.linalg.lstsq(basis, steady, rcond=None)
    rest = steady - basis @ fit
    return 20 * np.log10(np.hypot(*fit) / 32_767), 20 * np.log10(np.sqrt(np.mean(rest**2)) * 2**0.5 / 32_767)


@pytest.mark.parametrize("hz", [300, 1_000, 3_400, 6_000, 7_000])
def test_t2_speech_keeps_80_db_of_signal_to_noise(hz):
    level, rest = residue_db(resampled(tone(hz, 1, 24_000)), hz)

    assert level == pytest.approx(20 * np.log10(0.5), abs=0.1 if hz <= 6_000 else 3)
    assert level - rest >= 80


@pytest.mark.parametrize("hz", [8_050, 8_300, 9_000, 10_000, 11_500])
def test_what_is_above_the_new_band_is_80_db_down(hz):
    heard = resampled(tone(hz, 1, 24_000))[400:-400]

    level = 20 * np.log10(np.sqrt(np.mean(heard**2) + 1e-9) * 2**0.5 / 32_767 / 0.5)
    assert level <= -80


def test_the_resampler_delays_by_less_than_5_ms():
    click = np.zeros(24_000, "<i2")
    click[12_000] = 20_000

    heard = resampled(click.tobytes())

    assert 0 <= (np.argmax(np.abs(heard)) / 16_000 - 0.5) * 1000 <= 5


@given(st.lists(st.integers(0, 5_000), max_size=12))
def test_speech_sounds_the_same_however_it_is_cut(cuts):
    pcm = tone(440, 0.5, 24_000)

    assert np.max(np.abs(resampled(pcm, cuts) - resampled(pcm))) <= 1


def test_a_sample_cut_in_two_is_put_together():
    pcm = tone(440, 0.2, 24_000)

    assert np.max(np.abs(resampled(pcm, [1, 3, 5, 1001]) - resampled(pcm))) <= 1


def test_no_speech_is_lost_at_the_end():
    assert len(resampled(tone(440, 1, 24_000))) == pytest.approx(16_000, abs=64)


@pytest.mark.parametrize("from_hz", [8_000, 32_000, 48_000])
def test_other_rates_come_out_at_their_own_pitch(from_hz):
    level, rest = residue_db(resampled(tone(1_000, 1, from_hz), from_hz=from_hz), 1_000)

    assert level - rest >= 70


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


def watched(bytes_per_s: float, frame_s: float = 0.02, burst: int = 0) -> str | None:
    """Return what the watch says about a telephone that sends so much."""
    watch = RateWatch()
    found = watch.add(burst, 0.0) if burst else None
    for step in range(int(2 / frame_s)):
        found = found or watch.add(round(bytes_per_s * frame_s), step * frame_s + 0.001)
    return found


@pytest.mark.parametrize("frame_s", [0.02, 0.04, 0.1])
@pytest.mark.parametrize("burst", [0, 320_000])
@pytest.mark.parametrize(
    ("bytes_per_s", "found"),
    [(32_000, None), (16_000, "8 kHz mono"), (64_000, "stereo, or 32 kHz"), (48_000, "24 kHz mono")],
)
def test_s14_a_wrong_rate_is_told_in_the_first_second(bytes_per_s, found, burst, frame_s):
    assert watched(bytes_per_s, frame_s, burst) == found


def test_a_telephone_that_falls_silent_has_no_wrong_rate():
    watch = RateWatch()

    said = [watch.add(640, at) for at in [0.0, 0.02, 0.04, 0.5, 0.52, 1.2]]

    assert said == [None] * 6


def test_speech_is_found_between_silences_and_noise_is_none():
    loud = (np.sin(np.arange(8_000) / 3) * 8_000).astype("<i2").tobytes()
    noise = (np.sin(np.arange(16_000)) * 200).astype("<i2").tobytes()

    assert speech_in(noise + loud + noise) == (32_000 - 6_400, 48_000 + 6_400)
    assert speech_in(loud) == (0, 16_000)
    assert speech_in(noise) == (0, 0)
    assert speech_in(b"\x01") == (0, 0)


def test_zero_level_is_not_heard():
    assert not is_heard(bytes(960))
    assert not is_heard(b"\x05\x00" * 480)
    assert not is_heard(b"")
    assert is_heard(b"\x00\x10\x00\xf0" * 10 + b"\x00")


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


def onsets(pcm: bytes, frame_bytes: int = 640) -> list[int]:
    """Return at which millisecond a burst of speech is told of."""
    onset = Onset()
    starts = range(0, len(pcm), frame_bytes)
    return [start // 32 for start in starts if onset.add(pcm[start : start + frame_bytes])]


@pytest.mark.parametrize("frame_bytes", [640, 641, 1_280, 320])
def test_a_burst_of_speech_is_told_of_once_and_within_a_quarter_of_a_second(frame_bytes):
    speech, silence = tone(300, 1, 16_000, level=0.05), bytes(32_000)

    found = onsets(silence + speech + silence + speech, frame_bytes)

    assert len(found) == 2
    assert all(0 < at - begun <= 280 for at, begun in zip(found, (1_000, 3_000), strict=True))


def test_a_pause_between_words_is_none_between_bursts():
    assert len(onsets((tone(300, 0.4, 16_000) + bytes(6_400)) * 5)) == 1


@pytest.mark.parametrize("sound", [tone(697, 0.1, 16_000), tone(50, 2, 16_000, level=0.01)])
def test_a_knock_and_the_noise_of_a_line_are_no_burst(sound):
    assert not onsets(bytes(32_000) + sound + bytes(32_000))


@given(st.lists(st.binary(max_size=3_000), max_size=40))
def test_frames_of_any_size_can_be_looked_at(frames):
    onset = Onset()

    assert sum(onset.add(frame) for frame in frames) <= len(frames)
