"""Run what has to be done again and again: in as many workers as there are, each job in one at a time."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from voice import reconcile
from voice.shared import Lease

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be done every so often; `run` takes the time and returns how much there was to do."""

    name: str
    every_s: float
    run: Callable[[datetime], int]
    limit_s: float = 300
    """After so long another worker may take it: who had it is dead."""


JOBS: tuple[Job, ...] = (Job("reconcile", 20, reconcile.reconcile),)
"""Everything that a worker does."""


def take(job: Job, holder: str, now: datetime) -> bool:
    """Take a job that is due and that nobody has, in one atomic step; tell whether it is ours."""
    first = Lease(job=job.name, due_at=now, held_until=now)
    Lease.objects.bulk_create([first], ignore_conflicts=True)
    free = Lease.objects.filter(job=job.name, due_at__lte=now, held_until__lte=now)
    return bool(free.update(holder=holder, held_until=now + timedelta(seconds=job.limit_s)))


def give_back(job: Job, holder: str, now: datetime) -> None:
    """Give a job back, due again in its time; unless it took so long that another has it."""
    Lease.objects.filter(job=job.name, holder=holder).update(
        holder="", held_until=now, due_at=now + timedelta(seconds=job.every_s)
    )


def run_due(holder: str, clock: Callable[[], datetime], jobs: tuple[Job, ...] = JOBS) -> list[str]:
    """Run each job that is due and free; return their names. One that fails hinders no other."""
    ran = []
    for job in jobs:
        if not take(job, holder, clock()):
            continue
        try:
            if done := job.run(clock()):
                logger.info("a job had something to do", extra={"job": job.name, "count": done})
        except Exception:  # the top of a job
            logger.exception("a job failed", extra={"job": job.name})
        finally:
            give_back(job, holder, clock())
        ran.append(job.name)
    return ran
