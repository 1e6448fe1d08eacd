"""Run a coroutine on a clock that jumps: a call of ten minutes takes as long as its code does."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that, instead of waiting, moves the clock to when something is due."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.turns = 0

    def select(self, timeout: float | None = None) -> Any:
        """Return what is ready; when nothing is, let `timeout` pass at once."""
        self.turns += 1
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("every task waits for something that no timer will bring")
        self.now_s += timeout
        return ready


class _JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s

    @property
    def turns(self) -> int:
        return self._jumping.turns


def turns() -> int:
    """Return how often the running loop, which is one of `run`, was woken so far."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, _JumpingLoop)
    return loop.turns


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run `coroutine` to its end in virtual time; it may use timers, and no threads or sockets."""
    with asyncio.Runner(loop_factory=_JumpingLoop) as runner:
        return runner.run(coroutine)
