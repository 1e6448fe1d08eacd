"""Whatever page of the desk shows a text: telephone numbers in it show their last digits."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from shipments.audit import AuditEntry
from shipments.models import Address, DeliveryChange, TrackingEvent
from shipments.riders import Driver
from shipments.statuses import Source
from tests.shipments.builders import AMINA, BRIAN
from tests.staff import a_corner, a_member
from voice.models import Call, ToolRun, Turn

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
TYPED = f"Ring my brother on {BRIAN} or 0700 000 002 then"
SPELLINGS = (AMINA, BRIAN, "0700 000 002")


def logged_in(role, *depots) -> Client:
    client = Client()
    client.force_login(a_member(role, *depots))
    return client


@pytest.fixture
def corner():
    """Return a depot with one of everything, and a number in every text that somebody said or typed."""
    made = a_corner(AMINA, "Amina")
    TrackingEvent.objects.create(
        shipment=made.parcel,
        occurred_at=timezone.now(),
        status=made.parcel.status,
        description=TYPED,
        source=Source.DISPATCHER,
        idempotency_key="problem:1",
    )
    DeliveryChange.objects.update(read_back=TYPED, decision_reason=TYPED)
    Address.objects.update(landmark=TYPED, directions=TYPED, gate_notes=TYPED, building=TYPED)
    Turn.objects.update(text=TYPED)
    ToolRun.objects.update(arguments={"summary": TYPED}, result={"message": TYPED, "data": {"said": TYPED}})
    Call.objects.update(context=[{"name": f"Amina {AMINA}"}])
    return made


@pytest.mark.parametrize("role", ["Dispatcher", "Supervisor", "Administrator"])
def test_no_page_shows_a_number_that_somebody_typed_or_said(corner, role):
    client = logged_in(role, corner.depot)
    rows = {
        "shipments_shipment": corner.parcel,
        "shipments_address": corner.parcel.address,
        "shipments_deliverychange": corner.change,
        "voice_call": corner.call,
        "voice_callbackrequest": corner.asked,
    }
    pages = [reverse(f"admin:{name}_change", args=[row.pk]) for name, row in rows.items()]
    pages += [reverse(f"admin:{name}_changelist") for name in rows] + [reverse("worklist")]
    dialogs = [reverse(f"admin:shipments_shipment_{name}", args=[corner.parcel.pk]) for name in ("hold",)]

    shown = {page: client.get(page).content.decode() for page in [*pages, *dialogs]}

    told = {page: number for page, text in shown.items() for number in SPELLINGS if number in text}
    assert told == {}
    assert "Ring my brother on" in shown[pages[0]]
    assert ("Ring my brother on" in shown[pages[3]]) == (role == "Supervisor")
    assert "Amina ••• 001" in shown[pages[3]]


@pytest.mark.parametrize("role", ["Dispatcher", "Supervisor", "Administrator"])
def test_a_riders_number_is_masked(role):
    driver = Driver.objects.create(name="Sample Rider", phone=AMINA)
    client = logged_in(role)

    pages = (
        reverse("admin:shipments_driver_changelist"),
        reverse("admin:shipments_driver_change", args=[driver.pk]),
    )
    shown = [client.get(page).content.decode() for page in pages]

    assert [("••• 001" in text, AMINA in text) for text in shown] == [(True, False)] * 2


def test_a_riders_number_is_shown_to_a_supervisor_who_says_why_and_it_is_written_down():
    driver = Driver.objects.create(name="Sample Rider", phone=AMINA)
    client = logged_in("Supervisor")
    address = reverse("admin:shipments_driver_show_number", args=[driver.pk])

    client.post(address, {"reason": "He does not move", "_form_submitted": "True"})
    shown = client.get(reverse("admin:shipments_driver_change", args=[driver.pk])).content.decode()

    entry = AuditEntry.objects.get(verb="reveal_number")
    assert AMINA in shown
    assert (entry.object_kind, entry.object_id) == ("driver", str(driver.pk))
    assert AMINA not in f"{entry.before}{entry.after}"
