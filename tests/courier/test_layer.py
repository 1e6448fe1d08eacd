"""Whether news reach who listens, on whichever channel layer the settings name."""

import asyncio
from typing import Any

import pytest
from channels.layers import channel_layers, get_channel_layer

pytestmark = pytest.mark.layer


def test_news_reach_everybody_in_a_group_and_nobody_else():
    async def scenario() -> list[dict]:
        channel_layers.backends.clear()  # one of this loop's own
        layer: Any = get_channel_layer()
        first, second, stranger = [await layer.new_channel() for _ in range(3)]
        for listener in (first, second):
            await layer.group_add("news", listener)
        await layer.group_add("elsewhere", stranger)
        await layer.group_send("news", {"type": "call.started", "call": "c1"})
        got = [await asyncio.wait_for(layer.receive(listener), 5) for listener in (first, second)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(layer.receive(stranger), 0.2)
        await layer.flush()
        if hasattr(layer, "close_pools"):
            await layer.close_pools()
        return got

    assert asyncio.run(scenario()) == [{"type": "call.started", "call": "c1"}] * 2
    channel_layers.backends.clear()
