"""Serve the voice model's protocol on this machine, as strict and as timed as the real service.

JSON goes out in binary frames, nothing is pinged, and who asks for another path or has no key is
turned away as there (gemini-live.md §1, §7). One connection is one conversation.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from random import Random
from ssl import SSLContext
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from voice.sandbox import strictness
from voice.sandbox.brain import Voice
from voice.sandbox.conversation import Conversation, Past
from voice.sandbox.mishaps import ABORTED, NO_MISHAP, Mishap
from voice.sandbox.strictness import Strictness, version_of
from voice.sandbox.timing import Timing

_MESSAGE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Seen:
    """One frame that passed, for whoever watches; sessions are counted from 1."""

    session: int
    from_client: bool
    frame: str | bytes


class LiveServer:
    """A server that stands in for the voice model: `async with LiveServer(voice=…) as server: server.url`.

    `keys` are the API keys that it knows; None takes any, but not none at all. `most` conversations may
    be held at once. `witness` is shown every frame. `mishaps` meet one connection each, in order of arrival;
    those behind them are well.
    """

    def __init__(
        self,
        *,
        voice: Voice,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl: SSLContext | None = None,
        keys: Collection[str] | None = None,
        seed: int = 0,
        timing: Timing | None = None,
        most: int | None = None,
        witness: Callable[[Seen], None] | None = None,
        mishaps: Sequence[Mishap] = (),
    ) -> None:
        self._voice = voice
        self._mishaps = deque(mishaps)
        self._struck: dict[ServerConnection, Mishap] = {}
        self._host = host
        self._port = port
        self._ssl = ssl
        self._keys = keys
        self._seed = seed
        self._timing = timing or Timing()
        self._most = most
        self._witness = witness
        self._numbers = count(1)
        self._pasts: dict[str, Past] = {}
        self._held = 0
        self._server: Server | None = None

    async def __aenter__(self) -> "LiveServer":
        self._server = await serve(
            self._answer,
            self._host,
            self._port,
            process_request=self._admit,
            ssl=self._ssl,
            compression=None,
            ping_interval=None,  # the real one was never seen to ping
            max_size=_MESSAGE_BYTES,
            close_timeout=1,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    @property
    def url(self) -> str:
        """Return where it is, without a path: what `GEMINI_LIVE_URL` is set to."""
        if self._server is None:
            raise RuntimeError("the server is not running")
        host, port = next(iter(self._server.sockets)).getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        return f"{'wss' if self._ssl else 'ws'}://{host}:{port}"

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if version_of(request.path) is None:
            return connection.respond(HTTPStatus.NOT_FOUND, "The requested URL was not found.\n")
        mishap = self._mishaps.popleft() if self._mishaps else NO_MISHAP
        if mishap.status:
            return connection.respond(HTTPStatus(mishap.status), "")
        self._struck[connection] = mishap
        return None

    async def _answer(self, connection: ServerConnection) -> None:
        mishap = self._struck.pop(connection)
        request = connection.request
        if request is None or not self._knows(_key(request)):
            await connection.close(1007, strictness.KEY)
            return
        if self._most is not None and self._held >= self._most:
            await connection.close(1011, strictness.QUOTA)
            return
        number = next(self._numbers)
        self._held += 1
        try:
            await Conversation(
                _Line(connection, number, self._witness),
                self._voice,
                strict=Strictness(version_of(request.path) or ""),
                pasts=self._pasts,
                dice=Random(f"{self._seed}/{number}"),
                timing=self._timing,
                mishap=mishap,
            ).run()
        finally:
            self._held -= 1

    def _knows(self, key: str) -> bool:
        return bool(key) if self._keys is None else key in self._keys


class _Line:
    """A connection whose frames somebody may watch."""

    def __init__(
        self, connection: ServerConnection, number: int, witness: Callable[[Seen], None] | None
    ) -> None:
        self._connection = connection
        self._number = number
        self._witness = witness

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        async for frame in self._connection:
            if self._witness:
                self._witness(Seen(self._number, True, frame))
            yield frame

    async def send(self, frame: str | bytes) -> None:
        if self._witness:
            self._witness(Seen(self._number, False, frame))
        await self._connection.send(frame)

    async def close(self, code: int, reason: str) -> None:
        if code == ABORTED:
            self._connection.transport.abort()
        else:
            await self._connection.close(code, reason)


def _key(request: Request) -> str:
    in_query = parse_qs(urlsplit(request.path).query).get("key", [""])[0]
    return request.headers.get("x-goog-api-key") or in_query
