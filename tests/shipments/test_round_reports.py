"""What a driver reports is read back to him first, and noted once when he has agreed to just that."""

from datetime import timedelta

import pytest

from shipments import round_reports
from shipments.audit import AuditEntry
from shipments.models import Shipment, TrackingEvent
from shipments.riders import RoundReport, Stop
from shipments.round_errors import (
    DelayUnclearError,
    NothingTimedError,
    ReasonUnclearError,
    StopDoneError,
)
from shipments.statuses import ChangeState, Reason, Source, Status, Substatus
from tests.shipments.builders import CALL, NOW
from tests.shipments.reported import agreed, attempted, is_untouched, late
from tests.shipments.test_rounds import a_driver, a_stop, at_wheel

pytestmark = pytest.mark.django_db


# Read back


def test_an_attempt_is_read_back_with_its_stop_and_reason_and_nothing_changes():
    driver = a_driver()
    a_stop(driver)

    told = round_reports.report_attempt(at_wheel(driver), 1, "not home", "key")

    report = RoundReport.objects.get()
    assert told["say"] == (
        "I will note that stop 1 was not handed over: recipient not at home. Is that right?"
    )
    assert told == {
        "say": report.read_back,
        "read_back": report.read_back,
        "change_id": report.ref,
        "stop": 1,
        "reason": "consignee_not_home",
    }
    assert report.state == ChangeState.PROPOSED
    assert is_untouched()


def test_a_delay_is_read_back_with_its_minutes_and_stops_and_nothing_changes():
    driver = a_driver()
    for position in (1, 2):
        a_stop(driver, position)

    told = round_reports.running_late(at_wheel(driver), 20, "key")

    assert told["say"] == "I will move the times of 2 stops by 20 minutes. Is that right?"
    assert (told["minutes"], told["stops"]) == (20, 2)
    assert is_untouched()


def test_the_same_wish_is_one_proposal_as_long_as_it_stands():
    driver = a_driver()
    a_stop(driver)

    refs = [attempted(driver) for _ in range(2)]
    Shipment.objects.update(version=2)
    refs.append(attempted(driver))

    assert refs[0] == refs[1] != refs[2]
    assert list(RoundReport.objects.order_by("pk").values_list("state", flat=True)) == [
        ChangeState.SUPERSEDED,
        ChangeState.PROPOSED,
    ]


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        (lambda driver: attempted(driver, reason="the dog"), ReasonUnclearError),
        (lambda driver: late(driver, 241), DelayUnclearError),
        (lambda driver: attempted(driver, 2), StopDoneError),
    ],
)
def test_what_cannot_be_is_not_proposed(wish, error):
    driver = a_driver()
    a_stop(driver, 1)
    a_stop(driver, 2, status=Status.DELIVERED)

    with pytest.raises(error):
        wish(driver)

    assert not RoundReport.objects.exists()


def test_where_no_stop_has_a_time_there_is_none_to_move():
    driver = a_driver()
    a_stop(driver, eta_at=None)

    with pytest.raises(NothingTimedError):
        late(driver)


# Agreed to


def test_an_attempt_that_was_agreed_to_is_counted_written_down_and_ends_the_stop():
    driver = a_driver()
    stop = a_stop(driver)
    a_stop(driver, 2)

    told = agreed(driver, attempted(driver))

    stop.refresh_from_db()
    event, entry = TrackingEvent.objects.filter(shipment=stop.shipment).latest("pk"), AuditEntry.objects.get()
    parcel = stop.shipment
    assert told == {
        "say": "I have noted that stop 1 was not handed over: recipient not at home. "
        "Your next stop is number 2.",
        "stop": 1,
        "reason": "consignee_not_home",
    }
    assert (parcel.status, parcel.attempts, parcel.version) == (Status.ATTEMPT_FAIL, 1, 2)
    assert (event.reason, event.substatus) == (Reason.CONSIGNEE_NOT_HOME, Substatus.NOT_AVAILABLE)
    assert (event.source, event.actor, event.call_public_id) == (Source.RIDER, "driver Rider 90", CALL)
    assert (stop.done_at, stop.outcome) == (NOW, Status.ATTEMPT_FAIL)
    assert (entry.verb, entry.actor, entry.call_public_id) == ("report", "driver Rider 90", CALL)
    assert RoundReport.objects.get().state == ChangeState.APPLIED


def test_a_delay_that_was_agreed_to_moves_what_is_left_of_his_round():
    driver = a_driver()
    done, first, untimed, last = (
        a_stop(driver, 1, status=Status.DELIVERED),
        a_stop(driver, 2),
        a_stop(driver, 3, eta_at=None),
        a_stop(driver, 4),
    )

    told = agreed(driver, late(driver))

    assert told == {"say": "I have moved the times of 2 stops by 20 minutes.", "minutes": 20, "stops": 2}
    found = {stop.pk: stop for stop in Stop.objects.select_related("shipment")}
    assert found[first.pk].shipment.eta_at == NOW + timedelta(hours=2, minutes=20)
    assert found[last.pk].shipment.eta_at == NOW + timedelta(hours=4, minutes=20)
    assert found[last.pk].shipment.eta_computed_at == NOW
    assert found[untimed.pk].shipment.eta_at is None
    assert [found[pk].shipment.version for pk in (done.pk, first.pk, untimed.pk, last.pk)] == [1, 2, 1, 2]
    assert AuditEntry.objects.filter(verb="running_late").count() == 2
    assert TrackingEvent.objects.filter(source=Source.RIDER, call_public_id=CALL).count() == 2


@pytest.mark.parametrize(("wish", "events"), [(attempted, 1), (late, 2)])
def test_a_yes_that_comes_twice_counts_once_and_is_answered_in_the_same_words(wish, events):
    driver = a_driver()
    for position in (1, 2):
        a_stop(driver, position)
    ref = wish(driver)

    first = agreed(driver, ref)
    Stop.objects.filter(position=2).update(done_at=NOW, outcome=Status.DELIVERED)
    again = agreed(driver, f"{ref[:4].lower()} {ref[4:]}", now=NOW + timedelta(hours=1))

    assert again == first
    assert TrackingEvent.objects.filter(source=Source.RIDER).count() == events
    assert AuditEntry.objects.count() == events


def test_a_delay_that_is_told_anew_moves_the_times_anew():
    driver = a_driver()
    stop = a_stop(driver)

    for _ in range(2):
        agreed(driver, late(driver))

    stop.shipment.refresh_from_db()
    assert stop.shipment.eta_at == NOW + timedelta(hours=1, minutes=40)


def test_an_attempt_that_is_noted_is_told_of_and_not_proposed_again():
    driver = a_driver()
    a_stop(driver)
    noted = agreed(driver, attempted(driver))

    with pytest.raises(StopDoneError) as refusal:
        attempted(driver, reason="refused", call="another-call")

    assert str(refusal.value) == noted["say"]


def test_an_attempt_is_noted_although_a_handhelds_clock_was_ahead_of_ours():
    driver = a_driver()
    stop = a_stop(driver)
    Shipment.objects.filter(pk=stop.shipment_id).update(status_at=NOW + timedelta(minutes=3))

    agreed(driver, attempted(driver))

    stop.refresh_from_db()
    assert (stop.outcome, stop.done_at) == (Status.ATTEMPT_FAIL, NOW + timedelta(minutes=3))
