"""List all that a worker does: the table to add to."""

import asyncio
from datetime import datetime, timedelta

from django.conf import settings

from shipments import jobs as parcels
from shipments.jobs import Job
from voice import bills, hanging_up, missed_proof, outbound, placing, purging, reconcile, ringing_back
from voice.carrier import reach

_DIAL_FOR = timedelta(seconds=5)
"""How long one go of dialling lasts: a worker that is told to stop leaves after it."""


def jobs() -> tuple[Job, ...]:
    """Return the jobs, as the settings want them: without a key the platform is not asked for anything."""
    table = (
        *parcels.jobs(),
        Job("lost calls", settings.RECONCILE_EVERY_S, reconcile.close_lost, limit_s=10),
        Job("unanswered calls", 20, reconcile.close_unanswered),
        Job("lost dials", 20, outbound.reconcile),
        Job("purge", 600, purging.purge),
    )
    if not settings.SAUTIKIT_API_KEY:
        return table
    asking = (
        Job("untold ends", 20, reconcile.ask_carrier),
        Job("hang-ups", settings.RECONCILE_EVERY_S, hanging_up.settle),
        Job("untold dials", 20, look_up),
        Job("bills", 20, bills.fetch),
    )
    flashes = (Job("callers gone", 5, missed_proof.look_up),) if missed_proof.is_wanted() else ()
    dialling = (
        (Job("call-backs", 20, ring_back), Job("dial", 1, dial, limit_s=60))
        if settings.SAUTIKIT_NUMBER
        else ()
    )
    return (*table, *asking, *flashes, *dialling)


def look_up(now: datetime) -> int:
    """Ask the platform for placed calls that nobody has told the end of; return how many it was asked for."""
    return asyncio.run(_look_up()) if placing.to_look_up(now) else 0


async def _look_up() -> int:
    async with reach() as carrier:
        return await placing.Dialler(carrier, by=placing.name_of_this_process()).look_up()


def ring_back(now: datetime) -> int:
    """Plan to ring those back whom the line owes a call; return how many are planned."""
    return sum(one.outbound is not None for one in ringing_back.plan(now=now))


def dial(now: datetime, *, lasting: timedelta = _DIAL_FOR) -> int:
    """Place what is planned and due, for some seconds at most; return how many calls that were."""
    return asyncio.run(_dial(now, lasting)) if placing.is_due(now) else 0


async def _dial(now: datetime, lasting: timedelta) -> int:
    async with reach() as carrier:
        dialler = placing.Dialler(carrier, by=placing.name_of_this_process())
        # One who waits for the next turn, which may be minutes away, is not to keep the job so long.
        asyncio.get_running_loop().call_later(lasting.total_seconds(), dialler.stopping.set)
        return await dialler.place_due(now + lasting)
