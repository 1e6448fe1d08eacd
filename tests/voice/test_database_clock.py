"""Calls are taken for lost by one clock, and that is no machine's own (I8)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shipments.jobs import Job
from tests.voice.builders import an_opening
from voice import calls, database_clock, periodic, reconcile, roster
from voice.models import Call
from voice.shared import Lease

pytestmark = pytest.mark.django_db
COMMANDS = Path(__file__).resolve().parents[2] / "voice" / "management" / "commands"


def test_the_database_tells_the_time():
    told = database_clock.now()

    assert abs(datetime.now(UTC) - told) < timedelta(seconds=5)
    assert told.tzinfo is UTC


@pytest.mark.parametrize("hours", [-1, 1])
def test_i8_no_call_of_a_machine_whose_clock_is_an_hour_off_is_taken_for_lost(hours):
    skewed = datetime.now(UTC) + timedelta(hours=hours)
    facts = calls.accept_stream(an_opening(now=skewed).token, now=skewed)
    assert facts is not None

    began = reconcile.close_lost(database_clock.now())
    roster.beat([facts.call_id])
    later = reconcile.close_lost(database_clock.now())

    assert (began, later) == (0, 0)
    assert Call.objects.get().status == "answered"


@pytest.mark.parametrize("name", ["worker", "reconcile"])
def test_i8_who_closes_calls_goes_by_the_databases_clock(name):
    source = (COMMANDS / f"{name}.py").read_text()

    assert "database_clock.now" in source
    assert "datetime" not in source


def test_i8_of_two_workers_none_takes_a_job_early_for_its_clock():
    job = Job("job", 3_600, lambda now: 1)

    ran = [periodic.run_due(job, by, database_clock.now) for by in ("one", "two")]

    assert ran == [1, None]
    assert Lease.objects.get(job="job").holder == ""
