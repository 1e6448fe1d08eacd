"""A driver hears of his own round where he goes and the way to its doors."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from shipments import round_reports, rounds, scans
from shipments.audit import AuditEntry
from shipments.intake import Sender
from shipments.messages import CODE_PLACE, MessageKind, OutgoingMessage, send_due
from shipments.models import Shipment
from shipments.proofs import try_shift_pin
from shipments.riders import Driver, Stop
from shipments.round_errors import NoRoundError, NotOnRoundError, RoundError
from shipments.rounds import AtWheel
from shipments.rules import POLICY
from shipments.scans import Scan
from shipments.statuses import Source, Status
from tests.rivals import at_once
from tests.shipments.builders import CALL, NOW, TODAY, a_parcel, an_address

pytestmark = pytest.mark.django_db

RIDER, OTHER = "+254700000090", "+254700000091"
CODE = "4711"


def a_driver(phone=RIDER, *, on_shift=True, pin="9081") -> Driver:
    driver = Driver(name=f"Rider {phone[-2:]}", phone=phone, on_shift=on_shift)
    driver.set_shift_pin(pin)
    driver.save()
    return driver


def a_stop(driver, position=1, date=TODAY, **fields) -> Stop:
    """Plan a stop whose parcel is on the road, due an hour after the one before."""
    address = fields.pop("address", None) or an_address(
        gate_notes=f"Mind the dog, type {CODE}, or ring 0700 000 001.", access_code=CODE
    )
    parcel = a_parcel(
        **{
            "status": Status.OUT_FOR_DELIVERY,
            "eta_at": NOW + timedelta(hours=position),
            "address": address,
        }
        | fields
    )
    return Stop.objects.create(driver=driver, shipment=parcel, date=date, position=position)


def at_wheel(driver, call=CALL, now=NOW, *, demo=False) -> AtWheel:
    return AtWheel(driver.pk, driver.phone, call, now, demo)


# What is planned


def test_of_drivers_on_shift_only_one_may_have_a_number():
    driver = a_driver()
    a_driver(OTHER, on_shift=False)

    assert Driver.objects.on_shift_at(RIDER) == driver
    assert Driver.objects.on_shift_at(OTHER) is None
    assert Driver.objects.on_shift_at("") is None
    a_driver()
    assert Driver.objects.on_shift_at(RIDER) is None


def test_a_round_is_that_of_today_in_order_and_of_one_driver():
    driver = a_driver()
    second, first = a_stop(driver, 2), a_stop(driver, 1)
    a_stop(driver, 1, date=TODAY - timedelta(days=1))
    a_stop(driver, 1, date=TODAY + timedelta(days=1))
    a_stop(a_driver(OTHER), 1)

    assert Stop.objects.round_of(driver.pk, NOW) == [first, second]
    assert Stop.objects.round_of(driver.pk, NOW, demo=True) == []


def test_the_day_of_a_round_is_the_recipients():
    driver = a_driver()
    a_stop(driver)
    before_midnight_in_nairobi = NOW.replace(hour=20, minute=59)

    assert Stop.objects.round_of(driver.pk, before_midnight_in_nairobi)
    assert not Stop.objects.round_of(driver.pk, before_midnight_in_nairobi + timedelta(minutes=1))


def test_a_position_and_a_parcel_are_planned_once():
    driver = a_driver()
    stop = a_stop(driver)
    parcel = a_parcel()

    for wrong in (
        Stop(driver=driver, shipment=parcel, date=TODAY, position=1),
        Stop(driver=a_driver(OTHER), shipment=stop.shipment, date=TODAY, position=1),
        Stop(driver=driver, shipment=parcel, date=TODAY, position=0),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            wrong.save()


# The shift PIN


def test_the_right_pin_of_a_shift_that_runs_opens_and_forgives_the_wrong_ones():
    driver = a_driver()

    assert not try_shift_pin(driver.pk, "0000")
    assert Driver.objects.get().pin_failures == 1
    assert try_shift_pin(driver.pk, "9081")
    assert Driver.objects.get().pin_failures == 0
    Driver.objects.update(on_shift=False)
    assert not try_shift_pin(driver.pk, "9081")
    assert not try_shift_pin(10**9, "9081")


@pytest.mark.django_db(transaction=True)
def test_wrong_pins_tried_at_once_are_all_counted_and_then_none_is_right():
    driver = a_driver()

    answers = at_once(*[lambda: try_shift_pin(driver.pk, "0000")] * (POLICY.pin_failures + 2))

    assert not any(answers)
    assert not try_shift_pin(driver.pk, "9081")
    driver = Driver.objects.get()
    assert driver.pin_failures == POLICY.pin_failures
    driver.set_shift_pin("2580")
    driver.save()
    assert try_shift_pin(driver.pk, "2580")


# What he hears


def test_a_driver_hears_where_he_goes_next():
    driver = a_driver()
    a_stop(driver, 1, status=Status.DELIVERED)
    a_stop(driver, 2, tracking_id="KM-4279")
    a_stop(driver, 3)

    told = rounds.next_stop(at_wheel(driver))

    assert told == {
        "say": "Your next stop is number 2, the parcel ending 4 2 7 9 in Kilimani, expected at 12 noon. "
        "2 stops are left.",
        "stop": 2,
        "stops_left": 2,
    }


def test_the_way_to_a_door_holds_no_code_and_no_number_and_the_code_is_sent_to_the_driver():
    driver = a_driver()
    stop = a_stop(driver)

    told = rounds.directions(at_wheel(driver), None)

    message, entry = OutgoingMessage.objects.get(), AuditEntry.objects.get()
    assert "Sunbird" in str(told["say"])
    assert "the blue gate after the second turning" in str(told["say"])
    assert "Mind the dog" in str(told["say"])
    assert "I have sent the code for the gate to your number." in str(told["say"])
    assert not any(secret in str(told) for secret in (CODE, "0700", stop.shipment.phone, "Amina"))
    assert (message.kind, message.number) == (MessageKind.ACCESS, RIDER)
    assert CODE_PLACE in message.text
    assert CODE not in message.text
    assert (entry.verb, entry.actor) == ("send_access_code", "driver Rider 90")
    assert CODE not in str(entry.after)


def test_a_code_is_sent_once_a_call_and_for_the_next_stop_only():
    driver = a_driver()
    a_stop(driver, 1)
    a_stop(driver, 2)

    later = rounds.directions(at_wheel(driver), 2)
    for call in (CALL, CALL, "another-call"):
        rounds.directions(at_wheel(driver, call), 1)

    assert later["code_sent"] is False
    assert "once this stop is your next one" in str(later["say"])
    assert OutgoingMessage.objects.count() == 2
    assert AuditEntry.objects.filter(verb="send_access_code").count() == 2


class Carrier:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send(self, number: str, text: str, key: str) -> None:
        self.sent.append((number, text))


@pytest.mark.parametrize(
    ("happens", "hours", "ends"),
    [
        (lambda: None, 0, "the code is 4711."),
        (lambda: Shipment.objects.update(status=Status.DELIVERED), 0, "the code is no longer needed."),
        (lambda: Driver.objects.update(on_shift=False), 0, "the code is no longer needed."),
        (lambda: Driver.objects.update(phone=OTHER), 0, "the code is no longer needed."),
        (lambda: Stop.objects.filter(position=2).update(done_at=NOW), 0, "the code is no longer needed."),
        (lambda: a_stop(Driver.objects.get(), 1), 0, "the code is no longer needed."),
        (lambda: None, 24, "the code is no longer needed."),
    ],
)
def test_the_code_is_put_in_as_the_message_is_handed_over_if_its_driver_still_goes_there(
    happens, hours, ends
):
    driver, carrier = a_driver(), Carrier()
    a_stop(driver, 2)
    rounds.directions(at_wheel(driver), None)
    happens()

    send_due(NOW + timedelta(hours=hours), sender=carrier)

    ((number, text),) = carrier.sent
    assert number == RIDER
    assert text.endswith(ends)
    assert CODE not in OutgoingMessage.objects.get().text


def test_of_another_drivers_round_nothing_is_heard_or_written():
    driver, other = a_driver(), a_driver(OTHER)
    a_stop(other, 4)
    wheel = at_wheel(driver)

    for wish in (
        lambda: rounds.next_stop(wheel),
        lambda: rounds.directions(wheel, 4),
        lambda: round_reports.report_attempt(wheel, 4, "not_home", "k"),
        lambda: round_reports.running_late(wheel, 10, "k"),
        lambda: rounds.stop_to_call(wheel, 4),
    ):
        with pytest.raises(NoRoundError):
            wish()

    assert Shipment.objects.get().version == 1
    assert not OutgoingMessage.objects.exists()
    a_stop(driver, 1)
    with pytest.raises(NotOnRoundError):
        rounds.directions(wheel, 4)


# What becomes of it


def test_a_scan_before_the_road_ends_no_stop():
    stop = a_stop(a_driver(), status=Status.INFO_RECEIVED)

    for status in (Status.IN_TRANSIT, Status.OUT_FOR_DELIVERY):
        scans.report(
            shipment_id=stop.shipment_id,
            scan=Scan(status, NOW),
            sender=Sender("api courier", Source.CARRIER),
            now=NOW,
        )

    stop.refresh_from_db()
    assert stop.done_at is None


def test_a_wish_to_have_a_recipient_called_is_written_once_a_call():
    driver = a_driver()
    a_stop(driver)
    wheel = at_wheel(driver)

    for _ in range(2):
        rounds.note_call_wanted(wheel, rounds.stop_to_call(wheel, None))

    assert AuditEntry.objects.filter(verb="call_recipient").count() == 1
    assert Shipment.objects.get().version == 1


def test_a_round_that_is_done_has_nothing_left_to_report_on():
    driver = a_driver()
    stop = a_stop(driver)
    Stop.objects.filter(pk=stop.pk).update(done_at=NOW, outcome=Status.ATTEMPT_FAIL)

    for wish in (
        lambda: rounds.next_stop(at_wheel(driver)),
        lambda: rounds.stop_to_call(at_wheel(driver), 1),
    ):
        with pytest.raises(RoundError):
            wish()
