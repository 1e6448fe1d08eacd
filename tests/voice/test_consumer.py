"""What becomes of a stream that no bridge carries, although its caller was told that it may come."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from tests.voice.builders import NOW, an_opening
from voice import calls, clips, consumer, refusals
from voice.admission import Gate
from voice.consumer import SUBPROTOCOL, AudioConsumer
from voice.models import Call, CallbackRequest
from voice.spool import Spool, Write

pytestmark = pytest.mark.django_db(transaction=True)


def knock(token: str) -> list[str]:
    """Bring a token as the carrier does; return what the stream is answered."""
    return [message["type"] for message in connected(token)]


def connected(token: str) -> list[dict[str, Any]]:
    """Open a stream with a token, send nothing on it, and return what is sent to the telephone."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "websocket", "subprotocols": [SUBPROTOCOL], "url_route": {"kwargs": {"token": token}}}
    asyncio.run(AudioConsumer()(scope, receive, send))
    return sent


def refused() -> tuple[str, str, list[str]]:
    """Return how the one call ended, and why who is to be rung back."""
    call = Call.objects.get()
    return call.status, call.ended_reason, list(CallbackRequest.objects.values_list("reason", flat=True))


def test_a_call_that_another_process_invited_and_this_one_has_no_place_for_is_rung_back(monkeypatch):
    token = an_opening(now=timezone.now()).token
    monkeypatch.setattr(consumer, "GATE", Gate(0))

    assert knock(token) == ["websocket.close"]

    assert refused() == ("failed", "capacity", ["not_admitted"])


def test_a_stranger_who_is_refused_leaves_nothing(monkeypatch):
    monkeypatch.setattr(consumer, "GATE", Gate(0))

    assert knock("x" * 43) == ["websocket.close"]

    assert not Call.objects.exists()


@pytest.mark.logs_errors
def test_a_call_that_was_invited_while_the_database_does_not_answer_is_rung_back(monkeypatch, settings):
    later: list[Write] = []
    monkeypatch.setattr(Spool, "add", lambda self, write: later.append(write))
    opening, gate = an_opening(now=timezone.now()), Gate(1)
    gate.invite(opening.facts.public_id, opening.facts.customer_number, opening.token, over_budget=False)
    monkeypatch.setattr(consumer, "GATE", gate)
    settings.STREAM_ACCEPT_S = 0

    answered = knock(opening.token)
    for write in later:
        write()

    assert answered == ["websocket.close"]
    assert refused() == ("failed", "capacity", ["not_admitted"])


def test_a_stream_that_the_database_let_in_too_late_is_cut_off_and_its_caller_rung_back():
    token = an_opening(now=NOW).token
    calls.accept_stream(token, now=NOW)  # nobody waited for this

    refusals.turn_away(token, now=NOW, late=True)

    assert refused() == ("failed", "capacity", ["not_admitted"])


def test_a_second_stream_with_the_token_of_a_call_that_talks_ends_nothing():
    token = an_opening(now=NOW).token
    calls.accept_stream(token, now=NOW)

    refusals.turn_away(token, now=NOW)

    assert Call.objects.get().ended_at is None


def test_a_call_that_we_placed_and_cannot_carry_is_not_rung_back():
    facts = calls.accept_stream(an_opening(direction="Outbound").token, now=NOW)
    assert facts is not None

    refusals.cut_off(facts, now=NOW)

    assert refused() == ("failed", "capacity", [])


@pytest.mark.logs_errors
def test_a_call_that_cannot_be_begun_is_ended_on_the_line_and_in_the_books(settings, tmp_path: Path):
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "filler.wav").write_bytes(b"not a recording")
    settings.CLIPS_PATH = str(tmp_path)
    clips.load.cache_clear()

    sent = connected(an_opening(now=timezone.now()).token)

    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert sent[-1]["code"] == 4011
    row = Call.objects.get()
    assert row.ended_at is not None
    assert row.ended_reason == "model_failure"
