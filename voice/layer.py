"""Reach the channel layer: publish to a group, listen to one, and know when it is gone.

What is told this way is best effort: the layer may lose it, and be away for as long as it likes. Nothing of a
call waits for it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from redis.exceptions import RedisError

from voice.errors import LayerDownError

logger = logging.getLogger(__name__)

_DOWN = (OSError, TimeoutError, RedisError)
_KEPT = 500
"""How many messages wait for a listener that is slow; after that some are lost, and it is told so."""
_PROBE = "probe"
_SUBSCRIBED = 5


async def publish(group: str, message: Mapping[str, Any]) -> None:
    """Send a message to all who listen to a group now, in whatever process.

    Raises:
        LayerDownError: the layer did not take it in time.
    """
    try:
        async with asyncio.timeout(settings.LIVE_LAYER_S):
            await _layer().group_send(group, dict(message))
    except _DOWN as error:
        raise LayerDownError(type(error).__name__) from error


class Inbox:
    """What a group is told, from the moment on that this listens to it."""

    def __init__(self, group: str, channel: str) -> None:
        self._group = group
        self._channel = channel
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_KEPT)
        self._filling = asyncio.create_task(self._fill())
        self._echoed = asyncio.Event()
        self.missed = False
        """Whether messages were lost since this was last set to False."""

    async def next(self, within_s: float) -> dict[str, Any] | None:
        """Return the next message; None when there is none in time, and the layer still stands.

        Raises:
            LayerDownError: nothing came, and the layer does not answer.
        """
        if self._filling.done():
            raise LayerDownError("nothing is listened to any more")
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                return await self._messages.get()
        # Who listens is never told that Redis went away: the library tries again for ever, in silence. And a
        # subscription may be dead although publishing works, so what is published has to be heard.
        self._echoed.clear()
        await publish(self._group, {"type": _PROBE})
        try:
            async with asyncio.timeout(settings.LIVE_LAYER_S):
                await self._echoed.wait()
        except TimeoutError as error:
            raise LayerDownError("what is published is not heard") from error
        return None

    async def _fill(self) -> None:
        while True:
            try:
                message = await _layer().receive(self._channel)
                kind = message["type"]
            except (ValueError, TypeError, KeyError):  # nothing that we sent
                logger.warning("what the channel layer brought cannot be read")
                continue
            if kind == _PROBE:
                self._echoed.set()
                continue
            if self._messages.full():
                self.missed = True
            else:
                self._messages.put_nowait(message)

    async def leave(self) -> None:
        """Listen no more; the library unsubscribes who stops to wait."""
        self._filling.cancel()
        await asyncio.wait({self._filling})
        with suppress(*_DOWN):
            async with asyncio.timeout(settings.LIVE_LAYER_S):
                await _layer().group_discard(self._group, self._channel)


@asynccontextmanager
async def listening(group: str) -> AsyncIterator[Inbox]:
    """Listen to a group for as long as the block lasts.

    Raises:
        LayerDownError: the layer does not answer.
    """
    await publish(group, {"type": _PROBE})  # first: the library forgets no channel that it could not open
    try:
        # Long, as a channel that was given up half-way is never forgotten, and nothing waits for this.
        async with asyncio.timeout(_SUBSCRIBED * settings.LIVE_LAYER_S):
            channel = await _layer().new_channel()
    except _DOWN as error:
        raise LayerDownError(type(error).__name__) from error
    inbox = Inbox(group, channel)
    try:
        async with asyncio.timeout(settings.LIVE_LAYER_S):
            await _layer().group_add(group, channel)
    except _DOWN as error:
        await inbox.leave()
        raise LayerDownError(type(error).__name__) from error
    try:
        yield inbox
    finally:
        await inbox.leave()


def _layer() -> Any:
    return get_channel_layer()
