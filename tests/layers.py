"""The channel layer in a test's own loop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from channels.layers import channel_layers, get_channel_layer


def on_the_layer(scenario: Callable[[], Awaitable[Any]]) -> Any:
    """Run a scenario on a layer of its own loop, whichever the settings name, and leave nothing of it."""

    async def run() -> Any:
        channel_layers.backends.clear()
        try:
            return await scenario()
        finally:
            layer: Any = get_channel_layer()
            await layer.flush()
            if hasattr(layer, "close_pools"):
                await layer.close_pools()
            channel_layers.backends.clear()

    return asyncio.run(run())
