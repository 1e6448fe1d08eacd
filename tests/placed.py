"""Place a call in virtual time: a real bridge between a fake telephone and fake models."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from tests.peers import FakeJournal, FakeModel, FakeTelephone
from tests.virtual_time import run
from voice.bridge import Bridge
from voice.limits import Limits, Tuning
from voice.ports import Outcome, Ports
from voice.scene import Brief
from voice.session import Session
from voice.wire import gemini

FRAME = b"\x07\x00" * 320  # 20 ms at 16 kHz
Scenario = Callable[[FakeTelephone, FakeModel, "Placed"], Awaitable[None]]


async def answer_at_once(tool_call: gemini.ToolCall) -> Outcome:
    """Run a tool that takes no time."""
    return Outcome({"status": "ok", "message": "Fine."}, "ok", tool_call.name)


class Placed:
    """A call that was carried to its end."""

    def __init__(self) -> None:
        self.telephone: FakeTelephone
        self.model: FakeModel
        self.models: list[FakeModel] = []
        self.journal: FakeJournal
        self.bridge: Bridge
        self.dials: list[tuple[float, bool]] = []
        """When the model was dialled, and whether every connection before was closed by then."""
        self.callbacks: list[str] = []
        self.hung_up = 0
        self.hung_up_s = 0.0
        self.seconds = 0.0
        self.tasks_left: list[str] = []
        """What still ran when the call was over."""


def call(
    scenario: Scenario,
    *,
    run_tool: Callable[[gemini.ToolCall], Awaitable[Outcome]] = answer_at_once,
    dial_s: float = 0.1,
    refuse: Exception | None = None,
    tuning: Tuning | None = None,
    limits: Limits | None = None,
    clips: Mapping[str, bytes] | None = None,
    writes_callbacks: bool = False,
    brief: Brief | None = None,
) -> Placed:
    """Carry one call through `scenario` in virtual time; the caller hangs up when the scenario ends."""
    placed = Placed()

    async def carry() -> None:
        loop = asyncio.get_running_loop()
        telephone, model, journal = FakeTelephone(), FakeModel(), FakeJournal()
        placed.telephone, placed.model, placed.journal = telephone, model, journal

        async def dial() -> FakeModel:
            placed.dials.append((loop.time(), all(one.closed for one in placed.models)))
            await asyncio.sleep(dial_s)
            if refuse is not None:
                raise refuse
            placed.models.append(FakeModel() if placed.models else model)
            return placed.models[-1]

        async def hang_up() -> None:
            placed.hung_up += 1
            placed.hung_up_s = loop.time()

        async def ask_callback(reason: str, summary: str) -> bool:
            placed.callbacks.append(reason)
            return writes_callbacks

        async def play_scenario() -> None:
            await scenario(telephone, model, placed)
            telephone.hang_up()

        plain = Brief(gemini.Setup(model="gemini-3.8-live", instruction="Test."), "Greet.", "HD_1")
        ports = Ports(
            telephone, dial, run_tool, hang_up, journal, ask_callback=ask_callback, clips=clips or {}
        )
        bridge = placed.bridge = Bridge(
            Session(brief or plain, limits or Limits(shield_s=0), loop.time()), ports, tuning or Tuning()
        )
        began = loop.time()
        playing = asyncio.create_task(play_scenario())
        try:
            await bridge.carry()
        finally:
            placed.seconds = loop.time() - began
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            placed.tasks_left = [str(task.get_coro()) for task in left]

    run(carry())
    return placed


async def talk(telephone: FakeTelephone, seconds: float) -> None:
    """Let the carrier send frames for so long."""
    for _ in range(round(seconds * 50)):
        telephone.put(FRAME)
        await asyncio.sleep(0.02)
