"""Say which consumer answers which WebSocket address."""

from typing import Any

from django.urls import path, re_path

from voice.consumer import AudioConsumer


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """Refuse a WebSocket at an address that nobody serves: the client sees 403."""
    await receive()
    await send({"type": "websocket.close"})


websocket_urlpatterns = [
    path("audio/<str:token>", AudioConsumer.as_asgi()),  # type: ignore[arg-type] # the stubs know views only
    re_path("", refuse),  # type: ignore[arg-type] # the same
]
