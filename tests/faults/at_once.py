"""Place calls on one server process and play them all at once: caller, model and carrier, each by its script.

Calls are placed one after another. A connection to the model is known for that of a call by the handle that
it brings; one that brings none is that of the call which was placed last.
"""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import groupby
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.line import SUBPROTOCOL, Line, LocalModel, eventually
from tests.processes import free_port
from voice.sandbox.brain import Reply, Voice
from voice.sandbox.live_server import LiveServer, Seen
from voice.sandbox.mishaps import NO_MISHAP
from voice.sandbox.scenario import Scenario
from voice.sandbox.scripted import EnergyEars, ScriptedBrain, TonalMouth
from voice.sandbox.tones import decode, encode

_FRAME_BYTES = 640
_QUIET = bytes(_FRAME_BYTES)
_LONGEST_S = 60.0


@dataclass(frozen=True)
class Case:
    """A call: what the model and the caller do, what each hears, and what is in the row afterwards.

    `told` is what the model is told in words, in this order and perhaps with more between; `heard` what the
    caller hears, likewise, a recording by its name in brackets. `says` is when the caller says what; what he
    says at the first sound of the greeting is `breaks_in`. `runs` are the tools that were run and what came
    of them, and `answers` how many answers the model was sent.
    """

    story: Scenario
    reason: str = "caller_hangup"
    counts: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()
    stays_s: float = 4.0
    says: tuple[tuple[float, str], ...] = ()
    breaks_in: str = ""
    types: tuple[Mapping[str, object], ...] = ()
    outcome: str = "no_outcome"
    runs: tuple[tuple[str, str], ...] | None = None
    answers: int | None = None
    back_s: tuple[float, float] | None = None
    """How long after the loss of the model another connection is opened, at least and at most."""


@dataclass
class Played:
    """A call, as its caller, its model and its row saw it; times are of the monotonic clock."""

    session_id: str = ""
    setups: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    told: list[tuple[float, str]] = field(default_factory=list)
    answers: int = 0
    frames: list[tuple[float, bytes]] = field(default_factory=list)
    cleared: int = 0
    code: int = 0
    closed_s: float = 0.0
    reason: str = ""
    outcome: str = ""
    counters: dict[str, int] = field(default_factory=dict)
    timings: dict[str, Any] = field(default_factory=dict)
    runs: tuple[tuple[str, str], ...] = ()
    fault: Exception | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the model was dialled, or will not be."""

    def utterances(self) -> list[tuple[float, str]]:
        """Return what the agent was heard to say in tones, and when the ear had heard all of it."""
        found, ear_s = [], 0.0
        for sounds, frames in groupby(self.frames, lambda frame: any(frame[1])):
            pcm = b""
            for at_s, frame in frames:
                ear_s = max(ear_s, at_s) + len(frame) / 32_000
                pcm += frame
            if sounds and (words := decode(pcm, 16_000)):
                found.append((ear_s, words))
        return found


class Stage:
    """The models of several calls at once; whose a connection is, is known from its first frame on."""

    def __init__(self, cases: Mapping[str, Case]) -> None:
        self.cases = cases
        self.played = {name: Played() for name in cases}
        self._placed = ""
        self._of: dict[int, str] = {}
        self._by_handle: dict[str, str] = {}
        self._whose: ContextVar[str] = ContextVar("whose")  # in the tasks of one connection

    async def run(self, line: Line, port: int) -> None:
        """Place all calls, and return when the last is over."""
        mishaps = [one for case in self.cases.values() for one in case.story.connections or (NO_MISHAP,)]
        voice = Voice(
            brain_factory=lambda _: _Witness(self, self._whose.get()),
            ears_factory=lambda setup: EnergyEars(setup, iter(())),
            mouth=TonalMouth(),
        )
        async with LiveServer(voice=voice, port=port, mishaps=mishaps, witness=self._see):
            talking = [await self._place(line, name) for name in self.cases]
            await asyncio.gather(*talking)

    async def _place(self, line: Line, name: str) -> "asyncio.Task[None]":
        self._placed = name
        task = asyncio.create_task(self._play(line, name))
        await self.played[name].begun.wait()
        return task

    async def _play(self, line: Line, name: str) -> None:
        try:
            async with asyncio.timeout(_LONGEST_S):
                await _carry(line, self.cases[name], self.played[name])
        except Exception as fault:  # kept for the test of this call, which raises it; the other calls go on
            self.played[name].fault = fault
        finally:
            self.played[name].begun.set()

    def _see(self, seen: Seen) -> None:
        if b'"audio"' in (frame := seen.frame.encode() if isinstance(seen.frame, str) else seen.frame):
            return
        message: dict[str, Any] = {}
        with suppress(ValueError):
            message = json.loads(frame)
        if seen.from_client and seen.session not in self._of:
            handle = message["setup"]["sessionResumption"].get("handle", "")
            name = self._of[seen.session] = self._by_handle.get(handle, self._placed)
            self._whose.set(name)
            self.played[name].setups.append((_now_s(), message["setup"]))
            self.played[name].begun.set()
        elif not seen.from_client and (handle := message.get("sessionResumptionUpdate", {}).get("newHandle")):
            self._by_handle[handle] = self._of[seen.session]
        elif seen.from_client and (text := message.get("realtimeInput", {}).get("text")):
            self.played[self._of[seen.session]].told.append((_now_s(), text))
        elif seen.from_client and "toolResponse" in message:
            self.played[self._of[seen.session]].answers += 1


class _Witness(ScriptedBrain):
    """Does what its scenario says, and keeps what it understands the caller to say."""

    def __init__(self, stage: Stage, name: str) -> None:
        super().__init__(stage.cases[name].story)
        self._played = stage.played[name]

    async def heard(self, utterance: str) -> Reply:
        """Answer what the caller said."""
        self._played.told.append((_now_s(), f"[caller] {utterance}"))
        return await super().heard(utterance)


async def _carry(line: Line, case: Case, played: Played) -> None:
    """Place a call, play its caller, and take what its row says when it is over."""
    played.session_id = line.new_session()
    path = await asyncio.to_thread(line.stream_path, played.session_id)
    address = f"ws://127.0.0.1:{line.port}{path}"
    protocol = Subprotocol(SUBPROTOCOL)
    async with connect(address, subprotocols=[protocol], compression=None, proxy=None) as telephone:
        talking = asyncio.create_task(_talk(telephone, case, played))
        with suppress(ConnectionClosed):  # with a code of ours, where we are the first
            async for frame in telephone:
                if isinstance(frame, bytes):
                    played.frames.append((_now_s(), frame))
                else:
                    played.cleared += "killAudio" in frame
        played.closed_s, played.code = _now_s(), telephone.close_code or 0
        await talking
    query = (
        "SELECT id, ended_reason, outcome, counters, timings FROM voice_call "
        "WHERE session_id = ? AND ended_at NOT NULL"
    )
    [row] = await asyncio.to_thread(eventually, lambda: line.rows(query, played.session_id), 15)
    pk, played.reason, played.outcome, counters, timings = row
    played.counters, played.timings = json.loads(counters), json.loads(timings)
    played.runs = tuple(line.rows("SELECT name, state FROM voice_toolrun WHERE call_id = ? ORDER BY id", pk))


async def _talk(telephone: ClientConnection, case: Case, played: Played) -> None:
    began_s, saying, says = _now_s(), b"", list(case.says)
    broke_in = not case.breaks_in
    with suppress(ConnectionClosed):  # the server was first
        for text in case.types:
            await telephone.send(json.dumps(text))
        for tick in range(round(case.stays_s * 50)):
            if says and says[0][0] <= tick / 50:
                saying += encode(says.pop(0)[1], 16_000)
            if not broke_in and any(any(frame) for _, frame in played.frames):
                broke_in, saying = True, encode(case.breaks_in, 16_000)
            frame, saying = saying[:_FRAME_BYTES] or _QUIET, saying[_FRAME_BYTES:]
            await telephone.send(frame)
            await asyncio.sleep(began_s + (tick + 1) / 50 - _now_s())
        await telephone.close()


def _now_s() -> float:
    return time.monotonic()


@dataclass
class Carrier:
    """The carrier's interface, as far as a call is ended by it."""

    url: str = ""
    hung_up_s: dict[str, list[float]] = field(default_factory=dict)


@contextmanager
def a_carrier() -> Iterator[Carrier]:
    """Run one that takes every hang-up and knows nothing else."""
    carrier = Carrier()

    class Interface(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            *_, session_id, verb = self.path.split("/")
            if verb == "hangup":
                carrier.hung_up_s.setdefault(session_id, []).append(_now_s())
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Interface) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        carrier.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield carrier
        finally:
            server.shutdown()
            thread.join()


@dataclass
class House:
    """One server process for all calls here, and what became of those that were placed."""

    line: Line
    port: int
    carrier: Carrier
    _played: dict[str, Played] = field(default_factory=dict)

    def played(self, cases: Mapping[str, Case], name: str) -> Played:
        """Return a call, having placed all that run at once with it if it was not yet."""
        if name not in self._played:
            stage = Stage(cases)
            asyncio.run(stage.run(self.line, self.port))
            self._played |= stage.played
        return self._played[name]


@contextmanager
def a_house(folder: Path, **environment: str) -> Iterator[House]:
    """Run the server, and fail when what it printed holds a traceback, a secret or a number."""
    port = free_port()
    model = cast("LocalModel", SimpleNamespace(url=f"ws://127.0.0.1:{port}"))
    with a_carrier() as carrier:
        line = Line(folder, "serve", model, environment | {"SAUTIKIT_BASE_URL": carrier.url})
        line.start()
        try:
            yield House(line, port, carrier)
        finally:
            line.stop()
    assert "Traceback" not in line.log()
    assert not line.leaks(), line.log()
