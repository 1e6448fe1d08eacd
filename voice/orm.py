"""Run database work on threads of its own, so that no query ever holds up a frame."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import close_old_connections

P = ParamSpec("P")
T = TypeVar("T")


@cache
def executor() -> ThreadPoolExecutor:
    """Return the one pool that all database work of the audio process shares.

    asgiref's default is a single thread for the whole process: 20 tools of 100 ms took 2,009 ms there
    and 202 ms here (16 threads).
    """
    return ThreadPoolExecutor(settings.ORM_THREADS, thread_name_prefix="orm")


def bound_queries() -> None:
    """Wait for no query of this process longer than DATABASE_QUERY_S; for a process that runs on and on.

    SQLite only ever waits for its lock, and that is bounded in every process.
    """
    pool = settings.DATABASES["default"]["OPTIONS"].get("pool")
    if pool:
        pool["connection_class"].query_s = settings.DATABASE_QUERY_S


async def run_db(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` on the pool and return its result.

    Cancelling the caller does not stop work that has begun: a commit is never half awaited, its result
    is only no longer waited for. Bound the wait with `asyncio.timeout`.
    """
    call = partial(work, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(executor(), _with_fresh_connections, call)


def _with_fresh_connections(call: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return call()
    finally:
        close_old_connections()
