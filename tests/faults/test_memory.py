"""A process that carries calls all day holds no more of them than of none: 100 calls here, 1,000 at night."""

import logging
import os
from pathlib import Path
from statistics import median

import pytest

from tests.line import FRAME, Line, a_line, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("alone")]
logger = logging.getLogger(__name__)
NIGHTLY = bool(os.environ.get("NIGHTLY"))
CALLS = 1_000 if NIGHTLY else 100
WARM_UP = 500 if NIGHTLY else 150  # until then the allocator and the database's caches grow
STEP = 20
GROWTH_BYTES = 3 << 20


def a_call(line: Line) -> None:
    """Carry a call in which both sides are heard and a tool is run."""
    with line.call() as (telephone, model):
        telephone.send(FRAME * 2)
        model.speak(0.2)
        telephone.recv(timeout=5)
        model.send({"toolCall": {"functionCalls": [{"id": "t", "name": "track_shipment", "args": {}}]}})
        eventually(lambda: any("toolResponse" in said for said in model.said))
    assert model.closed.wait(5)
    line.model.sessions[:] = [model]  # what the test itself keeps is not measured, but held in bounds


def test_p19_calls_in_sequence_leave_no_memory_behind(tmp_path):
    with a_line(tmp_path, ADMISSION_CALLS="50") as line:
        for _ in range(WARM_UP):
            a_call(line)
        weights = []
        for _ in range(CALLS // STEP):
            for _ in range(STEP):
                a_call(line)
            weights.append(line.memory_bytes())
        descriptors = sum(1 for _ in Path(f"/proc/{line.process.pid}/fd").iterdir())
        ended = line.rows("SELECT count(*) FROM voice_call WHERE ended_at IS NOT NULL")[0][0]

    quarter = max(1, len(weights) // 4)
    growth = median(weights[-quarter:]) - median(weights[:quarter])
    logger.warning("%d calls: memory grew by %.2f MB, %d descriptors", CALLS, growth / 2**20, descriptors)
    assert ended >= WARM_UP + CALLS - 1
    assert growth < GROWTH_BYTES
    assert descriptors < 60
    assert "Traceback" not in line.log()
