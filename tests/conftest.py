"""Hold every test to what no test should have to say: nothing is leaked, and no log tells a secret."""

import asyncio
import gc
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.backends.sqlite3.base import DatabaseWrapper
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from courier.logs import LineFormatter
from tests.leaks import secrets_in
from voice import orm
from voice.admission import GATE

# How long an example takes says something about the machine and who else is on it, not about the code.
settings.register_profile("quick", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("brief", settings.get_profile("quick"), max_examples=25)  # of `make check`
settings.register_profile("whole", settings.get_profile("quick"), max_examples=1_000)
settings.load_profile("whole" if os.environ.get("NIGHTLY") else "quick")

gc.disable()  # until all is imported: a third of that time went into looking for garbage

_DATABASE_FIXTURES = {"db", "transactional_db", "django_db_reset_sequences", "live_server"}
_OURS = ("courier", "shipments", "voice")
# Threads that are made once and stay: asgiref's, the runner's, and the pool's of database connections.
_STAYING_THREADS = ("ThreadPoolExecutor", "asyncio_", "pool-", "execnet", "psycopg")
_LEAVING_S = 10.0


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before -m chooses, and after all have sorted
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark what uses the database, as it is to pass on PostgreSQL too; begin with what takes long."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if item.get_closest_marker("django_db") or fixtures & _DATABASE_FIXTURES:
            item.add_marker("database")
    items.sort(key=_seconds, reverse=True)
    yield
    # pytest-django puts what uses no database last, so that nothing finds one that another test has emptied:
    # the longest of all, which have processes of their own, would begin when the other workers have done.
    items.sort(key=lambda item: 0 if item.get_closest_marker("database") else _seconds(item), reverse=True)


def _seconds(item: pytest.Item) -> float:
    slow = item.get_closest_marker("slow")
    return 0 if slow is None else float(slow.kwargs.get("seconds", 1))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Have the collector of garbage look at what the tests leave, and not at the tests each time."""
    gc.freeze()
    gc.enable()


class _ByGroup(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Has the tests of one group run by one worker, as the mark in their file says.

    xdist 3.8 writes the group behind a test's name, where pytest 9.2 reads it no more: nothing is grouped.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid.partition("::")[0]) or nodeid


@cache
def _group(path: str) -> str:
    marked = re.search(r'xdist_group\("([\w-]+)"\)', Path(path).read_text())
    return marked[1] if marked else ""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _ByGroup | None:
    """Group the tests where that is asked for."""
    return _ByGroup(config, log) if config.getoption("dist") == "loadgroup" else None


class _Listener(logging.Handler):
    """Keeps each record as it is written, and our own also as it was before the mask."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._formatter = LineFormatter()

    def emit(self, record: logging.LogRecord) -> None:
        line = self._formatter.format(record)
        self.lines.append(line)
        if record.name.split(".")[0] in _OURS:
            self.lines.append(f"{record.getMessage()} {vars(record)}")
        if record.levelno >= logging.ERROR:
            self.errors.append(line)


@pytest.fixture(autouse=True)
def logs_are_clean(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test whose logs hold a secret, a token or a telephone number, or an error it did not expect."""
    listener = _Listener()
    root = logging.getLogger()
    root.addHandler(listener)
    yield
    root.removeHandler(listener)
    told = {line: found for line in listener.lines if (found := secrets_in(line))}
    assert not told, f"a log tells a secret: {told}"
    if not request.node.get_closest_marker("logs_errors"):
        assert not listener.errors, f"an error was logged: {listener.errors}"


@pytest.fixture(autouse=True)
def tasks_are_not_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test at whose end tasks still ran: the loop's runner would cancel them and say nothing."""
    left: list[str] = []
    cancel: Callable[[asyncio.AbstractEventLoop], None] = asyncio.runners._cancel_all_tasks  # type: ignore[attr-defined] # no public way to see what a runner cancels

    def note_and_cancel(loop: asyncio.AbstractEventLoop) -> None:
        left.extend(repr(task) for task in asyncio.all_tasks(loop))
        cancel(loop)

    monkeypatch.setattr("asyncio.runners._cancel_all_tasks", note_and_cancel)
    yield
    assert not left, f"tasks were left: {left}"


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if not thread.name.startswith(_STAYING_THREADS)}


def _sockets() -> set[str]:
    found = set()
    for descriptor in os.listdir("/proc/self/fd"):  # noqa: PTH208 - twice a test, and with paths thrice as dear
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115
        except FileNotFoundError:  # the descriptor that lists this folder
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


@pytest.fixture(autouse=True)
def threads_and_sockets_are_not_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread or a socket; the sockets of a database's pool are meant to stay."""
    has_pool = request.node.get_closest_marker("database") and "DATABASE_URL" in os.environ
    threads, sockets = _threads(), _sockets()

    def left() -> list[object]:
        return [*(_threads() - threads), *(() if has_pool else _sockets() - sockets)]

    yield
    until = time.monotonic() + _LEAVING_S
    while left() and time.monotonic() < until:
        gc.collect()
        threading.Event().wait(0.01)
    assert not left(), f"threads or sockets were left: {left()}"


@pytest.fixture(autouse=True)
def no_place_is_kept_for_the_calls_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with a gate at which nobody is expected: most tests ring and send no stream."""
    monkeypatch.setattr(GATE, "_guests", {})


@pytest.fixture(scope="session", autouse=True)
def audit_is_emptied_between_tests() -> Iterator[None]:
    """Let the tests empty audit and history, which triggers refuse: these are off meanwhile."""
    if connection.vendor == "postgresql":
        yield from _deleted_without_triggers()
        return
    operations = DatabaseWrapper.ops_class
    flush = operations.sql_flush

    def without_triggers(self: Any, *args: Any, **kwargs: Any) -> list[str]:
        with self.connection.cursor() as cursor:
            triggers = cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        dropped = [f"DROP TRIGGER {name}" for name, _ in triggers]
        return [*dropped, *flush(self, *args, **kwargs), *(sql for _, sql in triggers)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "sql_flush", without_triggers)
        yield


def _deleted_without_triggers() -> Iterator[None]:
    """Empty the tables row by row: they hold few, and to truncate them takes thirty times as long."""

    def deletions(self: Any, style: Any, tables: Any, **kwargs: Any) -> list[str]:
        names = [self.quote_name(table) for table in tables]
        # As a replica's, whose rows neither triggers nor keys look at.
        off, on = (f"SET LOCAL session_replication_role = {role}" for role in ("replica", "DEFAULT"))
        return [off, *(f"DELETE FROM {name}" for name in names), on]  # noqa: S608

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(connection.ops), "sql_flush", deletions)
        yield


@pytest.fixture(autouse=True)
def database_work_is_over(
    request: pytest.FixtureRequest, threads_and_sockets_are_not_left: None
) -> Iterator[None]:
    """Let work that nobody waits for any longer end before the database is emptied under it."""
    for name in _DATABASE_FIXTURES & set(request.fixturenames):
        request.getfixturevalue(name)  # first, so that it is taken down after this
    yield
    if orm.executor.cache_info().currsize:
        orm.executor().shutdown()
        orm.executor.cache_clear()
