"""What becomes of a stream before and after there is a bridge to carry its call."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from tests.voice.builders import opened
from voice import clips
from voice.consumer import SUBPROTOCOL, AudioConsumer
from voice.models import Call

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.logs_errors]


def connected(token: str) -> list[dict[str, Any]]:
    """Open a stream with a token, send nothing on it, and return what is sent to the telephone."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "subprotocols": [SUBPROTOCOL],
        "url_route": {"args": (), "kwargs": {"token": token}},
    }
    asyncio.run(AudioConsumer()(scope, receive, send))
    return sent


def test_a_call_that_cannot_be_begun_is_ended_on_the_line_and_in_the_books(settings, tmp_path: Path):
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "filler.wav").write_bytes(b"not a recording")
    settings.CLIPS_PATH = str(tmp_path)
    clips.load.cache_clear()

    opening = opened(now=timezone.now())
    assert opening is not None

    sent = connected(opening.token)

    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert sent[-1]["code"] == 4011
    row = Call.objects.get()
    assert row.ended_at is not None
    assert row.ended_reason == "model_failure"
