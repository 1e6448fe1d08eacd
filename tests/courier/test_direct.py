"""The server's connection, used without its queue: audio keeps its order, and frames are as the library's."""

import asyncio
import threading
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.courier.served import served
from tests.line import eventually
from tests.raw import RawSocket, ws_frame

PIECES = [bytes([number % 250 + 1]) * 1_280 for number in range(120)]


class Application:
    """Takes the first messages from its queue, slowly, and has the rest given to its ear."""

    def __init__(self, by_queue: int) -> None:
        self.by_queue = by_queue
        self.by_ear = 0
        self.heard: list[bytes] = []
        self.connection: Any = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.ended = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        self.loop = asyncio.get_running_loop()
        self.connection = scope["extensions"]["courier.direct"]
        await receive()
        await send({"type": "websocket.accept"})
        taken = 0
        while (message := await receive())["type"] != "websocket.disconnect":
            self.heard.append(message["bytes"])
            taken += 1
            await asyncio.sleep(0.002)  # slower than they come: some wait in the queue
            if taken == self.by_queue:
                self.connection.hear_by(self._hear)
        self.ended.set()

    def _hear(self, pcm: bytes) -> None:
        self.by_ear += 1
        self.heard.append(pcm)


@pytest.mark.parametrize("by_queue", [1, 7, 60])
def test_audio_keeps_its_order_when_it_goes_past_the_queue(by_queue):
    application = Application(by_queue)
    with served(application) as port, RawSocket(port) as telephone:
        telephone.shake_hands("/")
        for piece in PIECES:
            telephone.send(ws_frame(2, piece))
            threading.Event().wait(0.001)
        eventually(lambda: len(b"".join(application.heard)) == sum(map(len, PIECES)))

    assert b"".join(application.heard) == b"".join(PIECES)
    assert application.by_ear > 0


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 1_280, 65_535])
def test_a_message_that_is_sent_at_once_is_one_that_the_library_reads(size):
    application = Application(1)
    with served(application) as port, connect(f"ws://127.0.0.1:{port}/", proxy=None) as telephone:
        eventually(lambda: application.connection is not None)
        taken = _at_once(application, b"\x07" * size)
        got = telephone.recv(5)

    assert taken is True
    assert got == b"\x07" * size


def test_after_a_close_nothing_is_sent_at_once():
    application = Application(1)
    with served(application) as port:
        with connect(f"ws://127.0.0.1:{port}/", proxy=None) as telephone:
            eventually(lambda: application.connection is not None)
            telephone.close()
        application.ended.wait(5)

        assert _at_once(application, b"\x07") is False


@pytest.mark.logs_errors
def test_a_fault_over_a_half_that_is_held_back_ends_its_connection_and_not_the_server():
    application = Application(1)
    with served(application) as port, RawSocket(port) as telephone, RawSocket(port) as other:
        for one in (telephone, other):
            one.shake_hands("/")
        application.connection.hear_by(lambda pcm: 1 / 0)
        other.send(ws_frame(2, b"\x01" * 640))  # short of 40 ms: it is the server's tick that passes it on
        assert other.until_closed() == b""
        telephone.send(ws_frame(2, PIECES[1]))
        eventually(lambda: application.heard == [PIECES[1]])


@pytest.mark.logs_errors
def test_a_fault_in_an_ear_ends_its_own_connection():
    application = Application(1)
    with served(application) as port, RawSocket(port) as telephone, RawSocket(port) as other:
        for one in (telephone, other):
            one.shake_hands("/")
        application.connection.hear_by(lambda pcm: 1 / 0)  # that of the other, who came last
        other.send(ws_frame(2, PIECES[0]))
        assert other.until_closed() == b""
        telephone.send(ws_frame(2, PIECES[1]))
        eventually(lambda: application.heard == [PIECES[1]])


def _at_once(application: Application, pcm: bytes) -> bool:
    async def play() -> bool:
        return bool(application.connection.play_now(pcm))

    assert application.loop is not None
    return asyncio.run_coroutine_threadsafe(play(), application.loop).result(5)
