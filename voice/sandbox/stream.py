"""Carry one call's audio as the carrier's PBX does: the WebSocket client that our server talks to."""

import asyncio
import json
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Origin, Subprotocol

from voice.sandbox.caller import Caller, Moment
from voice.sandbox.delays import Passage
from voice.sandbox.pbx import TICK_BYTES, TICK_S, Fork, PlayOut

SUBPROTOCOL = Subprotocol("audio.drachtio.org")
_CONNECT_S = 10.0
_CLOSE_S = 5.0
_UNHELD_S = 1.0  # how long a call lasts whose Stream does not hold the leg
_EMPTY_FRAMES = 2


class Metadata(StrEnum):
    """How the first text frame reaches us; all of these have been seen or follow from the source."""

    FIRST = "first"
    LATE = "late"
    REPEATED = "repeated"
    GLUED = "glued"
    OPAQUE = "opaque"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Leg:
    """How a caller's telephone line behaves, as far as it differs from case to case."""

    channel_hz: int = 8_000
    irregular: bool = False
    hiss: int = 0  # amplitude of the line's noise: no two frames are the same then
    metadata: Metadata = Metadata.FIRST
    dead_air_s: float = 2.0  # how long a caller holds on when the stream is gone
    forks: bool = True  # whether a stream is opened at all
    limit_s: float = 600.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A frame that we sent, as it reached the PBX; seconds since the call was answered."""

    at_s: float
    text: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Close:
    """How the stream's socket was closed; `by_far_end` when it was not the telephone."""

    code: int
    reason: str
    at_s: float
    by_far_end: bool


@dataclass(slots=True)
class Media:
    """What one stream has carried; PCM of both sides at 16 kHz, from the answer on, equally long.

    The answer was at `began_s` of the loop's clock, on which `sent` is too: when the frames that make up
    `sent_pcm` left.
    """

    began_s: float
    said: bytearray = field(default_factory=bytearray)
    heard: bytearray = field(default_factory=bytearray)
    arrivals: list[Arrival] = field(default_factory=list)
    closes: list[Close] = field(default_factory=list)
    sent: list[Passage] = field(default_factory=list)
    sent_pcm: bytearray = field(default_factory=bytearray)
    lost_bytes: int = 0
    killed_bytes: int = 0
    ended_by: str = ""


class StreamRefusedError(Exception):
    """Our server did not take the stream; its text says how."""


class Stream:
    """One audio fork, from its handshake to its end; `carry` does all of it."""

    def __init__(self, verb: Mapping[str, str], ids: Mapping[str, str], caller: Caller, leg: Leg) -> None:
        self._now = asyncio.get_running_loop().time
        self._began_s = self._now()
        self.media = Media(self._began_s)
        self.hang_up = asyncio.Event()  # set it, and the carrier ends the call
        self.started = asyncio.Event()
        self._verb = verb
        self._ids = ids
        self._caller = caller
        self._leg = leg
        self._random = random.Random(leg.seed)
        # Not the same in two calls, or their frames could be taken for each other.
        self._noise = np.random.default_rng([leg.seed, *ids.get("streamSid", "").encode()])
        self._fork = Fork(channel_hz=leg.channel_hz)
        self._wake = asyncio.Event()
        self._texts: list[str] = []
        self._play_out = PlayOut(self._began_s, channel_hz=leg.channel_hz)
        self._gone_s: float | None = None
        self._cut = False  # by us, without a close frame

    async def carry(self) -> None:
        """Connect, carry audio in real time until the call ends, close.

        Raises:
            StreamRefusedError: no WebSocket, or one that does not speak our subprotocol.
        """
        socket = await self._connect()
        self._texts += self._metadata()
        self._hear()  # what passed during the handshake was silence
        self.started.set()
        reader = asyncio.create_task(self._read(socket))
        writer = asyncio.create_task(self._write(socket))
        try:
            self.media.ended_by = await self._keep_time(socket)
        finally:
            writer.cancel()
            await self._finish(socket)
            await asyncio.wait([reader], timeout=_CLOSE_S)
            reader.cancel()
            for ended in await asyncio.gather(reader, writer, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended
            self.media.lost_bytes = self._fork.lost_bytes
            self.media.killed_bytes = self._play_out.killed_bytes

    async def _connect(self) -> ClientConnection:
        url = self._verb.get("url", "")
        try:
            socket = await connect(
                url,
                subprotocols=[SUBPROTOCOL],
                origin=Origin(
                    "http" + "/".join(url.split("/")[:3]).removeprefix("ws")
                ),  # as libwebsockets does
                compression=None,
                user_agent_header=None,
                proxy=None,
                open_timeout=_CONNECT_S,
                close_timeout=_CLOSE_S,
                ping_interval=None,
                max_size=None,
            )
        except (OSError, TimeoutError, WebSocketException, ValueError) as error:
            raise StreamRefusedError(f"{type(error).__name__}: {error}") from error
        if socket.subprotocol != SUBPROTOCOL:
            await socket.close(1002)
            raise StreamRefusedError("the subprotocol was not confirmed")
        return socket

    def _metadata(self) -> list[str]:
        content = dict(self._ids)
        if "openMetadata" in self._verb:
            content["metadata"] = self._verb["openMetadata"]
        document: dict[str, object] = {**content, "sampleRate": 16_000, "mixType": "mono"}
        if headers := self._verb.get("headerMetadata"):
            document["headers"] = _parsed(headers)
        text = json.dumps(document)
        match self._leg.metadata:
            case Metadata.FIRST | Metadata.LATE:
                return [text]
            case Metadata.REPEATED:
                return [text, text]
            case Metadata.GLUED:
                return [text + text]
            case Metadata.OPAQUE:
                return [self._verb.get("openMetadata", "opaque")]
            case Metadata.MISSING:
                return []

    async def _read(self, socket: ClientConnection) -> None:
        try:
            while True:
                frame = await socket.recv()
                at_s = self._now()
                text = frame if isinstance(frame, str) else ""
                self.media.arrivals.append(Arrival(at_s - self._began_s, text, len(frame)))
                if isinstance(frame, bytes):
                    self._play_out.receive(frame, at_s)
                elif _kind(frame) == "killAudio":
                    self._play_out.kill(at_s)
        except ConnectionClosed as closed:
            at_s = self._now()
            self._gone_s = at_s
            self._play_out.kill(at_s)
            how = closed.rcvd or closed.sent
            far = not self._cut and (closed.sent is None or closed.rcvd_then_sent is True)
            code, reason = (how.code, how.reason) if how else (1006, "")
            self.media.closes.append(Close(code, reason, at_s - self._began_s, far))

    async def _write(self, socket: ClientConnection) -> None:
        try:
            if self._leg.metadata is not Metadata.LATE:
                await self._write_texts(socket)
            while True:
                await self._wake.wait()
                self._wake.clear()
                if len(self.media.sent) > 50 or self._leg.metadata is not Metadata.LATE:
                    await self._write_texts(socket)
                while frame := self._frame():
                    self.media.sent_pcm += frame
                    self.media.sent.append(Passage(self._now(), len(self.media.sent_pcm)))
                    await socket.send(frame)
        except ConnectionClosed:
            return  # noticed where we read

    async def _write_texts(self, socket: ClientConnection) -> None:
        while self._texts:
            await socket.send(self._texts.pop(0))

    def _frame(self) -> bytes:
        if not self._leg.irregular:
            return self._fork.take()
        if len(self._fork) < self._random.randrange(1, 6) * TICK_BYTES:
            return b""
        return self._fork.take(len(self._fork) - self._random.choice((0, 0, 1, 2, 7, 321)))

    async def _keep_time(self, socket: ClientConnection) -> str:
        """Run the call's clock; return who ended the call."""
        holds = self._verb.get("connect") == "true"
        while True:
            passed_s = self._now() - self._began_s
            if self.hang_up.is_set():
                return "carrier"
            if not holds and passed_s > _UNHELD_S:
                self._cut = True
                socket.transport.abort()
                return "unheld"
            if self._gone_s is not None and self._now() - self._gone_s > self._leg.dead_air_s:
                return "far end"
            if passed_s > self._leg.limit_s:
                return "limit"
            if self._live():
                return "caller"
            due_s = self._began_s + len(self.media.heard) / TICK_BYTES * TICK_S
            await asyncio.sleep(max(0.0, due_s - self._now()))

    def _live(self) -> bool:
        """Let the caller have all ticks that are due; return whether that was the end of the call."""
        for frame in self._hear_frames():
            moment = self._caller.live(frame)
            if moment.hangs_up:
                self.media.said += bytes(len(self.media.heard) - len(self.media.said))
                return True
            self._say(moment, frame)
        return False

    def _hear_frames(self) -> list[bytes]:
        heard = self._play_out.hear(self._now())
        self.media.heard += heard
        return [heard[at : at + TICK_BYTES] for at in range(0, len(heard), TICK_BYTES)]

    def _hear(self) -> None:
        self._hear_frames()
        self.media.said += bytes(len(self.media.heard))

    def _say(self, moment: Moment, heard: bytes) -> None:
        said = self._on_the_line(moment.pcm.ljust(TICK_BYTES, b"\0"))
        self.media.said += said
        if moment.digit:
            self._texts.append(json.dumps({"event": "dtmf", "dtmf": moment.digit, "duration": "1600"}))
        if self._gone_s is None:
            self._fork.put(_mixed(said, heard) if self._verb.get("track") == "both_tracks" else said)
            self._wake.set()

    def _on_the_line(self, said: bytes) -> bytes:
        if not self._leg.hiss:
            return said
        noise = self._noise.integers(-self._leg.hiss, self._leg.hiss, TICK_BYTES // 2, endpoint=True)
        return _mixed(said, noise.astype("<i2").tobytes())

    async def _finish(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed, TimeoutError):  # TimeoutError: nobody reads at the other end
            async with asyncio.timeout(_CLOSE_S):
                for _ in range(_EMPTY_FRAMES):
                    await socket.send(b"")
        await socket.close(1000)


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _kind(text: str) -> object:
    document = _parsed(text)
    return document.get("type") if isinstance(document, dict) else None


def _mixed(one: bytes, other: bytes) -> bytes:
    both = np.frombuffer(one, "<i2").astype(np.int32) + np.frombuffer(other, "<i2")
    mixed: bytes = np.clip(both, -32_768, 32_767).astype("<i2").tobytes()
    return mixed
