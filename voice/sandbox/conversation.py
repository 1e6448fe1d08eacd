"""Hold one conversation as the real service would, without its socket.

Time is the running loop's; what is left to chance comes from the dice that are handed in. Speech and
calls take the floor one turn after another; the caller's voice cuts off whoever has it.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from websockets.exceptions import ConnectionClosed

from voice.audio import MODEL_IN_HZ, Resampler
from voice.sandbox import strictness
from voice.sandbox.brain import (
    SILENCE,
    Brain,
    FunctionCall,
    Mindful,
    Reply,
    Restless,
    SpeechEnded,
    SpeechStarted,
    Voice,
)
from voice.sandbox.delivery import RATE_HZ, Piece, deliver
from voice.sandbox.mishaps import NO_MISHAP, Mishap, StallingWire, Wire
from voice.sandbox.strictness import Refused, Strictness
from voice.sandbox.tally import Tally
from voice.sandbox.timing import Timing

_MIND_LIMIT = 100  # thoughts that wait; behind them the client's frames wait, too
_IN_BYTES_PER_S = MODEL_IN_HZ * 2
_OUT_BYTES_PER_S = RATE_HZ * 2


@dataclass(slots=True)
class Past:
    """What a resumption handle brings back."""

    brain: Brain
    calls: dict[str, FunctionCall] = field(default_factory=dict)  # every call that was ever made
    told: set[str] = field(default_factory=set)  # those whose answer is no longer wanted
    is_open: bool = True
    was_idle: bool = True
    closed_s: float = 0.0


class _Gone(Exception):  # noqa: N818 - an end, not an error
    """The client is gone."""


class Conversation:
    """One connection, from its setup to its end; `pasts` are those of the whole server, by handle."""

    def __init__(
        self,
        wire: Wire,
        voice: Voice,
        *,
        strict: Strictness,
        pasts: dict[str, Past],
        dice: Random,
        timing: Timing,
        mishap: Mishap = NO_MISHAP,
    ) -> None:
        self._wire: Wire = StallingWire(wire, mishap.stalls) if mishap.stalls else wire
        self._mishap = mishap
        self._voice = voice
        self._strict = strict
        self._pasts = pasts
        self._dice = dice
        self._timing = timing.after(mishap)
        self._setup: Mapping[str, Any] = {}
        self._past: Past | None = None
        self._mind: asyncio.Queue[Callable[[], Awaitable[Reply]]] = asyncio.Queue(_MIND_LIMIT)
        self._floor = asyncio.Lock()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._turn: asyncio.Task[Any] | None = None  # who has the floor, and what is cut off with them
        self._caller_speaks = False
        self._blocking: dict[str, FunctionCall] = {}
        self._resampler: Resampler | None = None
        self._by_hand: bytearray | None = None
        self._heard_bytes = 0
        self._history_due = False

    async def run(self) -> None:
        """Hold the conversation until one side ends it."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                async for frame in self._wire:
                    await self._take(self._strict.take(frame))
                raise _Gone
        except* Refused as refused:
            first = refused.exceptions[0]
            if isinstance(first, Refused):
                await self._wire.close(first.code, first.reason)
        except* (_Gone, ConnectionClosed):
            pass
        finally:
            if self._past:
                self._past.is_open = False
                self._past.was_idle = self._turn is None
                self._past.closed_s = _now_s()

    # What the client sends

    async def _take(self, message: strictness.Message) -> None:
        match message:
            case strictness.Setup():
                self._start(self._begin(message))
            case strictness.CallerAudio(pcm, rate_hz):
                await self._hear(self._at_16_khz(pcm, rate_hz))
            case strictness.Words(text):
                self._tally.read(text)
                await self._mind.put(partial(self._brain.nudged, text))
            case strictness.Turns(turns, complete):
                await self._read(turns, complete=complete)
            case strictness.ActivityMark(started):
                await self._mark(started=started)
            case strictness.ToolAnswers(answers):
                for answer in answers:
                    await self._learn(answer)
            case strictness.ContextUpdate(changed):
                self._tally.read(str(changed))
            case strictness.Picture() | strictness.StreamEnd():
                pass  # 3.8 does not end a turn for the latter

    async def _begin(self, start: strictness.Setup) -> None:
        if self._mishap.close:
            self._start(self._hang_up(*self._mishap.close))
        if start.mute:
            return
        await asyncio.sleep(self._timing.setup_s)
        self._setup = setup = start.fields
        old_handle = setup.get("sessionResumption", {}).get("handle", "")
        self._past = await self._resumed(old_handle)
        self._brain = self._past.brain
        self._ears = self._voice.ears_factory(setup)
        self._tally = Tally(setup)
        self._history_due = setup.get("historyConfig", {}).get("initialHistoryInClientContent", False)
        self._strict.confirmed()
        await self._send({"setupComplete": {}})  # the developer interface names no session
        self._start(self._think())
        self._start(self._grow_old())
        if isinstance(self._brain, Restless) and not old_handle:
            self._start(self._follow(self._brain.unprompted()))
        await asyncio.sleep(self._timing.handle_s)
        handle = f"{self._dice.getrandbits(128):032x}"
        self._pasts[handle] = self._past
        await self._send({"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}})

    async def _hang_up(self, code: int, reason: str) -> None:
        await asyncio.sleep(self._mishap.close_after_s)
        raise Refused(code, reason)

    async def _resumed(self, handle: str) -> Past:
        if not handle:
            return Past(self._voice.brain_factory(self._setup))
        if self._mishap.no_resume:
            await asyncio.sleep(self._timing.refuse_s)
            raise Refused(*self._mishap.no_resume)
        past = self._pasts.get(handle)
        if past is None:
            raise Refused(1008, strictness.NO_ENTITY)
        too_early = past.was_idle and _now_s() - past.closed_s < self._timing.resume_s
        if past.is_open or too_early:
            await asyncio.sleep(self._timing.refuse_s)
            raise Refused(1011, strictness.INTERNAL)
        past.is_open = True
        return past

    async def _read(self, turns: tuple[tuple[str, str], ...], *, complete: bool) -> None:
        self._tally.read("".join(words for _, words in turns))
        history, self._history_due = self._history_due, False
        if history or not complete:
            return
        await self._cut_off(())
        words = "\n".join(words for role, words in turns if role == "user")
        await self._mind.put(partial(self._brain.nudged, words))

    async def _learn(self, answer: strictness.ToolAnswer) -> None:
        past = self._past
        call = past.calls.get(answer.id) if past else None
        if past is None or call is None or call.name != answer.name:
            raise Refused(1007, strictness.INVALID)
        if answer.id in past.told:
            return  # dropped when the caller spoke, or answered before
        self._tally.read(str(answer.response))
        if answer.final:
            past.told.add(answer.id)
        self._blocking.pop(answer.id, None)
        self._settle()
        await self._mind.put(partial(self._told, answer))

    async def _told(self, answer: strictness.ToolAnswer) -> Reply:
        reply = await self._brain.answered(answer.name, answer.id, answer.response)
        if answer.scheduling == "SILENT":
            return SILENCE
        if answer.scheduling == "INTERRUPT" and not self._caller_speaks and reply != SILENCE:
            await self._cut_off(())
        return reply

    # What the caller says

    def _at_16_khz(self, pcm: bytes, rate_hz: int) -> bytes:
        if rate_hz == MODEL_IN_HZ:
            return pcm
        if self._resampler is None or self._resampler.from_hz != rate_hz:
            self._resampler = Resampler(rate_hz, MODEL_IN_HZ)
        return self._resampler.push(pcm)

    async def _hear(self, pcm: bytes) -> None:
        self._heard_bytes += len(pcm)
        config = self._setup.get("realtimeInputConfig", {})
        if config.get("turnCoverage") != "TURN_INCLUDES_ONLY_ACTIVITY":
            self._tally.heard(len(pcm) / _IN_BYTES_PER_S)
        if config.get("automaticActivityDetection", {}).get("disabled"):
            if self._by_hand is not None:
                self._by_hand += pcm
            return
        for event in self._ears.feed(pcm):
            match event:
                case SpeechStarted(offset_s):
                    await self._speech_started(offset_s)
                case SpeechEnded(spoken, offset_s):
                    await self._speech_ended(spoken, offset_s)

    async def _mark(self, *, started: bool) -> None:
        offset_s = self._heard_bytes / _IN_BYTES_PER_S
        if started:
            self._by_hand = bytearray()
            await self._speech_started(offset_s)
        elif self._by_hand is not None:
            spoken, self._by_hand = bytes(self._by_hand), None
            await self._speech_ended(spoken, offset_s)

    async def _speech_started(self, offset_s: float) -> None:
        self._caller_speaks = True
        self._settle()
        await self._send(_activity("ACTIVITY_START", offset_s))
        handling = self._setup.get("realtimeInputConfig", {}).get("activityHandling")
        if handling != "NO_INTERRUPTION":
            dropped, self._blocking = tuple(self._blocking.values()), {}
            if self._past:
                self._past.told |= {call.id for call in dropped}
            self._settle()
            await self._cut_off(dropped)

    async def _speech_ended(self, pcm: bytes, offset_s: float) -> None:
        self._caller_speaks = False
        self._settle()
        config = self._setup.get("realtimeInputConfig", {})
        if config.get("turnCoverage") == "TURN_INCLUDES_ONLY_ACTIVITY":
            self._tally.heard(len(pcm) / _IN_BYTES_PER_S)
        await self._mind.put(partial(self._understood, pcm, offset_s))

    async def _understood(self, pcm: bytes, offset_s: float) -> Reply:
        words = await self._ears.read(pcm)
        if words and "inputAudioTranscription" in self._setup:
            await self._send({"serverContent": {"inputTranscription": {"text": words}}})
        await self._send(_activity("ACTIVITY_END", offset_s))
        return await self._brain.heard(words)

    # What the model does

    async def _think(self) -> None:
        while True:
            thought = await self._mind.get()
            reply = await thought()
            if reply != SILENCE:
                self._start(self._perform(reply))

    async def _follow(self, replies: AsyncIterator[Reply]) -> None:
        async for reply in replies:
            self._start(self._perform(reply))

    async def _perform(self, reply: Reply | None) -> None:
        while reply is not None:
            await asyncio.sleep(reply.wait_s)
            for frame in reply.raw:
                await (self._wire.send(frame) if isinstance(frame, str) else self._send(frame))
                self._take_back(frame)
            if reply.close:
                raise Refused(*reply.close)
            if reply.say or reply.calls or reply.spoilt.zeros_s:
                await self._take_the_floor(reply)
            reply = reply.then

    def _take_back(self, frame: str | Mapping[str, Any]) -> None:
        """Wait no longer for the answers to calls that a frame takes back."""
        taken_back = {} if isinstance(frame, str) else frame.get("toolCallCancellation") or {}
        for call_id in taken_back.get("ids", ()):
            self._blocking.pop(call_id, None)
        self._settle()

    async def _take_the_floor(self, reply: Reply) -> None:
        pcm = await self._voice.mouth.speak(reply.say) if reply.say else b""
        pcm = bytes(round(reply.spoilt.zeros_s * RATE_HZ) * 2) or pcm
        await asyncio.sleep(self._timing.think_s)
        async with self._floor:
            while not self._quiet.is_set():
                await self._quiet.wait()
            self._turn = asyncio.current_task()
            await self._have_a_turn(reply, pcm)

    async def _have_a_turn(self, reply: Reply, pcm: bytes) -> None:
        began_s = _now_s()
        spoilt = reply.spoilt
        delivery = deliver(pcm, reply.say, self._dice, odd=spoilt.odd)
        for number, piece in enumerate(delivery.pieces):
            if number == len(delivery.pieces) // 2:
                began_s += spoilt.stall_s
            await _sleep_until(began_s + piece.at_s)
            self._tally.said(sum(map(len, piece.parts)) / _OUT_BYTES_PER_S)
            for content in self._frames(piece):
                await self._send({"serverContent": content})
        if reply.calls:
            await self._call(reply.calls, twice=spoilt.twice)
        if spoilt.endless:
            self._turn = None
            return
        await self._send({"serverContent": {"generationComplete": True}})
        await _sleep_until(began_s + delivery.over_s)
        await self._end_turn()

    def _frames(self, piece: Piece) -> list[dict[str, Any]]:
        frames: list[dict[str, Any]] = []
        if piece.words and "outputAudioTranscription" in self._setup:
            frames.append({"outputTranscription": {"text": piece.words}})
        if piece.parts:
            parts = [
                {"inlineData": {"mimeType": f"audio/pcm;rate={RATE_HZ}", "data": b64encode(part).decode()}}
                for part in piece.parts
            ]
            frames.append({"modelTurn": {"role": "model", "parts": parts}})
        if len(frames) > 1 and self._dice.random() < 0.5:
            return [frames[0] | frames[1]]  # one frame may carry several things at once
        return frames

    async def _call(self, calls: tuple[FunctionCall, ...], *, twice: bool) -> None:
        written = []
        for call in calls:
            made = FunctionCall(
                call.name, call.args, call.id or f"function-call-{self._dice.getrandbits(63)}"
            )
            if self._past:
                self._past.calls[made.id] = made
            if self._strict.behaviors.get(made.name, self._strict.model.default_behavior) == "BLOCKING":
                self._blocking[made.id] = made
            written.append({"id": made.id, "name": made.name, "args": dict(made.args)})
        self._settle()
        self._tally.called(str(written))
        for _ in range(2 if twice else 1):
            await self._send({"toolCall": {"functionCalls": written}})

    async def _cut_off(self, dropped: tuple[FunctionCall, ...]) -> None:
        turn, self._turn = self._turn, None
        if turn:
            turn.cancel()  # with all that was to follow it
            await self._send({"serverContent": {"interrupted": True}})
            await self._end_turn()
        if (turn or dropped) and isinstance(self._brain, Mindful):
            self._brain.interrupted(dropped)

    async def _end_turn(self) -> None:
        self._turn = None
        await self._send({"serverContent": {"turnComplete": True}, "usageMetadata": self._tally.turn()})

    async def _grow_old(self) -> None:
        notice_s = min(self._timing.notice_s, self._timing.life_s)
        await asyncio.sleep(self._timing.life_s - notice_s)
        if notice_s:
            await self._send({"goAway": {"timeLeft": f"{notice_s:g}s"}})
            await asyncio.sleep(notice_s)
        raise Refused(1011, strictness.DEADLINE)

    def _settle(self) -> None:
        if self._caller_speaks or self._blocking:
            self._quiet.clear()
        else:
            self._quiet.set()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.create_task(work)

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._wire.send(json.dumps(message, ensure_ascii=False).encode())


def _activity(kind: str, offset_s: float) -> dict[str, Any]:
    return {"voiceActivity": {"type": kind, "audioOffset": f"{offset_s:.3f}s"}}


def _now_s() -> float:
    return asyncio.get_running_loop().time()


async def _sleep_until(when_s: float) -> None:
    await asyncio.sleep(max(0.0, when_s - _now_s()))
