"""List what of the domain has to be done again and again; a worker runs it (see `voice.jobs`)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shipments import loading, messages, outbox, posting


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be done every so often, by one worker at a time.

    `run` takes the time and returns how much there was to do. It takes a bounded part at once, and ends
    well within `limit_s`: after that another worker may take the job, as who had it is dead. Should both be
    at it, each step is compare-and-set.
    """

    name: str
    every_s: float
    run: Callable[[datetime], int]
    limit_s: float = 120


def jobs() -> tuple[Job, ...]:
    """Return the jobs of the domain, as the settings want them."""
    return (
        Job("messages", 5, messages.send_due),
        Job("webhooks", 2, posting.send_due, limit_s=120),
        Job("old webhooks", 3_600, outbox.purge),
        Job("old files", 3_600, loading.purge),
    )
