"""However bytes are cut on their way, both ways no sample is lost, doubled or swapped."""

import asyncio
from array import array
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn import Config
from uvicorn.server import ServerState

from courier.serve import MESSAGE_BYTES, AudioProtocol
from tests.counts import counted
from tests.raw import handshake, ws_frame
from tests.virtual_time import run
from voice.pacing import InputClock, Pacer

pytestmark = pytest.mark.slow
EXAMPLES = counted(10_000, dear=True)


def numbered(samples: int) -> bytes:
    """Return speech in which each sample is its own number, and none is zero."""
    return array("H", range(1, samples + 1)).tobytes()


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """Cut data into pieces of these sizes, over and over; a size of zero is an empty piece."""
    pieces, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        if turn >= len(sizes):
            size = max(size, 1)
        pieces.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


def samples_of(pcm: bytes) -> list[int]:
    """Return the samples that are not silence."""
    return [number for number in array("H", pcm) if number]


class Wire:
    """A transport that keeps what is written and carries nothing."""

    def __init__(self) -> None:
        self.closing = False

    def get_extra_info(self, name: str) -> Any:
        """Return nothing known, and a socket that takes every option."""
        return self if name == "socket" else None

    def setsockopt(self, *_: object) -> None:
        """Take it."""

    def getsockname(self) -> tuple[str, int]:
        """Return an address."""
        return ("127.0.0.1", 1)

    getpeername = getsockname

    def write(self, data: bytes) -> None:
        """Drop it."""

    def is_closing(self) -> bool:
        """Tell whether it was closed."""
        return self.closing

    def close(self) -> None:
        """Be closed."""
        self.closing = True

    abort = close

    def pause_reading(self) -> None:
        """Take it: what is given in here is given by hand."""

    resume_reading = pause_reading


async def _served(data: bytes, sizes: list[int]) -> list[bytes | str]:
    got: list[bytes | str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "audio.drachtio.org"})
        while (message := await receive())["type"] == "websocket.receive":
            text = message.get("text")
            got.append(message["bytes"] if text is None else text)

    config = Config(application, ws_ping_interval=None, ws_max_size=MESSAGE_BYTES, log_config=None)
    config.load()
    wire = Wire()
    protocol = AudioProtocol(config, ServerState(), {})
    protocol.connection_made(wire)  # type: ignore[arg-type] # as much of a transport as is used
    protocol.data_received(handshake("/audio/x"))
    await asyncio.sleep(0)
    for piece in cut(data, sizes):
        protocol.data_received(piece)
        await asyncio.sleep(0.001)
    await asyncio.sleep(1)
    protocol.connection_lost(None)
    await asyncio.sleep(0)
    return got


sizes_of_pieces = st.lists(st.integers(0, 3_000), min_size=1, max_size=12).filter(
    lambda sizes: sum(sizes) > 100
)
frames = st.lists(
    st.one_of(
        st.tuples(st.just("audio"), st.sampled_from([0, 1, 2, 639, 640, 641, 1_280, 5_000, 20_000])),
        st.tuples(st.just("fragments"), st.integers(1, 4)),
        st.tuples(st.just("text"), st.integers(0, 200)),
        st.tuples(st.just("ping"), st.integers(0, 125)),
    ),
    max_size=10,
)


@settings(max_examples=EXAMPLES)
@given(frames, sizes_of_pieces)
def test_p3_the_server_hands_on_what_was_sent_in_its_order(told, sizes):
    expected: list[bytes | str] = []
    wire, speech, at = b"", numbered(60_000), 0
    for kind, size in told:
        match kind:
            case "audio":
                wire += ws_frame(2, speech[at : at + size])
                expected.append(speech[at : at + size])
                at += size
            case "fragments":
                parts = [speech[at + 100 * n : at + 100 * n + 100] for n in range(size)]
                for number, part in enumerate(parts):
                    wire += ws_frame(0 if number else 2, part, fin=number == size - 1)
                expected.append(b"".join(parts))
                at += 100 * size
            case "text":
                wire += ws_frame(1, b"t" * size)
                expected.append("t" * size)
            case _:
                wire += ws_frame(9, b"p" * size)

    got = run(_served(wire, sizes))

    assert joined(got) == joined(expected)


def joined(messages: list[bytes | str]) -> list[bytes | str]:
    """Return the messages with audio that follows audio put together: how it is bundled means nothing."""
    together: list[bytes | str] = []
    for message in messages:
        last = together[-1] if together else None
        if isinstance(message, bytes) and isinstance(last, bytes):
            together[-1] = last + message
        elif message != b"":
            together.append(message)
    return together


@settings(max_examples=EXAMPLES)
@given(sizes_of_pieces, st.lists(st.floats(0, 0.5), min_size=1, max_size=10))
def test_the_models_ear_gets_every_sample_once_however_frames_are_cut_and_late(sizes, waits_s):
    speech, now_s, heard = numbered(12_000), 0.0, b""
    clock = InputClock(limit_s=5)
    clock.pop(now_s)

    for turn, frame in enumerate(cut(speech, sizes)):
        clock.push(frame, now_s)
        now_s += min(waits_s[turn % len(waits_s)], len(frame) / 32_000 + 0.01)
        while pcm := clock.pop(now_s):
            heard += pcm
    for _ in range(400):
        now_s += 0.02
        while pcm := clock.pop(now_s):
            heard += pcm

    said = samples_of(speech)
    assert samples_of(heard) == said[: len(samples_of(heard))]
    assert len(said) - len(samples_of(heard)) < 640  # less than a frame waits for the rest of it
    assert clock.counters()["caller_dropped_ms"] == 0


@settings(max_examples=EXAMPLES)
@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=8), st.sampled_from([0.2, 0.5, 1.0]))
def test_what_the_models_ear_misses_is_what_is_counted(sizes, limit_s):
    speech = numbered(40_000)
    clock = InputClock(limit_s=limit_s)
    pieces = cut(speech, sizes)

    for piece in pieces:
        clock.push(piece, 0.0)
    heard, now_s = b"", 0.0
    for _ in range(400):
        now_s += 0.02
        while pcm := clock.pop(now_s):
            heard += pcm

    kept = samples_of(heard)
    missing_ms = (40_000 - len(kept)) / 16
    start = kept[0] - 1
    assert kept == samples_of(speech)[start : start + len(kept)], "a hole in what was kept"
    assert abs(missing_ms - clock.counters()["caller_dropped_ms"]) <= 41


@settings(max_examples=EXAMPLES)
@given(sizes_of_pieces, st.lists(st.floats(0, 0.3), min_size=1, max_size=10))
def test_the_callers_ear_gets_every_sample_once_and_never_too_early(sizes, waits_s):
    speech = numbered(12_000)
    pacer, now_s, heard = Pacer(16_000, 0.2, limit_s=60, tail_ms=160), 0.0, b""
    began_s: float | None = None

    def play() -> None:
        nonlocal heard, began_s
        while pcm := pacer.pop(now_s):
            began_s = now_s if began_s is None else began_s
            heard += pcm
            assert (len(heard) - len(pcm)) / 32_000 <= now_s - began_s + 0.2 + 0.001

    for turn, piece in enumerate(cut(speech, sizes)):
        pacer.put(piece)
        now_s += waits_s[turn % len(waits_s)]
        play()
    pacer.end_utterance()
    while (wait_s := pacer.wait_s(now_s)) is not None:
        now_s += wait_s
        play()

    assert heard[: len(speech)] == speech
    assert not any(heard[len(speech) :])
