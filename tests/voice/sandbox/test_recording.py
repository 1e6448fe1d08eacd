"""What is written of a call, and what is read off it."""

import io
import wave

import numpy as np
import pytest

from voice.sandbox.recording import Span, at_telephone_rate, measure, read_wav, spans, stereo_wav


def tone(seconds: float, rate_hz: int = 16_000) -> bytes:
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return bytes(np.rint(8000 * np.sin(2 * np.pi * 400 * times)).astype("<i2"))


def silence(seconds: float) -> bytes:
    return bytes(round(seconds * 16_000) * 2)


def wav(pcm: bytes, *, rate_hz: int = 16_000, channels: int = 1, width: int = 2) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        file.writeframes(pcm)
    return target.getvalue()


def test_the_caller_is_left_and_the_agent_right():
    recording = stereo_wav(b"\x01\x00\x02\x00", b"\x03\x00")

    with wave.open(io.BytesIO(recording)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 16_000)
        assert file.readframes(9) == b"\x01\x00\x03\x00\x02\x00\x00\x00"


def test_speech_is_found_to_ten_milliseconds_and_short_pauses_belong_to_it():
    pcm = silence(0.5) + tone(1) + silence(0.2) + tone(1) + silence(1) + tone(0.5) + silence(1)

    assert spans(pcm) == [Span(0.5, 2.7), Span(3.7, 4.2)]


def test_a_click_is_not_speech():
    assert spans(silence(1) + tone(0.02) + silence(1)) == []


def test_timings_are_those_that_a_caller_notices():
    said = silence(3) + tone(1) + silence(6) + tone(1) + silence(4)
    heard = silence(0.8) + tone(1) + silence(3) + tone(2) + silence(2) + tone(1.35) + silence(4.85)

    timings = measure(said, heard)

    assert timings.first_audio_ms == 800
    assert timings.answers_ms == (800,)
    assert timings.silenced_ms == (150,)


def test_a_new_answer_after_an_interruption_is_an_answer():
    said = silence(2) + tone(1) + silence(3)
    heard = silence(1) + tone(1.2) + silence(1.7) + tone(1) + silence(1.1)

    timings = measure(said, heard)

    assert timings.silenced_ms == (200,)
    assert timings.answers_ms == (900,)


def test_a_call_without_a_sound_has_no_timings():
    timings = measure(silence(2), silence(2))

    assert (timings.first_audio_ms, timings.answers_ms, timings.silenced_ms) == (None, (), ())


def test_a_recording_of_any_rate_and_channels_becomes_the_telephones(tmp_path):
    mono = np.frombuffer(tone(1, 44_100), "<i2")
    path = tmp_path / "caller.wav"
    path.write_bytes(wav(np.repeat(mono, 2).astype("<i2").tobytes(), rate_hz=44_100, channels=2))

    pcm = read_wav(path)

    assert abs(len(pcm) / 32_000 - 1) < 0.02
    assert np.abs(np.frombuffer(pcm, "<i2")).max() == pytest.approx(8000, abs=200)


def test_speech_at_the_telephones_rate_stays_as_it_is():
    assert at_telephone_rate(tone(0.1), 16_000) == tone(0.1)


@pytest.mark.parametrize("content", [b"", b"no such thing", wav(bytes(100), width=1)])
def test_what_is_no_16_bit_wav_is_refused_with_its_name(tmp_path, content):
    path = tmp_path / "caller.wav"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=r"caller\.wav"):
        read_wav(path)
