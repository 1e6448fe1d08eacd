"""The database hangs, goes or is another while calls run, on real server processes (I2, I6)."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.line import a_line, eventually
from tests.services import postgres
from tests.test_drain import talking
from tests.test_process import asks, still_talks

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("database")]


def rows(url: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Return rows of a PostgreSQL."""
    with psycopg.connect(url) as database:
        return database.execute(query, values).fetchall()


@contextmanager
def stopped(url: str) -> Iterator[None]:
    """Have every process of a PostgreSQL stand still: it takes connections and answers nothing."""
    [(one,)] = rows(url, "SELECT pg_backend_pid() FROM pg_postmaster_start_time()")
    processes = [pid for (pid,) in rows(url, "SELECT pid FROM pg_stat_activity") if pid != one]
    parent = int(Path(f"/proc/{processes[0]}/stat").read_text().rpartition(")")[2].split()[1])
    for pid in (parent, *processes):
        with_signal(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in (parent, *processes):
            with_signal(pid, signal.SIGCONT)


def with_signal(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    """Run one PostgreSQL for the tests here."""
    with postgres() as url:
        yield url


def test_i2_a_call_talks_on_and_ends_while_postgresql_stands_still_and_is_written_later(
    tmp_path: Path, database_url: str
):
    with a_line(tmp_path, DATABASE_URL=database_url, TOOL_TIMEOUT_S="2", SPOOL_AGAIN_S="0.5") as line:
        session = line.new_session()
        with line.call(session) as (telephone, model), talking(telephone), stopped(database_url):
            answer = asks(model, "track_shipment", "one")
            still_talks(telephone, model)
            telephone.close()
            began = time.monotonic()
            eventually(lambda: "a call's end waits" in line.log(), 10)
            took_s = time.monotonic() - began
        query = "SELECT status, ended_reason FROM voice_call WHERE session_id = %s AND ended_at IS NOT NULL"
        ending = eventually(lambda: rows(database_url, query, session), 20)
        with line.call() as (telephone, model), talking(telephone):
            still_talks(telephone, model)

    assert "cannot reach our system" in answer
    assert took_s < 5
    assert ending == [("completed", "caller_hangup")]
    assert "Traceback" not in line.log()


def test_i3_a_database_that_stands_still_holds_no_process_that_was_told_twice_to_leave(
    tmp_path: Path, database_url: str
):
    with (
        a_line(tmp_path, DATABASE_URL=database_url, DRAIN_S="60") as line,
        line.call() as (telephone, model),
        talking(telephone),
        stopped(database_url),
    ):
        model.send({"toolCall": {"functionCalls": [{"id": "t", "name": "track_shipment", "args": {}}]}})
        line.process.send_signal(signal.SIGTERM)
        time.sleep(1)  # the second signal comes when it comes
        began = time.monotonic()

        line.process.send_signal(signal.SIGTERM)

        assert line.process.wait(20) == 1
        assert time.monotonic() - began < 5.3
        assert "1 records are lost" in line.log()
