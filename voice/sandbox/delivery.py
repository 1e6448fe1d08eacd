"""Cut an utterance into what the real service would send, and when (gemini-live.md §3.2); pure.

Speech comes four to five times faster than it is to be heard, in pieces of 40 to 680 ms; the turn is
over when real-time playback, counted from the first piece, would be.
"""

from dataclasses import dataclass
from random import Random

RATE_HZ = 24_000
_BYTES_PER_S = RATE_HZ * 2
_UNIT_BYTES = 1920  # 40 ms: all published pieces are multiples of it
_UNITS = (1, 2, 3, 8, 8, 8, 10, 12, 17)
_FIRST_UNITS = (2, 3)  # the first piece is short: about 100 ms
_SPEEDS = (4.0, 5.0)
_BUNDLED = 0.2  # of the pieces come in two parts


@dataclass(frozen=True, slots=True)
class Piece:
    """What one frame holds, `at_s` after the turn's first: 24 kHz s16le mono, and the words of it.

    A part may end within a sample; the parts of a piece together do not, unless that was asked for.
    """

    at_s: float
    parts: tuple[bytes, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A whole utterance: its pieces, and when its playback is over, counted from the first of them."""

    pieces: tuple[Piece, ...]
    over_s: float


def deliver(pcm: bytes, text: str, dice: Random, *, odd: bool = False) -> Delivery:
    """Lay out `pcm` (24 kHz s16le mono), with the words of `text` spread over it a little ahead.

    The pieces have `odd` byte counts where that is asked for, as nothing forbids.
    """
    if not pcm:
        return Delivery((Piece(0.0, (), text),) if text else (), 0.0)
    speed = dice.uniform(*_SPEEDS)
    words = text.split(" ") if text else []
    pieces: list[Piece] = []
    start = told = 0
    while start < len(pcm):
        units = dice.choice(_UNITS if pieces else _FIRST_UNITS)
        end = min(start + units * _UNIT_BYTES + odd, len(pcm))
        due = -(-len(words) * end // len(pcm))
        said = " ".join(words[told:due])
        spoken = f" {said}" if told and said else said
        pieces.append(Piece(start / _BYTES_PER_S / speed, _parts(pcm[start:end], dice), spoken))
        start, told = end, due
    return Delivery(tuple(pieces), len(pcm) / _BYTES_PER_S)


def _parts(pcm: bytes, dice: Random) -> tuple[bytes, ...]:
    if len(pcm) < 4 or dice.random() >= _BUNDLED:
        return (pcm,)
    cut = dice.randrange(1, len(pcm))  # also within a sample: nothing promises otherwise
    return (pcm[:cut], pcm[cut:])
