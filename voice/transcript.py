"""Merge pieces of transcript into turns, by speaker and with times; no clock of its own."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from voice.records import TurnRecord
from voice.spoken import CODE, codes_hidden

Speaker = Literal["caller", "agent"]


@dataclass(slots=True)
class _Open:
    position: int
    speaker: Speaker
    started_ms: int
    ended_ms: int
    pieces: list[str] = field(default_factory=list)
    hidden: bool = False


@dataclass(slots=True)
class Transcript:
    """Collects what either side said; a turn ends when the other side speaks or the turn is closed.

    The model's pieces have no promised order relative to its audio (gemini-live.md §3.1) and may come
    in any size, so times are when a piece arrived and text is joined as it comes.
    """

    hides_caller: bool = False
    """Whether what the caller says now is kept as `[code]`."""
    cleaned: Callable[[str], str] = str
    """What takes out of the agent's words that which may not be kept."""
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
        self._open.hidden |= self.hides_caller and speaker == "caller"
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
            text=self._text_of(turn),
            started_ms=turn.started_ms,
            ended_ms=turn.ended_ms,
            interrupted=interrupted and turn.speaker == "agent",
        )
        self.recent.append(record)
        return [record]

    @property
    def open_turn(self) -> TurnRecord | None:
        """Return the turn that is open as it may be shown: a code may be said before one is asked for."""
        turn = self._open
        if turn is None:
            return None
        text = self._text_of(turn)
        shown = text if turn.speaker == "agent" else codes_hidden(text)
        return TurnRecord(turn.position, turn.speaker, shown, turn.started_ms, turn.ended_ms)

    @property
    def is_callers(self) -> bool:
        """Tell whether the turn that is open is the caller's."""
        return self._open is not None and self._open.speaker == "caller"

    @property
    def agent_says(self) -> str:
        """Return what the agent has said in the turn that is open."""
        is_agents = self._open is not None and self._open.speaker == "agent"
        return "".join(self._open.pieces) if self._open is not None and is_agents else ""

    @property
    def caller_said(self) -> str:
        """Return what the caller said last."""
        if self._open is not None and self._open.speaker == "caller":
            return "".join(self._open.pieces)
        return next((turn.text for turn in reversed(self.recent) if turn.speaker == "caller"), "")

    def hide_caller_turn(self) -> list[TurnRecord]:
        """Hide what the caller said last; return it anew when it was kept already."""
        if self._open is not None and self._open.speaker == "caller":
            self._open.hidden = True
            return []
        for place, turn in reversed(list(enumerate(self.recent))):
            if turn.speaker == "caller":
                self.recent[place] = replace(turn, text=CODE)
                return [self.recent[place]]
        return []

    def _text_of(self, turn: _Open) -> str:
        if turn.hidden:
            return CODE
        text = " ".join("".join(turn.pieces).split())
        return self.cleaned(text) if turn.speaker == "agent" else text
