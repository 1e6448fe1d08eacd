"""What our connection to the model does on a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import cast

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve
from websockets.protocol import State

from tests.virtual_time import run
from voice.clients.gemini import MESSAGE_BYTES, Connection, Endpoint, closed, dial, live_url
from voice.errors import ModelBusy, ModelLost, ModelRefused, RemoteError

KEY = "planted-model-key"


def against(
    peer: Callable[[ServerConnection], Awaitable[None]],
    scenario: Callable[[str], Awaitable[None]],
    status: int | None = None,
) -> None:
    """Run `scenario` against a server on loopback, which refuses the handshake with `status` if set."""

    def refuse(socket: ServerConnection, _request):
        return socket.respond(status, "no\n") if status else None

    async def both() -> None:
        async with serve(peer, "127.0.0.1", 0, process_request=refuse) as server:
            port = server.sockets[0].getsockname()[1]
            async with asyncio.timeout(10):
                await scenario(f"ws://127.0.0.1:{port}/ws/x")

    asyncio.run(both())


def test_the_key_goes_in_a_header_and_frames_go_as_text():
    got = []

    async def peer(socket: ServerConnection) -> None:
        assert socket.request is not None
        got.append((socket.request.path, socket.request.headers["x-goog-api-key"], await socket.recv()))
        await socket.send(b"{}")

    async def scenario(url: str) -> None:
        connection = await dial(Endpoint(url, KEY))
        await connection.send(b'{"setup":{}}')
        assert await anext(aiter(connection)) == b"{}"
        await connection.close()

    against(peer, scenario)

    assert got == [("/ws/x", KEY, '{"setup":{}}')]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 1_800, 65_535, 65_536])
def test_audio_that_is_sent_without_waiting_arrives_whole(size):
    got = []

    async def peer(socket: ServerConnection) -> None:
        got.append(await socket.recv())
        await socket.send(b"{}")

    async def scenario(url: str) -> None:
        connection = await dial(Endpoint(url, KEY))
        connection.send_now(b"a" * size)
        await anext(aiter(connection))
        await connection.close()
        connection.send_now(b"too late")

    against(peer, scenario)

    assert got == ["a" * size]


@pytest.mark.parametrize(("code", "error"), [(1000, ModelLost), (1007, ModelRefused), (1011, ModelLost)])
def test_a_close_of_the_models_is_an_error_of_its_class(code, error):
    async def peer(socket: ServerConnection) -> None:
        await socket.close(code, "because")

    async def scenario(url: str) -> None:
        connection = await dial(Endpoint(url, KEY))
        with pytest.raises(error, match="because"):
            async for _ in connection:
                pass
        with pytest.raises(error):
            await connection.send("{}")

    against(peer, scenario)


@pytest.mark.parametrize(
    ("status", "error"), [(400, ModelRefused), (403, ModelRefused), (429, ModelBusy), (503, ModelLost)]
)
def test_a_refused_handshake_is_an_error_of_its_class(status, error):
    async def peer(_socket: ServerConnection) -> None:
        raise AssertionError("accepted")

    async def scenario(url: str) -> None:
        with pytest.raises(error) as caught:
            await dial(Endpoint(url, KEY))
        assert KEY not in str(caught.value)

    against(peer, scenario, status)


def test_g1_a_model_whose_tls_fails_is_lost():
    async def peer(socket: ServerConnection) -> None:
        raise AssertionError("nobody shook hands")

    async def scenario(url: str) -> None:
        with pytest.raises(ModelLost):
            await dial(Endpoint(url.replace("ws://", "wss://"), KEY))

    against(peer, scenario)


def test_nobody_there_is_a_lost_model():
    async def scenario() -> None:
        with socket.socket() as held:  # bound, so that nobody else is there either, and not listening
            held.bind(("127.0.0.1", 0))
            with pytest.raises(ModelLost):
                await dial(Endpoint(f"ws://127.0.0.1:{held.getsockname()[1]}/", KEY, open_s=2))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (1007, "API key not valid. Please pass a valid API key.", ModelRefused),
        (1007, "API key expired. Please renew the API key.", ModelRefused),
        (1007, "Request contains an invalid argument.", ModelRefused),
        (1007, 'Unknown name "transparent"', ModelRefused),
        (1007, "setup must be the first message and only the first", ModelRefused),
        (
            1007,
            "realtime_input.media_chunks is deprecated. Use audio, video, or text instead.",
            ModelRefused,
        ),
        (1007, "The requested combination of response modalities is not supported.", ModelRefused),
        (1007, "Thinking level is not supported for this model.", ModelRefused),
        (1007, "Function response scheduling is not supported for this model.", ModelRefused),
        (1007, "User location is not supported for the API use.", ModelRefused),
        (1008, "models/x is not found for API version v1beta", ModelRefused),
        (1008, "Operation is not implemented, or supported, or enabled.", ModelRefused),
        (1008, "Requested entity was not found.", ModelRefused),
        (1008, "The operation was aborted.", ModelLost),
        (1009, "", ModelRefused),
        (1011, "You exceeded your current quota, please check your plan", ModelBusy),
        (1011, "RESOURCE_EXHAUSTED", ModelBusy),
        (1011, "Internal error encountered.", ModelLost),
        (1011, "Deadline expired before operation could complete.", ModelLost),
        (1011, "The service is currently unavailable.", ModelLost),
        (1011, "keepalive ping timeout", ModelLost),
        (1000, "", ModelLost),
        (1001, "", ModelLost),
        (1006, "", ModelLost),
    ],
)
def test_every_close_has_a_class(code, reason, error: type[RemoteError]):
    assert type(closed(code, reason)) is error


def test_a_frame_that_is_too_large_for_us_is_not_asked_for_again():
    async def peer(socket: ServerConnection) -> None:
        socket.transport.pause_reading()  # our close is never answered
        socket.transport.write(b"\x82\x7f" + (MESSAGE_BYTES + 1).to_bytes(8, "big"))
        await asyncio.sleep(1.5)
        socket.transport.abort()

    async def scenario(url: str) -> None:
        connection = await dial(Endpoint(url, KEY))
        with pytest.raises(ModelRefused):
            await anext(aiter(connection))
        await connection.close()

    against(peer, scenario)


def test_an_address_without_a_path_gets_the_models_own():
    assert live_url("wss://models.example", "v1beta") == (
        "wss://models.example/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
    )
    assert live_url("ws://127.0.0.1:9/live", "v1") == "ws://127.0.0.1:9/live"


def test_the_key_is_not_in_an_endpoints_text():
    assert KEY not in repr(Endpoint("ws://x/", KEY))


async def until_lost(connection: Connection) -> AsyncIterator[str | bytes]:
    """Yield the frames that arrive until the connection is lost."""
    with suppress(ModelLost):
        async for frame in connection:
            yield frame


def test_a_close_that_nobody_waits_for_any_more_leaves_no_connection_behind():
    async def peer(socket: ServerConnection) -> None:
        socket.transport.pause_reading()  # it never sees our close, and never answers it
        await asyncio.sleep(1)
        socket.transport.abort()

    async def scenario(url: str) -> None:
        connection = await dial(Endpoint(url, KEY))
        closing = asyncio.create_task(connection.close())
        await asyncio.sleep(0.05)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)

        assert connection._transport.is_closing()

    against(peer, scenario)


@pytest.mark.parametrize(("pings_before", "lost"), [(6, True), (1, False)])
def test_g11_a_connection_that_died_silently_is_lost_once_it_used_to_answer(pings_before, lost):
    async def peer(socket: ServerConnection) -> None:
        await asyncio.sleep(0.05 * pings_before)
        socket.transport.pause_reading()  # a black hole: what is sent to it is taken and lost
        await asyncio.sleep(1)
        socket.transport.abort()

    async def scenario(url: str) -> None:
        connection = await dial(Endpoint(url, KEY, ping_s=0.04, silent_s=0.2))
        began = asyncio.get_running_loop().time()
        with pytest.raises(ModelLost) as caught:
            async for _ in connection:
                pass
        took = asyncio.get_running_loop().time() - began
        await connection.close()
        assert caught.value.silent
        assert (took < 0.8) is lost

    against(peer, scenario)


class SilentSocket:
    """A socket that answers pings at once until it dies, and on which the peer may speak; in virtual time."""

    def __init__(self) -> None:
        self.transport = self
        self.protocol = self
        self.state = State.OPEN
        self.is_dead = False
        self.lost_s: float | None = None
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()

    def abort(self) -> None:
        self.lost_s = asyncio.get_running_loop().time()
        self.state = State.CLOSED

    async def ping(self) -> asyncio.Future[float]:
        answer = asyncio.get_running_loop().create_future()
        if not self.is_dead:
            answer.set_result(0.1)
        return answer

    async def recv(self) -> bytes:
        return await self.frames.get()

    async def close(self) -> None:
        self.state = State.CLOSED


@pytest.mark.parametrize("spoke_s", [0.0, 0.1, 0.35, 0.6, 0.95])
@pytest.mark.parametrize("speaks", [True, False])
def test_g11_a_dead_connection_is_lost_in_two_to_three_seconds(speaks, spoke_s):
    async def scenario() -> float:
        socket = SilentSocket()
        connection = Connection(cast(ClientConnection, socket), Endpoint("ws://x", KEY))

        async def read() -> None:
            async for _ in connection:
                pass

        reading = asyncio.create_task(read())
        for _ in range(100 + round(spoke_s * 20)):
            if speaks:
                socket.frames.put_nowait(b"{}")
            await asyncio.sleep(0.05)
        socket.is_dead = True
        dead_s = asyncio.get_running_loop().time()
        await asyncio.sleep(5)
        reading.cancel()
        await connection.close()
        return (socket.lost_s or 9.0) - dead_s

    assert 1.9 <= run(scenario()) <= 3.0


def test_a_connection_that_talks_needs_no_answers_to_pings():
    async def peer(socket: ServerConnection) -> None:
        await asyncio.sleep(0.3)
        socket.transport.pause_reading()
        for _ in range(10):
            await asyncio.sleep(0.05)
            await socket.send(b"{}")
        socket.transport.resume_reading()
        await socket.close()

    async def scenario(url: str) -> None:
        connection = await dial(Endpoint(url, KEY, ping_s=0.04, silent_s=0.2))
        frames = [frame async for frame in until_lost(connection)]
        await connection.close()
        assert len(frames) == 10

    against(peer, scenario)


def test_a_close_of_theirs_is_not_silent():
    error = closed(1011, "Internal error encountered.")

    assert isinstance(error, ModelLost)
    assert not error.silent
