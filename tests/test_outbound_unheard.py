"""A call that somebody picked up and whose audio never came to us: the line failed, and not he (O16)."""

from datetime import timedelta
from itertools import permutations

import pytest

from shipments.models import TrackingEvent
from shipments.statuses import Status
from tests.dialled import (
    LATER,
    Platform,
    a_parcel_at_the_door,
    an_answered_call,
    dial,
    fresh,
    opened,
    over,
    planned,
    webhook,
)
from tests.shipments.builders import NOW, a_parcel
from voice import calls, dialing, outbound, placing, refusals, reports
from voice.models import Call, OutboundCall
from voice.records import Ending
from voice.shared import OwedHangUp
from voice.statuses import CallStatus, DialOutcome, DialState, EndedReason, Purpose
from voice.wire.placing import Accepted, Unclear

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.logs_errors]

UNHEARD = "Somebody picked up, and heard nothing of us: the platform opened no audio to us."
NO_PLACE = "Somebody picked up, and heard nothing of us: we had no place for the call's audio."


def event(status, **fields):
    """Return what has the platform tell of a call by its own id."""
    told = {"call_id": "c1", "status": status} | fields
    return lambda row: reports.note_event(f"e:{told}", f"call.{status}", {"data": told}, now=LATER)


def look_up(status, **fields):
    """Return what has the platform say this when it is asked for a call."""
    return lambda row: placing.note_look_up(row.pk, {"status": status} | fields, LATER)


def lasted(seconds):
    """Return what has the voice webhook tell that a call is over, after so long."""
    return lambda row: reports.note_edge(
        webhook(row, "Completed", isActive="0", durationInSeconds=str(seconds)), now=LATER
    )


def a_ringing_call() -> OutboundCall:
    """Have a call rung that there is a second try for."""
    row = planned(a_parcel(status=Status.IN_TRANSIT), Purpose.CONFIRM_ADDRESS)
    dial(Platform(Accepted("c1", "HD_1")))
    return row


COMPLETED = event("completed", duration_seconds=7)
LOOKED_UP = look_up("completed", duration_seconds=7, cost_minor=35, currency="KES")
PICKED_UP = event("answered", answered_at="2026-11-24T09:00:05Z")


@pytest.mark.parametrize(
    "told",
    [
        [COMPLETED],
        [LOOKED_UP],
        [lasted(7)],
        [look_up("completed")],
        [PICKED_UP, over("Completed")],
        [PICKED_UP, over("NoAnswer")],
        [PICKED_UP, look_up("failed")],
        [look_up("answered"), look_up("canceled")],
        *permutations([COMPLETED, LOOKED_UP]),
        *permutations([PICKED_UP, COMPLETED, LOOKED_UP, lasted(7)]),
    ],
)
def test_o16_who_picked_up_and_heard_nothing_counts_as_a_failure_of_the_line(told):
    row = a_ringing_call()

    for news in (*told, *told):
        news(row)

    row, again = fresh(row), OutboundCall.objects.open().get()
    assert row.call is not None
    assert (row.state, row.outcome, row.reason) == (DialState.FAILED, DialOutcome.NETWORK, UNHEARD)
    assert (row.call.status, row.call.ended_reason) == (CallStatus.FAILED, EndedReason.CARRIER_ERROR)
    assert (again.attempt, again.not_before) == (2, LATER + timedelta(hours=1))
    assert (row.may_have_rung, row.dialled_at) == (True, NOW)
    assert not TrackingEvent.objects.filter(source="voice_agent").exists()


@pytest.mark.parametrize("first", [over("NoAnswer"), over("Busy"), over("Completed"), look_up("no_answer")])
@pytest.mark.parametrize("then", [COMPLETED, PICKED_UP, lasted(7)])
def test_o16_that_nobody_answered_is_put_right_when_it_turns_out_that_somebody_did(first, then):
    row = a_ringing_call()

    for news in (first, then, first, then):
        news(row)

    row, again = fresh(row), OutboundCall.objects.open().get()
    assert row.call is not None
    assert (row.state, row.outcome, row.reason) == (DialState.FAILED, DialOutcome.NETWORK, UNHEARD)
    assert (row.call.status, row.call.ended_reason) == (CallStatus.FAILED, EndedReason.CARRIER_ERROR)
    assert again.not_before == LATER + timedelta(hours=1)


@pytest.mark.parametrize(
    "told",
    [
        [over("Completed")],
        [lasted(0)],
        [event("completed", duration_seconds=0, answered_at=None)],
        [look_up("completed", duration_seconds=0, cost_minor=0)],
        [event("no_answer", duration_seconds=0)],
    ],
)
def test_whom_nothing_shows_to_have_picked_up_did_not_answer(told):
    row = a_ringing_call()

    for news in told:
        news(row)

    assert (fresh(row).state, fresh(row).outcome) == (DialState.FAILED, DialOutcome.NO_ANSWER)
    assert TrackingEvent.objects.filter(source="voice_agent").count() == 1


def test_o16_it_raises_an_alarm_and_what_the_platform_bills_is_kept(caplog):
    row = a_ringing_call()

    LOOKED_UP(row)

    call = fresh(row).call
    assert call is not None
    assert (call.ended_at, call.carrier_cost_minor, call.carrier_duration_s) == (LATER, 35, 7)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "somebody picked up and heard nothing of us"
    ]


def test_o16_the_network_is_tried_once_more():
    row = a_ringing_call()
    COMPLETED(row)
    again = OutboundCall.objects.open().get()

    dial(Platform(Accepted("c2", "HD_2")), again.not_before)
    placing.note_look_up(again.pk, {"status": "completed", "duration_seconds": 7}, LATER)

    assert fresh(again).outcome == DialOutcome.NETWORK
    assert not OutboundCall.objects.open().exists()


def rung(count: int) -> list[OutboundCall]:
    """Have so many calls rung, one every two seconds."""
    rows = [planned(a_parcel_at_the_door(phone=f"+2547000001{number:02}")) for number in range(count)]
    for number, row in enumerate(rows):
        dial(Platform(Accepted(f"c{row.pk}", "")), NOW + timedelta(seconds=2 * number))
    return rows


@pytest.mark.parametrize(("unheard", "stops"), [(6, True), (5, False)])
def test_o16_dialling_stops_when_most_of_what_is_told_of_was_unheard_however_long_ago_it_was_dialled(
    unheard, stops
):
    for number, row in enumerate(rung(10)):
        status = "no_answer" if number >= unheard else "completed"
        placing.note_look_up(row.pk, {"status": status}, LATER)

    assert dialing.switch().paused == stops


def test_o16_what_was_dialled_before_somebody_resumed_does_not_stop_dialling_again():
    rows = rung(12)
    for row in rows[:10]:
        placing.note_look_up(row.pk, {"status": "completed"}, LATER)
    dialing.resume(by="mary", now=LATER + timedelta(seconds=1))

    for row in rows[10:]:
        placing.note_look_up(row.pk, {"status": "completed"}, LATER + timedelta(seconds=2))

    assert not dialing.switch().paused


@pytest.mark.parametrize("news", [COMPLETED, LOOKED_UP, lasted(7)])
def test_o16_a_stream_that_comes_after_that_is_not_let_in_and_changes_nothing(news):
    row, soon = a_ringing_call(), NOW + timedelta(seconds=20)
    opening = opened(webhook(row))
    assert opening is not None
    news(row)

    facts = calls.accept_stream(opening.token, now=soon)
    refusals.turn_away(opening.token, now=soon, late=True)

    assert facts is None
    assert opened(webhook(row), soon) is None
    assert (fresh(row).state, fresh(row).outcome) == (DialState.FAILED, DialOutcome.NETWORK)
    assert OutboundCall.objects.count() == 2
    assert dial(Platform(), LATER) is None


@pytest.mark.parametrize("news", [PICKED_UP, COMPLETED, LOOKED_UP, lasted(7)])
def test_o16_a_call_that_talks_is_told_by_its_stream_alone(news):
    row = planned()
    call_id = an_answered_call(row)
    OutboundCall.objects.update(carrier_call_id="c1")

    news(row)

    assert fresh(row).state == DialState.ANSWERED
    assert Call.objects.get(pk=call_id).status == CallStatus.ANSWERED


def test_o16_who_is_said_to_listen_for_ever_is_hung_up(settings):
    row, at_last = a_ringing_call(), NOW + timedelta(seconds=settings.RING_LIMIT_S)

    placing.note_look_up(row.pk, {"status": "answered"}, at_last)
    before = fresh(row)
    placing.note_look_up(row.pk, {"status": "answered"}, at_last + timedelta(seconds=1))

    assert (before.state, before.outcome) == (DialState.RINGING, DialOutcome.ANSWERED)
    assert (fresh(row).state, fresh(row).reason) == (DialState.FAILED, UNHEARD)
    assert OwedHangUp.objects.get().call_id == fresh(row).call_id


def test_o16_of_one_without_a_name_who_picked_up_is_known_too(settings):
    row = planned()
    dial(Platform())
    told = {"client_request_id": row.client_request_id, "status": "answered"}
    reports.note_event("e1", "call.answered", {"data": told}, now=NOW)

    outbound.reconcile(NOW + timedelta(seconds=settings.RING_LIMIT_S + 1))

    assert (fresh(row).state, fresh(row).reason) == (DialState.FAILED, UNHEARD)


def test_o16_who_was_to_hear_an_apology_heard_us():
    row = a_ringing_call()
    opening = opened(webhook(row))
    assert opening is not None
    refusals.refuse(opening.facts, now=NOW)

    lasted(7)(row)

    assert (fresh(row).outcome, fresh(row).reason) == (DialOutcome.NETWORK, "Network failure.")


def test_o16_whose_stream_found_no_place_heard_nothing_and_is_rung_again():
    row, soon = a_ringing_call(), NOW + timedelta(seconds=20)
    opening = opened(webhook(row))
    assert opening is not None

    refusals.turn_away(opening.token, now=soon)

    assert (fresh(row).state, fresh(row).outcome) == (DialState.DONE, DialOutcome.NETWORK)
    assert fresh(row).reason == NO_PLACE
    assert OutboundCall.objects.open().get().not_before == soon + timedelta(hours=1)
    assert not TrackingEvent.objects.filter(source="voice_agent").exists()


def test_a_call_that_is_said_to_ring_for_ever_is_for_a_person_to_decide(settings):
    row, late = a_ringing_call(), NOW + timedelta(seconds=settings.RING_LIMIT_S + 1)

    for minutes in range(3):
        placing.note_look_up(row.pk, {"status": "ringing"}, late + timedelta(minutes=minutes))
        assert fresh(row).state == DialState.UNKNOWN


@pytest.mark.parametrize("status", ["ringing", "answered"])
@pytest.mark.parametrize("news", [look_up, event])
def test_news_of_a_ring_that_a_person_denied_meanwhile_is_believed_and_counted(status, news):
    row = planned()
    dial(Platform(Unclear("lost")))
    outbound.decide(row.pk, rang=False, by="mary", now=LATER)
    OutboundCall.objects.update(carrier_call_id="c1")

    news(status)(row)

    assert (fresh(row).state, fresh(row).may_have_rung) == (DialState.RINGING, True)
    assert fresh(row).dialled_at == LATER
    assert dial(Platform(), LATER) is None


def test_o16_a_try_that_was_made_meanwhile_is_not_followed_by_another():
    row = a_ringing_call()
    over("NoAnswer")(row)
    again = OutboundCall.objects.open().get()
    dial(Platform(Accepted("c2", "HD_2")), again.not_before)
    opening = opened(webhook(again, sessionId="HD_2"), again.not_before)
    assert opening is not None
    facts = calls.accept_stream(opening.token, now=again.not_before)
    assert facts is not None
    calls.end_call(facts.call_id, Ending("caller_hangup", None, {}, {}, 30.0), now=again.not_before)

    COMPLETED(row)

    assert fresh(row).reason == UNHEARD
    assert not OutboundCall.objects.open().exists()
