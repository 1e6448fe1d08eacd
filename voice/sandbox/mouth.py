"""Speak English without a vendor: hibari's voice at 24 kHz, in a thread, each sentence once."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from typing import Any

import numpy as np
from hibari import Hibari

from voice.audio import Resampler

MOUTH_HZ = 24_000
_KEPT = 512
_SEED = 7  # the same words sound the same in every run
_PAUSE_S = 0.25
_HALF_DAY = re.compile(r"\b([ap])m\b")


class OfflineMouth:
    """A mouth for agent and callers; `pitch` makes other people of the one voice.

    0.82, 0.90 and 1.12 were all understood by the recogniser (packages.md D.1).
    """

    def __init__(self, pitch: float = 1.0) -> None:
        self._pitch = pitch

    async def speak(self, text: str) -> bytes:
        """Return 24 kHz s16le mono speech; none for a text without words."""
        if not any(character.isalnum() for character in text):
            return b""
        return await asyncio.get_running_loop().run_in_executor(_thread(), _spoken, text, self._pitch)


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="ThreadPoolExecutor-mouth")


@cache
def _synthesiser() -> Any:
    return Hibari()


@lru_cache(_KEPT)
def _spoken(text: str, pitch: float) -> bytes:
    text = _HALF_DAY.sub(r"\1.m.", text)  # "9 am to" is spoken as "nine into" otherwise
    wave = _synthesiser()(text, speed=1 / pitch, seed=_SEED)
    pcm: bytes = (np.clip(wave, -1, 1) * 32_000).astype("<i2").tobytes()
    if pitch != 1.0:  # played faster or slower than it was made, it is another person's
        resampler = Resampler(round(MOUTH_HZ * pitch), MOUTH_HZ)
        pcm = resampler.push(pcm) + resampler.flush()
    return pcm + bytes(int(MOUTH_HZ * _PAUSE_S) * 2)
