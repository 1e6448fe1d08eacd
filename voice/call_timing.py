"""Draw how long a caller waited for each answer, and what we did meanwhile. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SHORTEST_PERCENT = 1
"""How wide a bar is at least: one that took no time was there all the same."""


@dataclass(frozen=True, slots=True)
class Span:
    """Something that began and ended, in milliseconds since the stream opened; `name` says what."""

    name: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A tool's run within a strip, in percent of the strip."""

    name: str
    left: int
    width: int
    took_ms: int


@dataclass(frozen=True, slots=True)
class Strip:
    """The time from the end of what a caller said until the agent was heard, and the tools that ran in it."""

    at_ms: int
    took_ms: int
    percent: int
    bars: tuple[Bar, ...]


def strips(said: Sequence[Span], heard: Sequence[Span], tools: Iterable[Span]) -> tuple[Strip, ...]:
    """Return a strip for each answer, in order; `percent` is its length beside the longest of the call.

    An answer is the first that the agent says after the caller stopped.
    """
    waits = [
        (stopped, first)
        for stopped in (span.end_ms for span in said)
        if (first := min((span.start_ms for span in heard if span.start_ms > stopped), default=None))
        and not any(stopped < span.end_ms <= first for span in said)
    ]
    longest = max((first - stopped for stopped, first in waits), default=1)
    ran = list(tools)
    return tuple(
        Strip(
            at_ms=stopped,
            took_ms=first - stopped,
            percent=max(SHORTEST_PERCENT, 100 * (first - stopped) // longest),
            bars=tuple(_bar(tool, stopped, first) for tool in ran if stopped <= tool.start_ms < first),
        )
        for stopped, first in waits
    )


def _bar(tool: Span, start_ms: int, end_ms: int) -> Bar:
    length, end = end_ms - start_ms, min(tool.end_ms, end_ms)
    left = 100 * (tool.start_ms - start_ms) // length
    width = max(SHORTEST_PERCENT, 100 * (end - tool.start_ms) // length)
    return Bar(tool.name, left, min(width, 100 - left), tool.end_ms - tool.start_ms)
