"""Speak to the telephone: what the model or a recording says, no faster than it is to be heard."""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf

from voice import events as call
from voice.audio import TELEPHONE_HZ, Resampler
from voice.limits import Tuning
from voice.pacing import Pacer
from voice.ports import Telephone
from voice.wire import sautikit

_TURN_LATE_S = 0.06
"""How long after it was due speech goes out without a frame of his: 100 ms of it are unheard then."""


class Speaker:
    """What is said in one call, on its way to the telephone; `run` sends it, and reports what was heard.

    `sends_regularly` tells of a moment whether the caller's frames come without a pause: then they are the
    clock of what goes back.
    """

    def __init__(
        self,
        telephone: Telephone,
        tuning: Tuning,
        *,
        report: Callable[[call.Event], Awaitable[None]],
        sends_regularly: Callable[[float], bool],
    ) -> None:
        self._telephone = telephone
        self._report = report
        self._sends_regularly = sends_regularly
        self._stall_s = tuning.stall_s
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self._pacer = Pacer(TELEPHONE_HZ, tuning.lead_s, limit_s=tuning.queue_s, tail_ms=tuning.tail_ms)
        self._resampler: Resampler | None = None
        self._utterance_is_new = True
        self._is_playing = False
        self._queued = asyncio.Event()
        self._sending_s = inf  # since when the telephone has not taken what we send
        self._turn: asyncio.Future[bool] | None = None  # while the caller's frames give it

    async def run(self) -> None:
        """Send what is queued until cancelled."""
        pacer, telephone = self._pacer, self._telephone
        while True:
            wait_s = pacer.wait_s(self._time())
            if wait_s is None:
                await self._await_speech()
                continue
            in_turn = wait_s > 0 and await self._await_turn(wait_s)
            if pcm := pacer.pop(self._time(), in_turn=in_turn):
                if not telephone.play_now(pcm):
                    self._sending_s = self._time()
                    await telephone.play(pcm)
                    self._sending_s = inf
                if self._utterance_is_new:
                    self._utterance_is_new = False
                    await self._report(call.AgentHeard())

    def play(self, pcm: bytes, rate_hz: int) -> None:
        """Queue 16-bit mono PCM of any rate, as a part of what is being said."""
        if rate_hz != TELEPHONE_HZ:
            if self._resampler is None or self._resampler.from_hz != rate_hz:
                self._resampler = Resampler(rate_hz, TELEPHONE_HZ)
            pcm = self._resampler.push(pcm)
        self._pacer.put(pcm)
        self._is_playing = True
        self._queued.set()

    def say(self, pcm: bytes) -> None:
        """Queue a recording, at the telephone's rate, as an utterance of its own.

        One that is missing is empty and over at once: the call goes on as if it had been heard.
        """
        self._flush()
        self._pacer.put(pcm)
        self.end_utterance()

    def end_utterance(self) -> None:
        """Let what is queued be a whole utterance: what comes next is another."""
        self._flush()
        self._pacer.end_utterance()
        self._utterance_is_new = self._is_playing = True
        self._queued.set()

    def trim(self, keep_s: float) -> None:
        """Drop what is queued but for its beginning."""
        self._pacer.trim(keep_s)

    async def hush(self) -> None:
        """Drop what is queued here and what waits at the telephone."""
        self._pacer.clear(self._time())
        self._resampler = None
        self._utterance_is_new = True
        self._is_playing = False
        await self._telephone.write(sautikit.clear())

    def take_turn(self, now_s: float) -> None:
        """Let what is due go out with a frame of the caller's that has just come."""
        if self._turn is not None and self._pacer.is_turn(now_s):
            self._give_turn(in_turn=True)

    def is_stuck(self, now_s: float) -> bool:
        """Tell, once, that the telephone reads nothing any more."""
        if now_s - self._sending_s <= self._stall_s:
            return False
        self._sending_s = inf
        return True

    def counters(self) -> dict[str, int]:
        """Return what came of all that was said, in milliseconds."""
        return self._pacer.counters(self._time())

    def _flush(self) -> None:
        if self._resampler is not None:
            self._pacer.put(self._resampler.flush())

    async def _await_turn(self, wait_s: float) -> bool:
        """Wait until the next frames may go out, and tell whether one of the caller's has taken them along.

        A timer for each woke the loop once more, which is a tenth of what a call costs. It remains for a
        telephone that is silent, and strikes soon after a frame that did not come: the lead bears it.
        """
        if not self._sends_regularly(self._time()):
            await asyncio.sleep(wait_s)
            return False
        self._turn = self._loop.create_future()
        missed = self._loop.call_later(wait_s + _TURN_LATE_S, self._give_turn)
        try:
            return await self._turn
        finally:
            self._turn = None
            missed.cancel()

    def _give_turn(self, *, in_turn: bool = False) -> None:
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(in_turn)

    async def _await_speech(self) -> None:
        """Wait for something to say, and report once that all before it has been heard."""
        self._queued.clear()
        if not self._is_playing:
            await self._queued.wait()
            return
        try:
            async with asyncio.timeout(self._pacer.left_s(self._time())):
                await self._queued.wait()
        except TimeoutError:
            if not self._queued.is_set():
                self._is_playing = False
                await self._report(call.PlayedOut())
