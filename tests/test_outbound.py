"""Calls that we place, whatever the platform and the world do: O1 to O15, and never two rings (P12)."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count

import pytest
from django.contrib.auth.models import User
from django.db import connections

from shipments.courtesy import ContactPreference, Holiday
from shipments.models import TrackingEvent
from shipments.statuses import Status
from tests.dialled import Platform, a_parcel_at_the_door, dial, fresh, opened, planned, webhook
from tests.shipments.builders import AMINA, BRIAN, NOW, a_parcel
from voice import calls, dialing, outbound, placing, reports, tools, trust, worklist
from voice.books import Books
from voice.dial_rules import At, Never, Now
from voice.levels import Level
from voice.models import Call, OutboundCall
from voice.records import Ending
from voice.statuses import CallStatus, DialOutcome, DialState, Purpose
from voice.toolkit import Caller
from voice.wire.placing import Accepted, Order, Placement, Refused, Slow, Unclear, Unsent

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
LATER = NOW + timedelta(minutes=5)
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


def test_o9_a_webhook_may_come_before_the_platforms_answer():
    row = planned()
    claimed = outbound.claim("d1", NOW)
    assert claimed is not None
    placing.begin(claimed, NOW)

    opening = opened(webhook(row))
    assert opening is not None
    calls.accept_stream(opening.token, now=NOW)
    placing.settle(claimed, Accepted("c1", "HD_1"), NOW, lambda: 1.0)

    assert fresh(row).state == DialState.ANSWERED
    assert Call.objects.count() == 1
    assert (opening.facts.purpose, opening.facts.direction) == ("eta", "outbound")


def test_o9_an_answer_that_is_lost_after_the_webhook_loses_nothing():
    row = planned()
    claimed = outbound.claim("d1", NOW)
    assert claimed is not None
    placing.begin(claimed, NOW)

    opened(webhook(row))
    placing.settle(claimed, Unclear("lost"), NOW, lambda: 1.0)

    assert fresh(row).state == DialState.RINGING


def test_a_webhook_is_matched_by_the_session_that_the_platform_named():
    row = planned()
    dial(Platform(Accepted("c1", "HD_7")))

    opening = opened(webhook(sessionId="HD_7"))

    assert opening is not None
    assert opening.facts.call_id == fresh(row).call_id


def test_a_webhook_without_any_id_of_ours_is_matched_by_number_and_never_trusted():
    row = planned()
    dial(Platform())

    opening = opened(webhook(), NOW + timedelta(seconds=119))

    assert opening is not None
    assert opening.facts.call_id == fresh(row).call_id
    assert (opening.facts.proved, opening.facts.parcels) == (False, ())
    assert Call.objects.get().level == 0


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"direction": "Inbound", "callerNumber": AMINA, "destinationNumber": "+254700000900"}, 1),
        ({}, 121),
        ({"destinationNumber": BRIAN}, 1),
        ({"clientRequestId": "somebody-elses"}, 1),
    ],
)
def test_a_match_by_number_takes_no_other_call(fields, seconds):
    row = planned()
    dial(Platform())

    opening = opened(webhook(**fields), NOW + timedelta(seconds=seconds))

    assert opening is not None
    assert opening.facts.call_id != fresh(row).call_id
    assert fresh(row).state == DialState.RINGING


def test_a_placed_call_opens_with_no_parcel_since_anybody_may_have_picked_up():
    row = planned()
    dial(Platform())

    opening = opened(webhook(row))

    assert opening is not None
    assert opening.facts.parcels == ()


def test_o10_a_call_planned_by_day_is_not_dialled_by_night():
    parcel = a_parcel(status=Status.IN_TRANSIT)
    row, platform = planned(parcel, Purpose.CONFIRM_ADDRESS), Platform()
    evening = NOW + timedelta(hours=10)  # eight in the evening in Nairobi

    said = dial(platform, evening)

    assert said == At(NOW + timedelta(hours=22), "It is quiet hours there until Wed 25 Nov 08:00.")
    assert fresh(row).not_before == NOW + timedelta(hours=22)
    assert platform.orders == []


def test_o10_quiet_hours_that_a_recipient_names_after_the_plan_are_kept():
    row, platform = planned(a_parcel(status=Status.IN_TRANSIT), Purpose.CONFIRM_ADDRESS), Platform()
    ContactPreference.objects.create(number=AMINA, quiet_hours="09:00-15:30")

    said = dial(platform)

    until = NOW.replace(hour=12, minute=30)
    assert said == At(until, "The recipient wants no calls until Tue 24 Nov 15:30.")
    assert (fresh(row).state, fresh(row).not_before) == (DialState.PLANNED, until)
    assert platform.orders == []


@pytest.mark.parametrize(("wished", "spoken"), [("sw-KE", "sw-KE"), ("", "en")])
def test_a_call_is_in_the_language_that_the_recipient_wants(wished, spoken):
    ContactPreference.objects.create(number=AMINA, language=wished)
    row = planned()

    dial(Platform())

    call = fresh(row).call
    assert call is not None
    assert call.language == spoken


class _Elsewhen:
    """A platform that takes every call, by another clock."""

    def __init__(self, skew_s: float) -> None:
        self.skew_s = 0.0
        self.placed = 0
        self._after_s = skew_s

    async def place(self, order: Order, *, path: str = "") -> Placement:
        self.placed += 1
        self.skew_s = self._after_s
        return Accepted("", "")

    async def fetch(self, call: str) -> object:
        return None


@pytest.mark.django_db(transaction=True)
@pytest.mark.logs_errors
@pytest.mark.parametrize(("skew_s", "placed"), [(600.0, 1), (-600.0, 1), (100.0, 2), (0.0, 2)])
def test_o10_a_clock_that_is_ten_minutes_off_stops_all_dialling(skew_s, placed):
    for number in (AMINA, BRIAN):
        planned(a_parcel_at_the_door(phone=number))
    platform, seconds = _Elsewhen(skew_s), count()
    dialler = placing.Dialler(platform, by="d", now=lambda: NOW + timedelta(seconds=next(seconds)))

    asyncio.run(dialler.place_due(LATER))

    assert platform.placed == placed
    stopped = dialing.switch()
    assert stopped.reason == ("Our clock and the platform's are 600 seconds apart." if placed == 1 else "")


def test_o11_who_opts_out_after_the_plan_is_not_dialled():
    row, platform = planned(), Platform()
    ContactPreference.objects.create(number=AMINA, opted_out_at=NOW)

    dial(platform)
    again = dialing.plan(row.shipment, Purpose.ETA, by="test", now=LATER)

    assert (fresh(row).state, fresh(row).reason) == (
        DialState.SUPPRESSED,
        "The recipient does not want to be called.",
    )
    assert isinstance(again.answer, Never)
    assert again.outbound is None
    assert platform.orders == []


def test_o11_who_opts_out_is_off_the_plan_at_once():
    row, other = planned(), planned(a_parcel_at_the_door(phone=BRIAN))
    wished = planned(row.shipment, Purpose.CALLBACK, asked_at=NOW)

    assert dialing.forget(AMINA, reason="No calls, please.", now=NOW) == 2

    assert (fresh(row).state, fresh(other).state) == (DialState.SUPPRESSED, DialState.PLANNED)
    assert fresh(wished).state == DialState.SUPPRESSED


def test_o11_who_opts_out_after_asking_for_a_call_is_not_dialled():
    parcel, later = a_parcel(status=Status.IN_TRANSIT), NOW + timedelta(hours=1)
    row = planned(parcel, Purpose.CALLBACK, asked_at=NOW, not_before=later)
    ContactPreference.objects.create(number=AMINA, opted_out_at=NOW + timedelta(minutes=30))

    said = dial(Platform(), later)

    assert said == Never("The recipient does not want to be called.")
    assert fresh(row).state == DialState.SUPPRESSED


def test_o11_who_opted_out_and_then_asks_for_a_call_is_rung_once():
    ContactPreference.objects.create(number=AMINA, opted_out_at=NOW - timedelta(hours=1))
    parcel = a_parcel(status=Status.IN_TRANSIT)
    row = planned(parcel, Purpose.CALLBACK, asked_at=NOW)

    assert isinstance(dial(Platform()), Now)
    over("Busy")(row)

    assert OutboundCall.objects.open().count() == 0


def test_o10_a_holiday_of_the_recipients_country_is_quiet():
    Holiday.objects.create(country="KE", date=NOW.date(), name="A day")
    Holiday.objects.create(country="NG", date=NOW.date() + timedelta(days=1), name="Another")

    said = dialing.look(a_parcel(status=Status.IN_TRANSIT), Purpose.CONFIRM_ADDRESS, now=NOW)

    assert said == At(NOW + timedelta(hours=22), "It is quiet hours there until Wed 25 Nov 08:00.")


def test_o12_a_parcel_delivered_meanwhile_is_not_called_about():
    row, platform = planned(), Platform()
    type(row.shipment).objects.filter(pk=row.shipment_id).update(status=Status.DELIVERED)

    dial(platform)

    assert (fresh(row).state, fresh(row).reason) == (DialState.CANCELLED, "The parcel is delivered.")
    assert platform.orders == []


def test_o14_a_number_that_changed_meanwhile_is_not_called():
    row, platform = planned(), Platform()
    type(row.shipment).objects.filter(pk=row.shipment_id).update(phone=BRIAN)

    dial(platform)

    assert fresh(row).state == DialState.SUPPRESSED
    assert platform.orders == []


def test_o14_what_the_gate_forbids_is_not_planned():
    said = dialing.plan(a_parcel_at_the_door(phone="+12125550123"), Purpose.ETA, by="test", now=NOW)

    assert isinstance(said.answer, Never)
    assert said.outbound is None
    assert OutboundCall.objects.count() == 0


def over(edge):
    return lambda row: reports.note_edge(webhook(row, edge), now=LATER)


def told(status):
    return lambda row: reports.note_event(
        f"e:{status}",
        "call.failed",
        {"data": {"client_request_id": row.client_request_id, "status": status}},
        now=LATER,
    )


def documented(status):
    """Tell of a call as the platform's pages show it: by the platform's own id, and by no other."""
    return lambda row: reports.note_event(
        f"e:{status}",
        "call.failed",
        {"data": {"call_id": "c1", "direction": "outbound", "to": row.number, "status": status}},
        now=LATER,
    )


@pytest.mark.parametrize(
    ("news", "outcome", "after"),
    [
        (over("Busy"), DialOutcome.BUSY, timedelta(minutes=20)),
        (over("NoAnswer"), DialOutcome.NO_ANSWER, timedelta(hours=2)),
        (over("Failed"), DialOutcome.NETWORK, timedelta(hours=1)),
        (told("busy"), DialOutcome.BUSY, timedelta(minutes=20)),
        (told("no_answer"), DialOutcome.NO_ANSWER, timedelta(hours=2)),
        (documented("busy"), DialOutcome.BUSY, timedelta(minutes=20)),
        (documented("no_answer"), DialOutcome.NO_ANSWER, timedelta(hours=2)),
    ],
)
def test_what_reached_nobody_is_tried_again_by_the_table(news, outcome, after):
    parcel = a_parcel(status=Status.IN_TRANSIT)
    row = planned(parcel, Purpose.CONFIRM_ADDRESS)
    dial(Platform(Accepted("c1", "")))

    news(row)
    news(row)

    again = OutboundCall.objects.get(shipment=parcel, attempt=2)
    assert (fresh(row).state, fresh(row).outcome) == (DialState.FAILED, outcome)
    assert again.not_before == LATER + after
    assert again.client_request_id != row.client_request_id


def test_the_parcels_history_says_whether_its_recipient_was_reached():
    missed, reached = planned(), planned(a_parcel_at_the_door(phone=BRIAN))
    dial(Platform())
    dial(Platform(), NOW + timedelta(seconds=2))

    over("NoAnswer")(missed)
    opening = opened(webhook(reached, number=BRIAN, sessionId="HD_2"))
    assert opening is not None
    facts = calls.accept_stream(opening.token, now=NOW)
    assert facts is not None
    trust.note_level(trust.caller_of(facts.call_id), Level.L1_PLUS)
    for _ in range(2):
        calls.end_call(facts.call_id, Ending("caller_hangup", None, {}, {}, 30.0), now=LATER)

    written = TrackingEvent.objects.filter(source="voice_agent").order_by("pk")
    assert [(one.shipment_id, one.substatus, one.reason) for one in written] == [
        (missed.shipment_id, "", "consignee_not_available"),
        (reached.shipment_id, "OutForDelivery_003", ""),
    ]


def test_a_third_try_is_one_too_many():
    parcel = a_parcel(status=Status.IN_TRANSIT)
    planned(parcel, Purpose.CONFIRM_ADDRESS)
    platform = Platform()

    for hours in range(0, 9, 2):
        dial(platform, NOW + timedelta(hours=hours))
        for row in OutboundCall.objects.filter(state=DialState.RINGING):
            reports.note_edge(
                webhook(row, "NoAnswer", sessionId=f"HD_{row.pk}"), now=NOW + timedelta(hours=hours)
            )

    assert len(platform.orders) == 2
    assert OutboundCall.objects.open().count() == 0


@pytest.mark.parametrize(
    ("reason", "done", "outcome", "again"),
    [
        ("caller_hangup", "status_given", DialOutcome.ANSWERED, 0),
        ("voicemail", None, DialOutcome.VOICEMAIL, 1),
        ("opted_out", None, DialOutcome.OPTED_OUT, 0),
        ("agent_hangup", "wrong_number", DialOutcome.WRONG_NUMBER, 0),
    ],
)
def test_o13_what_came_of_an_answered_call_decides_whether_there_is_another(reason, done, outcome, again):
    parcel = a_parcel(status=Status.IN_TRANSIT)
    row = planned(parcel, Purpose.CONFIRM_ADDRESS)
    dial(Platform())
    opening = opened(webhook(row))
    assert opening is not None
    facts = calls.accept_stream(opening.token, now=NOW)
    assert facts is not None

    calls.end_call(facts.call_id, Ending(reason, done, {}, {}, 30.0), now=LATER)

    assert (fresh(row).state, fresh(row).outcome) == (DialState.DONE, outcome)
    assert OutboundCall.objects.open().count() == again
    if again:
        assert OutboundCall.objects.open().get().not_before == NOW.replace(hour=5) + timedelta(days=1)


def an_answered_call(row: OutboundCall) -> int:
    dial(Platform())
    opening = opened(webhook(row))
    assert opening is not None
    facts = calls.accept_stream(opening.token, now=NOW)
    assert facts is not None
    return facts.call_id


def reports_who(call_id: int, who: str) -> dict[str, object]:
    args = {"who": who}
    return tools.run(
        "report_answered_by", args, trust.caller_of(call_id), tools.business_key("report_answered_by", args)
    )


def test_o13_a_wrong_number_is_never_rung_again_for_the_parcel_and_somebody_looks_into_it():
    parcel = a_parcel(status=Status.IN_TRANSIT)
    other = a_parcel(parcel.phone, tracking_id="KM-7001", status=Status.IN_TRANSIT)
    row = planned(parcel, Purpose.CONFIRM_ADDRESS)
    call_id = an_answered_call(row)
    waiting = dialing.plan(parcel, Purpose.RESCHEDULE_OFFER, by="test", now=NOW, not_before=LATER).outbound
    assert waiting is not None

    for _ in range(2):
        told = reports_who(call_id, "Wrong_Number")
    calls.end_call(call_id, Ending("agent_hangup", "wrong_number", {}, {}, 30.0), now=LATER)

    assert told["status"] == "ok"
    assert fresh(waiting).state == DialState.SUPPRESSED
    assert fresh(row).outcome == DialOutcome.WRONG_NUMBER
    refused = dialing.look(parcel, Purpose.CONFIRM_ADDRESS, now=LATER)
    assert refused == Never("Somebody else answers at the parcel's telephone number.")
    assert not isinstance(dialing.look(other, Purpose.CONFIRM_ADDRESS, now=LATER), Never)
    [task] = worklist.tasks(User.objects.create_superuser("mary"), LATER, ["problem"])
    assert (task.parcel, task.words) == (
        parcel.tracking_id,
        "Somebody else answers at the recipient's number",
    )


def test_a_number_that_was_wrong_and_is_put_right_is_rung():
    parcel = a_parcel(status=Status.IN_TRANSIT)
    call_id = an_answered_call(planned(parcel, Purpose.CONFIRM_ADDRESS))
    reports_who(call_id, "wrong_number")
    calls.end_call(call_id, Ending("agent_hangup", "wrong_number", {}, {}, 30.0), now=LATER)

    parcel.phone = BRIAN
    parcel.save()

    assert not isinstance(dialing.look(parcel, Purpose.CONFIRM_ADDRESS, now=LATER), Never)


@pytest.mark.parametrize(
    ("who", "says"),
    [("voicemail", "called you"), ("screening", "about a delivery"), ("child", "again later")],
)
def test_o13_what_is_no_person_is_told_the_companys_name_and_nothing_of_a_parcel(settings, who, says):
    settings.COURIER_NAME, settings.SAUTIKIT_NUMBER = "Example Couriers", "+254700000900"
    row = planned(a_parcel(status=Status.IN_TRANSIT), Purpose.CONFIRM_ADDRESS)

    told = reports_who(an_answered_call(row), who)

    assert told["data"] == {"answered_by": who}
    assert says in str(told["message"])
    assert ("+254700000900" in str(told["message"])) is (who == "voicemail")
    assert not any(word in str(told) for word in (row.shipment.tracking_id, row.shipment.shipper, row.number))


def agreed(call_id: int) -> Caller:
    """Let the recipient say that it is he."""
    trust.note_level(trust.caller_of(call_id), Level.L1_PLUS)
    return trust.caller_of(call_id)


def test_of_two_parcels_the_one_that_we_rang_about_is_meant_unless_another_is_named():
    one = a_parcel(tracking_id="KM-ONE1", status=Status.IN_TRANSIT)
    a_parcel(tracking_id="KM-TWO2", status=Status.IN_TRANSIT)
    caller = agreed(an_answered_call(planned(one, Purpose.CONFIRM_ADDRESS)))

    told = tools.run("track_shipment", {}, caller, "k1")
    other = tools.run("track_shipment", {"tracking_id": "KM-TWO2"}, caller, "k2")

    assert "ending O N E 1" in str(told["message"])
    assert "ending T W O 2" in str(other["message"])


def test_who_is_called_back_is_asked_which_of_his_parcels_he_means():
    one = a_parcel(tracking_id="KM-ONE1", status=Status.IN_TRANSIT)
    a_parcel(tracking_id="KM-TWO2", status=Status.IN_TRANSIT)
    caller = agreed(an_answered_call(planned(one, Purpose.CALLBACK, asked_at=NOW)))

    told = tools.run("track_shipment", {}, caller, "k1")

    assert "more than one parcel" in str(told["message"])


def test_a_parcel_whose_number_changed_since_we_rang_about_it_is_told_to_nobody():
    one = a_parcel(tracking_id="KM-ONE1", status=Status.IN_TRANSIT)
    caller = agreed(an_answered_call(planned(one, Purpose.CONFIRM_ADDRESS)))
    type(one).objects.filter(pk=one.pk).update(phone=BRIAN)

    told = tools.run("track_shipment", {}, caller, "k1")

    assert told["status"] == "not_found"


def test_o13_who_was_not_available_is_rung_two_hours_later_and_the_history_says_so():
    row = planned(a_parcel(status=Status.IN_TRANSIT), Purpose.CONFIRM_ADDRESS)
    call_id = an_answered_call(row)

    calls.end_call(call_id, Ending("agent_hangup", "not_available", {}, {}, 30.0), now=LATER)

    assert fresh(row).outcome == DialOutcome.NOT_AVAILABLE
    assert OutboundCall.objects.open().get().not_before == LATER + timedelta(hours=2)
    written = TrackingEvent.objects.get(source="voice_agent")
    assert (written.substatus, written.reason) == ("", "consignee_not_available")


def test_who_answered_and_never_said_who_he_is_was_not_reached():
    row = planned(a_parcel(status=Status.IN_TRANSIT), Purpose.CONFIRM_ADDRESS)
    call_id = an_answered_call(row)

    calls.end_call(call_id, Ending("caller_hangup", None, {}, {}, 30.0), now=LATER)

    assert TrackingEvent.objects.get(source="voice_agent").substatus == ""
    assert OutboundCall.objects.open().count() == 0


def test_o15_news_out_of_order_twice_and_of_strangers_change_nothing():
    row = planned()
    dial(Platform())
    opening = opened(webhook(row))
    assert opening is not None
    calls.accept_stream(opening.token, now=NOW)

    over("Busy")(row)
    told("no_answer")(row)
    told("no_answer")(row)
    reports.note_event(
        "x", "call.failed", {"data": {"client_request_id": "nobody", "status": "busy"}}, now=LATER
    )
    opened(webhook(row))

    assert fresh(row).state == DialState.ANSWERED
    assert OutboundCall.objects.count() == 1


@pytest.mark.parametrize(
    ("document", "state"),
    [
        ({"status": "no_answer"}, DialState.FAILED),
        ({"status": "completed"}, DialState.DONE),
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


def test_a_call_that_the_platform_says_is_over_is_ended_and_billed():
    row = planned()
    dial(Platform(Accepted("c1", "HD_1")))
    document = {"status": "completed", "cost_minor": 900, "currency": "KES", "duration_seconds": 180}

    placing.note_look_up(row.pk, document, LATER)

    call = fresh(row).call
    assert call is not None
    assert (fresh(row).state, fresh(row).outcome) == (DialState.DONE, DialOutcome.ANSWERED)
    assert (call.status, call.ended_at) == (CallStatus.COMPLETED, LATER)
    assert (call.carrier_cost_minor, call.carrier_duration_s) == (900, 180)
    assert TrackingEvent.objects.filter(source="voice_agent").count() == 1


def test_a_call_that_talks_is_not_ended_by_what_the_platform_says_when_asked():
    row = planned()
    an_answered_call(row)

    placing.note_look_up(row.pk, {"status": "completed"}, LATER)

    call = fresh(row).call
    assert call is not None
    assert (fresh(row).state, call.status) == (DialState.ANSWERED, CallStatus.ANSWERED)


def test_who_asks_while_a_try_waits_for_its_time_is_told_that_time():
    parcel = a_parcel(status=Status.IN_TRANSIT)
    row = planned(parcel, Purpose.CONFIRM_ADDRESS)
    dial(Platform())
    over("NoAnswer")(row)

    again = dialing.plan(parcel, Purpose.CONFIRM_ADDRESS, by="mary", now=LATER)

    told = At(LATER + timedelta(hours=2), "It is planned for Tue 24 Nov 12:05.")
    assert again.answer == told
    assert dialing.look(parcel, Purpose.CONFIRM_ADDRESS, now=LATER) == told


def test_a_look_tells_of_the_call_that_is_open():
    row = planned()
    dial(Platform(Unclear("lost")))

    assert dialing.look(row.shipment, row.purpose, now=LATER) == LOST
    opened(webhook(row), LATER)
    ringing = Now("A call of this kind is open: ringing.")
    assert dialing.look(row.shipment, row.purpose, now=LATER) == ringing


def test_a_number_is_called_three_times_a_day_and_no_more():
    platform = Platform()
    for _ in range(4):
        planned(a_parcel(status=Status.IN_TRANSIT), Purpose.CONFIRM_ADDRESS)

    for second in range(0, 20, 2):
        dial(platform, NOW + timedelta(seconds=second))
        OutboundCall.objects.filter(state=DialState.RINGING).update(state=DialState.DONE)
        Call.objects.update(status=CallStatus.COMPLETED)

    assert len(platform.orders) == 3
    waits = OutboundCall.objects.get(state=DialState.PLANNED)
    assert waits.reason == "The number was called 3 times today; more is for tomorrow."


ON_THE_LINE = "The recipient's number rings or is on the line just now."


@pytest.mark.parametrize("placement", [Accepted("", ""), Unclear("lost")])
def test_a_number_that_rings_is_not_rung_for_another_parcel_until_that_is_over(placement):
    one, other = planned(), planned(a_parcel_at_the_door())
    dial(Platform(placement))

    said = dial(Platform(), NOW + timedelta(seconds=2))

    assert one.number == other.number
    assert said == At(NOW + timedelta(seconds=62), ON_THE_LINE)
    over("NoAnswer")(one)
    assert isinstance(dial(Platform(), NOW + timedelta(seconds=62)), Now)


def test_who_talks_to_us_is_not_rung_and_one_whose_ring_was_never_ended_is_after_some_time(settings):
    row = planned(a_parcel(status=Status.IN_TRANSIT), Purpose.CONFIRM_ADDRESS)
    call = Call.objects.create(customer_number=AMINA, created_at=NOW - timedelta(minutes=5))
    later = NOW + timedelta(seconds=settings.RING_LIMIT_S)

    assert dialing.look(row.shipment, row.purpose, now=NOW) == At(NOW + timedelta(minutes=1), ON_THE_LINE)
    assert isinstance(dialing.look(row.shipment, row.purpose, now=later), Now)
    Call.objects.filter(pk=call.pk).update(status=CallStatus.ANSWERED)
    assert isinstance(dialing.look(row.shipment, row.purpose, now=later), At)


def test_arrivals_are_planned_a_quarter_before_and_move_with_the_estimate():
    soon, later = a_parcel_at_the_door(), a_parcel_at_the_door(phone=BRIAN, eta_at=NOW + timedelta(hours=2))
    a_parcel(status=Status.IN_TRANSIT)

    first = dialing.plan_arrivals(now=NOW)
    type(later).objects.filter(pk=later.pk).update(eta_at=NOW + timedelta(hours=3))
    second = dialing.plan_arrivals(now=NOW)

    assert [one.shipment for one in first] == [soon, later]
    assert OutboundCall.objects.count() == 2
    assert second[1].outbound is not None
    assert second[1].outbound.not_before == NOW + timedelta(hours=2, minutes=45)
    assert isinstance(second[1].answer, At)


def test_planning_many_costs_as_many_queries_as_planning_one(django_assert_max_num_queries):
    for number in range(40):
        a_parcel_at_the_door(phone=f"+2547000001{number:02}")
    dialing.switch()

    with django_assert_max_num_queries(20):
        dialing.plan_arrivals(now=NOW)

    assert OutboundCall.objects.count() == 40
