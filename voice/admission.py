"""Decide whether this process may take one more call."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock

from django.conf import settings

from voice import access

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


@dataclass(slots=True)
class Place:
    """A call's place here, from the handshake of its stream to its end."""

    number: str | None = None
    """Whose call it is: None until that is known, "" when it is nobody's."""


@dataclass(frozen=True, slots=True)
class _Guest:
    call: str
    number: str
    until_s: float


class Gate:
    """Counts the calls of a process, live and invited; `draining` is set once, when it is told to stop.

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
        self._guests: dict[str, _Guest] = {}  # whose streams are to come, by the digests of their tokens
        self._numbers: Counter[str] = Counter()  # of the calls that are here
        self._begun: deque[float] = deque()  # when calls were invited, of the last second
        self._lock = Lock()

    @property
    def expected(self) -> int:
        """Return how many calls were invited whose streams may still come."""
        with self._lock:
            return len(self._expected())

    def invite(self, call: str, number: str, token: str, *, over_budget: bool) -> Refusal | None:
        """Keep a place for a ringing call, whose stream will bring this token, or return why not.

        However often the carrier asks, it is one call; it may come by any of the tokens.
        """
        with self._lock:
            now_s = self._clock()
            if call not in self._expected():
                refusal = self._closed() or self._same_number(number)
                refusal = refusal or (Refusal.BUDGET if over_budget else self._not_now(now_s))
                if refusal is not None:
                    return refusal
                self._begun.append(now_s)
            self._guests[access.digest(token)] = _Guest(call, number, now_s + settings.STREAM_TOKEN_S)
            return None

    def forget(self, call: str) -> None:
        """Give the place of an invited call away: it is over, and no stream of it will come."""
        with self._lock:
            self._forget(call)

    def enter(self, token: str) -> Place | Refusal:
        """Count a call in and return its place, or return why not; then nothing was counted.

        Who was invited is let in whatever happened since: his caller was told so. To ask and to count is one
        step, so enter before anything is awaited and leave when it fails.
        """
        with self._lock:
            self._expected()
            guest = self._guests.get(access.digest(token))
            if guest is None and (refusal := self._closed()):
                return refusal
            self.calls += 1
            place = Place()
            if guest is not None:
                self._forget(guest.call)
                self._count(place, guest.number)
            return place

    def leave(self, place: Place) -> None:
        """Count a call out that entered."""
        with self._lock:
            self.calls -= 1
            if place.number:
                self._numbers[place.number] -= 1
                if self._numbers[place.number] <= 0:
                    del self._numbers[place.number]

    def take_number(self, place: Place, number: str) -> Refusal | None:
        """Count the number of a call in that entered and was not invited; "" has no limit."""
        with self._lock:
            if place.number is not None:
                return None
            refusal = self._same_number(number)
            if refusal is None:
                self._count(place, number)
            return refusal

    def note_failure(self, *, at_once: bool = False) -> None:
        """Take that a conversation with the model could not be begun."""
        with self._lock:
            self.breaker.fail(self._clock(), at_once=at_once)

    def note_success(self) -> None:
        """Take that a conversation with the model has begun."""
        with self._lock:
            self.breaker.succeed()

    def _expected(self) -> dict[str, str]:
        """Forget whose tokens have expired, and return the numbers of the others by their calls."""
        now_s = self._clock()
        self._guests = {token: guest for token, guest in self._guests.items() if guest.until_s > now_s}
        return {guest.call: guest.number for guest in self._guests.values()}

    def _forget(self, call: str) -> None:
        self._guests = {token: guest for token, guest in self._guests.items() if guest.call != call}

    def _count(self, place: Place, number: str) -> None:
        place.number = number
        if number:
            self._numbers[number] += 1

    def _closed(self) -> Refusal | None:
        if self.draining:
            return Refusal.DRAINING
        if self.lagging:
            return Refusal.LAGGING
        limit = settings.ADMISSION_CALLS if self._limit is None else self._limit
        return Refusal.FULL if self.calls + len(self._expected()) >= limit else None

    def _same_number(self, number: str) -> Refusal | None:
        here = self._numbers.get(number, 0) + list(self._expected().values()).count(number)
        return Refusal.SAME_NUMBER if number and here >= settings.ADMISSION_CALLS_PER_NUMBER else None

    def _not_now(self, now_s: float) -> Refusal | None:
        while self._begun and now_s - self._begun[0] >= _A_SECOND_S:
            self._begun.popleft()
        if len(self._begun) >= settings.ADMISSION_CALLS_PER_SECOND:
            return Refusal.TOO_FAST
        return None if self.breaker.lets_through(now_s) else Refusal.MODEL_DOWN


GATE = Gate()
"""The gate of this process."""
