"""Strike for all calls of a loop at once: a timer of each call's own wakes the loop for that call alone.

With 40 calls half of all the times that the loop was woken were such timers, and to be woken costs more than
what there is to do.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context

BEAT_S = 0.1

Member = Callable[[float], None]


class Beat:
    """Calls its members ten times a second, with the loop's time, while it has any."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._members: dict[Member, Context] = {}
        self._timer: asyncio.TimerHandle | None = None

    def join(self, member: Member) -> None:
        """Call this one from the next beat on, in the context of now: a line of the log names its call."""
        self._members[member] = copy_context()
        if self._timer is None:
            self._timer = self._loop.call_later(BEAT_S, self._strike)

    def leave(self, member: Member) -> bool:
        """Call this one no more, but for a stroke that has just fallen; tell whether nobody is left."""
        self._members.pop(member, None)
        if not self._members and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return not self._members

    def _strike(self) -> None:
        self._timer = self._loop.call_later(BEAT_S, self._strike)
        now_s = self._loop.time()
        for member, context in self._members.items():
            # Each by itself: what goes wrong in one call stops no other's clock.
            self._loop.call_soon(member, now_s, context=context)


_BEATS: dict[asyncio.AbstractEventLoop, Beat] = {}


def join(member: Member) -> None:
    """Call this one with the beat that all calls of the running loop share."""
    loop = asyncio.get_running_loop()
    _BEATS.setdefault(loop, Beat(loop)).join(member)


def leave(member: Member) -> None:
    """Call this one no more."""
    loop = asyncio.get_running_loop()
    beat = _BEATS.get(loop)
    if beat is not None and beat.leave(member):
        del _BEATS[loop]  # a loop that is over is not kept
