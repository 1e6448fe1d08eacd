"""Merge pieces of transcript into turns, by speaker and with times; no clock of its own."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from voice.records import TurnRecord

Speaker = Literal["caller", "agent"]


@dataclass(slots=True)
class _Open:
    position: int
    speaker: Speaker
    started_ms: int
    ended_ms: int
    pieces: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Transcript:
    """Collects what either side said; a turn ends when the other side speaks or the turn is closed.

    The model's pieces have no promised order relative to its audio (gemini-live.md §3.1) and may come
    in any size, so times are when a piece arrived and text is joined as it comes.
    """

    recent: deque[TurnRecord] = field(default_factory=lambda: deque(maxlen=12))
    """The newest turns that ended."""
    _open: _Open | None = None
    _positions: int = 0

    @property
    def count(self) -> int:
        """Return how many turns were begun."""
        return self._positions

    def add(self, speaker: Speaker, text: str, at_ms: int) -> list[TurnRecord]:
        """Add a piece and return the turn that this ends, if any."""
        ended: list[TurnRecord] = []
        if self._open is not None and self._open.speaker != speaker:
            ended = self.close()
        if self._open is None:
            if not text.strip():
                return ended
            self._open = _Open(self._positions, speaker, at_ms, at_ms)
            self._positions += 1
        self._open.pieces.append(text)
        self._open.ended_ms = at_ms
        return ended

    def close(self, *, interrupted: bool = False) -> list[TurnRecord]:
        """End the open turn and return it, if there is one."""
        turn, self._open = self._open, None
        if turn is None:
            return []
        record = TurnRecord(
            position=turn.position,
            speaker=turn.speaker,
            text=" ".join("".join(turn.pieces).split()),
            started_ms=turn.started_ms,
            ended_ms=turn.ended_ms,
            interrupted=interrupted and turn.speaker == "agent",
        )
        self.recent.append(record)
        return [record]
