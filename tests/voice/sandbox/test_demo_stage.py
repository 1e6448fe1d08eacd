"""What happens before the calls that the demonstration places: two are to be placed, and one is not."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from shipments.courtesy import ContactPreference
from shipments.depots import DeliverySlot
from shipments.models import DeliveryChange, Shipment
from shipments.riders import Stop
from shipments.statuses import ChangeState, Status
from tests.voice.sandbox.staged import a_call, scenes_of, seeded
from voice import dialing
from voice.dial_rules import Never, Now, parse_rest
from voice.models import OutboundCall
from voice.sandbox import demo_stage
from voice.statuses import DialState, Purpose

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture(params=[0, 5, 10, 15, 20])
def now(request) -> datetime:
    """Return hours of the day, whenever this runs."""
    return timezone.now() + timedelta(hours=request.param)


def fresh(parcel: Shipment) -> Shipment:
    return Shipment.objects.get(pk=parcel.pk)


def test_of_what_is_due_two_may_be_called_and_one_wants_no_calls_at_any_hour(settings, now):
    scenes_of(3, settings, now)
    due = demo_stage.rounds()

    assert isinstance(dialing.look(fresh(due.arriving), Purpose.ETA, now=now), Now)
    assert isinstance(dialing.look(fresh(due.failed), Purpose.REATTEMPT, now=now), Now)
    quiet = dialing.look(fresh(due.rest), Purpose.ETA, now=now)
    assert isinstance(quiet, Never)
    assert quiet.because.startswith("The recipient wants no calls until")


def test_quiet_hours_hold_until_long_after_the_parcel_has_come(settings, now):
    scenes_of(3, settings, now)
    parcel = fresh(demo_stage.rounds().rest)
    rest = parse_rest(ContactPreference.objects.get(number=parcel.phone).quiet_hours)

    assert rest is not None
    for minutes in (0, 60, 119):
        then = (now + timedelta(minutes=minutes)).astimezone(parcel.zone)
        assert rest.holds(then.hour * 60 + then.minute)


@pytest.mark.django_db(transaction=True)
def test_what_happens_plans_the_calls_as_it_does_in_a_couriers_day(settings):
    scenes_of(3, settings)

    due = demo_stage.rounds()
    planned = OutboundCall.objects.filter(state=DialState.PLANNED, not_before__lte=timezone.now())
    assert {*planned.values_list("shipment", "purpose")} == {
        (due.arriving.pk, Purpose.ETA),
        (due.rest.pk, Purpose.ETA),
        (due.failed.pk, Purpose.REATTEMPT),
    }
    assert fresh(due.failed).status == Status.ATTEMPT_FAIL


def test_another_seed_draws_another_time_and_each_is_told(settings):
    settings.DIAL_HOURS = "00:00-24:00"
    now = timezone.now()
    told = set()
    for seed in range(6):
        seeded(seed)
        told.add(demo_stage.set_out(seed, now + timedelta(seconds=seed))[0])

    assert len(told) > 1
    assert all("arrives in" in line for line in told)


def test_a_day_without_rounds_is_refused(settings):
    seeded(1)
    Stop.objects.all().delete()

    with pytest.raises(LookupError):
        demo_stage.set_out(1, timezone.now())


def test_only_what_was_asked_for_in_a_call_is_approved(settings):
    scenes_of(3, settings)
    mine, other = demo_stage.rounds().arriving, demo_stage.rounds().rest
    call = a_call(mine.phone)
    now = timezone.now()
    for parcel, public_id in ((mine, call.public_id), (other, "another call")):
        DeliveryChange.objects.create(
            shipment=parcel,
            kind="reschedule",
            state=ChangeState.NEEDS_APPROVAL,
            slot=DeliverySlot.objects.filter(depot=parcel.depot).order_by("booked").first(),
            idempotency_key=public_id,
            call_public_id=public_id,
            shipment_version=1,
            created_at=now,
            expires_at=now,
        )

    demo_stage.approve(call.public_id, now)

    assert [*DeliveryChange.objects.order_by("pk").values_list("state", flat=True)] == [
        ChangeState.APPLIED,
        ChangeState.NEEDS_APPROVAL,
    ]
    assert fresh(mine).slot is not None
