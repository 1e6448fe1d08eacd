"""Tell who watches the line what happens in this process's calls: best effort, and no call waits for it."""

import asyncio
import logging
from contextlib import suppress

from django.conf import settings

from voice import news
from voice.errors import LayerDownError
from voice.layer import publish
from voice.records import News

logger = logging.getLogger(__name__)

GROUP = "line.news"
"""The group of the channel layer that is told."""


class Newsroom:
    """Gathers what happens and sends it a few times a second; what is said anew takes the old one's place."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], news.Message] = {}
        self._latest: dict[str, dict[str, news.Message]] = {}  # by call and kind
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_down = False

    def begin(self, call: str) -> None:
        """Tell that a call, by its public id, is carried here from now on."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # what waited for another one will never be sent
            self._loop, self._timer, self._sending = loop, None, None
            self._waiting.clear()
            self._latest.clear()
        self.tell(call, news.milestone(news.BEGUN))

    def end(self, call: str) -> None:
        """Tell that it is over, and that its row says so."""
        self._latest.pop(call, None)
        self.tell(call, news.milestone(news.ENDED))

    def show(self, call: str, what: News) -> None:
        """Tell what happened in a call; on the event loop."""
        told = news.message(what)
        if told["kind"] in news.ANEW:
            self._latest.setdefault(call, {})[told["kind"]] = told
        self.tell(call, told)

    def tell_anew(self) -> None:
        """Tell who came late what is being said now, and who speaks."""
        for call, latest in self._latest.items():
            for told in latest.values():
                self.tell(call, told)

    def note_change(self, call: str) -> None:
        """Tell that the row of a call says something else now; from any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody watches its calls any more
                self._loop.call_soon_threadsafe(self.tell, call, news.milestone(news.CHANGED))

    def tell(self, call: str, told: news.Message) -> None:
        """Keep a message until the next are sent; above the bound the oldest is lost, and read by and by."""
        key = (call, told["key"])
        if key not in self._waiting and len(self._waiting) >= settings.LIVE_NEWS:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[key] = told | {"call": call}
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(settings.LIVE_EVERY_S, self._send_off)

    def _send_off(self) -> None:
        self._timer = None
        if self._sending is not None and not self._sending.done():
            # The layer is slow: one message waits for it and no more.
            self._timer = asyncio.get_running_loop().call_later(settings.LIVE_EVERY_S, self._send_off)
            return
        batch = list(self._waiting.values())
        self._waiting.clear()
        self._sending = asyncio.get_running_loop().create_task(self._send(batch))

    async def _send(self, batch: list[news.Message]) -> None:
        try:
            await publish(GROUP, {"type": GROUP, "news": batch})
            self._is_down = False
        except LayerDownError as error:
            if not self._is_down:
                logger.warning("nobody is told what happens on the line", extra={"why": str(error)})
            self._is_down = True


NEWSROOM = Newsroom()
"""Of the calls of this process."""
