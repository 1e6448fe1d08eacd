"""Those who keep the riders up start a shift and plan a round; nobody is shown a PIN."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from shipments.riders import Driver, Stop
from tests.shipments.builders import a_depot, a_parcel
from tests.staff import a_member

pytestmark = pytest.mark.django_db


def page(driver) -> str:
    return reverse("admin:shipments_driver_change", args=[driver.pk])


def logged_in(role, *depots) -> Client:
    client = Client()
    client.force_login(a_member(role, *depots))
    return client


def a_form(pin="", **stop) -> dict[str, object]:
    rows = {"stops-TOTAL_FORMS": len(stop) and 1, "stops-INITIAL_FORMS": 0}
    rows |= {f"stops-0-{name}": value for name, value in stop.items()}
    return {"name": "Sample Rider", "phone": "+254700000090", "on_shift": "on", "shift_pin": pin} | rows


def test_a_supervisor_starts_a_shift_and_plans_a_round():
    driver, parcel = Driver.objects.create(name="Sample Rider"), a_parcel()

    answer = logged_in("Supervisor").post(
        page(driver), a_form("9081", date=timezone.localdate().isoformat(), position=1, shipment=parcel.pk)
    )

    driver.refresh_from_db()
    assert answer.status_code == 302
    assert driver.is_shift_pin("9081")
    assert Stop.objects.get().shipment == parcel


@pytest.mark.parametrize("pin", ["12", "1234567", "12a4", "١٢٣٤"])
def test_what_is_no_pin_is_refused_and_an_empty_field_keeps_the_old_one(pin):
    driver = Driver(name="Sample Rider")
    driver.set_shift_pin("9081")
    driver.save()
    client = logged_in("Supervisor")

    refused = client.post(page(driver), a_form(pin))
    kept = client.post(page(driver), a_form())

    driver.refresh_from_db()
    assert "A PIN is four to six digits." in refused.content.decode()
    assert kept.status_code == 302
    assert driver.is_shift_pin("9081")


def test_a_dispatcher_sees_the_stops_of_his_depots_and_changes_none():
    mine, theirs = a_depot(), a_depot()
    driver = Driver.objects.create(name="Sample Rider")
    for position, depot in enumerate((mine, theirs), start=1):
        parcel = a_parcel(depot=depot, tracking_id=f"KM-{depot.pk}-STOP")
        Stop.objects.create(driver=driver, shipment=parcel, date=timezone.localdate(), position=position)
    client = logged_in("Dispatcher", mine)

    shown = client.get(page(driver)).content.decode()

    assert f"KM-{mine.pk}-STOP" in shown
    assert f"KM-{theirs.pk}-STOP" not in shown
    assert client.post(page(driver), a_form("9081")).status_code == 403
