"""Carry a call: read both sockets, pace what is spoken, run the tools; decide nothing.

    telephone ─► hear() ─► InputClock ─► model          (in the telephone's own task)
    telephone ◄─ Speaker ◄─ _listen ◄─ model

Every decision is the session's: an event goes in, its commands are carried out in order. All tasks of a
call live in one TaskGroup; the first to end it ends them all. Nothing here touches the database.
"""

import asyncio
import logging
from contextlib import suppress
from contextvars import copy_context

from voice import beat
from voice import events as call
from voice.audio import Onset, RateWatch
from voice.errors import ModelLost, RemoteError, RemoteProtocolError
from voice.events import Hearing
from voice.limits import Bucket, Tuning
from voice.pacing import InputClock
from voice.ports import Model, Ports
from voice.records import ToolRecord, TurnRecord, UsageSeen
from voice.session import Session
from voice.speaking import Speaker
from voice.toolruns import ToolRuns
from voice.wire import gemini, sautikit

logger = logging.getLogger(__name__)

_DEAF = frozenset({Hearing.SILENCE, Hearing.PAUSE})
_REGULAR_S = 0.1
"""Whose last frame is no older sends without a pause."""


class CallOver(Exception):  # noqa: N818 - not an error: the one way in which a call's tasks end together
    """The session ended the call."""


class Bridge:
    """One call, from the telephone's open stream to both sockets closed."""

    def __init__(self, session: Session, ports: Ports, tuning: Tuning) -> None:
        self._session = session
        self._ports = ports
        self._tuning = tuning
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self._began_s = self._time()
        self._model: Model | None = None
        self._listener: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._hearing = Hearing.KEEP
        self._clock = InputClock(
            limit_s=tuning.uplink_s, stall_s=tuning.uplink_stall_s, catch_up=tuning.uplink_catch_up
        )
        self._watch = RateWatch()
        self._onset = Onset()
        self._texts = Bucket(tuning.texts_per_s, tuning.texts_per_s, at_s=self._began_s)
        self._bytes = Bucket(tuning.bytes_per_s, tuning.burst_bytes, at_s=self._began_s)
        self._speaker = Speaker(
            ports.telephone, tuning, report=self._do, sends_regularly=self._sends_regularly
        )
        self._rearmed = asyncio.Event()
        self._due_s = 0.0
        self._tools = ToolRuns(ports.run_tool, tuning, session.began_s)
        self._end: call.End | None = None
        self._is_carrying = False
        self._filling: asyncio.TimerHandle | None = None
        self._nonsense = 0  # frames of the model in a row that could not be read

    async def carry(self) -> None:
        """Carry the call to its end, whichever side ends it, and write its records."""
        try:
            await self._until_over()
        except BaseException:
            self._take_end(self._session.handle(call.Broken(), self._time()))
            raise
        finally:
            self._is_carrying = False
            await self._wind_up()

    def take(self, event: call.Event) -> bool:
        """Take an event that comes by neither socket; False when the call is over or about to be."""
        if not self._is_carrying or self._end is not None:
            return False
        doing = self._do(event)
        try:
            self._group.create_task(doing)
        except RuntimeError:  # a task of the call failed, and the others are being ended
            doing.close()
            return False
        return True

    async def _until_over(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self._group, self._is_carrying = group, True
                group.create_task(self._ports.journal.run())
                group.create_task(self._speaker.run())
                group.create_task(self._keep_time())
                beat.join(self._follow_beat)
                await self._do(call.Answered())
                # With this task's context, so that a line of the log names the call.
                context = copy_context()
                self._ports.telephone.hear_by(lambda pcm: context.run(self._hear_now, pcm))
                async for frame in self._ports.telephone.heard():
                    await self._hear(frame)
                await self._do(call.HungUp(call.CLOSE_NORMAL))
        except* CallOver:
            pass
        finally:
            beat.leave(self._follow_beat)
            if self._filling is not None:
                self._filling.cancel()

    # From the telephone to the model

    async def _hear(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self._hear_now(frame)
            return
        if not self._texts.take(1, self._time()):
            await self._do(call.Flooded())
        for event in sautikit.decode(frame):
            await self._do(event)

    def _hear_now(self, frame: bytes) -> None:
        """Take audio; by a server that can, in the very turn of the loop in which it was read."""
        now_s = self._time()
        self._session.heard_s = now_s
        if not self._bytes.take(len(frame), now_s):
            self.take(call.Flooded())
        if found := self._watch.add(len(frame), now_s):
            logger.error("the telephone sends other audio than was agreed", extra={"found": found})
            self.take(call.WrongAudio(found))
        if self._hearing not in _DEAF:
            self._clock.push(frame, now_s)
        self._pass_on(now_s)
        self._speaker.take_turn(now_s)
        if self._onset.add(frame):
            self.take(call.CallerSounded())
        if self._onset.lasts:
            self._session.loud_s = now_s

    def _pass_on(self, now_s: float) -> None:
        model, hearing = self._model, self._hearing
        if model is None or hearing is Hearing.KEEP or hearing is Hearing.PAUSE:
            return
        take = self._clock.pop if hearing is Hearing.PASS else self._clock.silence
        # A congested socket is never waited for: the clock keeps the audio, and a hang-up is noticed.
        while not model.is_congested() and (pcm := take(now_s)):
            model.send_now(gemini.audio(pcm))

    def _listen_so(self, how: Hearing) -> None:
        if self._hearing is Hearing.KEEP or self._hearing is Hearing.PAUSE:
            self._clock.start(self._time())
        elif self._hearing is Hearing.HOLD:  # the model had silence for it already
            self._clock.sift()
        if how is Hearing.PASS:
            self._clock.pass_on()
        else:
            self._clock.keep()
        self._hearing = how
        self._pass_on(self._time())

    def _fill_silence(self) -> None:
        """Keep the model's input going when the telephone sends nothing: it waits for ever otherwise."""
        now_s = self._time()
        self._filling = None
        try:
            self._pass_on(now_s)
            if self._speaker.is_stuck(now_s) and self._end is None:
                self._group.create_task(self._do(call.Flooded()))
        finally:  # what went wrong once, and the loop reports, must not leave the model waiting for good
            if self._has_to_fill(now_s):
                self._filling = self._loop.call_later(self._clock.wait_s(now_s), self._fill_silence)

    def _follow_beat(self, now_s: float) -> None:
        """See to what the caller's frames are the clock of, where none come."""
        if self._is_carrying and self._filling is None:
            self._fill_silence()

    def _has_to_fill(self, now_s: float) -> bool:
        if self._model is None or self._hearing is Hearing.KEEP or self._hearing is Hearing.PAUSE:
            return False
        return self._clock.lags or not self._sends_regularly(now_s)

    def _sends_regularly(self, now_s: float) -> bool:
        return now_s - self._session.heard_s < _REGULAR_S

    # From the model to the telephone

    async def _listen(self) -> None:
        """Open the model and act on all it says, until it is gone or dropped."""
        me = asyncio.current_task()
        model: Model | None = None
        try:
            if self._closing is not None:
                await asyncio.wait({self._closing})  # not it itself: who stops waiting must not stop it
            model = await self._ports.dial()
            if self._listener is not me:
                return
            self._model = model
            await self._do(call.ModelOpened())
            async for frame in model:
                for event in self._decode(frame):
                    if self._listener is not me:
                        return
                    await self._do(event)
            await self._lose(me, call.ModelClosed("lost"))
        except RemoteError as error:
            logger.warning("the model is gone", extra={"why": str(error)})
            why = type(error).__name__.removeprefix("Model").lower()
            await self._lose(me, call.ModelClosed(why, silent=isinstance(error, ModelLost) and error.silent))
        finally:
            if model is not None:
                await model.close()

    async def _lose(self, listener: asyncio.Task[None] | None, loss: call.ModelClosed) -> None:
        if self._listener is listener:
            self._listener = self._model = None
            await self._do(loss)

    def _dial(self) -> None:
        self._listener = self._group.create_task(self._listen())

    def _drop(self, *, awaited: bool) -> None:
        model, listener = self._model, self._listener
        self._model = self._listener = None
        if model is not None:
            closing = self._group.create_task(model.close())
            self._closing = closing if awaited else self._closing
        elif listener is not None:  # it is still dialling
            listener.cancel()

    def _decode(self, frame: str | bytes) -> list[gemini.Event]:
        try:
            events = gemini.decode(frame)
        except RemoteProtocolError as error:
            self._nonsense += 1
            if self._nonsense == 1:
                logger.warning("the model sent a frame that cannot be read")
            if self._nonsense >= self._tuning.unreadable:  # the connection is as good as lost
                self._nonsense = 0
                raise ModelLost("nothing that it sends can be read") from error
            return []
        self._nonsense = 0
        return events

    # Decisions and their carrying out

    async def _do(self, event: call.Event) -> None:
        for command in self._session.handle(event, self._time()):
            await self._carry_out(command)
        if self._session.deadline_s < self._due_s:
            self._rearmed.set()

    async def _carry_out(self, command: call.Command) -> None:  # noqa: C901 - a case a command, no more
        match command:
            case call.Dial():
                self._dial()
            case call.Drop(awaited):
                self._drop(awaited=awaited)
            case call.Tell(frame):
                await self._tell(frame)
            case call.Listen(how):
                self._listen_so(how)
            case call.Sift():
                await self._do(call.Sifted(self._clock.sift()))
            case call.Play(pcm, rate_hz):
                self._speaker.play(pcm, rate_hz)
            case call.Say(clip):
                self._speaker.say(self._ports.clips.get(clip, b""))
            case call.Trim(keep_s):
                self._speaker.trim(keep_s)
            case call.EndUtterance():
                self._speaker.end_utterance()
            case call.Hush():
                await self._speaker.hush()
            case call.Run(tool_call):
                self._group.create_task(self._tools.report(self._tools.begin(tool_call), self._do))
            case call.Withdraw(ids):
                for one in ids:
                    self._ports.withdraw(one)
            case call.AskCallback(reason, summary):
                self._group.create_task(self._ask_callback(reason, summary))
            case call.Record(record):
                self._keep(record)
            case call.Show(what):
                self._ports.show(what)
            case call.End():
                self._end = command
                raise CallOver

    def _keep(self, record: TurnRecord | ToolRecord | UsageSeen) -> None:
        self._ports.journal.add(record)
        if not isinstance(record, UsageSeen):
            self._ports.show(record)

    async def _tell(self, frame: str) -> None:
        if self._model is not None:
            with suppress(RemoteError, TimeoutError):  # a lost connection is the listener's to report
                async with asyncio.timeout(self._tuning.tell_s):
                    await self._model.send(frame)

    async def _ask_callback(self, reason: str, summary: str) -> None:
        await self._do(call.CallbackAsked(await self._ports.ask_callback(reason, summary)))

    async def _keep_time(self) -> None:
        """Turn the session's next deadline into a `Tick`."""
        while True:
            self._rearmed.clear()
            self._due_s = self._session.deadline_s
            try:
                async with asyncio.timeout_at(self._due_s):
                    await self._rearmed.wait()
            except TimeoutError:
                if self._time() >= self._session.deadline_s:  # else it moved on, as it does with each frame
                    await self._do(call.Tick())

    # The end

    def _take_end(self, commands: list[call.Command]) -> None:
        """Keep what can still be carried out once the call's tasks are gone: records, and how to end."""
        for command in commands:
            match command:
                case call.Record(record):
                    self._keep(record)
                case call.End():
                    self._end = command
                case _:
                    pass

    async def _wind_up(self) -> None:
        """Close the telephone, finish what was begun and write the end; once, whatever ended the call."""
        if self._end is not None and self._end.hang_up:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._tuning.hang_up_s):
                    await self._ports.hang_up()
        with suppress(TimeoutError):  # one who reads nothing is not waited for
            async with asyncio.timeout(self._tuning.close_s):
                await self._ports.telephone.close(self._end.code if self._end else call.CLOSE_UPSTREAM)
        for done in await self._tools.finish():  # in bounded time, and nobody is on the line
            self._take_end(self._session.handle(done, self._time()))
        ending = self._session.ending()
        ending.counters.update(self._clock.counters() | self._speaker.counters())
        await self._ports.journal.finish(ending)
