"""A call that was put back rang nowhere: it ends with its plan."""

from datetime import timedelta

import pytest

from shipments import contacts
from tests.dialled import Platform, dial, fresh, planned
from tests.shipments.builders import NOW
from voice import dialing
from voice.models import OutboundCall
from voice.statuses import CallStatus, EndedReason
from voice.wire.placing import Slow

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
