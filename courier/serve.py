"""Serve in production: uvicorn with a drain, a time limit on request heads, and audio frames joined.

What is ours here, and why uvicorn's own is not enough (0.54, measured on loopback):
it pauses and resumes the socket for every message (0.82–0.91 times the CPU without), hands every 20 ms
frame to the application alone (1.2 times the CPU of 40 ms), holds half a request head for ever, and
drops live sockets on SIGTERM.
"""

import asyncio
import socket
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from courier.drain import Deadlines, DrainingServer
from courier.frames import FrameWalk, lone_audio

HEAD_S = 10.0
BODY_S = 60.0
HEAD_BYTES = 16_384
HEADERS = 100
MESSAGE_BYTES = 393_216  # a carrier's 5 s buffer in stereo is 320,000 bytes, and comes as one message
JOINED_BYTES = 1_280  # 40 ms of 16-bit mono at 16 kHz
QUEUED_MESSAGES = 16
PIECE_BYTES = 2_048  # read in one turn of the loop: of pings that are 200 frames, of audio three
UNREAD_BYTES = 1_048_576
SENDING_BYTES = 65_536  # 2 s of speech
_HELD_S = 0.1
_LINGER_S = 2.0


class AudioProtocol(WebSocketsSansIOProtocol):
    """A WebSocket that joins small binary frames, and pauses reading by queue length, not per message.

    The order of the stream is kept: what is held goes out before any text, fragment or close. What comes in
    bulk is read piece by piece, the other calls' frames in between: 256 KiB of a flood at once held them up
    for 50 ms.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._held_since_s = 0.0
        self._holding: asyncio.TimerHandle | None = None
        self._unread = bytearray()
        self._walk = FrameWalk()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as upstream
        """Let the kernel hold little of what is to be heard: megabytes of it would hide a deaf telephone."""
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENDING_BYTES)
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
        whole = lone_audio(data) if self._walk.at_start else None
        if whole is not None and self.handshake_complete and not self.frames and not self.close_sent:
            self._join(whole)
            return
        if self.handshake_initiated:  # what came before is the request's head
            self._walk.pass_by(data)
        super().data_received(data)

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
        if not self._held:
            self._held_since_s = self.loop.time()
        self._held.append(pcm)
        self._held_bytes += len(pcm)
        if self._held_bytes >= JOINED_BYTES:
            self._pass_held_on()
        elif self._holding is None:
            self._holding = self.loop.call_later(_HELD_S, self._stop_holding)

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
        if self._holding is not None:
            self._holding.cancel()
        super().connection_lost(exc)

    def _stop_holding(self) -> None:
        """Pass on what was held too long: the telephone has stopped in the middle of 40 ms."""
        self._holding = None
        if self._held and self.loop.time() - self._held_since_s >= _HELD_S / 2:
            self._pass_held_on()
        elif self._held:
            self._holding = self.loop.call_later(_HELD_S, self._stop_holding)

    def _pass_held_on(self) -> None:
        if not self._held or self.close_sent:
            return
        message = {"type": "websocket.receive", "bytes": b"".join(self._held)}
        self._held.clear()
        self._held_bytes = 0
        self.queue.put_nowait(message)  # type: ignore[arg-type] # uvicorn's union of typed dicts
        if not self.read_paused and self.queue.qsize() >= QUEUED_MESSAGES:
            self.read_paused = True
            self.transport.pause_reading()


class RequestProtocol(H11Protocol):
    """HTTP with a limit to the end of the head and of the body, and an answer to a head that is too long."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._waiting_for: Any = None
        self._refused = False

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
        if self._refused:
            return
        match self.conn.their_state:
            case h11.IDLE:
                self._limit(h11.IDLE, HEAD_S)
            case h11.SEND_BODY:
                self._limit(h11.SEND_BODY, BODY_S)
            case _:
                self._limit(None, None)

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
        """Refuse a request that cannot be read, so that the answer arrives.

        Closing with unread bytes in the kernel resets the connection and the answer is lost with it,
        so the rest is read and thrown away for a moment.
        """
        self._limit(None, None)
        self._refused = True
        body = msg.encode("ascii")
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
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
    DrainingServer(config, deadlines=deadlines).run()
