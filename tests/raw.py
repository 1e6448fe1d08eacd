"""A telephone that writes its own bytes, for what no library would send."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.line import SUBPROTOCOL, Line, ModelSession, eventually


@contextmanager
def raw_call(line: Line, session_id: str = "") -> Iterator[tuple["RawSocket", ModelSession]]:
    """Place a call whose telephone writes its own bytes."""
    before = len(line.model.sessions)
    with RawSocket(line.port) as telephone:
        telephone.shake_hands(line.stream_path(session_id))
        eventually(lambda: len(line.model.sessions) > before, 10)
        yield telephone, line.model.sessions[before]


class RawSocket:
    """A telephone that writes its own bytes, for what no library would send."""

    def __init__(self, port: int, *, receive_bytes: int = 0) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(15)
        if receive_bytes:  # before it connects, or the window is large already
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.connect(("127.0.0.1", port))

    def __enter__(self) -> "RawSocket":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def until_closed(self) -> bytes:
        """Return all that comes until the other side closes; a reset counts as a close."""
        got = b""
        try:
            while piece := self.socket.recv(65_536):
                got += piece
        except ConnectionResetError:
            pass
        return got

    def answer_head(self) -> bytes:
        """Return the head of an HTTP answer."""
        got = b""
        while b"\r\n\r\n" not in got and (piece := self.socket.recv(4_096)):
            got += piece
        return got

    def shake_hands(self, path: str) -> None:
        """Open a WebSocket."""
        self.send(handshake(path))
        head = self.answer_head()
        assert head.startswith(b"HTTP/1.1 101"), head


def handshake(path: str, *more: str, protocol: str = SUBPROTOCOL) -> bytes:
    """Return the request that opens a WebSocket."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *([f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []),
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def ws_frame(opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True) -> bytes:
    """Return a WebSocket frame; the mask is all zeros, which is a mask."""
    head = bytes([(0x80 if fin else 0) | opcode])
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65_536:
        head += bytes([bit | 126]) + len(payload).to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + len(payload).to_bytes(8, "big")
    return head + (bytes(4) if masked else b"") + payload
