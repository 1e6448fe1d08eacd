"""A call that was put back rang nowhere: it fills no line, costs no money, and ends with its plan."""

from datetime import timedelta

import pytest

from shipments import contacts
from tests.dialled import Platform, a_parcel_at_the_door, dial, fresh, planned
from tests.shipments.builders import AMINA, BRIAN, NOW
from voice import books, budget, dialing, outbound, room
from voice.dial_rules import Now
from voice.models import Call, OutboundCall
from voice.statuses import CallStatus, DialState, EndedReason
from voice.wire.placing import Accepted, Slow, Unclear, Unsent

pytestmark = pytest.mark.django_db
SOON = NOW + timedelta(seconds=20)


def put_back() -> OutboundCall:
    """Plan and dial a call that the platform does not take yet."""
    row = planned()
    dial(Platform(Slow(600)))
    return fresh(row)


def opt_out(row: OutboundCall) -> None:
    """Want no calls, as the owner of the number."""
    contacts.opt_out(number=row.number, call_public_id="a", now=SOON)
    dialing.forget(row.number, reason="No calls, please.", now=SOON)


@pytest.mark.parametrize(
    ("take_off", "state", "reason"),
    [
        (lambda row: dialing.cancel([row.pk], by="mary", now=SOON), "cancelled", EndedReason.AGENT_HANGUP),
        (opt_out, "suppressed", EndedReason.OPTED_OUT),
    ],
)
def test_a_call_that_was_put_back_ends_when_it_is_taken_off_the_plan(take_off, state, reason):
    row = put_back()

    take_off(row)

    row = fresh(row)
    assert row.call is not None
    assert (row.state, row.call.status, row.call.ended_at) == (state, CallStatus.CANCELED, SOON)
    assert row.call.ended_reason == reason


@pytest.mark.parametrize(
    ("placement", "under_way"),
    [(Slow(600), False), (Unsent("not reached"), False), (Unclear("lost"), True), (Accepted("", ""), True)],
)
def test_only_a_call_that_may_ring_takes_the_room_and_the_money_of_one(placement, under_way, settings):
    settings.DIAL_BELOW_CALLS = 1
    settings.ADMISSION_KES_PER_DAY, settings.ADMISSION_USD_PER_DAY = 30, 0
    planned()

    dial(Platform(placement))

    assert (books._spent_minor(SOON) > 0) == under_way
    assert budget.is_spent(SOON) == under_way
    settings.ADMISSION_KES_PER_DAY = 0
    assert room.lacking(SOON) == ("The line is full." if under_way else "")
    assert Call.objects.live().count() == under_way


def test_a_call_that_was_put_back_keeps_no_other_from_its_number():
    row, other = put_back(), planned(a_parcel_at_the_door())

    said = dialing.look(other.shipment, other.purpose, now=SOON)

    assert row.number == other.number == AMINA
    assert isinstance(said, Now)


def test_a_call_that_rang_for_too_long_and_did_not_ring_takes_no_room(settings):
    settings.DIAL_BELOW_CALLS = 1
    row = planned(a_parcel_at_the_door(phone=BRIAN))
    dial(Platform(Accepted("", "")))
    Call.objects.update(status=CallStatus.RINGING)
    OutboundCall.objects.update(state=DialState.UNKNOWN)

    outbound.decide(row.pk, rang=False, by="mary", now=SOON)

    assert room.lacking(SOON) == ""
