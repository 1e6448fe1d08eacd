"""What the server's own protocols do to bytes, with a small application behind them (uvicorn is pinned)."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.courier.served import served
from tests.line import eventually
from tests.raw import RawSocket, handshake, ws_frame

HALF = b"\x01\x02" * 320
BODY_BYTES = 1_048_576
"""How long a body may be here."""


class Listener:
    """An application that accepts a WebSocket and keeps every message, as they come."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.body_bytes = 0
        self.reading = threading.Event()
        self.reading.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        if scope["type"] != "websocket":
            more = scope["path"] != "/early"
            while more:
                message = await receive()
                self.body_bytes += len(message.get("body", b""))
                more = message.get("more_body", False)
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "audio.drachtio.org"})
        while True:
            while not self.reading.is_set():  # noqa: ASYNC110 - set from another thread
                await asyncio.sleep(0.01)
            message = await receive()
            self.messages.append(message)
            if message["type"] == "websocket.disconnect":
                return

    @property
    def audio(self) -> list[bytes]:
        """Return the binary messages."""
        return [message["bytes"] for message in self.messages if message.get("bytes") is not None]


@pytest.fixture(name="listener")
def a_listener() -> Listener:
    """Return an application that keeps what it gets."""
    return Listener()


@pytest.fixture(name="port")
def served_port(listener: Listener) -> Iterator[int]:
    """Serve the listener."""
    with served(listener) as port:
        yield port


def test_two_frames_of_20_ms_become_one_message(listener, port):
    with RawSocket(port) as telephone:
        telephone.shake_hands("/")
        telephone.send(ws_frame(2, HALF))
        telephone.send(ws_frame(2, HALF))
        eventually(lambda: listener.audio)

    assert listener.audio == [HALF + HALF]


@pytest.mark.parametrize("behind", [
    ws_frame(1, b"{}"), ws_frame(2, b"ab", fin=False) + ws_frame(0, b"cd"), ws_frame(8, b"\x03\xe8"),
])  # fmt: skip
def test_a_held_half_goes_out_before_what_comes_behind_it(listener, port, behind):
    with RawSocket(port) as telephone:
        telephone.shake_hands("/")
        telephone.send(ws_frame(2, HALF) + behind)
        eventually(lambda: len(listener.messages) >= 2)

    assert listener.messages[0]["bytes"] == HALF


def test_a_held_half_goes_out_when_nothing_follows(listener, port):
    with RawSocket(port) as telephone:
        telephone.shake_hands("/")
        telephone.send(ws_frame(2, HALF))

        eventually(lambda: listener.audio == [HALF])


@pytest.mark.parametrize("behind", [ws_frame(1, b"{}"), ws_frame(8, b"\x03\xe8")], ids=["text", "close"])
def test_a_steady_stream_that_falls_silent_is_heard_to_its_end(listener, port, behind):
    frames = [bytes([number + 1]) * 640 for number in range(21)]
    with RawSocket(port) as telephone:
        telephone.shake_hands("/")
        for number in range(0, 20, 2):
            telephone.send(ws_frame(2, frames[number]))
            telephone.send(ws_frame(2, frames[number + 1]))
            eventually(lambda: listener.audio and listener.audio[-1].endswith(frames[number + 1]))  # noqa: B023
        telephone.send(ws_frame(2, frames[20]))
        eventually(lambda: len(listener.audio) == 11)
        telephone.send(behind)
        eventually(lambda: len(listener.messages) == 12)

    assert b"".join(listener.audio) == b"".join(frames)
    assert listener.audio[-1] == frames[-1]


def test_a_held_half_is_not_lost_with_the_connection(listener, port):
    with RawSocket(port) as telephone:
        telephone.shake_hands("/")
        telephone.send(ws_frame(2, HALF))
        eventually(lambda: True)
    eventually(lambda: listener.messages and listener.messages[-1]["type"] == "websocket.disconnect")

    assert listener.audio == [HALF]


def test_nothing_is_lost_while_the_application_does_not_read(listener, port):
    said = [bytes([number % 250 + 1]) * 640 for number in range(2_000)]
    frames = b"".join(ws_frame(2, frame) for frame in said)
    with RawSocket(port) as telephone:
        telephone.shake_hands("/")
        listener.reading.clear()
        sending = threading.Thread(target=telephone.send, args=(frames,))
        sending.start()
        listener.reading.set()
        sending.join()
        eventually(lambda: len(b"".join(listener.audio)) == 640 * 2_000)

    assert b"".join(listener.audio) == b"".join(said)


@pytest.mark.parametrize("head", [
    b"GET / HTTP/1.1\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n",
    b"nonsense\r\n\r\n",
    handshake("/", *[f"X-{number}: 1" for number in range(500)]),
    handshake("/", "X-A: \x0b"),
])  # fmt: skip
def test_a_head_that_is_too_much_or_forbidden_is_answered_with_400(port, head):
    with RawSocket(port) as client:
        client.send(head)

        assert client.answer_head().startswith(b"HTTP/1.1 400")


def test_what_comes_in_one_packet_with_the_handshake_is_heard(listener, port):
    with RawSocket(port) as telephone:
        telephone.send(handshake("/") + ws_frame(2, HALF * 2))
        eventually(lambda: listener.audio)

    assert listener.audio == [HALF * 2]


def test_half_a_head_is_not_waited_for_longer_than_ten_seconds(port, monkeypatch):
    monkeypatch.setattr("courier.serve.HEAD_S", 0.3)
    with RawSocket(port) as slow, RawSocket(port) as silent:
        slow.send(b"GET / HTTP/1.1\r\nHo")

        assert slow.until_closed() == b""
        assert silent.until_closed() == b""


@pytest.mark.parametrize("head", [b"Content-Length: 1000000000000", b"Transfer-Encoding: chunked"])
def test_a_body_without_an_end_is_answered_with_413_and_read_no_further(listener, port, head, monkeypatch):
    monkeypatch.setattr("courier.serve.BODY_BYTES", BODY_BYTES)
    piece = b"10000\r\n" + bytes(65_536) + b"\r\n"
    with RawSocket(port) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
        for _ in range(BODY_BYTES // 65_536 + 8):
            client.send(piece)

        assert client.answer_head().startswith(b"HTTP/1.1 413")
        assert client.until_closed() == b""
    assert listener.body_bytes <= BODY_BYTES


def test_what_somebody_sends_on_after_his_answer_is_not_read_for_ever(listener, port, monkeypatch):
    monkeypatch.setattr("courier.serve.BODY_BYTES", BODY_BYTES)
    with RawSocket(port) as client:
        client.send(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n")
        head = client.answer_head()
        with suppress(ConnectionError):
            for _ in range(BODY_BYTES // 65_536 + 8):
                client.send(bytes(65_536))

        assert head.startswith(b"HTTP/1.1 204")
        assert client.until_closed() == b""


def test_a_body_as_long_as_may_be_is_taken_and_each_request_counts_anew(listener, port, monkeypatch):
    monkeypatch.setattr("courier.serve.BODY_BYTES", BODY_BYTES)
    body = bytes(BODY_BYTES - 65_536)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=15) as client:
        answers = [client.post("/", content=body) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [204, 204, 204]
    assert listener.body_bytes == 3 * len(body)


def test_a_call_is_no_body_that_comes_late(listener, port, monkeypatch):
    monkeypatch.setattr("courier.serve.BODY_S", 0.0)
    with RawSocket(port) as telephone:
        telephone.shake_hands("/")
        telephone.send(ws_frame(2, HALF))
        telephone.send(ws_frame(2, HALF))

        eventually(lambda: listener.audio)

    assert listener.audio == [HALF + HALF]
