"""Keep in memory what the database did not take, and try again until it does."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError

from voice.orm import run_db

logger = logging.getLogger(__name__)

_PASSING = (OperationalError, InterfaceError, InternalError)
"""What passes: gone, locked, full; read only is an internal error of PostgreSQL's."""

Write = Callable[[], object]


class Spool:
    """Writes that wait for the database, in order; each is idempotent, so that one may be tried again."""

    def __init__(self) -> None:
        self._waiting: deque[Write] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Return how many writes wait."""
        return len(self._waiting)

    def add(self, write: Write) -> None:
        """Keep a write; above the bound the oldest goes, and that is logged."""
        if len(self._waiting) >= settings.SPOOL_RECORDS:
            self._waiting.popleft()
            logger.error("a record is lost: too many wait for the database")
        self._waiting.append(write)
        if self._timer is None:
            self._try_later()

    def _try_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(settings.SPOOL_AGAIN_S, self._begin)

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        while self._waiting:
            write = self._waiting[0]
            [result] = await asyncio.gather(run_db(write), return_exceptions=True)
            if isinstance(result, _PASSING):
                logger.warning("records wait for the database", extra={"waiting": len(self._waiting)})
                self._try_later()
                return
            if isinstance(result, BaseException):  # it would fail again, and keep the others waiting
                logger.error("a record is lost: the database refuses it", exc_info=result)
            if self._waiting and self._waiting[0] is write:  # else it was the oldest of too many
                self._waiting.popleft()
        self._timer = None
        logger.info("the database has taken what waited for it")


SPOOL = Spool()
"""What waits in this process."""
