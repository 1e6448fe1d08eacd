"""Measure how late each frame of several calls is, both ways, while something else happens to the server."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from statistics import median

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.line import Line, ModelSession

FRAME_S = 0.02
_FRAME_BYTES = 640
_BYTES_PER_S = 32_000
_LEAD_OVER_S = 1.0  # by then the lead of the play-out is built up
_SPEECH_S = 55.0


@dataclass
class Window:
    """How late frames were, in ms more than is usual, from one moment to another."""

    to_model_ms: float
    to_telephone_ms: float

    @property
    def worst_ms(self) -> float:
        """Return the later of the two directions."""
        return max(self.to_model_ms, self.to_telephone_ms)


@dataclass
class _Measured:
    """One call under measurement; each list has (when it arrived, how late in seconds)."""

    telephone: ClientConnection
    model: ModelSession
    sent_s: list[float] = field(default_factory=list)
    up: list[tuple[float, float]] = field(default_factory=list)
    down: list[tuple[float, float]] = field(default_factory=list)
    heard_bytes: int = 0
    next_frame: int = 0

    def send(self) -> None:
        """Send the next frame; each says its number in all its samples, which are never zero."""
        number = len(self.sent_s)
        self.sent_s.append(time.monotonic())
        self.telephone.send((number + 1).to_bytes(2, "little") * (_FRAME_BYTES // 2))

    def hear(self, pcm: bytes) -> None:
        """Note when each frame came to the model's ear."""
        now_s = time.monotonic()
        for at in range(0, len(pcm), _FRAME_BYTES):
            number = int.from_bytes(pcm[at : at + 2], "little") - 1
            if number >= 0:
                self.up.append((now_s, now_s - self.sent_s[number]))

    def listen(self) -> None:
        """Note when each frame came to the caller's ear, until the line is closed."""
        with suppress(ConnectionClosed):
            for frame in self.telephone:
                now_s = time.monotonic()
                if isinstance(frame, bytes):
                    self.down.append((now_s, now_s - self.heard_bytes / _BYTES_PER_S))
                    self.heard_bytes += len(frame)


class Meter:
    """Calls that talk both ways all the time, and how late what they say is."""

    def __init__(self, calls: list[_Measured]) -> None:
        self._calls = calls
        self._over = threading.Event()
        self._threads = [threading.Thread(target=call.listen) for call in calls]
        self._threads.append(threading.Thread(target=self._send))

    def start(self) -> None:
        """Let everybody talk, and wait until that is steady."""
        for call in self._calls:
            call.model.hearing = call.hear
            call.model.speak(_SPEECH_S)
        for thread in self._threads:
            thread.start()
        self.watch(_LEAD_OVER_S)

    def stop(self) -> None:
        """Hang up."""
        self._over.set()
        for call in self._calls:
            call.telephone.close()
        for thread in self._threads:
            thread.join()

    def watch(self, seconds: float) -> Window:
        """Return how late frames were during so many seconds from now."""
        began_s = time.monotonic()
        self._over.wait(seconds)
        return self.since(began_s)

    def since(self, began_s: float) -> Window:
        """Return how late frames were from a moment until now; a frame that never came is very late."""
        for call in self._calls:
            assert call.up, "the model hears nothing of a call under measurement"
            assert call.down, "a caller under measurement hears nothing"
        return Window(
            max(_lateness_ms(call.up, began_s) for call in self._calls),
            max(_lateness_ms(call.down, began_s) for call in self._calls),
        )

    def delay_ms(self) -> float:
        """Return within what time 95 of 100 frames of the callers came to the model's ear."""
        taken = sorted(late_s for call in self._calls for _, late_s in call.up)
        return taken[int(len(taken) * 0.95)] * 1000

    def _send(self) -> None:
        began_s = time.monotonic()
        tick = 0
        with suppress(ConnectionClosed):
            while not self._over.wait(max(0.0, began_s + tick * FRAME_S - time.monotonic())):
                for call in self._calls:
                    call.send()
                tick += 1


def _lateness_ms(frames: list[tuple[float, float]], began_s: float) -> float:
    usual_s = median(late_s for _, late_s in frames)
    seen = [(at_s, late_s) for at_s, late_s in frames if at_s >= began_s]
    assert seen, "nothing came any more"
    still_due_s = time.monotonic() - seen[-1][0] - 3 * FRAME_S  # what is late now has not been seen yet
    return max(*(late_s - usual_s for _, late_s in seen), still_due_s) * 1000


@contextmanager
def measured(line: Line, calls: int = 4) -> Iterator[Meter]:
    """Hold so many calls on the line, all talking and all listening."""
    with ExitStack() as stack:
        meter = Meter([_Measured(*stack.enter_context(line.call())) for _ in range(calls)])
        meter.start()
        try:
            yield meter
        finally:
            meter.stop()
