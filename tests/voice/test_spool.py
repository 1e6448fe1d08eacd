"""What the database does not take is written once it does, in order and once."""

import asyncio
from functools import partial

import pytest
from django.db import IntegrityError, OperationalError

from voice import spool
from voice.spool import Spool


@pytest.fixture(autouse=True)
def _soon(settings):
    settings.SPOOL_AGAIN_S = 0.01


async def until_empty(waiting: Spool) -> None:
    async with asyncio.timeout(5):
        while waiting.waiting:  # noqa: ASYNC110 - who drains looks once in a while, too
            await asyncio.sleep(0.01)
    await asyncio.sleep(0)  # for its task to end


def run_all(*writes: spool.Write) -> None:
    async def run() -> None:
        waiting = Spool()
        for write in writes:
            waiting.add(write)
        await until_empty(waiting)

    asyncio.run(run())


@pytest.mark.django_db
def test_a_write_is_tried_until_it_is_taken_and_the_next_waits_for_it():
    done: list[str] = []
    failures = [OperationalError("locked"), OperationalError("locked")]

    def first() -> None:
        if failures:
            raise failures.pop()
        done.append("first")

    run_all(first, lambda: done.append("second"))

    assert done == ["first", "second"]


@pytest.mark.django_db
@pytest.mark.logs_errors
def test_a_write_that_will_never_be_taken_keeps_no_other_waiting():
    done: list[str] = []

    def refused() -> None:
        raise IntegrityError("no such call")

    run_all(refused, lambda: done.append("second"))

    assert done == ["second"]


@pytest.mark.django_db
@pytest.mark.logs_errors
def test_so_many_wait_and_no_more(settings):
    settings.SPOOL_RECORDS = 2
    done: list[int] = []

    run_all(*(partial(done.append, number) for number in range(4)))

    assert done == [2, 3]
