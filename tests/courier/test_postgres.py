"""When the server closed a connection the pool looks at the others; when we closed it, it does not."""

import os
from collections.abc import Iterator
from time import monotonic

import psycopg
import pytest
from django.db import connection

from courier import postgres
from courier.postgres import BoundedConnection

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        "DATABASE_URL" not in os.environ,
        reason="used on PostgreSQL only, where make test runs it",
    ),
]


@pytest.fixture
def looks(monkeypatch) -> list[float]:
    """Return when the pool was told to look."""
    seen: list[float] = []
    monkeypatch.setattr(postgres, "_look_at_the_others", lambda: seen.append(monotonic()))
    return seen


@pytest.fixture
def bounded() -> Iterator[BoundedConnection]:
    """Open a connection of its own to the database of the tests."""
    parameters = connection.get_connection_params()
    known = {name: parameters[name] for name in ("dbname", "user", "host", "port") if name in parameters}
    opened = BoundedConnection.connect(**known)
    yield opened
    opened.close()


def test_what_the_server_closed_has_the_others_looked_at(bounded, looks):
    with connection.cursor() as other:
        other.execute("SELECT pg_terminate_backend(%s)", [bounded.info.backend_pid])

    with pytest.raises(psycopg.OperationalError):
        bounded.execute("SELECT 1")

    assert len(looks) == 1


def test_what_we_gave_up_ourselves_has_not(bounded, looks, monkeypatch):
    monkeypatch.setattr(BoundedConnection, "query_s", 0.2)
    with pytest.raises(psycopg.OperationalError):
        bounded.execute("SELECT pg_sleep(5)")

    with pytest.raises(psycopg.OperationalError):
        bounded.rollback()  # as a transaction's end does

    assert looks == []
