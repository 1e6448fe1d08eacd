"""Decide how a call comes to its end: who says goodbye, and when it has been heard."""

from dataclasses import dataclass
from math import inf

from voice import notes
from voice.alarms import Alarm
from voice.events import CLOSE_NORMAL, CLOSE_UPSTREAM, AskCallback, Command, Tell
from voice.floor import Floor
from voice.scene import Scene
from voice.wire import gemini


@dataclass(slots=True)
class _Plan:
    reason: str
    code: int
    final: bool  # it is not for the caller to avert by speaking
    said: bool = False  # a goodbye is on its way to the ear
    latest_s: float = inf  # when it has taken long enough, heard out or not


class Farewell:
    """The end of one call, from the moment that it is wanted; `reason` and `code` go with the end."""

    def __init__(self, scene: Scene, floor: Floor) -> None:
        self._scene = scene
        self._floor = floor
        self._plan: _Plan | None = None

    @property
    def is_under_way(self) -> bool:
        """Tell whether the call is about to end."""
        return self._plan is not None

    @property
    def ending(self) -> tuple[str, int]:
        """Return the reason and the closing code of the end that is under way."""
        return (self._plan.reason, self._plan.code) if self._plan else ("agent_hangup", CLOSE_NORMAL)

    @property
    def is_heard(self) -> bool:
        """Tell whether the goodbye was heard to its last word."""
        floor = self._floor
        return self._plan is not None and self._plan.said and not (floor.is_playing or floor.is_generating)

    def begin(self, reason: str, code: int, words: str, now_s: float, *, final: bool = True) -> list[Command]:
        """Have the model say goodbye, in answer to `words`; by a recording when there is none.

        An end that is not `final` is averted by a caller who speaks; one that is makes one that is under way
        final, too.
        """
        if self._plan is not None:
            self._plan.final = self._plan.final or final
            return []
        self._set_out(reason, code, now_s, final=final)
        if self._scene.link.is_ready:
            return [Tell(gemini.text(words))]
        return [*self._scene.link.stop(), *self.use_recording(now_s)]

    def take(self, tool: gemini.ToolCall, now_s: float) -> list[Command]:
        """Let the model end the call."""
        said = self._floor.turn.sound or self._floor.is_playing
        plan = self._plan or self._set_out("agent_hangup", CLOSE_NORMAL, now_s, final=False)
        plan.said = plan.said or said
        answer = {"status": "ok", "retryable": False, "message": notes.CLOSING, "data": {}}
        scheduling = "SILENT" if said and self._scene.able.scheduling else ""
        return [Tell(gemini.tool_response(tool.id, tool.name, answer, scheduling))]

    def close_soon(self, now_s: float) -> bool:
        """Close the line on who is not to be spoken with, once he has heard what a tool gave to say.

        It is no minute until then. False when the call ends anyway.
        """
        if self._plan is not None and self._plan.final:
            return False
        reason = self._scene.answerer.reason or "agent_hangup"
        plan = self._set_out(reason, CLOSE_NORMAL, now_s, final=True)
        plan.latest_s = now_s + self._scene.limits.message_s
        return True

    def give_up(self, summary: str, now_s: float) -> list[Command]:
        """End a call that has no model: have somebody call back first, so as to say so truthfully."""
        self._set_out("model_failure", CLOSE_UPSTREAM, now_s, final=True)
        self._scene.alarms.unset(*Alarm)
        self._scene.alarms.set(Alarm.LEAVE, now_s + self._scene.limits.goodbye_longest_s)
        return [*self._scene.link.stop(), AskCallback("model_failure", summary)]

    def apologise(self, now_s: float, *, promised: bool) -> list[Command]:
        """Tell the caller what becomes of them."""
        if self._plan is None:
            return []
        self._plan.said = True
        if promised:
            self._scene.measures.achieve("request_callback")
        return self._floor.say("apology_callback" if promised else "apology", now_s)

    def note_speech(self, now_s: float) -> None:
        """Take what the model begins to say for the goodbye."""
        if self._plan is not None:
            self._plan.said = True
            self._scene.alarms.unset(Alarm.RECORDED_GOODBYE)
            self._scene.alarms.set(Alarm.LEAVE, now_s + self._scene.limits.goodbye_longest_s)

    def avert(self) -> bool:
        """Go on with the call, where that is for the caller to say; tell whether it was."""
        if self._plan is None or self._plan.final:
            return False
        self._plan = None
        self._scene.alarms.unset(Alarm.RECORDED_GOODBYE, Alarm.LEAVE)
        return True

    def be_cut_off(self, now_s: float) -> None:
        """Say a goodbye that was cut off once more, by a recording: nobody is hung up on in mid-sentence."""
        if self._plan is not None and self._plan.said:
            self._plan.said = False
            self._scene.alarms.set(Alarm.RECORDED_GOODBYE, now_s + self._scene.limits.goodbye_cut_s)

    def use_recording(self, now_s: float) -> list[Command]:
        """Say goodbye by a recording: the model does not."""
        if self._plan is None or self._plan.said:
            return []
        self._plan.said = True
        return self._floor.say("goodbye", now_s)

    def note_played_out(self, now_s: float) -> None:
        """Wait not much longer for the rest of a goodbye that stops: there may be none."""
        if self._plan is None:
            return
        self._floor.expect_nothing()
        if self._plan.said and self._floor.is_generating:
            self._scene.alarms.set(Alarm.LEAVE, now_s + self._scene.limits.goodbye_again_s)

    def wait(self, now_s: float) -> bool:
        """Tell whether a long goodbye is still being said, and wait on; the call has a limit of its own."""
        waits = self._floor.is_playing and self._plan is not None and now_s < self._plan.latest_s
        if waits:
            self._scene.alarms.set(Alarm.LEAVE, now_s + self._scene.limits.goodbye_again_s)
        return waits

    def _set_out(self, reason: str, code: int, now_s: float, *, final: bool) -> _Plan:
        alarms, limits = self._scene.alarms, self._scene.limits
        self._floor.expect_nothing()
        self._floor.awaits_sound = not self._floor.is_generating
        alarms.unset(Alarm.ASK, Alarm.SILENCE, Alarm.FILLER)
        alarms.set(Alarm.RECORDED_GOODBYE, now_s + limits.greeting_nudge_s)
        alarms.set(Alarm.LEAVE, now_s + limits.goodbye_s)
        self._plan = _Plan(reason, code, final)
        return self._plan
