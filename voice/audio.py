"""Shape a call's audio: resample it, and tell speech, silence and a wrong rate; pure.

All audio is 16-bit little-endian mono PCM. Times are seconds of one monotonic clock, and arguments.
"""

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

TELEPHONE_HZ = 16_000
MODEL_IN_HZ = 16_000
MODEL_OUT_HZ = 24_000
FRAME_MS = 40
"""What goes out at a time, both ways: half the CPU of 20 ms towards the model (bridge-cost.md)."""

BYTES_PER_S = TELEPHONE_HZ * 2

_TAPS = 96
_CUTOFF = 0.91  # of the lower band edge: the stop band begins where the new band ends
_KAISER_BETA = 8.0
_ROW_SAMPLES = 48  # held back at most: 2 ms at 24 kHz, and nothing of a piece of 40 ms
_BLOCK_S = 0.32  # longer input is taken in blocks: a row a period in memory, and the loop stays responsive


@lru_cache
def _filter(from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Return the matrix that turns the inputs around a period into that period's outputs; shared by calls.

    A windowed sinc of 96 taps a phase: from 24 to 16 kHz over 80 dB of signal to noise and of alias
    rejection, level to 6.5 kHz, at 2 ms of delay. A row of periods is one row of a matrix product: windows
    overlap, and one a period would copy each sample 32 times.
    """
    ups, downs = _ratio(from_hz, to_hz)
    rows = _row(downs)
    points = np.arange(_TAPS * ups) - (_TAPS * ups - 1) / 2
    cutoff = _CUTOFF * min(from_hz, to_hz) / (from_hz * ups)
    prototype = np.sinc(cutoff * points) * np.kaiser(len(points), _KAISER_BETA)
    outputs = ups * rows
    matrix = np.zeros((_TAPS + (outputs - 1) * downs // ups, outputs), np.float32)
    for output in range(outputs):
        phase = prototype[output * downs % ups :: ups]
        first = output * downs // ups
        matrix[first : first + _TAPS, output] = (phase / phase.sum())[::-1]
    return matrix


def _row(downs: int) -> int:
    """Return how many periods are computed together."""
    return max(1, _ROW_SAMPLES // downs)


def _ratio(from_hz: int, to_hz: int) -> tuple[int, int]:
    common = gcd(from_hz, to_hz)
    return to_hz // common, from_hz // common


class Resampler:
    """Changes the rate of one stream of speech, however it is cut into pieces.

    Less than a row of samples (2 ms from 24 to 16 kHz) and half a sample are carried over.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self.from_hz = from_hz
        _, downs = _ratio(from_hz, to_hz)
        self._row = _row(downs) * downs
        self._matrix = _filter(from_hz, to_hz)
        self._block_bytes = round(from_hz * _BLOCK_S) * 2
        self._kept = np.zeros(_TAPS - 1, np.float32)
        self._odd = b""

    def push(self, pcm: bytes) -> bytes:
        """Return what `pcm` comes to at the other rate, delayed by half the filter."""
        if self._odd:
            pcm = self._odd + pcm
        whole = len(pcm) & ~1
        self._odd = pcm[whole:]
        if whole <= self._block_bytes:
            return self._resample(pcm[:whole])
        starts = range(0, whole, self._block_bytes)
        return b"".join(
            self._resample(pcm[start : min(start + self._block_bytes, whole)]) for start in starts
        )

    def flush(self) -> bytes:
        """Return the rest, up to the last sample that came in, and start anew."""
        rest = self.push(bytes((_TAPS // 2 + self._row) * 2))
        self._kept = np.zeros(_TAPS - 1, np.float32)
        self._odd = b""
        return rest

    def _resample(self, pcm: bytes) -> bytes:
        samples = np.concatenate((self._kept, np.frombuffer(pcm, "<i2").astype(np.float32)))
        rows = max(0, (len(samples) - len(self._matrix)) // self._row + 1)
        if rows == 0:
            self._kept = samples
            return b""
        # Overlapping windows of one memory; made by hand, as numpy's own function takes 30 µs for it.
        windows = np.ndarray((rows, len(self._matrix)), np.float32, samples, 0, (self._row * 4, 4))
        made = np.rint(windows @ self._matrix)
        self._kept = samples[rows * self._row :]
        speech: bytes = np.clip(made, -32_768, 32_767).astype("<i2").tobytes()
        return speech


_SILENT = 64  # of 32,768: below this nothing is heard
_SPEECH = 500  # a speaker's level on a telephone, well above the noise of a line
_SPEECH_S = 0.1
_SPEECH_MARGIN_S = 0.2


def is_heard(pcm: bytes) -> bool:
    """Tell whether there is any sound in a piece of audio."""
    samples = np.frombuffer(pcm, "<i2", len(pcm) // 2)
    return bool(len(samples)) and int(samples.max()) - int(samples.min()) > 2 * _SILENT


def speech_in(pcm: bytes) -> tuple[int, int]:
    """Return where somebody speaks in a telephone's audio, with a margin, in bytes; (0, 0) when nobody does.

    Loudness is all there is to go by.
    """
    step = TELEPHONE_HZ // 50
    blocks = np.frombuffer(pcm, "<i2", len(pcm) // 2 // step * step).reshape(-1, step).astype(np.float32)
    if not len(blocks):
        return 0, 0
    loud = np.flatnonzero((blocks**2).mean(axis=1) > _SPEECH**2)
    if len(loud) * step < _SPEECH_S * TELEPHONE_HZ:
        return 0, 0
    margin = int(_SPEECH_MARGIN_S * TELEPHONE_HZ) * 2
    return max(0, int(loud[0]) * step * 2 - margin), min(len(pcm), int(loud[-1] + 1) * step * 2 + margin)


class Onset:
    """Tells once a burst that a caller begins to be as loud as speech, by a look at every 80 ms.

    A look takes 3 µs: three in a row are speech, and a knock or a key is none.
    """

    _LOOK_BYTES = BYTES_PER_S * 80 // 1000
    _BEGINS = 3  # loud looks in a row
    _ENDS = 4  # quiet ones

    def __init__(self) -> None:
        self._unseen_bytes = 0
        self._passed_bytes = 0
        self._loud = 0
        self._quiet = 0
        self._is_burst = False

    @property
    def lasts(self) -> bool:
        """Tell whether a burst goes on."""
        return self._is_burst

    def add(self, pcm: bytes) -> bool:
        """Take what the telephone sends next; tell whether a burst has just begun."""
        odd = self._passed_bytes & 1  # a sample may be cut in two by the frames
        self._passed_bytes += len(pcm)
        self._unseen_bytes += len(pcm)
        if self._unseen_bytes < self._LOOK_BYTES:
            return False
        self._unseen_bytes = 0
        samples = np.frombuffer(pcm, "<i2", (len(pcm) - odd) // 2, odd).astype(np.float32)
        is_loud = float(samples @ samples) > _SPEECH**2 * len(samples)
        self._loud = self._loud + 1 if is_loud else 0
        self._quiet = 0 if is_loud else self._quiet + 1
        begins = not self._is_burst and self._loud >= self._BEGINS
        self._is_burst = begins or (self._is_burst and self._quiet < self._ENDS)
        return begins


class RateWatch:
    """Tells in the first second whether a telephone sends what was agreed: 16 kHz, one channel.

    Bytes are all there is to go by, and they come in bursts and with gaps: four of five steps of 200 ms
    must agree on one wrong rate. Stereo at 8 kHz cannot be told from mono at 16.
    """

    _STEP_S = 0.2
    _STEPS = 5
    _AGREE = 4
    _WRONG = ((0.5, "8 kHz mono"), (1.5, "24 kHz mono"), (2.0, "stereo, or 32 kHz"), (3.0, "48 kHz mono"))

    def __init__(self) -> None:
        self._began_s: float | None = None
        self._step_bytes = [0] * self._STEPS
        self._over = False

    def add(self, nbytes: int, now_s: float) -> str | None:
        """Count a frame; return once what the audio is instead, when it is not what was agreed."""
        if self._over:
            return None
        if self._began_s is None:
            self._began_s = now_s
        step = int((now_s - self._began_s) / self._STEP_S)
        if step < self._STEPS:
            self._step_bytes[step] += nbytes
            return None
        self._over = True
        expected = BYTES_PER_S * self._STEP_S
        for times, found in self._WRONG:
            agreeing = sum(abs(got / expected / times - 1) <= 0.21 for got in self._step_bytes)
            if agreeing >= self._AGREE:
                return found
        return None
