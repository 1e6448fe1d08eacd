"""Show the product: calls in real speech, over the real wires of both vendors, on this machine."""

import asyncio
import logging
import os
import secrets
import shutil
import subprocess
import sys
import time
from argparse import ArgumentParser
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from voice.sandbox import demo, demo_scenes, report
from voice.sandbox.carrier import FakeCarrier
from voice.sandbox.live_server import LiveServer
from voice.sandbox.offline import offline_voice, offline_voice_missing
from voice.sandbox.process import Process, beside_speech, free_port, is_healthy, secret_file
from voice.sandbox.scenario import load
from voice.sandbox.scripted import scripted_voice

OWN_NUMBER = "+254700000099"
_SECRETS = ("SECRET_KEY", "SAUTIKIT_API_KEY", "SAUTIKIT_ROUTING_SECRETS", "SAUTIKIT_EVENTS_SECRETS")
_NOT_MEANT = frozenset({*_SECRETS, "DEBUG", "REDIS_URL", "SAUTIKIT_SIGNATURE_MODE", "ALLOWED_HOSTS"})
_STAGED = "DEMO_STAGED"


class Command(BaseCommand):
    """Seed a day, start the server and both vendors' stand-ins, hold the calls and check what was heard."""

    help = (
        "Hold calls with synthesised callers against a server of its own and say what came of them. "
        "Exits 0 only if every call did what it should."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--seed", type=int, help="draws arrival times and free windows; new each time")
        parser.add_argument(
            "--folder", type=Path, default=settings.BASE_DIR / "var" / "demo", help="for recordings and logs"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run this command again with a stage's own settings, and pass on how it ended."""
        if os.environ.get(_STAGED):
            self._show(options["seed"], options["folder"])
            return
        folder: Path = options["folder"].resolve()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        seed = options["seed"] if options["seed"] is not None else secrets.randbelow(100_000)
        command = [sys.executable, "manage.py", "demo", "--seed", str(seed), "--folder", str(folder)]
        ended = subprocess.run(command, cwd=settings.BASE_DIR, env=_stage(folder), check=False)  # noqa: S603 - this command
        if ended.returncode:
            raise SystemExit(ended.returncode)

    def _show(self, seed: int, folder: Path) -> None:
        began = time.monotonic()
        for ours in ("uvicorn.error", "websockets.server"):  # the comings and goings of our own stand-ins
            logging.getLogger(ours).setLevel(logging.WARNING)
        self.stdout.write(f"seed {seed}")
        if lacking := offline_voice_missing():
            self.stderr.write(f"Nothing will be spoken, only beeped: {lacking}.")
        call_command("migrate", verbosity=0)
        call_command("seed_demo", seed=seed, stdout=StringIO())
        server = Process("serve", ["serve", "--port", _port(settings.PUBLIC_URL)], folder, os.environ)
        server.start()
        try:
            server.wait_for(lambda: is_healthy(settings.PUBLIC_URL))
            shown = asyncio.run(_play(demo_scenes.scenes(), folder, speaks=not lacking))
        except LookupError as error:
            raise CommandError(str(error)) from error
        finally:
            server.stop()
        failed = [one for one in shown if not self._tell(one)]
        took_s = time.monotonic() - began
        self.stdout.write(f"\n{len(shown)} calls in {took_s:.0f} s, {len(failed)} not as they should be")
        if failed:
            raise CommandError("not every call did what it should")
        if lacking:
            raise CommandError("the calls went well, but without speech this is no demonstration")

    def _tell(self, shown: demo.Shown) -> bool:
        """Print a call; return whether it did what it should."""
        told = report.document(shown.record, None, shown.recording)
        public_id = told["call"]["public_id"] if told["call"] else ""
        lacks = demo.missing(shown)
        self.stdout.write(
            "\n".join(
                [
                    f"\n== {shown.scene.title}",
                    *report.lines(told),
                    *demo.rows(public_id),
                    f"heard     {shown.heard}",
                    *(f"MISSING   {one}" for one in lacks),
                ]
            )
        )
        return not lacks


async def _play(scenes: list[demo.Scene], folder: Path, *, speaks: bool) -> list[demo.Shown]:
    voice = offline_voice() if speaks else scripted_voice(load("receptionist"))
    speech = demo.offline_speech() if speaks else demo.tonal_speech()
    carrier = FakeCarrier(
        f"{settings.PUBLIC_URL}/voice/{settings.SAUTIKIT_ROUTING_SECRETS[0]}",
        api_key=settings.SAUTIKIT_API_KEY,
        port=int(_port(settings.SAUTIKIT_BASE_URL)),
    )
    async with LiveServer(voice=voice, port=int(_port(settings.GEMINI_LIVE_URL))), carrier:
        return await demo.play(scenes, carrier, OWN_NUMBER, speech, folder)


def _stage(folder: Path) -> dict[str, str]:
    """Return the environment of a stage of its own: database, secrets, and everybody's address."""
    server, model, carrier = (f"127.0.0.1:{free_port(0)}" for _ in range(3))
    return {
        **{name: value for name, value in os.environ.items() if name not in _NOT_MEANT},
        **{f"{name}_FILE": secret_file(folder, name) for name in _SECRETS},
        _STAGED: "1",
        "DATABASE_URL": f"sqlite:///{folder / 'demo.sqlite3'}",
        "PUBLIC_URL": f"http://{server}",
        "GEMINI_LIVE_URL": f"ws://{model}",
        "GEMINI_API_KEY": "a-local-model-takes-any-key",
        "SAUTIKIT_BASE_URL": f"http://{carrier}",
        "SAUTIKIT_NUMBER": OWN_NUMBER,
        **beside_speech(),
    }


def _port(url: str) -> str:
    return str(urlsplit(url).port)
