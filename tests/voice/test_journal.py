"""What is said and done is written behind a call's back, on no thread that a tool waits for."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from voice import journal, orm
from voice.journal import CallJournal
from voice.records import UsageSeen

RECORD = UsageSeen(at_ms=1, raw={"totalTokenCount": 1})


@pytest.fixture
def written(monkeypatch, settings):
    """Return the batches that reach the database."""
    settings.JOURNAL_EVERY_S = 0.01
    batches: list[list[UsageSeen]] = []

    async def run_db(_, call_id, batch):
        batches.append(list(batch))

    monkeypatch.setattr(journal, "run_db", run_db)
    return batches


def until_written(crowded: Callable[[int], bool], written: list[list[UsageSeen]]) -> int:
    """Run a journal that has something to write until it has; return how often it looked for room."""
    looks = 0

    def look() -> bool:
        nonlocal looks
        looks += 1
        return crowded(looks)

    async def run() -> None:
        kept = CallJournal(1)
        kept.add(RECORD)
        running = asyncio.create_task(kept.run())
        async with asyncio.timeout(5):
            while not written:  # noqa: ASYNC110 - a test may poll
                await asyncio.sleep(0.005)
        running.cancel()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "is_crowded", look)
        asyncio.run(run())
    return looks


def test_it_writes_at_once_while_there_is_room(written):
    assert until_written(lambda _: False, written) == 1
    assert written == [[RECORD]]


def test_it_waits_while_others_wait_for_a_thread_and_loses_nothing(written):
    assert until_written(lambda look: look <= 3, written) == 4
    assert written == [[RECORD]]


def test_it_does_not_wait_for_ever(written):
    assert until_written(lambda _: True, written) == journal._PASSES_OVER + 1
    assert written == [[RECORD]]


def test_it_is_crowded_when_more_work_is_under_way_than_there_are_threads(settings):
    held, begun = threading.Event(), threading.Semaphore(0)
    threads = orm.executor()._max_workers
    settings.ORM_THREADS = threads

    def work() -> None:
        begun.release()
        held.wait(10)

    async def run() -> list[bool]:
        seen, under_way = [], []
        for _ in range(threads + 1):
            under_way.append(asyncio.ensure_future(orm.run_db(work)))
            await asyncio.sleep(0)
            seen.append(orm.is_crowded())
        under_way[-1].cancel()  # it has not begun, and never will
        await asyncio.wait([under_way[-1]])
        seen.append(orm.is_crowded())
        held.set()
        await asyncio.gather(*under_way[:-1])
        return [*seen, orm.is_crowded()]

    *roomy, full, given_up, over = asyncio.run(run())

    assert (set(roomy), full, given_up, over) == ({False}, True, False, False)
