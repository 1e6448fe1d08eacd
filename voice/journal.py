"""Write a call's records behind its back: kept in memory, written in batches, never awaited by a frame."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial

from django.conf import settings
from django.db import Error as DatabaseDownError

from voice import archive, calls
from voice.orm import is_crowded, run_db
from voice.records import Ending, ToolRecord, TurnRecord, UsageSeen
from voice.spool import SPOOL

logger = logging.getLogger(__name__)
_PASSES_OVER = 5


class CallJournal:
    """The records of one call on their way to the database.

    Every write is idempotent, so a batch that failed is simply tried again with the next.
    """

    def __init__(self, call_id: int) -> None:
        self._call_id = call_id
        self._waiting: deque[TurnRecord | ToolRecord | UsageSeen] = deque()
        self._lost = 0

    def add(self, record: TurnRecord | ToolRecord | UsageSeen) -> None:
        """Keep a record until the next batch; above the bound the oldest goes, and is counted."""
        if len(self._waiting) >= settings.JOURNAL_RECORDS:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(record)

    async def run(self) -> None:
        """Write what is kept once a second, until cancelled; some seconds later while work waits for threads.

        Whoever asked a tool hears nothing until it was answered: nobody waits for what was said before.
        """
        passed_over = 0
        while True:
            await asyncio.sleep(settings.JOURNAL_EVERY_S)
            passed_over = passed_over + 1 if is_crowded() and passed_over < _PASSES_OVER else 0
            if not passed_over:
                await self._write()

    async def finish(self, ending: Ending) -> None:
        """Write what is left and the call's end; later, when the database does not take them in time."""
        if self._lost:
            ending.counters["records_lost"] = self._lost
        last = partial(_write_end, self._call_id, tuple(self._waiting), ending, datetime.now(UTC))
        self._waiting.clear()
        written = False
        try:
            async with asyncio.timeout(settings.CALL_WRITE_S):
                await run_db(last)
            written = True
        except (DatabaseDownError, TimeoutError):  # one that is late may still be done: twice is as once
            logger.warning("a call's end waits: the database did not take it")
        finally:
            if not written:
                SPOOL.add(last)

    async def _write(self) -> None:
        batch, self._waiting = self._waiting, deque()
        if not batch:
            return
        written = False
        try:
            await run_db(_write_batch, self._call_id, batch)
            written = True
        except DatabaseDownError:
            logger.warning("records wait: the database did not take them", extra={"waiting": len(batch)})
        finally:
            if not written:  # also when cancelled in the middle: writing twice does no harm
                self._waiting.extendleft(reversed(batch))


def _write_end(
    call_id: int, batch: Sequence[TurnRecord | ToolRecord | UsageSeen], ending: Ending, ended_at: datetime
) -> None:
    _write_batch(call_id, batch)
    calls.end_call(call_id, ending, now=ended_at)


def _write_batch(call_id: int, batch: Iterable[TurnRecord | ToolRecord | UsageSeen]) -> None:
    turns = [record for record in batch if isinstance(record, TurnRecord)]
    usage = [record for record in batch if isinstance(record, UsageSeen)]
    if turns:
        archive.record_turns(call_id, turns)
    if usage:
        archive.record_usage(call_id, usage)
    for record in batch:
        if isinstance(record, ToolRecord):
            archive.record_tool_run(call_id, record)
