"""A system tells where a parcel is, and moves it by the rules of the telephone."""

from datetime import timedelta

import pytest
from django.utils import timezone

from shipments.audit import AuditEntry
from shipments.clients import Scope
from shipments.depots import DeliverySlot
from shipments.models import DeliveryChange
from shipments.statuses import Status
from tests.clients import System
from tests.shipments.builders import a_depot, a_parcel, a_slot
from tests.shipments.test_intake import a_row

pytestmark = pytest.mark.django_db


@pytest.fixture
def day():
    return timezone.localdate() + timedelta(days=3)


@pytest.fixture
def parcel(day):
    depot = a_depot()
    a_slot(depot, day, 9, 12)
    a_slot(depot, day, 14, 17, capacity=1, booked=1)
    return a_parcel(depot=depot)


def test_a_status_is_told_and_answered_with_the_parcel(parcel):
    body = {"status": "out_for_delivery", "occurred_at": timezone.now().isoformat(), "event_id": "s-1"}
    system = System()

    first, again = (system.patch(f"shipments/{parcel.tracking_id}/status", body) for _ in range(2))

    assert (first.status_code, first.json()["effect"]) == (200, "moved")
    assert first.json()["parcel"]["status"] == "out_for_delivery"
    assert (again.status_code, again.json()["effect"]) == (200, "repeated")


def test_a_scan_from_before_a_parcel_was_announced_moves_it_all_the_same():
    system, seen = System(), timezone.now() - timedelta(minutes=5)
    system.post("shipments", a_row())
    later = {"status": "in_transit", "occurred_at": seen.isoformat()}
    earlier = {"status": "info_received", "occurred_at": (seen - timedelta(minutes=1)).isoformat()}

    moved, late = (system.patch("shipments/EX-1001/status", body) for body in (later, earlier))

    assert (moved.json()["effect"], late.json()["effect"]) == ("moved", "late")
    assert late.json()["parcel"]["status"] == "in_transit"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"occurred_at": "2999-01-01T00:00:00Z"}, "occurred_at"),
        ({"status": "lost"}, "status"),
        ({"reason": "rain"}, "reason"),
        ({"stauts": "delivered"}, "stauts"),
    ],
)
def test_a_status_that_cannot_be_is_refused(parcel, change, field):
    body = {"status": "delivered", "occurred_at": timezone.now().isoformat()} | change

    answer = System().patch(f"shipments/{parcel.tracking_id}/status", body)

    assert answer.status_code == 400
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


def test_a_move_that_is_none_is_a_conflict(parcel):
    system = System()
    for status, expected in (("delivered", 200), ("in_transit", 409)):
        body = {"status": status, "occurred_at": timezone.now().isoformat()}
        answer = system.patch(f"shipments/{parcel.tracking_id}/status", body)
        assert answer.status_code == expected

    assert answer.json()["code"] == "illegal_move"


def test_a_parcel_is_moved_once_and_answered_twice(parcel, day):
    system, wish = System(), {"day": day.isoformat(), "window": "morning", "request_id": "w-1"}

    first, again = (system.post(f"shipments/{parcel.tracking_id}/reschedule", wish) for _ in range(2))

    parcel.refresh_from_db()
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert first.json()["state"] == "applied"
    assert first.json()["sentence"].startswith("The parcel comes ")
    assert (parcel.version, parcel.slot.booked) == (2, 1)
    assert AuditEntry.objects.get(verb="reschedule").actor == "api warehouse"


def test_a_refusal_has_its_sentence_and_what_is_possible_instead(parcel, day):
    wish = {"day": day.isoformat(), "window": "14:00-17:00", "request_id": "w-1"}

    answer = System().post(f"shipments/{parcel.tracking_id}/reschedule", wish)

    body = answer.json()
    assert (answer.status_code, body["code"], body["retryable"]) == (409, "slot_full", True)
    assert body["detail"].startswith("That time has just been filled. I can offer ")
    assert len(body["offers"]) == 1
    assert not DeliverySlot.objects.filter(booked=2).exists()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"status": Status.DELIVERED}, "delivered"),
        ({"changes_allowed": False}, "shipper_forbids"),
        ({"attempts": 3}, "attempts_used"),
    ],
)
def test_the_rules_are_those_of_the_telephone(parcel, day, fields, code):
    for name, value in fields.items():
        setattr(parcel, name, value)
    parcel.save()

    answer = System().post(
        f"shipments/{parcel.tracking_id}/reschedule", {"day": day.isoformat(), "request_id": "w-1"}
    )

    assert (answer.status_code, answer.json()["code"]) == (409, code)


def test_what_is_on_the_road_is_asked_of_a_dispatcher(parcel, day):
    parcel.status = Status.OUT_FOR_DELIVERY
    parcel.save()

    answer = System().post(
        f"shipments/{parcel.tracking_id}/reschedule", {"day": day.isoformat(), "request_id": "w-1"}
    )

    assert answer.json()["state"] == "needs_approval"
    assert answer.json()["sentence"].startswith("A dispatcher decides on ")
    assert DeliveryChange.objects.get().requested_by == "api warehouse"


def test_a_stale_wish_is_refused(parcel, day):
    wish = {"day": day.isoformat(), "request_id": "w-1", "version": 7}

    answer = System().post(f"shipments/{parcel.tracking_id}/reschedule", wish)

    assert (answer.status_code, answer.json()["code"]) == (409, "stale_form")


@pytest.mark.parametrize("path", ["status", "reschedule", "calls"])
def test_another_shippers_parcel_is_not_there(parcel, path):
    system = System(shipper="Sample Shoes")
    send = system.patch if path == "status" else system.post

    body = {"status": "delivered", "occurred_at": timezone.now().isoformat()}
    bodies = {
        "status": body,
        "reschedule": {"day": "tomorrow", "request_id": "1"},
        "calls": {"purpose": "eta"},
    }

    assert send(f"shipments/{parcel.tracking_id}/{path}", bodies[path]).status_code == 404


def test_who_may_read_changes_nothing(parcel):
    reader = System(Scope.SHIPMENTS_READ, Scope.CALLS_READ)

    answers = [
        reader.patch(f"shipments/{parcel.tracking_id}/status", {}),
        reader.post(f"shipments/{parcel.tracking_id}/reschedule", {}),
        reader.post(f"shipments/{parcel.tracking_id}/calls", {}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
