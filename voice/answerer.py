"""Know whether a person answered a call that we placed, and said who he is. Pure: it is told what happens.

    asked ──heard to the end──► heard ──the caller begins to speak──► speaks ──stops──► answered
      ▲────── cut off ──┘

What the caller says is not looked at: a transcript can be talked into a yes. But nobody has said to be the
recipient who was not asked, or has not spoken since; and what speaks without a pause is a recording.
"""

import re
from typing import Final

CONFIRM: Final = "confirm_recipient"
"""The tool by which the model says that the recipient is on the line."""
REPORT: Final = "report_answered_by"
"""The tool by which the model says what else it is."""

PERSON, CHILD, VOICEMAIL = "person", "child", "voicemail"
SCREENING, WRONG_NUMBER = "screening", "wrong_number"
KINDS = (PERSON, CHILD, VOICEMAIL, SCREENING, WRONG_NUMBER)
"""What may answer a call."""
_LEAVES = frozenset({CHILD, VOICEMAIL, WRONG_NUMBER})
_TELLING = re.compile(r"\w{5,}")


class Answerer:
    """Who has answered one call; times are the caller's clock, in seconds.

    `question` is what the agent has to ask, and empty when the caller rang us. Who speaks for `recording_s`
    without a pause, before he has said who he is, is taken for a recording.
    """

    def __init__(self, question: str, recording_s: float) -> None:
        self.question = question
        self.kind = ""
        """What the model said that answered, the newest word of it."""
        self._wanted = set(_TELLING.findall(question.casefold()))
        self._recording_s = recording_s
        self._said: set[str] = set()
        self._is_playing = self._was_played = False
        self._heard = self._answers = self._answered = self._settled = False
        self._since_s: float | None = None
        self._sign_told = self._spoken_to = False
        self.is_recording = False
        """Whether there was a sign of a recording; it is never taken back."""
        self.message_left = False
        """Whether something was said to a voicemail, to its end, once it was known for one."""

    @property
    def may_confirm(self) -> bool:
        """Tell whether a person may have said to be who is asked for."""
        return not self.question or (self._answered and not self.is_recording and self.kind not in _LEAVES)

    @property
    def leaves(self) -> bool:
        """Tell whether there is nobody here to speak with."""
        return self.kind in _LEAVES

    @property
    def reason(self) -> str:
        """Return why the call ends when that is for what answered it; empty otherwise."""
        return VOICEMAIL if self.kind == VOICEMAIL else ""

    def settle(self) -> None:
        """Note that the recipient is known: he may speak as long as he likes."""
        self._settled = True

    def report(self, kind: str) -> None:
        """Take the model's word for what has answered; who comes after a screening is asked anew."""
        self.kind, self._spoken_to = kind, False
        if kind == SCREENING:
            self._unask()
            self._answered = self._settled = False

    def take_sign(self) -> bool:
        """Tell once that there was a sign of a recording."""
        new, self._sign_told = self.is_recording and not self._sign_told, self.is_recording
        return new

    # What is heard

    def note_sound(self) -> None:
        """Note that the agent makes a sound."""
        self._is_playing = True

    def note_words(self, text: str) -> None:
        """Note what the agent says, in pieces: they may come before its sound, or when all was heard."""
        self._spoken_to = True
        self._said |= self._wanted.intersection(_TELLING.findall(text.casefold()))

    def note_cut_off(self) -> None:
        """Note that the agent was not heard to the end."""
        self._is_playing = self._was_played = False
        if not self._heard:
            self._unask()

    def note_heard_out(self) -> None:
        """Note that all the agent had to say was played: most of the words that tell make the question."""
        self._is_playing, self._was_played = False, True
        self._heard = self._heard or self._is_asked
        self.message_left = self.message_left or (self.kind == VOICEMAIL and self._spoken_to)

    def note_activity(self, now_s: float, *, started: bool) -> None:
        """Note that the caller begins or stops to make a sound, by its level and no transcript."""
        if started:
            # While nothing plays, words that came are of what was played: unless they are ahead of a sound.
            self._heard = self._heard or (self._was_played and not self._is_playing and self._is_asked)
            self._since_s, self._answers = now_s, self._heard
            return
        since_s, self._since_s = self._since_s, None
        if since_s is None or self._settled or not self.question:
            return
        if now_s - since_s >= self._recording_s:
            self.is_recording = True
        elif self._answers:
            self._answered = True

    @property
    def _is_asked(self) -> bool:
        return 2 * len(self._said) >= max(1, len(self._wanted))

    def _unask(self) -> None:
        self._said.clear()
        self._heard = self._answers = False
