"""What a server process does when the machine fails around it: I1 to I5, on real processes."""

import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection

from tests.line import CALLER, Line, ModelSession, a_line, eventually, tokens_in
from tests.processes import free_port
from tests.test_drain import talking

pytestmark = pytest.mark.slow


@contextmanager
def locked(line: Line) -> Iterator[None]:
    """Hold the database so that nobody can write."""
    lock = sqlite3.connect(line.database, timeout=10, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        lock.execute("ROLLBACK")
        lock.close()


@contextmanager
def read_only(line: Line) -> Iterator[None]:
    """Have the database say of itself that it is of a kind that SQLite reads only."""

    def say(write_version: int) -> None:
        with line.database.open("r+b") as file:
            file.seek(18)
            file.write(bytes([write_version]))

    lock = sqlite3.connect(line.database, timeout=10, isolation_level=None)
    eventually(lambda: lock.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
    say(3)
    lock.close()
    try:
        yield
    finally:
        say(2)


def asks(model: ModelSession, name: str, number: str) -> str:
    """Have the model call a tool, and return the answer that it gets."""
    model.send({"toolCall": {"functionCalls": [{"id": number, "name": name, "args": {}}]}})

    def answer() -> str:
        found = [
            said
            for said in model.said
            if "toolResponse" in said and f'"{number}"' in str(said).replace("'", '"')
        ]
        return str(found[0]) if found else ""

    return str(eventually(answer, 15))


def still_talks(telephone: ClientConnection, model: ModelSession) -> None:
    """See that both sides are heard."""
    heard = len(model.caller_bytes)
    model.speak(0.2)
    assert len(telephone.recv(timeout=5)) > 0
    eventually(lambda: len(model.caller_bytes) > heard + 6_400)


@pytest.mark.parametrize("broken", [locked, read_only])
def test_i2_a_call_talks_on_without_the_database_and_is_written_once_afterwards(
    tmp_path: Path, broken: Callable[[Line], AbstractContextManager[None]]
):
    with a_line(tmp_path, SPOOL_AGAIN_S="0.5", TOOL_TIMEOUT_S="2") as line:
        with line.call() as (telephone, model), talking(telephone):
            with broken(line):
                answer = asks(model, "track_shipment", "one")
                promise = asks(model, "request_callback", "two")
                still_talks(telephone, model)
                telephone.close()
                eventually(lambda: "a call's end waits" in line.log(), 15)
                line.process.send_signal(signal.SIGTERM)
                time.sleep(1)  # it must not leave; there is nothing to wait for
                assert line.process.poll() is None
            assert line.process.wait(15) == 0
        assert "cannot reach our system" in answer
        assert "Someone can call you back" in answer
        assert "A colleague will call you back on the number ending in 0 0 1" in promise
        assert line.rows("SELECT number, state FROM voice_callbackrequest") == [(CALLER, "open")]
        assert line.rows("SELECT status, ended_reason, ended_at IS NOT NULL FROM voice_call") == [
            ("completed", "caller_hangup", 1)
        ]
        assert line.rows("SELECT count(*), count(DISTINCT model_call_id) FROM voice_toolrun") == [(2, 2)]


def test_i1_without_redis_calls_do_not_notice(tmp_path):
    with (
        a_line(tmp_path, REDIS_URL=f"redis://127.0.0.1:{free_port()}") as line,
        line.call() as (telephone, model),
        talking(telephone),
    ):
        still_talks(telephone, model)


def test_i3_a_call_of_a_killed_process_is_closed_by_a_worker_in_time(tmp_path):
    # A tenth of the defaults: a minute is six seconds.
    hurried = {"HEARTBEAT_S": "1", "RECONCILE_S": "4", "RECONCILE_EVERY_S": "0.5"}
    query = (
        "SELECT (julianday(ended_at) - julianday(heartbeat_at)) * 86400, status, ended_reason FROM voice_call"
    )
    with (
        a_line(tmp_path, **hurried) as line,
        line.command("worker") as worker,
        line.command("worker"),
        line.call() as (telephone, _),
        talking(telephone),
    ):
        answered = line.rows("SELECT heartbeat_at FROM voice_call")
        eventually(lambda: line.rows("SELECT heartbeat_at FROM voice_call") != answered)
        worker.kill()  # the other one has it all now
        line.process.kill()
        line.process.wait(5)

        [(took_s, status, reason)] = eventually(lambda: line.rows(f"{query} WHERE ended_at IS NOT NULL"), 15)

    assert (status, reason) == ("failed", "reconciled")
    assert 4 <= took_s < 6


def test_a_worker_says_what_it_does_and_leaves_when_it_is_told_to(tmp_path):
    with a_line(tmp_path) as line:
        with line.command("worker") as worker:
            eventually(lambda: line.rows("SELECT job FROM voice_lease WHERE job = 'purge'"), 15)
            worker.terminate()
            assert worker.wait(10) == 0
        told = line.manage("worker", "--once")

    assert "lost calls: " in told
    assert "purge: not now" in told
    assert line.rows("SELECT DISTINCT holder FROM voice_lease") == [("",)]


def test_i4_a_late_event_loop_takes_no_call_until_it_is_in_time_again(tmp_path):
    with a_line(tmp_path, ADMISSION_LAG_S="0.4") as line:
        eventually(lambda: tokens_in(line.ring(line.new_session()).text), 15)
        session, answers = line.new_session(), []
        line.process.send_signal(signal.SIGSTOP)
        time.sleep(1.5)  # how late it is to be
        line.process.send_signal(signal.SIGCONT)

        answers.append(line.ring(session).text)

        assert "<Say" in answers[0]
        assert "call you back" in answers[0]
        assert line.rows("SELECT count(*) FROM voice_callbackrequest") == [(1,)]
        eventually(lambda: tokens_in(line.ring(session).text), 15)
        assert "the event loop is late" in line.log()


def test_i5_of_a_surge_as_many_are_taken_as_may_be_and_the_rest_hear_a_sentence_at_once(tmp_path):
    with a_line(tmp_path, ADMISSION_CALLS_PER_SECOND="3") as line:
        answers: list[tuple[str, float]] = []

        def ring(session: str) -> None:
            began = time.monotonic()
            answers.append((line.ring(session).text, time.monotonic() - began))

        threads = [threading.Thread(target=ring, args=[line.new_session()]) for _ in range(15)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        taken = [text for text, _ in answers if tokens_in(text)]
        refused = [text for text, _ in answers if "<Say" in text]
        assert len(taken) + len(refused) == 15
        assert 3 <= len(taken) <= 6  # the fifteen may have taken more than a second
        assert max(took_s for _, took_s in answers) < 3


def test_i5_a_second_call_of_one_number_hears_a_sentence(tmp_path):
    with a_line(tmp_path, ADMISSION_CALLS_PER_NUMBER="1") as line, line.call() as (telephone, _):
        with talking(telephone):
            second = line.ring(line.new_session()).text
            another = line.ring(line.new_session(), callerNumber="+254700000002").text

        assert "<Say" in second
        assert tokens_in(another)


def test_i5_p11_of_two_that_ring_for_the_last_place_the_second_hears_a_sentence_and_is_rung_back(tmp_path):
    with a_line(tmp_path, ADMISSION_CALLS="1") as line:
        first = line.stream_path()

        second = line.ring(line.new_session()).text  # nobody's stream has come yet

        assert "<Say" in second
        assert "call you back" in second
        assert line.rows("SELECT number, reason FROM voice_callbackrequest") == [(CALLER, "not_admitted")]
        with line.connect(first) as telephone, talking(telephone):
            eventually(lambda: line.model.sessions)


def test_i5_of_two_calls_that_ring_from_one_number_the_second_hears_a_sentence(tmp_path):
    with a_line(tmp_path, ADMISSION_CALLS_PER_NUMBER="1") as line:
        first = line.stream_path()

        second = line.ring(line.new_session()).text

        assert "<Say" in second
        with line.connect(first) as telephone, talking(telephone):
            eventually(lambda: line.model.sessions)


def test_when_the_model_cannot_be_had_the_next_caller_hears_a_sentence_at_once(tmp_path):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{nobody.getsockname()[1]}"
        options = {"GEMINI_LIVE_URL": url, "ADMISSION_MODEL_FAILURES": "2", "ADMISSION_MODEL_WAIT_S": "60"}
        with a_line(tmp_path, **options) as line:
            with line.connect(line.stream_path()) as telephone, talking(telephone):
                eventually(lambda: "the voice model cannot be had" in line.log(), 15)

            answer = line.ring(line.new_session()).text

            assert "<Say" in answer


def test_when_the_quota_is_spent_the_next_caller_hears_a_sentence_at_once(tmp_path):
    with (
        a_line(tmp_path, ADMISSION_MODEL_WAIT_S="60") as line,
        line.call() as (telephone, model),
        talking(telephone),
    ):
        model.socket.close(1011, "You exceeded your current quota, please check your plan.")
        eventually(lambda: "<Say" in line.ring(line.new_session()).text)

        assert "the voice model cannot be had" in line.log()
