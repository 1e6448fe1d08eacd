"""What overtakes what at the platform: a call that rings or talks is not failed by older news."""

import pytest

from tests.dialled import LATER, Platform, dial, fresh, opened, planned, webhook
from tests.shipments.builders import NOW
from voice import outbound, placing
from voice.models import Call, OutboundCall
from voice.statuses import CallStatus, DialState
from voice.wire.placing import Refused, Unclear

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def test_a_refusal_of_what_rings_already_is_not_believed():
    row = planned()
    claimed = outbound.claim("d1", NOW)
    assert claimed is not None
    placing.begin(claimed, NOW)

    opened(webhook(row))
    placing.settle(claimed, Refused(400, "some.code"), NOW, lambda: 1.0)

    assert (fresh(row).state, fresh(row).may_have_rung) == (DialState.RINGING, True)


def test_a_call_whose_stream_was_let_in_meanwhile_is_neither_failed_nor_dialled_anew():
    row = planned()
    dial(Platform(Unclear("lost")))
    Call.objects.update(status=CallStatus.ANSWERED, answered_at=NOW)  # what was placed is about to follow

    decided = [outbound.decide(row.pk, rang=rang, by="mary", now=LATER) for rang in (True, False)]

    assert decided == [False, False]
    assert fresh(row).state == DialState.UNKNOWN
    assert OutboundCall.objects.count() == 1
