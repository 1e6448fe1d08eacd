"""Decide what a call does: one event in, commands out; time is an argument and nothing is awaited.

    CONNECTING ──setupComplete──► TALKING ──goodbye──► LEAVING ──heard out──► ENDED
         └────────────── hung up, given up, no frames, the longest time ────────┘

The bridge carries the commands out, in order. Every timer is a deadline that the bridge turns into a
`Tick`; every event of every wire has its case here, so that mypy names the missing one. What the
connection to the model does is `link`'s to say, and what became of the tools `ledger`'s.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from voice import events as call
from voice import notes
from voice.alarms import Alarm, Alarms
from voice.audio import is_heard
from voice.events import Command, End, Event, Hearing, Record, Tell
from voice.ledger import Asked, Ledger
from voice.limits import Limits
from voice.link import Link
from voice.measures import Measures
from voice.records import Ending, ToolRecord, TurnRecord, UsageSeen
from voice.transcript import Transcript
from voice.wire import gemini, sautikit
from voice.wire.models import capabilities


class State(Enum):
    """Where a call stands."""

    CONNECTING = auto()
    TALKING = auto()
    LEAVING = auto()
    ENDED = auto()


_METADATA_IDS = frozenset({"callSid", "sessionId", "call_sid", "call_id"})
_LATE_AUDIO_S = 1.0
_CUT_SHORT_S = 1.0  # of a sentence whose end will not come
_FIRST_FILLER_S = 4.0
_NEXT_FILLER_S = 3.5
_LONGEST_GOODBYE_S = 20.0
_PENDING = {"pass": Hearing.PASS, "silence": Hearing.SILENCE, "pause": Hearing.PAUSE}


def _spelled(name: str, args: object) -> str:
    return f"{name} {json.dumps(args, sort_keys=True, default=str)}"


@dataclass(frozen=True, slots=True)
class Brief:
    """What a call knows before it begins: how to open the model, and what the carrier calls the call.

    `business_key` tells equal wishes to tools from others, `changing` are the tools that change something,
    and `clips` the words of our own recordings, by their names.
    """

    setup: gemini.Setup
    nudge: str
    session_id: str = ""
    business_key: Callable[[str, object], str] = _spelled
    changing: frozenset[str] = frozenset()
    clips: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Turn:
    """What the model has done since its last turn was complete."""

    audio: bool = False
    sound: bool = False
    called: bool = False
    interrupted: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.sound or self.called or self.interrupted)


@dataclass(slots=True)
class _Leaving:
    """How a call is about to end; `said` once a goodbye is on its way to the ear."""

    reason: str
    code: int
    said: bool = False


class Session:
    """One call's decisions.

    `heard_s` is set by the bridge with every frame from the telephone, so that a frame costs no event.
    """

    def __init__(self, brief: Brief, limits: Limits, now_s: float) -> None:
        self.state = State.CONNECTING
        self.heard_s = now_s
        self._brief = brief
        self._limits = limits
        self._able = capabilities(brief.setup.model)
        self._began_s = now_s
        self._link = Link(limits)
        self._ledger = Ledger(brief.business_key, brief.changing, limits.repeat_s)
        self._alarms = Alarms()
        self._transcript = Transcript()
        self._measures = Measures()
        self._hearing = Hearing.KEEP
        self._shielded = False
        self._turn = _Turn()
        self._empty_turns = 0
        self._muted_until_s = 0.0
        self._generating = False
        self._playing = False
        self._heard_out = False  # the agent was heard out at least once
        self._caller_speaks = False
        self._caller_stopped_s: float | None = None
        self._marks_speech = False  # the model says when the caller begins and stops
        self._expected = ""  # what to tell the model when it does not speak as it should
        self._asked = False
        self._notes: list[str] = []  # for the model, once nobody speaks
        self._waiting: list[str] = []  # frames for a connection that is not there
        self._unfinished = False  # when the connection broke, something was owed to the caller
        self._calls_a_turn = 0
        self._turns = 0  # since something was done
        self._leaving: _Leaving | None = None
        self._ended: End | None = None
        self._ended_s = now_s

    @property
    def deadline_s(self) -> float:
        """Return when the next `Tick` is due."""
        return min(
            self._began_s + self._limits.call_s,
            self.heard_s + self._limits.no_frames_s,
            self._link.deadline_s,
            self._alarms.next_s,
        )

    def handle(self, event: Event, now_s: float) -> list[Command]:
        """Take one event and return what to do, in order."""
        if self._ended is not None:
            return self._after_the_end(event)
        commands = self._decide(event, now_s)
        return [*commands, *self._settle(now_s)]

    def ending(self) -> Ending:
        """Return the summary of an ended call."""
        return Ending(
            reason=self._ended.reason if self._ended else "reconciled",
            outcome=self._measures.outcome or "no_outcome",
            timings=self._measures.timings(),
            counters=dict(self._measures.counters),
            duration_s=self._ended_s - self._began_s,
        )

    def _decide(self, event: Event, now_s: float) -> list[Command]:  # noqa: C901 - a case an event, no more
        match event:
            case call.Answered():
                return self._begin(now_s)
            case call.ModelOpened():
                return [self._link.introduce(self._setup())]
            case call.ModelClosed(why, silent):
                return self._lose(why, now_s, silent=silent)
            case call.ToolDone():
                return self._answer(event, now_s)
            case call.AgentHeard():
                return self._note_heard(now_s)
            case call.PlayedOut():
                return self._note_played_out(now_s)
            case call.Sifted(speech):
                self._shielded = speech
                return []
            case call.CallbackAsked(written):
                return self._apologise(now_s, promised=written)
            case call.Stopping():
                return self._say_goodbye("agent_hangup", call.CLOSE_NORMAL, notes.STOPPING, now_s)
            case call.WrongAudio(found):
                self._measures.count(f"audio_{found}")
                return self._end("carrier_error", call.CLOSE_BAD_DATA, now_s)
            case call.Flooded():
                return self._end("carrier_error", call.CLOSE_BUDGET, now_s)
            case call.HungUp():
                return self._end("caller_hangup", call.CLOSE_NORMAL, now_s, hang_up=False)
            case call.Broken():
                self._measures.count("crashes")
                return self._end("model_failure", call.CLOSE_UPSTREAM, now_s)
            case call.Tick():
                return self._tick(now_s)
            case sautikit.Metadata(ids):
                return self._check_ids(ids, now_s)
            case sautikit.Dtmf():
                return self._take_key(now_s)
            case sautikit.Mark() | sautikit.PlayDone() | sautikit.Unknown():
                self._measures.count(f"text_{type(event).__name__.lower()}")
                return []
            case _:
                return self._hear_model(event, now_s)

    def _hear_model(self, event: gemini.Event, now_s: float) -> list[Command]:  # noqa: C901 - the same
        match event:
            case gemini.SetupComplete():
                return self._get_ready(now_s)
            case gemini.Audio():
                return self._take_speech(event, now_s)
            case gemini.Interrupted():
                return self._be_interrupted(now_s)
            case gemini.GenerationComplete():
                return self._end_utterance()
            case gemini.TurnComplete(reason):
                return self._complete_turn(reason, now_s)
            case gemini.CallerSaid(text):
                return self._take_words(text, now_s)
            case gemini.AgentSaid(text):
                return self._kept(self._transcript.add("agent", text, self._ms(now_s)))
            case gemini.ToolCall():
                return self._take_call(event, now_s)
            case gemini.ToolsCancelled(ids):
                self._ledger.cancel(ids)
                return [call.Withdraw(ids)]
            case gemini.Usage(raw):
                return [Record(UsageSeen(at_ms=self._ms(now_s), raw=dict(raw)))]
            case gemini.Activity(started):
                return self._note_activity(now_s, started=started)
            case gemini.GoAway(left_s):
                self._measures.count("go_aways")
                self._link.go_away(left_s, now_s)
                return []
            case gemini.Handle():
                self._link.keep(event)
                return []
            case gemini.WaitingForInput():
                self._turn.called = True  # it chose to say nothing: that is no empty turn
                self._expect_nothing()
                return []

    # The connection to the model

    def _begin(self, now_s: float) -> list[Command]:
        ends_s = now_s + self._limits.call_s
        for alarm, at_s in (
            (Alarm.FILLER, now_s + _FIRST_FILLER_S),
            (Alarm.WARNING, ends_s - self._limits.warning_s),
            (Alarm.TIME_IS_UP, ends_s - self._limits.goodbye_s),
            (Alarm.MACHINE, now_s + self._limits.machine_s),
        ):
            if at_s > now_s:
                self._alarms.set(alarm, at_s)
        return self._link.dial(now_s)

    def _setup(self) -> gemini.Setup:
        return self._brief.setup

    def _get_ready(self, now_s: float) -> list[Command]:
        if self._link.is_ready:
            return []
        gap_s = self._link.get_ready(now_s, until_s=self._began_s + self._limits.call_s)
        self._alarms.unset(Alarm.FILLER)
        unfinished, self._unfinished = self._unfinished, False
        if self.state is State.CONNECTING:
            self.state = State.TALKING
            self._measures.setup_ms = self._ms(now_s)
            self._shielded = self._limits.shield_s > 0
        if gap_s is not None:
            self._measures.gap(round(gap_s * 1000))
        if not self._heard_out:  # whatever came of an earlier connection, nobody was greeted
            self._expect(self._brief.nudge, self._limits.greeting_nudge_s, now_s)
            return [Tell(gemini.text(self._brief.nudge))]
        waiting, self._waiting = self._waiting, []
        if self._link.is_resumption:
            self._measures.count("resumptions")
            frames = [Tell(frame) for frame in waiting]
            return [*frames, *(self._nudge(notes.CAME_BACK, now_s) if unfinished or waiting else [])]
        self._measures.count("fresh_sessions")
        self._ledger.lose_ids()
        summary = notes.summary(tuple(self._transcript.recent), self._ledger.lines())
        return [
            Tell(gemini.client_content([("user", summary)], complete=False)),
            *self._nudge(notes.AFTER_SUMMARY, now_s),
        ]

    def _lose(self, why: str, now_s: float, *, silent: bool = False, anew: bool = False) -> list[Command]:
        """Take the loss of the model; `anew` when its conversation is what went wrong."""
        self._measures.count(f"model_{why}")
        was_ready = self._link.is_ready
        again = self._link.lose(why, now_s, idle=not self._turn.audio, silent=silent, anew=anew)
        commands: list[Command] = self._be_cut_off() if was_ready else []
        if self._leaving is not None:
            return [*commands, *self._link.stop(), *self._say_recorded_goodbye(now_s)]
        if not again:
            return [*commands, *self._give_up(now_s)]
        if not self._playing and not self._alarms.is_set(Alarm.FILLER):
            self._alarms.set(Alarm.FILLER, now_s + self._limits.filler_s)
        return commands

    def _be_cut_off(self) -> list[Command]:
        """Forget what the lost connection was in the middle of."""
        self._unfinished = self._generating or bool(self._expected)
        self._expect_nothing()
        self._caller_speaks = False
        self._muted_until_s = 0.0
        generating, self._generating, self._turn = self._generating, False, _Turn()
        if not generating:
            return []
        ended = self._transcript.close(interrupted=True)
        return [call.Trim(_CUT_SHORT_S), call.EndUtterance(), *self._kept(ended)]

    def _renew(self, now_s: float) -> list[Command]:
        self._measures.count("renewals")
        idle = not self._turn.audio
        return [*self._be_cut_off(), *self._link.renew(now_s, idle=idle)]

    def _give_up(self, now_s: float) -> list[Command]:
        """End a call that has no model: have somebody call back, and say so."""
        self.state = State.LEAVING
        self._leaving = _Leaving("model_failure", call.CLOSE_UPSTREAM)
        self._alarms.unset(*Alarm)
        self._alarms.set(Alarm.LEAVE, now_s + _LONGEST_GOODBYE_S)
        said = notes.summary(tuple(self._transcript.recent), self._ledger.lines())
        return [*self._link.stop(), call.AskCallback("model_failure", said)]

    def _apologise(self, now_s: float, *, promised: bool) -> list[Command]:
        if self._leaving is None:
            return []
        self._leaving.said = True
        if promised:
            self._measures.achieve("request_callback")
        return self._say("apology_callback" if promised else "apology", now_s)

    # What the model says

    def _take_speech(self, speech: gemini.Audio, now_s: float) -> list[Command]:
        if now_s < self._muted_until_s:  # what is left of a turn that the caller cut off
            self._measures.count("late_audio")
            return []
        if not self._turn.sound and is_heard(speech.pcm):
            self._turn.sound = True
            self._link.has_spoken = True
            self._empty_turns = 0
            self._expect_nothing()
            if not self._asked:
                self._alarms.unset(Alarm.ASK, Alarm.SILENCE)
            if self._leaving is not None:
                self._leaving.said = True
                self._alarms.unset(Alarm.RECORDED_GOODBYE)
                self._alarms.set(Alarm.LEAVE, now_s + _LONGEST_GOODBYE_S)
        self._turn.audio = self._generating = self._playing = True
        return [call.Play(speech.pcm, speech.rate_hz)]

    def _be_interrupted(self, now_s: float) -> list[Command]:
        # The carrier is told even when nothing is queued here: it still holds up to the lead.
        self._measures.interruptions += 1
        self._generating = self._playing = False
        self._turn.interrupted = True
        self._heard_out = True
        self._muted_until_s = now_s + _LATE_AUDIO_S
        quiet_s = self._limits.stuck_s if self._caller_speaks else self._limits.interrupted_nudge_s
        stay = self._stay()
        self._expect(notes.ANSWER, quiet_s, now_s)
        return [call.Hush(), *stay, *self._kept(self._transcript.close(interrupted=True))]

    def _end_utterance(self) -> list[Command]:
        if not self._generating:
            return []
        self._generating = False
        return [call.EndUtterance()]

    def _complete_turn(self, reason: str, now_s: float) -> list[Command]:
        self._muted_until_s = 0.0
        turn, self._turn = self._turn, _Turn()
        commands = [*self._end_utterance(), *self._kept(self._transcript.close())]
        if reason != "RESPONSE_REJECTED" and not turn.is_empty:
            return commands
        self._measures.count("empty_turns")
        self._empty_turns += 1
        if self._empty_turns == 2:
            return [*commands, *self._nudge(notes.REPHRASE, now_s)]
        return [*commands, *(self._be_stuck(now_s, anew=True) if self._empty_turns > 2 else [])]

    def _expect(self, otherwise: str, nudge_s: float, now_s: float) -> None:
        """Expect the model to speak; when it has not after `nudge_s`, tell it so."""
        self._expected = otherwise
        greeting = otherwise == self._brief.nudge
        stuck_s = self._limits.greeting_clip_s if greeting else max(self._limits.stuck_s, nudge_s + 4)
        self._alarms.set(Alarm.NUDGE, now_s + nudge_s)
        self._alarms.set(Alarm.STUCK, now_s + stuck_s)

    def _expect_nothing(self) -> None:
        self._expected = ""
        self._alarms.unset(Alarm.NUDGE, Alarm.STUCK)

    def _nudge(self, words: str, now_s: float) -> list[Command]:
        self._expect(words, self._limits.greeting_nudge_s, now_s)
        return [Tell(gemini.text(words))]

    def _be_stuck(self, now_s: float, *, anew: bool = False) -> list[Command]:
        self._empty_turns = 0
        lost = self._lose("stuck", now_s, anew=anew)
        self._unfinished = True
        return [call.Drop(), *lost]

    # What the caller does

    def _note_activity(self, now_s: float, *, started: bool) -> list[Command]:
        self._marks_speech = True
        self._caller_speaks = started
        if started:
            self._caller_stopped_s = None
            self._expect_nothing()
            return self._note_caller(now_s)
        self._caller_stopped_s = now_s
        self._expect(notes.ANSWER, self._limits.answer_nudge_s, now_s)
        return []

    def _take_words(self, text: str, now_s: float) -> list[Command]:
        if self._caller_stopped_s is None:
            self._caller_stopped_s = now_s
        commands = self._note_caller(now_s)
        if not self._marks_speech and not self._generating and not self._playing:
            self._expect(notes.ANSWER, self._limits.answer_nudge_s, now_s)
        return [*commands, *self._kept(self._transcript.add("caller", text, self._ms(now_s)))]

    def _note_caller(self, now_s: float) -> list[Command]:
        """Take any sign of life from the caller."""
        self._asked = False
        self._calls_a_turn = 0
        self._alarms.unset(Alarm.ASK, Alarm.SILENCE)
        if self._waits_for_tools():
            self._ledger.forget()
        return self._stay()

    def _take_key(self, now_s: float) -> list[Command]:
        # Which key it was stays out of the transcript: it may be one of a PIN.
        self._measures.count("keys")
        ended = self._transcript.add("caller", " [key]", self._ms(now_s))
        return [*self._note_caller(now_s), *self._kept(ended)]

    def _note_heard(self, now_s: float) -> list[Command]:
        if self._measures.first_audio_ms is None:
            self._measures.first_audio_ms = self._ms(now_s)
        elif self._caller_stopped_s is not None:
            self._measures.answer(round((now_s - self._caller_stopped_s) * 1000))
        self._caller_stopped_s = None
        if self._shielded and not self._alarms.is_set(Alarm.SHIELD):
            self._alarms.set(Alarm.SHIELD, now_s + self._limits.shield_s)
        return []

    def _note_played_out(self, now_s: float) -> list[Command]:
        self._playing = False
        if self._generating or (self._expected and self._link.is_ready):  # a pause, or a recording of ours
            return []
        self._shielded = False
        if not self._link.is_ready:
            if self.state is not State.LEAVING:
                self._alarms.set(Alarm.FILLER, now_s + _NEXT_FILLER_S)
            return []
        self._heard_out = True
        if not self._asked and not self._caller_speaks:
            self._alarms.set(Alarm.ASK, now_s + self._limits.ask_s)
            self._alarms.set(Alarm.SILENCE, now_s + self._limits.silence_s)
        return []

    # Tools

    def _waits_for_tools(self) -> bool:
        return self._able.waits_for_tools or "BLOCKING" in self._able.behaviors

    def _take_call(self, tool: gemini.ToolCall, now_s: float) -> list[Command]:
        self._turn.called = True
        self._expect_nothing()
        if tool.name == notes.END_CALL["name"]:
            return self._take_leave(tool, now_s)
        self._turns = 0
        self._alarms.set(Alarm.MACHINE, now_s + self._limits.machine_s)
        self._calls_a_turn += 1
        if self._calls_a_turn > self._limits.calls_a_turn:
            return self._refuse_call(tool, now_s)
        match self._ledger.ask(tool, now_s):
            case Asked.NEW:
                self._alarms.set(Alarm.PENDING, now_s + self._limits.pending_s)
                return [call.Run(tool)]
            case Asked.KNOWN:
                self._measures.count("reissued_tool_calls")
                return self._tell_answer([tool], self._ledger.settle(tool), now_s)
            case Asked.RUNNING:
                self._measures.count("reissued_tool_calls")
                return []
            case Asked.REPEATED:
                self._measures.count("repeated_tool_calls")
                return []

    def _refuse_call(self, tool: gemini.ToolCall, now_s: float) -> list[Command]:
        self._measures.count("refused_tool_calls")
        if self._calls_a_turn > 3 * self._limits.calls_a_turn:  # it does not listen
            self._calls_a_turn = 0
            return self._be_stuck(now_s, anew=True)
        answer = {"status": "refused", "retryable": False, "message": notes.TOO_MANY, "data": {}}
        return self._tell_answer([tool], answer, now_s)

    def _tell_answer(
        self, tools: list[gemini.ToolCall], result: Mapping[str, object], now_s: float
    ) -> list[Command]:
        frames = [gemini.tool_response(tool.id, tool.name, result) for tool in tools]
        if not self._link.is_ready:
            self._waiting += frames
            return []
        if frames and not self._caller_speaks:
            self._expect(notes.ANSWER, self._limits.tool_nudge_s, now_s)
        return [Tell(frame) for frame in frames]

    def _answer(self, done: call.ToolDone, now_s: float) -> list[Command]:
        record = Record(
            ToolRecord(
                model_call_id=done.call.id,
                name=done.call.name,
                business_key=done.business_key,
                arguments=done.call.args if isinstance(done.call.args, dict) else {},
                result=dict(done.result),
                state=done.state,
                started_ms=done.started_ms,
                duration_ms=done.duration_ms,
            )
        )
        if done.state == "ok":
            self._measures.achieve(done.call.name)
        asking = self._ledger.finish(done, now_s)
        if self._ended is not None:
            return [record]
        return [*self._tell_answer(asking, done.result, now_s), record]

    # The end

    def _take_leave(self, tool: gemini.ToolCall, now_s: float) -> list[Command]:
        """Let the model end the call, once its goodbye has been heard."""
        said = self._turn.sound or self._playing
        if self._leaving is None:
            self._leave("agent_hangup", call.CLOSE_NORMAL, now_s)
        if self._leaving is not None:
            self._leaving.said = self._leaving.said or said
        answer = {"status": "ok", "retryable": False, "message": notes.CLOSING, "data": {}}
        scheduling = "SILENT" if said and self._able.scheduling else ""
        return [Tell(gemini.tool_response(tool.id, tool.name, answer, scheduling))]

    def _say_goodbye(self, reason: str, code: int, words: str, now_s: float) -> list[Command]:
        if self._leaving is not None:
            return []
        self._leave(reason, code, now_s)
        if not self._link.is_ready:
            return [*self._link.stop(), *self._say_recorded_goodbye(now_s)]
        return [Tell(gemini.text(words))]

    def _leave(self, reason: str, code: int, now_s: float) -> None:
        self.state = State.LEAVING
        self._leaving = _Leaving(reason, code)
        self._expect_nothing()
        self._alarms.unset(Alarm.ASK, Alarm.SILENCE, Alarm.FILLER, Alarm.MACHINE)
        self._alarms.set(Alarm.RECORDED_GOODBYE, now_s + self._limits.greeting_nudge_s)
        self._alarms.set(Alarm.LEAVE, now_s + self._limits.goodbye_s)

    def _stay(self) -> list[Command]:
        """Go on with a call that was about to end, where it was for the caller to say."""
        if self._leaving is None or self._leaving.reason not in ("agent_hangup", "silence_timeout"):
            return []
        self._leaving = None
        self.state = State.TALKING
        self._alarms.unset(Alarm.RECORDED_GOODBYE, Alarm.LEAVE)
        return []

    def _say_recorded_goodbye(self, now_s: float) -> list[Command]:
        if self._leaving is None or self._leaving.said:
            return []
        self._leaving.said = True
        return self._say("goodbye", now_s)

    def _say(self, clip: str, now_s: float) -> list[Command]:
        self._measures.count(f"clip_{clip}")
        self._playing = True
        words = self._brief.clips.get(clip, f"[{clip}]")
        ended = [
            *self._transcript.close(interrupted=self._generating),
            *self._transcript.add("agent", words, self._ms(now_s)),
            *self._transcript.close(),
        ]
        return [call.Say(clip), *self._kept(ended)]

    def _check_ids(self, ids: Mapping[str, str], now_s: float) -> list[Command]:
        named = {value for key, value in ids.items() if key in _METADATA_IDS and value}
        if named and self._brief.session_id and self._brief.session_id not in named:
            self._measures.count("contradicting_ids")
            return self._end("carrier_error", call.CLOSE_NOT_AUTHORISED, now_s, hang_up=False)
        return []

    # Time

    def _tick(self, now_s: float) -> list[Command]:
        if now_s >= self._began_s + self._limits.call_s:
            return self._end("max_duration", call.CLOSE_TIME_LIMIT, now_s)
        if now_s >= self.heard_s + self._limits.no_frames_s:
            return self._end("carrier_error", call.CLOSE_IDLE, now_s)
        commands: list[Command] = []
        if self._link.setup_is_late(now_s):
            commands += [call.Drop(), *self._lose("late", now_s)]
        if self._link.renewal_is_pressing(now_s):
            commands += self._renew(now_s)
        commands += self._link.tick(now_s)
        while self._ended is None and (alarm := self._alarms.ring(now_s)):
            commands += self._heed(alarm, now_s)
        return commands

    def _heed(self, alarm: Alarm, now_s: float) -> list[Command]:  # noqa: C901 - a case an alarm
        match alarm:
            case Alarm.NUDGE:
                self._measures.count("nudges")
                self._shielded = self._shielded and self._playing
                return [Tell(gemini.text(self._expected))]
            case Alarm.STUCK:
                return self._greet(now_s) if self._expected == self._brief.nudge else self._be_stuck(now_s)
            case Alarm.SHIELD:
                return [call.Sift()] if self._shielded else []
            case Alarm.FILLER:
                return self._say("filler", now_s) if not self._playing else []
            case Alarm.ASK:
                self._asked = True
                return self._nudge(notes.ASK, now_s) if self._link.is_ready else []
            case Alarm.SILENCE:
                return self._say_goodbye("silence_timeout", call.CLOSE_IDLE, notes.SILENT, now_s)
            case Alarm.PENDING:
                return []
            case Alarm.MACHINE:
                return self._come_to_nothing(now_s)
            case Alarm.WARNING:
                self._notes.append(notes.WARNING)
                return []
            case Alarm.TIME_IS_UP:
                return self._say_goodbye("max_duration", call.CLOSE_TIME_LIMIT, notes.TIME_IS_UP, now_s)
            case Alarm.RECORDED_GOODBYE:
                return self._say_recorded_goodbye(now_s)
            case Alarm.LEAVE:
                return self._end_leaving(now_s)

    def _end_leaving(self, now_s: float) -> list[Command]:
        if self._leaving is None:
            return []
        if self._playing:  # a long goodbye is heard to its end: the call's own limit is bound enough
            self._alarms.set(Alarm.LEAVE, now_s + _NEXT_FILLER_S)
            return []
        return self._end(self._leaving.reason, self._leaving.code, now_s)

    def _greet(self, now_s: float) -> list[Command]:
        """Greet the caller by a recording: the model does not."""
        self._expect_nothing()
        told = gemini.client_content([("user", notes.GREETED)], complete=False)
        tell: list[Command] = [Tell(told)] if self._able.content_mid_session else []
        return [*tell, *self._say("greeting", now_s)]

    def _come_to_nothing(self, now_s: float) -> list[Command]:
        if self._leaving is not None:
            return []
        self._measures.count("talks_to_no_end")
        return self._say_goodbye("agent_hangup", call.CLOSE_NORMAL, notes.NO_PROGRESS, now_s)

    # After every event

    def _settle(self, now_s: float) -> list[Command]:
        if self._ended is not None:
            return []
        commands: list[Command] = []
        if self._leaving is not None and self._leaving.said and not (self._playing or self._generating):
            return self._end(self._leaving.reason, self._leaving.code, now_s)
        if self.state is State.TALKING and self._turns >= self._limits.machine_turns:
            self._turns = 0
            commands += self._come_to_nothing(now_s)
        if self._is_idle():
            commands += self._use_the_quiet(now_s)
        wanted = self._wanted_hearing()
        if wanted is not self._hearing:
            self._hearing = wanted
            commands.append(call.Listen(wanted))
        return commands

    def _is_idle(self) -> bool:
        return (
            self.state is State.TALKING
            and self._link.is_ready
            and self._heard_out
            and not (self._playing or self._generating or self._caller_speaks or self._expected)
            and not self._ledger.is_open
        )

    def _use_the_quiet(self, now_s: float) -> list[Command]:
        for done in self._ledger.untold():
            message = str(done.result.get("message", ""))
            self._notes.append(notes.done_meanwhile(done.call.name, message))
        if self._notes:
            told, self._notes = "\n".join(self._notes), []
            return self._nudge(told, now_s)
        return self._renew(now_s) if self._link.renewal_is_due else []

    def _wanted_hearing(self) -> Hearing:
        if not self._link.is_ready:
            return Hearing.KEEP
        if self._shielded:
            return Hearing.HOLD
        if self._able.pending_audio != "pass" and self._ledger.is_open and self._alarms.is_set(Alarm.PENDING):
            return _PENDING[self._able.pending_audio]
        return Hearing.PASS

    def _end(self, reason: str, code: int, now_s: float, *, hang_up: bool = True) -> list[Command]:
        self.state = State.ENDED
        self._ended_s = now_s
        self._ended = End(reason, code, hang_up)
        return [*self._kept(self._transcript.close()), self._ended]

    def _after_the_end(self, event: Event) -> list[Command]:
        # A tool that had begun may commit after the caller is gone: that is kept, and told to nobody.
        return self._answer(event, self._ended_s) if isinstance(event, call.ToolDone) else []

    def _kept(self, turns: list[TurnRecord]) -> list[Command]:
        self._turns += len(turns)
        return [Record(turn) for turn in turns]

    def _ms(self, now_s: float) -> int:
        return round((now_s - self._began_s) * 1000)
