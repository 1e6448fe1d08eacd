"""A call that goes wrong, or comes to its end, on a real server process: what is heard, and what is kept."""

import json
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.line import FRAME, Line, a_line, eventually
from voice import clips

pytestmark = [pytest.mark.slow, pytest.mark.logs_errors]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One server process for all tests here."""
    with a_line(tmp_path_factory.mktemp("holds"), ADMISSION_CALLS="20") as running:
        yield running


class Ear:
    """Sends a caller's frames in real time and keeps what comes back, until the line is closed."""

    def __init__(self, telephone: ClientConnection) -> None:
        self.telephone = telephone
        self.heard = bytearray()
        self.code = 0
        self.closed_s = 0.0
        self._threads = [threading.Thread(target=self._listen), threading.Thread(target=self._talk)]
        for thread in self._threads:
            thread.start()

    def _listen(self) -> None:
        try:
            for frame in self.telephone:
                if isinstance(frame, bytes):
                    self.heard += frame
        except ConnectionClosed:
            pass
        self.closed_s = time.monotonic()
        self.code = self.telephone.close_code or 0

    def _talk(self) -> None:
        try:
            while not self.code:
                self.telephone.send(FRAME)
                time.sleep(0.02)
        except ConnectionClosed:
            pass

    def join(self) -> None:
        """Wait until the line is closed."""
        for thread in self._threads:
            thread.join(20)


def ending(line: Line, session_id: str) -> tuple[str, str]:
    """Return status and reason of a call's row, once it has ended."""
    query = "SELECT status, ended_reason FROM voice_call WHERE session_id = ? AND ended_at IS NOT NULL"
    ((status, reason),) = eventually(lambda: line.rows(query, session_id))
    return status, reason


def test_g3_a_call_outlives_its_connection_to_the_model(line: Line):
    session_id, before = line.new_session(), len(line.model.sessions)
    with line.call(session_id) as (telephone, model):
        ear = Ear(telephone)
        model.send({"sessionResumptionUpdate": {"newHandle": "h1", "resumable": True}})
        model.speak(1)
        eventually(lambda: len(ear.heard) > 32_000)
        lost_s = time.monotonic()
        model.socket.close(1011, "Internal error encountered.")
        eventually(lambda: len(line.model.sessions) > before + 1)
        took_s = time.monotonic() - lost_s
        again = line.model.sessions[-1]
        eventually(lambda: len(again.caller_bytes) > 48_000)
        caught_up_s = time.monotonic() - lost_s
        again.speak(1)
        eventually(lambda: len(ear.heard) > 64_000)
    ear.join()

    assert again.setup["sessionResumption"] == {"handle": "h1"}
    assert took_s < 4.0
    assert len(again.caller_bytes) >= 48_000 > (caught_up_s - took_s) * 32_000 / 2
    assert ending(line, session_id) == ("completed", "caller_hangup")


def test_g5_a_model_that_refuses_is_apologised_for_to_the_last_word(line: Line):
    session_id, before = line.new_session(), line.model.connections
    with line.call(session_id) as (telephone, model):
        ear = Ear(telephone)
        model.socket.close(1007, "Request contains an invalid argument.")
        ear.join()

    asked = "SELECT reason FROM voice_callbackrequest JOIN voice_call ON voice_call.id = call_id"
    assert bytes(ear.heard).startswith(clips.load("en")["apology_callback"].pcm)
    assert line.rows(f"{asked} WHERE session_id = ?", session_id) == [("model_failure",)]
    assert ear.code == 4011
    assert line.model.connections == before + 1
    assert ending(line, session_id) == ("failed", "model_failure")


def test_the_model_ends_a_call_once_its_goodbye_has_been_heard(line: Line):
    session_id = line.new_session()
    with line.call(session_id) as (telephone, model):
        ear = Ear(telephone)
        model.speak(2)
        said_s = time.monotonic()
        model.send({"toolCall": {"functionCalls": [{"id": "e1", "name": "end_call", "args": {}}]}})
        ear.join()

    answers = [json.dumps(message) for message in model.said if "toolResponse" in message]
    declared = [tool["name"] for tool in model.setup["tools"][0]["functionDeclarations"]]
    assert "end_call" in declared
    assert "e1" in answers[0]
    assert ear.heard.count(b"\x09\x00") or len(ear.heard) >= 64_000
    assert ear.closed_s - said_s >= 1.8
    assert ear.code == 1000
    assert ending(line, session_id) == ("completed", "agent_hangup")


def test_a_loss_of_one_call_is_not_heard_in_another(line: Line):
    with line.call() as (other, theirs):
        ear = Ear(other)
        arrivals: list[float] = []
        with line.call() as (telephone, _model):
            theirs_too = Ear(telephone)
            for _ in range(3):
                line.model.sessions[-1].socket.close(1011, "Internal error encountered.")
                for _ in range(25):
                    before = len(theirs.heard)
                    eventually(lambda before=before: len(theirs.heard) > before)  # type: ignore[misc]
                    arrivals.append(time.monotonic())
            telephone.close()
            theirs_too.join()
        other.close()
        ear.join()

    assert max(later - earlier for earlier, later in pairwise(arrivals)) < 0.3


def test_nothing_of_all_that_is_a_fault_of_ours(line: Line, tmp_path: Path):
    assert "Traceback" not in line.log()
