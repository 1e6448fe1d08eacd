"""`manage.py live_server` is a voice model that one can dial."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from websockets.sync.client import connect

ROOT = Path(__file__).resolve().parents[4]
PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
SETUP = """{"setup": {"model": "models/gemini-3.8-live",
                      "generationConfig": {"responseModalities": ["AUDIO"]},
                      "outputAudioTranscription": {}}}"""


@pytest.mark.slow
@pytest.mark.parametrize("start", [[], ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_plays_its_scenario_until_told_to_stop(start, number):
    command = [*start, sys.executable, "manage.py", "live_server", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            url = process.stdout.readline().strip()
            with connect(f"{url}{PATH}?key=any", proxy=None) as client:
                client.send(SETUP)
                assert client.recv(timeout=5) == b'{"setupComplete": {}}'
                client.send('{"realtimeInput": {"text": "Greet the caller."}}')
                frames = b""
                while b"outputTranscription" not in frames:
                    frames = bytes(client.recv(timeout=5, decode=False))
        finally:
            process.send_signal(number)
            try:
                process.wait(10)
            finally:
                process.kill()

    assert b"Hello" in frames
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"scenario": "missing"}, r"missing\.toml"),
        ({"scenario": "pyproject.toml"}, "unknown: "),
        ({"host": "192.0.2.1"}, r"cannot listen on 192\.0\.2\.1:0"),
    ],
)
def test_what_it_cannot_do_it_says_in_one_line(options, fault):
    with pytest.raises(CommandError, match=fault) as refused:
        call_command("live_server", **{"port": 0, **options})

    assert "\n" not in str(refused.value)


def test_speech_packages_that_are_missing_are_named_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "voice.sandbox.offline", None)

    with pytest.raises(CommandError, match=r"requirements/offline-voice\.lock") as refused:
        call_command("live_server", brain="offline", port=0)

    assert "\n" not in str(refused.value)
