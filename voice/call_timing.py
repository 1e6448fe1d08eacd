"""Draw how long a caller waited for each answer: until the model spoke, and until that was heard. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

SHORTEST_PERCENT = 1
"""How wide a bar is at least: one that took no time was there all the same."""


@dataclass(frozen=True, slots=True)
class Wait:
    """When a caller stopped, the model's first sound came and the caller heard it, from the answer on."""

    stopped_ms: int
    spoke_ms: int
    heard_ms: int


@dataclass(frozen=True, slots=True)
class Span:
    """A tool's run, in milliseconds since the stream opened."""

    name: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Bar:
    """What went on for a part of a strip, in percent of the strip."""

    name: str
    left: int
    width: int
    took_ms: int


@dataclass(frozen=True, slots=True)
class Strip:
    """The time from the end of what a caller said until he heard the answer.

    `model` is its part until the model's first sound, `ear` the rest; `tools` are those that ran meanwhile.
    """

    at_ms: int
    took_ms: int
    percent: int
    model: Bar
    ear: Bar
    tools: tuple[Bar, ...]


def waits(measured: object) -> list[Wait]:
    """Return the waits that a call measured, as they are stored; what is no wait is passed over."""
    rows = measured if isinstance(measured, list) else []
    found = [Wait(*row) for row in rows if _is_wait(row)]
    return [wait for wait in found if wait.stopped_ms <= wait.spoke_ms <= wait.heard_ms]


def strips(measured: Sequence[Wait], tools: Iterable[Span]) -> tuple[Strip, ...]:
    """Return a strip for each answer, in order; `percent` is its length beside the longest of the call."""
    longest = max((wait.heard_ms - wait.stopped_ms for wait in measured), default=0)
    ran = list(tools)
    return tuple(
        Strip(
            at_ms=wait.stopped_ms,
            took_ms=wait.heard_ms - wait.stopped_ms,
            percent=max(SHORTEST_PERCENT, _percent(wait.heard_ms - wait.stopped_ms, longest)),
            model=_bar(wait, Span("the model", wait.stopped_ms, wait.spoke_ms)),
            ear=_rest(wait),
            tools=tuple(_bar(wait, tool) for tool in ran if wait.stopped_ms <= tool.start_ms < wait.heard_ms),
        )
        for wait in measured
    )


def _is_wait(row: object) -> bool:
    return isinstance(row, list) and len(row) == 3 and all(type(ms) is int for ms in row)


def _bar(wait: Wait, span: Span) -> Bar:
    length, end = wait.heard_ms - wait.stopped_ms, min(span.end_ms, wait.heard_ms)
    left = min(_percent(span.start_ms - wait.stopped_ms, length), 100 - SHORTEST_PERCENT)
    width = max(SHORTEST_PERCENT, _percent(end - span.start_ms, length))
    return Bar(span.name, left, min(width, 100 - left), span.end_ms - span.start_ms)


def _rest(wait: Wait) -> Bar:
    part = _bar(wait, Span("to the ear", wait.spoke_ms, wait.heard_ms))
    return replace(part, width=100 - part.left)


def _percent(part: int, whole: int) -> int:
    return 100 * part // whole if whole else 0
