"""What was of use for a while only goes, and nothing that a call still needs."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.shipments.builders import a_parcel
from voice import purging
from voice.models import Call
from voice.rights import CallParcel, StreamToken
from voice.shared import Lease, Tally

NOW = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
OLD, LATELY = NOW - timedelta(days=2), NOW - timedelta(hours=2)

pytestmark = pytest.mark.django_db


def a_call(at: datetime, status: str = "completed") -> Call:
    """Return a call with a token and a parcel."""
    call = Call.objects.create(created_at=at, status=status)
    StreamToken.objects.create(
        call=call,
        digest=f"{call.pk}a",
        status_digest=f"{call.pk}b",
        created_at=at,
        expires_at=at + timedelta(seconds=60),
    )
    CallParcel.objects.create(call_public_id=call.public_id, place=1, shipment=a_parcel())
    return call


def test_p18_tokens_and_aliases_of_calls_long_over_go_and_the_calls_stay():
    old = a_call(OLD)
    recent, live = a_call(LATELY), a_call(OLD, "answered")

    purging.purge(NOW)

    assert {token.call_id for token in StreamToken.objects.all()} == {recent.pk, live.pk}
    assert {row.call_public_id for row in CallParcel.objects.all()} == {recent.public_id, live.public_id}
    assert Call.objects.filter(pk=old.pk).exists()


def test_counters_go_a_day_after_they_count_no_more():
    for key, until in (("old", OLD), ("lately", LATELY), ("counts", NOW + timedelta(hours=1))):
        Tally.objects.create(key=key, used=3, until=until)

    assert purging.purge(NOW) == 1

    assert {tally.key for tally in Tally.objects.all()} == {"lately", "counts"}


def test_the_lease_of_a_job_that_is_no_more_goes():
    Lease.objects.create(job="of an older version", held_until=OLD, due_at=OLD)
    Lease.objects.create(job="lost calls", held_until=LATELY, due_at=NOW)

    purging.purge(NOW)

    assert [lease.job for lease in Lease.objects.all()] == ["lost calls"]


def test_so_much_goes_at_once_and_no_more():
    Tally.objects.bulk_create([Tally(key=str(number), used=1, until=OLD) for number in range(5)])

    assert [purging.purge(NOW, at_once=2) for _ in range(4)] == [2, 2, 1, 0]
