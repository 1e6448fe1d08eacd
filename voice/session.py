"""Decide what a call does: one event in, commands out; time is an argument and nothing is awaited.

    CONNECTING ──setupComplete──► TALKING ──goodbye──► LEAVING ──heard out──► ENDED
         └────────────── hung up, given up, no frames, the longest time ────────┘

The bridge carries the commands out, in order. Every timer is a deadline that the bridge turns into a
`Tick`; every event of every wire has its case here, so that mypy names the missing one. Who speaks is
decided in `floor`, over the connection to the model in `link`, what is heard without one in `absence`,
over its tools in `errands`, and how a call comes to its end in `farewell`.
"""

from collections.abc import Mapping
from enum import Enum, auto

from voice import events as call
from voice import notes
from voice.absence import Absence
from voice.alarms import Alarm
from voice.asides import Asides
from voice.errands import Errands
from voice.events import Command, End, Event, Hearing, Order, Record, Show, Tell
from voice.farewell import Farewell
from voice.floor import Floor
from voice.limits import Limits
from voice.records import Ending, Speaking, UsageSeen
from voice.scene import Brief, Scene, kept
from voice.wire import gemini, sautikit


class State(Enum):
    """Where a call stands."""

    CONNECTING = auto()
    TALKING = auto()
    LEAVING = auto()
    ENDED = auto()


_METADATA_IDS = frozenset({"callSid", "sessionId", "call_sid", "call_id"})


class Session:
    """One call's decisions.

    `heard_s` is set by the bridge with every frame from the telephone, and `loud_s` with one that is as loud
    as speech, so that a frame costs no event.
    """

    def __init__(self, brief: Brief, limits: Limits, now_s: float) -> None:
        self.state = State.CONNECTING
        self.heard_s = self.loud_s = now_s
        self._scene = Scene(brief, limits, now_s)
        self._brief, self._limits = brief, limits
        self._link, self._alarms = self._scene.link, self._scene.alarms
        self._measures, self._transcript = self._scene.measures, self._scene.transcript
        self._floor = Floor(self._scene)
        self._errands = Errands(self._scene, self._floor)
        self._absence = Absence(self._scene, self._floor, self._errands)
        self._farewell = Farewell(self._scene, self._floor)
        self._hearing = Hearing.KEEP
        self._asides = Asides(self._scene)
        self._speaker = ""  # as it was shown last
        self._ended: End | None = None
        self._ended_s = now_s

    @property
    def began_s(self) -> float:
        """Return from when on the call's milliseconds are counted."""
        return self._scene.began_s

    @property
    def deadline_s(self) -> float:
        """Return when the next `Tick` is due."""
        return min(
            self._scene.began_s + self._limits.call_s,
            self.heard_s + self._limits.no_frames_s,
            self._link.deadline_s,
            self._alarms.next_s,
        )

    def handle(self, event: Event, now_s: float) -> list[Command]:
        """Take one event and return what to do, in order."""
        if self._ended is not None:
            # A tool that had begun may commit after the caller is gone: that is kept, and told to nobody.
            return self._errands.finish(event, now_s, over=True) if isinstance(event, call.ToolDone) else []
        commands = self._decide(event, now_s)
        return [*commands, *self._settle(now_s)]

    def ending(self) -> Ending:
        """Return the summary of an ended call."""
        reason = self._ended.reason if self._ended else "reconciled"
        left = self._scene.answerer.message_left
        return self._measures.ending(reason, self._ended_s - self._scene.began_s, message_left=left)

    def _decide(self, event: Event, now_s: float) -> list[Command]:  # noqa: C901 - a case an event, no more
        match event:
            case call.Answered():
                return self._begin(now_s)
            case call.ModelOpened():
                return [self._link.introduce(self._brief.setup)]
            case call.ModelClosed(why, silent):
                return self._lose(why, now_s, silent=silent)
            case call.ToolDone():
                return self._finish(event, now_s)
            case call.AgentHeard():
                self._floor.note_heard(now_s)
                return []
            case call.PlayedOut():
                return self._note_played_out(now_s)
            case call.CallerSounded():
                self._floor.note_sounded(now_s)
                return []
            case call.Sifted(speech):
                self._floor.shielded = speech
                return []
            case call.CallbackAsked(written):
                return self._farewell.apologise(now_s, promised=written)
            case call.Stopping(at_once=True):
                return self._end("agent_hangup", call.CLOSE_DRAINING, now_s)
            case call.Stopping():
                return self._leave("agent_hangup", call.CLOSE_DRAINING, notes.STOPPING, now_s)
            case call.Ordered(order, words):
                return self._obey(order, words, now_s)
            case call.WrongAudio(found):
                self._measures.count(f"audio_{found}")
                return self._end("carrier_error", call.CLOSE_BAD_DATA, now_s)
            case call.Flooded():
                return self._end("carrier_error", call.CLOSE_BUDGET, now_s)
            case call.HungUp():
                return self._end(
                    self._scene.answerer.reason or "caller_hangup", call.CLOSE_NORMAL, now_s, hang_up=False
                )
            case call.Broken():
                self._measures.count("crashes")
                return self._end("model_failure", call.CLOSE_UPSTREAM, now_s)
            case call.Tick():
                return self._tick(now_s)
            case sautikit.Metadata(ids):
                return self._check_ids(ids, now_s)
            case sautikit.Dtmf(digit):
                return self._take_key(digit, now_s)
            case sautikit.Mark() | sautikit.PlayDone() | sautikit.Unknown():
                self._measures.count(f"text_{type(event).__name__.lower()}")
                return []
            case _:
                return self._hear_model(event, now_s)

    def _hear_model(self, event: gemini.Event, now_s: float) -> list[Command]:  # noqa: C901 - the same
        floor = self._floor
        match event:
            case gemini.SetupComplete():
                return self._get_ready(now_s)
            case gemini.Audio():
                return self._take_speech(event, now_s)
            case gemini.Interrupted():
                self._stay()
                self._farewell.be_cut_off(now_s)
                return floor.be_interrupted(now_s)
            case gemini.GenerationComplete():
                return floor.end_utterance()
            case gemini.TurnComplete(reason):
                return self._complete_turn(reason, now_s)
            case gemini.CallerSaid(text):
                self._note_caller()
                return [*floor.take_words(text, now_s), *self._scene.shown()]
            case gemini.AgentSaid(text):
                return [*floor.take_agent_words(text, now_s), *self._scene.shown()]
            case gemini.ToolCall():
                return self._take_call(event, now_s)
            case gemini.ToolsCancelled(ids):
                return self._errands.cancel(ids, now_s)
            case gemini.Usage(raw):
                return [Record(UsageSeen(at_ms=self._scene.ms(now_s), raw=dict(raw)))]
            case gemini.Activity(started):
                floor.note_activity(now_s, started=started)
                if started:
                    self._note_caller()
                return []
            case gemini.GoAway(left_s):
                self._measures.count("go_aways")
                self._link.go_away(left_s, now_s)
                return []
            case gemini.Handle():
                self._link.keep(event)
                return []
            case gemini.WaitingForInput():
                floor.turn.called = True  # it chose to say nothing: that is no empty turn
                floor.expect_nothing()
                return []

    # The connection to the model

    def _begin(self, now_s: float) -> list[Command]:
        ends_s = now_s + self._limits.call_s
        for alarm, at_s in (
            (Alarm.FILLER, now_s + self._limits.filler_first_s),
            (Alarm.WARNING, ends_s - self._limits.warning_s),
            (Alarm.TIME_IS_UP, ends_s - self._limits.goodbye_s),
            (Alarm.MACHINE, now_s + self._limits.machine_s),
        ):
            if at_s > now_s:
                self._alarms.set(alarm, at_s)
        return self._link.dial(now_s)

    def _get_ready(self, now_s: float) -> list[Command]:
        if self._link.is_ready:
            return []
        gap_s = self._link.get_ready(now_s, until_s=self._scene.began_s + self._limits.call_s)
        if self.state is State.CONNECTING:
            self.state = State.TALKING
            self._measures.setup_ms = self._scene.ms(now_s)
            self._floor.shielded = self._limits.shield_s > 0
        return self._absence.end(gap_s, now_s)

    def _lose(self, why: str, now_s: float, *, silent: bool = False, anew: bool = False) -> list[Command]:
        """Take the loss of the model; `anew` when its conversation is what went wrong."""
        self._measures.count(f"model_{why}")
        was_ready = self._link.is_ready
        again = self._link.lose(why, now_s, idle=not self._floor.turn.audio, silent=silent, anew=anew)
        commands = self._absence.be_cut_off() if was_ready else []
        if self._farewell.is_under_way:
            return [*commands, *self._link.stop(), *self._farewell.use_recording(now_s)]
        if not again:
            return [*commands, *self._give_up(now_s)]
        self._absence.begin(now_s)
        return commands

    def _be_stuck(self, now_s: float, *, anew: bool = False) -> list[Command]:
        """Leave a model that does not do its work."""
        self._floor.empty_turns = 0
        lost = self._lose("stuck", now_s, anew=anew)
        self._absence.unfinished = True
        return [call.Drop(), *lost]

    def _renew(self, now_s: float) -> list[Command]:
        self._measures.count("renewals")
        idle = not self._floor.turn.audio
        return [*self._absence.be_cut_off(), *self._link.renew(now_s, idle=idle)]

    def _give_up(self, now_s: float) -> list[Command]:
        self.state = State.LEAVING
        said = notes.for_a_colleague(tuple(self._transcript.recent), self._errands.ledger.lines())
        return self._farewell.give_up(said, now_s)

    # What is said and done

    def _take_speech(self, speech: gemini.Audio, now_s: float) -> list[Command]:
        waited = self._floor.awaits_sound
        commands = self._floor.take_speech(speech, now_s)
        if waited and not self._floor.awaits_sound:
            self._farewell.note_speech(now_s)
            self._errands.note_speech()
        return commands

    def _complete_turn(self, reason: str, now_s: float) -> list[Command]:
        before = self._floor.empty_turns
        commands = self._floor.complete_turn(reason)
        empty, most = self._floor.empty_turns, self._limits.empty_turns
        if empty == before or self._farewell.is_under_way:
            return commands
        if empty == most:
            return [*commands, *self._floor.nudge(notes.REPHRASE, now_s)]
        return [*commands, *(self._be_stuck(now_s, anew=True) if empty > most else [])]

    def _note_caller(self) -> None:
        self._floor.note_caller()
        self._errands.note_caller()
        self._stay()

    def _take_key(self, key: str, now_s: float) -> list[Command]:
        # Which key it was stays out of the transcript: it may be one of a PIN.
        self._measures.count("keys")
        self._note_caller()
        pressed = kept(self._transcript.add("caller", " [key]", self._scene.ms(now_s)))
        return [*pressed, *(self._floor.nudge(notes.TYPED, now_s) if self._scene.secrecy.press(key) else [])]

    def _note_played_out(self, now_s: float) -> list[Command]:
        self._floor.note_played_out(now_s)
        self._farewell.note_played_out(now_s)
        if not self._link.is_ready and self.state is not State.LEAVING:
            self._absence.note_played_out(now_s)
        return []

    def _take_call(self, tool: gemini.ToolCall, now_s: float) -> list[Command]:
        self._floor.turn.called = True
        if self._errands.is_repeated(tool):
            return self._errands.answer_again(tool, now_s)
        self._floor.expect_nothing()
        if tool.name == notes.END_CALL["name"]:
            self.state = State.LEAVING
            return self._farewell.take(tool, now_s)
        commands = self._errands.take(tool, now_s)
        return self._be_stuck(now_s, anew=True) if self._errands.runs_away else commands

    def _finish(self, done: call.ToolDone, now_s: float) -> list[Command]:
        commands = self._errands.finish(done, now_s, over=False)
        if self._scene.answerer.leaves and self._farewell.close_soon(now_s):
            self.state = State.LEAVING
        return commands

    def _obey(self, order: Order, words: str, now_s: float) -> list[Command]:
        """Do what the desk wants: at once, or once nobody speaks."""
        self._measures.count(f"desk_{order.value}")
        if order is Order.END:
            ended = self._leave("agent_hangup", call.CLOSE_NORMAL, notes.DESK_ENDS, now_s)
            return [self._asides.obeyed(order, now_s), *ended]
        self._asides.order(order, words)
        return []

    # The end

    def _leave(
        self, reason: str, code: int, words: str, now_s: float, *, final: bool = True
    ) -> list[Command]:
        self.state = State.LEAVING
        return self._farewell.begin(reason, code, words, now_s, final=final)

    def _stay(self) -> None:
        if self._farewell.avert():
            self.state = State.TALKING

    def _come_to_nothing(self, now_s: float) -> list[Command]:
        if self._farewell.is_under_way:  # it may be averted yet
            self._alarms.set(Alarm.MACHINE, now_s + self._limits.goodbye_longest_s)
            return []
        self._measures.count("talks_to_no_end")
        return self._leave("agent_hangup", call.CLOSE_NORMAL, notes.NO_PROGRESS, now_s)

    def _check_ids(self, ids: Mapping[str, str], now_s: float) -> list[Command]:
        named = {value for key, value in ids.items() if key in _METADATA_IDS and value}
        if named and self._brief.session_id and self._brief.session_id not in named:
            self._measures.count("contradicting_ids")
            return self._end("carrier_error", call.CLOSE_NOT_AUTHORISED, now_s, hang_up=False)
        return []

    def _end(self, reason: str, code: int, now_s: float, *, hang_up: bool = True) -> list[Command]:
        self.state = State.ENDED
        self._ended_s = now_s
        self._ended = End(reason, code, hang_up)
        return [*kept(self._transcript.close()), self._ended]

    # Time

    def _tick(self, now_s: float) -> list[Command]:
        if now_s >= self._scene.began_s + self._limits.call_s:
            return self._end("max_duration", call.CLOSE_TIME_LIMIT, now_s)
        if now_s >= self.heard_s + self._limits.no_frames_s:
            return self._end("carrier_error", call.CLOSE_IDLE, now_s)
        commands: list[Command] = []
        if self._link.setup_is_late(now_s):
            commands += [call.Drop(awaited=False), *self._lose("late", now_s)]
        if self._link.renewal_is_pressing(now_s):
            commands += self._renew(now_s)
        commands += self._link.tick(now_s)
        while self._ended is None and (alarm := self._alarms.ring(now_s)):
            commands += self._heed(alarm, now_s)
        return commands

    def _heed(self, alarm: Alarm, now_s: float) -> list[Command]:  # noqa: C901 - a case an alarm, no more
        match alarm:
            case Alarm.NUDGE:
                return self._floor.nudge_again()
            case Alarm.STUCK:
                greeted = self._floor.expected != self._brief.nudge
                return self._be_stuck(now_s) if greeted else self._greet(now_s)
            case Alarm.UNHEARD:
                return self._floor.point_out(self.loud_s, now_s)
            case Alarm.SHIELD:
                return [call.Sift()] if self._floor.shielded else []
            case Alarm.FILLER:
                return self._absence.fill(now_s)
            case Alarm.ASK:
                return self._floor.ask(now_s)
            case Alarm.SILENCE:
                return self._leave("silence_timeout", call.CLOSE_IDLE, notes.SILENT, now_s, final=False)
            case Alarm.PENDING:
                return []
            case Alarm.MACHINE:
                return self._come_to_nothing(now_s)
            case Alarm.WARNING:
                self._asides.add(notes.WARNING)
                return []
            case Alarm.TIME_IS_UP:
                return self._leave("max_duration", call.CLOSE_TIME_LIMIT, notes.TIME_IS_UP, now_s)
            case Alarm.RECORDED_GOODBYE:
                return self._farewell.use_recording(now_s)
            case Alarm.LEAVE:
                return [] if self._farewell.wait(now_s) else self._end(*self._farewell.ending, now_s)

    def _greet(self, now_s: float) -> list[Command]:
        """Greet the caller by a recording: the model does not."""
        self._floor.expect_nothing()
        told = gemini.client_content([("user", notes.GREETED)], complete=False)
        tell: list[Command] = [Tell(told)] if self._scene.able.content_mid_session else []
        return [*tell, *self._floor.say("question" if self._brief.question else "greeting", now_s)]

    # After every event

    def _settle(self, now_s: float) -> list[Command]:
        if self._ended is not None:
            return []
        if self._farewell.is_heard:
            return self._end(*self._farewell.ending, now_s)
        commands: list[Command] = []
        if self._errands.idle_turns >= self._limits.machine_turns:
            self._errands.start_over(now_s)
            commands += self._come_to_nothing(now_s)
        if self.state is State.TALKING and self._link.is_ready and self._floor.is_quiet:
            commands += self._use_the_quiet(now_s)
        if (speaker := self._floor.speaker) != self._speaker:
            self._speaker = speaker
            commands.append(Show(Speaking(speaker)))
        wanted = self._wanted_hearing()
        if wanted is not self._hearing:
            self._hearing = wanted
            commands.append(call.Listen(wanted))
        return commands

    def _use_the_quiet(self, now_s: float) -> list[Command]:
        if self._errands.ledger.is_open:
            return []
        told, obeyed = self._asides.take(now_s)
        if told := [*self._errands.news(), *told]:
            return [*self._floor.nudge("\n".join(told), now_s), *obeyed]
        return self._renew(now_s) if self._link.renewal_is_due else []

    def _wanted_hearing(self) -> Hearing:
        if not self._link.is_ready:
            return Hearing.KEEP
        return Hearing.HOLD if self._floor.shielded else self._errands.hearing()
