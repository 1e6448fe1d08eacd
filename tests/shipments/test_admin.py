"""The parcels as a dispatcher sees them."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from shipments import rescheduling
from shipments.audit import AuditEntry
from shipments.models import DeliveryChange, Shipment
from shipments.statuses import Source, Status
from shipments.telling import find_own
from tests.shipments.builders import AMINA, CALL, NOW, a_depot, a_parcel, a_slot, an_address

pytestmark = pytest.mark.django_db
LIST = reverse("admin:shipments_shipment_changelist")


@pytest.fixture
def dispatcher(client):
    client.force_login(get_user_model().objects.create_superuser("dispatcher"))
    return client


def page(parcel: Shipment) -> str:
    return reverse("admin:shipments_shipment_change", args=[parcel.pk])


def test_a_parcel_is_shown_with_its_history_and_what_was_asked_for(dispatcher):
    depot = a_depot()
    a_slot(depot)
    parcel = a_parcel(tracking_id="KM-4279", depot=depot, cod_minor=125_050, cod_currency="KES")
    proposed = rescheduling.prepare_reschedule(
        find_own(AMINA, ""), day="friday", window=None, call_public_id=CALL, key="k", now=NOW
    )
    rescheduling.confirm_reschedule(
        number=AMINA, change_id=str(proposed["change_id"]), call_public_id=CALL, now=NOW
    )

    shown = dispatcher.get(page(parcel)).content.decode()

    for words in ("KM-4279", "In transit", "Moved to Friday 27 November", "Applied", CALL, "KES 1,250.50"):
        assert words in shown
    assert "Fri 27 Nov 09:00–12:00" in shown  # at the recipient's
    assert 'name="_save"' not in shown


@pytest.mark.parametrize(
    "search",
    ["KM-4279", "k m four two seven nine", AMINA, "0700 000 001", "254700000001", "amina", "sunbird"],
)
def test_a_parcel_is_found_by_id_number_name_and_landmark(dispatcher, search):
    a_parcel(tracking_id="KM-4279")
    elsewhere = an_address(landmark="behind the church")
    a_parcel("+254700000002", tracking_id="ZZ-0001", recipient_name="Brian Sample", address=elsewhere)

    shown = dispatcher.get(LIST, {"q": search}).content.decode()

    assert "KM-4279" in shown
    assert "ZZ-0001" not in shown


def test_the_list_can_be_narrowed(dispatcher):
    a_parcel(tracking_id="KM-0001", status=Status.DELIVERED)
    a_parcel(tracking_id="KM-0002", is_demo=True)

    delivered = dispatcher.get(LIST, {"status__exact": "delivered"}).content.decode()
    demo = dispatcher.get(LIST, {"is_demo__exact": "1"}).content.decode()

    assert ("KM-0001" in delivered, "KM-0002" in delivered) == (True, False)
    assert ("KM-0001" in demo, "KM-0002" in demo) == (False, True)


def test_the_list_costs_the_same_for_one_parcel_and_for_many(dispatcher, django_assert_max_num_queries):
    depot = a_depot()
    for hours in range(20):
        a_parcel(depot=depot, eta_at=NOW + timedelta(hours=hours))

    with django_assert_max_num_queries(10):
        dispatcher.get(LIST)


def test_nobody_writes_a_parcel_past_the_rules(dispatcher):
    parcel = a_parcel()

    answer = dispatcher.post(page(parcel), {"status": "delivered"})

    parcel.refresh_from_db()
    assert answer.status_code == 403
    assert parcel.status == Status.IN_TRANSIT
    assert dispatcher.get(reverse("admin:shipments_shipment_add")).status_code == 403


def test_d3_what_a_sender_wrote_is_shown_as_text(dispatcher):
    parcel = a_parcel(recipient_name="<script>alert(1)</script>", address=an_address(landmark="<img src=x>"))

    shown = dispatcher.get(page(parcel)).content.decode() + dispatcher.get(LIST).content.decode()

    assert "<script>alert(1)" not in shown
    assert "<img src=x>" not in shown


@pytest.mark.parametrize("model", ["deliverychange", "address", "depot", "driver"])
def test_every_list_opens(dispatcher, model):
    depot = a_depot()
    a_slot(depot)
    a_parcel(depot=depot)
    rescheduling.prepare_reschedule(
        find_own(AMINA, ""), day="friday", window=None, call_public_id=CALL, key="k", now=NOW
    )

    assert dispatcher.get(reverse(f"admin:shipments_{model}_changelist"), {"q": "a"}).status_code == 200


def test_a_depot_opens_with_its_windows(dispatcher):
    depot = a_depot()
    a_slot(depot)

    shown = dispatcher.get(reverse("admin:shipments_depot_change", args=[depot.pk])).content.decode()

    assert 'value="2026-11-27"' in shown


def a_waiting_change(day=3, **fields) -> DeliveryChange:
    today = timezone.localdate()
    depot = a_depot()
    a_slot(depot, today + timedelta(days=day))
    a_parcel(depot=depot, status=Status.OUT_FOR_DELIVERY, **fields)
    proposed = rescheduling.prepare_reschedule(
        find_own(AMINA, ""),
        day=(today + timedelta(days=day)).isoformat(),
        window=None,
        call_public_id=CALL,
        key="k",
        now=timezone.now(),
    )
    rescheduling.confirm_reschedule(
        number=AMINA, change_id=str(proposed["change_id"]), call_public_id=CALL, now=timezone.now()
    )
    return DeliveryChange.objects.get()


def decide(client, change, action, reason="The rider has it with him"):
    address = reverse(f"admin:shipments_deliverychange_{action}", args=[change.pk])
    return client.post(address, {"reason": reason, "_form_submitted": "True"} | carried(client, address))


def carried(client, address) -> dict[str, object]:
    """Return what a dialog carries of the parcel as it was shown."""
    form = client.get(address).context["form"]
    return {name: form[name].value() for name in ("version", "shown")}


@pytest.mark.parametrize(
    ("action", "version", "state"), [("approve", 2, "applied"), ("turn_down", 1, "rejected")]
)
def test_what_waits_is_decided_with_a_reason_that_is_kept(dispatcher, action, version, state):
    change = a_waiting_change()

    without = decide(dispatcher, change, action, reason=" ")
    first = decide(dispatcher, change, action)
    again = decide(dispatcher, change, action)

    change.refresh_from_db()
    assert "This field is required" in without.content.decode()
    assert (first.status_code, again.status_code) == (204, 200)
    assert "decided already" in again.content.decode()
    assert (change.shipment.version, change.state, change.decided_by) == (version, state, "dispatcher")
    assert change.decision_reason == "The rider has it with him"
    assert AuditEntry.objects.latest("pk").after["reason"] == "The rider has it with him"


def move(client, parcel, slot, **fields):
    hidden = carried(client, reschedule(parcel))
    return client.post(reschedule(parcel), {"slot": slot.pk, "_form_submitted": "True"} | hidden | fields)


def reschedule(parcel) -> str:
    return reverse("admin:shipments_shipment_reschedule", args=[parcel.pk])


def test_a_dispatcher_moves_a_parcel_once_however_often_it_is_sent(dispatcher):
    slot = a_slot(a_depot(), timezone.localdate() + timedelta(days=3))
    parcel = a_parcel(depot=slot.depot)

    done = move(dispatcher, parcel, slot)
    again = move(dispatcher, parcel, slot, version=1)

    parcel.refresh_from_db()
    slot.refresh_from_db()
    change = DeliveryChange.objects.get()
    assert (done.status_code, again.status_code) == (204, 204)
    assert (parcel.slot, parcel.version, slot.booked) == (slot, 2, 1)
    assert (change.state, change.requested_by, str(change.asker)) == (
        "applied",
        "dispatcher",
        "dispatcher",
    )
    assert parcel.events.get(source=Source.DISPATCHER).actor == "dispatcher"


def test_a_dispatcher_sees_which_windows_there_are_and_which_are_full(dispatcher):
    slot = a_slot(a_depot(), timezone.localdate() + timedelta(days=3), capacity=1, booked=1)
    parcel = a_parcel(depot=slot.depot)

    shown = dispatcher.get(reschedule(parcel)).content.decode()
    refused = move(dispatcher, parcel, slot).content.decode()

    assert "09:00–12:00 · full" in shown
    assert "That time has just been filled." in refused
    assert not DeliveryChange.objects.exists()


def test_a_form_that_went_stale_is_refused_with_what_is_different_and_can_be_sent_again(dispatcher):
    slot = a_slot(a_depot(), timezone.localdate() + timedelta(days=3))
    parcel = a_parcel(depot=slot.depot)
    form = dispatcher.get(reschedule(parcel)).context["form"]
    seen = {name: form[name].value() for name in ("version", "shown")}
    Shipment.objects.filter(pk=parcel.pk).update(version=2, status=Status.ATTEMPT_FAIL)

    order = {"slot": slot.pk, "_form_submitted": "True"}
    stale = dispatcher.post(reschedule(parcel), order | seen)
    renewed = {name: stale.context["form"][name].value() for name in ("version", "shown")}
    sent_again = dispatcher.post(reschedule(parcel), order | renewed)

    assert stale.context["form"].differences == [("Status", "In transit", "Attempt failed")]
    assert "has been changed since you opened this form" in stale.content.decode()
    assert sent_again.status_code == 204


def test_a_dispatcher_sends_a_parcel_to_another_address(dispatcher):
    parcel = a_parcel(depot=a_depot())
    address = reverse("admin:shipments_shipment_change_address", args=[parcel.pk])
    order = {"landmark": "behind the church", "city": "Nairobi", "_form_submitted": "True"}

    elsewhere = dispatcher.post(address, order | carried(dispatcher, address) | {"city": "Mombasa"})
    done = dispatcher.post(address, order | carried(dispatcher, address))

    parcel.refresh_from_db()
    assert "does not deliver to that city" in elsewhere.content.decode()
    assert done.status_code == 204
    assert parcel.address.landmark == "behind the church"
    assert "behind the church" in dispatcher.get(page(parcel)).content.decode()


def test_a_dispatcher_has_a_parcel_kept_at_its_depot(dispatcher):
    parcel = a_parcel(depot=a_depot(), attempts=3, status=Status.ATTEMPT_FAIL)
    address = reverse("admin:shipments_shipment_hold", args=[parcel.pk])

    done = dispatcher.post(address, {"_form_submitted": "True"} | carried(dispatcher, address))
    again = dispatcher.get(address).content.decode()

    parcel.refresh_from_db()
    assert done.status_code == 204
    assert parcel.status == Status.AVAILABLE_FOR_PICKUP
    assert "waiting at our depot already" in again


def test_d5_a_decision_on_a_parcel_that_was_changed_since_is_refused_with_what_is_different(dispatcher):
    change = a_waiting_change()
    address = reverse("admin:shipments_deliverychange_approve", args=[change.pk])
    order = {"reason": "As asked", "_form_submitted": "True"} | carried(dispatcher, address)
    Shipment.objects.update(version=2, status=Status.ATTEMPT_FAIL)

    stale = dispatcher.post(address, order)

    change.refresh_from_db()
    assert stale.context["form"].differences == [("Status", "Out for delivery", "Attempt failed")]
    assert change.state == "needs_approval"


def test_a_parcel_leads_to_who_changed_it(dispatcher):
    slot = a_slot(a_depot(), timezone.localdate() + timedelta(days=3))
    parcel, other = a_parcel(depot=slot.depot), a_parcel(depot=slot.depot)
    for moved in (parcel, other):
        move(dispatcher, moved, slot)

    shown = dispatcher.get(reverse("admin:shipments_shipment_audit", args=[parcel.pk]), follow=True)

    assert [entry.object_id for entry in shown.context["cl"].result_list] == [parcel.tracking_id]


def test_a_parcel_that_may_not_be_moved_says_so_when_the_dialog_opens(dispatcher):
    parcel = a_parcel(status=Status.DELIVERED)

    shown = dispatcher.get(reschedule(parcel)).content.decode()

    assert "this parcel has been delivered" in shown


def test_d5_what_a_dispatcher_asked_for_somebody_else_decides(dispatcher):
    slot = a_slot(a_depot(), timezone.localdate() + timedelta(days=3))
    parcel = a_parcel(depot=slot.depot, status=Status.OUT_FOR_DELIVERY)
    move(dispatcher, parcel, slot)
    change = DeliveryChange.objects.get(state="needs_approval")

    own = decide(dispatcher, change, "approve").content.decode()
    dispatcher.force_login(get_user_model().objects.create_superuser("another"))
    others = decide(dispatcher, change, "approve")

    change.refresh_from_db()
    assert "somebody else has to decide" in own
    assert (others.status_code, change.state, change.decided_by) == (204, "applied", "another")


def test_who_may_only_read_decides_nothing(client):
    reader = get_user_model().objects.create_user("reader", is_staff=True)
    reader.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    client.force_login(reader)

    shown = client.get(reverse("admin:shipments_deliverychange_changelist"))

    assert shown.status_code == 200
    assert "turn_down" not in shown.content.decode()
