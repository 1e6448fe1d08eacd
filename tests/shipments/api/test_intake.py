"""What a system sends is taken in once and whole, or refused with what is wrong and where."""

import pytest

from shipments.clients import Scope
from shipments.models import Shipment
from tests.clients import System
from tests.shipments.builders import AMINA
from tests.shipments.test_intake import a_row

pytestmark = pytest.mark.django_db


def test_a_parcel_is_created_once_and_answered_alike():
    system = System()

    answers = [system.post("shipments", a_row()) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["phone"] == AMINA
    assert Shipment.objects.count() == 1


def test_what_is_answered_can_be_sent_back():
    system = System()
    answered = system.post("shipments", a_row(promised_start=None)).json()

    known = {name: answered[name] for name in a_row()}

    assert system.post("shipments", known | {"phone": AMINA}).status_code == 200


def test_another_body_under_the_same_reference_is_a_conflict():
    system = System()
    system.post("shipments", a_row())

    answer = system.post("shipments", a_row(landmark="by the kiosk"))

    assert answer.status_code == 409
    assert answer.json() == {
        "code": "reference_taken",
        "detail": "This tracking id is taken by a parcel with other details.",
        "retryable": False,
        "offers": [],
    }


def test_a_client_that_may_only_read_writes_nothing():
    reader = System(Scope.SHIPMENTS_READ)

    answers = [reader.post("shipments", a_row()), reader.post("shipments/bulk", {"shipments": [a_row()]})]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert not Shipment.objects.exists()


def test_a_batch_says_what_became_of_each_row():
    system = System()
    system.post("shipments", a_row())

    body = system.post("shipments/bulk", {"shipments": [a_row(), a_row(tracking_id="EX-2")]}).json()

    assert body == {
        "created": 1,
        "updated": 0,
        "unchanged": 1,
        "results": [
            {"row": 1, "tracking_id": "EX-1001", "result": "unchanged", "kept": []},
            {"row": 2, "tracking_id": "EX-2", "result": "created", "kept": []},
        ],
    }


def test_a_batch_with_a_wrong_row_is_refused_whole_with_its_number():
    answer = System().post("shipments/bulk", {"shipments": [a_row(), a_row(tracking_id="EX-2", phone="x")]})

    assert answer.status_code == 400
    assert answer.json() == {
        "code": "rows_refused",
        "detail": "Some rows cannot be taken, so none was.",
        "errors": [{"row": 2, "field": "phone", "message": "That is no telephone number."}],
    }
    assert not Shipment.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"shipments": []}, 400),
        ({"shipments": [{}] * 1_001}, 400),
        ({"shipments": {}}, 400),
        ({"parcels": []}, 400),
        ([], 400),
        ("[" * 100_000, 400),
        ('{"shipments": NaN}', 400),
        (b"\xff\xfe", 400),
        ("", 400),
        (" " * 4_194_305, 413),
    ],
)
def test_a_body_that_makes_no_sense_is_refused(body, status):
    assert System().post("shipments/bulk", body).status_code == status


def test_another_kind_of_body_is_refused():
    system = System()

    answer = system._http.post("/api/v1/shipments", "a,b", content_type="text/csv")

    assert answer.status_code == 415


def test_a_bound_client_writes_for_its_shipper():
    system = System(shipper="Example Books")

    named = system.post("shipments", a_row(tracking_id="EX-1"))
    unnamed = system.post("shipments", a_row(tracking_id="EX-2", shipper=""))
    other = system.post("shipments", a_row(tracking_id="EX-3", shipper="Sample Shoes"))

    assert [named.status_code, unnamed.status_code, other.status_code] == [201, 201, 400]
    assert set(Shipment.objects.values_list("shipper", flat=True)) == {"Example Books"}
