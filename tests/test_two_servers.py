"""Two servers on one PostgreSQL and one Valkey: a page of the one shows and steers a call of the other."""

import json
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from tests.desk import Watch, a_desk
from tests.line import Line, a_line, eventually
from tests.services import postgres, valkey
from tests.test_live_line import HURRIED, LOUD, of, on_the_phone, says, there

pytestmark = pytest.mark.slow


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
    assert (noted.status_code, ended.status_code) == (200, 200)
    assert _ended_reason(database, call) == "agent_hangup"
    assert len(watching.model.sessions) == 0


def _ended_reason(database: str, call: str) -> str:
    with psycopg.connect(database) as connection:
        query = "SELECT ended_reason FROM voice_call WHERE public_id = %s"
        found = connection.execute(query, [call]).fetchone()
    return "" if found is None else str(found[0])
