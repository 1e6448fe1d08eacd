"""The desk's socket: who may watches the line as it runs, from the channel layer and from the database.

The database says which calls there are and who may see them; the layer says what happens between two looks
at it. Without the layer the looks are closer together, and the page says so.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import Error as DatabaseDownError

from voice import live, news, steering
from voice.errors import LayerDownError
from voice.layer import Inbox, listening
from voice.newsroom import GROUP
from voice.orm import run_db

logger = logging.getLogger(__name__)

CLOSE_NOT_ALLOWED = 4003
_ORDERS_LONGEST = 200
"""Characters that the page has to say: the id of the call that somebody looks at."""


class _Left(Exception):  # noqa: N818 - not an error: how the tasks of one viewer end together
    """The viewer is gone, or may not watch any longer; with the code to close with, if it is for us to."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__()
        self.code = code


class LineConsumer(AsyncWebsocketConsumer):
    """One page that shows the line; a loop of its own, as a stock consumer dies when Redis goes away."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one page from its handshake on; the session in its cookie says who it is."""
        self.scope, self.base_send = scope, send
        await receive()  # websocket.connect
        self._session_key: str | None = scope["session"].session_key
        viewer = await self._ask()
        if viewer is None:
            await self.close()  # before the accept: the browser sees that it may not
            return
        await self.accept()
        self._viewer: live.Viewer = viewer
        self._seen: set[str] = set()  # calls that this viewer may see
        self._unseen: set[str] = set()  # and calls that he may not, until the next look
        self._opened = ""
        if (code := await self._until_left(receive)) is not None:
            with suppress(OSError):
                await self.close(code)

    async def _until_left(self, receive: Any) -> int | None:
        code: int | None = None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._feed())
                await self._read(receive)
        except* OSError:  # gone while we spoke
            pass
        except* _Left as left:
            code = next((one.code for one in left.exceptions if isinstance(one, _Left)), None)
        return code

    async def _ask(self) -> live.Viewer | None:
        try:
            return await run_db(live.viewer_of, self._session_key)
        except DatabaseDownError:
            logger.warning("nobody can watch the line: the database did not answer")
            return None

    async def _read(self, receive: Any) -> None:
        """Take from the page which call is looked at, until it is gone."""
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                raise _Left
            self._opened = _opened(event.get("text"))
            if self._opened:
                await self._tell_conversation()
                with suppress(LayerDownError):  # what is being said is in no database yet
                    await steering.ask_anew()

    async def _feed(self) -> None:
        while True:
            try:
                async with listening(GROUP) as inbox:
                    await self._follow(inbox)
            except LayerDownError:
                await self._catch_up(stale=True)
                await asyncio.sleep(settings.LIVE_POLL_S)

    async def _follow(self, inbox: Inbox) -> None:
        loop = asyncio.get_running_loop()
        inbox.missed = True  # all that was said before
        while True:
            missed, inbox.missed = inbox.missed, False
            await self._catch_up(stale=False)
            if missed:
                await steering.ask_anew()
            until_s = loop.time() + settings.LIVE_CATCH_UP_S
            while not inbox.missed and (left_s := until_s - loop.time()) > 0:
                message = await inbox.next(min(left_s, settings.LIVE_POLL_S))
                if message is not None:
                    await self._pass_on(message.get("news", []))

    async def _catch_up(self, *, stale: bool) -> None:
        """Show the line as the database has it, to who may still see it; say so when it cannot be read."""
        try:
            viewer = await run_db(live.viewer_of, self._session_key)
            if viewer is None:
                raise _Left(CLOSE_NOT_ALLOWED)
            self._viewer = viewer
            rows = await run_db(live.line, viewer)
            orders = await run_db(live.orders_of, viewer.user)
        except DatabaseDownError:
            await self._write({"kind": "line", "stale": True})
            return
        self._seen, self._unseen = set(rows), set()
        now = datetime.now(UTC).isoformat()
        calls = list(rows.values())
        await self._write({"kind": "line", "calls": calls, "orders": orders, "stale": stale, "now": now})
        if self._opened:
            await self._tell_conversation()

    async def _tell_conversation(self) -> None:
        with suppress(DatabaseDownError):  # what is read now is read again with the next look
            lines = await run_db(live.conversation, self._viewer, self._opened)
            await self._write({"kind": "conversation", "call": self._opened, "lines": lines})

    async def _pass_on(self, told: list[news.Message]) -> None:
        shown = [seen for one in told if (seen := await self._shown(one)) is not None]
        if shown:
            await self._write({"kind": "news", "news": shown})

    async def _shown(self, told: news.Message) -> news.Message | None:
        """Return what this viewer sees of a message: nothing of a call that is not for him."""
        call = told["call"]
        if told["kind"] in (news.BEGUN, news.CHANGED) or call not in self._seen | self._unseen:
            return await self._look_at(call)
        if call not in self._seen:
            return None
        if told["kind"] == news.ENDED:
            self._seen.discard(call)
        return news.for_viewer(told, heard=self._viewer.heard)

    async def _look_at(self, call: str) -> news.Message | None:
        try:
            row = await run_db(live.row, self._viewer, call)
        except DatabaseDownError:
            return None
        if row is None:
            known = call in self._seen
            self._seen.discard(call)
            self._unseen.add(call)
            return {"kind": news.ENDED, "call": call} if known else None
        self._unseen.discard(call)
        self._seen.add(call)
        return {"kind": "row", "call": call, "row": row}

    async def _write(self, message: Mapping[str, Any]) -> None:
        await self.send(text_data=json.dumps(message))


def _opened(text: str | None) -> str:
    """Return the id of the call that a page says it looks at; "" for none, or for what is not understood."""
    try:
        said = json.loads((text or "")[:_ORDERS_LONGEST])
    except ValueError:
        return ""
    call = said.get("open") if isinstance(said, dict) else None
    return call if isinstance(call, str) else ""
