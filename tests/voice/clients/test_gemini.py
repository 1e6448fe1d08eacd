"""What our connection to the model does on a real socket."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from websockets.asyncio.server import ServerConnection, serve

from voice.clients.gemini import Endpoint, closed, dial, live_url
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


def test_nobody_there_is_a_lost_model():
    async def scenario() -> None:
        with pytest.raises(ModelLost):
            await dial(Endpoint("ws://127.0.0.1:9/", KEY, open_s=2))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (1007, "API key not valid. Please pass a valid API key.", ModelRefused),
        (1007, 'Unknown name "transparent"', ModelRefused),
        (1008, "models/x is not found for API version v1beta", ModelRefused),
        (1008, "The operation was aborted.", ModelLost),
        (1009, "", ModelRefused),
        (1011, "You exceeded your current quota, please check your plan", ModelBusy),
        (1011, "RESOURCE_EXHAUSTED", ModelBusy),
        (1011, "Internal error encountered.", ModelLost),
        (1011, "Deadline expired before operation could complete.", ModelLost),
        (1001, "", ModelLost),
        (1006, "", ModelLost),
    ],
)
def test_every_close_has_a_class(code, reason, error: type[RemoteError]):
    assert type(closed(code, reason)) is error


def test_an_address_without_a_path_gets_the_models_own():
    assert live_url("wss://models.example", "v1beta") == (
        "wss://models.example/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
    )
    assert live_url("ws://127.0.0.1:9/live", "v1") == "ws://127.0.0.1:9/live"


def test_the_key_is_not_in_an_endpoints_text():
    assert KEY not in repr(Endpoint("ws://x/", KEY))
