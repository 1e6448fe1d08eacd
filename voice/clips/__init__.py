"""Read our own recordings: what a caller hears when the model cannot speak.

A recording is a WAV file of 16 kHz, one channel, 16 bits, in a folder named by its language, with its words
in a text file beside it. A courier's own stand in another folder of the same form and go before ours; what
is missing in a language is said in English.
"""

import wave
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from voice.audio import TELEPHONE_HZ
from voice.errors import LocalError

OURS = Path(__file__).parent
NAMES = ("greeting", "question", "filler", "goodbye", "apology", "apology_callback")
FALLBACK = "en"


class ClipError(LocalError):
    """A recording cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording: its words, and 16-bit mono PCM at 16 kHz."""

    words: str
    pcm: bytes


@cache
def load(language: str, own: str = "") -> dict[str, Clip]:
    """Return the recordings for a language, by name; `own` is the courier's folder, or empty.

    Raises:
        ClipError: one of them is no such WAV file.
    """
    folders = [Path(own)] if own else []
    folders.append(OURS)
    code = language.lower().replace("_", "-").partition("-")[0]
    found = {}
    for name in NAMES:
        places = [folder / spoken / name for spoken in (code, FALLBACK) for folder in folders]
        for place in places:
            if place.with_suffix(".wav").is_file():
                found[name] = _read(place)
                break
    return found


def _read(place: Path) -> Clip:
    path, text = place.with_suffix(".wav"), place.with_suffix(".txt")
    try:
        with wave.open(str(path), "rb") as file:
            shape = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            pcm = file.readframes(file.getnframes())
        words = text.read_text(encoding="utf-8").strip() if text.is_file() else f"[{place.name}]"
    except (OSError, EOFError, wave.Error, UnicodeDecodeError) as error:
        raise ClipError(f"{path}: {error}") from error
    if shape != (TELEPHONE_HZ, 1, 2):
        raise ClipError(f"{path}: not 16 kHz, one channel, 16 bits")
    return Clip(words, pcm)
