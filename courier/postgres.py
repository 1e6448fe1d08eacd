"""Wait for PostgreSQL no longer than a process can bear."""

from typing import Any, ClassVar, TypeVar

from psycopg import Connection, OperationalError
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus

Result = TypeVar("Result")
_LOOK_S = 0.1


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
            return super().wait(gen, interval, self.query_s if timeout is None else timeout)
        except OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:  # what comes now is for nobody
                self.close()
            raise
