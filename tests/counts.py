"""How much of a large count is tried: whole at night, by day a tenth, then a hundredth on PostgreSQL.

What takes a minute at a tenth is tried a twentieth by day, and at night a tenth on PostgreSQL.
"""

import os

NIGHTLY = bool(os.environ.get("NIGHTLY"))
"""Whether this is `make nightly`."""
_SECOND = "DATABASE_URL" in os.environ  # `make test` tries all on SQLite before: only the SQL is another here


def counted(whole: int, *, dear: bool = False) -> int:
    """Return how many of `whole` to try now, of what is dear half as many; COUNT says another number."""
    if count := os.environ.get("COUNT"):
        return int(count)
    if NIGHTLY:
        return whole // 10 if dear and _SECOND else whole
    return whole // (10 * (10 if _SECOND else 1) * (2 if dear else 1))
