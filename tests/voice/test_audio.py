"""What happens to a call's audio on its way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.audio import Onset, RateWatch, Resampler, is_heard, speech_in

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
