"""What a call was good for."""

from collections.abc import Callable

import pytest

from voice.measures import Measures
from voice.statuses import EndedReason, Outcome

Fact = Callable[[Measures], None]


def does(tool: str) -> Fact:
    return lambda measures: measures.achieve(tool)


def refused(tool: str, code: str) -> Fact:
    return lambda measures: measures.be_refused(tool, code)


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ([], "no_outcome"),
        ([does("track_shipment")], "status_given"),
        ([does("confirm_reschedule"), does("track_shipment")], "rescheduled"),
        ([refused("prepare_reschedule", "shipper_forbids")], "change_refused_by_rule"),
        ([does("track_shipment"), refused("prepare_hold_for_pickup", "delivered")], "change_refused_by_rule"),
        ([refused("prepare_reschedule", "too_soon"), does("confirm_reschedule")], "rescheduled"),
        ([refused("prepare_reschedule", "attempts_used"), does("request_callback")], "callback_requested"),
        ([refused("prepare_reschedule", "unclear_day")], "no_outcome"),
        ([refused("prepare_reschedule", "needs_code")], "no_outcome"),
        ([refused("submit_pin", "not_right")], "verification_failed"),
        ([does("track_shipment"), refused("check_fact", "limit")], "verification_failed"),
        ([does("track_shipment"), refused("check_fact", "too_often")], "verification_failed"),
        ([refused("submit_pin", "not_right"), does("submit_pin")], "no_outcome"),
        (
            [does("track_shipment"), refused("submit_pin", "not_right"), does("submit_pin")],
            "status_given",
        ),
        ([lambda measures: measures.meet("wrong_number"), does("opt_out")], "wrong_number"),
    ],
)
def test_the_weightiest_that_holds_is_what_a_call_was_good_for(facts: list[Fact], outcome: str):
    measures = Measures()

    for fact in facts:
        fact(measures)

    assert measures.ending("caller_hangup", 9.0).outcome == outcome
    assert outcome in Outcome


@pytest.mark.parametrize(
    ("reason", "ended"), [("agent_hangup", "opted_out"), ("max_duration", "max_duration")]
)
def test_who_wants_no_calls_ended_the_call_by_that_unless_something_else_did(reason: str, ended: str):
    measures = Measures(opted_out=True)

    assert measures.ending(reason, 9.0).reason == ended
    assert ended in EndedReason
