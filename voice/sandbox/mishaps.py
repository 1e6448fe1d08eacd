"""What may go wrong with one connection to the model, as a scenario asks for it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

ABORTED = 1006
"""The close code of a connection that ends without a close frame."""


@dataclass(frozen=True, slots=True)
class Mishap:
    """Faults of one connection; seconds count from the client's setup.

    `status` refuses the upgrade with that HTTP status. `setup_s` is when the setup is confirmed: `inf` is
    never. `close` ends the connection `close_after_s` later, whatever its state; with 1006 no close frame is
    sent. `life_s` and `notice_s` are its age limit and how long before it `goAway` comes: 0 is without a
    word. `no_resume` is the close that meets a handle. In a stall, (after_s, for_s), nothing is read or sent.
    """

    status: int = 0
    setup_s: float | None = None
    close: tuple[int, str] | None = None
    close_after_s: float = 0.0
    life_s: float | None = None
    notice_s: float | None = None
    no_resume: tuple[int, str] | None = None
    stalls: tuple[tuple[float, float], ...] = ()


NO_MISHAP = Mishap()


@dataclass(frozen=True, slots=True)
class Spoilt:
    """How a turn of the model goes wrong.

    It is `zeros_s` of audio without a sound, halts for `stall_s` in its middle, comes in pieces of `odd` byte
    counts, delivers its tool calls `twice` under one id, or ends without `generationComplete` and
    `turnComplete` when it is `endless`.
    """

    zeros_s: float = 0.0
    stall_s: float = 0.0
    odd: bool = False
    twice: bool = False
    endless: bool = False


UNSPOILT = Spoilt()


class Wire(Protocol):
    """The client's end, as a conversation needs it."""

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield the client's frames until it is gone."""

    async def send(self, frame: str | bytes, /) -> None:
        """Send one frame."""

    async def close(self, code: int, reason: str) -> None:
        """Hang up."""


class StallingWire:
    """A wire on which nothing moves for a while, now and then; its times count from the first frame."""

    def __init__(self, wire: Wire, stalls: tuple[tuple[float, float], ...]) -> None:
        self._wire = wire
        self._stalls = stalls
        self._began_s: float | None = None

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield the client's frames, none of them in a stall."""
        async for frame in self._wire:
            if self._began_s is None:
                self._began_s = asyncio.get_running_loop().time()
            await self._flow()
            yield frame

    async def send(self, frame: str | bytes) -> None:
        """Send one frame, once the stall is over."""
        await self._flow()
        await self._wire.send(frame)

    async def close(self, code: int, reason: str) -> None:
        """Hang up."""
        await self._wire.close(code, reason)

    async def _flow(self) -> None:
        now_s = asyncio.get_running_loop().time()
        passed_s = 0.0 if self._began_s is None else now_s - self._began_s
        for after_s, for_s in self._stalls:
            if after_s <= passed_s < after_s + for_s:
                await asyncio.sleep(after_s + for_s - passed_s)


def mishap(table: Mapping[str, Any]) -> Mishap:
    """Take the faults of one connection from what a scenario's file holds.

    Raises:
        ValueError, KeyError, TypeError: it holds something else.
    """
    if unknown := table.keys() - Mishap.__dataclass_fields__.keys():
        raise ValueError(f"unknown of a connection: {', '.join(sorted(unknown))}")
    return Mishap(
        status=int(table.get("status", 0)),
        setup_s=_seconds(table, "setup_s"),
        close=closing(table.get("close")),
        close_after_s=float(table.get("close_after_s", 0.0)),
        life_s=_seconds(table, "life_s"),
        notice_s=_seconds(table, "notice_s"),
        no_resume=closing(table.get("no_resume")),
        stalls=tuple((float(stall["after_s"]), float(stall["for_s"])) for stall in table.get("stalls", [])),
    )


def spoilt(table: Mapping[str, Any]) -> Spoilt:
    """Take the faults of one turn from what a scenario's file holds.

    Raises:
        ValueError, TypeError: it holds something else.
    """
    if unknown := table.keys() - Spoilt.__dataclass_fields__.keys():
        raise ValueError(f"unknown of a spoilt turn: {', '.join(sorted(unknown))}")
    return Spoilt(
        zeros_s=float(table.get("zeros_s", 0.0)),
        stall_s=float(table.get("stall_s", 0.0)),
        odd=bool(table.get("odd", False)),
        twice=bool(table.get("twice", False)),
        endless=bool(table.get("endless", False)),
    )


def closing(table: Mapping[str, Any] | None) -> tuple[int, str] | None:
    """Take a close from what a scenario's file holds.

    Raises:
        ValueError, KeyError, TypeError: it holds something else.
    """
    return (int(table["code"]), str(table.get("reason", ""))) if table else None


def _seconds(table: Mapping[str, Any], name: str) -> float | None:
    return float(table[name]) if name in table else None
