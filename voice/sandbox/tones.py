"""Say words in tones, and read them back: speech for where no speech package is.

Each word begins with a marker; each byte of it is two tones of 20 ms, so that it takes about as long as
a person would and passes any telephone. All audio is 16-bit little-endian mono PCM.
"""

import numpy as np
from numpy.typing import NDArray

_SYMBOL_S = 0.02
_MARKER_SYMBOLS = 2
_MARKER_HZ = 400
_NIBBLES_HZ = tuple(range(600, 600 + 16 * 150, 150))  # with the marker, multiples of 1 / _SYMBOL_S
_TONES_HZ = (*_NIBBLES_HZ, _MARKER_HZ)
_MARKER = len(_NIBBLES_HZ)
_AMPLITUDE = 8000.0
_WINDOW_S = 0.016
_HOP_S = 0.002
_PURITY = 0.5  # of a window's power that one tone must have
_FULL = 0.6  # of the loudest window's power; all tones are equally loud, so less is the edge of a silence


def encode(text: str, rate_hz: int) -> bytes:
    """Return `text` as sound."""
    symbols: list[int] = []
    for word in text.split():
        symbols += [_MARKER] * _MARKER_SYMBOLS
        symbols += [nibble for byte in word.encode() for nibble in divmod(byte, 16)]
    seconds = np.arange(round(rate_hz * _SYMBOL_S)) / rate_hz
    waves = [np.sin(2 * np.pi * hz * seconds) * _AMPLITUDE for hz in _TONES_HZ]
    return b"".join(waves[symbol].astype("<i2").tobytes() for symbol in symbols)


def decode(pcm: bytes, rate_hz: int) -> str:
    """Return the words in a sound, as far as they can be made out; none when it is of no such kind.

    Silence within a word is passed over: on a busy machine a stream has gaps.
    """
    tones = _tones(pcm, rate_hz)
    words = []
    hop = 0
    while hop < len(tones):
        end = hop
        while end < len(tones) and tones[end] == _MARKER:
            end += 1
        if (end - hop) * _HOP_S < _SYMBOL_S:
            hop = end + 1
            continue
        word, hop = _word(tones, end)
        words.append(word)
    return " ".join(filter(None, words))


def _word(tones: NDArray[np.int_], start: int) -> tuple[str, int]:
    """Return the word whose first symbol begins at `start`, and where it ends."""
    step = _SYMBOL_S / _HOP_S
    nibbles: list[int] = []
    while True:
        middle = start + round((len(nibbles) + 0.5) * step)
        if middle >= len(tones) or not 0 <= tones[middle] < _MARKER:
            break
        nibbles.append(int(tones[middle]))
    pairs = zip(nibbles[::2], nibbles[1::2], strict=False)
    spelled = bytes(high * 16 + low for high, low in pairs).decode(errors="replace")
    return spelled, start + round(len(nibbles) * step)


def _tones(pcm: bytes, rate_hz: int) -> NDArray[np.int_]:
    """Return which tone sounds at each hop that is not silent; -1 is something else."""
    samples = np.frombuffer(pcm[: len(pcm) & ~1], "<i2").astype(np.float32)
    length, hop = round(rate_hz * _WINDOW_S), round(rate_hz * _HOP_S)
    if len(samples) < length:
        return np.empty(0, np.int_)
    windows = np.lib.stride_tricks.sliding_window_view(samples, length)[::hop]
    seconds = np.arange(length, dtype=np.float32) / rate_hz
    probes = np.exp(-2j * np.pi * np.outer(seconds, _TONES_HZ)).astype(np.complex64)
    powers = np.abs(windows @ probes) ** 2 * 2 / length**2
    whole = np.mean(windows**2, axis=1)
    best = powers.argmax(axis=1)
    tonal = powers.max(axis=1) >= _PURITY * whole
    found: NDArray[np.int_] = np.where(tonal, best, -1)[whole > _FULL * whole.max()]
    return found
