"""Merge pieces of transcript into turns, by speaker and with times; no clock of its own."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from voice.numerals import digits_of
from voice.records import TurnRecord
from voice.spoken import CODE

Speaker = Literal["caller", "agent"]
TURN_CHARACTERS = 8_000
"""What a turn holds: ten minutes of speech. Who never ends one begins another: each word reads all of it."""


@dataclass(slots=True)
class _Open:
    position: int
    speaker: Speaker
    started_ms: int
    ended_ms: int
    pieces: list[str] = field(default_factory=list)
    characters: int = 0
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
        turn = self._open
        if turn is not None and (turn.speaker != speaker or turn.characters + len(text) > TURN_CHARACTERS):
            ended = self.close()
        if self._open is None:
            if not text.strip():
                return ended
            self._open = _Open(self._positions, speaker, at_ms, at_ms)
            self._positions += 1
        self._open.hidden |= self.hides_caller and speaker == "caller"
        self._open.pieces.append(text)
        self._open.characters += len(text)
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
        """Return the turn that is open, as far as it has come."""
        turn = self._open
        if turn is None:
            return None
        return TurnRecord(turn.position, turn.speaker, self._text_of(turn), turn.started_ms, turn.ended_ms)

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

    def hide_code(self, code: str) -> list[TurnRecord]:
        """Hide what the caller said in his last turns, and before the agent's whatever is a part of the code.

        Return anew the turns that were kept already.
        """
        anew: list[TurnRecord] = []
        met, over = self.is_callers, False
        if self._open is not None and self.is_callers:
            self._open.hidden = True
        for place, turn in reversed(list(enumerate(self.recent))):
            if turn.speaker == "agent":
                over = met
                continue
            if not over or _is_part(digits_of(turn.text), code):
                self.recent[place] = replace(turn, text=CODE)
                anew.append(self.recent[place])
            met = True
        return anew

    def _text_of(self, turn: _Open) -> str:
        if turn.hidden:
            return CODE
        text = " ".join("".join(turn.pieces).split())
        return self.cleaned(text) if turn.speaker == "agent" else text


def _is_part(digits: str, code: str) -> bool:
    return len(digits) > 1 and (digits in code or code in digits)
