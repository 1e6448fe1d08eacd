"""Decide who speaks: what the model says, what cuts it off, and what to do when it stays silent."""

import math
from dataclasses import dataclass

from voice import notes
from voice.alarms import Alarm
from voice.audio import is_heard
from voice.events import Command, EndUtterance, Hush, Play, Tell, Trim
from voice.scene import Scene, kept
from voice.wire import gemini


@dataclass(slots=True)
class _Turn:
    """What the model has done since its last turn was complete."""

    audio: bool = False
    sound: bool = False
    called: bool = False
    interrupted: bool = False
    stopped: bool = False  # once before its end nothing more came for the ear

    @property
    def is_empty(self) -> bool:
        return not (self.sound or self.called or self.interrupted)


class Floor:
    """Who has the floor in one call."""

    def __init__(self, scene: Scene) -> None:
        self.turn = _Turn()
        self.empty_turns = 0
        self.is_generating = False
        self.is_playing = False
        self.caller_speaks = False
        self.heard_out = False
        """Whether the agent was heard out at least once."""
        self.expected = ""
        """What to tell the model when it does not speak as it should; empty when it need not."""
        self.awaits_sound = True
        """Whether the next sound of the model's begins something that was waited for."""
        self.shielded = False
        """Whether what the caller says has to wait for the greeting."""
        self._scene = scene
        self._muted_until_s = 0.0
        self._late_until_s = 0.0  # until then what comes may be the rest of a turn that was cut off
        self._silenced = False  # in this turn something was said that may not be
        self._caller_stopped_s: float | None = None
        self._spoke_s = 0.0  # when the first sound came of what the model says now
        self._marks_speech = False  # the model says when the caller begins and stops
        self._asked = False
        self._noted = False  # the model was told of something that it took no notice of

    @property
    def is_quiet(self) -> bool:
        """Tell whether nobody speaks, and nobody is to."""
        busy = self.is_playing or self.is_generating or self.caller_speaks or bool(self.expected)
        return self.heard_out and not busy

    @property
    def speaker(self) -> str:
        """Return who speaks now: the agent as long as he is heard."""
        if self.is_playing:
            return "agent"
        by_words = not self._marks_speech and self._scene.transcript.is_callers
        return "caller" if self.caller_speaks or by_words else ""

    # The model

    def take_speech(self, speech: gemini.Audio, now_s: float) -> list[Command]:
        """Play what the model says, unless it belongs to a turn that was cut off."""
        if now_s < self._muted_until_s:
            self._scene.measures.count("late_audio")
            return []
        if self.awaits_sound and is_heard(speech.pcm):
            self.awaits_sound = self.caller_speaks = False  # it took the turn to be over
            self._spoke_s = now_s
            self.turn.sound = True
            self._scene.link.has_spoken = True
            self.empty_turns = 0
            self.expect_nothing()
            if not self._asked:
                self._scene.alarms.unset(Alarm.ASK, Alarm.SILENCE)
        if self.turn.sound:
            self._scene.consent.note_sound()
            self._scene.answerer.note_sound()
        self.turn.audio = self.is_generating = self.is_playing = True
        return [Play(speech.pcm, speech.rate_hz)]

    def be_interrupted(self, now_s: float) -> list[Command]:
        """Silence the agent: the caller cut in."""
        # The carrier is told even when nothing is queued here: it still holds up to the lead.
        self._scene.measures.interruptions += 1
        self._be_unheard()
        self.is_generating = self.is_playing = False
        self.turn.interrupted = self.heard_out = True
        limits = self._scene.limits
        quiet_s = limits.stuck_s if self.caller_speaks else limits.interrupted_nudge_s
        self.expect(notes.ANSWER, quiet_s, now_s)
        self._muted_until_s, self._late_until_s = math.inf, now_s + limits.late_audio_s
        # Kept first: the telephone may be slow to take that it is to be silent, and hang up meanwhile.
        return [*kept(self._scene.transcript.close(interrupted=True)), Hush()]

    def take_agent_words(self, text: str, now_s: float) -> list[Command]:
        """Keep what the agent says, and stop it when it may not be said."""
        scene = self._scene
        commands = kept(scene.transcript.add("agent", text, scene.ms(now_s)))
        if now_s >= self._muted_until_s:  # else it is what was cut off that is told of late
            scene.consent.note_words(text)
        scene.answerer.note_words(text)
        if self._silenced or scene.speech.is_clean(scene.transcript.agent_says):
            return commands
        self._silenced = True
        scene.measures.count("speech_cut")
        self._be_unheard()
        self.is_generating = self.is_playing = False
        if self.turn.audio:  # else its words came after it, and what follows is another turn
            self._muted_until_s = math.inf
            self.turn.interrupted = True
        return [*commands, Hush(), *self.nudge(notes.UNSAID, now_s)]

    def end_utterance(self) -> list[Command]:
        """Note that the model has made all that it is saying."""
        if not self.is_generating:
            return []
        self.is_generating = False
        if self.expected == notes.GO_ON:  # there is nothing to go on with
            self.expect_nothing()
        return [EndUtterance()]

    def complete_turn(self, reason: str) -> list[Command]:
        """End a turn of the model's, and count it when there was nothing in it."""
        self._muted_until_s, self._silenced = 0.0, False
        turn, self.turn = self.turn, _Turn()
        self.awaits_sound = True
        if turn.is_empty or reason == "RESPONSE_REJECTED":
            self._scene.measures.count("empty_turns")
            self.empty_turns += 1
        return [*self.end_utterance(), *kept(self._scene.transcript.close())]

    def be_cut_off(self) -> list[Command]:
        """Forget what was going on when the connection went."""
        self._asked = self._asked and self.expected != notes.ASK  # else nobody has
        self.expect_nothing()
        self.caller_speaks = False
        self._muted_until_s, self._silenced = 0.0, False
        self._be_unheard()
        self.turn, self.awaits_sound = _Turn(), True
        if not self.is_generating:
            return []
        self.is_generating = False
        return [
            Trim(self._scene.limits.cut_short_s),
            EndUtterance(),
            *kept(self._scene.transcript.close(interrupted=True)),
        ]

    def _be_unheard(self) -> None:
        self._scene.consent.note_cut_off()
        self._scene.answerer.note_cut_off()

    def expect(self, otherwise: str, nudge_s: float, now_s: float) -> None:
        """Expect the model to speak; when it has not after `nudge_s`, it is told so."""
        limits, alarms = self._scene.limits, self._scene.alarms
        self.expected = otherwise
        self.awaits_sound = True
        alarms.unset(Alarm.UNHEARD)
        self._hear_again()
        stuck_s = max(limits.stuck_s, nudge_s + limits.stuck_nudged_s)
        if otherwise == self._scene.brief.nudge:
            stuck_s = limits.greeting_clip_s
        alarms.set(Alarm.NUDGE, now_s + nudge_s)
        alarms.set(Alarm.STUCK, now_s + stuck_s)

    def _hear_again(self) -> None:
        """Take what comes for something new, although the turn that was cut off was never completed."""
        if not self._silenced:
            self._muted_until_s = min(self._muted_until_s, self._late_until_s)

    def expect_nothing(self) -> None:
        """Leave the model to itself."""
        self.expected = ""
        self._scene.alarms.unset(Alarm.NUDGE, Alarm.STUCK, Alarm.UNHEARD)

    def nudge(self, words: str, now_s: float) -> list[Command]:
        """Tell the model something that it is to answer by speaking."""
        self.expect(words, self._scene.limits.greeting_nudge_s, now_s)
        return [Tell(gemini.text(words))]

    def nudge_again(self) -> list[Command]:
        """Tell the model once more."""
        self._scene.measures.count("nudges")
        self._hear_again()
        self.shielded = self.shielded and self.is_playing
        if self.expected == notes.GO_ON:
            self.is_generating = False
        return [Tell(gemini.text(self.expected))]

    def ask(self, now_s: float) -> list[Command]:
        """Have a silent caller asked whether they are there, when there is somebody to ask."""
        if not self._scene.link.is_ready:
            self._scene.alarms.unset(Alarm.SILENCE)
            return []
        self._asked, self.is_generating = True, False
        return self.nudge(notes.ASK, now_s)

    # The caller

    def note_caller(self) -> None:
        """Take any sign of life from the caller."""
        self._asked = self._noted = False
        self._scene.alarms.unset(Alarm.ASK, Alarm.SILENCE, Alarm.UNHEARD)

    def note_sounded(self, now_s: float) -> None:
        """Take it that the caller says something, by the telephone's level: a model may miss what is short.

        Some models never say that somebody spoke: then this is all that tells that the caller answered.
        """
        if not self._marks_speech:
            self._scene.consent.note_caller()
        if self.is_quiet and not self._noted and self._scene.link.is_ready:
            self._scene.alarms.set(Alarm.UNHEARD, now_s + self._scene.limits.unheard_s)

    def point_out(self, loud_s: float, now_s: float) -> list[Command]:
        """Tell the model that something was said, once that is over: it was heard until `loud_s`."""
        over_s = loud_s + self._scene.limits.unheard_s
        if over_s > now_s:
            self._scene.alarms.set(Alarm.UNHEARD, over_s)
            return []
        if not (self.is_quiet and self._scene.link.is_ready):
            return []
        self._noted = True  # once: it may have been a noise
        self._scene.measures.count("unheard")
        return self.nudge(notes.UNHEARD, now_s)

    def note_activity(self, now_s: float, *, started: bool) -> None:
        """Take the model's word that the caller begins or stops to speak."""
        self._marks_speech = True
        self.caller_speaks = started
        self._caller_stopped_s = None if started else now_s
        self._scene.answerer.note_activity(now_s, started=started)
        if started:
            self._scene.consent.note_caller()
            self.expect_nothing()
        else:
            self.expect(notes.ANSWER, self._scene.limits.answer_nudge_s, now_s)

    def take_words(self, text: str, now_s: float) -> list[Command]:
        """Keep what the caller was understood to say."""
        if self._caller_stopped_s is None:
            self._caller_stopped_s = now_s
        if not (self._marks_speech or self.is_generating or self.is_playing):
            self.expect(notes.ANSWER, self._scene.limits.answer_nudge_s, now_s)
        if not self._scene.secrecy.is_asked:
            self._scene.speech.allow_more(text)
        return kept(self._scene.transcript.add("caller", text, self._scene.ms(now_s)))

    # The caller's ear

    def note_heard(self, now_s: float) -> None:
        """Note that the first of an utterance went to the telephone."""
        measures, alarms = self._scene.measures, self._scene.alarms
        if measures.first_audio_ms is None:
            measures.first_audio_ms = self._scene.ms(now_s)
        elif self._caller_stopped_s is not None:
            # It may have begun to speak before the words came by which we know that the caller stopped.
            spoke_s = max(self._spoke_s, self._caller_stopped_s)
            measures.answer(*map(self._scene.ms, (self._caller_stopped_s, spoke_s, now_s)))
        self._caller_stopped_s = None
        if self.shielded and not alarms.is_set(Alarm.SHIELD):
            alarms.set(Alarm.SHIELD, now_s + self._scene.limits.shield_s)

    def note_played_out(self, now_s: float) -> None:
        """Note that all that was queued has been heard: the caller's silence begins."""
        self.is_playing = False
        if not self.is_generating:
            self._scene.consent.note_heard_out()
            self._scene.answerer.note_heard_out()
        link, limits = self._scene.link, self._scene.limits
        if self.expected and link.is_ready:  # a recording of ours
            return
        if self.is_generating:
            first, self.turn.stopped = not self.turn.stopped, True
            if first:
                self.expect(notes.GO_ON, limits.interrupted_nudge_s, now_s)
                return
            self.awaits_sound = True
        self.shielded = False
        if not link.is_ready:
            return
        self.heard_out = True
        self.await_caller(now_s)

    def await_caller(self, now_s: float) -> None:
        """Begin to count how long the caller says nothing."""
        alarms, limits = self._scene.alarms, self._scene.limits
        if not self._asked and not self.caller_speaks:
            alarms.set(Alarm.ASK, now_s + limits.ask_s)
            alarms.set(Alarm.SILENCE, now_s + limits.silence_s)

    def say(self, clip: str, now_s: float) -> list[Command]:
        """Play one of our recordings."""
        self.is_playing = True
        return self._scene.say(clip, now_s)
