"""A call that goes wrong, or comes to its end, on a real server process: what is heard, and what is kept."""

import json
import threading
import time
import wave
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.line import Line, ModelSession, a_line, eventually
from tests.test_process import locked
from voice import clips, notes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.punctual,
    pytest.mark.logs_errors,
    pytest.mark.xdist_group("call-holds"),
]
_LOUD = b"\x00\x10\x00\xf0"
"""Samples that count as speech."""


@pytest.fixture(scope="module")
def own_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a recording of the courier's own, which takes a second."""
    folder = tmp_path_factory.mktemp("clips")
    pcm = b"".join(n.to_bytes(2, "little") for n in range(1, 16_001))
    record(folder / "en" / "apology_callback.wav", pcm)
    return folder


def record(path: Path, pcm: bytes) -> None:
    """Make a recording."""
    path.parent.mkdir(parents=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(pcm)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, own_clips: Path) -> Iterator[Line]:
    """One server process for all tests here."""
    settings = {"ADMISSION_CALLS": "20", "CLIPS_PATH": str(own_clips), "ORM_THREADS": "3"}
    with a_line(tmp_path_factory.mktemp("holds"), **settings) as running:
        yield running


class Ear:
    """Sends a caller's frames in real time and keeps what comes back, until the line is closed.

    The samples of a frame are its number, from one on.
    """

    def __init__(self, telephone: ClientConnection) -> None:
        self.telephone = telephone
        self.heard = bytearray()
        self.code = 0
        self.closed_s = 0.0
        self.said = 0
        """How many frames the caller has sent."""
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
                self.said += 1
                self.telephone.send(self.said.to_bytes(2, "little") * 320)
                time.sleep(0.02)  # a telephone's pace, by which the server's clocks go
        except ConnectionClosed:
            pass

    def join(self) -> None:
        """Wait until the line is closed."""
        for thread in self._threads:
            thread.join(20)


def numbers(model: ModelSession) -> list[int]:
    """Return the numbers of the caller's frames that a conversation heard, in order, each once."""
    samples = memoryview(bytes(model.heard)).cast("H").tolist()
    return list(dict.fromkeys(number for number in samples if number))


def greet(model: ModelSession, ear: Ear) -> None:
    """Let the model greet the caller, who hears it out."""
    model.speak(0.3, _LOUD)
    model.send({"serverContent": {"turnComplete": True}})
    eventually(lambda: len(ear.heard) >= 0.3 * 32_000)
    threading.Event().wait(0.5)  # what was sent ahead is heard, which nothing tells outside the server


def take(model: ModelSession, ear: Ear) -> None:
    """Wait until all that the model has sent was taken: what it says after it is heard."""
    before = sounds(ear)
    model.speak(0.1, _LOUD)
    eventually(lambda: sounds(ear) > before)


def sounds(ear: Ear) -> int:
    """Return how many bytes of what was heard are no silence."""
    return len(bytes(ear.heard).replace(b"\x00\x00", b""))


def is_told_when_idle(model: ModelSession, tool: str) -> None:
    """Wait until a model that falls idle is told of what it did not wait for."""
    model.speak(0.3, _LOUD)
    model.send({"serverContent": {"turnComplete": True}})
    eventually(lambda: f"{tool} has finished meanwhile" in json.dumps(model.said), 10)


def a_call(id_: str, name: str, **args: str) -> dict[str, object]:
    """Return a tool call as the model sends it."""
    return {"id": id_, "name": name, "args": args}


def asks(model: ModelSession, *calls: dict[str, object]) -> None:
    """Let the model call tools."""
    model.send({"toolCall": {"functionCalls": calls}})


def answered(model: ModelSession) -> set[str]:
    """Return the ids of the calls that were answered."""
    told = [one["toolResponse"]["functionResponses"] for one in model.said if "toolResponse" in one]
    return {answer["id"] for answers in told for answer in answers}


def runs(line: Line, session_id: str) -> dict[str, tuple[str, str]]:
    """Return what came of each tool call: its state, and the code of a refusal."""
    query = (
        "SELECT r.model_call_id, r.state, r.result FROM voice_toolrun r "
        "JOIN voice_call c ON c.id = r.call_id WHERE c.session_id = ?"
    )
    found = line.rows(query, session_id)
    return {id_: (state, json.loads(result)["data"].get("code", "")) for id_, state, result in found}


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
        line.model.confirms = False
        lost_s = time.monotonic()
        model.socket.close(1011, "Internal error encountered.")
        eventually(lambda: len(line.model.sessions) > before + 1)
        took_s = time.monotonic() - lost_s
        again = line.model.sessions[-1]
        said = ear.said
        eventually(lambda: ear.said >= said + 50)  # what the caller says meanwhile is kept
        line.model.confirms = True
        arrived = [(time.monotonic(), 0)]
        again.hearing = lambda _: arrived.append((time.monotonic(), len(again.heard)))
        again.send({"setupComplete": {}})
        eventually(lambda: len(again.caller_bytes) > 48_000)
        caught_up_s = time.monotonic() - lost_s
        again.speak(1)
        eventually(lambda: len(ear.heard) > 64_000)
    ear.join()

    assert again.setup["sessionResumption"] == {"handle": "h1"}
    assert took_s < 4.0
    assert len(again.caller_bytes) >= 48_000 > (caught_up_s - took_s) * 32_000 / 2
    began_s = arrived[0][0]
    assert all(heard <= (at_s - began_s + 0.3) * 2 * 32_000 for at_s, heard in arrived), "faster than twice"
    before_it, after_it = numbers(model), numbers(again)
    assert after_it == list(range(after_it[0], after_it[-1] + 1))
    assert after_it[0] - before_it[-1] <= 10, "what was on its way when the connection went, and no more"
    assert ending(line, session_id) == ("completed", "caller_hangup")


def test_g4_a_new_conversation_is_told_what_was_done_and_the_third_loss_is_apologised_for(
    line: Line, own_clips: Path
):
    session_id, before = line.new_session(), len(line.model.sessions)
    internal = (1011, "Internal error encountered.")
    with line.call(session_id) as (telephone, model):
        ear = Ear(telephone)
        greet(model, ear)
        asks(model, a_call("l1", "set_language", language="sw"))
        eventually(lambda: "l1" in answered(model))
        model.socket.close(*internal)  # it gave no handle to come back by
        eventually(lambda: len(line.model.sessions) > before + 1)
        anew = line.model.sessions[-1]
        eventually(lambda: notes.AFTER_SUMMARY in json.dumps(anew.said))
        anew.socket.close(*internal)
        eventually(lambda: len(line.model.sessions) > before + 2)
        line.model.sessions[-1].socket.close(*internal)
        ear.join()

    [history] = [told["clientContent"] for told in anew.said if "clientContent" in told]
    assert "handle" not in anew.setup["sessionResumption"]
    assert "already under way" in str(history)
    assert "set_language" in str(history)
    assert "must not be done again" in str(history)
    assert clips.load("en", str(own_clips))["apology_callback"].pcm in bytes(ear.heard)
    assert len(line.model.sessions) == before + 3
    assert ear.code == 4011
    assert ending(line, session_id) == ("failed", "model_failure")


def test_g5_a_model_that_refuses_is_apologised_for_to_the_last_word(line: Line, own_clips: Path):
    session_id, before = line.new_session(), line.model.connections
    with line.call(session_id) as (telephone, model):
        ear = Ear(telephone)
        model.socket.close(1007, "Request contains an invalid argument.")
        ear.join()

    asked = "SELECT reason FROM voice_callbackrequest JOIN voice_call ON voice_call.id = call_id"
    assert bytes(ear.heard).startswith(clips.load("en", str(own_clips))["apology_callback"].pcm)
    assert line.rows(f"{asked} WHERE session_id = ?", session_id) == [("model_failure",)]
    assert ear.code == 4011
    assert line.model.connections == before + 1
    assert "the voice model refuses us" in line.log()
    assert ending(line, session_id) == ("failed", "model_failure")


def test_what_is_not_recorded_in_the_language_of_a_call_is_heard_in_english(tmp_path: Path):
    own, filler = tmp_path / "clips", b"\x07\x00" * 16_000
    record(own / "sw" / "filler.wav", filler)
    record(own / "en" / "filler.wav", b"\x08\x00" * 16_000)
    settings = {"DEFAULT_LANGUAGE": "sw", "CLIPS_PATH": str(own)}
    with a_line(tmp_path, **settings, FILLER_FIRST_S="0.2", GEMINI_SETUP_S="1.5") as line:
        line.model.confirms = False
        with line.call() as (telephone, _model):
            ear = Ear(telephone)
            ear.join()

        assert line.rows("SELECT language, ended_reason FROM voice_call") == [("sw", "model_failure")]
        assert bytes(ear.heard).startswith(filler)
        assert clips.load("en")["apology_callback"].pcm in bytes(ear.heard[len(filler) :])


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


def test_a_tool_that_the_caller_speaks_over_is_finished_and_told_of_when_nobody_speaks(line: Line):
    session_id = line.new_session()
    with line.call(session_id) as (telephone, model):
        ear = Ear(telephone)
        greet(model, ear)
        with locked(line):
            asks(model, a_call("o1", "set_language", language="sw"))
            heard = len(model.caller_bytes)
            eventually(lambda: len(model.caller_bytes) > heard + 16_000)  # it is no reason not to be heard
            model.send({"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "1s"}})
            model.send({"serverContent": {"interrupted": True, "turnComplete": True}})
            model.send({"voiceActivity": {"type": "ACTIVITY_END", "audioOffset": "2s"}})
        eventually(lambda: "o1" in answered(model))  # which a model that was spoken to takes no notice of
        is_told_when_idle(model, "set_language")
        telephone.close()
        ear.join()

    assert ending(line, session_id) == ("completed", "caller_hangup")
    assert runs(line, session_id) == {"o1": ("ok", "")}


def test_a15_of_calls_that_are_taken_back_one_is_told_of_when_done_and_one_is_not_begun(line: Line):
    session_id = line.new_session()
    with line.call(session_id) as (telephone, model):
        ear = Ear(telephone)
        greet(model, ear)
        with locked(line):  # which holds up all threads that tools are run on
            held = [a_call(f"t{n}", "track_shipment", tracking_id=f"NBO-{n}") for n in range(3)]
            late = a_call("t9", "set_language", language="fr")
            asks(model, a_call("t8", "set_language", language="sw"), *held, late)
            take(model, ear)  # what may begin has begun
            model.send({"toolCallCancellation": {"ids": ["t8", "t9"]}})
            take(model, ear)
        eventually(lambda: answered(model) == {"t0", "t1", "t2"})
        is_told_when_idle(model, "set_language")
        telephone.close()
        ear.join()

    assert ending(line, session_id) == ("completed", "caller_hangup")
    came = runs(line, session_id)
    assert (came["t8"], came["t9"]) == (("ok", ""), ("refused", "withdrawn"))
    assert answered(model) == {"t0", "t1", "t2"}


_PAUSES = "gemini-3.1-flash-live-preview"


@pytest.mark.parametrize(("model_name", "wanted", "gets"), [
    (_PAUSES, "", "nothing"),
    (_PAUSES, "pass", "all"),
    ("gemini-3.8-live", "pause", "nothing"),
    ("gemini-3.8-live", "silence", "zeros"),
])  # fmt: skip
def test_while_a_tool_runs_the_model_gets_what_it_takes_of_the_caller_for_a_while(
    tmp_path: Path, model_name: str, wanted: str, gets: str
):
    settings = {"GEMINI_MODEL": model_name, "GEMINI_PENDING_AUDIO": wanted, "TOOL_PENDING_S": "1.5"}
    with a_line(tmp_path, **settings) as line, line.call() as (telephone, model):
        ear = Ear(telephone)
        greet(model, ear)
        arrived: list[tuple[float, bytes]] = []
        model.hearing = lambda pcm: arrived.append((time.monotonic(), pcm))
        with locked(line):
            eventually(lambda: arrived)
            asked_s = time.monotonic()
            asks(model, a_call("p1", "set_language", language="sw"))
            eventually(lambda: arrived[-1][0] > asked_s + 2 and any(arrived[-1][1]))
            before_it_was_done = answered(model)
        eventually(lambda: answered(model) == {"p1"})
        telephone.close()
        ear.join()

    meanwhile = b"".join(pcm for at_s, pcm in arrived if asked_s + 0.3 <= at_s <= asked_s + 1.3)
    first, *_, last = heard = numbers(model)
    unheard_s = (last - first + 1 - len(heard)) * 0.02
    least_s, most_s = (0.0, 0.0) if gets == "all" else (1.2, 2.0)
    assert before_it_was_done == set()
    assert len(meanwhile) == pytest.approx(0 if gets == "nothing" else 32_000, rel=0.3)
    assert any(meanwhile) == (gets == "all")
    assert least_s <= unheard_s <= most_s


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
