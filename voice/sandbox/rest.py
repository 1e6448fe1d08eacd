"""Stand in for the telephone platform's REST interface: place a call, look it up, end it, route a number."""

import asyncio
import hmac
import json
import socket
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import parse_qs

import uvicorn


class Platform(Protocol):
    """What the interface is a face of; calls are named by their id or their session id."""

    def originate(self, body: Mapping[str, Any], key: str) -> dict[str, object]:
        """Ring a number; return the call's public fields."""

    def find(self, name: str) -> dict[str, object] | None:
        """Return a call's public fields."""

    def hang_up(self, name: str) -> dict[str, object] | None:
        """End a call."""

    def route(self, number_id: str, body: Mapping[str, Any]) -> dict[str, object]:
        """Set where a number's calls and events are posted to."""


class RestError(Exception):
    """A refusal, as whoever asked gets it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Loopback:
    """Serves an ASGI application on a listening socket, in the running loop."""

    def __init__(self, application: Any, listener: socket.socket, *, websockets: bool = False) -> None:
        config = uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="websockets-sansio" if websockets else "none",
        )
        self._listener = listener
        self._server = _Server(config)

    async def start(self) -> None:
        """Begin, and return when requests are taken."""
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        await self._server.ready.wait()

    async def stop(self) -> None:
        """Finish what is being answered and close."""
        self._server.should_exit = True
        await self._serving


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when it has started."""
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to whom they belong: this server is a part of somebody's process."""
        yield


class Interface:
    """The paths, as an ASGI application."""

    def __init__(self, platform: Platform, api_key: str) -> None:
        self._platform = platform
        self._authorization = f"Bearer {api_key}".encode()

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        try:
            status, document = self._answer(scope, body)
        except RestError as error:
            status = error.status
            inner = {"code": error.code, "message": str(error), "request_id": str(uuid.uuid4())}
            document = {"error": inner}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(document).encode()})

    def _answer(self, scope: Mapping[str, Any], body: bytes) -> tuple[int, dict[str, object]]:
        headers = dict(scope["headers"])
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._authorization):
            raise RestError(401, "api_key.invalid", "this key is not known")
        path = scope["path"].strip("/").split("/")
        match scope["method"], path:
            case "POST", ["v1", "calls"] | ["v1", "calls", "originate"]:
                key = headers.get(b"idempotency-key", b"").decode()
                return 201, {**self._platform.originate(_object(body), key), "status": "ringing"}
            case "GET", ["v1", "calls"]:
                wanted = parse_qs(scope["query_string"].decode()).get("session_id", [""])[0]
                found = self._platform.find(wanted)
                return 200, {"calls": [found] if found else []}
            case "GET", ["v1", "calls", name]:
                return 200, _known(self._platform.find(name))
            case "POST", ["v1", "calls", name, "hangup"]:
                return 200, _known(self._platform.hang_up(name))
            case "PATCH" | "PUT", ["v1", "numbers", number_id, "routing"]:
                return 200, self._platform.route(number_id, _object(body))
            case _:
                raise RestError(404, "not_found", "no such path")


def checked(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return the number to ring and the label of a request to place a call.

    Raises:
        RestError: it is not such a request.
    """
    to = body.get("to")
    number = to[0] if isinstance(to, list) and to else to
    if not isinstance(number, str) or not body.get("from"):
        raise RestError(400, "request.invalid", "from and to are needed")
    label = body.get("client_request_id") or body.get("clientRequestId") or ""
    if not isinstance(label, str) or len(label) > 5000 or label.startswith(("mcp:", "broadcast:")):
        raise RestError(400, "request.invalid", "client_request_id is not allowed")
    return number, label


def _known(document: dict[str, object] | None) -> dict[str, object]:
    if document is None:
        raise RestError(404, "calls.not_found", "no such call")
    return document


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise RestError(400, "request.invalid", "the body is not a JSON object")
    return document
