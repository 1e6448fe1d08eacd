"""Decide over the tools that the model calls: what is run, what is answered, and when it is enough."""

import json
from collections.abc import Mapping
from dataclasses import replace

from voice import answerer, notes
from voice.alarms import Alarm
from voice.events import Command, Hearing, Record, Run, Show, Tell, ToolDone, Withdraw
from voice.floor import Floor
from voice.ledger import Asked, Ledger
from voice.numerals import digits_of
from voice.records import ToolBegun, ToolRecord
from voice.scene import Scene, kept
from voice.secrecy import CODE_ARGUMENT, NEEDS_CODE, SPENT
from voice.wire import gemini

_DAY = "day"
"""An argument in whose digits there is no code: 2026-11-27."""
_LONGEST = 400
"""Characters that are kept of an argument: no tool takes more."""
_OPT_OUT = "opt_out"
_HEARING = {"pass": Hearing.PASS, "silence": Hearing.SILENCE, "pause": Hearing.PAUSE}


class Errands:
    """What the tools of one call are doing."""

    def __init__(self, scene: Scene, floor: Floor) -> None:
        brief = scene.brief
        self.ledger = Ledger(brief.business_key, brief.changing, brief.proposing, scene.limits.repeat_s)
        self._scene = scene
        self._floor = floor
        self._a_turn = 0  # calls since the caller last spoke
        self._seen: set[str] = set()
        self._answers: dict[str, str] = {}  # by the id of the call, as frames; of this conversation
        self._owed: list[str] = []  # the ids of those of which it is not known that they came through
        self._turns_before = 0
        self._takes = {
            tool["name"]: frozenset(tool.get("parameters", {}).get("properties", {}))
            for tool in scene.brief.setup.tools
        }
        able = scene.able
        self._blocks = able.waits_for_tools or "BLOCKING" in able.behaviors
        self._pending = _HEARING[brief.pending_audio or able.pending_audio]

    @property
    def runs_away(self) -> bool:
        """Tell whether the model goes on calling although it was told to stop."""
        return self._a_turn > 3 * self._scene.limits.calls_a_turn

    @property
    def idle_turns(self) -> int:
        """Return how often somebody spoke since a tool was called."""
        return self._scene.transcript.count - self._turns_before

    def hearing(self) -> Hearing:
        """Return what may become of the caller's audio now."""
        if not self.ledger.is_open or not self._scene.alarms.is_set(Alarm.PENDING):
            return Hearing.PASS
        return self._pending

    def note_caller(self) -> None:
        """Take a sign of life from the caller: a model that waits for its tools has forgotten them now."""
        self._a_turn = 0
        if self._blocks:
            self.ledger.forget()

    def is_repeated(self, tool: gemini.ToolCall) -> bool:
        """Tell whether this very call was delivered before: each is taken once."""
        repeated = tool.id in self._seen
        self._seen.add(tool.id)
        if repeated:
            self._scene.measures.count("repeated_tool_calls")
        return repeated

    def answer_again(self, tool: gemini.ToolCall, now_s: float) -> list[Command]:
        """Send the answer to a call that was delivered before once more, if there is one yet."""
        return self._send([tool.id], now_s) if tool.id in self._answers else []

    def note_speech(self) -> None:
        """Note that the model begins to speak: it has what it was told."""
        self._owed.clear()

    def take(self, tool: gemini.ToolCall, now_s: float) -> list[Command]:
        """Run a call, answer it with what is known, or refuse it."""
        limits, measures = self._scene.limits, self._scene.measures
        tool = self._completed(tool)
        self._a_turn += 1
        self.start_over(now_s)
        if self._a_turn > limits.calls_a_turn:
            measures.count("refused_tool_calls")
            told = {"status": "refused", "retryable": False, "message": notes.TOO_MANY, "data": {}}
            return self._tell([tool], told, now_s)
        match self.ledger.ask(tool, now_s):
            case Asked.NEW if words := self._too_early(tool):
                measures.count("unanswered_confirmations")
                return self.finish(self._unanswered(tool, words, now_s), now_s, over=False)
            case Asked.NEW:
                self._scene.alarms.set(Alarm.PENDING, now_s + limits.pending_s)
                begun = ToolBegun(tool.id, tool.name, self._scene.ms(now_s))
                return [*self._hide_code(tool), Run(tool), Show(begun)]
            case Asked.KNOWN:
                measures.count("reissued_tool_calls")
                return self._tell([tool], self.ledger.settle(tool), now_s)
            case Asked.RUNNING:
                measures.count("reissued_tool_calls")
                return []

    def start_over(self, now_s: float) -> None:
        """Begin to count anew how long nothing has come of the talk."""
        self._turns_before = self._scene.transcript.count
        self._scene.alarms.set(Alarm.MACHINE, now_s + self._scene.limits.machine_s)

    def cancel(self, ids: tuple[str, ...], now_s: float) -> list[Command]:
        """Let go of calls whose answers the model does not want any more."""
        self.ledger.cancel(ids)
        floor, brief = self._floor, self._scene.brief
        if not (floor.heard_out or floor.is_playing or floor.is_generating or floor.expected):
            # It called a tool instead of greeting, and will have no answer to go on from.
            floor.expect(brief.nudge, self._scene.limits.greeting_nudge_s, now_s)
        self._owed = [one for one in self._owed if one not in ids]
        return [Withdraw(ids)]

    def finish(self, done: ToolDone, now_s: float, *, over: bool) -> list[Command]:
        """Take what a tool came to: keep it, and tell who asked unless the call is over."""
        record = Record(
            ToolRecord(
                model_call_id=done.call.id,
                name=done.call.name,
                business_key=done.business_key,
                arguments=self._kept_arguments(done.call),
                result=dict(done.result),
                state="refused" if done.state == "unanswered" else done.state,
                started_ms=done.started_ms,
                duration_ms=done.duration_ms,
            )
        )
        if done.state == "ok":
            self._scene.measures.achieve(done.call.name)
        self._note_outcome(done)
        asking = self.ledger.finish(done, now_s)
        # The record first: a hang-up may come while the answer is being sent.
        return [record] if over else [record, *self._tell(asking, done.result, now_s)]

    def catch_up(self, now_s: float) -> list[Command]:
        """Send a conversation that goes on what came meanwhile, or may have been lost on its way."""
        return self._send(self._owed, now_s)

    def begin_anew(self) -> list[str]:
        """Return what a new conversation has to be told; the old calls mean nothing to it."""
        self._seen.clear()
        self._answers.clear()
        self._owed.clear()
        self.ledger.lose_ids()
        return self.ledger.lines()

    def news(self) -> list[str]:
        """Return what came about without the model's knowing, in words for it, once."""
        told = [
            notes.done_meanwhile(done.call.name, str(done.result.get("message", "")))
            for done in self.ledger.untold()
        ]
        return [*told, notes.RECORDING] if self._scene.answerer.take_sign() else told

    # Codes, and what the caller has to answer

    def _completed(self, tool: gemini.ToolCall) -> gemini.ToolCall:
        """Put what was typed where the model has no code to give: it never hears the keys."""
        args = tool.args if isinstance(tool.args, dict) else {}
        if tool.name not in self._scene.brief.private or args.get(CODE_ARGUMENT):
            return tool
        keys = self._scene.secrecy.typed()
        return replace(tool, args=args | {CODE_ARGUMENT: keys}) if keys else tool

    def _hide_code(self, tool: gemini.ToolCall) -> list[Command]:
        if tool.name not in self._scene.brief.private:
            return []
        code = digits_of(str(tool.args.get(CODE_ARGUMENT, ""))) if isinstance(tool.args, dict) else ""
        for text in (code, self._scene.transcript.caller_said):
            self._scene.speech.revoke(text)
        return kept(self._scene.transcript.hide_code(code))

    def _kept_arguments(self, tool: gemini.ToolCall) -> dict[str, object]:
        """Return what may be kept of what a tool was given: short texts that it takes, and no code."""
        if tool.name in self._scene.brief.private or not isinstance(tool.args, dict):
            return {}
        takes = self._takes.get(tool.name, frozenset()) - {CODE_ARGUMENT}
        return {
            name: self._kept_text(value) if name != _DAY else value[:_LONGEST]
            for name, value in tool.args.items()
            if name in takes and isinstance(value, str)
        }

    def _kept_text(self, text: str) -> str:
        return self._scene.speech.masked(text[:_LONGEST])

    def _too_early(self, tool: gemini.ToolCall) -> str:
        """Return what to do before a tool may be called; empty when it may."""
        who, ref = self._scene.answerer, _ref(tool.args)
        if tool.name in self._scene.brief.confirming and not self._scene.consent.is_given(ref):
            return notes.NOT_ANSWERED
        if tool.name != answerer.CONFIRM or who.may_confirm:
            return ""
        return notes.RECORDING if who.is_recording or who.leaves else notes.not_asked(who.question)

    def _unanswered(self, tool: gemini.ToolCall, words: str, now_s: float) -> ToolDone:
        told = {"status": "refused", "retryable": True, "message": words, "data": {}}
        key = self._scene.brief.business_key(tool.name, tool.args)
        return ToolDone(tool, told, "unanswered", key, self._scene.ms(now_s), 0)

    def _note_outcome(self, done: ToolDone) -> None:
        brief, scene, told = self._scene.brief, self._scene, done.result.get("data")
        scene.speech.allow(json.dumps(done.result, default=str, ensure_ascii=False))
        if done.call.name in brief.proposing and done.state == "ok":
            words = str(done.result.get("message", ""))
            scene.consent.propose(words, _ref(told), _named(told, "reason"))
        elif done.call.name in brief.confirming and done.state != "unanswered":
            scene.consent.settle()
        if done.state == "ok":
            self._note_who(done.call.name, told)
        code = told.get("code") if isinstance(told, Mapping) else None
        private = done.call.name in brief.private
        if done.state == "refused":
            scene.measures.be_refused(done.call.name, str(code))
        if private and (done.state == "ok" or code == SPENT):
            scene.secrecy.settle()
        elif private or code == NEEDS_CODE:
            scene.secrecy.ask()
        scene.transcript.hides_caller = scene.secrecy.is_asked

    def _note_who(self, name: str, told: object) -> None:
        who = self._scene.answerer
        if name == answerer.CONFIRM:
            who.settle()
        elif name == _OPT_OUT:
            self._scene.measures.opted_out = bool(who.question)
        elif name == answerer.REPORT and isinstance(told, Mapping):
            who.report(str(told.get("answered_by", "")))
            self._scene.measures.meet(who.kind)

    def _tell(
        self, tools: list[gemini.ToolCall], result: Mapping[str, object], now_s: float
    ) -> list[Command]:
        for tool in tools:
            self._answers[tool.id] = gemini.tool_response(tool.id, tool.name, result)
            self._owed.append(tool.id)
        return self._send([tool.id for tool in tools], now_s) if self._scene.link.is_ready else []

    def _send(self, ids: list[str], now_s: float) -> list[Command]:
        if ids and not self._floor.caller_speaks:
            self._floor.expect(notes.ANSWER, self._scene.limits.tool_nudge_s, now_s)
        return [Tell(self._answers[one]) for one in ids]


def _ref(fields: object) -> str:
    """Return which proposal a tool's arguments or answer are about; empty when they name none."""
    return _named(fields, "change_id")


def _named(fields: object, name: str) -> str:
    return str(fields.get(name, "")) if isinstance(fields, Mapping) else ""
