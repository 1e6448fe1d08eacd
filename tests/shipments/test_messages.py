"""Whatever changes a parcel is told to its number of record, and to no other, until it is taken."""

from datetime import timedelta

import pytest

from shipments import addresses, decisions, orders
from shipments.audit import AuditEntry
from shipments.messages import MessageNotTakenError, MessageState, OutgoingMessage, send_due
from shipments.models import DeliveryChange, Shipment
from shipments.statuses import Status
from shipments.telling import find_own
from tests.rivals import at_once
from tests.shipments.builders import AMINA, CALL, NOW, a_depot, a_parcel, a_slot, staff
from tests.shipments.test_two_at_once import confirming, prepare

pytestmark = pytest.mark.django_db

PLACE = {"landmark": "behind the Weaver school", "city": "Nairobi", "directions": "the green door, code 4711"}


class Carrier:
    """Refuses the first messages, then takes them."""

    def __init__(self, refuses: int = 0) -> None:
        self.refuses = refuses
        self.sent: list[tuple[str, str, str]] = []

    def send(self, number: str, text: str, key: str) -> None:
        if self.refuses:
            self.refuses -= 1
            raise MessageNotTakenError
        self.sent.append((number, text, key))


def texts():
    return list(OutgoingMessage.objects.order_by("pk").values_list("text", flat=True))


def moved():
    a_parcel(tracking_id="KM-4279", depot=a_slot(a_depot()).depot)
    confirming(prepare()["change_id"])()


def asked():
    a_parcel(tracking_id="KM-4279", depot=a_slot(a_depot()).depot, status=Status.OUT_FOR_DELIVERY)
    confirming(prepare()["change_id"])()
    return DeliveryChange.objects.get().ref


def ordered(parcel):
    return orders.Order(parcel.pk, parcel.version, by=staff("dana"), now=NOW)


def test_a_moved_parcel_is_told_to_its_number_of_record():
    moved()

    message = OutgoingMessage.objects.get()
    assert (message.number, message.state) == (AMINA, MessageState.WAITING)
    assert message.text == (
        "Your parcel ending 4 2 7 9: it now comes Friday 27 November, 9 am to 12 noon. "
        "If you did not ask for this, please call us."
    )


@pytest.mark.parametrize(("approve", "words"), [(True, "now comes Friday"), (False, "stays as planned")])
def test_what_waits_and_what_is_decided_are_both_told(approve, words):
    ref = asked()

    decisions.decide_change(ref=ref, approve=approve, by=staff("dana"), reason="secret reason", now=NOW)

    first, second = texts()
    assert "Our dispatcher decides" in first
    assert words in second
    assert "secret" not in second


def test_another_address_is_told_without_the_place():
    parcel = a_parcel(depot=a_depot())

    orders.change_address(ordered(parcel), place=PLACE)

    [text] = texts()
    assert "now goes to another address" in text
    assert not any(word in text for word in ("Weaver", "green door", "4711"))


def test_a_parcel_that_is_kept_names_its_depot():
    parcel = a_parcel(depot=a_depot(name="Depot West"))

    orders.hold(ordered(parcel))

    assert "collect it at Depot West" in texts()[0]


def test_a_confirmed_address_is_told_once_a_call():
    a_parcel()

    for _ in range(2):
        addresses.confirm_address(find_own(AMINA, ""), said="Jacaranda Court", call_public_id=CALL, now=NOW)

    [text] = texts()
    assert "was confirmed in a call" in text
    assert "Jacaranda" not in text


def test_what_is_only_proposed_is_told_nobody():
    a_parcel(depot=a_slot(a_depot()).depot)

    prepare()

    assert texts() == []


def test_a_change_and_its_message_are_written_together_or_not_at_all(monkeypatch):
    a_parcel(depot=a_slot(a_depot()).depot)
    change_id = prepare()["change_id"]

    def full(**fields):
        raise OSError("disk full")

    monkeypatch.setattr(AuditEntry.objects, "create", full)
    with pytest.raises(OSError, match="disk full"):
        confirming(change_id)()

    assert texts() == []
    assert Shipment.objects.get().version == 1


def test_a_message_that_is_not_taken_is_tried_until_it_is():
    moved()
    carrier, now = Carrier(refuses=20), NOW

    while OutgoingMessage.objects.filter(state=MessageState.WAITING).exists():
        now = OutgoingMessage.objects.get().next_at
        assert send_due(now - timedelta(seconds=1), sender=carrier) == 0
        send_due(now, sender=carrier)

    message = OutgoingMessage.objects.get()
    assert (message.tries, message.sent_at) == (21, now)
    assert carrier.sent == [(AMINA, message.text, message.idempotency_key)]
    assert now - NOW < timedelta(hours=13)


def test_the_embedded_sender_marks_what_it_takes(settings):
    moved()

    assert (send_due(NOW), send_due(NOW)) == (1, 0)
    assert OutgoingMessage.objects.get().state == MessageState.SENT


@pytest.mark.django_db(transaction=True)
def test_of_four_workers_at_once_one_sends_a_message():
    moved()
    carrier = Carrier()

    at_once(*[lambda: send_due(NOW, sender=carrier)] * 4)

    assert len(carrier.sent) == 1
