"""What a caller may learn of an address by naming it, on the database."""

import pytest

from shipments import addresses
from shipments.audit import AuditEntry
from shipments.errors import (
    ParcelUnknownError,
)
from shipments.models import TrackingEvent
from shipments.statuses import Source
from shipments.telling import find_own
from tests.shipments.builders import (
    AMINA,
    BRIAN,
    CALL,
    NOW,
    a_parcel,
)

pytestmark = pytest.mark.django_db


def address(said, said_id=None, number=AMINA):
    return addresses.confirm_address(find_own(number, said_id or ""), said=said, call_public_id=CALL, now=NOW)


@pytest.mark.parametrize(
    "said",
    ["Sunbird petrol station", "Jacaranda Court", "opposite Sun bird, Jacaranda court", "14 Example Lane"],
)
def test_a_place_that_the_caller_describes_rightly_matches(said):
    parcel = a_parcel()

    answer = address(said)

    parcel.address.refresh_from_db()
    assert (answer["match"], answer["area"]) == (True, "Kilimani")
    assert parcel.address.verified_at == NOW
    assert address(said)["match"] is True
    assert TrackingEvent.objects.filter(source=Source.VOICE_AGENT).count() == 1
    assert AuditEntry.objects.filter(verb="confirm_address").count() == 1


@pytest.mark.parametrize("said", ["Kilimani", "12 Example Lane", "the airport", "", "\x00", "petrol station"])
def test_a_wrong_place_does_not_match_and_hears_the_area_only(said):
    parcel = a_parcel()

    answer = address(said)

    parcel.address.refresh_from_db()
    assert answer["match"] is False
    assert parcel.address.verified_at is None
    for secret in ("Jacaranda", "Lane", "Sunbird", "gate"):
        assert secret not in repr(answer)


def test_anothers_address_is_not_compared():
    a_parcel(tracking_id="KM4279")

    with pytest.raises(ParcelUnknownError):
        address("Jacaranda Court", "KM4279", number=BRIAN)
