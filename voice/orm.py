"""Run database work on threads of its own, so that no query ever holds up a frame."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import close_old_connections

P = ParamSpec("P")
T = TypeVar("T")
_UNDER_WAY: set[Future[Any]] = set()


@cache
def executor() -> ThreadPoolExecutor:
    """Return the one pool that all database work of the audio process shares.

    asgiref's default is a single thread for the whole process: 20 tools of 100 ms took 2,009 ms there
    and 202 ms with 16 threads. Real ones compute more than they wait: of 50 that talking calls asked at once
    the last was answered after 361 ms with 8 threads, and after 431 ms with 16.
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
    begun = executor().submit(_with_fresh_connections, partial(work, *args, **kwargs))
    _UNDER_WAY.add(begun)
    begun.add_done_callback(_UNDER_WAY.discard)
    return await asyncio.wrap_future(begun)


def is_crowded() -> bool:
    """Tell whether work waits for a thread: what nobody waits for is to stay away then."""
    threads: int = settings.ORM_THREADS
    return len(_UNDER_WAY) > threads


def _with_fresh_connections(call: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return call()
    finally:
        close_old_connections()
