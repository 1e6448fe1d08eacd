"""Whatever ends a call, the systems that want to know are told of it, once an end."""

import json

import pytest

from shipments import outbox
from shipments.notices import Kind, Notice
from tests.clients import System
from tests.shipments.builders import a_parcel
from tests.voice.builders import NOW, a_live_call, an_opening
from voice import calls, reconcile
from voice.models import Call
from voice.records import Ending
from voice.statuses import CallStatus, EndedReason, Outcome

pytestmark = pytest.mark.django_db
ENDING = Ending(EndedReason.CALLER_HANGUP, Outcome.STATUS_GIVEN, {}, {}, 31.0)


@pytest.fixture(autouse=True)
def crm():
    outbox.add_endpoint(
        client=System(name="crm").row,
        url="https://crm.example.com/",
        kinds=[Kind.CALL_ENDED],
        by="mary",
        now=NOW,
    )


def told() -> list[dict[str, object]]:
    return [json.loads(notice.body)["about"] for notice in Notice.objects.order_by("pk")]


def test_a_call_that_was_carried_is_told_of_with_its_outcome_and_no_number():
    facts = a_live_call()
    Call.objects.filter(pk=facts.call_id).update(shipment=a_parcel(tracking_id="EX-1"))

    calls.end_call(facts.call_id, ENDING, now=NOW)
    calls.end_call(facts.call_id, ENDING, now=NOW)

    [about] = told()
    assert (about["call"], about["tracking_id"], about["outcome"]) == (
        facts.public_id,
        "EX-1",
        "status_given",
    )
    assert facts.customer_number not in json.dumps(about)


def test_an_end_that_was_made_up_is_followed_by_the_true_one():
    facts = a_live_call()
    lost = Ending(EndedReason.RECONCILED, None, {}, {}, 20.0)

    calls.end_call(facts.call_id, lost, now=NOW)
    calls.end_call(facts.call_id, ENDING, now=NOW)

    assert [about["ended_reason"] for about in told()] == ["reconciled", "caller_hangup"]


def test_a_call_that_nobody_took_is_told_of():
    an_opening()

    calls.end_unanswered(Call.objects.get(), CallStatus.NO_ANSWER, NOW)

    assert [about["status"] for about in told()] == ["no_answer"]


def test_a_call_that_rang_too_long_is_told_of():
    an_opening()
    Call.objects.update(created_at=NOW.replace(year=2025))

    reconcile.close_unanswered(NOW)

    assert [about["ended_reason"] for about in told()] == ["reconciled"]
