"""Whatever pours into a call, from whichever side, it holds a bounded part of it (P8), on a real process.

Bounded are 5 s of the caller (160 kB) and 60 s of speech (1.92 MB: fewer would cut long answers short, as a
model speaks several times faster than it is heard), a second's texts, and a turn's tool calls.
"""

import base64
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.line import FRAME, Line, ModelSession, a_line, eventually

logger = logging.getLogger(__name__)
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("alone")]
MOST_BYTES = 3 << 20
"""What one call may hold, with its queues full."""
Flood = Callable[[ClientConnection, ModelSession], None]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One server process for all floods, warmed up."""
    with a_line(tmp_path_factory.mktemp("floods")) as running:
        for pour in FLOODS:  # what is allocated once is not held by a call
            flood(running, pour)
        yield running


def flood(line: Line, pour: Flood) -> int:
    """Pour into a call, and return how much more memory the process has while it holds what it keeps."""
    before = line.memory_bytes()
    with line.call() as (telephone, model):
        listening = threading.Thread(target=hear_out, args=[telephone])
        listening.start()
        with suppress(ConnectionClosed):
            pour(telephone, model)
            telephone.send(FRAME)
        eventually(lambda: FRAME in model.heard or model.closed.is_set(), 20)
        held = line.memory_bytes() - before
        telephone.close()
        listening.join()
    assert model.closed.wait(5)
    return held


def hear_out(telephone: ClientConnection) -> None:
    """Take what comes until the line is closed, however that is."""
    with suppress(ConnectionClosed):
        for _ in telephone:
            pass


def texts(telephone: ClientConnection, model: ModelSession) -> None:
    for _ in range(3_000):
        telephone.send(json.dumps({"type": "noise", "of": "x" * 1_000}))


def audio(telephone: ClientConnection, model: ModelSession) -> None:
    for _ in range(2_000):
        telephone.send(FRAME * 10)


def speech(telephone: ClientConnection, model: ModelSession) -> None:
    """Say ten minutes at once: 29 MB, of which the last nine are left out."""
    blob = {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(b"\x09\x00" * 24_000).decode()}
    said = {"serverContent": {"modelTurn": {"role": "model", "parts": [{"inlineData": blob}]}}}
    for _ in range(600):
        model.send(said)


def words(telephone: ClientConnection, model: ModelSession) -> None:
    for _ in range(1_000):
        model.send({"serverContent": {"outputTranscription": {"text": "the parcel is on its way " * 4}}})


def tools(telephone: ClientConnection, model: ModelSession) -> None:
    for number in range(2_000):
        call = {"id": f"f{number}", "name": "track_shipment", "args": {"tracking_id": "x" * 64}}
        model.send({"toolCall": {"functionCalls": [call]}})


FLOODS = (texts, audio, speech, words, tools)


@pytest.mark.parametrize("pour", FLOODS)
def test_p8_a_flood_is_held_in_a_bounded_memory_and_leaves_none_behind(line: Line, pour: Flood):
    held = [flood(line, pour) for _ in range(4)]

    logger.warning("%s: held %s", pour.__name__, [f"{grown / 2**20:.2f} MB" for grown in held])
    assert min(held) < MOST_BYTES, held
    assert sum(held[1:]) < 3 * MOST_BYTES, held  # what stays of one is used by the next
    assert "Traceback" not in line.log()
