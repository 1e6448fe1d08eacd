"""`manage.py place_calls`: what it refuses to begin, and what it says without calling anybody."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from shipments.statuses import Status
from tests.dialled import a_parcel_at_the_door
from tests.shipments.builders import AMINA, BRIAN, a_parcel
from voice import dialing
from voice.models import OutboundCall
from voice.statuses import Purpose

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _ready(settings):
    settings.SAUTIKIT_API_KEY, settings.SAUTIKIT_NUMBER = "key", "+254700000900"
    settings.DIAL_HOURS = "00:00-24:00"


def dry(*options: str) -> list[dict[str, object]]:
    """Return what a dry run says as JSON."""
    out = StringIO()
    call_command("place_calls", *options, "--dry-run", "--json", stdout=out)
    said: list[dict[str, object]] = json.loads(out.getvalue())
    return said


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ([], "Name parcels with --shipment"),
        (["--limit", "0", "--due"], "--limit is at least 1"),
        (["--loop", "--json"], "--loop goes neither"),
        (["--loop", "--dry-run"], "--loop goes neither"),
        (["--due", "--purpose", "chat"], "invalid choice"),
        (["--shipment", "KM999999", "--dry-run"], "There is no parcel KM999999"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_reason(options, why):
    with pytest.raises(CommandError, match=why):
        call_command("place_calls", *options)


@pytest.mark.parametrize("setting", ["SAUTIKIT_API_KEY", "SAUTIKIT_NUMBER"])
def test_without_a_key_or_a_number_nobody_is_called(settings, setting):
    setattr(settings, setting, "")

    with pytest.raises(CommandError, match=f"Set {setting}"):
        call_command("place_calls", "--due")


def test_a_dry_run_answers_for_the_named_parcels_in_order_each_once_and_plans_nothing():
    first, second = (a_parcel_at_the_door(tracking_id=name, phone=AMINA) for name in ("KM900001", "KM900002"))

    said = dry("--shipment", "km 900002", "KM900001", "KM900002", "--purpose", "driver_request")

    assert [one["tracking_id"] for one in said] == [second.tracking_id, first.tracking_id]
    assert all(one["call"] is None and one["state"] is None for one in said)
    assert OutboundCall.objects.count() == 0


def test_each_purpose_is_asked_of_the_gate_by_its_own_rules():
    a_parcel_at_the_door(tracking_id="KM900001")

    [driver] = dry("--shipment", "KM900001", "--purpose", "driver_request")
    [reattempt] = dry("--shipment", "KM900001", "--purpose", "reattempt")

    assert driver["decision"] == "now"
    assert (reattempt["decision"], reattempt["reason"]) == (
        "never",
        "The parcel no longer waits for another attempt.",
    )


def test_a_dry_run_of_what_is_due_names_the_tries_and_call_backs_that_wait_in_the_queue():
    now = timezone.now()
    arriving = a_parcel_at_the_door(eta_at=now + timedelta(minutes=15), tracking_id="KM900001", phone=AMINA)
    failed = a_parcel(tracking_id="KM900002", phone=BRIAN, status=Status.ATTEMPT_FAIL)
    later = a_parcel(tracking_id="KM900003", status=Status.ATTEMPT_FAIL)
    dialing.plan(arriving, Purpose.ETA, by="rules", now=now)
    dialing.plan(failed, Purpose.REATTEMPT, by="rules", now=now)
    dialing.plan(later, Purpose.REATTEMPT, by="rules", now=now, not_before=now + timedelta(hours=1))

    said = dry("--due")

    assert [(one["tracking_id"], one["decision"], one["state"]) for one in said] == [
        ("KM900001", "now", None),
        ("KM900002", "now", "planned"),
    ]
    assert len(dry("--due", "--limit", "1")) == 1
    assert not OutboundCall.objects.exclude(state="planned").exists()


@pytest.mark.parametrize("limit", [1, 2])
def test_a_limit_holds_over_what_was_named(limit):
    for name, phone in (("KM900001", AMINA), ("KM900002", BRIAN)):
        a_parcel_at_the_door(tracking_id=name, phone=phone)

    said = dry("--shipment", "KM900001", "KM900002", "--purpose", "driver_request", "--limit", str(limit))

    assert len(said) == limit
