"""Run the tools of one call: each is answered in time, and heard of again when it is done later."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from voice.events import ToolDone
from voice.limits import Tuning
from voice.ports import OUT_OF_REACH, Outcome
from voice.wire import gemini

_TIMED_OUT = Outcome(OUT_OF_REACH, "timed_out", "")


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A tool that runs."""

    call: gemini.ToolCall
    began_s: float
    task: asyncio.Task[Outcome]


class ToolRuns:
    """The tools of one call that run."""

    def __init__(
        self, run_tool: Callable[[gemini.ToolCall], Awaitable[Outcome]], tuning: Tuning, call_began_s: float
    ) -> None:
        self._run_tool = run_tool
        self._tuning = tuning
        self._time = asyncio.get_running_loop().time
        self._call_began_s = call_began_s
        self._running: set[Run] = set()

    def begin(self, call: gemini.ToolCall) -> Run:
        """Begin a tool; have it reported, or finished when the call is over."""
        # In no group of tasks on purpose: a commit that has begun is finished and recorded when the caller
        # hangs up in the middle of it.
        run = Run(call, self._time(), asyncio.ensure_future(self._run_tool(call)))
        self._running.add(run)
        return run

    async def report(self, run: Run, tell: Callable[[ToolDone], Awaitable[None]]) -> None:
        """Tell what a tool came to: that it takes too long, and then, within bounds, how it ended after all.

        Its thread may be behind a lock and commit when that is gone: what was done must not be lost.
        """
        await asyncio.wait({run.task}, timeout=self._tuning.tool_s)
        if not run.task.done():
            await tell(self._done(run, _TIMED_OUT))
            await asyncio.wait({run.task}, timeout=self._tuning.tool_late_s)
        self._running.discard(run)
        if run.task.done():
            await tell(self._done(run, run.task.result()))
        else:
            run.task.cancel()

    async def finish(self) -> list[ToolDone]:
        """Wait for what runs when the call is over, within the same bounds, and return what it came to."""
        running, self._running = self._running, set()
        if not running:
            return []
        tasks = [run.task for run in running]
        await asyncio.wait(tasks, timeout=self._tuning.tool_s + self._tuning.tool_late_s)
        done = [self._done(run, _result(run.task)) for run in running if not _failed(run.task)]
        for task in tasks:
            task.cancel()
        return done

    def _done(self, run: Run, outcome: Outcome) -> ToolDone:
        return ToolDone(
            call=run.call,
            result=outcome.result,
            state=outcome.state,
            business_key=outcome.business_key,
            started_ms=round((run.began_s - self._call_began_s) * 1000),
            duration_ms=round((self._time() - run.began_s) * 1000),
        )


def _failed(task: asyncio.Task[Outcome]) -> bool:
    """Tell whether it is why the call ends, and raised already."""
    return task.done() and task.exception() is not None


def _result(task: asyncio.Task[Outcome]) -> Outcome:
    return task.result() if task.done() else _TIMED_OUT
