"""Let a process that is told to stop leave when its calls are over, and in any case in time."""

import asyncio
import logging
import os
import socket
import threading
import time
from dataclasses import dataclass
from math import inf
from types import FrameType

import uvicorn

from courier.lag import watch_loop
from voice.admission import GATE
from voice.roster import ROSTER
from voice.spool import SPOOL
from voice.steering import HELM

logger = logging.getLogger(__name__)

_CUT_S = 3.0  # before leaving: a goodbye that is still said then is cut off, and its call written
# Of the time after a second signal: when goodbyes are cut off, when we leave, and when what hangs is left.
_CUT, _LEAVE, _GONE = 0.5, 0.8, 0.98
_HURRIED_S = 0.4  # for what is open when we leave then
_GONE_S = 8.0  # after leaving was begun


@dataclass(slots=True)
class Deadlines:
    """When a process that stops does what, in seconds of the monotonic clock; before it is told to, never."""

    drain_s: float
    goodbye_s: float
    again_s: float
    signals: int = 0
    goodbye_at_s: float = inf
    cut_at_s: float = inf
    leave_at_s: float = inf
    gone_at_s: float = inf

    def note_signal(self, now_s: float) -> None:
        """Take a signal: the first gives calls their time, the second seconds, a third nothing new."""
        self.signals += 1
        if self.signals == 1:
            self.goodbye_at_s = now_s + self.drain_s
            self.leave_at_s = self.goodbye_at_s + self.goodbye_s
            self.cut_at_s = self.leave_at_s - min(_CUT_S, self.goodbye_s / 2)
        elif self.signals == 2:
            if self.goodbye_at_s < inf:  # else it is being said
                self.goodbye_at_s = now_s
            self.cut_at_s = min(self.cut_at_s, now_s + self.again_s * _CUT)
            self.leave_at_s = min(self.leave_at_s, now_s + self.again_s * _LEAVE)
            self.gone_at_s = now_s + self.again_s * _GONE


class DrainingServer(uvicorn.Server):
    """A server that, told to stop, admits no new call and leaves when the last one is over and written."""

    def __init__(self, config: uvicorn.Config, *, deadlines: Deadlines) -> None:
        super().__init__(config)
        self._deadlines = deadlines
        self._watch: asyncio.Task[None] | None = None
        self._gone: threading.Timer | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and watch whether the event loop keeps time."""
        await super().startup(sockets)
        self._watch = asyncio.create_task(watch_loop(GATE))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what is left, and name the tasks that are there all the same: a soak looks for them."""
        if self._watch is not None:
            self._watch.cancel()
        await super().shutdown(sockets)
        await HELM.leave()
        left = asyncio.all_tasks() - {asyncio.current_task(), self._watch}
        names = sorted(getattr(task.get_coro(), "__qualname__", "?") for task in left)
        logger.info("the server leaves", extra={"tasks": len(names), "left": names})

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain at the first signal; at the second, leave within seconds.

        A signal interrupts whatever runs, so only flags are set here.
        """
        self._deadlines.note_signal(time.monotonic())
        GATE.draining = True

    async def on_tick(self, counter: int) -> bool:
        """Tell whether to leave now: no call is left and all is written, or the limit is over."""
        due, now_s = self._deadlines, time.monotonic()
        if now_s >= due.goodbye_at_s:
            due.goodbye_at_s = inf
            ROSTER.stop_all()
        if now_s >= due.cut_at_s:
            due.cut_at_s = inf
            ROSTER.stop_all(at_once=True)
        if due.signals >= 2 and self._gone is None:
            self.config.timeout_graceful_shutdown = _HURRIED_S  # type: ignore[assignment] # seconds all the same
            self._be_gone_at(due.gone_at_s)
        if due.signals and (_is_done() or now_s >= due.leave_at_s):
            self.should_exit = True
            if self._gone is None:
                self._be_gone_at(now_s + _GONE_S)
        return await super().on_tick(counter)

    def _be_gone_at(self, at_s: float) -> None:
        # A thread, as what it is for is a loop or a thread that does not come to an end: a query that hangs
        # keeps the interpreter from leaving, however all else was closed.
        self._gone = threading.Timer(at_s - time.monotonic(), _be_gone)
        self._gone.daemon = True
        self._gone.start()


def _is_done() -> bool:
    return GATE.calls == 0 and GATE.expected == 0 and SPOOL.waiting == 0


def _be_gone() -> None:
    logger.error("what hangs is left behind", extra={"calls": GATE.calls, "unwritten": SPOOL.waiting})
    logging.shutdown()
    os._exit(0 if _is_done() else 1)
