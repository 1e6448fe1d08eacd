"""Run what has to be done again and again: in as many workers as there are, each job in one at a time."""

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.db import Error as DatabaseDownError
from django.db import close_old_connections

from shipments.jobs import Job
from voice.shared import Lease

logger = logging.getLogger(__name__)

_LOOK_S = 5.0
"""How long a job that another worker has is let alone."""

Clock = Callable[[], datetime]


def take(job: Job, holder: str, now: datetime) -> bool:
    """Take a job that is due and that nobody has, in one atomic step; tell whether it is ours."""
    row = Lease.objects.filter(job=job.name)
    if not row.exists():
        first = Lease(job=job.name, due_at=now, held_until=now)
        Lease.objects.bulk_create([first], ignore_conflicts=True)
    free = row.filter(due_at__lte=now, held_until__lte=now)
    # Looked at before it is written: most looks find nothing, and SQLite has one writer.
    return free.exists() and bool(free.update(holder=holder, held_until=now + timedelta(seconds=job.limit_s)))


def give_back(job: Job, holder: str, now: datetime) -> None:
    """Give a job back, due again in its time; unless it took so long that another has it."""
    Lease.objects.filter(job=job.name, holder=holder).update(
        holder="", held_until=now, due_at=now + timedelta(seconds=job.every_s)
    )


def run_due(job: Job, holder: str, clock: Clock) -> int | None:
    """Run a job that is due and free, and return how much there was to do; None when it is not, or failed."""
    if not take(job, holder, clock()):
        return None
    try:
        done = job.run(clock())
    except Exception:  # the top of a job
        logger.exception("a job failed", extra={"job": job.name})
        return None
    finally:
        give_back(job, holder, clock())
    if done:
        logger.info("a job had something to do", extra={"job": job.name, "count": done})
    return done


def run_until(stopped: threading.Event, jobs: Iterable[Job], holder: str, clock: Clock) -> None:
    """Run each job on a thread of its own, so that none waits for a slow one, until told to stop.

    What runs then is finished first.
    """
    threads = [
        threading.Thread(target=_keep_running, args=(stopped, job, holder, clock), name=job.name)
        for job in jobs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _keep_running(stopped: threading.Event, job: Job, holder: str, clock: Clock) -> None:
    while not stopped.is_set():
        close_old_connections()
        try:
            run_due(job, holder, clock)
        except DatabaseDownError:
            logger.warning("a job waits: the database does not answer", extra={"job": job.name})
        close_old_connections()
        stopped.wait(min(job.every_s, _LOOK_S))
