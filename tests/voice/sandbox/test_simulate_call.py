"""One call from the command line, to a deployment that answers nothing but webhooks."""

import asyncio
import io
import json
import socket
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from voice.models import Call, ToolRun, Turn
from voice.sandbox import report
from voice.sandbox.rest import Loopback

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

STREAM = (
    '<Response><Stream url="ws://{host}/audio" track="inbound_track" connect="true"'
    ' outputSamplingRate="16000" bidirectionalSamplingRate="16000"/></Response>'
)
APOLOGY = "<Response><Say>Please call again later.</Say><Hangup/></Response>"
TONE = bytes(np.rint(8000 * np.sin(np.arange(8000) / 6)).astype("<i2"))


@contextmanager
def deployment(document: str) -> Iterator[str]:
    """Serve in a thread: the command has a loop of its own."""

    async def application(scope, receive, send) -> None:
        await receive()
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept", "subprotocol": "audio.drachtio.org"})
            await send({"type": "websocket.send", "bytes": TONE + bytes(5120)})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        host = dict(scope["headers"])[b"host"].decode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": document.format(host=host).encode()})

    async def serve() -> None:
        server = Loopback(application, listener, websockets=True)
        await server.start()
        started.set()
        await ended.wait()
        await server.stop()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.close()

    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/voice"
    loop = asyncio.new_event_loop()
    started, ended = threading.Event(), asyncio.Event()
    thread = threading.Thread(target=run)
    thread.start()
    started.wait(10)
    try:
        yield address
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)


@pytest.fixture(autouse=True)
def recordings(settings, tmp_path: Path) -> Path:
    """Return where calls are recorded when nothing else is wanted: not in the checkout."""
    settings.BASE_DIR = tmp_path
    return tmp_path / "var" / "calls"


def simulate(url: str, *options: str) -> str:
    out = io.StringIO()
    call_command("simulate_call", "--url", url, "--linger-ms", "300", *options, stdout=out)
    return out.getvalue()


def test_a_call_is_placed_recorded_and_told_as_json(tmp_path):
    recording, spoken = tmp_path / "call.wav", tmp_path / "caller.wav"
    with wave.open(str(spoken), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(TONE)

    with deployment(STREAM) as url:
        options = ("--wav", str(spoken), "--pause-ms", "300", "--patience-s", "1")
        told = json.loads(simulate(url, *options, "--record", str(recording), "--json"))

    assert (told["status"], told["ended_by"]) == ("completed", "caller")
    assert told["timings"]["first_audio_ms"] < 1000
    assert told["turns"] is None
    with wave.open(str(recording)) as file:
        assert file.getnchannels() == 2
        assert abs(file.getnframes() / 16_000 - told["duration_s"]) < 0.5


def test_a_call_is_recorded_under_its_own_name_when_no_other_is_given(recordings):
    with deployment(STREAM) as url:
        told = json.loads(simulate(url, "--json"))

    [recording] = recordings.iterdir()
    assert recording.name == f"{told['session_id']}.wav"
    assert told["recording"] == str(recording)


def test_what_cannot_be_seen_from_here_is_said():
    with deployment(STREAM) as url:
        told = simulate(url)

    assert "turns     not visible" in told
    assert "answer → agent heard" in told


def test_a_call_that_is_not_taken_is_a_failure():
    with deployment(APOLOGY) as url, pytest.raises(CommandError, match="did not come about"):
        simulate(url)


def test_a_recording_that_is_none_is_refused_in_one_line(tmp_path):
    with pytest.raises(CommandError, match=r"none\.wav"):
        simulate("http://127.0.0.1:9", "--wav", str(tmp_path / "none.wav"))


def test_a_model_of_our_own_needs_an_address_of_this_machine(settings):
    settings.GEMINI_LIVE_URL = "wss://model.example"

    with pytest.raises(CommandError, match="GEMINI_LIVE_URL"):
        simulate("http://127.0.0.1:9", "--model", "scripted")


def test_what_our_database_has_of_the_call_is_told_in_the_order_it_happened():
    now = timezone.now()
    call = Call.objects.create(session_id="HD_1", created_at=now, ended_at=now, cost_usd_micros=6_315)
    Turn.objects.create(
        call=call, position=1, speaker="caller", text="Where is it?", started_ms=900, ended_ms=1800
    )
    Turn.objects.create(
        call=call,
        position=2,
        speaker="agent",
        text="On its",
        started_ms=2500,
        ended_ms=2900,
        interrupted=True,
    )
    ToolRun.objects.create(
        call=call,
        model_call_id="1",
        name="track_shipment",
        arguments={"said_id": "1234"},
        state="ok",
        started_ms=1900,
        duration_ms=12,
    )

    lines = report._conversation(report._records("HD_1"))

    assert lines == [
        "caller       0.9 s  Where is it?",
        "tool         1.9 s  track_shipment(said_id='1234') → ok, 12 ms",
        "agent        2.5 s  On its —",
        "cost      KES 0.00 telephone, USD 0.006315 model",
    ]
