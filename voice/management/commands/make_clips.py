"""Make the recordings that are missing from the texts beside them, with the offline voice."""

import asyncio
import wave
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from voice.audio import TELEPHONE_HZ, Resampler
from voice.clips import OURS

_QUIET = 300  # of 32,768
_SPOKEN = frozenset({"en"})
"""What the offline voice can speak; texts in other languages wait for a recording."""


class Command(BaseCommand):
    """`manage.py make_clips`: a WAV file for each text that has none."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the folder, and whether what is there is made again."""
        parser.add_argument("folder", nargs="?", type=Path, default=OURS)
        parser.add_argument("--again", action="store_true", help="make those that are there again")

    def handle(self, *args: object, folder: Path, again: bool, **options: object) -> None:
        """Make the recordings and say which."""
        for text in sorted(folder.glob("*/*.txt")):
            wav = text.with_suffix(".wav")
            if wav.exists() and not again:
                continue
            name = f"{text.parent.name}/{text.stem}"
            if text.parent.name not in _SPOKEN:
                self.stdout.write(f"{name}: nobody here speaks that; English is said until it is recorded")
                continue
            seconds = _write(wav, _spoken(text.read_text(encoding="utf-8").strip()))
            self.stdout.write(f"{name}: {seconds:.1f} s")


def _spoken(words: str) -> bytes:
    try:
        from voice.sandbox.mouth import MOUTH_HZ, OfflineMouth  # noqa: PLC0415 - not everybody has the packages
    except ImportError as error:
        raise CommandError("The offline voice is not installed: requirements/offline-voice.lock") from error
    resampler = Resampler(MOUTH_HZ, TELEPHONE_HZ)
    return _trimmed(resampler.push(asyncio.run(OfflineMouth().speak(words))) + resampler.flush())


def _trimmed(pcm: bytes) -> bytes:
    """Return speech without the silence around it, but for a tenth of a second."""
    samples = np.frombuffer(pcm, "<i2")
    (loud,) = np.nonzero(np.abs(samples.astype(np.int32)) > _QUIET)
    margin = TELEPHONE_HZ // 10
    return samples[max(0, loud[0] - margin) : loud[-1] + margin].tobytes() if len(loud) else pcm


def _write(path: Path, pcm: bytes) -> float:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(TELEPHONE_HZ)
        file.writeframes(pcm)
    return len(pcm) / 2 / TELEPHONE_HZ
