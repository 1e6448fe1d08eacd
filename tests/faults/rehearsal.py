"""A whole call in virtual time: our bridge and session against the local Live server's own conversation.

Only the sockets are left out. What the server would do to a connection (a refused upgrade, a close with its
code and reason, a stall) is done here by the same scenario files, and translated by the client's own table.
"""

import asyncio
import base64
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.peers import FakeJournal, FakeTelephone
from tests.virtual_time import run
from voice import tools
from voice.bridge import Bridge
from voice.clients.gemini import closed
from voice.errors import ModelBusy, ModelLost, ModelRefused
from voice.limits import Limits, Tuning
from voice.ports import Outcome, Ports
from voice.records import Ending, ToolRecord, TurnRecord
from voice.sandbox.conversation import Conversation, Past
from voice.sandbox.mishaps import ABORTED, NO_MISHAP, Mishap
from voice.sandbox.scenario import Scenario, load
from voice.sandbox.scripted import scripted_voice
from voice.sandbox.strictness import Strictness
from voice.sandbox.timing import Timing
from voice.scene import Brief
from voice.session import Session
from voice.wire import gemini

QUIET = bytes(640)
LOUD = b"\x00\x20" * 320
_CLIP = b"\x05\x00" * 16_000
"""A recording of ours lasts a second; the model's speech has other samples."""
CLIPS = ("greeting", "filler", "apology", "apology_callback", "goodbye", "ask")


@dataclass
class Seen:
    """One connection, as the model's side saw it: (when, frame) both ways."""

    from_us: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    to_us: list[tuple[float, str]] = field(default_factory=list)
    opened_s: float = 0.0
    closed_s: float | None = None
    task: "asyncio.Task[None] | None" = None

    @property
    def setup(self) -> dict[str, Any]:
        """Return what it was opened with."""
        return dict(self.from_us[0][1]["setup"])

    @property
    def handle(self) -> str:
        """Return the handle that it was to be resumed from."""
        return str(self.setup.get("sessionResumption", {}).get("handle", ""))

    @property
    def audio(self) -> bytes:
        """Return what it heard of the caller."""
        return b"".join(
            base64.b64decode(message["realtimeInput"]["audio"]["data"])
            for _, message in self.from_us
            if "audio" in message.get("realtimeInput", {})
        )

    @property
    def texts(self) -> list[str]:
        """Return what we told the model in words, besides its setup."""
        return [
            message["realtimeInput"]["text"]
            for _, message in self.from_us
            if "text" in message.get("realtimeInput", {})
        ]

    @property
    def answers(self) -> list[dict[str, Any]]:
        """Return the answers to its tool calls."""
        return [
            dict(answer)
            for _, message in self.from_us
            for answer in message.get("toolResponse", {}).get("functionResponses", [])
        ]


class _FarEnd:
    """The server's end of a connection without a socket."""

    def __init__(self, near: "_NearEnd") -> None:
        self._near = near

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        while (frame := await self._near.sent.get()) is not None:
            yield frame

    async def send(self, frame: str | bytes) -> None:
        self._near.seen.to_us.append((self._near.time(), str(frame)[:80]))
        self._near.got.put_nowait(frame)

    async def close(self, code: int, reason: str) -> None:
        self._near.got.put_nowait(closed(code, reason) if code != ABORTED else ModelLost("1006"))


class _NearEnd:
    """Our end of it, as the bridge's port."""

    def __init__(self, seen: Seen) -> None:
        self.sent: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self.got: asyncio.Queue[str | bytes | Exception] = asyncio.Queue()
        self.seen = seen
        self.time = asyncio.get_running_loop().time

    def is_congested(self) -> bool:
        return False

    async def send(self, frame: str | bytes) -> None:
        self.send_now(frame)

    def send_now(self, frame: str | bytes) -> None:
        self.seen.from_us.append((self.time(), json.loads(frame)))
        self.sent.put_nowait(frame.decode() if isinstance(frame, bytes) else frame)

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        while True:
            frame = await self.got.get()
            if isinstance(frame, Exception):
                raise frame
            yield frame

    async def close(self) -> None:
        if self.seen.closed_s is None:
            self.seen.closed_s = self.time()
            self.sent.put_nowait(None)
            if self.seen.task:
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([self.seen.task], timeout=1)


@dataclass
class Played:
    """A rehearsed call, after its end."""

    telephone: FakeTelephone
    sessions: list[Seen]
    journal: FakeJournal
    ran: list[str] = field(default_factory=list)
    callbacks: list[str] = field(default_factory=list)
    hung_up: int = 0
    tasks_left: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ending(self) -> Ending:
        """Return how it ended."""
        assert self.journal.ending is not None
        return self.journal.ending

    @property
    def agent(self) -> str:
        """Return all that the model was transcribed to say."""
        return " ".join(
            r.text for r in self.journal.records if isinstance(r, TurnRecord) and r.speaker == "agent"
        )

    @property
    def tool_records(self) -> list[ToolRecord]:
        """Return the records of tools that were run."""
        return [record for record in self.journal.records if isinstance(record, ToolRecord)]

    @property
    def heard_at(self) -> list[float]:
        """Return when the caller was sent something that has a sound."""
        return [at for at, frame in self.telephone.got if isinstance(frame, bytes) and any(frame)]

    def silence_before(self, until_s: float) -> float:
        """Return the longest time until then in which the caller heard nothing, counted from the answer.

        What was sent ahead of its time counts as heard when it is due.
        """
        ear_s, longest = 0.0, 0.0
        for at, frame in self.telephone.got:
            if isinstance(frame, bytes) and any(frame) and at < until_s:
                longest = max(longest, at - ear_s)
                ear_s = max(ear_s, at) + len(frame) / 32_000
        return longest


Caller = Callable[[FakeTelephone], Awaitable[None]]


async def stays(telephone: FakeTelephone, seconds: float, frame: bytes = QUIET) -> None:
    """Let the telephone send frames for so long, unless it was closed."""
    for _ in range(round(seconds * 50)):
        if telephone.closed is not None:
            return
        telephone.put(frame)
        await asyncio.sleep(0.02)


async def answer_at_once(tool_call: gemini.ToolCall) -> Outcome:
    """Run a tool that takes no time."""
    key = tools.business_key(tool_call.name, tool_call.args)
    return Outcome({"status": "ok", "message": "It is on its way.", "data": {}}, "ok", key)


def rehearse(
    scenario: str | Scenario,
    caller: Caller | None = None,
    *,
    seconds: float = 30.0,
    run_tool: Callable[[gemini.ToolCall], Awaitable[Outcome]] = answer_at_once,
    limits: Limits | None = None,
    tuning: Tuning | None = None,
    timing: Timing | None = None,
) -> Played:
    """Carry a call whose model does what the scenario says; the caller stays `seconds` and hangs up."""
    story = load(f"faults/{scenario}") if isinstance(scenario, str) else scenario
    return run(_rehearse(story, caller, seconds, run_tool, limits, tuning, timing or Timing()))


async def _rehearse(
    story: Scenario,
    caller: Caller | None,
    seconds: float,
    run_tool: Callable[[gemini.ToolCall], Awaitable[Outcome]],
    limits: Limits | None,
    tuning: Tuning | None,
    timing: Timing,
) -> Played:
    loop = asyncio.get_running_loop()
    played = Played(FakeTelephone(), [], FakeJournal())
    mishaps: deque[Mishap] = deque(story.connections)
    pasts: dict[str, Past] = {}
    voice = scripted_voice(story)

    async def dial() -> _NearEnd:
        await asyncio.sleep(0.1)
        mishap = mishaps.popleft() if mishaps else NO_MISHAP
        if mishap.status:
            errors = {401: ModelRefused, 403: ModelRefused, 404: ModelRefused, 429: ModelBusy}
            raise errors.get(mishap.status, ModelLost)(f"refused with HTTP {mishap.status}")
        seen = Seen(opened_s=loop.time())
        played.sessions.append(seen)
        near = _NearEnd(seen)
        conversation = Conversation(
            _FarEnd(near),
            voice,
            strict=Strictness("v1beta"),
            pasts=pasts,
            dice=Random(len(played.sessions)),
            timing=timing,
            mishap=mishap,
        )
        seen.task = asyncio.create_task(conversation.run())
        return near

    async def run_one(tool_call: gemini.ToolCall) -> Outcome:
        played.ran.append(tool_call.id)
        return await run_tool(tool_call)

    async def hang_up() -> None:
        played.hung_up += 1

    async def ask_callback(reason: str, summary: str) -> bool:
        played.callbacks.append(reason)
        return True

    ports = Ports(
        telephone=played.telephone,
        dial=dial,
        run_tool=run_one,
        hang_up=hang_up,
        journal=played.journal,
        ask_callback=ask_callback,
        clips=dict.fromkeys(CLIPS, _CLIP),
    )
    declared = tuple(tools.declarations())
    setup = gemini.Setup(model="gemini-3.8-live", instruction="Test.", tools=declared)
    brief = Brief(setup, "Greet the caller.", "HD_1", business_key=tools.business_key)
    bridge = Bridge(Session(brief, limits or Limits(), loop.time()), ports, tuning or Tuning())

    async def be_called() -> None:
        await (caller(played.telephone) if caller else stays(played.telephone, seconds))
        played.telephone.hang_up()

    calling = asyncio.create_task(be_called())
    await bridge.carry()
    played.seconds = loop.time()
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    servers = [seen.task for seen in played.sessions if seen.task]
    if servers:
        await asyncio.wait(servers, timeout=2)
    left = [task.get_coro() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    played.tasks_left = [str(work) for work in left if not _is_the_servers(work)]
    for task in servers:
        task.cancel()
    await asyncio.gather(*servers, return_exceptions=True)
    return played


def _is_the_servers(work: object) -> bool:
    return "sandbox" in str(getattr(getattr(work, "cr_code", None), "co_filename", ""))
