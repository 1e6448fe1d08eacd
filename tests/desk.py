"""A page of the desk's as its browser is to the server: a log-in, the socket that shows the line, orders."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.browser import PASSWORD, USER, a_member_of_staff
from tests.line import Line

SOCKET, ORDERS = "/admin/live/news", "/admin/live/order"


class Desk:
    """Somebody who is logged in at a server."""

    def __init__(self, http: str, user: str) -> None:
        self.http = http
        # No connection is kept: a test that leaves a socket fails, and the next may share this log-in.
        once = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(base_url=self.http, trust_env=False, timeout=10, limits=once)
        self._client.get("/admin/login/")
        form = {"username": user, "password": PASSWORD, "next": "/admin/live/"}
        answer = self._post("/admin/login/", form)
        assert answer.status_code == 302, answer.text[:500]

    def _post(self, path: str, form: dict[str, str]) -> httpx.Response:
        token = self._client.cookies["csrftoken"]
        return self._client.post(path, data=form | {"csrfmiddlewaretoken": token})

    def order(self, call: str, order: str, words: str = "", *, order_id: str = "") -> httpx.Response:
        """Want something of a call; again, by an id that an order had before."""
        wish = {"id": order_id or uuid4().hex, "call": call, "order": order, "words": words}
        return self._post(ORDERS, wish)

    def log_out(self) -> None:
        """End the session, as in another tab."""
        self._post("/admin/logout/", {})

    def socket(self, **headers: str) -> ClientConnection:
        """Open the socket that shows the line."""
        cookies = "; ".join(f"{name}={value}" for name, value in self._client.cookies.items())
        url = re.sub("^http", "ws", self.http) + SOCKET
        sent = {"Cookie": cookies, "Origin": self.http} | headers
        return connect(url, additional_headers=sent, compression=None, proxy=None)

    def close(self) -> None:
        """Close what is open."""
        self._client.close()


@contextmanager
def a_desk(line: Line, role: str = "Supervisor", user: str = USER) -> Iterator[Desk]:
    """Log somebody new in, in this role."""
    a_member_of_staff(line, role, user)
    desk = Desk(line.http, user)
    try:
        yield desk
    finally:
        desk.close()


class Watch:
    """What a page was shown."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.got: list[tuple[float, dict[str, Any]]] = []

    def until(self, holds: Callable[[dict[str, Any]], Any], seconds: float = 10.0) -> dict[str, Any]:
        """Return the first message, or news in one, of which something holds; and the time when it came."""
        until = time.monotonic() + seconds
        while True:
            message = json.loads(self.socket.recv(max(until - time.monotonic(), 0.01)))
            self.got.append((time.monotonic(), message))
            for one in [message, *message.get("news", [])]:
                if holds(one):
                    return {**one, "came_s": time.monotonic()}
