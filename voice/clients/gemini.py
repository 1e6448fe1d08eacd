"""Reach the voice model: one WebSocket a conversation, its errors translated once (gemini-live.md §1, §7)."""

import asyncio
import os
import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from ssl import SSLContext
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.frames import CloseCode, apply_mask  # type: ignore[attr-defined] # C where it was built, else Python
from websockets.protocol import State

from voice.errors import ModelBusy, ModelLost, ModelRefused, RemoteError

MESSAGE_BYTES = 16 * 1024 * 1024
_CONGESTED_BYTES = 16_384  # 0.4 s of a caller's audio as it goes out
_CLOSE_S = 1.0

CLOSES: tuple[tuple[int, str, type[RemoteError]], ...] = (
    (1011, "exceeded your current quota", ModelBusy),
    (1011, "RESOURCE_EXHAUSTED", ModelBusy),
    (1011, "", ModelLost),
    (1008, "The operation was aborted.", ModelLost),
    (1008, "", ModelRefused),
    (1007, "", ModelRefused),
    (1009, "", ModelRefused),
)
"""Close codes with a piece of their reason, and what each means: the first row that fits counts."""

_STATUSES: dict[int, type[RemoteError]] = {
    400: ModelRefused,
    401: ModelRefused,
    403: ModelRefused,
    404: ModelRefused,
    429: ModelBusy,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model is; the key goes into a header, never into an address that a log may hold."""

    url: str
    key: str = field(repr=False)
    open_s: float = 5.0
    ping_s: float = 1.0
    silent_s: float = 2.0
    quick_s: float = 1.0
    quick_pings: int = 3
    """A peer that never answers pings is not to be lost by them: so many must have come quickly before."""
    ssl: SSLContext | None = None


def live_url(base: str, version: str) -> str:
    """Return the address to dial: `base` whole when it has a path, else with the model's own path."""
    if urlsplit(base).path.strip("/"):
        return base
    service = f"google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent"
    return f"{base.rstrip('/')}/ws/{service}"


def closed(code: int, reason: str) -> RemoteError:
    """Return the error that a close means, with the code and the reason in its text."""
    text = f"{code} {reason}".strip()
    for known, piece, error in CLOSES:
        if code == known and piece in reason:
            return error(text)
    return ModelLost(text)


class Connection:
    """A connection to the model; `close` it, whatever became of it."""

    def __init__(self, socket: ClientConnection, endpoint: Endpoint) -> None:
        self._socket = socket
        self._transport = socket.transport
        self._time = asyncio.get_running_loop().time
        self._heard_s = self._time()
        self._watching = asyncio.create_task(self._watch(endpoint))

    def is_congested(self) -> bool:
        """Tell whether a frame sent now would have to wait."""
        return self._transport.get_write_buffer_size() > _CONGESTED_BYTES

    async def send(self, frame: str | bytes) -> None:
        """Send one JSON object as a text frame, which is what the model reads.

        Raises:
            RemoteError: the connection is gone.
        """
        try:
            await self._socket.send(frame, text=True)
        except ConnectionClosed as error:
            raise _translated(error) from error

    def send_now(self, frame: bytes) -> None:
        """Send a frame of text at once, unless the connection is gone; ask `is_congested` before.

        For audio: the library's `send` is an async context manager a frame, which is a tenth of a call's CPU,
        and waits a second for the close of a connection that is going.
        """
        if self._socket.protocol.state is State.OPEN:
            self._transport.write(_text_frame(frame))

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield the frames that arrive.

        Raises:
            RemoteError: the connection is gone; the model never ends one of its own accord.
        """
        try:
            while True:
                frame = await self._socket.recv()
                self._heard_s = self._time()
                yield frame
        except ConnectionClosed as error:
            raise _translated(error) from error

    async def close(self) -> None:
        """Close the connection, waiting no longer than a second for the other side, or than anybody waits."""
        self._watching.cancel()
        try:
            await self._socket.close()
        except asyncio.CancelledError:  # a model in a black hole would hold the socket for minutes
            self._transport.abort()
            raise

    async def _watch(self, endpoint: Endpoint) -> None:
        """Break a connection on which neither a frame nor the answer to a ping arrives.

        The library's own pings take 40 s, and a telephone call has two or three.
        """
        quick, pause_s = 0, endpoint.ping_s
        while self._socket.protocol.state is State.OPEN:
            await asyncio.sleep(pause_s)
            if quick >= endpoint.quick_pings and (pause_s := self._left_s(endpoint.ping_s)) > 0:
                continue  # it speaks: a ping would cost and tell nothing
            asked_s, pause_s = self._time(), endpoint.ping_s
            try:
                answered = await self._ping(endpoint.silent_s)
            except ConnectionClosed:
                return
            if answered:
                quick += self._time() - asked_s <= endpoint.quick_s
            elif quick >= endpoint.quick_pings:
                self._transport.abort()
                return

    async def _ping(self, silent_s: float) -> bool:
        """Ask for a sign of life; tell whether it came before nothing at all did for `silent_s`."""
        asked_s = self._time()
        try:
            async with asyncio.timeout(silent_s):
                answer = asyncio.ensure_future(await self._socket.ping())
        except TimeoutError:  # nothing is taken any more
            return False
        while not answer.done() and (left_s := self._left_s(silent_s, asked_s)) > 0:
            await asyncio.wait({answer}, timeout=left_s)
        if answer.done():
            answer.result()  # or why there is none: the connection is gone
        return answer.done()

    def _left_s(self, seconds: float, since_s: float = 0.0) -> float:
        """Return how long it may be until nothing was heard for so long."""
        return max(self._heard_s, since_s) + seconds - self._time()


async def dial(endpoint: Endpoint) -> Connection:
    """Open a connection; nothing has been said on it.

    Raises:
        ModelRefused: the key, the model or the address is wrong.
        ModelBusy: there is no room for us.
        ModelLost: it cannot be reached.
    """
    try:
        socket = await connect(
            endpoint.url,
            additional_headers={"x-goog-api-key": endpoint.key} if endpoint.key else {},
            user_agent_header="courier-voice",
            compression=None,  # base64 of speech does not shrink enough to pay for the CPU
            open_timeout=endpoint.open_s,
            close_timeout=_CLOSE_S,
            ping_interval=None,  # `Connection` has pings of its own
            max_size=MESSAGE_BYTES,
            proxy=None if _is_loopback(endpoint.url) else True,
            # None is no default for the library: it refuses wss:// with it, which is the real model's.
            ssl=endpoint.ssl or (True if urlsplit(endpoint.url).scheme == "wss" else None),
        )
    except InvalidStatus as error:
        status = error.response.status_code
        raise _STATUSES.get(status, ModelLost)(f"refused with HTTP {status}") from error
    except InvalidURI as error:
        raise ModelRefused("its address is not one of a WebSocket") from error
    except (OSError, InvalidHandshake, EOFError) as error:
        raise ModelLost(f"not reached: {type(error).__name__}") from error
    return Connection(socket, endpoint)


def _translated(error: ConnectionClosed) -> RemoteError:
    if error.rcvd is not None:
        return closed(error.rcvd.code, error.rcvd.reason)
    if error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG:  # it would be again
        return closed(error.sent.code, error.sent.reason)
    if error.sent is not None:  # our own close, of a frame that breaks the protocol
        return ModelLost(f"closed by us: {error.sent.code} {error.sent.reason}", silent=True)
    return ModelLost("1006", silent=True)


def _text_frame(payload: bytes) -> bytes:
    """Return a masked text frame: the one kind that goes out 25 times a second, in a third of the time."""
    size = len(payload)
    if size < 126:
        head = bytes((0x81, 0x80 | size))
    elif size < 65_536:
        head = b"\x81\xfe" + size.to_bytes(2, "big")
    else:
        head = b"\x81\xff" + size.to_bytes(8, "big")
    mask = _MASKS.take()
    return head + mask + apply_mask(payload, mask)


class _Masks:
    """Random masks, a thousand from each call of the system: a call a mask is a hundredth of a call's CPU."""

    def __init__(self) -> None:
        self._drawn: Iterator[tuple[bytes]] = iter(())

    def take(self) -> bytes:
        """Return four bytes that nobody has seen."""
        for (mask,) in self._drawn:
            return mask
        self._drawn = struct.iter_unpack("4s", os.urandom(4_096))
        return self.take()


_MASKS = _Masks()


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
