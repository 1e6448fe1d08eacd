"""The yardstick: a bare relay on `websockets` and uvloop. No resampling, no pacing, no Django."""

import asyncio
import base64
import json
import sys

import uvloop
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

SETUP = json.dumps({"setup": {"model": "models/gemini-3.8-live"}})


async def relay(phone: ServerConnection, model_url: str) -> None:
    """Carry one call: frames as they come, both ways."""
    async with connect(model_url, compression=None, max_size=None, ping_interval=None) as model:
        await model.send(SETUP)
        await model.recv()

        async def speak() -> None:
            async for frame in model:
                for part in json.loads(frame).get("serverContent", {}).get("modelTurn", {}).get("parts", ()):
                    await phone.send(base64.b64decode(part["inlineData"]["data"]))

        speaking = asyncio.create_task(speak())
        async for pcm in phone:
            if isinstance(pcm, str):
                continue
            audio = {"mimeType": "audio/pcm;rate=16000", "data": base64.b64encode(pcm).decode()}
            await model.send(json.dumps({"realtimeInput": {"audio": audio}}))
        speaking.cancel()


async def main(port: int, model_url: str) -> None:
    """Serve until killed."""
    handler = lambda phone: relay(phone, model_url)  # noqa: E731
    protocols = [Subprotocol("audio.drachtio.org")]
    async with serve(
        handler, "127.0.0.1", port, subprotocols=protocols, compression=None, ping_interval=None
    ):
        print("ready", flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
