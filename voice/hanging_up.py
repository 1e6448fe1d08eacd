"""Hang callers up whom a closed stream leaves on dead air, and keep at it until the carrier has done it."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from django.conf import settings

from voice.calls import CallFacts
from voice.carrier import reach
from voice.clients.sautikit import SautikitClient
from voice.errors import CarrierError, RemoteError
from voice.shared import OwedHangUp
from voice.spool import SPOOL
from voice.statuses import LIVE

logger = logging.getLogger(__name__)

_AGAIN_S = 0.5
_AT_ONCE = 20
_GIVEN_UP_AFTER = timedelta(minutes=10)
"""Nobody listens to nothing for so long."""


async def hang_up(facts: CallFacts) -> None:
    """End a caller's line, trying until it is done; a worker goes on when whoever waits stops waiting."""
    if facts.is_test:  # its socket is closed after this, and nobody else is on the line
        return
    if not facts.session_id or not settings.SAUTIKIT_API_KEY:
        logger.warning("the caller cannot be hung up on: no carrier key, or the carrier named no session")
        return
    settled = False
    try:
        async with reach() as carrier:
            while not settled:
                settled = await _is_settled(carrier, facts.session_id)
                await asyncio.sleep(0 if settled else _AGAIN_S)
    finally:
        if not settled:
            logger.error("the caller was not hung up on in time")
            SPOOL.add(partial(owe, facts.call_id, from_at=datetime.now(UTC)))


def owe(call_id: int, *, from_at: datetime) -> None:
    """Have a worker hang a caller up from then on, unless the call turns out to run."""
    OwedHangUp.objects.update_or_create(call_id=call_id, defaults={"from_at": from_at})


def settle(now: datetime) -> int:
    """Hang up who is left on the line; return how many that were."""
    due = OwedHangUp.objects.filter(from_at__lte=now).exclude(call__status__in=LIVE)
    rows = list(due.select_related("call").order_by("from_at")[:_AT_ONCE])
    sessions = [row.call.session_id or "" for row in rows]
    settled = asyncio.run(_settle(sessions)) if rows else []
    over = [
        row.pk
        for row, is_settled in zip(rows, settled, strict=True)
        if is_settled or now - row.from_at > _GIVEN_UP_AFTER
    ]
    OwedHangUp.objects.filter(pk__in=over).delete()
    return sum(settled)


async def _settle(sessions: Sequence[str]) -> list[bool]:
    async with reach() as carrier:
        # All at once: twenty that the carrier is slow with take no longer than one.
        return await asyncio.gather(*(_is_settled(carrier, session) for session in sessions))


async def _is_settled(carrier: SautikitClient, session_id: str) -> bool:
    """Ask once; tell whether there is no more to ask."""
    try:
        await carrier.hang_up(session_id)
    except CarrierError as error:
        logger.error("the caller was not hung up on", extra={"why": str(error)})
        return error.final
    except RemoteError as error:
        logger.warning("a hang-up was not delivered", extra={"why": str(error)})
        return False
    return True
