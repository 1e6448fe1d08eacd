"""Every job runs when it is due, in one worker at a time."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError

from shipments.jobs import Job
from voice import periodic
from voice.shared import Lease

NOW = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
pytestmark = [pytest.mark.django_db, pytest.mark.logs_errors]


def job(ran: list[datetime]) -> Job:
    """Return a job that is due every 20 s and has always one thing to do."""

    def run(now: datetime) -> int:
        ran.append(now)
        return 1

    return Job("job", 20, run, limit_s=300)


def fail(now: datetime) -> int:
    """Fail as no job should."""
    raise ZeroDivisionError


def test_a_job_runs_when_it_is_due_and_not_before():
    ran: list[datetime] = []

    for now in (NOW + timedelta(seconds=seconds) for seconds in (0, 1, 19, 20, 21, 41)):
        periodic.run_due(job(ran), "one", iter([now] * 3).__next__)

    assert [round((at - NOW).total_seconds()) for at in ran] == [0, 20, 41]


def test_a_look_at_a_job_that_is_not_due_writes_nothing(django_assert_num_queries):
    periodic.run_due(job([]), "one", lambda: NOW)

    with django_assert_num_queries(2) as looked:
        assert periodic.run_due(job([]), "two", lambda: NOW) is None

    assert all(query["sql"].startswith("SELECT") for query in looked.captured_queries)


def test_of_two_workers_one_has_a_job_until_it_is_dead():
    work = job([])

    assert periodic.take(work, "one", NOW)
    assert not periodic.take(work, "two", NOW + timedelta(seconds=299))
    assert periodic.take(work, "two", NOW + timedelta(seconds=300))
    periodic.give_back(work, "one", NOW + timedelta(seconds=301))
    assert Lease.objects.get().holder == "two"


def test_a_job_that_fails_is_given_back():
    assert periodic.run_due(Job("bad", 20, fail), "one", lambda: NOW) is None

    assert Lease.objects.get().holder == ""


@pytest.mark.django_db(transaction=True)
def test_a_job_that_is_slow_or_fails_keeps_no_other_waiting():
    stopped, slow, quick = threading.Event(), threading.Event(), threading.Event()

    def wait(now: datetime) -> int:
        slow.wait(20)
        return 0

    def end(now: datetime) -> int:
        quick.set()
        return 0

    def stop() -> None:
        quick.wait(20)
        stopped.set()
        slow.set()

    stopper = threading.Thread(target=stop)
    stopper.start()
    periodic.run_until(
        stopped, (Job("slow", 20, wait), Job("bad", 20, fail), Job("quick", 20, end)), "one", lambda: NOW
    )
    stopper.join()

    assert quick.is_set()


@pytest.mark.django_db(transaction=True)
def test_a_job_goes_on_when_the_database_is_back():
    stopped, gone = threading.Event(), [OperationalError("gone"), OperationalError("gone")]

    def clock() -> datetime:
        if gone:  # as what follows would do
            raise gone.pop()
        return NOW

    def end(now: datetime) -> int:
        stopped.set()
        return 0

    periodic.run_until(stopped, [Job("job", 0.01, end)], "one", clock)

    assert stopped.is_set()
