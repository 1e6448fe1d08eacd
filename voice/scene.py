"""Hold what all that decides in a call has before it: what was agreed, the clock's alarms, the records."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from voice.alarms import Alarms
from voice.answerer import Answerer
from voice.consent import Consent
from voice.events import Command, Record, Say, Show
from voice.limits import Limits
from voice.link import Link
from voice.measures import Measures
from voice.records import TurnRecord
from voice.secrecy import Secrecy
from voice.spoken import SpeechCheck
from voice.transcript import Transcript
from voice.wire import gemini
from voice.wire.models import Capabilities, capabilities


def _spelled(name: str, args: object) -> str:
    return f"{name} {json.dumps(args, sort_keys=True, default=str)}"


@dataclass(frozen=True, slots=True)
class Brief:
    """What a call knows before it begins: how to open the model, and what the carrier calls the call.

    `business_key` tells equal wishes to tools from others, `changing` are the tools that change something,
    and `clips` the words of our own recordings, by their names. Tools are `proposing` what is read back, and
    `confirming` it; nothing is kept of what `private` ones are given. `guarded` are places not to be said.
    `pending_audio` goes before what is known of the model, unless it is empty.
    `question` asks who answered a call that we placed; it is empty when the caller rang us.
    """

    setup: gemini.Setup
    nudge: str
    session_id: str = ""
    business_key: Callable[[str, object], str] = _spelled
    changing: frozenset[str] = frozenset()
    clips: Mapping[str, str] = field(default_factory=dict)
    proposing: frozenset[str] = frozenset()
    confirming: frozenset[str] = frozenset()
    private: frozenset[str] = frozenset()
    guarded: tuple[str, ...] = ()
    pending_audio: str = ""
    question: str = ""


class Scene:
    """What one call was given and what it has gathered; it decides nothing."""

    def __init__(self, brief: Brief, limits: Limits, now_s: float) -> None:
        self.brief = brief
        self.limits = limits
        self.began_s = now_s
        self.able: Capabilities = capabilities(brief.setup.model)
        self.link = Link(limits)
        self.alarms = Alarms()
        self.secrecy = Secrecy()
        self.consent = Consent()
        self.answerer = Answerer(brief.question, limits.recording_s)
        self.speech = SpeechCheck(brief.guarded)
        self.speech.allow(brief.setup.instruction)
        self.transcript = Transcript(cleaned=self.speech.masked)
        self.measures = Measures()

    def ms(self, now_s: float) -> int:
        """Return the time since the call began, in milliseconds."""
        return round((now_s - self.began_s) * 1000)

    def shown(self) -> list[Command]:
        """Return the command that shows what is being said, as far as it was said."""
        turn = self.transcript.open_turn
        return [] if turn is None else [Show(turn)]

    def say(self, clip: str, now_s: float) -> list[Command]:
        """Play one of our recordings, and keep its words as the agent's."""
        self.measures.count(f"clip_{clip}")
        words = self.brief.clips.get(clip, f"[{clip}]")
        self.answerer.note_sound()
        self.answerer.note_words(words)
        ended = [
            *self.transcript.close(),
            *self.transcript.add("agent", words, self.ms(now_s)),
            *self.transcript.close(),
        ]
        return [Say(clip), *kept(ended)]


def kept(turns: Iterable[TurnRecord]) -> list[Command]:
    """Return the commands that keep what was said."""
    return [Record(turn) for turn in turns]
