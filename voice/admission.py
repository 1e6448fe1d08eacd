"""Decide whether this process may take one more call."""

from enum import StrEnum
from threading import Lock

from django.conf import settings


class Refusal(StrEnum):
    """Why no call is taken now."""

    DRAINING = "draining"
    FULL = "full"


class Gate:
    """Counts the live calls of a process; `draining` is set once, when it is told to stop.

    Asked by webhooks on their threads and by sockets on the event loop.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.calls = 0
        self.draining = False
        self._limit = limit
        self._lock = Lock()

    def admit(self) -> Refusal | None:
        """Return why a call would be refused now, or None; nothing is held for whoever asks."""
        if self.draining:
            return Refusal.DRAINING
        limit = settings.ADMISSION_CALLS if self._limit is None else self._limit
        return Refusal.FULL if self.calls >= limit else None

    def enter(self) -> Refusal | None:
        """Count a call in and return None, or return why not; then nothing was counted.

        To ask and to count is one step, so enter before anything is awaited and leave when it fails.
        """
        with self._lock:
            refusal = self.admit()
            if refusal is None:
                self.calls += 1
            return refusal

    def leave(self) -> None:
        """Count a call out that entered."""
        with self._lock:
            self.calls -= 1


GATE = Gate()
"""The gate of this process."""
