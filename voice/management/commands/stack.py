"""Run the whole product on this machine, with neither vendor, until told to stop."""

import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

USER = "dispatcher"
OWN_NUMBER = "+254700000099"
_SECRETS = ("SECRET_KEY", "SAUTIKIT_API_KEY", "SAUTIKIT_ROUTING_SECRETS", "SAUTIKIT_EVENTS_SECRETS")
_START_S = 60.0  # the local model loads its speech
_STOP_S = 3.0
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
        environment = {f"{name}_FILE": _secret_file(folder, name) for name in _SECRETS}
        call_command("migrate", verbosity=0)
        call_command("seed_demo", stdout=self.stdout)
        password = _log_in()
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            with ExitStack() as running:
                self._run(running, folder, environment, _free(options["port"]), password)
        except KeyboardInterrupt:
            self.stdout.write("\nstopped")

    def _run(
        self, running: ExitStack, folder: Path, secret_files: Mapping[str, str], port: int, password: str
    ) -> None:
        public_url = f"http://127.0.0.1:{port}"
        own = {"PUBLIC_URL": public_url, "SAUTIKIT_NUMBER": OWN_NUMBER, "DEBUG": "0"}
        carrier_port = _free(0)
        environment = os.environ | secret_files | own
        environment["SAUTIKIT_BASE_URL"] = f"http://127.0.0.1:{carrier_port}"
        model, url = self._local_model(running, folder, environment)
        environment |= {"GEMINI_LIVE_URL": url, "GEMINI_API_KEY": "a-local-model-takes-any-key"}
        carrier = Process("carrier", ["carrier", "--port", str(carrier_port)], folder, environment)
        server = Process("serve", ["serve", "--port", str(port)], folder, environment)
        for process in (carrier, server):
            running.callback(process.stop)
            process.start()
        carrier.wait_for(carrier.printed)
        server.wait_for(lambda: _is_healthy(public_url))
        self._tell(public_url, password, secret_files, folder)
        _until_one_ends([model, carrier, server])

    def _local_model(
        self, running: ExitStack, folder: Path, environment: Mapping[str, str]
    ) -> tuple["Process", str]:
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
        name = "SAUTIKIT_ROUTING_SECRETS_FILE"
        words = {"PUBLIC_URL": public_url, name: secret_files[name]}
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


class Process:
    """One command of manage.py in a process of its own, its output in files."""

    def __init__(self, name: str, command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self._command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *command]
        self._out = folder / f"{name}.out"
        self._log = folder / f"{name}.log"
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; Ctrl-C reaches it through us only, so that all stop in order."""
        with self._out.open("wb") as out, self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command, env=self._environment, stdout=out, stderr=log, start_new_session=True
            )

    def has_ended(self) -> bool:
        """Tell whether it is over."""
        return self._process is None or self._process.poll() is not None

    def printed(self) -> str:
        """Return the first line that it printed, or nothing yet."""
        first, end, _ = self._out.read_text().partition("\n")
        return first if end else ""

    def last_words(self) -> str:
        """Return the last line that it logged."""
        return (self._log.read_text(errors="replace").strip().splitlines() or ["It said nothing."])[-1]

    def wait_for(self, found: Callable[[], str]) -> str:
        """Wait until `found` gives something, and return it.

        Raises:
            CommandError: the process ended first, or it took too long.
        """
        until = time.monotonic() + _START_S
        while not (what := found()):
            if self.has_ended() or time.monotonic() > until:
                raise CommandError(f"{self.name} did not start: {self.last_words()}")
            time.sleep(_LOOK_S)  # another process comes up, and tells nobody when
        return what

    def stop(self) -> None:
        """End it: asked once, asked again (a server then stops waiting for its calls), then killed."""
        for end in ("terminate", "terminate", "kill"):
            if self._process is None or self._process.poll() is not None:
                return
            getattr(self._process, end)()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                continue


def _secret_file(folder: Path, name: str) -> str:
    """Write a new secret where only we can read it, and return the file's name."""
    path = folder / name.lower()
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(secrets.token_urlsafe(48))
    return str(path)


def _log_in() -> str:
    """Give the demo's user a new password, and return it."""
    password = secrets.token_urlsafe(12)
    user, _ = get_user_model().objects.get_or_create(
        username=USER, defaults={"is_staff": True, "is_superuser": True}
    )
    user.set_password(password)
    user.save(update_fields=["password"])
    return password


def _free(port: int) -> int:
    """Return `port`, or a free one when somebody has it."""
    for wanted in (port, 0):
        with socket.socket() as probe:
            # As the server will: the last one's finished connections are no reason to move.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise CommandError("there is no free port")


def _is_healthy(public_url: str) -> str:
    try:
        return "yes" if httpx.get(f"{public_url}/healthz", trust_env=False).is_success else ""
    except httpx.TransportError:
        return ""


def _until_one_ends(processes: list[Process]) -> None:
    while not (ended := [process for process in processes if process.has_ended()]):
        time.sleep(_LOOK_S)  # until Ctrl-C, or until one of them breaks
    raise CommandError(f"{ended[0].name} ended: {ended[0].last_words()}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
