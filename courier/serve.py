"""Serve in production: uvicorn with a drain, a time limit on request heads, and audio frames joined.

What is ours here, and why uvicorn's own is not enough (0.54, measured on loopback):
it pauses and resumes the socket for every message (0.82–0.91 times the CPU without), hands every 20 ms
frame to the application alone (1.2 times the CPU of 40 ms), holds half a request head for ever, takes a
body without an end (Django writes it to the disk before any view is asked), and drops live sockets on
SIGTERM.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from courier.drain import Deadlines, DrainingServer
from courier.frames import FrameWalk, whole_audio
from courier.garbage import Sweeper, freeze
from voice.admission import GATE

HEAD_S = 10.0
BODY_S = 60.0
BODY_BYTES = 8_388_608  # deploy/nginx.conf lets 6 MB through
HEAD_BYTES = 16_384
HEADERS = 100
MESSAGE_BYTES = 393_216  # a carrier's 5 s buffer in stereo is 320,000 bytes, and comes as one message
JOINED_BYTES = 1_280  # 40 ms of 16-bit mono at 16 kHz
QUEUED_MESSAGES = 16
PIECE_BYTES = 2_048  # read in one turn of the loop: of pings that are 200 frames, of audio three
UNREAD_BYTES = 1_048_576
SENDING_BYTES = 65_536  # 2 s of speech
_BINARY, _SHORT = 0x82, 126  # FIN and opcode 2; from this length on it takes two bytes
_HELD_S = 0.1
_ALIKE = 5
_LINGER_S = 2.0


class Inbox:
    """What a connection has for its one reader: an `asyncio.Queue` without the room for many of both."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._messages: deque[Any] = deque()
        self._reader: asyncio.Future[None] | None = None

    def put_nowait(self, message: Any) -> None:
        """Add a message, and wake the reader."""
        self._messages.append(message)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def get(self) -> Any:
        """Return the oldest message; wait for one. A reader that is cancelled takes none with it."""
        while not self._messages:
            self._reader = self._loop.create_future()
            await self._reader
        return self._messages.popleft()

    def empty(self) -> bool:
        """Tell whether nothing waits."""
        return not self._messages

    def qsize(self) -> int:
        """Return how many messages wait."""
        return len(self._messages)


class AudioProtocol(WebSocketsSansIOProtocol):
    """A WebSocket that joins small binary frames, and pauses reading by queue length, not per message.

    The order of the stream is kept: what is held goes out before any text, fragment or close. What comes in
    bulk is read piece by piece, the other calls' frames in between: 256 KiB of a flood at once held them up
    for 50 ms. Once frames of one size come in a row, the kernel is told to wake us for 40 ms of them
    (SO_RCVLOWAT): half the wake-ups and reads. The server's tick tells it otherwise where it falls silent.

    An application that asks for it (`scope["extensions"]["courier.direct"]` is this object) is given audio
    in the turn of the loop in which it was read, and sends its own there, without a message, a future and a
    step of a task for each.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue: Inbox = Inbox(self.loop)  # type: ignore[assignment] # the four methods that upstream uses
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._unread = bytearray()
        self._walk = FrameWalk()
        self._alike = 0  # reads in a row of one frame of the same size
        self._frame_bytes = 0  # as it was on the wire
        self._wakes_at_bytes = 1
        self._read_s = 0.0
        self._ear: Callable[[bytes], None] | None = None

    def handle_connect(self, event: Request) -> None:
        """Take a handshake, and let the application reach this connection."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"]["courier.direct"] = self  # type: ignore[assignment] # of our own kind

    def hear_by(self, ear: Callable[[bytes], None]) -> None:
        """Give audio to `ear` from now on, once what waits in the queue has been taken from there."""
        self._ear = ear

    def play_now(self, pcm: bytes) -> bool:
        """Send a binary message of under 64 KiB at once; False when it has to wait, or nobody is there."""
        closed = self.close_sent or self.disconnected or self.transport.is_closing()
        if closed or not self.writable.is_set() or not self.handshake_complete:
            return False
        size = len(pcm)
        head = bytes((_BINARY, size)) if size < _SHORT else bytes((_BINARY, _SHORT, size >> 8, size & 0xFF))
        self.transport.write(head + pcm)
        return True

    def hurry(self, now_s: float) -> None:
        """Wait no longer for the rest of 40 ms, if it is late."""
        if now_s - self._read_s < _HELD_S:
            return
        self._pass_held_on()
        self._wake_at(1)

    def _wake_at(self, least_bytes: int) -> None:
        if least_bytes != self._wakes_at_bytes:
            self._alike = 0
            with suppress(OSError):  # it is closed
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least_bytes)
                self._wakes_at_bytes = least_bytes

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as upstream
        """Let the kernel hold little of what is to be heard: megabytes of it would hide a deaf telephone."""
        self._socket = transport.get_extra_info("socket")
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENDING_BYTES)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Read on; what is too much for one turn of the loop is read in the next ones."""
        if not self._unread and len(data) <= PIECE_BYTES:
            self._read(data)
            return
        if not self._unread:
            self.loop.call_soon(self._read_piece)
        self._unread += data
        self.transport.pause_reading()
        if len(self._unread) > UNREAD_BYTES:
            self.transport.abort()

    def _read(self, data: bytes) -> None:
        self._read_s = self.loop.time()
        whole = whole_audio(data) if self._walk.at_start else None
        if whole is not None and self.handshake_complete and not self.frames and not self.close_sent:
            for pcm in whole:
                self._join(pcm)
            if len(whole) == 1 and self._wakes_at_bytes == 1:
                self._count(len(data), len(whole[0]))
            return
        if self.handshake_initiated:  # what came before is the request's head
            self._walk.pass_by(data)
        super().data_received(data)

    def _count(self, frame_bytes: int, pcm_bytes: int) -> None:
        self._alike = self._alike + 1 if frame_bytes == self._frame_bytes else 0
        self._frame_bytes = frame_bytes
        if self._alike >= _ALIKE and not self._held and 0 < pcm_bytes < JOINED_BYTES:
            self._wake_at(-(-JOINED_BYTES // pcm_bytes) * frame_bytes)

    def _read_piece(self) -> None:
        if self.transport.is_closing():
            self._unread.clear()
            return
        piece = bytes(self._unread[:PIECE_BYTES])
        del self._unread[:PIECE_BYTES]
        self._read(piece)
        if self._unread:
            self.loop.call_soon(self._read_piece)
        elif not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def handle_bytes(self, event: Frame) -> None:
        """Take a binary frame; pass it on when 40 ms are together."""
        if not event.fin:
            self._pass_held_on()
            super().handle_bytes(event)
            return
        if self.close_sent:  # what still comes until the peer has read our close is for nobody
            return
        self._join(bytes(event.data))

    def _join(self, pcm: bytes) -> None:
        self._held.append(pcm)
        self._held_bytes += len(pcm)
        if self._held_bytes >= JOINED_BYTES:
            self._pass_held_on()

    def handle_text(self, event: Frame) -> None:
        """Take a text frame, after the audio that came before it."""
        self._pass_held_on()
        super().handle_text(event)

    def send_receive_event_to_app(self) -> None:
        """Pass a message on; a text that is no UTF-8 closes the socket, without a traceback in our log."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.send_close(1007)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_close(self, event: Frame) -> None:
        """Take the peer's close, after the audio that came before it."""
        self._pass_held_on()
        super().handle_close(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the loss of the connection, after the audio that came before it."""
        self._pass_held_on()
        self._unread.clear()
        super().connection_lost(exc)

    def _pass_held_on(self) -> None:
        if not self._held or self.close_sent:
            return
        pcm = b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        if self._ear is not None and self.queue.empty():  # else it would overtake what waits
            try:
                self._ear(pcm)
            except Exception as error:  # a call's fault ends its connection, and not the server
                self._ear = None
                told = {"message": "a call cannot take what was heard", "exception": error}
                self.loop.call_exception_handler(told)
                self.transport.abort()
            return
        self.queue.put_nowait({"type": "websocket.receive", "bytes": pcm})
        if not self.read_paused and self.queue.qsize() >= QUEUED_MESSAGES:
            self.read_paused = True
            self.transport.pause_reading()


class RequestProtocol(H11Protocol):
    """HTTP with limits to the time and the length of head and body, and an answer to what is too long."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._waiting_for: Any = None
        self._refused = False
        self._body_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as upstream
        """Start the clock: a connection that says nothing is as bad as half a head."""
        super().connection_made(transport)
        self._limit(h11.IDLE, HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._limit(None, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the request was refused already."""
        if self._refused:
            return
        super().data_received(data)
        # Of what was handed over to a WebSocket h11 still awaits the body: a call would end with BODY_S.
        if self._refused or self.transport.get_protocol() is not self:
            return
        match self.conn.their_state:
            case h11.IDLE:
                self._limit(h11.IDLE, HEAD_S)
            case h11.SEND_BODY:
                self._limit(h11.SEND_BODY, BODY_S)
                self._count(len(data))
                return
            case _:
                self._limit(None, None)
        self._body_bytes = 0

    def _count(self, more_bytes: int) -> None:
        """Refuse a body that goes on for too long; whoever reads it is told that the client has gone."""
        self._body_bytes += more_bytes
        if self._body_bytes <= BODY_BYTES:
            return
        cycle = self.cycle
        if cycle is None or cycle.response_started:
            self.transport.close()
            return
        cycle.disconnected = True
        cycle.message_event.set()
        self.flow.resume_reading()
        self._refuse(b"413 Content Too Large", "The body is too long.")

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand over to the WebSocket, with what the client sent behind its handshake."""
        self._limit(None, None)
        # h11 limits a head only while it is incomplete, and the WebSocket parser never answers one that
        # is over its own limit; bytes above ASCII are nobody's header here.
        size = len(event.target) + sum(len(name) + len(value) for name, value in self.headers)
        if len(self.headers) > HEADERS or size > HEAD_BYTES:
            self.send_400_response("The head is too long.")
            return
        if not all(value.isascii() for _, value in self.headers):
            self.send_400_response("Headers are ASCII.")
            return
        super().handle_websocket_upgrade(event)
        behind, _ = self.conn.trailing_data
        if behind and not self.transport.is_closing():
            protocol = self.transport.get_protocol()
            if isinstance(protocol, AudioProtocol):
                protocol.data_received(behind)

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that cannot be read."""
        self._refuse(b"400 Bad Request", msg)

    def _refuse(self, status: bytes, msg: str) -> None:
        """Answer so that the answer arrives, and close.

        Closing with unread bytes in the kernel resets the connection and the answer is lost with it,
        so the rest is read and thrown away for a moment.
        """
        self._limit(None, None)
        self._refused = True
        body = msg.encode("ascii")
        self.transport.write(
            b"HTTP/1.1 " + status + b"\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
            b"content-length: " + str(len(body)).encode() + b"\r\n\r\n" + body
        )
        self.loop.call_later(_LINGER_S, self.transport.close)

    def _limit(self, waiting_for: Any, seconds: float | None) -> None:
        if waiting_for is self._waiting_for and self._deadline is not None:
            return  # more of the same does not win more time
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._waiting_for = waiting_for
        if seconds is not None:
            self._deadline = self.loop.call_later(seconds, self._be_late)

    def _be_late(self) -> None:
        self._deadline = None
        if not self.transport.is_closing() and self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self.transport.close()


class AudioServer(DrainingServer):
    """A draining server that hurries the sockets on which audio has stopped half-way."""

    def __init__(self, config: uvicorn.Config, *, deadlines: Deadlines) -> None:
        super().__init__(config, deadlines=deadlines)
        self._sweeper = Sweeper()

    async def on_tick(self, counter: int) -> bool:
        """Look after what is held back, ten times a second, and tell whether to leave."""
        self._sweeper.look(GATE.calls + GATE.expected)
        now_s = asyncio.get_running_loop().time()
        for one in self.server_state.connections:
            if isinstance(one, AudioProtocol):
                one.hurry(now_s)
        return await super().on_tick(counter)


def run(host: str, port: int, deadlines: Deadlines) -> None:
    """Serve until told to stop, then drain, and return by the deadlines."""
    config = uvicorn.Config(
        "courier.asgi:application",
        host=host,
        port=port,
        loop="uvloop",
        http=RequestProtocol,
        ws=AudioProtocol,
        ws_max_size=MESSAGE_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=15,
        ws_ping_timeout=20,
        h11_max_incomplete_event_size=HEAD_BYTES,
        lifespan="off",
        access_log=False,  # the secrets of this product are in paths
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )
    config.load()
    freeze()
    AudioServer(config, deadlines=deadlines).run()
