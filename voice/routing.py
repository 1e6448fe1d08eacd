"""Say which consumer answers which WebSocket address."""

from typing import Any

from channels.security.websocket import AllowedHostsOriginValidator
from channels.sessions import SessionMiddlewareStack
from django.urls import path, re_path

from voice.consumer import AudioConsumer
from voice.watching import LineConsumer


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """Refuse a WebSocket at an address that nobody serves: the client sees 403."""
    await receive()
    await send({"type": "websocket.close"})


websocket_urlpatterns = [
    path("audio/<str:token>", AudioConsumer.as_asgi()),  # type: ignore[arg-type] # the stubs know views only
    # A page of ours, with its cookie: anybody's page could open it with that, so its origin has to be ours.
    path("admin/live/news", AllowedHostsOriginValidator(SessionMiddlewareStack(LineConsumer.as_asgi()))),
    re_path("", refuse),  # type: ignore[arg-type] # the same
]
