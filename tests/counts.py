"""How much of a large count is tried: whole at night, by day a tenth, then a hundredth on PostgreSQL."""

import os

NIGHTLY = bool(os.environ.get("NIGHTLY"))
"""Whether this is `make nightly`."""
_SECOND = "DATABASE_URL" in os.environ  # `make test` tries all on SQLite before: only the SQL is another here


def counted(whole: int) -> int:
    """Return how many of `whole` to try now; the variable COUNT says another number."""
    if count := os.environ.get("COUNT"):
        return int(count)
    if NIGHTLY:
        return whole
    return whole // 100 if _SECOND else whole // 10
