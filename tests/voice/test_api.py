"""Systems read the calls about their parcels, as far as they may, and have customers called by the gate."""

from datetime import timedelta

import pytest
from django.utils import timezone

from shipments.audit import AuditEntry
from shipments.clients import Scope
from shipments.statuses import Status
from tests.clients import System
from tests.shipments.builders import AMINA, a_parcel
from voice.models import Call, OutboundCall, Turn

pytestmark = pytest.mark.django_db


def a_call(parcel=None, **fields) -> Call:
    """Return a call that is over, about a parcel."""
    now = timezone.now()
    call = Call.objects.create(
        **{
            "customer_number": AMINA,
            "shipment": parcel,
            "status": "completed",
            "outcome": "rescheduled",
            "created_at": now - timedelta(minutes=2),
            "answered_at": now - timedelta(minutes=2),
            "ended_at": now,
        }
        | fields
    )
    Turn.objects.create(
        call=call, position=0, speaker="caller", text=f"I am {AMINA}", started_ms=0, ended_ms=9
    )
    return call


def test_calls_are_listed_without_what_was_said():
    call = a_call(a_parcel())

    [listed] = System().get("calls").json()["results"]

    assert (listed["public_id"], listed["outcome"], listed["duration_s"]) == (
        call.public_id,
        "rescheduled",
        120,
    )
    assert "transcript" not in listed


@pytest.mark.parametrize(
    ("scopes", "number", "said"),
    [
        ([Scope.CALLS_READ], "••• 001", None),
        ([Scope.CALLS_READ, Scope.TRANSCRIPTS_READ], "••• 001", "I am ••• 001"),
        ([Scope.CALLS_READ, Scope.NUMBERS_READ], AMINA, None),
        ([Scope.CALLS_READ, Scope.NUMBERS_READ, Scope.TRANSCRIPTS_READ], AMINA, f"I am {AMINA}"),
    ],
)
def test_a_call_shows_what_its_reader_may_see(scopes, number, said):
    call = a_call(a_parcel())

    body = System(*scopes).get(f"calls/{call.public_id}").json()

    assert body["number"] == number
    assert (body["transcript"] and body["transcript"][0]["text"]) == said


def test_a_client_of_one_shipper_sees_the_calls_about_its_parcels_only():
    own = a_call(a_parcel(shipper="Example Books"))
    other = a_call(a_parcel(shipper="Sample Shoes"))
    nobodys = a_call()
    system = System(shipper="Example Books")

    listed = [call["public_id"] for call in system.get("calls").json()["results"]]

    assert listed == [own.public_id]
    assert [system.get(f"calls/{call.public_id}").status_code for call in (own, other, nobodys)] == [
        200,
        404,
        404,
    ]


def test_a_list_of_calls_is_narrowed():
    parcel = a_parcel()
    wanted = a_call(parcel, direction="outbound", outcome="no_outcome", status="failed")
    a_call(a_parcel())
    system = System()

    for query in (
        {"direction": "outbound"},
        {"outcome": "no_outcome"},
        {"status": "failed"},
        {"tracking_id": parcel.tracking_id},
    ):
        assert [one["public_id"] for one in system.get("calls", **query).json()["results"]] == [
            wanted.public_id
        ]
    assert system.get("calls", since="2999-01-01T00:00Z").json()["results"] == []
    assert len(system.get("calls", until="2999-01-01T00:00Z").json()["results"]) == 2
    assert system.get("calls", outcome="sold").status_code == 400


def test_a_customer_is_called_once_by_the_gate():
    parcel = a_parcel(status=Status.OUT_FOR_DELIVERY, eta_at=timezone.now() + timedelta(hours=30))
    system = System(Scope.CALLS_PLACE)

    first, again = (
        system.post(f"shipments/{parcel.tracking_id}/calls", {"purpose": "eta"}) for _ in range(2)
    )

    row = OutboundCall.objects.get()
    assert first.status_code == again.status_code == 202
    assert first.json()["answer"] in ("now", "at")
    assert first.json()["state"] == "planned"
    assert row.requested_by == "api warehouse"
    assert [entry.actor for entry in AuditEntry.objects.filter(verb="order_call")] == ["api warehouse"] * 2


def test_a_call_that_may_not_be_is_answered_with_the_sentence():
    parcel = a_parcel(status=Status.DELIVERED)

    answer = System().post(f"shipments/{parcel.tracking_id}/calls", {"purpose": "eta"})

    assert (answer.status_code, answer.json()["answer"], answer.json()["state"]) == (200, "never", None)
    assert answer.json()["sentence"]
    assert not OutboundCall.objects.exists()


def test_a_call_needs_a_purpose_that_there_is():
    parcel = a_parcel()

    assert System().post(f"shipments/{parcel.tracking_id}/calls", {"purpose": "chat"}).status_code == 400
