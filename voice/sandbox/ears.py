"""Hear English without a vendor: webrtcvad finds the turns, Whisper reads them; 16 kHz s16le mono."""

import asyncio
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import webrtcvad

from voice.sandbox import whisper
from voice.sandbox.brain import SpeechEnded, SpeechStarted

_FRAME_MS = 20
_FRAME_BYTES = whisper.HEARING_HZ * _FRAME_MS // 1000 * 2
_STRICTNESS = 2
_BEGIN = 4  # speech frames of the last _LOOK that begin a turn
_LOOK = 6
_HANGOVER_MS = 240  # webrtcvad adds about 100 of its own
_BEFORE_MS = 300  # kept from before the turn was noticed
_LONGEST_S = 25


class OfflineEars:
    """Ears for one conversation."""

    def __init__(self, setup: Mapping[str, object] | None = None) -> None:
        self._detector: Any = webrtcvad.Vad(_STRICTNESS)
        self._rest = bytearray()
        self._before: deque[bytes] = deque(maxlen=_BEFORE_MS // _FRAME_MS)
        self._lately: deque[bool] = deque(maxlen=_LOOK)
        self._turn: list[bytes] = []
        self._silent_ms = 0
        self._frames = 0

    def feed(self, pcm: bytes) -> list[SpeechStarted | SpeechEnded]:
        """Return where a turn began or ended in the next samples."""
        self._rest += pcm
        found: list[SpeechStarted | SpeechEnded] = []
        while len(self._rest) >= _FRAME_BYTES:
            frame = bytes(self._rest[:_FRAME_BYTES])
            del self._rest[:_FRAME_BYTES]
            self._frames += 1
            speech = self._detector.is_speech(frame, whisper.HEARING_HZ)
            found += self._go_on(frame) if self._turn else self._wait(frame)
            self._silent_ms = 0 if speech else self._silent_ms + _FRAME_MS
            self._lately.append(speech)
        return found

    async def read(self, pcm: bytes) -> str:
        """Return the words of one turn."""
        return await asyncio.get_running_loop().run_in_executor(_thread(), whisper.read, pcm)

    @property
    def _offset_s(self) -> float:
        return self._frames * _FRAME_MS / 1000

    def _wait(self, frame: bytes) -> list[SpeechStarted | SpeechEnded]:
        self._before.append(frame)
        if sum(self._lately) < _BEGIN:
            return []
        self._turn = list(self._before)
        self._before.clear()
        return [SpeechStarted(self._offset_s)]

    def _go_on(self, frame: bytes) -> list[SpeechStarted | SpeechEnded]:
        self._turn.append(frame)
        too_long = len(self._turn) * _FRAME_MS >= _LONGEST_S * 1000
        if self._silent_ms < _HANGOVER_MS and not too_long:
            return []
        pcm, self._turn = b"".join(self._turn), []
        self._lately.clear()
        return [SpeechEnded(pcm, self._offset_s)]


async def transcribe(pcm: bytes) -> str:
    """Return the words of a whole recording: 16 kHz s16le mono, read turn by turn."""
    ears = OfflineEars()
    turns = [
        one.pcm for one in ears.feed(pcm + bytes(whisper.HEARING_HZ * 2)) if isinstance(one, SpeechEnded)
    ]
    return " ".join([words for turn in turns if (words := await ears.read(turn))])


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2, thread_name_prefix="ThreadPoolExecutor-ears")
