"""What fails beside the calls, on a real server process: Redis, the database, the loop, descriptors, time."""

import resource
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from tests.line import FRAME, Line, ModelSession, a_line, eventually
from tests.processes import free_port
from tests.raw import RawSocket

pytestmark = [pytest.mark.slow, pytest.mark.punctual, pytest.mark.xdist_group("infrastructure")]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One server process, whose Redis is not there."""
    environment = {
        "ADMISSION_CALLS": "5",
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
    }
    with a_line(tmp_path_factory.mktemp("infrastructure"), **environment) as running:
        running.manage("seed_demo")
        yield running


def still_works(line: Line) -> None:
    """Fail unless a new call goes through the whole line."""
    with line.call() as (telephone, model):
        telephone.send(FRAME * 4)
        eventually(lambda: FRAME in model.heard)


def ask(model: ModelSession, call_id: str) -> dict[str, object]:
    """Let the model call a tool, and return the answer that it gets."""
    call = {"id": call_id, "name": "track_shipment", "args": {}}
    model.send({"toolCall": {"functionCalls": [call]}})

    def answer() -> list[dict[str, object]]:
        told = [one["toolResponse"]["functionResponses"] for one in model.said if "toolResponse" in one]
        return [one["response"] for answers in told for one in answers if one["id"] == call_id]

    return dict(eventually(answer, 10)[0])


@contextmanager
def locked(line: Line) -> Iterator[None]:
    """Hold the only write that SQLite allows."""
    with closing(sqlite3.connect(line.database, timeout=10, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            database.execute("ROLLBACK")


def test_s20_a_second_socket_of_a_call_is_refused_and_the_first_goes_on(line):
    session_id = line.new_session()
    first, second = line.stream_path(session_id), line.stream_path(session_id)
    sessions = len(line.model.sessions)

    with line.connect(first) as telephone:
        model = eventually(lambda: line.model.sessions[sessions:], 10)[0]
        with pytest.raises(InvalidStatus) as refused:
            line.connect(second)
        telephone.send(FRAME * 4)
        eventually(lambda: FRAME in model.heard)

    assert refused.value.response.status_code == 403


def test_a_stream_whose_call_cannot_be_read_is_refused_as_any_other(line):
    session_id = line.new_session()
    path = line.stream_path(session_id)
    with closing(sqlite3.connect(line.database, timeout=10, isolation_level=None)) as database:
        never = "2026-13-45 00:00:00"
        database.execute("UPDATE voice_call SET created_at = ? WHERE session_id = ?", [never, session_id])

    with pytest.raises(InvalidStatus) as refused:
        line.connect(path)

    assert refused.value.response.status_code == 403
    assert "its token could not be looked at" in line.log()
    still_works(line)


def test_i1_without_redis_calls_go_on(line):
    still_works(line)


def test_i2_with_the_database_locked_a_call_talks_on_and_is_written_later(line):
    session_id = line.new_session()
    with line.call(session_id) as (telephone, model):
        with locked(line):
            answer = ask(model, "locked")
            began = time.monotonic()
            while time.monotonic() - began < 3:
                telephone.send(FRAME)
                threading.Event().wait(0.02)
            telephone.send(FRAME * 4)
            heard = len(model.caller_bytes)
        assert heard > 2.5 * 32_000
        assert answer["status"] in {"ok", "not_found", "error"}

    query = "SELECT ended_reason FROM voice_call WHERE session_id = ? AND ended_at IS NOT NULL"
    assert eventually(lambda: line.rows(query, session_id), 10) == [("caller_hangup",)]
    runs = "SELECT count(*) FROM voice_toolrun r JOIN voice_call c ON c.id = r.call_id WHERE c.session_id = ?"
    assert line.rows(runs, session_id) == [(1,)]


def test_i2_an_end_that_the_database_does_not_take_is_written_when_it_does(line):
    session_id = line.new_session()
    with line.call(session_id) as (telephone, _):
        telephone.send(FRAME * 2)
        with closing(sqlite3.connect(line.database, timeout=10, isolation_level=None)) as database:
            database.execute(
                "CREATE TRIGGER read_only BEFORE UPDATE ON voice_call BEGIN SELECT RAISE(FAIL, 'disk'); END"
            )
            telephone.close()
            eventually(lambda: "a call's end waits" in line.log())  # and is tried again in two seconds
            still_open = line.rows("SELECT ended_at FROM voice_call WHERE session_id = ?", session_id)
            database.execute("DROP TRIGGER read_only")

    assert still_open == [(None,)]
    query = "SELECT ended_reason FROM voice_call WHERE session_id = ? AND ended_at IS NOT NULL"
    assert eventually(lambda: line.rows(query, session_id), 30) == [("caller_hangup",)]


def test_i4_a_process_that_stood_still_goes_on_with_its_calls(line):
    with line.call() as (telephone, model):
        telephone.send(FRAME * 2)
        eventually(lambda: FRAME in model.heard)
        line.process.send_signal(signal.SIGSTOP)
        threading.Event().wait(0.5)
        line.process.send_signal(signal.SIGCONT)
        before = len(model.caller_bytes)
        telephone.send(FRAME * 4)

        eventually(lambda: len(model.caller_bytes) > before)


def test_i5_one_call_too_many_hears_a_sentence_at_once_and_the_others_nothing_of_it(line):
    with ExitStack() as stack:
        calls = [stack.enter_context(line.call()) for _ in range(5)]
        began = time.monotonic()
        answer = line.ring(line.new_session())
        took_s = time.monotonic() - began
        for telephone, _ in calls:
            telephone.send(FRAME * 4)
        eventually(lambda: all(FRAME in model.heard for _, model in calls))

    assert answer.status_code == 200
    assert "<Say" in answer.text
    assert "<Stream" not in answer.text
    assert took_s <= 1


def test_i6_with_every_database_thread_busy_audio_goes_on(line):
    with line.call() as (telephone, model), locked(line):
        rings = [threading.Thread(target=line.ring, args=(line.new_session(),)) for _ in range(20)]
        for ring in rings:
            ring.start()
        before, began = len(model.caller_bytes), time.monotonic()
        for step in range(100):
            telephone.send(FRAME)
            threading.Event().wait(max(0.0, began + step * 0.02 - time.monotonic()))
        eventually(lambda: len(model.caller_bytes) - before > 1.9 * 32_000, 1)
    for ring in rings:
        ring.join()


def test_i7_without_descriptors_the_calls_that_stand_live_and_new_ones_come_later(line):
    with line.call() as (telephone, model):
        limits = resource.prlimit(line.process.pid, resource.RLIMIT_NOFILE)
        used = sum(1 for _ in Path(f"/proc/{line.process.pid}/fd").iterdir())
        resource.prlimit(line.process.pid, resource.RLIMIT_NOFILE, (used + 1, limits[1]))
        try:
            with ExitStack() as stack:
                for _ in range(8):
                    stack.enter_context(RawSocket(line.port))
                before = len(model.caller_bytes)
                telephone.send(FRAME * 4)
                eventually(lambda: len(model.caller_bytes) > before)
        finally:
            resource.prlimit(line.process.pid, resource.RLIMIT_NOFILE, limits)
        eventually(lambda: _works(line), 15)


def _works(line: Line) -> bool:
    try:
        still_works(line)
    except (OSError, AssertionError):
        return False
    return True


def test_i8_nothing_in_a_call_reads_a_clock_that_can_jump():
    root = Path(__file__).resolve().parents[2]
    inside = [
        "audio",
        "bridge",
        "errands",
        "farewell",
        "floor",
        "ledger",
        "link",
        "session",
        "alarms",
        "scene",
    ]
    read = {name: (root / "voice" / f"{name}.py").read_text() for name in inside}

    jumping = ("time.time(", "datetime.now", "utcnow", "timezone.now")
    assert not {name for name, source in read.items() if any(clock in source for clock in jumping)}
