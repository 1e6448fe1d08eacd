"""Run a stand-in for the voice model on this machine."""

import asyncio
import importlib
import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from voice.errors import LocalError
from voice.sandbox.brain import Voice
from voice.sandbox.live_server import LiveServer
from voice.sandbox.scenario import load
from voice.sandbox.scripted import scripted_voice


class Command(BaseCommand):
    """Speak the model's protocol: set GEMINI_LIVE_URL to the address that is printed."""

    help = "Run a local voice model: strict as the real one, by script or with real speech."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8765, help="0 takes a free one")
        parser.add_argument("--brain", choices=("scripted", "offline"), default="scripted")
        parser.add_argument(
            "--scenario", default="receptionist", help="of the scripted brain: a file, or a name of ours"
        )
        parser.add_argument("--seed", type=int, default=0, help="of all that is left to chance")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until told to stop."""
        try:
            scenario = load(options["scenario"])
        except LocalError as error:
            raise CommandError(str(error)) from error
        server = LiveServer(
            voice=_offline_voice() if options["brain"] == "offline" else scripted_voice(scenario),
            host=options["host"],
            port=options["port"],
            seed=options["seed"],
            mishaps=scenario.connections,
        )
        try:
            asyncio.run(self._serve(server))
        except OSError as error:
            raise CommandError(f"cannot listen on {options['host']}:{options['port']}: {error}") from error

    async def _serve(self, server: LiveServer) -> None:
        stopped = asyncio.Event()
        # By hand: a shell that starts us in the background has SIGINT ignored, and Python leaves it so.
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        async with server:
            self.stdout.write(server.url)
            self.stdout.flush()
            await stopped.wait()


def _offline_voice() -> Voice:
    try:
        voice: Voice = importlib.import_module("voice.sandbox.offline").offline_voice()
    except ImportError as error:
        raise CommandError(
            "--brain offline needs the speech packages of requirements/offline-voice.lock: "
            f"{str(error).splitlines()[0]}"
        ) from error
    return voice
