"""Put up the whole line for a measurement: a server process, the local Live server, the fake carrier.

Callers say who they are in tones, so that the model knows which call it is in; the model speaks in pitches,
so that the caller's ear can tell what it hears.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np

from tests.line import OWN_NUMBER, ROUTING, Line, LocalModel
from voice.prompts import greeting_nudge
from voice.sandbox.brain import SILENCE, FunctionCall, Reply, Voice
from voice.sandbox.call_record import CallRecord
from voice.sandbox.caller import Moment, is_audible
from voice.sandbox.carrier import FakeCarrier
from voice.sandbox.live_server import LiveServer, Seen
from voice.sandbox.mishaps import Mishap
from voice.sandbox.pbx import TICK_BYTES, TICK_S
from voice.sandbox.scripted import EnergyEars
from voice.sandbox.stream import Media
from voice.sandbox.tones import encode

GREETING, TALE, BACK = "greeting", "tale", "back"
_PITCHES = {GREETING: (800, 1.0), TALE: (1_200, 6.0), BACK: (2_000, 1.0)}  # Hz, seconds
_PURE = 0.7  # of a tick's power that one pitch has


@dataclass
class Told:
    """What the model did to the calls, by the number that each says; seconds of the loop's clock."""

    lose_after_s: Mapping[int, tuple[float, tuple[int, str]]] = field(default_factory=dict)
    lost_s: dict[int, float] = field(default_factory=dict)
    cut_off_s: dict[int, list[float]] = field(default_factory=dict)


class Storyteller:
    """A brain that greets, tells a long tale to who speaks, and is lost in it when that is planned."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._number = -1
        self._known = asyncio.Event()

    async def nudged(self, text: str) -> Reply:
        """Greet, or say that it is back."""
        return Reply(GREETING if text == greeting_nudge("en") else BACK)

    async def heard(self, utterance: str) -> Reply:
        """Begin the tale, for who says a number."""
        last = utterance.rpartition(" ")[2]
        if last.isdigit():
            self._number = int(last)
            self._known.set()
        return Reply(TALE)

    async def answered(self, name: str, call_id: str, response: Mapping[str, object]) -> Reply:
        """Say nothing: no tool is called."""
        return SILENCE

    async def unprompted(self) -> AsyncIterator[Reply]:
        """Be lost when it is planned."""
        await self._known.wait()
        if self._number in self._told.lose_after_s:
            after_s, close = self._told.lose_after_s[self._number]
            await asyncio.sleep(after_s)
            self._told.lost_s[self._number] = asyncio.get_running_loop().time()
            yield Reply(close=close)

    def interrupted(self, dropped: tuple[FunctionCall, ...]) -> None:
        """Note when; the client was told just before."""
        now_s = asyncio.get_running_loop().time()
        self._told.cut_off_s.setdefault(self._number, []).append(now_s)


class _Pitches:
    """A mouth of sines."""

    async def speak(self, text: str) -> bytes:
        """Return 24 kHz s16le mono sound."""
        hz, seconds = _PITCHES[text]
        times = np.arange(round(24_000 * seconds)) / 24_000
        return (np.sin(2 * np.pi * hz * times) * 8_000).astype("<i2").tobytes()


class Talker:
    """A caller who says what they are given, when they are given it, and hangs up when asked to."""

    def __init__(self) -> None:
        self.leaves = False
        self._speech = b""

    def say(self, pcm: bytes) -> None:
        """Say it now; 16 kHz s16le mono."""
        self._speech += pcm

    def name_self(self, number: int) -> None:
        """Say a number in tones."""
        self.say(encode(f"I am caller {number:02d}", 16_000))

    def live(self, heard: bytes) -> Moment:
        """Speak on."""
        if self.leaves:
            return Moment(hangs_up=True)
        said, self._speech = self._speech[:TICK_BYTES], self._speech[TICK_BYTES:]
        return Moment(said)


@dataclass
class Stage:
    """A line with its neighbours; `frames` are those of the model's connections, with the loop's time."""

    line: Line
    carrier: FakeCarrier
    told: Told
    frames: list[tuple[float, Seen]]
    _calls: list["asyncio.Task[CallRecord]"] = field(default_factory=list)

    async def place(self, how_many: int) -> list[Talker]:
        """Place calls one after another, and return the callers once the model greeted all of them."""
        talkers = [Talker() for _ in range(how_many)]
        for number, talker in enumerate(talkers):
            ringing = self.carrier.place_call(OWN_NUMBER, f"+2547000001{number:02d}", talker)
            self._calls.append(asyncio.create_task(ringing))
            await asyncio.sleep(0.1)
        async with asyncio.timeout(20):
            while self.sessions() < how_many:  # noqa: ASYNC110 - a benchmark may poll
                await asyncio.sleep(0.05)
        await asyncio.sleep(3.0)  # the greeting is heard out
        return talkers

    def sessions(self) -> int:
        """Return how many conversations the model was asked for."""
        return len({seen.session for _, seen in self.frames})

    async def end(self, talkers: Sequence[Talker]) -> list[CallRecord]:
        """Have all callers hang up, and return what the carrier saw."""
        for talker in talkers:
            talker.leaves = True
        return list(await asyncio.gather(*self._calls))


@asynccontextmanager
async def a_stage(
    *, told: Told | None = None, mishaps: Sequence[Mishap] = (), **environment: str
) -> AsyncIterator[Stage]:
    """Run the line; `mishaps` meet the model's connections in the order of their arrival."""
    told = told or Told()
    frames: list[tuple[float, Seen]] = []
    loop = asyncio.get_running_loop()
    voice = Voice(
        brain_factory=lambda _: Storyteller(told),
        ears_factory=lambda setup: EnergyEars(setup, iter(())),
        mouth=_Pitches(),
    )
    live = LiveServer(
        voice=voice, mishaps=mishaps, witness=lambda seen: frames.append((loop.time(), seen)), seed=1
    )
    with tempfile.TemporaryDirectory() as folder:
        async with live:
            model = cast("LocalModel", SimpleNamespace(url=live.url))
            line = Line(Path(folder), "serve", model, {"ADMISSION_CALLS": "200"} | environment)
            try:
                await asyncio.to_thread(line.start)
                async with FakeCarrier(f"{line.http}/voice/{ROUTING}") as carrier:
                    yield Stage(line, carrier, told, frames)
            finally:
                await asyncio.to_thread(line.stop)


def heard(media: Media) -> Iterator[tuple[float, str]]:
    """Yield what the ear heard in each 20 ms, with the loop's time: a pitch's name, other, or nothing."""
    for tick, at in enumerate(range(0, len(media.heard), TICK_BYTES)):
        pcm = bytes(media.heard[at : at + TICK_BYTES])
        yield media.began_s + tick * TICK_S, _sound(pcm) if is_audible(pcm) else ""


def _sound(pcm: bytes) -> str:
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    power = np.abs(np.fft.rfft(samples)) ** 2
    for name, (hz, _) in _PITCHES.items():
        place = round(hz * len(samples) / 16_000)
        if power[place - 1 : place + 2].sum() > _PURE * power.sum():
            return name
    return "other"
