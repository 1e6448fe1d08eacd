"""What overtakes what at the platform: a call that rings or talks is not failed by older news."""

import pytest

from tests.dialled import fresh, opened, planned, webhook
from tests.shipments.builders import NOW
from voice import outbound, placing
from voice.statuses import DialState
from voice.wire.placing import Refused

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def test_a_refusal_of_what_rings_already_is_not_believed():
    row = planned()
    claimed = outbound.claim("d1", NOW)
    assert claimed is not None
    placing.begin(claimed, NOW)

    opened(webhook(row))
    placing.settle(claimed, Refused(400, "some.code"), NOW, lambda: 1.0)

    assert (fresh(row).state, fresh(row).may_have_rung) == (DialState.RINGING, True)
