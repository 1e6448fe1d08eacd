"""The load: callers and a local model in one process on one core, measuring the bridge between them.

Every 20 ms frame of a caller carries when it was sent and its number, so that the model's side can tell
delay and loss to the frame. Prints one JSON object.
"""

import argparse
import asyncio
import base64
import json
import os
import resource
import struct
import time
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import orjson
import uvloop
from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_connect,
    ws_create_server,
)

FRAME_BYTES = 640
STAMP = struct.Struct("<4sHIQ")  # magic, caller, frame number, sent at (ns)
MAGIC = b"MARK"
PADDING = bytes(FRAME_BYTES - STAMP.size)
CHUNKS_MS = (40, 320, 320, 40, 400, 680, 200)  # 2 s of speech, as gemini-live.md §3.2 saw it cut
CYCLE_S = 5.0
FASTER = 4.5
LEAD_S = 0.3
SETUP_COMPLETE = b'{"setupComplete":{}}'
GENERATED = b'{"serverContent":{"generationComplete":true}}'
TURN_COMPLETE = b'{"serverContent":{"turnComplete":true}}'
INTERRUPTED = b'{"serverContent":{"interrupted":true}}'


def _chunk(ms: int) -> bytes:
    pcm = b"".join(struct.pack("<h", (n * 37) % 9000 - 4500) for n in range(24 * ms))
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(pcm).decode()}}
    return json.dumps({"serverContent": {"modelTurn": {"role": "model", "parts": [part]}}}).encode()


@dataclass(slots=True)
class Measured:
    """What a run saw; times in ms."""

    uplink: list[float] = field(default_factory=list)
    jitter: list[float] = field(default_factory=list)
    stale: list[float] = field(default_factory=list)
    webhook: list[float] = field(default_factory=list)
    sent: int = 0
    arrived: int = 0
    disordered: int = 0
    lost_calls: int = 0
    counting: bool = False


class Caller(WSListener):
    """One telephone: sends a stamped frame every 20 ms, listens to when audio comes."""

    def __init__(self, measured: Measured, index: int) -> None:
        self.measured = measured
        self.index = index
        self.transport: WSTransport | None = None
        self.number = 0
        self.heard_at = 0.0
        self.utterance_at = 0.0
        self.interrupted_at = 0.0
        self.closing = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the connection."""
        self.transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Count a call that was cut off."""
        self.transport = None
        if not self.closing:
            self.measured.lost_calls += 1

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Time the audio that comes back."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            return
        if frame.msg_type != WSMsgType.BINARY or not self.measured.counting:
            return
        now = time.monotonic()
        played_s = frame.payload_size / 32_000
        if self.interrupted_at:
            if now - self.interrupted_at < 0.5:
                self.measured.stale.append((now - self.interrupted_at) * 1000)
        elif now - self.heard_at > 0.5:
            self.utterance_at = now
        elif now - self.utterance_at > LEAD_S:  # before that the lead is built up, as fast as speech arrives
            self.measured.jitter.append(abs(now - self.heard_at - played_s) * 1000)
        self.heard_at = now

    def tick(self) -> None:
        """Send the next frame."""
        if self.transport is not None:
            stamp = STAMP.pack(MAGIC, self.index, self.number, time.monotonic_ns())
            self.transport.send(WSMsgType.BINARY, stamp + PADDING)
            self.number += 1
            self.measured.sent += self.measured.counting


class Model(WSListener):
    """One model session: answers the setup, speaks 2 s in every 5 s, reads the stamps in what it hears."""

    def __init__(self, run: "Run") -> None:
        self.run = run
        self.transport: WSTransport | None = None
        self.expected: int | None = None
        self.caller: Caller | None = None
        self.timers: list[asyncio.TimerHandle] = []

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the connection."""
        self.transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Stop speaking."""
        self.transport = None
        for timer in self.timers:
            timer.cancel()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a client frame."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            return
        if frame.msg_type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return
        message = orjson.loads(frame.get_payload_as_bytes())
        if "setup" in message:
            transport.send(WSMsgType.BINARY, SETUP_COMPLETE)
            self.run.models.append(self)
        elif audio := message.get("realtimeInput", {}).get("audio"):
            self.hear(base64.b64decode(audio["data"]))

    def hear(self, pcm: bytes) -> None:
        """Read the stamp of every caller frame inside."""
        measured, now = self.run.measured, time.monotonic_ns()
        for at in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES):
            magic, index, number, sent_at = STAMP.unpack_from(pcm, at)
            if magic != MAGIC:
                continue
            if self.expected is not None and number != self.expected:
                measured.disordered += 1
            self.expected = number + 1
            self.caller = self.run.callers[index] if index < len(self.run.callers) else None
            if measured.counting:
                measured.arrived += 1
                measured.uplink.append((now - sent_at) / 1e6)

    def speak(self) -> None:
        """Start an utterance, and the next one a cycle later."""
        loop, at_ms = asyncio.get_running_loop(), 0
        self.timers = [loop.call_later(CYCLE_S, self.speak)]
        if self.caller is not None:
            self.caller.interrupted_at = 0.0
        for ms, chunk in zip(CHUNKS_MS, self.run.chunks, strict=True):
            self.timers.append(loop.call_later(at_ms / FASTER / 1000, self.say, chunk))
            at_ms += ms
        self.timers.append(loop.call_later(at_ms / FASTER / 1000, self.say, GENERATED))
        if self.run.barge_in:
            self.timers.append(loop.call_later(1.0, self.interrupt))
        self.timers.append(loop.call_later(at_ms / 1000, self.say, TURN_COMPLETE))

    def interrupt(self) -> None:
        """Say that the caller spoke over it, and let the caller time what still comes."""
        if self.caller is not None:
            self.caller.interrupted_at = time.monotonic()
        self.say(INTERRUPTED)

    def say(self, frame: bytes) -> None:
        """Send one server frame."""
        if self.transport is not None:
            self.transport.send(WSMsgType.BINARY, frame)


class Run:
    """One measured run against one bridge."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.barge_in: bool = options.barge_in
        self.measured = Measured()
        self.chunks = [_chunk(ms) for ms in CHUNKS_MS]
        self.models: list[Model] = []
        self.callers: list[Caller] = []

    def model(self, request: WSUpgradeRequest) -> Model:
        """Return the listener of a new model session."""
        return Model(self)

    def caller(self, n: int) -> Caller:
        """Return the nth telephone."""
        return Caller(self.measured, n)

    def number(self, n: int) -> str:
        """Return the nth caller's number."""
        return f"+2547000{n:05d}"

    async def stream_url(self, client: httpx.AsyncClient, n: int) -> str:
        """Return where the nth call's stream goes: asked at the webhook, as the carrier does."""
        if not self.options.voice:
            return str(self.options.stream)
        answer = await client.post(self.options.voice, data=_webhook(n, self.number(n)))
        stream = ET.fromstring(answer.text).find("Stream")
        if stream is None:
            raise SystemExit(f"call {n} got no stream: {answer.status_code} {answer.text}")
        path = urllib.parse.urlsplit(stream.attrib["url"]).path
        return str(urllib.parse.urljoin(self.options.stream, path))

    async def start(self) -> None:
        """Place the calls, a few at a time."""
        headers = {"Sec-WebSocket-Protocol": "audio.drachtio.org"}
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            for n in range(self.options.calls):
                url = await self.stream_url(client, n)
                caller = self.caller(n)
                await ws_connect(lambda caller=caller: caller, url, extra_headers=headers)
                self.callers.append(caller)
        async with asyncio.timeout(30):
            while len(self.models) < self.options.calls:  # noqa: ASYNC110 - a benchmark may poll
                await asyncio.sleep(0.05)

    async def keep_speaking(self) -> None:
        """Send every caller's frames on time, spread over the 20 ms, until cancelled."""
        began, step = time.monotonic(), 0
        slots: list[list[Caller]] = [[] for _ in range(10)]
        for n, caller in enumerate(self.callers):
            slots[n % 10].append(caller)
        while True:
            for caller in slots[step % 10]:
                caller.tick()
            step += 1
            await asyncio.sleep(max(0.0, began + step * 0.002 - time.monotonic()))

    async def ask_webhook(self) -> None:
        """POST the webhook twenty times a second with new calls, while the others talk."""
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            for n in range(10_000, 10_000 + int(self.options.seconds * 20)):
                began = time.monotonic()
                answer = await client.post(self.options.voice, data=_webhook(n, self.number(n)))
                answer.raise_for_status()
                self.measured.webhook.append((time.monotonic() - began) * 1000)
                await asyncio.sleep(max(0.0, 0.05 - (time.monotonic() - began)))

    @asynccontextmanager
    async def talking(self) -> AsyncIterator[None]:
        """Put the local model up and have all callers send; end the calls on leaving."""
        server = await ws_create_server(self.model, "127.0.0.1", self.options.model_port)
        await self.start()
        speaking = asyncio.create_task(self.keep_speaking())
        try:
            yield
        finally:
            speaking.cancel()
            for caller in self.callers:
                caller.closing = True
                if caller.transport is not None:
                    caller.transport.send_close(WSCloseCode.OK)
            await asyncio.sleep(1.0)
            server.close()

    async def measure(self) -> dict[str, Any]:
        """Run, and return the figures."""
        loop, pid = asyncio.get_running_loop(), self.options.pid
        idle_kb = _resident_kb(pid)
        async with self.talking():
            for n, model in enumerate(self.models):
                loop.call_later(CYCLE_S * n / len(self.models), model.speak)
            await asyncio.sleep(self.options.warm_up)
            self.measured.counting = True
            began, cpu, own = time.monotonic(), _cpu_s(pid), own_cpu_s()
            if self.options.webhook:
                await self.ask_webhook()
            else:
                await asyncio.sleep(self.options.seconds)
            took, cpu, own = time.monotonic() - began, _cpu_s(pid) - cpu, own_cpu_s() - own
            self.measured.counting = False
            kb = _resident_kb(pid)
            await asyncio.sleep(0.3)
        measured, calls = self.measured, self.options.calls
        return {
            "calls": calls,
            "cpu_ms_per_call_s": round(cpu / took / calls * 1000, 3),
            "bridge_busy": round(cpu / took, 3),
            "load_busy": round(own / took, 3),
            "frames_sent": measured.sent,
            "disordered": measured.disordered,
            "lost_calls": measured.lost_calls,
            "uplink_ms": percentiles(measured.uplink),
            "jitter_ms": percentiles(measured.jitter),
            "stale_ms": percentiles(measured.stale),
            "webhook_ms": percentiles(measured.webhook),
            "mb_per_call": round((kb - idle_kb) / 1024 / calls, 3),
        }


def _webhook(n: int, number: str) -> dict[str, str]:
    return {
        "sessionId": f"HD_bench_{os.getpid()}_{n}",
        "callerNumber": number,
        "destinationNumber": "+254700000000",
        "callSessionState": "Ringing",
        "direction": "Inbound",
        "isActive": "1",
    }


def percentiles(values: list[float]) -> dict[str, float] | None:
    """Return the middle and the end of what was measured; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    pick = lambda share: round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2)  # noqa: E731
    return {"p50": pick(0.5), "p95": pick(0.95), "p99": pick(0.99), "max": round(ordered[-1], 2)}


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def own_cpu_s() -> float:
    """Return how much of its core this process has used, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _resident_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def options() -> argparse.ArgumentParser:
    """Return what every load can be told."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--model-port", type=int, required=True)
    parser.add_argument("--stream", required=True, help="ws://host:port/ of the bridge")
    parser.add_argument("--voice", default="", help="the webhook's address; none for the bare relay")
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warm-up", type=float, default=3)
    parser.add_argument("--barge-in", action="store_true")
    parser.add_argument("--webhook", action="store_true")
    return parser


def main() -> None:
    """Run once, print the figures."""
    print(json.dumps(uvloop.run(Run(options().parse_args()).measure())))


if __name__ == "__main__":
    main()
