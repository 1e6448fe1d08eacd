"""What a worker does, and that the platform is left alone without a key."""

from datetime import timedelta

import pytest
from django.utils import timezone

from shipments.models import Shipment
from tests.dialled import a_parcel_at_the_door
from tests.processes import free_port
from voice import dialing, jobs, placing
from voice.models import OutboundCall
from voice.shared import DialSwitch
from voice.statuses import Purpose

ALWAYS = {
    "lost calls",
    "unanswered calls",
    "lost dials",
    "purge",
    "webhooks",
    "messages",
    "old webhooks",
    "old files",
}


def names() -> set[str]:
    """Return the names of the jobs."""
    return {job.name for job in jobs.jobs()}


def test_without_a_key_the_platform_is_not_asked_for_anything(settings):
    settings.SAUTIKIT_API_KEY = ""

    assert names() == ALWAYS


def test_without_a_number_of_ours_nobody_is_called(settings):
    settings.SAUTIKIT_API_KEY, settings.SAUTIKIT_NUMBER = "key", ""

    assert names() == ALWAYS | {"untold ends", "untold dials", "hang-ups", "bills"}


def test_with_both_the_worker_dials(settings):
    settings.SAUTIKIT_API_KEY, settings.SAUTIKIT_NUMBER = "key", "+254700000900"

    assert names() == ALWAYS | {"untold ends", "untold dials", "hang-ups", "bills", "call-backs", "dial"}


@pytest.mark.parametrize(
    ("missed_s", "callbacks", "proof", "asks"),
    [
        (3.0, [], "lookup", True),
        (0.0, ["not_admitted"], "lookup", True),
        (0.0, [], "lookup", False),
        (3.0, ["not_admitted"], "none", False),
    ],
)
def test_who_is_gone_is_asked_for_where_anybody_is_rung_back_and_nobody_believed(
    settings, missed_s, callbacks, proof, asks
):
    settings.SAUTIKIT_API_KEY = "key"
    settings.CALLBACK_MISSED_S, settings.DIAL_CALLBACKS, settings.CALLER_PROOF = missed_s, callbacks, proof

    assert ("callers gone" in names()) == asks


def test_each_job_has_a_name_of_its_own_that_a_lease_can_bear():
    listed = [job.name for job in jobs.jobs()]

    assert len(listed) == len(set(listed))
    assert max(map(len, listed)) <= 32


def test_by_the_defaults_a_lost_call_is_closed_within_a_minute_of_its_last_sign_of_life(settings):
    [lost] = [job for job in jobs.jobs() if job.name == "lost calls"]

    # A worker that died with the job in its hands gives it back to nobody before its limit.
    assert settings.RECONCILE_S + lost.every_s + lost.limit_s < 60


def planned(settings) -> OutboundCall:
    """Plan a call for now, whatever the hour."""
    settings.DIAL_HOURS, settings.DIAL_SUNDAY_FROM = "00:00-24:00", "00:00"
    now = timezone.now()
    parcel: Shipment = a_parcel_at_the_door(eta_at=now + timedelta(minutes=10))
    row = dialing.plan(parcel, Purpose.ETA, by="test", now=now).outbound
    assert row is not None
    return row


@pytest.mark.django_db
def test_there_is_nothing_to_dial_before_anybodys_turn_or_while_it_is_paused(settings):
    now = timezone.now()
    assert not placing.is_due(now)
    planned(settings)
    later = now + timedelta(seconds=1)

    assert placing.is_due(later)
    DialSwitch.objects.update(next_dial_at=later + timedelta(seconds=1))
    assert not placing.is_due(later)
    DialSwitch.objects.update(next_dial_at=None, paused=True)
    assert not placing.is_due(later)


@pytest.mark.django_db(transaction=True)
def test_dialling_ends_in_time_although_the_next_turn_is_far(settings):
    settings.SAUTIKIT_BASE_URL = f"http://127.0.0.1:{free_port()}"  # nobody is reached, so nothing rings
    settings.DIAL_PER_SECOND = 0.01
    rows = [planned(settings), planned(settings)]
    began = timezone.now()

    jobs.dial(began + timedelta(seconds=1), lasting=timedelta(seconds=0.5))

    assert timezone.now() - began < timedelta(seconds=5)
    assert [OutboundCall.objects.get(pk=row.pk).state for row in rows] == ["planned", "planned"]
