"""What nobody ends is closed afterwards."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from voice import calls, reconcile
from voice.clients.sautikit import SautikitClient
from voice.models import Call
from voice.records import Ending

NOW = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
pytestmark = [pytest.mark.django_db, pytest.mark.logs_errors]


def a_call(quiet_s: float, **fields) -> Call:
    """Return a call that was last heard of so many seconds ago."""
    begun = NOW - timedelta(minutes=5)
    heard = NOW - timedelta(seconds=quiet_s)
    row = {"status": "answered", "answered_at": begun, "created_at": begun, "heartbeat_at": heard}
    return Call.objects.create(**row | fields)


def test_a_call_without_a_heartbeat_is_closed_as_failed_and_one_with_it_is_left():
    lost, alive = a_call(41), a_call(39)

    assert reconcile.close_lost(NOW) == 1
    assert reconcile.close_lost(NOW) == 0

    lost.refresh_from_db()
    alive.refresh_from_db()
    assert (lost.status, lost.ended_reason, lost.ended_at) == ("failed", "reconciled", NOW)
    assert (alive.status, alive.ended_at) == ("answered", None)


def test_the_true_end_of_a_call_takes_the_place_of_a_made_up_one():
    call = a_call(41)
    reconcile.close_lost(NOW)

    calls.end_call(call.pk, Ending("caller_hangup", "status_given", {}, {}, 9.0), now=NOW)
    calls.end_call(call.pk, Ending("agent_hangup", None, {}, {}, 9.0), now=NOW)

    call.refresh_from_db()
    assert (call.status, call.ended_reason, call.outcome) == ("completed", "caller_hangup", "status_given")


def test_a_call_that_was_taken_for_dead_lives_again_with_its_heartbeat():
    call = a_call(41)
    reconcile.close_lost(NOW)

    calls.heartbeats([call.pk], NOW)

    call.refresh_from_db()
    assert (call.status, call.ended_reason, call.ended_at) == ("answered", "", None)


def test_the_heartbeats_of_all_calls_are_one_query(django_assert_num_queries):
    ids = [a_call(20).pk for _ in range(3)]

    with django_assert_num_queries(1):
        calls.heartbeats(ids, NOW)


@pytest.fixture
def carrier(monkeypatch):
    """Answer for the carrier: what a test puts there by session."""
    known: dict[str, dict[str, object]] = {}
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        session = request.url.path.rsplit("/", 1)[-1]
        asked.append(session)
        return httpx.Response(200, json=known[session]) if session in known else httpx.Response(404, json={})

    monkeypatch.setattr(
        reconcile,
        "reach",
        lambda: SautikitClient("https://carrier.example.com", "key", transport=httpx.MockTransport(answer)),
    )
    return known, asked


def test_the_carrier_is_asked_for_calls_whose_end_never_came(carrier):
    known, asked = carrier
    known["HD_over"] = {"session_id": "HD_over", "status": "completed", "duration_seconds": 7}
    known["HD_rings"] = {"session_id": "HD_rings", "status": "ringing"}
    unanswered = {"status": "ringing", "answered_at": None, "heartbeat_at": None}
    over = a_call(0, session_id="HD_over", **unanswered)
    rings = a_call(0, session_id="HD_rings", **unanswered)
    unknown = a_call(0, session_id="HD_unknown", **unanswered)
    a_call(0, session_id="HD_talks")

    assert reconcile.ask_carrier(NOW) == 1

    for call in (over, rings, unknown):
        call.refresh_from_db()
    assert sorted(asked) == ["HD_over", "HD_rings", "HD_unknown"]
    assert (over.status, over.ended_reason) == ("canceled", "reconciled")
    assert rings.status == unknown.status == "ringing"


def test_no_telephone_rings_for_ten_minutes():
    old = a_call(0, status="ringing", answered_at=None, created_at=NOW - timedelta(minutes=11))

    assert reconcile.close_unanswered(NOW) == 1

    old.refresh_from_db()
    assert (old.status, old.ended_reason) == ("failed", "reconciled")
