"""Ask the carrier, behind the greeting, whether a call really comes from the number it names."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Self

from django.conf import settings
from django.db import Error as DatabaseDownError

from voice import trust
from voice.calls import CallFacts
from voice.carrier import reach
from voice.errors import RemoteError
from voice.levels import ProofWanted
from voice.orm import run_db
from voice.wire import sautikit

logger = logging.getLogger(__name__)

_AGAIN_S = (0.0, 0.3, 0.7, 2.0, 5.0)
"""When to ask: a call may be known to the carrier's interface a moment after it rings."""

Find = Callable[[str], Awaitable[object]]


async def find(session_id: str) -> object:
    """Ask the carrier that the settings name for a session."""
    async with reach() as carrier:
        return await carrier.find(session_id)


class NumberProof:
    """The look-up of one call's number, as an async context manager; whoever needs it waits for a while."""

    def __init__(self, facts: CallFacts, ask: Find = find) -> None:
        self._facts = facts
        self._ask = ask
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to ask, if there is anything to ask for."""
        facts = self._facts
        wanted = settings.CALLER_PROOF == ProofWanted.LOOKUP and bool(settings.SAUTIKIT_API_KEY)
        if wanted and not facts.proved and facts.customer_number and facts.session_id:
            self._task = asyncio.create_task(self._look_up())
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Stop asking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            # Whatever it failed of, the call did without it.
            if not self._task.cancelled() and (fault := self._task.exception()) is not None:
                logger.error("looking a number up failed", extra={"why": type(fault).__name__})

    async def settled(self) -> None:
        """Wait until it is known whether the number counts, at most for CALLER_PROOF_S."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=settings.CALLER_PROOF_S)

    async def _look_up(self) -> None:
        for pause_s in _AGAIN_S:
            await asyncio.sleep(pause_s)
            try:
                record = sautikit.parse_record(
                    await self._ask(self._facts.session_id), self._facts.session_id
                )
                if record is not None:
                    await run_db(trust.note_record, self._facts.call_id, record, now=datetime.now(UTC))
                    return
            except (RemoteError, DatabaseDownError) as error:
                logger.warning("a number was not looked up", extra={"why": type(error).__name__})
        logger.warning("nobody vouches for the number of a call")
