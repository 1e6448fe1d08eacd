"""Run commands of manage.py in processes of their own, with secrets that nobody else has."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
from django.conf import settings
from django.core.management.base import CommandError

_START_S = 60.0  # the local model loads its speech
_STOP_S = 3.0
_LOOK_S = 0.1


def beside_speech() -> dict[str, str]:
    """Return the settings of a server whose callers and model work out their speech on the same cores.

    The first calls were 25-34 ms late on their own, and 106 ms on a busy machine, where a caller then heard
    an apology.
    """
    return {"ADMISSION_LAG_S": os.environ.get("ADMISSION_LAG_S", "0.5")}


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


def secret_file(folder: Path, name: str) -> str:
    """Write a new secret where only we can read it, and return the file's name."""
    path = folder / name.lower()
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(secrets.token_urlsafe(48))
    return str(path)


def free_port(port: int) -> int:
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


def is_healthy(public_url: str) -> str:
    """Return a word when a server answers there, or nothing yet."""
    try:
        return "yes" if httpx.get(f"{public_url}/healthz", trust_env=False).is_success else ""
    except httpx.TransportError:
        return ""
