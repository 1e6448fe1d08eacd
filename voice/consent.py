"""Know whether the caller has answered what was read back. Pure: it is told what happens, in order.

    nothing ──proposal told──► TOLD ──agent speaks──► SPOKEN ──heard to the end──► HEARD ──caller──► ANSWERED
                                 ▲───────── cut off ─────┘

What the caller says is not looked at here: a transcript can be talked into a yes, and so can a model. But
nobody has agreed to what he has not heard, or has not said a word since.
"""

from enum import Enum, auto


class _Stage(Enum):
    NOTHING = auto()
    TOLD = auto()
    SPOKEN = auto()
    HEARD = auto()
    ANSWERED = auto()


class Consent:
    """How far the newest proposal of a call has come."""

    def __init__(self) -> None:
        self._stage = _Stage.NOTHING

    @property
    def is_given(self) -> bool:
        """Tell whether the caller spoke after the whole proposal was played."""
        return self._stage is _Stage.ANSWERED

    def propose(self) -> None:
        """Note that the model has a new proposal to read: an answer to an older one is void."""
        self._stage = _Stage.TOLD

    def settle(self) -> None:
        """Note that nothing stands to be confirmed any more."""
        self._stage = _Stage.NOTHING

    def note_speech(self) -> None:
        """Note that the agent makes a sound."""
        if self._stage is _Stage.TOLD:
            self._stage = _Stage.SPOKEN

    def note_cut_off(self) -> None:
        """Note that the agent was not heard to the end."""
        if self._stage is _Stage.SPOKEN:
            self._stage = _Stage.TOLD

    def note_heard_out(self) -> None:
        """Note that all the agent had to say was played."""
        if self._stage is _Stage.SPOKEN:
            self._stage = _Stage.HEARD

    def note_caller(self) -> None:
        """Note that the caller begins to speak."""
        if self._stage is _Stage.HEARD:
            self._stage = _Stage.ANSWERED
