"""A call of which nobody ever learns whether it rang: asked for ever less often, and given up after a day."""

from datetime import datetime, timedelta

import pytest

from tests.dialled import Platform, a_parcel_at_the_door, dial, fresh, opened, planned, webhook
from tests.shipments.builders import NOW
from voice import calls, dialing, outbound, placing
from voice.dial_rules import Never, Now
from voice.models import Call, OutboundCall
from voice.statuses import CallStatus, DialOutcome, DialState, EndedReason, Purpose
from voice.wire.placing import Accepted, Unclear

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

DAY = timedelta(days=1)
NEVER_LEARNT = "We never learnt whether it rang: the platform did not say within a day, and nobody else did."


def a_lost_call(*names: str) -> OutboundCall:
    """Have a call dialled of which the platform knows these names and nothing else."""
    row = planned()
    dial(Platform(Accepted(*names) if names else Unclear("The platform's answer was lost.")))
    OutboundCall.objects.filter(pk=row.pk).update(state=DialState.UNKNOWN)
    return fresh(row)


def given_up(row: OutboundCall) -> OutboundCall:
    """Let a day pass since a call was dialled, and a moment."""
    outbound.reconcile(NOW + DAY + timedelta(seconds=1))
    return fresh(row)


def test_a_lost_call_is_asked_for_ever_less_often():
    row, asked = a_lost_call("c1", "HD_1"), list[int]()

    for minute in range(24 * 60):
        now = NOW + timedelta(minutes=minute)
        for pk, name in placing.to_look_up(now):
            assert (pk, name) == (row.pk, "c1")
            placing.note_asked(pk, now)
            asked.append(minute)

    assert asked == [4, 8, 16, 32, 64, 128, 256, 512, 1_024]


@pytest.mark.parametrize("names", [(), ("c1", "HD_1")])
def test_o1_after_a_day_a_lost_call_ends_and_says_why(names):
    row = a_lost_call(*names)

    outbound.reconcile(NOW + DAY)
    assert fresh(row).state == DialState.UNKNOWN
    ended = given_up(row)

    assert (ended.state, ended.outcome, ended.reason) == (DialState.FAILED, "", NEVER_LEARNT)
    assert ended.ended_at == NOW + DAY + timedelta(seconds=1)
    assert placing.to_look_up(NOW + 3 * DAY) == []
    assert ended.call is not None
    assert (ended.call.status, ended.call.ended_reason) == (CallStatus.FAILED, EndedReason.RECONCILED)


def test_a_call_that_rings_at_a_platform_which_never_answers_ends_too():
    row = planned()
    dial(Platform(Accepted("c1", "HD_1")))

    assert given_up(row).reason == NEVER_LEARNT


def test_o1_what_was_given_up_is_dialled_again_by_nobody():
    row, platform = a_lost_call(), Platform()
    given_up(row)

    assert dialing.plan_arrivals(now=NOW) == []
    assert dial(platform, NOW + 2 * DAY) is None
    assert platform.orders == []
    assert OutboundCall.objects.count() == 1


@pytest.mark.parametrize(("per_parcel", "kind"), [(1, Never), (2, Now)])
def test_what_was_given_up_counts_as_a_ring_and_keeps_no_other_away(settings, per_parcel, kind):
    settings.DIAL_PER_PARCEL = per_parcel
    row = a_lost_call()
    given_up(row)

    planned_again = dialing.plan(row.shipment, Purpose.ETA, by="mary", now=NOW + timedelta(minutes=10))

    assert isinstance(planned_again.answer, kind)
    assert (planned_again.outbound is None) == (kind is Never)


def test_what_talked_after_all_is_not_given_up():
    row = a_lost_call()
    Call.objects.update(status=CallStatus.ANSWERED, answered_at=NOW)  # what was placed is about to follow

    assert given_up(row).state == DialState.UNKNOWN
    assert Call.objects.get().status == CallStatus.ANSWERED


def test_a_stream_that_comes_after_that_is_not_let_in_and_changes_nothing():
    row = a_lost_call()
    opening = opened(webhook(row), NOW + DAY)
    assert opening is not None
    given_up(row)

    assert calls.accept_stream(opening.token, now=NOW + DAY) is None
    assert opened(webhook(row), NOW + DAY) is None
    assert fresh(row).reason == NEVER_LEARNT


@pytest.mark.logs_errors
def test_what_was_given_up_says_nothing_of_the_line_when_most_calls_of_now_fail():
    for number in range(20):
        row = planned(a_parcel_at_the_door(phone=f"+2547000001{number:02}"))
        lost = number < 10
        OutboundCall.objects.filter(pk=row.pk).update(
            state=DialState.UNKNOWN if lost else DialState.RINGING,
            claimed_at=_dialled(lost=lost),
            dialled_at=_dialled(lost=lost),
        )
    now = NOW + DAY
    outbound.reconcile(now)

    for row in OutboundCall.objects.filter(state=DialState.RINGING).select_related("shipment"):
        outbound.fail(row, DialOutcome.NETWORK, "Network failure.", rang=True, now=now)

    assert dialing.switch().paused
    assert dialing.switch().reason == "10 of 10 calls failed within two minutes."


def _dialled(*, lost: bool) -> datetime:
    return NOW - timedelta(minutes=5) if lost else NOW + DAY - timedelta(minutes=5)
