"""No call notices what happens to another: slow queries, a locked database, a flood, a mute reader, a crash.

Measured on a real server process: four calls talk and listen all the time, and no frame of theirs may be
more than 20 ms later than frames usually are, in either direction. A fault of ours holds up every try by
hundreds of milliseconds; the machine's own hiccups do not come three times running. So the best of three
tries counts, and what the machine did to frames in the second before is allowed for.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.faults.meter import Meter, measured
from tests.line import FRAME, Line, ModelSession, a_line, eventually
from tests.raw import RawSocket, raw_call, ws_frame
from tests.shipments.test_intake import a_row

pytestmark = [pytest.mark.slow, pytest.mark.punctual, pytest.mark.xdist_group("alone")]
logger = logging.getLogger(__name__)
SLOW_S = 0.5
LIMIT_MS = 20.0
P4_MS = 60.0  # 20 of them the joining of two frames; what the machine does beside is in it
P4_STALL_MS = 100.0
TRIES = 3


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One server process for all tests here."""
    environment = {"ADMISSION_CALLS": "50"}
    with a_line(tmp_path_factory.mktemp("isolation"), **environment) as running:
        running.manage("seed_demo")
        yield running


def database(line: Line) -> sqlite3.Connection:
    """Open the server's database past the server; the caller closes it."""
    return sqlite3.connect(line.database, timeout=10, isolation_level=None)


def _counting(rows: int) -> str:
    endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c"
    return f"{endless} LIMIT {rows}) SELECT max(n) FROM c"  # noqa: S608 - a number of ours


def _slow_query() -> str:
    """Return a query that keeps the database busy for half a second, on this machine as it is now."""
    with closing(sqlite3.connect(":memory:")) as memory:
        began = time.monotonic()
        memory.execute(_counting(500_000)).fetchall()
        per_row_s = (time.monotonic() - began) / 500_000
    return _counting(int(SLOW_S / per_row_s) + 1)


@contextmanager
def slow_to_read(line: Line, table: str) -> Iterator[None]:
    """Make every query of a table take half a second, in the database itself; it cannot be written to."""
    with closing(database(line)) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO real_{table}")
        connection.execute(f"CREATE VIEW {table} AS SELECT * FROM real_{table} WHERE ({_slow_query()}) > 0")  # noqa: S608 - all ours
        try:
            yield
        finally:
            connection.execute(f"DROP VIEW {table}")
            connection.execute(f"ALTER TABLE real_{table} RENAME TO {table}")


def assert_unnoticed(meter: Meter, fault: Callable[[], None]) -> None:
    """Let the fault happen, and fail unless the measured calls went on as if it had not."""
    seen = []
    for _ in range(TRIES):
        quiet = meter.watch(1.0)
        began_s = time.monotonic()
        fault()
        meter.watch(0.3)
        seen.append(meter.since(began_s))
        logger.info("usual %s, with the fault %s", quiet, seen[-1])
        if seen[-1].worst_ms <= LIMIT_MS + quiet.worst_ms:
            return
    raise AssertionError(f"frames of other calls were held up: {seen}")


@contextmanager
def mute_reader(line: Line) -> Iterator[tuple[RawSocket, ModelSession]]:
    """Place a call whose telephone reads nothing: its window closes after a few kilobytes."""
    before = len(line.model.sessions)
    with RawSocket(line.port, receive_bytes=4_096) as telephone:
        telephone.shake_hands(line.stream_path())
        eventually(lambda: len(line.model.sessions) > before, 10)
        yield telephone, line.model.sessions[before]


def ask(model: ModelSession, number: int) -> float:
    """Let the model ask for a tool, and return how many seconds its answer took."""
    id_ = f"asked-{number}"
    call = {"id": id_, "name": "track_shipment", "args": {"tracking_id": f"NBO-{number}"}}  # none is known
    began = time.monotonic()
    model.send({"toolCall": {"functionCalls": [call]}})
    eventually(lambda: any(id_ in str(told) for told in model.said if "toolResponse" in told), 10)
    return time.monotonic() - began


def test_p4_every_frame_is_passed_on_within_its_time(line):
    tries = []
    for _ in range(TRIES):
        with measured(line) as meter:
            jitter_ms = meter.watch(3.0).worst_ms
            tries.append((meter.delay_ms(), jitter_ms))
        if tries[-1][0] <= P4_MS and tries[-1][1] <= P4_STALL_MS:
            break

    assert min(delay_ms for delay_ms, _ in tries) <= P4_MS, tries
    assert min(stall_ms for _, stall_ms in tries) <= P4_STALL_MS, tries


def test_a_slow_tool_in_one_call_delays_no_frame_of_another(line):
    with measured(line) as meter, line.call() as (_, model), slow_to_read(line, "shipments_shipment"):
        numbers = count()

        def fault() -> None:
            assert ask(model, next(numbers)) >= SLOW_S / 2

        assert_unnoticed(meter, fault)


def test_a_slow_webhook_delays_no_frame_of_a_call(line):
    with measured(line) as meter, slow_to_read(line, "shipments_shipment"):

        def fault() -> None:
            began = time.monotonic()
            assert line.ring(line.new_session()).status_code == 200
            assert time.monotonic() - began >= SLOW_S / 2

        assert_unnoticed(meter, fault)


def test_a_locked_database_delays_no_frame_of_a_call(line):
    with measured(line) as meter, line.call() as (_, model), closing(database(line)) as connection:
        numbers = count()

        def fault() -> None:
            connection.execute("BEGIN IMMEDIATE")
            try:
                ask(model, next(numbers))  # a query: it is answered; its record waits
                threading.Event().wait(SLOW_S)
            finally:
                connection.execute("ROLLBACK")

        assert_unnoticed(meter, fault)


@pytest.mark.parametrize(
    "frame", [ws_frame(2, FRAME), ws_frame(1, b'{"type":"noise"}'), ws_frame(9, b"ping")]
)
def test_p7_a_flood_in_one_call_delays_no_frame_of_another(line, frame):
    flood = frame * 20_000

    with measured(line) as meter:

        def fault() -> None:
            with raw_call(line) as (telephone, _), suppress(OSError):
                telephone.socket.settimeout(1.0)
                telephone.send(flood)

        assert_unnoticed(meter, fault)


def test_s16_a_telephone_that_reads_nothing_delays_no_frame_of_another(line):
    with measured(line) as meter:

        def fault() -> None:
            with mute_reader(line) as (_, model):
                model.speak(50.0)
                threading.Event().wait(2.0)

        assert_unnoticed(meter, fault)


def test_a_crash_of_one_call_delays_no_frame_of_another(line):
    with measured(line) as meter, closing(database(line)) as connection:

        def fault() -> None:
            session_id = line.new_session()
            path = line.stream_path(session_id)
            connection.execute(
                "UPDATE voice_call SET created_at = '2026-13-45 00:00:00' WHERE session_id = ?", [session_id]
            )
            before = len(line.log())
            with pytest.raises(InvalidStatus):
                line.connect(path)
            assert "Traceback" in line.log()[before:], "that was no crash"

        assert_unnoticed(meter, fault)


def test_a_tool_that_breaks_in_one_call_delays_no_frame_of_another(line):
    numbers = count(100)
    with measured(line) as meter, closing(database(line)) as connection, line.call() as (_, model):

        def fault() -> None:
            connection.execute("ALTER TABLE shipments_shipment RENAME TO gone")
            try:
                ask(model, next(numbers))
            finally:
                connection.execute("ALTER TABLE gone RENAME TO shipments_shipment")

        assert_unnoticed(meter, fault)


def test_a_thousand_parcels_at_once_delay_no_frame_of_a_call(line):
    token = line.manage("api_client", "make", "warehouse", "shipments:write").strip()
    line.planted.add(token)
    numbers = count()

    def fault() -> None:
        sent = [a_row(tracking_id=f"EX-{next(numbers)}") for _ in range(1_000)]
        answer = httpx.post(
            f"{line.http}/api/v1/shipments/bulk",
            json={"shipments": sent},
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        assert answer.json()["created"] == 1_000

    with measured(line) as meter:
        assert_unnoticed(meter, fault)
