"""The telephone's socket within one process, where a test can hold what the whole process shares."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from courier.asgi import application
from tests.layers import on_the_layer
from tests.line import SUBPROTOCOL, LocalModel, ModelSession
from tests.voice.builders import an_opening
from voice.steering import HELM

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("alone")]
FRAME_S = 0.02
HELD_S = 0.5
LIMIT_S = 0.02
TRIES = 3


@pytest.fixture
def model(settings) -> Iterator[LocalModel]:
    """Run a model that the call is to reach."""
    model = LocalModel()
    settings.GEMINI_LIVE_URL = model.url
    settings.GREETING_SHIELD_S = 0.0  # it does not greet
    yield model
    model.stop()


async def until(holds: Callable[[], Any]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - another thread makes it so
            await asyncio.sleep(0.01)


@asynccontextmanager
async def answered(token: str, model: LocalModel) -> AsyncIterator[tuple[asyncio.Queue[Any], ModelSession]]:
    """Open the stream as a server does; yield what the telephone sends by, and the model's session."""
    inbox: asyncio.Queue[Any] = asyncio.Queue()
    scope: Any = {
        "type": "websocket",
        "path": f"/audio/{token}",
        "subprotocols": [SUBPROTOCOL],
        "headers": [],
    }

    async def send(message: Any) -> None:
        assert message["type"] in {"websocket.accept", "websocket.send", "websocket.close"}

    serving = asyncio.create_task(application(scope, inbox.get, send))
    inbox.put_nowait({"type": "websocket.connect"})
    try:
        await until(lambda: model.sessions)
        yield inbox, model.sessions[0]
    finally:
        inbox.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await serving
        await HELM.leave()


@asynccontextmanager
async def held_thread() -> AsyncIterator[None]:
    """Keep the one thread busy on which Django and Channels do their database work by default."""
    holds, over = threading.Event(), threading.Event()

    def hold() -> None:
        holds.set()
        over.wait(2 * HELD_S)

    holding = asyncio.create_task(sync_to_async(hold)())
    await until(holds.is_set)
    try:
        yield
    finally:
        over.set()
        await holding


@pytest.mark.django_db(transaction=True)
def test_a_held_thread_that_all_django_shares_delays_no_frame_of_a_call(model):
    sent_s: list[float] = []
    late_s: list[float] = []

    def note(pcm: bytes) -> None:
        numbers = (int.from_bytes(pcm[at : at + 2], "little") for at in range(0, len(pcm), 640))
        late_s.extend(time.monotonic() - sent_s[number - 1] for number in numbers if number)

    async def worst_of(inbox: asyncio.Queue[Any]) -> float:
        """Send for as long as the thread is held; return how much later than usual the latest frame was."""
        first = len(sent_s)
        for _ in range(round(HELD_S / FRAME_S)):
            sent_s.append(time.monotonic())
            inbox.put_nowait({"type": "websocket.receive", "bytes": len(sent_s).to_bytes(2, "little") * 320})
            await asyncio.sleep(FRAME_S)
        await until(lambda: len(late_s) >= len(sent_s) - 1)  # one may wait for its other half
        return max(late_s[first:]) - median(late_s)

    async def scenario() -> list[tuple[float, float]]:
        seen = []
        async with answered(token, model) as (inbox, session):
            session.hearing = note
            for _ in range(TRIES):
                usual_s = await worst_of(inbox)
                async with held_thread():
                    seen.append((usual_s, await worst_of(inbox)))
        return seen

    token = an_opening(now=timezone.now()).token

    seen = on_the_layer(scenario)

    assert any(held_s <= usual_s + LIMIT_S for usual_s, held_s in seen), seen
