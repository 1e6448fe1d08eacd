"""Run the whole product on this machine, with neither vendor, until told to stop."""

import os
import secrets
import shlex
import signal
import sys
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from voice.sandbox.process import Process, beside_speech, free_port, is_healthy, secret_file

USER = "dispatcher"
OWN_NUMBER = "+254700000099"
_CARRIERS_SECRETS = ("SAUTIKIT_ROUTING_SECRETS", "SAUTIKIT_SIGNING_SECRETS")
"""What who rings needs: where to post, and what vouches for the caller's number."""
_SECRETS = ("SECRET_KEY", "SAUTIKIT_API_KEY", "SAUTIKIT_EVENTS_SECRETS", *_CARRIERS_SECRETS)
_LOOK_S = 0.1


class Command(BaseCommand):
    """Start the server, a local voice model and a fake telephone platform, with secrets of their own."""

    help = (
        "Run everything: the server, a voice model on this machine and a fake telephone platform, with new "
        "secrets and a new password for the demo log-in. Ctrl-C stops all."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--port", type=int, default=8000, help="of the server; a free one when it is taken"
        )
        parser.add_argument(
            "--folder", type=Path, default=settings.BASE_DIR / "var" / "run", help="for logs and secrets"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare the database, start everything, say where it is, and stop it all in the end."""
        folder: Path = options["folder"].resolve()
        folder.mkdir(parents=True, exist_ok=True)
        environment = {f"{name}_FILE": secret_file(folder, name) for name in _SECRETS}
        call_command("migrate", verbosity=0)
        call_command("seed_demo", stdout=self.stdout)
        password = _log_in()
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            with ExitStack() as running:
                self._run(running, folder, environment, free_port(options["port"]), password)
        except KeyboardInterrupt:
            self.stdout.write("\nstopped")

    def _run(
        self, running: ExitStack, folder: Path, secret_files: Mapping[str, str], port: int, password: str
    ) -> None:
        public_url = f"http://127.0.0.1:{port}"
        own = {"PUBLIC_URL": public_url, "SAUTIKIT_NUMBER": OWN_NUMBER, "DEBUG": "0"}
        carrier_port = free_port(0)
        environment = os.environ | secret_files | own | beside_speech()
        environment["SAUTIKIT_BASE_URL"] = f"http://127.0.0.1:{carrier_port}"
        model, url = self._local_model(running, folder, environment)
        environment |= {"GEMINI_LIVE_URL": url, "GEMINI_API_KEY": "a-local-model-takes-any-key"}
        carrier = Process("carrier", ["carrier", "--port", str(carrier_port)], folder, environment)
        server = Process("serve", ["serve", "--port", str(port)], folder, environment)
        worker = Process("worker", ["worker"], folder, environment)
        for process in (carrier, server, worker):
            running.callback(process.stop)
            process.start()
        carrier.wait_for(carrier.printed)
        server.wait_for(lambda: is_healthy(public_url))
        self._tell(public_url, password, secret_files, folder)
        _until_one_ends([model, carrier, server, worker])

    def _local_model(
        self, running: ExitStack, folder: Path, environment: Mapping[str, str]
    ) -> tuple[Process, str]:
        """Start the local model, with real speech where it can be had; return it and its address."""
        for brain in ("offline", "scripted"):
            process = Process("model", ["live_server", "--port", "0", "--brain", brain], folder, environment)
            running.callback(process.stop)
            process.start()
            try:
                return process, process.wait_for(process.printed)
            except CommandError as error:
                if brain == "scripted":
                    raise
                self.stderr.write(f"The speech packages are missing, so the agent only beeps. {error}")
        raise AssertionError("unreachable")

    def _tell(self, public_url: str, password: str, secret_files: Mapping[str, str], folder: Path) -> None:
        names = [f"{name}_FILE" for name in _CARRIERS_SECRETS]
        words = {"PUBLIC_URL": public_url} | {name: secret_files[name] for name in names}
        set_up = " ".join(f"{name}={shlex.quote(value)}" for name, value in words.items())
        self.stdout.write(
            f"\nadmin     {public_url}/admin/\n"
            f"log-in    {USER} / {password}\n"
            f"logs      {folder}\n"
            f"a call    {set_up} {shlex.quote(sys.executable)} manage.py simulate_call"
            ' --say "Hello, where is my parcel?"\n'
            "Ctrl-C stops everything."
        )
        self.stdout.flush()


def _log_in() -> str:
    """Give the demo's user a new password, and return it."""
    password = secrets.token_urlsafe(12)
    user, _ = get_user_model().objects.get_or_create(
        username=USER, defaults={"is_staff": True, "is_superuser": True}
    )
    user.set_password(password)
    user.save(update_fields=["password"])
    return password


def _until_one_ends(processes: list[Process]) -> None:
    while not (ended := [process for process in processes if process.has_ended()]):
        time.sleep(_LOOK_S)  # until Ctrl-C, or until one of them breaks
    raise CommandError(f"{ended[0].name} ended: {ended[0].last_words()}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
