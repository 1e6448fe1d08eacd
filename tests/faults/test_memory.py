"""A process that carries calls all day holds no more of them than of none: 100 calls here, 1,000 at night.

On PostgreSQL: SQLite's own cache grows with its file to 2 MB a connection, 1.1 MB in 1,000 calls, and hides
what is ours (with `PRAGMA cache_size = -100` it was 0.02 MB in 800).
"""

import logging
from pathlib import Path
from statistics import median

import psycopg
import pytest

from tests.counts import NIGHTLY, counted
from tests.line import FRAME, Line, a_line, eventually
from tests.services import postgres

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("alone")]
logger = logging.getLogger(__name__)
CALLS = counted(1_000)
WARM_UP = 500 if NIGHTLY else 60  # until then the allocator grows
STEP = 20
GROWTH_BYTES = 1 << 20


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
    with postgres() as url, a_line(tmp_path, ADMISSION_CALLS="50", DATABASE_URL=url) as line:
        for _ in range(WARM_UP):
            a_call(line)
        weights = []
        for _ in range(CALLS // STEP):
            for _ in range(STEP):
                a_call(line)
            weights.append(line.memory_bytes())
        descriptors = sum(1 for _ in Path(f"/proc/{line.process.pid}/fd").iterdir())
        with psycopg.connect(url) as database:
            [[ended]] = database.execute("SELECT count(*) FROM voice_call WHERE ended_at IS NOT NULL")

    quarter = max(1, len(weights) // 4)
    growth = median(weights[-quarter:]) - median(weights[:quarter])
    logger.warning("%d calls: memory grew by %.2f MB, %d descriptors", CALLS, growth / 2**20, descriptors)
    assert ended >= WARM_UP + CALLS - 1
    assert growth < GROWTH_BYTES
    assert descriptors < 60
    assert "Traceback" not in line.log()
