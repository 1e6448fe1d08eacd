"""Whatever the desk keeps up or orders leaves an entry in the audit: who, what it was, what it is."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from shipments.audit import AuditEntry
from shipments.courtesy import Holiday
from shipments.depots import DeliverySlot
from shipments.riders import Driver
from tests.shipments.builders import AMINA, BRIAN, a_depot, a_slot
from tests.staff import a_corner, a_member
from voice import dialing
from voice.models import OutboundCall
from voice.statuses import DialState

pytestmark = pytest.mark.django_db
NO_ROWS = {"TOTAL_FORMS": 0, "INITIAL_FORMS": 0}


def logged_in(role: str, *depots) -> Client:
    client = Client()
    client.force_login(a_member(role, *depots))
    return client


def address(name: str, page: str, *args: object) -> str:
    return reverse(f"admin:{name}_{page}", args=args)


def rows(prefix: str, *filled: dict[str, Any], known: int = 0) -> dict[str, Any]:
    """Return a form's rows below it, of which so many are there already."""
    fields = {f"{prefix}-{name}": value for name, value in NO_ROWS.items()}
    fields |= {f"{prefix}-TOTAL_FORMS": len(filled), f"{prefix}-INITIAL_FORMS": known}
    return fields | {
        f"{prefix}-{place}-{name}": value for place, row in enumerate(filled) for name, value in row.items()
    }


def the_entry(verb: str) -> AuditEntry:
    return AuditEntry.objects.get(verb=verb)


def a_person(user: User, **fields: Any) -> dict[str, Any]:
    times = {"date_joined_0": "2026-11-23", "date_joined_1": "08:00:00"}
    kept = {"username": user.username, "is_active": "on", "is_staff": "on", "groups": []}
    return kept | times | rows("Depot_staff") | fields


def test_a_change_of_somebodys_role_and_depots_is_written_down():
    client, clerk = logged_in("Administrator"), User.objects.create_user("clerk")
    supervisors, depot = Group.objects.get(name="Supervisor"), a_depot(name="North")
    works_for = rows("Depot_staff", {"depot": depot.pk, "user": clerk.pk})
    form = a_person(clerk, groups=[supervisors.pk]) | works_for

    answer = client.post(address("auth_user", "change", clerk.pk), form)

    entry = the_entry("change_user")
    assert answer.status_code == 302
    assert (entry.object_kind, entry.object_id) == ("user", str(clerk.pk))
    assert (entry.before["groups"], entry.after["groups"]) == ([], ["Supervisor"])
    assert (entry.before["is_staff"], entry.after["is_staff"]) == (False, True)
    assert "North" in str(entry.after)


def test_nobody_gives_himself_a_role():
    user = a_member("Administrator")
    user.username = "boss"  # the form takes no spaces
    user.save()
    client = Client()
    client.force_login(user)
    supervisors = Group.objects.get(name="Supervisor")

    answer = client.post(address("auth_user", "change", user.pk), a_person(user, groups=[supervisors.pk]))

    assert answer.status_code == 302
    assert [group.name for group in user.groups.all()] == ["Administrator"]


def test_a_password_that_is_set_for_somebody_is_written_down():
    client, clerk = logged_in("Administrator"), User.objects.create_user("clerk")
    secret = "a long and quiet afternoon"

    refused = client.post(
        address("auth_user", "password_change", clerk.pk), {"password1": secret, "password2": "another"}
    )
    client.post(address("auth_user", "password_change", clerk.pk), {"password1": secret, "password2": secret})

    entry = the_entry("set_password_of_user")
    assert refused.status_code == 200
    assert (entry.object_id, entry.after) == (str(clerk.pk), {"of": "clerk"})
    clerk.refresh_from_db()
    assert clerk.check_password(secret)


def test_a_depot_its_windows_and_a_window_that_goes_are_written_down():
    client, depot = logged_in("Supervisor"), a_depot(name="North")
    day = timezone.localdate() + timedelta(days=3)
    kept, gone = a_slot(depot, day), a_slot(depot, day, start=14, end=17)
    window = {"depot": depot.pk, "date": day.isoformat(), "capacity": 9}
    form = {"name": "North", "city": "Thika", "country": "KE", "time_zone": "Africa/Nairobi"}
    form |= rows(
        "slots",
        window | {"id": kept.pk, "window_start": "09:00", "window_end": "12:00"},
        window | {"id": gone.pk, "window_start": "14:00", "window_end": "17:00", "DELETE": "on"},
        known=2,
    )

    client.post(address("shipments_depot", "change", depot.pk), form)

    entry = the_entry("change_depot")
    assert DeliverySlot.objects.get().capacity == 9
    assert (entry.before["city"], entry.after["city"]) == ("Nairobi", "Thika")
    assert (entry.before[str(kept)], entry.after[str(kept)]) == ({"capacity": 5}, {"capacity": 9})
    assert entry.after[str(gone)] == "deleted"


def test_a_holiday_is_written_down_from_its_first_day_to_its_last():
    client = logged_in("Supervisor")
    form = {"country": "KE", "date": "2026-12-12", "name": "Jamhuri Day"}

    client.post(address("shipments_holiday", "add"), form)
    holiday = Holiday.objects.get()
    client.post(address("shipments_holiday", "change", holiday.pk), form)
    client.post(address("shipments_holiday", "delete", holiday.pk), {"post": "yes"})
    again = Holiday.objects.create(country="KE", date="2026-12-12", name="Jamhuri Day")
    chosen = {"action": "delete_selected", "_selected_action": [again.pk], "post": "yes"}
    client.post(address("shipments_holiday", "changelist"), chosen)

    verbs = list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True))
    assert verbs == ["add_holiday", "delete_holiday", "delete_holiday"]
    assert the_entry("add_holiday").after["name"] == "Jamhuri Day"
    assert not Holiday.objects.exists()


def test_a_riders_new_number_and_pin_are_written_down_and_neither_is_told():
    client, driver = logged_in("Supervisor"), Driver.objects.create(name="Sample Rider", phone=AMINA)
    form = {"name": "Sample Rider", "phone": "0700 000 002", "on_shift": "on", "shift_pin": "9081"}

    client.post(address("shipments_driver", "change", driver.pk), form | rows("stops"))

    entry = the_entry("change_driver")
    driver.refresh_from_db()
    assert driver.phone == BRIAN
    assert entry.before == {"on_shift": False}
    assert entry.after == {
        "of": "Sample Rider",
        "on_shift": True,
        "phone": "set anew",
        "shift_pin": "set anew",
    }


def test_a_rider_without_a_new_number_keeps_the_old_one():
    client, driver = logged_in("Supervisor"), Driver.objects.create(name="Sample Rider", phone=AMINA)

    page = address("shipments_driver", "change", driver.pk)
    client.post(page, {"name": "Sample Rider", "phone": ""} | rows("stops"))
    refused = client.post(page, {"name": "Other", "phone": "home"} | rows("stops"))

    driver.refresh_from_db()
    assert (driver.name, driver.phone) == ("Sample Rider", AMINA)
    assert "That is no telephone number." in refused.content.decode()
    assert not AuditEntry.objects.exists()


# The calls that we place


@pytest.fixture
def planned() -> OutboundCall:
    """Return a call that is planned about a parcel of a depot."""
    corner = a_corner(AMINA, "Amina")
    now = timezone.now()
    dialing.plan(corner.parcel, "callback", by="mary", now=now, asked_at=now)
    return OutboundCall.objects.get()


def chosen(action: str, *calls: OutboundCall, **more: str) -> dict[str, Any]:
    return {"action": action, "_selected_action": [call.pk for call in calls]} | more


def test_a_call_that_the_desk_orders_is_written_down_with_what_the_gate_said(planned):
    client, parcel = logged_in("Supervisor"), planned.shipment
    asked = {"purpose": "eta", "_form_submitted": "True"}
    many = {"action": "_call_customers", "_selected_action": [parcel.pk], "confirmed": "1"}

    client.post(address("shipments_shipment", "call_customer", parcel.pk), asked)
    client.post(address("shipments_shipment", "changelist"), many | {"purpose": "callback"})

    entries = AuditEntry.objects.filter(verb="order_call").order_by("pk")
    assert [(one.object_id, one.after) for one in entries] == [
        (parcel.tracking_id, {"purpose": "eta", "planned": False}),
        (parcel.tracking_id, {"purpose": "callback", "planned": True}),
    ]
    assert {one.actor for one in entries} == {User.objects.latest("pk").username}


def test_a_call_that_is_taken_off_the_plan_is_written_down_once(planned):
    client = logged_in("Supervisor")

    for _ in range(2):
        client.post(address("voice_outboundcall", "changelist"), chosen("cancel", planned))

    entry = the_entry("cancel_call")
    planned.refresh_from_db()
    assert planned.state == DialState.CANCELLED
    assert (entry.object_id, entry.before["state"], entry.after) == (
        planned.shipment.tracking_id,
        "planned",
        {"state": "cancelled"},
    )


@pytest.mark.parametrize(("action", "rang"), [("it_rang", True), ("it_did_not_ring", False)])
def test_what_somebody_says_of_a_lost_call_is_written_down(planned, action, rang):
    OutboundCall.objects.update(state=DialState.UNKNOWN)

    logged_in("Supervisor").post(address("voice_outboundcall", "changelist"), chosen(action, planned))

    entry = the_entry("decide_call")
    assert (entry.object_id, entry.after) == (planned.shipment.tracking_id, {"rang": rang})


def test_who_stops_and_resumes_all_dialling_is_written_down():
    client = logged_in("Supervisor")

    for verb, reason in (("pause_dialling", "Storm."), ("resume_dialling", "")) * 2:
        order = {"reason": reason, "seen": str(dialing.switch().changed_at)}
        client.post(address("voice_outboundcall", verb), order)

    entries = AuditEntry.objects.order_by("pk").values_list("verb", "after")
    assert (
        list(entries)
        == [
            ("pause_dialling", {"paused": True, "reason": "Storm."}),
            ("resume_dialling", {"paused": False, "reason": ""}),
        ]
        * 2
    )
