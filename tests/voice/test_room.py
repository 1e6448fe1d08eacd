"""Nobody is rung whom the line could not take: no money, no room, refusals, a model that cannot be had."""

from datetime import timedelta

import pytest

from shipments.statuses import Status
from tests.dialled import Platform, dial, planned
from tests.shipments.builders import AMINA, NOW, a_parcel
from voice import dialing, room
from voice.dial_rules import At, Now
from voice.models import Call, CallbackRequest
from voice.statuses import CallbackReason, CallStatus, EndedReason, Purpose

pytestmark = pytest.mark.django_db


def ended(reason: EndedReason, seconds_ago: float = 30.0) -> Call:
    """Create a call that is over."""
    at = NOW - timedelta(seconds=seconds_ago)
    return Call.objects.create(
        status=CallStatus.COMPLETED, ended_reason=reason, created_at=at - timedelta(seconds=60), ended_at=at
    )


def refused(seconds_ago: float) -> None:
    """Let somebody be told that a colleague calls back."""
    at = NOW - timedelta(seconds=seconds_ago)
    call = Call.objects.create(status=CallStatus.CANCELED, created_at=at)
    CallbackRequest.objects.create(
        call=call,
        number=AMINA,
        reason=CallbackReason.NOT_ADMITTED,
        window_start=at,
        window_end=at,
        created_at=at,
    )


def test_a_quiet_line_has_room():
    assert room.lacking(NOW) == ""


def test_a_call_waits_for_room_and_is_then_placed(settings):
    settings.DIAL_BELOW_CALLS = 1
    talk = Call.objects.create(status=CallStatus.ANSWERED, created_at=NOW)
    planned(a_parcel(status=Status.IN_TRANSIT), Purpose.CONFIRM_ADDRESS)
    later, platform = NOW + timedelta(minutes=5), Platform()

    assert dial(platform) is None
    assert dial(platform, later) == At(later + timedelta(minutes=5), "The line is full.")
    Call.objects.filter(pk=talk.pk).update(status=CallStatus.COMPLETED)
    assert isinstance(dial(platform, later + timedelta(minutes=5)), Now)

    assert len(platform.orders) == 1


def test_a_ring_whose_end_was_never_told_takes_no_room_for_ever(settings):
    settings.DIAL_BELOW_CALLS = 1
    Call.objects.create(status=CallStatus.QUEUED, created_at=NOW)

    assert room.lacking(NOW) == "The line is full."
    assert room.lacking(NOW + timedelta(seconds=settings.RING_LIMIT_S + 1)) == ""


def test_when_the_money_of_all_calls_is_spent_nobody_is_rung(settings):
    settings.ADMISSION_USD_PER_DAY = 1.0
    Call.objects.create(status=CallStatus.COMPLETED, created_at=NOW, cost_usd_micros=1_000_000)

    said = dialing.look(a_parcel(status=Status.IN_TRANSIT), Purpose.CONFIRM_ADDRESS, now=NOW)

    assert said == At(NOW + timedelta(minutes=5), "What calls may cost in a day is spent.")


def test_while_callers_are_refused_nobody_is_rung():
    refused(seconds_ago=59)

    assert room.lacking(NOW) == "A call was not taken just now."
    assert room.lacking(NOW + timedelta(seconds=1)) == ""


@pytest.mark.parametrize(
    ("reasons", "lacking"),
    [
        ([EndedReason.MODEL_FAILURE] * 5, "The voice model cannot be had."),
        ([EndedReason.CAPACITY, *[EndedReason.MODEL_FAILURE] * 4], "The voice model cannot be had."),
        ([EndedReason.MODEL_FAILURE] * 4, ""),
        ([EndedReason.CALLER_HANGUP, *[EndedReason.MODEL_FAILURE] * 4], ""),
    ],
)
def test_after_as_many_failures_as_shut_the_door_nobody_is_rung_for_a_while(reasons, lacking):
    for reason in reasons:
        ended(reason)

    assert room.lacking(NOW) == lacking
    assert room.lacking(NOW + timedelta(minutes=10)) == ""


def test_placed_calls_under_way_count_at_their_longest_against_the_days_money(settings):
    settings.DIAL_BUDGET_KES_PER_DAY = 50  # a call of ten minutes is 30 shillings
    for number in range(3):
        parcel = a_parcel(f"+2547000001{number:02}", status=Status.IN_TRANSIT)
        planned(parcel, Purpose.CONFIRM_ADDRESS)
    platform = Platform()

    for second in range(0, 6, 2):
        dial(platform, NOW + timedelta(seconds=second))

    assert len(platform.orders) == 2
