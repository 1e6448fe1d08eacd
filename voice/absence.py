"""Decide what the caller hears while the model is away, and what the model is told when it is back."""

from voice import notes
from voice.alarms import Alarm
from voice.errands import Errands
from voice.events import Command, Tell
from voice.floor import Floor
from voice.scene import Scene
from voice.wire import gemini


class Absence:
    """The time without a model: before the first connection is ready, and between two of them."""

    def __init__(self, scene: Scene, floor: Floor, errands: Errands) -> None:
        self.unfinished = False
        """Whether something was owed to the caller when the connection broke."""
        self._scene = scene
        self._floor = floor
        self._errands = errands
        self._filled_s: float | None = None

    def be_cut_off(self) -> list[Command]:
        """Note what was going on when the connection went."""
        self.unfinished = self._floor.is_generating or bool(self._floor.expected)
        return self._floor.be_cut_off()

    def begin(self, now_s: float) -> None:
        """Have the caller told soon, unless they still hear what was said before."""
        if not self._floor.is_playing and not self._scene.alarms.is_set(Alarm.FILLER):
            self._scene.alarms.set(Alarm.FILLER, now_s + self._scene.limits.filler_s)

    def note_played_out(self, now_s: float) -> None:
        """Have the caller told at once when it is time to, and again while it goes on."""
        gap_s, limits = self._scene.link.gap_began_s, self._scene.limits
        told = self._filled_s is not None and (gap_s is None or self._filled_s >= gap_s)
        if told or gap_s is None:
            due_s = now_s + limits.filler_again_s
        else:
            due_s = max(now_s, gap_s + limits.filler_s)
        self._scene.alarms.set(Alarm.FILLER, due_s)

    def fill(self, now_s: float) -> list[Command]:
        """Tell the caller to wait a moment, by a recording."""
        if self._floor.is_playing:
            return []
        self._filled_s = now_s
        return self._floor.say("filler", now_s)

    def end(self, gap_s: float | None, now_s: float) -> list[Command]:
        """Tell a model that is ready what to do first; `gap_s` is how long it was away, None at first."""
        measures = self._scene.measures
        self._scene.alarms.unset(Alarm.FILLER)
        unfinished, self.unfinished = self.unfinished, False
        if gap_s is not None:
            measures.gap(round(gap_s * 1000))
        resumed = self._scene.link.is_resumption
        if not self._floor.heard_out:  # whatever came of an earlier connection, nobody was greeted
            if not resumed:
                self._errands.begin_anew()
            return [*self._errands.catch_up(now_s), *self._floor.nudge(self._scene.brief.nudge, now_s)]
        if resumed:
            measures.count("resumptions")
            answers = self._errands.catch_up(now_s)
            if unfinished or answers:
                return [*answers, *self._floor.nudge(notes.CAME_BACK, now_s)]
            if not self._scene.alarms.is_set(Alarm.ASK):  # what was owed in the gap rang, or was not set
                self._floor.await_caller(now_s)
            return []
        measures.count("fresh_sessions")
        return self._introduce(now_s)

    def _introduce(self, now_s: float) -> list[Command]:
        """Tell a new conversation what was said and done in the old one."""
        summary = notes.summary(tuple(self._scene.transcript.recent), self._errands.begin_anew())
        if not self._scene.able.content_mid_session:
            return self._floor.nudge(f"{summary}\n{notes.AFTER_SUMMARY}", now_s)
        history = Tell(gemini.client_content([("user", summary)], complete=False))
        return [history, *self._floor.nudge(notes.AFTER_SUMMARY, now_s)]
