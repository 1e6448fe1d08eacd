"""Put up one bridge on a core of its own and one load on another, and return what the load saw."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.line import eventually
from tests.processes import end, free_port, listens

ROOT = Path(__file__).resolve().parents[2]
LOAD_CORE, BRIDGE_CORE = sorted(os.sched_getaffinity(0))[:2]
BUSY = 0.8
"""Of its core: above that the load measures itself."""


def _pinned(core: int, *command: str) -> list[str]:
    return ["taskset", "-c", str(core), sys.executable, *command]


@contextmanager
def bridge(kind: str, model_port: int, **environment: str) -> Iterator[dict[str, str]]:
    """Run one bridge process (serve, daphne or relay) on its core; yield the load's options for it."""
    port = free_port()
    model = f"ws://127.0.0.1:{model_port}"
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {
            "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
            "SECRET_KEY": "a-key-for-one-benchmark-run-that-nobody-else-uses",
            "SAUTIKIT_ROUTING_SECRETS": "bench-routing-secret-0123456789abcdef",
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "GEMINI_LIVE_URL": model,
            "GEMINI_API_KEY": "bench-key",
            "SAUTIKIT_NUMBER": "+254700000000",
            "ADMISSION_CALLS": "1000",
            "ADMISSION_CALLS_PER_SECOND": "1000",
            "ADMISSION_LAG_S": "10",  # how the calls are carried is measured, not when we would refuse one
            "GREETING_SHIELD_S": "0",
        }
        env |= environment
        match kind:
            case "relay":
                command = _pinned(BRIDGE_CORE, "-m", "tests.benchmarks.relay", str(port), model)
            case "daphne":
                command = _pinned(
                    BRIDGE_CORE,
                    "-m",
                    "daphne",
                    "-b",
                    "127.0.0.1",
                    "-p",
                    str(port),
                    "courier.asgi:application",
                )
            case _:
                command = _pinned(
                    BRIDGE_CORE, "manage.py", "serve", "--host", "127.0.0.1", "--port", str(port)
                )
        if kind != "relay":
            subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=env, check=True)
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
        try:
            _wait_for(port, process)
            options = {"pid": str(process.pid), "stream": f"ws://127.0.0.1:{port}/"}
            if kind != "relay":
                options["voice"] = f"http://127.0.0.1:{port}/voice/bench-routing-secret-0123456789abcdef"
            yield options
        finally:
            end(process, within_s=10)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    eventually(lambda: process.poll() is not None or listens(port), 30)
    if process.poll() is not None:
        raise SystemExit(f"the bridge ended with {process.returncode} before it listened")


def load(kind: str, *flags: str, of: str = "load", **environment: str) -> dict[str, Any]:
    """Run a load against a fresh bridge and return its figures; `of` is the load's module."""
    model_port = free_port()
    with bridge(kind, model_port, **environment) as options:
        command = _pinned(LOAD_CORE, "-m", f"tests.benchmarks.{of}", "--model-port", str(model_port))
        for name, value in options.items():
            command += [f"--{name}", value]
        done = subprocess.run([*command, *flags], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    figures: dict[str, Any] = json.loads(done.stdout)
    figures["void"] = figures["load_busy"] > BUSY
    print("  ", kind, json.dumps(figures), file=sys.stderr, flush=True)
    return figures
