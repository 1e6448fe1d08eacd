"""A process that is told to stop: no call is lost, and none is taken (I3, on real server processes)."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.line import FRAME, Line, a_line, eventually, tokens_in

pytestmark = pytest.mark.slow


@contextmanager
def draining_line(folder: Path, drain_s: float, goodbye_s: float = 1, **environment: str) -> Iterator[Line]:
    """Run a server that drains for so long, and see afterwards that it printed no traceback."""
    environment |= {"DRAIN_S": str(drain_s), "CALL_GOODBYE_S": str(goodbye_s)}
    with a_line(folder, **environment) as line:
        yield line
    assert "Traceback" not in line.log(), line.log()


@contextmanager
def talking(telephone: ClientConnection) -> Iterator[None]:
    """Send what a telephone sends until the socket closes."""
    over = threading.Event()

    def talk() -> None:
        try:
            while not over.wait(0.02):
                telephone.send(FRAME)
        except ConnectionClosed:
            pass

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def closed_with(telephone: ClientConnection) -> int:
    """Return the code with which the server closes."""
    while True:
        try:
            telephone.recv(timeout=20)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006


def told_to_stop(line: Line) -> float:
    """Send the signal; return when readiness was gone."""
    began = time.monotonic()
    line.process.send_signal(signal.SIGTERM)
    eventually(lambda: httpx.get(f"{line.http}/readyz", trust_env=False).status_code == 503, 5)
    return time.monotonic() - began


def ended(line: Line) -> tuple[str, str, bool]:
    """Return status and reason of the one call that was answered, and whether it has an end."""
    rows = line.rows(
        "SELECT status, ended_reason, ended_at IS NOT NULL FROM voice_call WHERE answered_at IS NOT NULL"
    )
    assert len(rows) == 1
    return rows[0][0], rows[0][1], bool(rows[0][2])


def test_i3_p10_without_a_call_the_process_leaves_at_once(tmp_path):
    with draining_line(tmp_path, 60) as line:
        line.process.send_signal(signal.SIGTERM)

        assert line.process.wait(5) == 0


def test_i3_p10_a_running_call_ends_by_itself_and_no_new_one_is_taken(tmp_path):
    with draining_line(tmp_path, 60) as line:
        with line.call() as (telephone, model), talking(telephone):
            took_s = told_to_stop(line)

            assert not tokens_in(line.ring(line.new_session()).text)
            heard = len(model.caller_bytes)
            model.speak(0.5)
            assert len(telephone.recv(timeout=5)) > 0
            eventually(lambda: len(model.caller_bytes) > heard)
            assert line.process.poll() is None
        assert line.process.wait(10) == 0
        assert took_s < 1
        assert ended(line) == ("completed", "caller_hangup", True)
        assert line.rows("SELECT reason FROM voice_callbackrequest") == [("not_admitted",)]


def test_i3_p10_who_was_told_that_he_may_come_is_let_in_and_waited_for(tmp_path):
    # His caller heard no sentence: refused now, he would hear nothing at all.
    with draining_line(tmp_path, 60) as line:
        promised = line.stream_path()
        told_to_stop(line)
        time.sleep(0.5)  # it must not leave; there is nothing to wait for
        assert line.process.poll() is None

        with line.connect(promised) as telephone, talking(telephone):
            eventually(lambda: line.model.sessions, 10)
            line.model.sessions[0].speak(0.5)
            assert len(telephone.recv(timeout=10)) > 0
        assert line.process.wait(10) == 0
        assert ended(line) == ("completed", "caller_hangup", True)


def test_i3_p10_who_was_invited_and_does_not_come_is_waited_for_as_long_as_his_token_is_good(tmp_path):
    with draining_line(tmp_path, 60, STREAM_TOKEN_S="2") as line:
        line.stream_path()
        began = time.monotonic()

        line.process.send_signal(signal.SIGTERM)

        assert line.process.wait(8) == 0
        assert 1.5 < time.monotonic() - began < 5


def test_i3_p10_who_hung_up_before_his_stream_came_is_not_waited_for(tmp_path):
    with draining_line(tmp_path, 60) as line:
        session_id = line.new_session()
        line.stream_path(session_id)
        line.ring(session_id, callSessionState="Completed", isActive="0")

        line.process.send_signal(signal.SIGTERM)

        assert line.process.wait(5) == 0


def test_i3_p10_at_the_limit_a_call_says_goodbye_and_is_closed(tmp_path):
    with draining_line(tmp_path, 2) as line, line.call() as (telephone, model), talking(telephone):
        told_to_stop(line)

        code = closed_with(telephone)

        assert line.process.wait(10) == 0
        assert code == 4001
        assert "goodbye" in str(model.said).lower()
        assert ended(line) == ("completed", "agent_hangup", True)


def test_i3_p10_a_second_signal_gives_five_seconds(tmp_path):
    with draining_line(tmp_path, 60, goodbye_s=30) as line:
        with line.call() as (telephone, _), talking(telephone):
            told_to_stop(line)
            began = time.monotonic()

            line.process.send_signal(signal.SIGTERM)

            assert closed_with(telephone) == 4001
            assert line.process.wait(12) == 0
            assert time.monotonic() - began < 5.3
        assert ended(line)[2]


def test_i3_p10_a_socket_that_was_upgraded_a_moment_before_is_a_call(tmp_path):
    with draining_line(tmp_path, 60) as line:
        with line.connect(line.stream_path()) as telephone, talking(telephone):
            line.process.send_signal(signal.SIGTERM)

            eventually(lambda: line.model.sessions, 10)
            line.model.sessions[0].speak(0.5)
            assert len(telephone.recv(timeout=10)) > 0
        assert line.process.wait(10) == 0
        assert ended(line) == ("completed", "caller_hangup", True)
