"""Measure how soon tools answer in 50 calls over 200,000 parcels, on the PostgreSQL that DATABASE_URL names.

`python -m tests.services python -m tests.benchmarks.tools` starts one for it. Each call asks as a bridge
does, through its `_ToolRunner` and the pool of database threads: one tool every five seconds, by turns all
that a recipient may be told and a reschedule, proposed and carried out. Then all calls ask at once. No sound
is carried beside it.
"""

import argparse
import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

os.environ |= {  # who asks for a minute without pause asks for more than a caller may
    "TOOL_CALLS_A_CALL": "100000",
    "TOOL_CALLS_A_MINUTE": "100000",
    "TOOL_CALLS_ALIKE": "100000",
}

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "courier.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from shipments.depots import DeliverySlot, Depot  # noqa: E402
from tests.benchmarks.desk import ROWS, write  # noqa: E402
from voice import calls, opening, orm  # noqa: E402
from voice.calls import CallFacts  # noqa: E402
from voice.proof import NumberProof  # noqa: E402
from voice.wire import gemini, sautikit  # noqa: E402

CALLS, EVERY_S, BURSTS = 50, 5.0, 5
P95_MS, BURST_MS = 30.0, 400.0
FIRST, STEP = 60_000, 606
"""Parcels of numbers that have no other, all in transit (every sixth is) and spread over the depots."""
DAYS, WINDOWS = range(1, 7), ((8, 12), (12, 16), (16, 20))


def write_slots() -> None:
    """Let every depot deliver as much as is asked for, on each day that a parcel may be moved to."""
    today = timezone.localdate()
    DeliverySlot.objects.bulk_create(
        DeliverySlot(
            depot=depot,
            date=today + timedelta(days=day),
            window_start=f"{start:02}:00",
            window_end=f"{end:02}:00",
            capacity=10_000,
        )
        for depot in Depot.objects.all()
        for day in DAYS
        for start, end in WINDOWS
    )


@dataclass
class Caller:
    """One call that is up: what it asks next, and how long each answer took."""

    parcel: int
    facts: CallFacts
    turn: int = 0
    change_id: str = ""
    took_ms: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._runner = opening._ToolRunner(self.facts, NumberProof(self.facts), opening.NO_TRANSFER)

    async def ask(self) -> None:
        """Have the next tool run, and note how long that took."""
        name, args = self._next()
        began = time.perf_counter()
        outcome = await self._runner.run(gemini.ToolCall(f"{self.parcel}-{self.turn}", name, args))
        self.took_ms.append((time.perf_counter() - began) * 1000)
        self.statuses[f"{name}: {outcome.result['status']}"] += 1
        data = outcome.result.get("data")
        if name == "prepare_reschedule" and isinstance(data, dict):
            self.change_id = str(data.get("change_id", ""))
        self.turn += 1

    def _next(self) -> tuple[str, dict[str, object]]:
        day = timezone.localdate() + timedelta(days=1 + (self.parcel + self.turn) % len(DAYS))
        asked: Sequence[tuple[str, dict[str, object]]] = (
            ("track_shipment", {}),
            ("track_shipment", {"tracking_id": " ".join(f"KM{self.parcel:08}")}),
            ("list_my_shipments", {}),
            ("offer_slots", {"day": day.isoformat()}),
            ("confirm_address", {"said": f"House {self.parcel} opposite the Heron kiosk {self.parcel}"}),
            ("prepare_reschedule", {"day": day.isoformat(), "window": "morning"}),
            ("confirm_reschedule", {"change_id": self.change_id}),
        )
        # Each begins elsewhere: fifty callers do not ask the same in step.
        return asked[(self.parcel // STEP + self.turn) % len(asked)]


def ring(parcel: int) -> Caller:
    """Open a call from the number of a parcel, as its signed webhook does."""
    webhook = sautikit.parse_webhook(
        {
            "sessionId": f"HD_bench_{parcel}",
            "callerNumber": f"+25470{parcel % 150_000:07}",
            "destinationNumber": "+254700000900",
            "callSessionState": "Ringing",
            "direction": "Inbound",
        }
    )
    opened = calls.open_call(
        webhook, own_number="+254700000900", region="KE", now=timezone.now(), signed=True
    )
    assert opened is not None
    return Caller(parcel, opened.facts)


async def talk(callers: Sequence[Caller], seconds: float) -> list[float]:
    """Let each caller ask a tool every five seconds, each at a time of his own; return the milliseconds."""

    async def one(number: int, caller: Caller) -> None:
        await asyncio.sleep(number * EVERY_S / len(callers))
        for _ in range(round(seconds / EVERY_S)):
            began = time.perf_counter()
            await caller.ask()
            await asyncio.sleep(EVERY_S - (time.perf_counter() - began))

    async with asyncio.TaskGroup() as group:
        for number, caller in enumerate(callers):
            group.create_task(one(number, caller))
    return sorted(took for caller in callers for took in caller.took_ms)


async def burst_ms(callers: Sequence[Caller]) -> float:
    """Have all ask at once; return when the last was answered."""
    began = time.perf_counter()
    await asyncio.gather(*(caller.ask() for caller in callers))
    return (time.perf_counter() - began) * 1000


async def measure(callers: Sequence[Caller], seconds: float) -> tuple[list[float], list[float]]:
    """Return how long each answer took when asked by turns, and each burst, in milliseconds."""
    await burst_ms(callers)  # whoever is first opens the pool's connections
    for caller in callers:
        caller.took_ms.clear()
    took = await talk(callers, seconds)
    bursts = []
    for _ in range(BURSTS):
        await asyncio.sleep(1)
        bursts.append(await burst_ms(callers))
    return took, bursts


def main() -> None:
    """Write the rows, measure, print the table; exit with an error when it is slower than promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    write()
    write_slots()
    callers = [ring(FIRST + STEP * number) for number in range(CALLS)]
    took, bursts = asyncio.run(measure(callers, options.seconds))
    orm.executor().shutdown()
    answered: Counter[str] = sum((caller.statuses for caller in callers), Counter())
    print(f"  {dict(sorted(answered.items()))}", file=sys.stderr, flush=True)
    p50, p95, p99 = (took[int(len(took) * share)] for share in (0.5, 0.95, 0.99))
    soon, together = p95 <= P95_MS, max(bursts) <= BURST_MS
    print(f"\n| tools of {CALLS} calls, {ROWS:,} parcels | measured | kept |\n| --- | --- | --- |")
    print(
        f"| each call one every {EVERY_S:.0f} s ({len(took)} answers), p95 at most {P95_MS:.0f} ms "
        f"| p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f}, max {took[-1]:.1f} ms | {'yes' if soon else 'NO'} |"
    )
    print(
        f"| all at once ({len(bursts)} times), the last answered within {BURST_MS:.0f} ms "
        f"| {', '.join(f'{one:.0f}' for one in bursts)} ms | {'yes' if together else 'NO'} |",
        flush=True,
    )
    if not (soon and together):
        sys.exit("slower than promised")


if __name__ == "__main__":
    main()
