"""Twenty calls and a fault every five seconds leave nothing behind: 18 s here, 3 minutes at night."""

import json
import logging
import os
import secrets

import pytest

from tests.counts import NIGHTLY
from tests.faults.soak import soak

logger = logging.getLogger(__name__)
SECONDS = float(os.environ.get("SOAK_MINUTES") or (3 if NIGHTLY else 0.3)) * 60
GROWTH_BYTES = 8 * 2**20
SEED = int(os.environ.get("SOAK_SEED") or secrets.randbelow(10**6))


def tasks_left(log: str) -> list[str]:
    """Return the tasks that the server had when it left."""
    [said] = [line for line in log.splitlines() if '"the server leaves"' in line]
    return list(json.loads(said)["left"])


@pytest.mark.slow
@pytest.mark.logs_errors  # the local Live server's own sockets are reset under it
@pytest.mark.xdist_group("alone")
def test_a_soak_leaves_no_fault_no_task_no_socket_and_no_memory(tmp_path):
    logger.warning("soak of %.0f s, seed %d: SOAK_SEED=%d repeats it", SECONDS, SEED, SEED)

    soaked = soak(tmp_path, SECONDS, SEED)

    assert soaked.idle is not None
    assert soaked.end is not None
    logger.warning(
        "%d calls, %d refused, %d unanswered, %.0f s heard, faults %s, from %s to %s, memory grew by %.1f MB",
        soaked.calls,
        soaked.refused,
        soaked.unanswered,
        soaked.heard_bytes / 32_000,
        soaked.faults,
        soaked.idle,
        soaked.end,
        soaked.growth_bytes / 2**20,
    )
    assert soaked.calls >= 20
    assert soaked.unanswered == 0
    assert soaked.heard_bytes / 32_000 > SECONDS
    assert "Traceback" not in soaked.log, soaked.log[soaked.log.index("Traceback") - 2_000 :][:6_000]
    assert "never retrieved" not in soaked.log
    assert soaked.open_calls == 0
    assert tasks_left(soaked.log) == []
    pooled = 10 if os.environ.get("DATABASE_URL") else 0  # connections that PostgreSQL's pool keeps
    assert soaked.end.descriptors <= soaked.idle.descriptors + 2 + pooled
    assert soaked.end.threads <= soaked.idle.threads + 16  # the pool of the database grows
    assert soaked.growth_bytes < GROWTH_BYTES
