"""Calls that we place, whatever the platform does: O1 to O8, and never two rings (P12)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections

from shipments.statuses import Status
from tests.dialled import (
    LATER,
    Platform,
    a_parcel_at_the_door,
    an_answered_call,
    dial,
    fresh,
    opened,
    planned,
    webhook,
)
from tests.shipments.builders import BRIAN, NOW, a_parcel
from voice import dialing, outbound, placing, reports
from voice.books import Books
from voice.dial_rules import At, Never, Now
from voice.models import Call, OutboundCall
from voice.statuses import CallStatus, DialState, Purpose
from voice.wire.placing import Accepted, Refused, Slow, Unclear, Unsent

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
LOST = Never("Nobody knows whether the last call of this kind rang: somebody has to say so first.")


def test_a_planned_call_is_placed_once():
    row, platform = planned(), Platform(Accepted("c1", "HD_1"))

    assert isinstance(dial(platform), Now)
    assert dial(platform, LATER) is None

    placed = fresh(row)
    assert platform.orders == [row.client_request_id]
    assert (placed.state, placed.carrier_call_id, placed.may_have_rung) == (DialState.RINGING, "c1", True)
    assert placed.call is not None
    assert (placed.call.session_id, placed.call.purpose, placed.call.shipment_id) == (
        "HD_1",
        "eta",
        row.shipment_id,
    )


def test_o1_a_lost_answer_is_unknown_and_never_dialled_again():
    row, platform = planned(), Platform(Unclear("The platform's answer was lost: ReadTimeout."))

    dial(platform)
    for minutes in range(1, 15):
        outbound.reconcile(NOW + timedelta(minutes=minutes))
        dial(platform, NOW + timedelta(minutes=minutes))
    again = dialing.plan(row.shipment, Purpose.ETA, by="somebody", now=LATER)

    assert len(platform.orders) == 1
    assert fresh(row).state == DialState.UNKNOWN
    assert again.outbound == row
    assert again.answer == LOST


def test_o1_a_lost_answer_is_found_by_the_webhook():
    row = planned()
    dial(Platform(Unclear("lost")))

    opening = opened(webhook(row))

    assert opening is not None
    assert fresh(row).state == DialState.RINGING


@pytest.mark.parametrize(("rang", "state", "orders"), [(True, "failed", 1), (False, "ringing", 2)])
def test_o1_a_person_decides_what_nobody_knows(rang, state, orders):
    row, platform = planned(), Platform(Unclear("lost"), Accepted("", ""))
    dial(platform)

    assert outbound.decide(row.pk, rang=rang, by="mary", now=LATER)
    assert not outbound.decide(row.pk, rang=rang, by="mary", now=LATER)
    dial(platform, LATER)

    assert len(platform.orders) == orders
    assert fresh(row).state == state


@pytest.mark.parametrize(("edge", "state"), [("Ringing", DialState.RINGING), ("Busy", DialState.FAILED)])
@pytest.mark.parametrize("claimed", [False, True])
def test_o1_news_that_a_call_rang_is_believed_against_a_person_who_said_that_it_did_not(edge, state, claimed):
    row, platform = planned(), Platform(Unclear("lost"))
    dial(platform)
    outbound.decide(row.pk, rang=False, by="mary", now=LATER)
    holds = outbound.claim("d2", LATER) if claimed else None

    if edge == "Ringing":
        opened(webhook(row), LATER)
    else:
        reports.note_edge(webhook(row, edge), now=LATER)

    assert holds is None or isinstance(placing.begin(holds, LATER), Never)
    assert dial(platform, LATER + timedelta(minutes=1)) is None
    assert (fresh(row).state, fresh(row).may_have_rung) == (state, True)
    assert fresh(row).dialled_at == LATER
    assert len(platform.orders) == 1


def test_o2_what_never_left_us_is_sent_three_times_and_then_in_an_hour():
    row, platform = planned(), Platform(Unsent("The platform was not reached: ConnectError."))

    waits = []
    at = NOW
    for _ in range(3):
        dial(platform, at)
        waits.append(fresh(row).not_before - at)
        at = fresh(row).not_before
    assert waits[:2] == [timedelta(seconds=4), timedelta(seconds=8)]
    assert (fresh(row).state, fresh(row).outcome, fresh(row).may_have_rung) == ("failed", "network", False)
    assert len(platform.orders) == 3


def test_o2_a_network_that_fails_is_tried_again_in_an_hour_and_once():
    parcel = a_parcel(status=Status.IN_TRANSIT)
    row, platform = planned(parcel, Purpose.CONFIRM_ADDRESS), Platform(Unsent("not reached"))

    for minutes in range(200):
        dial(platform, NOW + timedelta(minutes=minutes))

    rows = OutboundCall.objects.filter(shipment=parcel).order_by("attempt")
    assert [one.attempt for one in rows] == [1, 2]
    assert rows[1].not_before >= fresh(row).created_at + timedelta(hours=1)
    assert len(platform.orders) == 6


def test_o3_who_is_asked_to_wait_waits_and_loses_no_call():
    first, platform = planned(), Platform(Slow(600), Accepted("", ""))
    second = planned(a_parcel_at_the_door(phone=BRIAN))

    dial(platform)
    assert isinstance(dial(platform, NOW + timedelta(seconds=10)), placing.Turn)
    assert len(platform.orders) == 1
    dial(platform, NOW + timedelta(seconds=600))
    dial(platform, NOW + timedelta(seconds=602))

    assert {fresh(first).state, fresh(second).state} == {DialState.RINGING}
    assert len(platform.orders) == 3


def test_o3_a_shorter_wait_does_not_end_a_longer_one():
    planned()
    planned(a_parcel_at_the_door(phone=BRIAN))
    first = outbound.claim("d1", NOW)
    assert first is not None
    placing.begin(first, NOW)
    second = outbound.claim("d2", NOW + timedelta(seconds=1))
    assert second is not None
    placing.begin(second, NOW + timedelta(seconds=1))

    for row, wait_s in ((first, 600), (second, 1)):
        placing.settle(row, Slow(wait_s), NOW + timedelta(seconds=2), lambda: 1.0)

    assert dialing.switch().next_dial_at == NOW + timedelta(seconds=602)


@pytest.mark.logs_errors
@pytest.mark.parametrize(("status", "stops"), [(400, False), (401, True), (402, True), (403, False)])
def test_o5_a_refusal_is_not_repeated_and_an_empty_wallet_stops_the_queue(status, stops):
    row, platform = planned(), Platform(Refused(status, "some.code"))

    dial(platform)
    dial(platform, LATER)

    refused = fresh(row)
    assert (refused.state, refused.outcome, refused.may_have_rung) == ("failed", "refused", False)
    assert refused.reason == f"The platform refused with {status} (some.code)."
    assert dialing.switch().paused == stops
    assert len(platform.orders) == 1
    assert refused.call is not None
    assert refused.call.status == CallStatus.FAILED
    assert refused.call.ended_reason == ("low_balance" if status == 402 else "carrier_error")


def test_a_stopped_queue_dials_nothing_until_somebody_resumes_it():
    row, platform = planned(), Platform()

    assert dialing.pause(by="mary", reason="Storm.", now=NOW)
    assert not dialing.pause(by="john", reason="Flood.", now=NOW)
    said = dial(platform)
    assert isinstance(said, At)
    assert fresh(row).reason == "Dialling is paused: Storm."
    assert dialing.resume(by="mary", now=NOW)
    dial(platform, NOW + timedelta(minutes=1))

    assert len(platform.orders) == 1


@pytest.mark.logs_errors
def test_dialling_stops_when_most_calls_fail():
    for number in range(12):
        planned(a_parcel_at_the_door(phone=f"+2547000001{number:02}"))
    platform = Platform(*[Accepted("", "")] * 4, Unclear("The platform answered 500."))

    for second in range(0, 24, 2):
        dial(platform, NOW + timedelta(seconds=second))

    assert len(platform.orders) == 10
    assert dialing.switch().paused
    assert dialing.switch().reason == "6 of 10 calls failed within two minutes."


def test_o7_two_dispatchers_plan_one_call():
    parcel = a_parcel_at_the_door()

    first = dialing.plan(parcel, Purpose.ETA, by="mary", now=NOW)
    second = dialing.plan(parcel, Purpose.ETA, by="john", now=NOW)

    assert first.outbound == second.outbound
    assert OutboundCall.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_o7_of_many_diallers_one_takes_a_call():
    row, platform = planned(), Platform()

    def work(number: int) -> object:
        try:
            return dial(platform, NOW, f"d{number}")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(work, range(8)))

    assert platform.orders == [row.client_request_id]
    assert len([one for one in said if isinstance(one, Now)]) == 1


@pytest.mark.django_db(transaction=True)
def test_o7_of_many_plans_at_once_one_is_kept():
    parcel = a_parcel_at_the_door()

    def work(_: int) -> object:
        try:
            return dialing.plan(parcel, Purpose.ETA, by="test", now=NOW).outbound
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        rows = set(pool.map(work, range(8)))

    assert rows == {OutboundCall.objects.get()}


def test_o8_what_a_killed_dialler_claimed_is_dialled_by_another():
    row, platform = planned(), Platform()
    outbound.claim("killed", NOW)

    assert dial(platform, NOW + timedelta(seconds=30)) is None
    outbound.reconcile(LATER)
    dial(platform, LATER)

    assert fresh(row).state == DialState.RINGING
    assert len(platform.orders) == 1


def test_o8_what_a_killed_dialler_dialled_is_unknown():
    row, platform = planned(), Platform()
    claimed = outbound.claim("killed", NOW)
    assert claimed is not None
    placing.begin(claimed, NOW)

    outbound.reconcile(NOW + timedelta(seconds=30))
    assert fresh(row).state == DialState.DIALLING
    outbound.reconcile(LATER)
    dial(platform, LATER)

    assert fresh(row).state == DialState.UNKNOWN
    assert platform.orders == []


def test_o8_a_dialler_that_slept_over_its_claim_leaves_the_call_to_the_other():
    row = planned()
    slept = outbound.claim("slow", NOW)
    outbound.reconcile(LATER)
    other = outbound.claim("quick", LATER)
    assert slept is not None
    assert other is not None

    late = placing.begin(slept, LATER)
    placing.begin(other, LATER)
    evening = NOW + timedelta(hours=10)
    assert isinstance(late, Never)
    assert isinstance(placing.begin(slept, evening), Never)

    assert fresh(row).state == DialState.DIALLING


def test_o8_a_claim_that_is_lost_while_the_gate_is_asked_leaves_nothing_on_the_line(monkeypatch):
    row, platform, answer = planned(), Platform(), Books.answer
    slow = outbound.claim("slow", NOW)
    assert slow is not None

    def answer_late(self, *args):
        outbound.reconcile(LATER)
        return answer(self, *args)

    monkeypatch.setattr(Books, "answer", answer_late)
    said = placing.begin(slow, NOW)
    monkeypatch.undo()
    assert isinstance(said, Never)
    assert not Call.objects.exists()

    dial(platform, LATER)
    assert fresh(row).state == DialState.RINGING


@pytest.mark.parametrize(
    ("document", "state"),
    [
        ({"status": "no_answer"}, DialState.FAILED),
        ({"status": "completed", "duration_seconds": 0}, DialState.FAILED),
        ({"status": "ringing"}, DialState.RINGING),
        (None, DialState.UNKNOWN),
        ({"status": 7}, DialState.UNKNOWN),
    ],
)
def test_a_lost_call_is_what_the_platform_says_when_asked(document, state):
    row = planned()
    dial(Platform(Accepted("c1", "HD_1")))
    OutboundCall.objects.update(state=DialState.UNKNOWN)

    [(pk, name)] = placing.to_look_up(LATER)
    placing.note_look_up(pk, document, LATER)

    assert name == "c1"
    assert fresh(row).state == state


def test_a_call_that_the_platform_took_and_tells_nothing_of_is_for_a_person_to_decide(settings):
    row = planned()
    dial(Platform())
    at_last = NOW + timedelta(seconds=settings.RING_LIMIT_S)

    outbound.reconcile(at_last)
    before = fresh(row).state
    outbound.reconcile(at_last + timedelta(seconds=1))

    assert (before, fresh(row).state) == (DialState.RINGING, DialState.UNKNOWN)
    assert fresh(row).reason == "The platform took it and has told nothing since."
    assert outbound.decide(row.pk, rang=True, by="mary", now=LATER)


def test_a_call_that_the_platform_named_and_knows_no_more_is_for_a_person_to_decide(settings):
    row = planned()
    dial(Platform(Accepted("c1", "HD_1")))
    late = NOW + timedelta(seconds=settings.RING_LIMIT_S + 1)

    outbound.reconcile(late)
    placing.note_look_up(row.pk, None, LATER)
    before = fresh(row).state
    placing.note_look_up(row.pk, None, late)

    assert (before, fresh(row).state) == (DialState.RINGING, DialState.UNKNOWN)


def test_of_a_ring_that_there_was_not_no_name_is_kept(settings):
    row, late = planned(), NOW + timedelta(seconds=settings.RING_LIMIT_S + 1)
    dial(Platform(Accepted("c1", "HD_1")))
    outbound.reconcile(late)
    placing.note_look_up(row.pk, None, late)

    assert outbound.decide(row.pk, rang=False, by="mary", now=late)
    dial(Platform(Accepted("c2", "HD_2")), late)

    call = fresh(row).call
    assert call is not None
    assert (fresh(row).carrier_call_id, fresh(row).looked_up_at, call.session_id) == ("c2", None, "HD_2")


def test_a_call_that_talks_is_not_ended_by_what_the_platform_says_when_asked():
    row = planned()
    an_answered_call(row)

    placing.note_look_up(row.pk, {"status": "completed"}, LATER)

    call = fresh(row).call
    assert call is not None
    assert (fresh(row).state, call.status) == (DialState.ANSWERED, CallStatus.ANSWERED)
