"""Run the speed and capacity measurements and print them as a table, with the machine beside it.

    python -m tests.benchmarks            all of it, as `make bench` does
    python -m tests.benchmarks --quick    one short run of each, to see that it works
    python -m tests.benchmarks --only X   one table, or one promise: loss, barge_in, hang_up, renewal …

Load and local model share one core, the bridge has another. A run in which the load's core was over 80 %
busy is void: it is said so and not counted.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from tests import services
from tests.benchmarks import promises

ROOT = Path(__file__).resolve().parents[2]
LOAD_CORE, BRIDGE_CORE = sorted(os.sched_getaffinity(0))[:2]
BUSY = 0.8
BOUNDS = {"uplink": 30.0, "jitter": 8.0, "mb": 0.5}


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _pinned(core: int, *command: str) -> list[str]:
    return ["taskset", "-c", str(core), sys.executable, *command]


@contextmanager
def bridge(kind: str, model_port: int) -> Iterator[dict[str, str]]:
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
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise SystemExit(f"the bridge ended with {process.returncode} before it listened")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the bridge does not listen")


def measure(kind: str, calls: int, seconds: float, *flags: str) -> dict[str, Any]:
    """Run the load against a fresh bridge and return its figures."""
    model_port = free_port()
    with bridge(kind, model_port) as options:
        command = _pinned(LOAD_CORE, "-m", "tests.benchmarks.load", "--model-port", str(model_port))
        for name, value in options.items():
            command += [f"--{name}", value]
        command += ["--calls", str(calls), "--seconds", str(seconds), *flags]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    figures: dict[str, Any] = json.loads(done.stdout)
    figures["void"] = figures["load_busy"] > BUSY
    print("  ", kind, json.dumps(figures), file=sys.stderr, flush=True)
    return figures


def _valid(runs: list[dict[str, Any]], name: str) -> list[float]:
    return [run[name] for run in runs if not run["void"]]


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f}–{max(values):.2f}]" if values else "void"


def cpu_table(runs: int, seconds: float) -> None:
    """Print CPU per call-second, ours and Daphne's beside the bare relay's, in interleaved runs."""
    print("\n| CPU, ms per call-second (median [range]) | bare relay | serve | ratio | Daphne |")
    print("| --- | --- | --- | --- | --- |")
    for calls in (40, 150):
        seen: dict[str, list[dict[str, Any]]] = {"relay": [], "serve": [], "daphne": []}
        for _ in range(runs):
            for kind, found in seen.items():
                if kind != "daphne" or calls == 40:
                    found.append(measure(kind, calls, seconds))
        cost = {kind: _valid(found, "cpu_ms_per_call_s") for kind, found in seen.items()}
        ratio = statistics.median(cost["serve"]) / statistics.median(cost["relay"])
        daphne = _spread(cost["daphne"]) if calls == 40 else "–"
        row = [f"{calls} calls", _spread(cost["relay"]), _spread(cost["serve"]), f"{ratio:.2f}", daphne]
        print(f"| {' | '.join(row)} |", flush=True)


def holds(figures: dict[str, Any]) -> bool:
    """Tell whether a run kept every bound of a good line."""
    return bool(
        not figures["void"]
        and figures["disordered"] == 0
        and figures["lost_calls"] == 0
        and figures["uplink_ms"]["p99"] <= BOUNDS["uplink"]
        and figures["jitter_ms"]["p99"] <= BOUNDS["jitter"]
        and figures["mb_per_call"] <= BOUNDS["mb"]
    )


def capacity_table(seconds: float, sizes: Iterable[int]) -> None:
    """Print what one process on one core does as calls are added, up to the first size that fails.

    A size is void when it is the load's own core that is too busy: then the bridge may hold more.
    """
    head = (
        "calls in one process | holds | busy | uplink p50 / p95 / p99 ms | jitter p99 ms | lost | MB a call"
    )
    print(f"\n| {head} |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for calls in sizes:
        run = measure("serve", calls, seconds)
        up, jitter = run["uplink_ms"], run["jitter_ms"]
        held = "void" if run["void"] else "yes" if holds(run) else "no"
        print(
            f"| {calls} | {held} | {run['bridge_busy']:.0%} "
            f"| {up['p50']} / {up['p95']} / {up['p99']} | {jitter['p99']} "
            f"| {run['disordered'] + run['lost_calls']} | {run['mb_per_call']} |",
            flush=True,
        )
        if not holds(run):
            break


def edges_table(seconds: float) -> None:
    """Print barge-in and webhook figures."""
    stale = measure("serve", 40, seconds, "--barge-in")["stale_ms"]
    webhook = measure("serve", 100, seconds, "--webhook")["webhook_ms"]
    print("\n| what | p50 | p95 | p99 | max |\n| --- | --- | --- | --- | --- |")
    for name, found in (
        ("`interrupted` sent → last old frame, ms", stale),
        ("`/voice` with 100 calls up, ms", webhook),
    ):
        shown = (
            " | ".join(str(found[key]) for key in ("p50", "p95", "p99", "max")) if found else "none | | | "
        )
        print(f"| {name} | {shown} |")


def desk_table() -> None:
    """Print how long the desk's pages take over 200,000 parcels on a PostgreSQL of their own."""
    with services.postgres() as url:
        command = [sys.executable, "-m", "tests.benchmarks.desk"]
        subprocess.run(command, cwd=ROOT, env=os.environ | {"DATABASE_URL": url}, check=True)


def tools_table(seconds: float) -> None:
    """Print how soon tools answer in fifty calls over 200,000 parcels, on a PostgreSQL of their own."""
    with services.postgres() as url:
        command = [sys.executable, "-m", "tests.benchmarks.tools", "--seconds", str(seconds)]
        subprocess.run(command, cwd=ROOT, env=os.environ | {"DATABASE_URL": url}, check=True)


def outbound_table() -> None:
    """Print how fast calls to place are claimed and planned, on a PostgreSQL of their own."""
    with services.postgres() as url:
        command = [sys.executable, "-m", "tests.benchmarks.outbound"]
        environment = os.environ | {"DATABASE_URL": url, "DIAL_HOURS": "00:00-24:00"}
        subprocess.run(command, cwd=ROOT, env=environment, check=True)


def main() -> None:
    """Run the measurements asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument(
        "--only",
        choices=("cpu", "capacity", "edges", "desk", "tools", "outbound", "promises", *promises.MEASURES),
    )
    options = parser.parse_args()
    runs, seconds = (1, 5.0) if options.quick else (5, 6.0)
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
    print(f"{machine}; load {os.getloadavg()[0]:.1f}")
    if options.only in (None, "cpu"):
        cpu_table(runs, seconds)
    if options.only in (None, "capacity"):
        capacity_table(seconds, count(120, 40))
    if options.only in (None, "edges"):
        edges_table(seconds)
    if options.only in (None, "desk"):
        desk_table()
    if options.only in (None, "tools"):
        tools_table(15 if options.quick else 60)
    if options.only in (None, "outbound"):
        outbound_table()
    if options.only in (None, "promises"):
        promises.promises_table()
    elif options.only in promises.MEASURES:
        promises.promises_table([options.only])


if __name__ == "__main__":
    main()
