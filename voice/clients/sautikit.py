"""Ask the telephone platform to do things: its REST interface, errors translated once."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx

from voice.errors import CarrierError, RemoteError
from voice.wire import placing

_UNREACHED = (httpx.HTTPError, RuntimeError, AttributeError)
"""A socket that is reset while it opens is a RuntimeError in uvloop and an AttributeError below httpx."""


class SautikitClient:
    """The platform's calls (sautikit.md §1.6), as an async context manager.

    Redirects are not followed and the environment's proxies not used: the key goes to this host only.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        answer_s: float = 10.0,
        connect_s: float = 3.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.skew_s = 0.0
        """How far our clock was ahead of the platform's when it last answered and said the time."""
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=httpx.Timeout(answer_s, connect=connect_s),
            follow_redirects=False,
            trust_env=False,
            transport=transport,
            event_hooks={"response": [self._compare_clocks]},
        )

    async def __aenter__(self) -> Self:
        """Open the connection pool."""
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Close the connection pool."""
        await self._http.__aexit__(kind, error, trace)

    async def _compare_clocks(self, answer: httpx.Response) -> None:
        try:
            theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
        except (TypeError, ValueError):
            return
        if theirs.tzinfo is not None:
            self.skew_s = (datetime.now(UTC) - theirs).total_seconds()

    async def find(self, session_id: str) -> object:
        """Return what the platform answers when asked for a session, as it came.

        Raises:
            RemoteError: the platform could not be reached, refused, or answered no JSON.
        """
        try:
            answer = await self._http.get("/v1/calls", params={"session_id": session_id})
        except _UNREACHED as error:
            raise RemoteError(f"look-up not delivered: {type(error).__name__}") from error
        return _document(answer)

    async def place(self, order: placing.Order, *, path: str = "/v1/calls") -> placing.Placement:
        """Have a number rung, and say whether that may have happened; never raises for what went wrong.

        A repeat with the same id carries the same key: where the platform keeps keys, it rings once.
        """
        try:
            answer = await self._http.post(
                path, json=order.body(), headers={"Idempotency-Key": order.request_id}
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return placing.Unsent(f"The platform was not reached: {type(error).__name__}.")
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError) as error:
            return placing.Unsent(f"The platform's address cannot be used: {type(error).__name__}.")
        except _UNREACHED as error:
            return placing.Unclear(f"The platform's answer was lost: {type(error).__name__}.")
        return placing.read(answer.status_code, answer.headers, answer.text, datetime.now(UTC))

    async def fetch(self, call: str) -> object:
        """Return what the platform tells of a call, by its id or its session id; None is an unknown one.

        Raises:
            RemoteError: the platform could not be reached, refused, or answered no JSON.
        """
        try:
            answer = await self._http.get(f"/v1/calls/{quote(call, safe='')}")
        except _UNREACHED as error:
            raise RemoteError(f"look-up not delivered: {type(error).__name__}") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return _document(answer)

    async def hang_up(self, call: str) -> None:
        """End a call by the platform's id or its session id; doing it twice does no harm.

        Raises:
            CarrierError: the platform refused, which may be for good.
            RemoteError: it could not be reached.
        """
        try:
            answer = await self._http.post(f"/v1/calls/{quote(call, safe='')}/hangup")
        except _UNREACHED as error:
            raise RemoteError(f"hang-up not delivered: {type(error).__name__}") from error
        if not answer.is_success:
            raise CarrierError(f"hang-up refused with {answer.status_code}", status=answer.status_code)

    async def route(self, number_id: str, voice_url: str, events_url: str, *, method: str = "PATCH") -> None:
        """Set where a number's calls and, if there is an address for them, its events are posted to.

        Raises:
            RemoteError: the platform could not be reached or refused.
        """
        addresses = {"voice_callback_url": voice_url, **({"events_url": events_url} if events_url else {})}
        try:
            answer = await self._http.request(
                method, f"/v1/numbers/{quote(number_id, safe='')}/routing", json=addresses
            )
        except _UNREACHED as error:
            raise RemoteError(f"routing not delivered: {type(error).__name__}") from error
        if not answer.is_success:
            raise RemoteError(f"routing refused with {answer.status_code}")


def _document(answer: httpx.Response) -> object:
    if not answer.is_success:
        raise RemoteError(f"look-up refused with {answer.status_code}")
    try:
        document: object = answer.json()
    except ValueError as error:
        raise RemoteError("look-up answered with no JSON") from error
    return document
