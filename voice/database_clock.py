"""Tell the time as the database has it: of the machines' clocks one may be an hour off, and no two agree."""

from datetime import UTC, datetime

from django.db import connection

_ASKS = {
    "postgresql": "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    "sqlite": "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')",
}


def now() -> datetime:
    """Ask the database for the time."""
    with connection.cursor() as cursor:
        cursor.execute(_ASKS[connection.vendor])
        (told,) = cursor.fetchone()
    return datetime.fromisoformat(told).replace(tzinfo=UTC)
