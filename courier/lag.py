"""Keep calls out while the event loop is late: those that run are heard late already."""

import asyncio
import logging
from dataclasses import dataclass

from django.conf import settings

from voice.admission import Gate

logger = logging.getLogger(__name__)

_LOOK_S = 0.05


@dataclass(slots=True)
class Lag:
    """Whether a loop is late: from one look that was later than `limit_s`, until none was for `gone_s`.

    One late look is enough, as whoever stood still for 100 ms has a queue of frames to work off; and one in
    time is not, as it may be the only one between two late ones.
    """

    limit_s: float
    gone_s: float
    is_there: bool = False
    _late_at_s: float = 0.0

    def note(self, late_s: float, now_s: float) -> bool:
        """Take how late a look was; tell whether the loop counts as late now."""
        if late_s > self.limit_s:
            self._late_at_s = now_s
            self.is_there = True
        elif now_s - self._late_at_s >= self.gone_s:
            self.is_there = False
        return self.is_there


async def watch_loop(gate: Gate) -> None:
    """Tell the gate whether this loop is late, looking 20 times a second."""
    time_s = asyncio.get_running_loop().time
    lag = Lag(settings.ADMISSION_LAG_S, settings.ADMISSION_LAG_GONE_S)
    while True:
        due_s = time_s() + _LOOK_S
        await asyncio.sleep(_LOOK_S)
        late_s = time_s() - due_s
        lagging = lag.note(late_s, time_s())
        if lagging and not gate.lagging:
            logger.error("no calls are taken: the event loop is late", extra={"ms": round(late_s * 1000)})
        elif gate.lagging and not lagging:
            logger.warning("the event loop is in time again")
        gate.lagging = lagging
