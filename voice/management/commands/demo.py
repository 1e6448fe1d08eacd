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
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from voice.sandbox import demo, demo_checks, demo_scenes, demo_stage, report
from voice.sandbox.carrier import FakeCarrier
from voice.sandbox.delays import ModelWatch
from voice.sandbox.live_server import LiveServer
from voice.sandbox.offline import offline_voice, offline_voice_missing, tonal_voice
from voice.sandbox.process import Process, beside_speech, free_port, is_healthy, secret_file
from voice.sandbox.stream import Leg

OWN_NUMBER = "+254700000099"
_SECRETS = ("SECRET_KEY", "SAUTIKIT_API_KEY", "SAUTIKIT_ROUTING_SECRETS", "SAUTIKIT_EVENTS_SECRETS")
_NOT_MEANT = frozenset({*_SECRETS, "DEBUG", "REDIS_URL", "SAUTIKIT_SIGNATURE_MODE", "ALLOWED_HOSTS"})
_STAGED = "DEMO_STAGED"
_HOURS = "DIAL_HOURS"


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
            "--tones", action="store_true", help="beep instead of speaking: for where nothing can be heard"
        )
        parser.add_argument(
            "--folder", type=Path, default=settings.BASE_DIR / "var" / "demo", help="for recordings and logs"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run this command again with a stage's own settings, and pass on how it ended."""
        if os.environ.get(_STAGED):
            self._show(options["seed"], options["folder"], speaks=not options["tones"])
            return
        folder: Path = options["folder"].resolve()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        seed = options["seed"] if options["seed"] is not None else secrets.randbelow(100_000)
        command = [sys.executable, "manage.py", "demo", "--seed", str(seed), "--folder", str(folder)]
        command += ["--tones"] if options["tones"] else []
        ended = subprocess.run(command, cwd=settings.BASE_DIR, env=_stage(folder), check=False)  # noqa: S603 - this command
        if ended.returncode:
            raise SystemExit(ended.returncode)

    def _show(self, seed: int, folder: Path, *, speaks: bool) -> None:
        began = time.monotonic()
        for ours in ("uvicorn.error", "websockets.server"):  # the comings and goings of our own stand-ins
            logging.getLogger(ours).setLevel(logging.WARNING)
        self.stdout.write(f"seed {seed}")
        if lacking := offline_voice_missing() if speaks else "":
            self.stderr.write(f"Nothing will be spoken, only beeped: {lacking}.")
        call_command("migrate", verbosity=0)
        call_command("seed_demo", seed=seed, stdout=StringIO())
        try:
            scenes = self._set_out(seed)
        except LookupError as error:
            raise CommandError(str(error)) from error
        command = ["serve", "--port", _port(settings.PUBLIC_URL)]
        server = Process("serve", command, folder, _in_usual_hours(os.environ))
        watch = ModelWatch()
        server.start()
        try:
            server.wait_for(lambda: is_healthy(settings.PUBLIC_URL))
            shown = asyncio.run(self._play(scenes, folder, watch, speaks=speaks and not lacking))
        finally:
            server.stop()
        failed = [one for one in shown if not self._tell(one, watch)]
        took_s = time.monotonic() - began
        calls = sum(one.record is not None for one in shown)
        self.stdout.write(
            f"\n{len(shown)} scenes, {calls} calls in {took_s:.0f} s, {len(failed)} not as they should be"
        )
        if failed:
            raise CommandError("not every call did what it should")
        if lacking:
            raise CommandError("the calls went well, but without speech this is no demonstration")

    def _set_out(self, seed: int) -> list[demo.Scene]:
        """Let happen what comes before the calls, and return what they are to be."""
        for line in demo_stage.set_out(seed, timezone.now()):
            self.stdout.write(f"before    {line}")
        self.stdout.flush()
        return demo_scenes.scenes()

    async def _play(
        self, scenes: list[demo.Scene], folder: Path, watch: ModelWatch, *, speaks: bool
    ) -> list[demo.Shown]:
        speech = demo.offline_speech() if speaks else demo.tonal_speech()
        people = await demo.cast(scenes, speech)
        carrier = FakeCarrier(
            f"{settings.PUBLIC_URL}/voice/{settings.SAUTIKIT_ROUTING_SECRETS[0]}",
            api_key=settings.SAUTIKIT_API_KEY,
            leg=Leg(hiss=2),  # by which the watch finds a call's frames again
            callee=demo.at_home(people),
            port=int(_port(settings.SAUTIKIT_BASE_URL)),
        )
        voice = offline_voice() if speaks else tonal_voice()

        async def place_calls() -> None:
            await self._place_calls(folder)

        port = int(_port(settings.GEMINI_LIVE_URL))
        async with LiveServer(voice=voice, port=port, witness=watch.note), carrier:
            return await demo.play(scenes, people, carrier, OWN_NUMBER, place_calls, speech, folder)

    async def _place_calls(self, folder: Path) -> None:
        """Have the command place what is due, and print whom it calls, when, and why not."""
        log = folder / "place_calls.log"
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "manage.py", "place_calls", "--due"),
                cwd=settings.BASE_DIR,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
            printed, _ = await process.communicate()
        if process.returncode:
            raise CommandError(f"place_calls failed: see {log}")
        hours = f"{_HOURS}={settings.DIAL_HOURS}"
        self.stdout.write(f"\n== {hours} manage.py place_calls --due\n{printed.decode().rstrip()}")
        self.stdout.flush()

    def _tell(self, shown: demo.Shown, watch: ModelWatch) -> bool:
        """Print a scene; return whether it did what it should."""
        record = shown.record
        told = report.document(record, record.added(watch), shown.recording) if record else None
        wanted, call = shown.scene.wanted, demo_checks.call_of(shown)
        if wanted is not None and wanted.approved and call is not None:
            demo_stage.approve(call.public_id, timezone.now())
        lacks = demo_checks.missing(shown)
        self.stdout.write(
            "\n".join(
                [
                    f"\n== {shown.scene.title}",
                    *(report.lines(told) if told else ()),
                    *demo_checks.rows(shown),
                    *([f"heard     {shown.heard}"] if told else ()),
                    *(f"MISSING   {one}" for one in lacks),
                ]
            )
        )
        return not lacks


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
        _HOURS: "00:00-24:00",  # whenever the demonstration is watched, there is somebody to be called
        **beside_speech(),
    }


def _in_usual_hours(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a server that plans by a courier's usual hours, as after a voicemail."""
    return {name: value for name, value in environment.items() if name != _HOURS}


def _port(url: str) -> str:
    return str(urlsplit(url).port)
