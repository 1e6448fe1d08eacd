"""A call's records: opened once, streamed once, ended once, whatever is delivered how often."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections

from shipments.statuses import Status
from tests.shipments.builders import AMINA, BRIAN, a_parcel
from tests.voice.builders import NOW, OURS, USAGE, a_live_call, a_webhook, an_opening, opened
from voice import access, archive, calls, reports
from voice.models import Call
from voice.records import Ending, UsageSeen
from voice.rights import StreamToken

pytestmark = pytest.mark.django_db


def an_ending(reason="caller_hangup", **fields) -> Ending:
    return Ending(
        **{
            "reason": reason,
            "outcome": None,
            "timings": {"setup_ms": 412},
            "counters": {"late_audio": 2},
            "duration_s": 60.0,
        }
        | fields
    )


# A call is opened


def test_a_first_edge_opens_a_call_with_what_its_caller_may_hear():
    a_parcel(
        tracking_id="KM004279",
        status=Status.OUT_FOR_DELIVERY,
        promised_start=NOW + timedelta(hours=1),
        promised_end=NOW + timedelta(hours=3),
    )
    a_parcel(phone=BRIAN)

    facts = an_opening().facts

    assert facts.customer_number == AMINA
    (own,) = facts.parcels
    assert own["ends_with"] == "4 2 7 9"
    assert "is out for delivery" in own["state"]
    assert "11 am to 1 pm" in own["expected"]
    assert "Amina" not in str(own)
    assert "Example Lane" not in str(own)
    assert Call.objects.get().shipment is not None


def test_only_digests_of_tokens_are_kept():
    opening = an_opening()

    token = StreamToken.objects.get()
    assert (token.digest, token.status_digest) == (
        access.digest(opening.token),
        access.digest(opening.status_token),
    )
    assert opening.token != opening.status_token


@pytest.mark.parametrize("caller", ["", "anonymous", "ACME", "sip:shop@pbx.example"])
def test_a_withheld_caller_has_no_number_and_no_parcels(caller):
    a_parcel(phone="")

    facts = an_opening(callerNumber=caller).facts

    assert (facts.customer_number, facts.parcels) == ("", ())


@pytest.mark.parametrize(
    "sides",
    [
        {"callerNumber": AMINA, "destinationNumber": OURS},
        {"callerNumber": OURS, "destinationNumber": AMINA},
        {"callerNumber": OURS, "destinationNumber": OURS, "clientDialedNumber": AMINA},
    ],
)
@pytest.mark.parametrize("direction", ["Inbound", "Outbound"])
def test_the_customer_is_the_side_that_is_not_ours(sides, direction):
    assert an_opening(direction=direction, **sides).facts.customer_number == AMINA


def test_a_call_that_we_placed_is_known_by_its_label_and_then_by_its_session():
    placed = Call.objects.create(
        client_request_id="r1", direction="outbound", customer_number=AMINA, created_at=NOW
    )

    by_label = an_opening(clientRequestId="r1", direction="Outbound").facts
    by_session = an_opening(direction="Outbound").facts

    assert by_label.call_id == by_session.call_id == placed.pk
    assert by_label.session_id == "HD_1"


def test_a_label_that_comes_again_under_another_session_is_another_call():
    first = an_opening(clientRequestId="r1")
    Call.objects.filter(pk=first.facts.call_id).update(client_request_id="r1")

    second = an_opening(sessionId="HD_2", clientRequestId="r1")

    assert second.facts.call_id != first.facts.call_id
    assert second.facts.session_id == "HD_2"


def test_deliveries_without_any_id_are_calls_of_their_own():
    first, second = an_opening(sessionId=""), an_opening(sessionId="")

    assert first.facts.call_id != second.facts.call_id


# A token is consumed


def test_every_delivery_before_the_stream_gets_a_token_and_any_of_them_opens_it():
    first, second, third = an_opening(), an_opening(), an_opening()

    facts = calls.accept_stream(second.token, now=NOW)

    assert facts == second.facts
    assert Call.objects.get().status == "answered"
    assert calls.accept_stream(first.token, now=NOW) is None
    assert calls.accept_stream(third.token, now=NOW) is None
    assert StreamToken.objects.filter(used_at=None, voided_at=None).count() == 0


def test_a_token_opens_one_stream():
    opening = an_opening()

    answers = [calls.accept_stream(opening.token, now=NOW) for _ in range(3)]

    assert answers == [opening.facts, None, None]


@pytest.mark.parametrize("token", ["", "x", "ü" * 43, "\ud800", "a" * 10_000])
def test_a_stranger_opens_nothing(token):
    an_opening()

    assert calls.accept_stream(token, now=NOW) is None
    assert Call.objects.get().status == "ringing"


def test_the_token_of_the_status_posts_opens_no_stream():
    assert calls.accept_stream(an_opening().status_token, now=NOW) is None


def test_a_token_is_good_for_its_time_and_no_longer(settings):
    opening, later = an_opening(), timedelta(seconds=settings.STREAM_TOKEN_S)

    assert calls.accept_stream(opening.token, now=NOW + later) is None
    assert calls.accept_stream(opening.token, now=NOW + later - timedelta(seconds=1)) == opening.facts


def test_after_the_stream_no_edge_gets_a_token():
    a_live_call()

    assert opened() is None
    assert opened(callSessionState="Whatever") is None


def test_a_token_minted_in_the_moment_that_another_is_consumed_opens_nothing():
    first, second = an_opening(), an_opening()
    calls.accept_stream(first.token, now=NOW)
    StreamToken.objects.filter(digest=access.digest(second.token)).update(voided_at=None)

    assert calls.accept_stream(second.token, now=NOW) is None


@pytest.mark.django_db(transaction=True)
def test_of_fifty_streams_at_once_one_is_accepted():
    openings = [an_opening() for _ in range(5)]

    def accept(number: int) -> bool:
        try:
            return calls.accept_stream(openings[number % 5].token, now=NOW) is not None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        accepted = list(pool.map(accept, range(50)))

    assert accepted.count(True) == 1


# A call runs and ends


def test_a_live_call_is_known_by_its_heartbeat_and_an_ended_one_has_none():
    facts, later = a_live_call(), NOW + timedelta(seconds=10)

    calls.heartbeats([facts.call_id], later)
    calls.end_call(facts.call_id, an_ending(), now=later)
    calls.heartbeats([facts.call_id], later + timedelta(seconds=10))

    assert Call.objects.get().heartbeat_at == later


def test_the_first_end_of_a_call_stands():
    facts = a_live_call()
    end = NOW + timedelta(seconds=60)
    archive.record_usage(facts.call_id, [UsageSeen(5_000, USAGE)])

    calls.end_call(facts.call_id, an_ending(outcome="status_given"), now=end)
    calls.end_call(facts.call_id, an_ending("model_failure"), now=end + timedelta(seconds=9))

    call = Call.objects.get()
    assert (call.status, call.ended_reason, call.outcome) == ("completed", "caller_hangup", "status_given")
    assert (call.ended_at, call.duration_s) == (end, 60)
    assert (call.timings, call.counters) == ({"setup_ms": 412}, {"late_audio": 2})
    # 30 × 0.75 + 100 × 3 + 50 × 12 millionths of a dollar; an inbound call costs no shilling
    assert (call.cost_kes_minor, call.cost_usd_micros) == (0, 923)
    assert call.rates_date is not None


def test_an_outbound_call_is_billed_by_the_second():
    facts = a_live_call(direction="Outbound", callerNumber=OURS, destinationNumber=AMINA)

    calls.end_call(facts.call_id, an_ending(duration_s=60.2), now=NOW)

    call = Call.objects.get()
    assert (call.customer_number, call.cost_kes_minor, call.cost_usd_micros) == (AMINA, 305, 0)


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("caller_hangup", "completed"),
        ("agent_hangup", "completed"),
        ("max_duration", "completed"),
        ("model_failure", "failed"),
        ("carrier_error", "failed"),
    ],
)
def test_how_a_call_ended_says_whether_it_failed(reason, status):
    facts = a_live_call()

    calls.end_call(facts.call_id, an_ending(reason), now=NOW)

    call = Call.objects.get()
    assert (call.status, call.ended_reason, call.outcome) == (status, reason, "no_outcome")


def test_a_webhook_after_the_end_only_annotates():
    facts = a_live_call()
    calls.end_call(facts.call_id, an_ending("model_failure"), now=NOW)

    reports.note_edge(a_webhook(callSessionState="Completed", durationInSeconds="61"), now=NOW)

    call = Call.objects.get()
    assert (call.status, call.ended_reason, call.carrier_duration_s) == ("failed", "model_failure", 61)
    assert opened() is None
