"""Keep and measure a call as it was heard: left the caller, right the agent, 16 kHz s16le.

Both sides begin at the answer, so a place in the recording is a time in the call.
"""

import io
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voice.audio import TELEPHONE_HZ, Resampler
from voice.sandbox.caller import AUDIBLE

_FRAME_MS = 10
_FRAME_SAMPLES = TELEPHONE_HZ * _FRAME_MS // 1000
_PAUSE_MS = 300  # shorter ones are within a sentence
_CALLER_PAUSE_MS = 600
_BLIP_MS = 40  # shorter ones are clicks


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which somebody spoke; seconds since the answer."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Timings:
    """What a caller notices, in milliseconds; None and empty when it did not happen."""

    first_audio_ms: int | None  # answer → the agent is heard
    answers_ms: tuple[int, ...]  # the caller stops → the agent is heard
    silenced_ms: tuple[int, ...]  # the caller speaks over the agent → the agent is silent


def stereo_wav(said: bytes, heard: bytes) -> bytes:
    """Return a WAV file: left what the caller said, right what the caller heard."""
    length = max(len(said), len(heard)) // 2
    both = np.zeros((length, 2), "<i2")
    both[: len(said) // 2, 0] = np.frombuffer(said, "<i2", len(said) // 2)
    both[: len(heard) // 2, 1] = np.frombuffer(heard, "<i2", len(heard) // 2)
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(TELEPHONE_HZ)
        file.writeframes(both.tobytes())
    return target.getvalue()


def read_wav(path: Path) -> bytes:
    """Return the speech in a 16-bit PCM WAV file as 16 kHz mono s16le; of several channels the mean.

    Raises:
        ValueError: it is not such a file.
    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate_hz = file.getnchannels(), file.getsampwidth(), file.getframerate()
            pcm = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path} is not a WAV file: {error}") from error
    if width != 2:
        raise ValueError(f"{path} has {8 * width} bits a sample, not 16")
    mono = np.frombuffer(pcm, "<i2").reshape(-1, channels).mean(axis=1)
    return at_telephone_rate(np.rint(mono).astype("<i2").tobytes(), rate_hz)


def at_telephone_rate(pcm: bytes, rate_hz: int) -> bytes:
    """Return 16-bit mono PCM of any rate at the telephone's 16 kHz."""
    if rate_hz == TELEPHONE_HZ:
        return pcm
    resampler = Resampler(rate_hz, TELEPHONE_HZ)
    return resampler.push(pcm) + resampler.flush()


def spans(pcm: bytes, *, pause_ms: int = _PAUSE_MS) -> list[Span]:
    """Return when there is speech in 16 kHz s16le PCM; pauses up to `pause_ms` belong to it."""
    found: list[list[int]] = []
    for frame in np.flatnonzero(_loudness(pcm) > AUDIBLE).tolist():
        if found and (frame - found[-1][1]) * _FRAME_MS <= pause_ms:
            found[-1][1] = frame + 1
        else:
            found.append([frame, frame + 1])
    return [
        Span(start * _FRAME_MS / 1000, end * _FRAME_MS / 1000)
        for start, end in found
        if (end - start) * _FRAME_MS >= _BLIP_MS
    ]


def measure(said: bytes, heard: bytes) -> Timings:
    """Return what the caller noticed of a call's speed, from its two channels alone."""
    caller = spans(said, pause_ms=_CALLER_PAUSE_MS)
    agent = spans(heard)
    answers: list[int] = []
    silenced: list[int] = []
    for place, turn in enumerate(caller):
        until_s = caller[place + 1].start_s if place + 1 < len(caller) else float("inf")
        answer = next((one for one in agent if turn.end_s <= one.start_s < until_s), None)
        if answer is not None:
            answers.append(_ms(answer.start_s - turn.end_s))
        spoken_over = next((one for one in agent if one.start_s < turn.start_s < one.end_s), None)
        if spoken_over is not None:
            silenced.append(_ms(spoken_over.end_s - turn.start_s))
    return Timings(_ms(agent[0].start_s) if agent else None, tuple(answers), tuple(silenced))


def _loudness(pcm: bytes) -> NDArray[np.float64]:
    samples = np.frombuffer(pcm, "<i2", len(pcm) // 2 // _FRAME_SAMPLES * _FRAME_SAMPLES).astype(np.float64)
    frames = samples.reshape(-1, _FRAME_SAMPLES)
    loudness: NDArray[np.float64] = np.sqrt(np.mean(frames * frames, axis=1))
    return loudness


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
