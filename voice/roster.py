"""Know the live calls of this process: to keep their rows warm, and to end them when it has to stop."""

import asyncio
import logging
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Protocol

from django.conf import settings
from django.db import Error as DatabaseDownError

from voice import calls
from voice.orm import run_db

logger = logging.getLogger(__name__)


class Stop(Protocol):
    """How one call is brought to an end."""

    def __call__(self, *, at_once: bool) -> None:
        """End it with a goodbye, or without a word."""


class Roster:
    """The live calls by their rows; all of it happens on the event loop."""

    def __init__(self) -> None:
        self._stops: dict[int, Stop] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._beating: asyncio.Task[None] | None = None

    def add(self, call_id: int, stop: Stop) -> None:
        """Take a call in."""
        self._stops[call_id] = stop
        if self._timer is None:
            self._beat_later()

    def remove(self, call_id: int) -> None:
        """Take a call out."""
        del self._stops[call_id]
        if not self._stops and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def stop_all(self, *, at_once: bool = False) -> None:
        """Have every call say goodbye and end; `at_once`, without."""
        for stop in list(self._stops.values()):
            stop(at_once=at_once)

    def _beat_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(settings.HEARTBEAT_S, self._begin_beat)

    def _begin_beat(self) -> None:
        self._beat_later()
        # While the database hangs, one beat waits for it and no more.
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(_beat(tuple(self._stops)))


async def _beat(call_ids: Collection[int]) -> None:
    try:
        await run_db(calls.heartbeats, call_ids, datetime.now(UTC))
    except DatabaseDownError:
        logger.warning("calls run on without a heartbeat: the database did not take it")


ROSTER = Roster()
"""The calls of this process."""
