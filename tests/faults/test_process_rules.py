"""The rules of a call once more on a real process: a `serve` with short limits, and the local Live server.

Each is proved in virtual time elsewhere; here it is seen that settings, sockets and records carry it.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.line import SUBPROTOCOL, Line, LocalModel, eventually, free_port
from voice.sandbox.live_server import LiveServer
from voice.sandbox.scenario import Scenario, load, parse
from voice.sandbox.scripted import scripted_voice

pytestmark = [pytest.mark.slow, pytest.mark.logs_errors]
LIMITS = {
    "GREETING_NUDGE_S": "1",
    "GREETING_CLIP_S": "2.5",
    "GREETING_SHIELD_S": "0.5",
    "ANSWER_NUDGE_S": "1.5",
    "INTERRUPTED_NUDGE_S": "1.5",
    "TOOL_NUDGE_S": "1.5",
    "SILENCE_ASK_S": "3",
    "SILENCE_END_S": "5",
    "CALL_LIMIT_S": "15",
    "CALL_WARNING_S": "5",
    "CALL_GOODBYE_S": "3",
    "CALL_MACHINE_S": "9",
    "GEMINI_CONNECTION_S": "6",
    "GEMINI_RENEWAL_S": "3",
}
_LOUD, _QUIET = b"\x00\x20" * 320, bytes(640)
_HELLO = {"nudged": "", "say": "Hello, I am an AI."}
_NOTHING = {"raw": [{"usageMetadata": {"promptTokenCount": 1}}]}


@dataclass(frozen=True)
class Case:
    """A call: what the model does, what the caller does, and what is in the row afterwards."""

    story: Scenario
    reason: str = "caller_hangup"
    counts: tuple[str, ...] = ()
    stays_s: float = 4.0
    speaks: tuple[tuple[float, float], ...] = ()
    types: str = ""
    outcome: str = field(default="no_outcome")


def told(*when: dict[str, Any], **more: Any) -> Scenario:
    """Return a scenario out of its rules."""
    return parse({"when": list(when), **more})


def fault(name: str) -> Scenario:
    """Return one of the scenarios of faults."""
    return load(f"faults/{name}")


_CALLS = [{"name": "track_shipment", "args": {"tracking_id": f"NBO-{n}"}, "id": f"c{n}"} for n in range(12)]
ALONE = {
    "a greeting that is nudged": Case(
        told({"nudged": "", "once": True, **_NOTHING}, _HELLO), counts=("nudges",)
    ),
    "a greeting that does not come": Case(told({"nudged": "", **_NOTHING}), counts=("clip_greeting",)),
    "a model that goes away": Case(
        told(_HELLO, connection=[{"life_s": 6, "notice_s": 5}]), counts=("go_aways", "renewals"), stays_s=5.5
    ),
    "no quota": Case(fault("quota"), "model_failure", ("model_busy", "clip_apology_callback"), 8),
    "empty turns": Case(fault("empty_turns"), counts=("empty_turns", "nudges")),
    "turns of no sound": Case(fault("zero_audio"), counts=("nudges",), stays_s=5),
    "a call in other words": Case(fault("drifted_arguments"), counts=("reissued_tool_calls",), stays_s=6),
    "a call that comes twice": Case(fault("doubled_tool_call"), counts=("repeated_tool_calls",)),
    "an answer of a tool that is not told": Case(
        told({"nudged": "", "once": True, "calls": _CALLS[:1]}, _HELLO), counts=("nudges",)
    ),
    "an interruption after which nothing is said": Case(
        told(_HELLO, {"after_s": 1.5, "raw": [{"serverContent": {"interrupted": True}}]}),
        counts=("nudges",),
        stays_s=5,
    ),
    "a call that is taken back": Case(fault("cancelled_call")),
    "a model that runs away": Case(
        told({"nudged": "", "once": True, "calls": _CALLS}, _HELLO), counts=("refused_tool_calls",)
    ),
}
TOGETHER = {
    "silence": Case(told(_HELLO), "silence_timeout", stays_s=14),
    "keys": Case(told(_HELLO), counts=("keys",), types="1234#"),
    "an answer that does not come": Case(told(_HELLO), counts=("nudges",), speaks=((2.5, 3.5),), stays_s=6),
    "a talk to no end": Case(
        told(_HELLO),
        "agent_hangup",
        ("talks_to_no_end",),
        speaks=((3.0, 3.6), (5.0, 5.6), (7.0, 7.6)),  # who speaks on averts the goodbye
        stays_s=14,
    ),
}
_WORKS = {"after_s": 5.0, "calls": [{"name": "track_shipment", "args": {}}]}
LONG = Case(
    told(_HELLO, _WORKS),
    "max_duration",
    ("renewals", "resumptions"),  # its connection is old before it ends
    speaks=tuple((at, at + 0.6) for at in range(3, 14, 2)),
    stays_s=17,
)


@pytest.fixture(scope="module")
def port() -> int:
    """Return where the model is."""
    return free_port()


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Line]:
    """One server process for all calls here."""
    model = cast("LocalModel", SimpleNamespace(url=f"ws://127.0.0.1:{port}"))
    running = Line(tmp_path_factory.mktemp("rules"), "serve", model, LIMITS)
    running.start()
    try:
        yield running
    finally:
        running.stop()
        assert "Traceback" not in running.log()


async def carried(line: Line, case: Case) -> tuple[str, str, dict[str, int]]:
    """Place a call and play its caller; return reason, outcome and counters of its row."""
    session_id = line.new_session()
    path = await asyncio.to_thread(line.stream_path, session_id)
    address = f"ws://127.0.0.1:{line.port}{path}"
    protocol = Subprotocol(SUBPROTOCOL)
    async with connect(address, subprotocols=[protocol], compression=None, proxy=None) as telephone:
        talking = asyncio.create_task(_talk(telephone, case))
        with suppress(ConnectionClosed):  # with a code of ours, where we are the first
            async for _ in telephone:
                pass
        await talking
    query = (
        "SELECT ended_reason, outcome, counters FROM voice_call WHERE session_id = ? AND ended_at NOT NULL"
    )
    [row] = await asyncio.to_thread(eventually, lambda: line.rows(query, session_id), 15)
    return row[0], row[1], json.loads(row[2])


async def _talk(telephone: ClientConnection, case: Case) -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    with suppress(ConnectionClosed):  # the server was first
        for key in case.types:
            await telephone.send(json.dumps({"event": "dtmf", "dtmf": {"digit": key}}))
        while (at_s := loop.time() - began_s) < case.stays_s:
            loud = any(since_s <= at_s < until_s for since_s, until_s in case.speaks)
            await telephone.send(_LOUD if loud else _QUIET)
            await asyncio.sleep(0.02)
        await telephone.close()


def assert_as_told(case: Case, row: tuple[str, str, dict[str, int]]) -> None:
    """Fail unless the row says what was to come of the call."""
    reason, outcome, counters = row
    assert reason == case.reason, row
    assert outcome in (case.outcome, "callback_requested", "status_given"), row
    assert not [name for name in case.counts if not counters.get(name)], row
    assert not counters.get("crashes"), row


@pytest.mark.parametrize("case", ALONE.values(), ids=ALONE.keys())
def test_what_the_model_does_is_in_the_row_of_a_real_call(line: Line, port: int, case: Case):
    async def call() -> tuple[str, str, dict[str, int]]:
        voice = scripted_voice(case.story)
        async with LiveServer(voice=voice, port=port, mishaps=case.story.connections):
            return await carried(line, case)

    assert_as_told(case, asyncio.run(call()))


def test_what_callers_do_is_in_the_rows_of_their_real_calls(line: Line, port: int):
    async def calls() -> list[tuple[str, str, dict[str, int]]]:
        async with LiveServer(voice=scripted_voice(told(_HELLO)), port=port):
            return await asyncio.gather(*(carried(line, case) for case in TOGETHER.values()))

    for case, row in zip(TOGETHER.values(), asyncio.run(calls()), strict=True):
        assert_as_told(case, row)


def test_a_real_call_that_takes_too_long_is_ended_in_words(line: Line, port: int):
    async def call() -> tuple[str, str, dict[str, int]]:
        async with LiveServer(voice=scripted_voice(LONG.story), port=port):
            return await carried(line, LONG)

    assert_as_told(LONG, asyncio.run(call()))
