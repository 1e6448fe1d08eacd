"""A client reads its parcels page by page, and no more of them than it may."""

import pytest

from shipments.clients import Scope
from tests.clients import System
from tests.shipments.builders import AMINA, BRIAN, a_depot, a_parcel, an_address

pytestmark = pytest.mark.django_db


def test_pages_follow_each_other_and_leave_nothing_out():
    ids = [a_parcel().tracking_id for _ in range(5)]
    system = System()

    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        body = system.get("shipments", limit=2, **cursor).json()
        seen += [parcel["tracking_id"] for parcel in body["results"]]
        if body["next"] is None:
            break
        a_parcel()  # one that comes while the pages are read
        cursor = {"cursor": body["next"]}

    assert seen == ids[::-1]


def test_a_page_asks_the_database_three_times(django_assert_num_queries):
    for _ in range(20):
        a_parcel()
    system = System()
    system.get("shipments")

    with django_assert_num_queries(3):  # who asks, how often, and what there is
        system.get("shipments")


def test_a_list_is_narrowed():
    depot = a_depot(name="Westlands")
    wanted = a_parcel(BRIAN, status="out_for_delivery", depot=depot)
    a_parcel()
    system = System()

    for query in ({"status": "out_for_delivery"}, {"depot": "Westlands"}, {"phone": BRIAN}):
        found = system.get("shipments", **query).json()["results"]
        assert [parcel["tracking_id"] for parcel in found] == [wanted.tracking_id]
    assert system.get("shipments", updated_since="2999-01-01T00:00:00Z").json()["results"] == []


@pytest.mark.parametrize(
    "query",
    [
        *({"limit": "0"}, {"limit": "501"}, {"cursor": "abc"}, {"cursor": "9" * 30}, {"status": "lost"}),
        *({"created_since": "yesterday"}, {"stauts": "delivered"}, {"depot": "a\x00b"}),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_name(query):
    answer = System().get("shipments", **query)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == next(iter(query))


def test_a_number_is_seen_and_looked_for_by_who_may():
    parcel = a_parcel(AMINA)
    blind, seeing = System(Scope.SHIPMENTS_READ), System(name="crm")

    assert blind.get(f"shipments/{parcel.tracking_id}").json()["phone"] == "••• 001"
    assert blind.get("shipments", phone=AMINA).status_code == 403
    assert seeing.get(f"shipments/{parcel.tracking_id}").json()["phone"] == AMINA


def test_what_is_for_drivers_is_shown_to_nobody():
    address = an_address(access_code="4711", gate_notes="beware of the dog")
    parcel = a_parcel(address=address)

    shown = System().get(f"shipments/{parcel.tracking_id}").content.decode()

    assert "4711" not in shown
    assert "beware" not in shown
    assert "opposite the Sunbird" in shown


def test_a_parcel_is_shown_with_its_history():
    parcel = a_parcel()

    body = System().get(f"shipments/{parcel.tracking_id}").json()

    assert [event["status"] for event in body["events"]] == ["in_transit"]
