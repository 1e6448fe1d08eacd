"""Two servers on one PostgreSQL and one Valkey: a page of the one shows and steers a call of the other."""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import psycopg
import pytest

from tests.desk import Watch, a_desk
from tests.line import Line, a_line, eventually
from tests.services import postgres, valkey
from tests.test_live_line import HURRIED, LOUD, of, on_the_phone, says, there

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("two-servers")]


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[tuple[Line, Line, str]]:
    """Return one server that carries calls, one at which staff are logged in, and their database."""
    with ExitStack() as running:
        database, redis = (running.enter_context(service()) for service in (postgres, valkey))
        shared = {"DATABASE_URL": database, "REDIS_URL": redis} | HURRIED
        carrying, watching = (
            running.enter_context(a_line(tmp_path_factory.mktemp(name), **shared)) for name in ("one", "two")
        )
        yield carrying, watching, database


def newest_call(database: str) -> str:
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT public_id FROM voice_call ORDER BY id DESC LIMIT 1").fetchone()
    assert found is not None
    return str(found[0])


def test_a_page_of_one_server_shows_and_steers_a_call_of_the_other(servers):
    carrying, watching, database = servers
    with a_desk(watching) as desk, desk.socket() as socket:
        watch = Watch(socket)
        watch.until(lambda told: told["kind"] == "line")
        with on_the_phone(carrying, lambda: newest_call(database)) as (call, model):
            watch.until(there(call))
            says(model, "Where is my parcel?", caller=True)
            said = watch.until(of(call, "said", by="caller"))
            model.speak(0.3, LOUD)
            model.send({"serverContent": {"turnComplete": True}})
            noted = desk.order(call, "note", "He rang twice today.")
            eventually(lambda: "He rang twice today." in json.dumps(model.said), 15)
            watch.until(of(call, "obeyed", order="note"))
            model.speak(0.3, LOUD)
            model.send({"serverContent": {"turnComplete": True}})
            ended = desk.order(call, "end")
            eventually(lambda: "A colleague ends this call" in json.dumps(model.said), 15)
            model.speak(0.3, LOUD)
            model.send({"serverContent": {"turnComplete": True}})
            eventually(lambda: _ended_reason(database, call), 15)

    assert said["text"] == "Where is my parcel?"
    assert noted.json() == {"done": "The call has taken it. The agent is told as soon as nobody speaks."}
    assert ended.status_code == 200
    assert _ended_reason(database, call) == "agent_hangup"
    assert len(watching.model.sessions) == 0


@contextmanager
def held(line: Line) -> Iterator[None]:
    """Let a server do nothing: what is sent to it by Valkey waits for it, and comes late."""
    line.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        line.process.send_signal(signal.SIGCONT)


def test_an_order_that_came_late_and_is_sent_again_is_confirmed_and_acts_once(servers):
    carrying, watching, database = servers
    with (
        a_desk(watching, user="john") as desk,
        on_the_phone(carrying, lambda: newest_call(database)) as (call, model),
    ):
        assert desk.order(call, "note", "Gate 1.").status_code == 200
        order_id = uuid4().hex
        with held(carrying):
            first = desk.order(call, "note", "Gate 4.", order_id=order_id)
        again = desk.order(call, "note", "Gate 4.", order_id=order_id)
        last = desk.order(call, "note", "Gate 7.")
        for _ in range(3):
            model.speak(0.3, LOUD)
            model.send({"serverContent": {"turnComplete": True}})
        eventually(lambda: "Gate 7." in json.dumps(model.said), 15)

    assert (first.status_code, list(first.json())) == (202, ["unconfirmed"])
    assert (again.status_code, last.status_code) == (200, 200)
    assert json.dumps(model.said).count("Gate 4.") == 1


def test_an_order_for_a_call_whose_server_is_gone_is_not_confirmed(servers):
    carrying, watching, database = servers
    with (
        a_desk(watching, user="anne") as desk,
        on_the_phone(carrying, lambda: newest_call(database)) as (call, _),
    ):
        carrying.process.kill()
        carrying.process.wait(5)
        answer = desk.order(call, "end")
    carrying.stop()
    carrying.start()

    assert (answer.status_code, list(answer.json())) == (202, ["unconfirmed"])


def _ended_reason(database: str, call: str) -> str:
    with psycopg.connect(database) as connection:
        query = "SELECT ended_reason FROM voice_call WHERE public_id = %s"
        found = connection.execute(query, [call]).fetchone()
    return "" if found is None else str(found[0])
