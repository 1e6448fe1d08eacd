"""Decide whether this process may take one more call."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from enum import StrEnum
from threading import Lock

from django.conf import settings

logger = logging.getLogger(__name__)

_A_SECOND_S = 1.0


class Refusal(StrEnum):
    """Why no call is taken now."""

    DRAINING = "draining"
    FULL = "full"
    LAGGING = "lagging"
    MODEL_DOWN = "model_down"
    SAME_NUMBER = "same_number"
    TOO_FAST = "too_fast"
    BUDGET = "budget"


class Breaker:
    """Says whether the model can be had: after failures in a row one call in a while tries it for all."""

    def __init__(self) -> None:
        self._failures = 0
        self._tried_s: float | None = None  # since it is open: when a call was last let through

    def fail(self, now_s: float, *, at_once: bool = False) -> None:
        """Take that a conversation could not be begun; `at_once` when no other would fare better."""
        self._failures += 1
        if at_once or self._failures >= settings.ADMISSION_MODEL_FAILURES:
            if self._tried_s is None:
                logger.error("no calls are taken: the voice model cannot be had")
            self._tried_s = now_s

    def succeed(self) -> None:
        """Take that a conversation has begun."""
        self._failures = 0
        if self._tried_s is not None:
            logger.warning("the voice model can be had again")
            self._tried_s = None

    def lets_through(self, now_s: float) -> bool:
        """Tell whether a call may try; while it is open, asking takes the one try there is."""
        if self._tried_s is None:
            return True
        if now_s - self._tried_s < settings.ADMISSION_MODEL_WAIT_S:
            return False
        self._tried_s = now_s
        return True


class Gate:
    """Counts the live calls of a process; `draining` is set once, when it is told to stop.

    Asked by webhooks on their threads and by sockets on the event loop.
    """

    def __init__(self, limit: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.calls = 0
        self.draining = False
        self.lagging = False
        """Whether the event loop is late; `courier.lag` measures it."""
        self.breaker = Breaker()
        self._limit = limit
        self._clock = clock
        self._numbers: Counter[str] = Counter()
        self._begun: deque[tuple[float, str]] = deque()  # when which call was let in, of the last while
        self._lock = Lock()

    def admit(self) -> Refusal | None:
        """Return why a call would be refused now, or None; nothing is held for whoever asks."""
        if self.draining:
            return Refusal.DRAINING
        if self.lagging:
            return Refusal.LAGGING
        limit = settings.ADMISSION_CALLS if self._limit is None else self._limit
        return Refusal.FULL if self.calls >= limit else None

    def invite(self, call: str, number: str, *, over_budget: bool) -> Refusal | None:
        """Let a ringing call have a stream and return None, or return why not.

        It counts for the calls of this second, once however often the carrier asks.
        """
        with self._lock:
            now_s = self._clock()
            while self._begun and now_s - self._begun[0][0] > settings.STREAM_TOKEN_S:
                self._begun.popleft()
            refusal = self.admit() or self._same_number(number)
            if refusal is not None:
                return refusal
            if over_budget:
                return Refusal.BUDGET
            if any(call == known for _, known in self._begun):
                return None
            lately = sum(now_s - at_s < _A_SECOND_S for at_s, _ in self._begun)
            if lately >= settings.ADMISSION_CALLS_PER_SECOND:
                return Refusal.TOO_FAST
            if not self.breaker.lets_through(now_s):
                return Refusal.MODEL_DOWN
            self._begun.append((now_s, call))
            return None

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

    def take_number(self, number: str) -> Refusal | None:
        """Count a call in that entered and whose number is known by now; "" is nobody's and has no limit."""
        with self._lock:
            refusal = self._same_number(number)
            if refusal is None and number:
                self._numbers[number] += 1
            return refusal

    def give_number(self, number: str) -> None:
        """Count the number's call out."""
        with self._lock:
            self._numbers[number] -= 1
            if self._numbers[number] <= 0:
                del self._numbers[number]

    def note_failure(self, *, at_once: bool = False) -> None:
        """Take that a conversation with the model could not be begun."""
        with self._lock:
            self.breaker.fail(self._clock(), at_once=at_once)

    def note_success(self) -> None:
        """Take that a conversation with the model has begun."""
        with self._lock:
            self.breaker.succeed()

    def _same_number(self, number: str) -> Refusal | None:
        here = self._numbers.get(number, 0)
        return Refusal.SAME_NUMBER if number and here >= settings.ADMISSION_CALLS_PER_NUMBER else None


GATE = Gate()
"""The gate of this process."""
