"""Spoil a TCP connection on purpose: a proxy on loopback, in a thread and a loop of its own.

Each direction has a `Fault` that can be exchanged while connections stand: the next bytes meet the new one.
Bytes are never lost, doubled or swapped, only late, few or never; what TCP itself would not do is not done.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

Result = TypeVar("Result")
_READ_BYTES = 65_536
_QUEUED = 64  # reads on their way; behind them the sender meets back-pressure, as in a full pipe
_STEP_S = 0.02  # what a narrow line lets through at a time
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of zero seconds: close with RST


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the bytes of one direction.

    `latency_s` and `jitter_s` delay them in order; `bytes_per_s` lets no more through; `slice_bytes` cuts
    them, `slice_gap_s` apart; after `limit_bytes` the connection is closed; into a `hole` they go unseen,
    with both ends open; `close_s` is how much later an end of the stream is passed on.
    """

    latency_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float = 0.0
    slice_bytes: int = 0
    slice_gap_s: float = 0.0
    limit_bytes: int | None = None
    hole: bool = False
    close_s: float = 0.0


NO_FAULT = Fault()
HOLE = Fault(hole=True)


class Proxy:
    """Stands before a port of this machine; `up` is towards it, `down` is back."""

    def __init__(self, target_port: int, *, seed: int = 0) -> None:
        self.target_port = target_port
        self.port = 0
        self.up = NO_FAULT
        self.down = NO_FAULT
        self.refuses = False
        self.connections = 0
        self._dice = Random(seed)
        self._carried: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy")

    # What a test does, from its own thread

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._do(self._listen())

    def stop(self) -> None:
        """Close everything."""
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def spoil(self, *, up: Fault | None = None, down: Fault | None = None) -> None:
        """Exchange the faults; a direction that is not named keeps its own."""
        self.up = self.up if up is None else up
        self.down = self.down if down is None else down
        self._loop.call_soon_threadsafe(self._changed.set)

    def heal(self) -> None:
        """Let everything through from now on, and what fell into a hole while it was held."""
        self.refuses = False
        self.spoil(up=NO_FAULT, down=NO_FAULT)

    def reset(self) -> None:
        """Close every connection that stands with RST, on both sides."""
        self._do(self._reset())

    def drop(self) -> None:
        """Close every connection that stands with FIN, on both sides."""
        self._do(self._drop())

    @property
    def open_connections(self) -> int:
        """Return how many connections stand."""
        return len(self._writers) // 2

    # What the loop does

    def _do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: the one that the library makes of a coroutine logs its cancelling as an error.
        task = self._loop.create_task(self._carry(reader, writer))
        self._carried.add(task)
        task.add_done_callback(self._carried.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.refuses:
            _linger_not(writer)
            writer.close()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            _linger_not(writer)
            writer.close()
            return
        pair = {writer, far_writer}
        self._writers |= pair
        pumps = [
            asyncio.create_task(self._pump(reader, far_writer, "up")),
            asyncio.create_task(self._pump(far_reader, writer, "down")),
        ]
        try:
            await asyncio.wait(pumps)
        finally:
            self._writers -= pair
            for end in pair:
                end.close()
                with suppress(OSError):
                    await end.wait_closed()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_QUEUED)
        writing = asyncio.create_task(self._write(queue, writer, direction))
        due_s = 0.0
        try:
            with suppress(OSError):
                while True:
                    data = await reader.read(_READ_BYTES)
                    fault: Fault = getattr(self, direction)
                    late_s = fault.latency_s + self._dice.uniform(-fault.jitter_s, fault.jitter_s)
                    due_s = max(due_s, self._loop.time() + late_s + (0.0 if data else fault.close_s))
                    putting = asyncio.create_task(queue.put((due_s, data)))
                    await asyncio.wait({putting, writing}, return_when=asyncio.FIRST_COMPLETED)
                    if writing.done():  # nobody is there any more to write to
                        putting.cancel()
                        break
                    if not data:
                        break
            with suppress(OSError):
                await writing
        finally:
            writing.cancel()

    async def _write(
        self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, direction: str
    ) -> None:
        passed_bytes = 0
        while True:
            due_s, data = await queue.get()
            await asyncio.sleep(max(0.0, due_s - self._loop.time()))
            if not data:
                await self._through_no_hole(direction)
                writer.write_eof()
                return
            while data:
                fault = await self._through_no_hole(direction)
                size = fault.slice_bytes or len(data)
                if fault.bytes_per_s:
                    size = min(size, max(1, int(fault.bytes_per_s * _STEP_S)))
                piece = data[:size]
                if fault.limit_bytes is not None:
                    piece = piece[: max(0, fault.limit_bytes - passed_bytes)]
                    if not piece:
                        writer.close()
                        return
                if fault.bytes_per_s:
                    await asyncio.sleep(len(piece) / fault.bytes_per_s)
                data = data[len(piece) :]
                passed_bytes += len(piece)
                writer.write(piece)
                await writer.drain()
                if data and fault.slice_gap_s:
                    await asyncio.sleep(fault.slice_gap_s)

    async def _through_no_hole(self, direction: str) -> Fault:
        """Return the fault as it is now, once it is no hole."""
        while True:
            fault: Fault = getattr(self, direction)
            if not fault.hole:
                return fault
            self._changed.clear()
            await self._changed.wait()

    async def _reset(self) -> None:
        for writer in list(self._writers):
            _linger_not(writer)
            writer.transport.abort()

    async def _drop(self) -> None:
        for writer in list(self._writers):
            writer.close()

    async def _close(self) -> None:
        self._server.close()
        writers = list(self._writers)
        tasks = asyncio.all_tasks(self._loop) - {asyncio.current_task(self._loop)}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)  # transports close their sockets in the loop's next turn


def _linger_not(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


@contextmanager
def a_proxy(target_port: int, *, seed: int = 0) -> Iterator[Proxy]:
    """Run a proxy before a port."""
    proxy = Proxy(target_port, seed=seed)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
