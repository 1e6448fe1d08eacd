"""Fakes at the bridge's ports: a telephone, a model and a journal in the test's own loop."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from voice.errors import ModelLost
from voice.records import Ending, ToolRecord, TurnRecord, UsageSeen


def speech(seconds: float, rate_hz: int = 24_000) -> dict[str, Any]:
    """Return a server frame that carries so much audio: a slow ramp, no sample zero."""
    pcm = b"".join((1 + n % 1000).to_bytes(2, "little") for n in range(round(seconds * rate_hz)))
    blob = {"mimeType": f"audio/pcm;rate={rate_hz}", "data": base64.b64encode(pcm).decode()}
    return {"serverContent": {"modelTurn": {"role": "model", "parts": [{"inlineData": blob}]}}}


class FakeTelephone:
    """The telephone's end of a stream; `got` holds what it was sent, with the loop's time."""

    def __init__(self) -> None:
        self._frames: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._time = asyncio.get_running_loop().time
        self.got: list[tuple[float, str | bytes]] = []
        self.closed: tuple[float, int] | None = None

    def put(self, frame: str | bytes) -> None:
        """Send a frame to us."""
        self._frames.put_nowait(frame)

    def hang_up(self) -> None:
        """Close the stream."""
        self._frames.put_nowait(None)

    async def heard(self) -> AsyncIterator[str | bytes]:
        """Yield what the test put in."""
        while (frame := await self._frames.get()) is not None:
            yield frame

    def hear_by(self, ear: Callable[[bytes], None]) -> None:
        """Give no audio past `heard`."""

    def play_now(self, pcm: bytes) -> bool:
        """Take none at once."""
        return False

    async def play(self, pcm: bytes) -> None:
        """Take audio."""
        self.got.append((self._time(), pcm))

    async def write(self, text: str) -> None:
        """Take a text frame."""
        self.got.append((self._time(), text))

    async def close(self, code: int) -> None:
        """Be closed."""
        self.closed = (self._time(), code)

    @property
    def audio(self) -> bytes:
        """Return all audio that was played."""
        return b"".join(frame for _, frame in self.got if isinstance(frame, bytes))


class FakeModel:
    """The model's end of a connection; `got` holds the client frames, decoded, with the loop's time."""

    def __init__(self, *, ready: bool = True) -> None:
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._time = asyncio.get_running_loop().time
        self._ready = ready
        self.got: list[tuple[float, dict[str, Any]]] = []
        self.congested = False
        self.closed = False

    def is_congested(self) -> bool:
        """Tell whether the scenario says so."""
        return self.congested

    def put(self, message: Mapping[str, Any]) -> None:
        """Send a server frame to us."""
        self._frames.put_nowait(json.dumps(message).encode())

    def lose(self) -> None:
        """Lose the connection."""
        self._frames.put_nowait(None)

    async def send(self, frame: str | bytes) -> None:
        """Take a client frame; a setup is answered when the model is a ready one."""
        message = json.loads(frame)
        self.got.append((self._time(), message))
        if "setup" in message and self._ready:
            self.put({"setupComplete": {}})

    def send_now(self, frame: bytes) -> None:
        """Take a frame of audio."""
        self.got.append((self._time(), json.loads(frame)))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield what the test put in."""
        while (frame := await self._frames.get()) is not None:
            yield frame
        raise ModelLost("lost")

    async def close(self) -> None:
        """Be closed."""
        self.closed = True

    @property
    def heard(self) -> bytes:
        """Return all caller audio that arrived."""
        blobs = (message.get("realtimeInput", {}).get("audio") for _, message in self.got)
        return b"".join(base64.b64decode(blob["data"]) for blob in blobs if blob)


class FakeJournal:
    """A journal that keeps everything in memory."""

    def __init__(self) -> None:
        self.records: list[TurnRecord | ToolRecord | UsageSeen] = []
        self.ending: Ending | None = None

    def add(self, record: TurnRecord | ToolRecord | UsageSeen) -> None:
        """Keep a record."""
        self.records.append(record)

    async def run(self) -> None:
        """Write nothing, for ever."""
        await asyncio.Future()

    async def finish(self, ending: Ending) -> None:
        """Keep the end."""
        self.ending = ending
