"""By what names the platform knows a call that we placed: they come with its answer, or with its events."""

from datetime import timedelta

import pytest

from tests.dialled import LATER, Platform, a_parcel_at_the_door, dial, fresh, planned
from tests.shipments.builders import BRIAN, NOW
from voice import bills, outbound, placing, reports
from voice.models import OutboundCall
from voice.statuses import DialState
from voice.wire.placing import Accepted, Unclear

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def tell(row: OutboundCall, call_id: object, kind: str = "call.started") -> None:
    """Have an event name a call by our label and by the platform's own id."""
    named = {"client_request_id": row.client_request_id, "call_id": call_id}
    reports.note_event(f"{kind}:{named}", kind, {"data": named}, now=NOW)


@pytest.mark.parametrize("answer", [Accepted("", ""), Unclear("The platform's answer was lost.")])
def test_a_call_that_the_answer_does_not_name_is_asked_for_by_the_id_in_an_event(answer):
    row = planned()
    dial(Platform(answer))

    tell(row, "c1")

    assert placing.to_look_up(LATER) == [(row.pk, "c1")]


def test_a_call_that_the_answer_does_not_name_is_billed_by_the_id_in_an_event(monkeypatch):
    row, asked = planned(), []

    async def records(names):
        asked.extend(names)
        return [None for _ in names]

    dial(Platform())
    tell(row, "c1", "call.no_answer")
    monkeypatch.setattr(bills, "records", records)
    bills.fetch(LATER)

    assert asked == ["c1"]


@pytest.mark.parametrize("session", ["", "HD_1"])
def test_an_id_that_an_event_told_before_the_answer_is_kept(session):
    row = planned()
    claimed = outbound.claim("d1", NOW)
    assert claimed is not None
    placing.begin(claimed, NOW)

    tell(row, "c1")
    placing.settle(claimed, Accepted("", session), NOW, lambda: 1.0)

    call = fresh(row).call
    assert call is not None
    assert (fresh(row).carrier_call_id, call.session_id or "") == ("c1", session)


def test_an_event_takes_no_id_from_a_call_that_has_one():
    row = planned()
    dial(Platform(Accepted("c1", "")))

    tell(row, "c2")

    assert fresh(row).carrier_call_id == "c1"


def test_an_id_that_is_another_calls_is_not_taken_and_its_news_stay_its_own():
    one, other = planned(), planned(a_parcel_at_the_door(phone=BRIAN))
    dial(Platform(Accepted("", "")))
    dial(Platform(Accepted("c2", "")), NOW + timedelta(seconds=2))

    tell(one, "c2")
    reports.note_event("e", "call.busy", {"data": {"call_id": "c2", "status": "busy"}}, now=LATER)

    assert fresh(one).carrier_call_id == ""
    assert (fresh(one).state, fresh(other).state) == (DialState.RINGING, DialState.FAILED)


def test_an_event_teaches_no_name_to_what_was_put_back_and_will_be_another_call():
    row = planned()
    dial(Platform(Unclear("lost")))
    outbound.decide(row.pk, rang=False, by="mary", now=LATER)

    tell(row, "c1")

    assert fresh(row).carrier_call_id == ""


@pytest.mark.parametrize("call_id", ["", "c" * 129, "c\n1", 7, None, ["c1"]])
def test_what_is_no_id_is_not_taken_for_one(call_id):
    row = planned()
    dial(Platform())

    tell(row, call_id)

    assert fresh(row).carrier_call_id == ""
