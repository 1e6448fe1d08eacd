"""What comes of a call that we placed: who answered, and whether there is another try (O9, O13, O15)."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from shipments.courtesy import ContactPreference
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
from tests.shipments.builders import AMINA, BRIAN, NOW, a_parcel
from voice import calls, dialing, outbound, placing, reports, tools, trust, worklist
from voice.dial_rules import Never
from voice.levels import Level
from voice.models import Call, OutboundCall
from voice.records import Ending
from voice.statuses import DialOutcome, DialState, Purpose
from voice.toolkit import Caller
from voice.wire.placing import Accepted, Unclear

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


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


@pytest.mark.parametrize(("wished", "spoken"), [("sw-KE", "sw-KE"), ("", "en")])
def test_a_call_is_in_the_language_that_the_recipient_wants(wished, spoken):
    ContactPreference.objects.create(number=AMINA, language=wished)
    row = planned()

    dial(Platform())

    call = fresh(row).call
    assert call is not None
    assert call.language == spoken


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
