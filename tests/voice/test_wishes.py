"""What only who knows the delivery code may have: each proposed, read back, and carried out once."""

import pytest
from django.utils import timezone

from shipments import decisions
from shipments.audit import AuditEntry
from shipments.messages import OutgoingMessage
from shipments.models import DeliveryChange
from shipments.statuses import ChangeState, Status, Substatus
from tests.dialled import planned
from tests.shipments.builders import AMINA, BRIAN, CALL, a_depot, a_parcel, staff
from voice import tools
from voice.statuses import DialState

pytestmark = pytest.mark.django_db

CALLER, STRANGER = tools.Caller(CALL, AMINA), tools.Caller("another-call", BRIAN)
PLACE = {
    "landmark": "behind the Weaver school",
    "directions": "second gate, green door",
    "line1": "3 Test Road",
}
WISHES = [
    ("prepare_address_change", PLACE, "confirm_address_change"),
    ("hold_for_pickup", {}, "confirm_hold_for_pickup"),
    ("authorise_neighbour", {"neighbour": "Joy, door 4"}, "confirm_neighbour"),
    ("refuse_delivery", {}, "confirm_refusal"),
]


def run(name, args=None, caller=CALLER):
    return tools.run(name, args or {}, caller, tools.business_key(name, args))


def a_coded_parcel(**fields):
    parcel = a_parcel(depot=a_depot(), **fields)
    parcel.set_pin("4711")
    parcel.save()
    return parcel


def proposed(prepare, args):
    run("submit_pin", {"pin": "4711"})
    return run(prepare, args)


@pytest.mark.parametrize(("prepare", "args", "confirm"), WISHES)
def test_a_wish_is_read_back_carried_out_once_audited_once_and_told(prepare, args, confirm):
    parcel = a_coded_parcel()

    asked = proposed(prepare, args)
    parcel.refresh_from_db()
    assert (asked["status"], parcel.version) == ("ok", 1)
    change_id = {"change_id": asked["data"]["change_id"]}
    first, again = run(confirm, change_id), run(confirm, change_id)

    parcel.refresh_from_db()
    assert first == again
    assert (first["data"]["state"], parcel.version) == ("applied", 2)
    assert DeliveryChange.objects.get().verification_level == "L2"
    assert AuditEntry.objects.filter(verb__startswith="confirm_").count() == 1
    assert OutgoingMessage.objects.get().number == AMINA


@pytest.mark.parametrize(("prepare", "args", "confirm"), WISHES)
def test_without_the_code_nothing_of_it_is_proposed_or_confirmed(prepare, args, confirm):
    a_coded_parcel()

    answers = [run(prepare, args), run(confirm, {"change_id": "0"}), run(prepare, args, STRANGER)]

    assert [answer["status"] for answer in answers] == ["refused", "refused", "not_found"]
    assert not DeliveryChange.objects.exists()


@pytest.mark.parametrize(("prepare", "args", "confirm"), WISHES)
def test_a14_a_wish_for_what_a_rider_has_with_him_waits_and_leaves_the_parcel_untouched(
    prepare, args, confirm
):
    parcel = a_coded_parcel(status=Status.OUT_FOR_DELIVERY)

    asked = proposed(prepare, args)
    done = run(confirm, {"change_id": asked["data"]["change_id"]})

    address = parcel.address_id
    parcel.refresh_from_db()
    assert "dispatcher" in str(asked["message"])
    assert done["data"]["state"] == "needs_approval"
    assert (parcel.version, parcel.address_id, parcel.status) == (1, address, Status.OUT_FOR_DELIVERY)
    decisions.decide_change(
        ref=asked["data"]["change_id"], approve=True, by=staff("dana"), reason="As agreed", now=timezone.now()
    )
    parcel.refresh_from_db()
    assert (parcel.version, DeliveryChange.objects.get().state) == (2, ChangeState.APPLIED)


def test_another_place_is_read_back_in_full_and_the_old_one_is_kept():
    parcel = a_coded_parcel()
    old = parcel.address

    asked = proposed("prepare_address_change", PLACE)
    run("confirm_address_change", {"change_id": asked["data"]["change_id"]})

    parcel.refresh_from_db()
    old.refresh_from_db()
    assert all(part in str(asked["message"]) for part in PLACE.values())
    assert (parcel.address.landmark, parcel.address.city) == (PLACE["landmark"], "Nairobi")
    assert (old.landmark, parcel.address_id != old.pk) == ("opposite the Sunbird petrol station", True)
    assert DeliveryChange.objects.get().previous["landmark"] == old.landmark
    assert parcel.events.filter(substatus=Substatus.FORWARDED).count() == 1


def test_a_proposal_of_one_kind_is_not_confirmed_as_another():
    a_coded_parcel()
    asked = proposed("hold_for_pickup", {})

    answer = run("confirm_refusal", {"change_id": asked["data"]["change_id"]})

    assert answer["data"]["code"] == "no_proposal"


def test_a_parcel_that_is_refused_is_not_delivered():
    parcel = a_coded_parcel()

    asked = proposed("refuse_delivery", {})
    run("confirm_refusal", {"change_id": asked["data"]["change_id"]})

    parcel.refresh_from_db()
    assert (parcel.status, parcel.substatus, parcel.slot) == (Status.EXCEPTION, Substatus.REFUSED, None)


def test_what_went_wrong_is_noted_for_who_it_is_for():
    parcel = a_parcel(tracking_id="KM4279")

    own, foreign = (
        run("report_problem", {"kind": "damaged"}),
        run("report_problem", {"kind": "damaged", "tracking_id": "KM4279"}, STRANGER),
    )

    assert (own["status"], foreign["status"]) == ("ok", "not_found")
    assert parcel.events.open_problems().count() == 1


def test_who_reports_without_a_number_is_noted_and_hears_nothing_of_the_parcel():
    parcel = a_parcel(tracking_id="KM4279", status=Status.DELIVERED)

    nobody = tools.Caller("third", "", claimed=AMINA)
    known, unknown = (
        run("report_problem", {"kind": "damaged", "tracking_id": said}, nobody)
        for said in ("KM4279", "KM9999")
    )
    unnamed = run("report_problem", {"kind": "damaged"}, nobody)

    assert known == unknown
    assert (known["status"], known["data"]) == ("refused", {"code": "noted"})
    assert unnamed["status"] == "not_found"
    assert not parcel.events.open_problems()


def test_who_wants_no_calls_is_forgotten_by_what_is_planned_at_once():
    row = planned()

    run("opt_out")

    row.refresh_from_db()
    assert row.state == DialState.SUPPRESSED
