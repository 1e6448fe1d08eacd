"""Wait for PostgreSQL no longer than a process can bear."""

import threading
from typing import Any, ClassVar, TypeVar

from django.db import connections
from psycopg import Connection, OperationalError
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg_pool.base import AttemptWithBackoff

Result = TypeVar("Result")
_LOOK_S = 0.1
_CHECK_S = 0.5
"""How long a connection is waited for that another's end put in doubt."""
_here = threading.local()

# The pool waits so long before it tries another of its connections after one was found dead, and then twice
# as long each time. With its own second a caller was refused after each restart of the database.
AttemptWithBackoff.INITIAL_DELAY = 0.05


class BoundedConnection(Connection[Any]):
    """A connection on which no query is waited for longer than `query_s`, whether the server lives or not.

    A limit of the server's own would not do: one that stands still, or that no packet reaches any more,
    keeps none. None, as in a command that migrates, sets no limit.
    """

    query_s: ClassVar[float | None] = None

    def wait(self, gen: PQGen[Result], interval: float = _LOOK_S, timeout: float | None = None) -> Result:
        """Wait for a query's result.

        Raises:
            OperationalError: it did not come in time; the connection is closed.
        """
        try:
            limit_s = _CHECK_S if _is_looking() else self.query_s
            return super().wait(gen, interval, limit_s if timeout is None else timeout)
        except OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:  # what comes now is for nobody
                self.close()
            elif self.broken and not _is_looking():  # by the server: what we closed is not called broken
                _look_at_the_others()
            raise


def _is_looking() -> bool:
    return getattr(_here, "is_looking", False)


def _look_at_the_others() -> None:
    """Have the pool replace all connections that the server closed at once: it closes them all, or none."""
    pool = connections["default"].pool  # type: ignore[attr-defined] # of PostgreSQL's wrapper only
    if pool is None:
        return
    _here.is_looking = True
    try:
        pool.check()
    finally:
        _here.is_looking = False
