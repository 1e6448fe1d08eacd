"""Do things at the same moment, each on a thread and a database connection of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from time import monotonic
from typing import TypeVar

from django.db import connection

from shipments.errors import ShipmentError

T = TypeVar("T")
_MEET_S = 30.0


def at_once(*works: Callable[[], T]) -> list[T | ShipmentError]:
    """Do everything at the same moment, each on a thread and a connection of its own."""
    start = Barrier(len(works))

    def do(work: Callable[[], T]) -> T | ShipmentError:
        try:
            start.wait(5)
            return work()
        except ShipmentError as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(do, works))


def somebody_waits() -> bool:
    """Tell whether another connection waits for a row of this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])


def until_waited_for(or_done: Event) -> None:
    """Hold what is locked until another connection waits for it, or has come as far as it can."""
    until_s = monotonic() + _MEET_S
    while not (somebody_waits() or or_done.wait(0.01)):
        assert monotonic() < until_s, "nobody came to wait for what is locked here"
