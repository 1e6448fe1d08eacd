"""Many calls for a long time, with a random fault every few seconds: a real server, the local Live server."""

import asyncio
import logging
import os
import sqlite3
import struct
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from types import SimpleNamespace
from typing import Any, cast

import httpx
import psycopg
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.typing import Subprotocol

from tests.faults.proxy import HOLE, NO_FAULT, Fault, Proxy, a_proxy
from tests.line import SUBPROTOCOL, Line, LocalModel
from tests.processes import free_port
from tests.raw import RawSocket, handshake, ws_frame
from voice.sandbox.live_server import LiveServer
from voice.sandbox.scenario import parse
from voice.sandbox.scripted import scripted_voice

logger = logging.getLogger(__name__)
CALLS = 20
EVERY_S = 5.0
_LOUD = b"\x00\x20" * 320
_QUIET = bytes(640)
_SETTLE_S = 25.0
_STORY = parse({
    "when": [
        {"nudged": "", "once": True, "say": "Hello, this is the courier, I am an AI."},
        {"heard": "", "calls": [{"name": "track_shipment"}]},
        {"answered": "track_shipment", "say": "{message}"},
        {"nudged": "", "say": "I am here."},
    ]
})  # fmt: skip


@dataclass
class State:
    """What the server process holds at one moment."""

    descriptors: int
    threads: int
    memory_bytes: int


@dataclass
class Soaked:
    """What came of it."""

    seed: int
    calls: int = 0
    refused: int = 0
    unanswered: int = 0  # webhooks that were waited for in vain, which a starved machine does too
    heard_bytes: int = 0
    faults: list[str] = field(default_factory=list)
    open_calls: int = 0
    log: str = ""
    idle: State | None = None  # after the first calls
    end: State | None = None
    memory_bytes: list[int] = field(default_factory=list)  # as time passed, under load

    @property
    def growth_bytes(self) -> float:
        """Return how much more memory the process had in the last quarter than in the second.

        In the first it grows to what so many calls need at most, and what the allocator keeps of that.
        """
        quarter = len(self.memory_bytes) // 4
        return median(self.memory_bytes[-quarter:]) - median(self.memory_bytes[quarter : 2 * quarter])


def state_of(line: Line) -> State:
    """Return what the process holds now."""
    process = Path(f"/proc/{line.process.pid}")
    descriptors, threads = (sum(1 for _ in (process / what).iterdir()) for what in ("fd", "task"))
    return State(descriptors, threads, line.memory_bytes())


class Soak:
    """One run of it."""

    def __init__(self, line: Line, telephone: Proxy, model: Proxy, seed: int) -> None:
        self.line = line
        self.telephone = telephone
        self.model = model
        self.dice = Random(seed)
        self.soaked = Soaked(seed)
        self.until_s = 0.0
        self.postgres = os.environ.get("DATABASE_URL", "")
        self._next = 0

    async def run(self, seconds: float) -> Soaked:
        """Hold the calls for so long, then let all settle."""
        await self._round(10.0)  # what is imported and allocated once is no leak
        self.soaked.idle = await self._settled()
        self.until_s = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLS):
                group.create_task(self._keep_calling())
            group.create_task(self._spoil())
            group.create_task(self._weigh())
        self.telephone.heal()
        self.model.heal()
        self.soaked.end = await self._settled()
        open_calls = "SELECT count(*) FROM voice_call WHERE answered_at IS NOT NULL AND ended_at IS NULL"
        self.soaked.open_calls = self._count(open_calls)
        return self.soaked

    async def _round(self, seconds: float) -> None:
        self.until_s = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLS):
                group.create_task(self._keep_calling())

    async def _settled(self) -> State:
        """Wait until nothing falls any more, and return what is left."""
        least = await asyncio.to_thread(state_of, self.line)
        until_s = time.monotonic() + _SETTLE_S
        while time.monotonic() < until_s:
            await asyncio.sleep(1)
            now = await asyncio.to_thread(state_of, self.line)
            if now.descriptors < least.descriptors:
                until_s = max(until_s, time.monotonic() + 3)
            least = State(
                min(least.descriptors, now.descriptors), min(least.threads, now.threads), now.memory_bytes
            )
            if least.descriptors <= (self.soaked.idle.descriptors if self.soaked.idle else 0):
                break
        return least

    # Callers

    async def _keep_calling(self) -> None:
        while time.monotonic() < self.until_s:
            await asyncio.sleep(self.dice.uniform(0.1, 1.0))
            with suppress(OSError, TimeoutError, WebSocketException, AssertionError):
                await self._call()

    async def _call(self) -> None:
        self._next += 1
        number = f"+2547000000{10 + self._next % 80}"
        ringing = asyncio.to_thread(self.line.ring, self.line.new_session(), callerNumber=number)
        try:
            answer = await ringing
        except httpx.TimeoutException:
            self.soaked.unanswered += 1
            return
        if "<Stream" not in answer.text:
            self.soaked.refused += 1
            return
        path = answer.text.split(f":{self.line.port}", 1)[1].split('"', 1)[0]
        stays_s = min(self.dice.uniform(3, 30), max(2.0, self.until_s - time.monotonic()))
        address = f"ws://127.0.0.1:{self.telephone.port}{path}"
        try:
            telephone = await connect(
                address,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                compression=None,
                proxy=None,
                open_timeout=10,
                close_timeout=2,
                ping_interval=None,
            )
        except InvalidHandshake:
            self.soaked.refused += 1
            return
        self.soaked.calls += 1
        listening = asyncio.create_task(self._listen(telephone))
        try:
            await self._talk(telephone, stays_s)
        finally:
            await telephone.close()
            await asyncio.gather(listening, return_exceptions=True)

    async def _talk(self, telephone: Any, seconds: float) -> None:
        began_s = time.monotonic()
        for step in range(round(seconds * 50)):
            await telephone.send(_LOUD if step % 250 in range(150, 190) else _QUIET)
            await asyncio.sleep(max(0.0, began_s + step * 0.02 - time.monotonic()))

    async def _listen(self, telephone: Any) -> None:
        async for frame in telephone:
            if isinstance(frame, bytes):
                self.soaked.heard_bytes += len(frame)

    async def _weigh(self) -> None:
        while time.monotonic() < self.until_s:
            self.soaked.memory_bytes.append(self.line.memory_bytes())
            await asyncio.sleep(1)

    # Faults

    async def _spoil(self) -> None:
        faults: dict[str, Callable[[], None]] = {
            "model reset": self.model.reset,
            "model dropped": self.model.drop,
            "model in a hole": lambda: self.model.spoil(up=HOLE, down=HOLE),
            "model mute": lambda: self.model.spoil(down=HOLE),
            "model late": lambda: self.model.spoil(down=Fault(latency_s=0.4, jitter_s=0.3)),
            "model narrow": lambda: self.model.spoil(down=Fault(bytes_per_s=60_000)),
            "model refuses": self._refuse,
            "telephones reset": self.telephone.reset,
            "telephones late": lambda: self.telephone.spoil(up=Fault(latency_s=0.3, jitter_s=0.2)),
            "telephones sliced": lambda: self.telephone.spoil(up=Fault(slice_bytes=7)),
            "telephones read nothing": lambda: self.telephone.spoil(down=HOLE),
            "telephones in a hole": lambda: self.telephone.spoil(up=HOLE, down=HOLE),
            "database locked": self._lock,
            "flood": self._flood,
            "nonsense": self._nonsense,
            "a burst of rings": self._ring,
        }
        while (left_s := self.until_s - time.monotonic()) > 0:
            name = self.dice.choice(sorted(faults))
            self.soaked.faults.append(name)
            logger.info("fault: %s", name)
            with suppress(OSError):
                await asyncio.to_thread(faults[name])
            await asyncio.sleep(min(left_s, EVERY_S * self.dice.uniform(0.4, 0.8)))
            self.model.heal()
            self.telephone.spoil(up=NO_FAULT, down=NO_FAULT)
            await asyncio.sleep(min(max(0.0, self.until_s - time.monotonic()), EVERY_S * 0.4))

    def _refuse(self) -> None:
        self.model.refuses = True
        self.model.reset()

    def _count(self, query: str) -> int:
        if self.postgres:
            with psycopg.connect(self.postgres) as database:
                return int(database.execute(query).fetchall()[0][0])
        return int(self.line.rows(query)[0][0])

    def _lock(self) -> None:
        if self.postgres:
            with psycopg.connect(self.postgres) as other:
                other.execute("LOCK TABLE voice_call IN ACCESS EXCLUSIVE MODE")
                time.sleep(1.0)
            return
        with closing(sqlite3.connect(self.line.database, timeout=10, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            time.sleep(1.0)
            database.execute("ROLLBACK")

    def _flood(self) -> None:
        with RawSocket(self.line.port) as telephone:
            telephone.shake_hands(self.line.stream_path())
            telephone.socket.settimeout(2)
            telephone.send(ws_frame(2, _QUIET) * 5_000)

    def _nonsense(self) -> None:
        for head in (b"\x16\x03\x01" + bytes(200), handshake("/audio/" + "x" * 43), b"GET / HTTP/1.1\r\nHo"):
            with RawSocket(self.line.port) as telephone:
                telephone.send(head)
                telephone.socket.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER: close with RST

    def _ring(self) -> None:
        for _ in range(20):
            self.line.ring(self.line.new_session())


def soak(folder: Path, seconds: float, seed: int) -> Soaked:
    """Run the whole of it, on the services that the environment names, and return what came of it."""
    port = free_port()
    with a_proxy(port, seed=seed) as to_model:
        model = cast("LocalModel", SimpleNamespace(url=f"ws://127.0.0.1:{to_model.port}"))
        services = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL") if name in os.environ}
        # Rings whose streams never come keep their places for a short time only: there are bursts of them.
        limits = {"ADMISSION_CALLS": "60", "CALL_NO_FRAMES_S": "5", "STREAM_TOKEN_S": "5"}
        line = Line(folder, "serve", model, limits | services)
        line.start()
        try:
            line.manage("seed_demo")
            with a_proxy(line.port, seed=seed) as to_us:
                soaked = asyncio.run(_with_model(Soak(line, to_us, to_model, seed), port, seconds))
        finally:
            line.stop()
        soaked.log = line.log()
        return soaked


async def _with_model(run: Soak, port: int, seconds: float) -> Soaked:
    async with LiveServer(voice=scripted_voice(_STORY), port=port, seed=run.soaked.seed):
        return await run.run(seconds)
