"""The load of callers who ask for tools while they talk: like `load`, on one core with the local model.

Each model asks a tool every five seconds, at a time of its own: by turns all that a recipient may be told
and a reschedule, proposed and carried out. It speaks for two seconds once it was answered, and then its
caller answers with a second of noise. At last all models ask at once, some times. An answer's time is from
the `toolCall` on the wire to its `toolResponse`. Prints one JSON object.
"""

import argparse
import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import orjson
import uvloop
from picows import WSFrame, WSMsgType, WSTransport, WSUpgradeRequest

from tests.benchmarks import load
from tests.benchmarks.load import CHUNKS_MS, FASTER, FRAME_BYTES, GENERATED, TURN_COMPLETE

EVERY_S = 5.0
SPEAKS_AFTER_S, NOISE_AFTER_S, NOISE_S = 0.5, 3.2, 1.0  # after an answer
ANSWER = b'{"serverContent":{"inputTranscription":{"text":"Yes, please."}}}'
NOISE = random.Random(1).randbytes(FRAME_BYTES)
SILENCE = bytes(FRAME_BYTES)
STAMP_EVERY = 16


class Caller(load.Caller):
    """A telephone that is quiet until somebody speaks into it: a stamp is loud, and few frames have one."""

    speaks_until = 0.0
    ticks = 0

    def tick(self) -> None:
        """Send the next frame."""
        self.ticks += 1
        if self.ticks % STAMP_EVERY == 1:
            super().tick()
        elif self.transport is not None:
            speaks = time.monotonic() < self.speaks_until
            self.transport.send(WSMsgType.BINARY, NOISE if speaks else SILENCE)


class Model(load.Model):
    """A model that asks tools, and speaks when it was answered."""

    def __init__(self, run: "Run") -> None:
        super().__init__(run)
        self.asking = run
        self.turn = 0
        self.change_id = ""
        self.asked: dict[str, tuple[str, float]] = {}

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a client frame, an answer of a tool or anything else."""
        is_text = frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY)
        payload = frame.get_payload_as_bytes() if is_text else b""
        if not payload.startswith(b'{"toolResponse"'):
            super().on_ws_frame(transport, frame)
            return
        now = time.monotonic()
        for answer in orjson.loads(payload)["toolResponse"]["functionResponses"]:
            self._answered(answer["id"], answer["response"], now)

    def _answered(self, call_id: str, told: dict[str, Any], now: float) -> None:
        name, asked_at = self.asked.pop(call_id)
        self.asking.took_ms.append((now - asked_at) * 1000)
        refused = f" ({told['message'][:60]}…)" if told["status"] == "refused" else ""
        self.asking.answers[f"{name}: {told['status']}{refused}"] += 1
        if name == "prepare_reschedule":
            self.change_id = str((told.get("data") or {}).get("change_id", ""))
        if not self.asked:
            loop = asyncio.get_running_loop()
            self.timers = [
                loop.call_later(SPEAKS_AFTER_S, self.tell, told["message"]),
                loop.call_later(NOISE_AFTER_S, self.be_answered),
            ]

    def tell(self, words: str) -> None:
        """Say for two seconds what was found."""
        loop, at_ms = asyncio.get_running_loop(), 0
        self.say(orjson.dumps({"serverContent": {"outputTranscription": {"text": words}}}))
        for ms, chunk in zip(CHUNKS_MS, self.run.chunks, strict=True):
            self.timers.append(loop.call_later(at_ms / FASTER / 1000, self.say, chunk))
            at_ms += ms
        self.timers.append(loop.call_later(at_ms / FASTER / 1000, self.say, GENERATED))
        self.timers.append(loop.call_later(at_ms / 1000, self.say, TURN_COMPLETE))

    def be_answered(self) -> None:
        """Have the caller speak, and understand him."""
        self.say(ANSWER)
        if isinstance(self.caller, Caller):
            self.caller.speaks_until = time.monotonic() + NOISE_S

    def ask(self) -> None:
        """Call the next tool."""
        index = self.caller.index if self.caller is not None else 0
        name, args = _tool(index, self.turn, self.asking.house(index), self.change_id)
        call_id = f"{index}-{self.turn}"
        self.turn += 1
        self.asked[call_id] = (name, time.monotonic())
        call = {"id": call_id, "name": name, "args": args}
        self.say(orjson.dumps({"toolCall": {"functionCalls": [call]}}))


def _tool(index: int, turn: int, house: int, change_id: str) -> tuple[str, dict[str, object]]:
    """Return a call's next tool: each begins elsewhere, as fifty callers do not ask the same in step."""
    day = (date.today() + timedelta(days=1 + (index + turn) % 6)).isoformat()  # noqa: DTZ011 - the machine's own
    asked: Sequence[tuple[str, dict[str, object]]] = (
        ("track_shipment", {}),
        ("track_shipment", {"tracking_id": " ".join(f"KM{house:08}")}),
        ("list_my_shipments", {}),
        ("offer_slots", {"day": day}),
        ("confirm_address", {"said": f"House {house} opposite the Heron kiosk {house}"}),
        ("prepare_reschedule", {"day": day, "window": "morning"}),
        ("confirm_reschedule", {"change_id": change_id}),
    )
    return asked[(index + turn) % len(asked)]


class Run(load.Run):
    """Callers who ask, each for a parcel of his own number."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self.took_ms: list[float] = []
        self.answers: Counter[str] = Counter()

    def house(self, index: int) -> int:
        """Return the number of a call's parcel, which is its house's too."""
        return int(self.options.first_parcel + index * self.options.step)

    def caller(self, n: int) -> Caller:
        """Return the nth telephone."""
        return Caller(self.measured, n)

    def number(self, n: int) -> str:
        """Return the nth caller's number."""
        return f"+25470{self.house(n) % self.options.numbers:07}"

    def model(self, request: WSUpgradeRequest) -> Model:
        """Return the listener of a new model session."""
        return Model(self)

    async def measure(self) -> dict[str, Any]:
        """Run, and return the figures."""
        async with self.talking():
            models = [model for model in self.models if isinstance(model, Model)]
            await self._by_turns(models, self.options.warm_up)
            self.took_ms.clear()
            self.answers.clear()
            self.measured.counting = True
            began, own = time.monotonic(), load.own_cpu_s()
            await self._by_turns(models, self.options.seconds)
            took, own = time.monotonic() - began, load.own_cpu_s() - own
            by_turns = list(self.took_ms)
            bursts = [await self._burst(models) for _ in range(self.options.bursts)]
        return {
            "load_busy": round(own / took, 3),
            "answers": dict(sorted(self.answers.items())),
            "took_ms": load.percentiles(by_turns),
            "asked": len(by_turns),
            "bursts_ms": bursts,
            "disordered": self.measured.disordered,
            "lost_calls": self.measured.lost_calls,
            "uplink_ms": load.percentiles(self.measured.uplink),
            "jitter_ms": load.percentiles(self.measured.jitter),
        }

    async def _by_turns(self, models: Sequence[Model], seconds: float) -> None:
        loop = asyncio.get_running_loop()
        for turn in range(round(seconds / EVERY_S)):
            for n, model in enumerate(models):
                loop.call_later(turn * EVERY_S + n * EVERY_S / len(models), model.ask)
        await asyncio.sleep(seconds)
        await self._all_answered(models)

    async def _burst(self, models: Sequence[Model]) -> float:
        """Have all ask at once while they talk; return when the last was answered, in milliseconds."""
        await asyncio.sleep(EVERY_S)
        already = len(self.took_ms)
        for model in models:
            model.ask()
        await self._all_answered(models)
        return round(max(self.took_ms[already:]), 1)

    async def _all_answered(self, models: Sequence[Model]) -> None:
        async with asyncio.timeout(10):
            while any(model.asked for model in models):  # noqa: ASYNC110 - a benchmark may poll
                await asyncio.sleep(0.01)


def main() -> None:
    """Read the options, run once, print the figures."""
    parser = load.options()
    parser.add_argument("--first-parcel", type=int, required=True)
    parser.add_argument("--step", type=int, required=True, help="between the parcels of two callers")
    parser.add_argument("--numbers", type=int, required=True, help="how many numbers the parcels share")
    parser.add_argument("--bursts", type=int, default=5)
    print(json.dumps(uvloop.run(Run(parser.parse_args()).measure())))


if __name__ == "__main__":
    main()
