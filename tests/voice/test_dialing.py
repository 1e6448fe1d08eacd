"""The plan, the gate and the queue: who is called, when, and why not."""

from itertools import product

import pytest
from django.db import IntegrityError, transaction

from tests.shipments.builders import NOW, a_parcel
from voice.models import OutboundCall
from voice.statuses import DIAL_OPEN, NEXT_DIAL, DialState, dial_sources


def test_every_state_has_its_row_and_no_over_one_goes_on():
    assert set(NEXT_DIAL) == set(DialState)
    assert {DialState.DONE, DialState.FAILED, DialState.CANCELLED, DialState.SUPPRESSED} == set(
        DialState
    ) - DIAL_OPEN


@pytest.mark.parametrize(("state", "target"), list(product(DialState, DialState)))
def test_a_move_is_allowed_exactly_where_the_table_says(state, target):
    assert (state in dial_sources(target)) == (target in NEXT_DIAL[state])


def test_what_has_rung_is_never_planned_again():
    rung = (DialState.RINGING, DialState.ANSWERED, DialState.DONE, DialState.FAILED)

    assert not {DialState.PLANNED, DialState.CLAIMED, DialState.DIALLING} & {
        following for state in rung for following in NEXT_DIAL[state]
    }


@pytest.mark.django_db
@pytest.mark.parametrize("second", [{"attempt": 1, "state": "failed"}, {"attempt": 2, "state": "unknown"}])
def test_the_database_holds_one_row_an_attempt_and_one_open_call_a_purpose(second):
    parcel = a_parcel()
    row = {"shipment": parcel, "number": parcel.phone, "not_before": NOW, "created_at": NOW}
    OutboundCall.objects.create(**row)

    with pytest.raises(IntegrityError), transaction.atomic():
        OutboundCall.objects.create(**row | second)
