"""What a driver reported is not written when it stands no more, is another's, or was written already."""

from datetime import timedelta
from threading import Event

import pytest
from django.db import transaction

from shipments import effects, scans
from shipments.audit import AuditEntry
from shipments.errors import NoProposalError, ParcelChangedError, ProposalExpiredError
from shipments.intake import Sender
from shipments.models import DeliveryChange, Shipment, TrackingEvent
from shipments.riders import Driver, RoundReport, Stop
from shipments.round_errors import (
    NotOnRoundError,
    NotOnShiftError,
    RoundChangedError,
    RoundDoneError,
    StopDoneError,
)
from shipments.rules import POLICY
from shipments.scans import Scan
from shipments.statuses import ChangeState, Source, Status
from shipments.telling import find_own
from shipments.wishes import hold_for_pickup
from tests.rivals import at_once
from tests.shipments.builders import CALL, NOW, a_depot, a_parcel
from tests.shipments.reported import agreed, attempted, delivered, is_untouched, late
from tests.shipments.test_rounds import OTHER, RIDER, a_driver, a_stop

pytestmark = pytest.mark.django_db


# Not agreed to


@pytest.mark.parametrize("wish", [attempted, late])
@pytest.mark.parametrize(
    ("happens", "errors"),
    [
        (lambda: Shipment.objects.update(version=5), RoundChangedError),
        (lambda: Stop.objects.update(position=9), (RoundChangedError, NotOnRoundError)),
        (lambda: delivered(Stop.objects.get()), (StopDoneError, RoundDoneError)),
    ],
)
def test_what_has_changed_since_it_was_read_back_is_not_carried_out(wish, happens, errors):
    driver = a_driver()
    a_stop(driver)
    ref = wish(driver)
    happens()
    before = list(Shipment.objects.values())

    with pytest.raises(errors):
        agreed(driver, ref)

    assert list(Shipment.objects.values()) == before
    assert not TrackingEvent.objects.filter(source=Source.RIDER).exists()


def test_a_delay_is_not_carried_out_for_a_stop_that_was_not_read_back():
    driver = a_driver()
    a_stop(driver, 1)
    ref = late(driver)
    a_stop(driver, 2)

    with pytest.raises(RoundChangedError):
        agreed(driver, ref)

    assert is_untouched()


@pytest.mark.parametrize("wish", [attempted, late])
def test_a_yes_that_comes_too_late_is_none(wish):
    driver = a_driver()
    a_stop(driver)
    ref = wish(driver)

    with pytest.raises(ProposalExpiredError):
        agreed(driver, ref, now=NOW + timedelta(seconds=POLICY.proposal_s + 1))

    assert RoundReport.objects.get().state == ChangeState.EXPIRED
    assert is_untouched()


@pytest.mark.parametrize("wish", [attempted, late])
def test_nobody_else_and_no_other_call_confirms_a_report(wish):
    driver, other = a_driver(), a_driver(OTHER)
    a_stop(driver)
    a_stop(other, phone="+254700000055")
    ref = wish(driver)

    for who, call, said in (
        (driver, "another-call", ref),
        (driver, "", ref),
        (other, CALL, ref),
        (driver, CALL, "00000000"),
        (driver, CALL, ""),
    ):
        with pytest.raises(NoProposalError):
            agreed(who, said, call)

    assert is_untouched()


def test_only_the_latest_of_what_was_read_back_in_a_call_may_be_agreed_to():
    driver = a_driver()
    a_stop(driver, 1)
    own = a_parcel(RIDER, depot=a_depot())
    first, second = attempted(driver), late(driver)

    with pytest.raises(NoProposalError):
        agreed(driver, first)
    hold_for_pickup(find_own(RIDER, own.tracking_id), call_public_id=CALL, key="hold", now=NOW)
    with pytest.raises(NoProposalError):
        agreed(driver, second)
    attempted(driver)

    assert DeliveryChange.objects.get().state == ChangeState.SUPERSEDED
    assert is_untouched()


@pytest.mark.parametrize("status", [Status.DELIVERED, Status.AVAILABLE_FOR_PICKUP])
def test_what_came_off_the_road_otherwise_was_not_attempted(status):
    driver = a_driver()
    stop = a_stop(driver)
    ref = attempted(driver)
    scan = Scan(status, NOW)
    sender = Sender("api courier", Source.CARRIER)
    scans.report(shipment_id=stop.shipment_id, scan=scan, sender=sender, now=NOW)

    for report in (lambda: attempted(driver), lambda: agreed(driver, ref)):
        with pytest.raises(StopDoneError):
            report()

    stop.refresh_from_db()
    assert (stop.outcome, stop.shipment.attempts) == (status, 0)


def test_of_a_delay_all_is_written_or_nothing(monkeypatch):
    driver = a_driver()
    a_stop(driver, 1)
    a_stop(driver, 2)
    ref = late(driver)
    expect = effects.expect

    def changed_meanwhile(shipment, eta_at, now):
        if Shipment.objects.filter(version__gt=1).exists():
            raise ParcelChangedError
        expect(shipment, eta_at, now)

    monkeypatch.setattr(effects, "expect", changed_meanwhile)

    with pytest.raises(ParcelChangedError):
        agreed(driver, ref)

    assert RoundReport.objects.get().state == ChangeState.PROPOSED
    assert is_untouched()


# Two at once


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("wish", "version"), [(attempted, 2), (late, 2)])
def test_one_yes_heard_at_once_four_times_counts_once(wish, version):
    driver = a_driver()
    a_stop(driver)
    ref = wish(driver)

    answers = at_once(*[lambda: agreed(driver, ref)] * 4)

    assert answers == [answers[0]] * 4
    assert Shipment.objects.get().version == version
    assert AuditEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("wish", "refusals"), [(attempted, {StopDoneError}), (late, {RoundChangedError})])
def test_of_several_calls_that_report_the_same_one_is_first_and_the_others_are_told(wish, refusals):
    driver = a_driver()
    a_stop(driver)
    made = [(f"call-{n}", wish(driver, call=f"call-{n}")) for n in range(4)]

    answers = at_once(*[lambda call=call, ref=ref: agreed(driver, ref, call) for call, ref in made])

    assert [type(answer) for answer in answers].count(dict) == 1
    assert {type(answer) for answer in answers} == {dict, *refusals}
    assert Shipment.objects.get().version == 2
    assert AuditEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wish", [attempted, late])
def test_a_yes_that_comes_while_a_dispatcher_ends_the_shift_waits_and_writes_nothing(wish):
    driver = a_driver()
    a_stop(driver)
    ref = wish(driver)
    ending, asked = Event(), Event()

    def take_off() -> None:
        with transaction.atomic():
            Driver.objects.update(on_shift=False)
            ending.set()
            asked.wait(5)

    def confirm() -> dict[str, object]:
        ending.wait(5)
        asked.set()
        return agreed(driver, ref)

    answers = at_once(take_off, confirm)

    assert [type(answer) for answer in answers] == [type(None), NotOnShiftError]
    assert is_untouched()


@pytest.mark.django_db(transaction=True)
def test_one_wish_heard_at_once_four_times_is_one_proposal():
    driver = a_driver()
    a_stop(driver)

    refs = at_once(*[lambda: attempted(driver)] * 4)

    assert refs == [RoundReport.objects.get().ref] * 4
