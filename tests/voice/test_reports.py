"""What the carrier reports of a call: kept once, in any order, and it ends nothing that talks."""

from datetime import timedelta

import pytest

from tests.voice.builders import NOW, a_live_call, a_webhook, an_opening, opened
from voice import calls, reports
from voice.models import Call, CallEvent

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "edge", ["Completed", "Failed", "Busy", "NoAnswer", "StreamStopped", "DialCompleted", "Hangup"]
)
def test_no_edge_ends_a_live_call(edge):
    facts = a_live_call()

    for _ in range(2):
        reports.note_edge(a_webhook(callSessionState=edge, isActive="0", durationInSeconds="9"), now=NOW)

    call = Call.objects.get()
    assert (call.status, call.ended_at, call.carrier_duration_s) == ("answered", None, 9)
    assert CallEvent.objects.filter(call=facts.call_id).count() == 1


@pytest.mark.parametrize(
    ("edge", "status", "reason"),
    [
        ("Completed", "canceled", "caller_hangup"),
        ("Failed", "failed", "carrier_error"),
        ("Busy", "busy", "unanswered"),
        ("NoAnswer", "no_answer", "unanswered"),
    ],
)
def test_a_call_that_had_no_stream_is_ended_by_its_edge_and_never_begins_again(edge, status, reason):
    opening = an_opening()

    reports.note_edge(a_webhook(callSessionState=edge), now=NOW)
    reports.note_edge(a_webhook(callSessionState="Completed"), now=NOW + timedelta(seconds=5))

    call = Call.objects.get()
    assert (call.status, call.ended_reason, call.outcome, call.ended_at) == (
        status,
        reason,
        "no_outcome",
        NOW,
    )
    assert calls.accept_stream(opening.token, now=NOW) is None
    assert opened() is None


def test_edges_of_calls_that_are_not_ours_are_kept_and_change_nothing():
    reports.note_edge(a_webhook(callSessionState="Completed"), now=NOW)

    assert CallEvent.objects.get().call is None
    assert not Call.objects.exists()


def test_edges_that_name_no_call_are_all_kept():
    for _ in range(2):
        reports.note_edge(a_webhook(sessionId="", callSessionState="Completed"), now=NOW)

    assert CallEvent.objects.count() == 2


@pytest.mark.parametrize("first", ["stream-stopped", "stream-error"])
@pytest.mark.parametrize("late", ["stream-started", "stream-stopped", "stream-error", "else"])
def test_the_state_of_a_stream_only_moves_forward(first, late):
    opening = an_opening()
    reports.note_stream_status(opening.status_token, first, {"streamSid": "s1"}, now=NOW)

    reports.note_stream_status(opening.status_token, late, {"streamSid": "s2"}, now=NOW)

    call = Call.objects.get()
    assert (call.stream_state, call.stream_sid) == (first.removeprefix("stream-"), "s1")
    assert (call.status, call.ended_at) == ("ringing", None)


def test_a_stream_that_started_and_stopped_is_told_once_each():
    opening = an_opening()

    for event in ("stream-started", "stream-started", "stream-stopped", "stream-stopped"):
        assert reports.note_stream_status(opening.status_token, event, {"event": event}, now=NOW)

    assert Call.objects.get().stream_state == "stopped"
    assert [event.kind for event in CallEvent.objects.all()] == ["stream-started", "stream-stopped"]


def test_a_status_with_a_strangers_token_is_nobodys():
    opening = an_opening()

    for token in (opening.token, "unknown"):
        assert not reports.note_stream_status(token, "stream-error", {}, now=NOW)

    assert not CallEvent.objects.exists()


@pytest.mark.parametrize(
    "named",
    [
        {"session_id": "HD_1"},
        {"sessionId": "HD_1"},
        {"data": {"call_id": "HD_1"}},
        {"call_id": "8d5c", "client_request_id": "r1"},
    ],
)
def test_an_event_is_kept_once_with_the_call_that_it_names_and_ends_nothing(named):
    facts = a_live_call()
    Call.objects.filter(pk=facts.call_id).update(client_request_id="r1")

    new = [reports.note_event("e1", "call.completed", named, now=NOW) for _ in range(2)]

    assert new == [True, False]
    assert CallEvent.objects.get().call_id == facts.call_id
    assert Call.objects.get().status == "answered"


def test_a_later_event_says_how_long_the_carrier_counted():
    a_live_call()

    reports.note_event("e1", "call.completed", {"session_id": "HD_1", "duration_seconds": 73}, now=NOW)

    assert Call.objects.get().carrier_duration_s == 73


@pytest.mark.parametrize("payload", [{}, {"data": []}, {"session_id": "HD_unknown"}, {"call_id": 7}])
def test_an_event_of_no_call_is_kept(payload):
    a_live_call()

    assert reports.note_event("e1", "wallet.low", payload, now=NOW)
    assert CallEvent.objects.get().call is None
