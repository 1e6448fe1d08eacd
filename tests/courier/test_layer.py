"""Whether news reach who listens, on whichever channel layer the settings name."""

import asyncio
from typing import Any

import pytest
from channels.layers import get_channel_layer

from tests.layers import on_the_layer

pytestmark = pytest.mark.layer


def test_news_reach_everybody_in_a_group_and_nobody_else():
    async def scenario() -> list[dict]:
        layer: Any = get_channel_layer()
        first, second, stranger = [await layer.new_channel() for _ in range(3)]
        for listener in (first, second):
            await layer.group_add("news", listener)
        await layer.group_add("elsewhere", stranger)
        await layer.group_send("news", {"type": "call.started", "call": "c1"})
        got = [await asyncio.wait_for(layer.receive(listener), 5) for listener in (first, second)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(layer.receive(stranger), 0.2)
        return got

    assert on_the_layer(scenario) == [{"type": "call.started", "call": "c1"}] * 2
