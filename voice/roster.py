"""Know the live calls of this process: to keep their rows warm, and to tell them what comes by no socket."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from django.conf import settings
from django.db import Error as DatabaseDownError

from voice import calls, database_clock
from voice.events import Event, Stopping
from voice.orm import run_db

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Carried:
    """A call that is carried here: its row, its public id, and how it takes an event, or does not."""

    call_id: int
    public_id: str
    take: Callable[[Event], bool]


class Roster:
    """The live calls by their public ids; all of it happens on the event loop."""

    def __init__(self) -> None:
        self._calls: dict[str, Carried] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._beating: asyncio.Task[None] | None = None

    def add(self, carried: Carried) -> None:
        """Take a call in."""
        self._calls[carried.public_id] = carried
        if self._timer is None:
            self._beat_later()

    def remove(self, carried: Carried) -> None:
        """Take a call out."""
        del self._calls[carried.public_id]
        if not self._calls and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def stop_all(self, *, at_once: bool = False) -> None:
        """Have every call say goodbye and end; `at_once`, without."""
        for carried in list(self._calls.values()):
            carried.take(Stopping(at_once))

    def tell(self, public_id: str, event: Event) -> bool:
        """Tell a call of an event, if it is carried here; return whether it took it."""
        carried = self._calls.get(public_id)
        return carried is not None and carried.take(event)

    def _beat_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(settings.HEARTBEAT_S, self._begin_beat)

    def _begin_beat(self) -> None:
        self._beat_later()
        # While the database hangs, one beat waits for it and no more.
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(_beat([carried.call_id for carried in self._calls.values()]))


def beat(call_ids: Collection[int]) -> None:
    """Say that calls are alive, at the time by which a worker looks whether they are."""
    calls.heartbeats(call_ids, database_clock.now())


async def _beat(call_ids: Collection[int]) -> None:
    try:
        await run_db(beat, call_ids)
    except DatabaseDownError:
        logger.warning("calls run on without a heartbeat: the database did not take it")


ROSTER = Roster()
"""The calls of this process."""
