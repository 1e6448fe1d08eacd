"""Run the speed and capacity measurements and print them as a table, with the machine beside it.

    python -m tests.benchmarks            all of it, as `make bench` does
    python -m tests.benchmarks --quick    one short run of each, to see that it works
    python -m tests.benchmarks --only X   one table, or one promise: loss, barge_in, hang_up, renewal …

Load and local model share one core, the bridge has another. A run in which the load's core was over 80 %
busy is void: it is said so and not counted.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable
from itertools import count
from typing import Any

from tests import services
from tests.benchmarks import promises
from tests.benchmarks.bench import ROOT, load

BOUNDS = {"uplink": 30.0, "jitter": 8.0, "mb": 0.5}


def measure(kind: str, calls: int, seconds: float, *flags: str) -> dict[str, Any]:
    """Run the load against a fresh bridge and return its figures."""
    return load(kind, "--calls", str(calls), "--seconds", str(seconds), *flags)


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
