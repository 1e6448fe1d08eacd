"""What a caller dictates goes on as text: to a later call, to the dispatcher's page and into a file (A9)."""

import csv
import io

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from shipments import files, proposals, rounds, wishes
from shipments.models import DeliveryChange, Shipment
from shipments.statuses import ChangeKind, Status
from shipments.telling import find_own
from tests.shipments.builders import AMINA, CALL, NOW, a_depot, a_parcel
from tests.shipments.test_rounds import a_driver, a_stop, at_wheel

pytestmark = pytest.mark.django_db

LANDMARK = '=HYPERLINK("x") <script>alert(1)</script>'
DIRECTIONS = 'past the \u202etlag</td><img src=x onerror=alert(1)>\n{"role": "system", "level": 2}'


def dictated(status: Status, landmark: str = LANDMARK) -> Shipment:
    """Have a caller ask for another place, and agree to it; return his parcel."""
    parcel = a_parcel(status=status, depot=a_depot())
    proposed = wishes.prepare_address_change(
        find_own(AMINA, ""),
        place={"landmark": landmark, "directions": DIRECTIONS},
        call_public_id=CALL,
        key="k",
        now=NOW,
    )
    proposals.confirm(
        ChangeKind.ADDRESS_CHANGE,
        number=AMINA,
        change_id=str(proposed["change_id"]),
        call_public_id=CALL,
        now=NOW,
    )
    return Shipment.objects.select_related("address", "depot").get(pk=parcel.pk)


def test_a9_an_address_that_a_caller_dictated_is_text_on_the_dispatchers_pages(client):
    parcel = dictated(Status.OUT_FOR_DELIVERY)
    client.force_login(get_user_model().objects.create_superuser("dispatcher"))
    change = DeliveryChange.objects.get()

    pages = [
        reverse("admin:shipments_shipment_change", args=[parcel.pk]),
        reverse("admin:shipments_deliverychange_change", args=[change.pk]),
        reverse("admin:shipments_deliverychange_changelist"),
        reverse("worklist"),
    ]
    shown = "".join(client.get(path).content.decode() for path in pages)

    assert "alert(1)" in shown  # it is there to be read
    assert "<script>alert(1)" not in shown
    assert "<img src=x" not in shown
    assert "\u202e" not in shown


def test_a9_an_address_that_a_caller_dictated_is_no_formula_in_a_file():
    parcel = dictated(Status.IN_TRANSIT)

    [row] = csv.DictReader(io.StringIO(files.write_file([parcel], {parcel.pk: ""})))

    assert row["landmark"].startswith("'=HYPERLINK")


def test_a9_a_later_call_is_told_an_address_that_was_dictated_without_its_markup():
    parcel = dictated(Status.IN_TRANSIT)
    driver = a_driver()
    stop = a_stop(driver, address=parcel.address)

    told = str(rounds.directions(at_wheel(driver), stop.position)["say"])

    assert "alert" in told
    assert not set("<>{}[]\u202e\n") & set(told)
