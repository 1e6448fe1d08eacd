"""Know whether the caller has answered what was read back. Pure: it is told what happens, in order.

    nothing ──proposal told──► TOLD ──read in full and heard to the end──► HEARD ──caller──► ANSWERED
                                 ▲── cut off before ──┘

What the caller says is not looked at here: a transcript can be talked into a yes, and so can a model. But
nobody has agreed to what he has not heard, or has not said a word since. What the agent says is looked at:
a sound of it may be the end of something else.
"""

from enum import Enum, auto

from shipments.spelling import said_ref
from voice.readback import ReadBack, read_back_of


class _Stage(Enum):
    NOTHING = auto()
    TOLD = auto()
    HEARD = auto()
    ANSWERED = auto()


class Consent:
    """How far the newest proposal of a call has come."""

    def __init__(self) -> None:
        self._stage = _Stage.NOTHING
        self._wanted = ReadBack()
        self._ref = ""
        self._said = ""
        self._is_playing = self._was_played = False

    def is_given(self, ref: str) -> bool:
        """Tell whether the caller spoke after the whole proposal of this reference was played."""
        return self._stage is _Stage.ANSWERED and said_ref(ref) == self._ref

    def propose(self, words: str, ref: str, reason: str = "") -> None:
        """Note that the model has a new proposal to read, in these words: an older answer is void."""
        self._stage, self._wanted, self._said = _Stage.TOLD, read_back_of(words, reason), ""
        self._was_played, self._ref = False, said_ref(ref)

    def settle(self) -> None:
        """Note that nothing stands to be confirmed any more."""
        self._stage = _Stage.NOTHING

    def note_sound(self) -> None:
        """Note that the agent makes a sound."""
        self._is_playing = True

    def note_words(self, text: str) -> None:
        """Note what the agent says, in pieces: they may come before its sound, or when all was heard."""
        if self._stage is _Stage.TOLD:
            self._said += text

    def note_cut_off(self) -> None:
        """Note that the agent was not heard to the end."""
        self._is_playing, self._was_played, self._said = False, False, ""

    def note_heard_out(self) -> None:
        """Note that all the agent had to say was played."""
        self._is_playing, self._was_played = False, True
        self._hear()

    def note_caller(self) -> None:
        """Note that the caller begins to speak."""
        if self._was_played and not self._is_playing:  # else the words may be of a sound that is to come yet
            self._hear()
        if self._stage is _Stage.HEARD:
            self._stage = _Stage.ANSWERED

    def _hear(self) -> None:
        if self._stage is _Stage.TOLD and self._said and self._wanted.is_in(self._said):
            self._stage = _Stage.HEARD
