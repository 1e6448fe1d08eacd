"""What a caller reports is kept once, moves nothing, and is for his own parcels only."""

import pytest

from shipments.audit import AuditEntry
from shipments.errors import NotDeliveredError, ParcelUnknownError, ProblemUnclearError
from shipments.models import Shipment, TrackingEvent
from shipments.problems import report_problem
from shipments.statuses import Source, Status
from shipments.telling import find_own
from tests.rivals import at_once
from tests.shipments.builders import AMINA, BRIAN, CALL, NOW, a_parcel


def report(kind="damaged", number=AMINA, said_id=None):
    return report_problem(find_own(number, said_id or ""), kind=kind, call_public_id=CALL, now=NOW)


@pytest.mark.django_db(transaction=True)
def test_one_report_made_eight_times_at_once_is_kept_once_and_moves_nothing():
    a_parcel(status=Status.DELIVERED)

    answers = at_once(*[lambda: report("dispute")] * 8)

    assert answers == [answers[0]] * 8
    event = TrackingEvent.objects.get(source=Source.VOICE_AGENT)
    assert (event.status, event.description) == (Status.DELIVERED, "Recipient disputes the delivery")
    assert AuditEntry.objects.get().after == {"problem": "dispute"}
    assert Shipment.objects.get().version == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "number", "refusal"),
    [
        ("dispute", AMINA, NotDeliveredError),
        ("stolen by aliens", AMINA, ProblemUnclearError),
        ("damaged", BRIAN, ParcelUnknownError),
        ("damaged", "", ParcelUnknownError),
    ],
)
def test_what_is_refused_leaves_nothing(kind, number, refusal):
    parcel = a_parcel()

    with pytest.raises(refusal):
        report(kind, number, parcel.tracking_id)

    assert not AuditEntry.objects.exists()
