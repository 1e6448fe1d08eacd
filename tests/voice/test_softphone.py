"""A member of staff who rings the agent from a browser plays demo people, and reaches nothing real."""

from datetime import timedelta
from functools import partial

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from shipments import decisions
from shipments.audit import AuditEntry
from shipments.errors import OwnWishError
from shipments.messages import MessageState, OutgoingMessage, send_due
from shipments.models import DeliveryChange, Shipment
from shipments.notices import Notice
from shipments.personas import personas
from shipments.riders import Driver
from shipments.spelling import names_an_id
from shipments.statuses import ChangeState, Status
from shipments.tracking import new_tracking_id
from tests.shipments.builders import AMINA, BRIAN, a_depot, a_parcel, a_slot
from tests.shipments.test_posting import an_endpoint
from tests.staff import a_member
from voice import calls, softphone, tools, trust
from voice.admission import GATE
from voice.errors import NotRungError
from voice.levels import Level, Proof
from voice.models import Call, CallbackRequest, OutboundCall
from voice.records import Ending
from voice.statuses import CallStatus, DialState, EndedReason

pytestmark = pytest.mark.django_db
PAGE = "/admin/softphone/"
GRACE = "+254700000005"


@pytest.fixture
def mary():
    return a_member("Supervisor")


def an_id() -> str:
    """Return an id of our making that is heard as one: with digits in it."""
    return next(filter(names_an_id, iter(new_tracking_id, "")))


def a_demo_parcel(phone=AMINA, **fields) -> Shipment:
    return a_parcel(phone, is_demo=True, **fields)


def a_real_parcel(phone=BRIAN, **fields) -> Shipment:
    """Return a parcel with an id of our making: anybody who names it hears its coarse state."""
    return a_parcel(phone, **{"tracking_id": an_id(), "minted": True} | fields)


def rung(by, name="Amina Sample") -> calls.Opening:
    key = next(one.key for one in personas(by) if one.name == name)
    return softphone.ring(key, by=by, now=timezone.now())


def answered(opening: calls.Opening) -> calls.CallFacts:
    facts = calls.accept_stream(opening.token, now=timezone.now())
    assert facts is not None
    return facts


def done(facts: calls.CallFacts, name: str, **args: str) -> dict:
    return tools.run(name, args, trust.caller_of(facts.call_id), f"{name} {args}")


# Who may, and whom he may be


@pytest.mark.parametrize(
    ("role", "status"), [("Dispatcher", 403), ("Supervisor", 200), ("Administrator", 200)]
)
def test_d1_the_agent_is_rung_by_supervisors_and_administrators(role, status):
    parcel, depot = a_demo_parcel(), a_depot()
    client = Client()
    client.force_login(a_member(role, depot))

    answer = client.post(PAGE, {"persona": f"customer-{parcel.pk}"})

    assert answer.status_code == status
    assert Call.objects.exists() == (status == 200)


def test_who_is_not_logged_in_or_sends_no_proof_of_the_page_rings_nobody(mary):
    parcel = a_demo_parcel()
    careful = Client(enforce_csrf_checks=True)
    stranger = Client().post(PAGE, {"persona": f"customer-{parcel.pk}"})
    careful.force_login(mary)

    forged = careful.post(PAGE, {"persona": f"customer-{parcel.pk}"})

    assert (stranger.status_code, forged.status_code) == (302, 403)
    assert not Call.objects.exists()


@pytest.mark.parametrize(
    ("role", "status"), [("Dispatcher", 403), ("Supervisor", 200), ("Administrator", 200)]
)
def test_the_page_and_the_way_to_it_are_there_for_those_roles(role, status):
    client = Client()
    client.force_login(a_member(role))

    page, desk = client.get(PAGE), client.get(reverse("admin:index"))

    assert page.status_code == status
    assert (PAGE in desk.content.decode()) == (status == 200)


def test_the_page_names_whom_one_may_be_and_no_number(mary, django_assert_max_num_queries):
    parcel = a_demo_parcel(tracking_id="KM-4279")
    a_real_parcel(recipient_name="Brian Real")
    client = Client()
    client.force_login(mary)

    with django_assert_max_num_queries(10):
        shown = client.get(PAGE).content.decode()

    assert f'value="customer-{parcel.pk}"' in shown
    assert "KM-4279" in shown
    assert AMINA not in shown
    assert "Brian Real" not in shown


def test_without_a_demo_parcel_the_page_says_how_to_get_some(mary):
    client = Client()
    client.force_login(mary)

    shown = client.get(PAGE).content.decode()

    assert "seed_demo" in shown
    assert "<select name=" not in shown


def test_whom_one_may_be_are_the_demo_customers_and_their_drivers(mary):
    rider = Driver.objects.create(name="Demo rider", phone=GRACE)
    own = a_demo_parcel(driver=rider), a_demo_parcel()
    real_rider = Driver.objects.create(name="Real rider", phone="+254700000008")
    a_demo_parcel("+254700000006", driver=real_rider, recipient_name="Peter Sample")
    a_real_parcel(driver=real_rider)
    a_demo_parcel("")

    offered = personas(mary)

    assert [(one.part, one.name) for one in offered] == [
        ("customer", "Amina Sample"),
        ("customer", "Peter Sample"),
        ("driver", "Demo rider"),
    ]
    assert offered[0].parcels == own


@pytest.mark.parametrize("wrong", ["", "customer-", AMINA, BRIAN, "customer-{real}", "driver-{real}"])
def test_nobody_real_may_be_played(mary, wrong):
    a_demo_parcel()
    real = a_real_parcel()
    client = Client()
    client.force_login(mary)

    answer = client.post(PAGE, {"persona": wrong.format(real=real.pk)})

    assert answer.status_code == 409
    assert "demonstration" in answer.json()["error"]
    assert not Call.objects.exists()


def test_a_number_that_a_real_parcel_has_too_is_nobodys_to_play_with(mary):
    rider = Driver.objects.create(name="Demo rider", phone=BRIAN)
    a_demo_parcel(AMINA)
    a_demo_parcel("+254700000006", driver=rider, recipient_name="Peter Sample")
    a_real_parcel(AMINA)
    a_real_parcel(BRIAN)

    assert [one.name for one in personas(mary)] == ["Peter Sample"]


# The call


def test_a_test_call_is_marked_and_proved_and_opens_with_the_demo_parcel(mary):
    parcel = a_demo_parcel()
    client = Client()
    client.force_login(mary)

    answer = client.post(PAGE, {"persona": f"customer-{parcel.pk}"}).json()

    call = Call.objects.get()
    assert answer["stream"].startswith("/audio/")
    assert answer["page"] == reverse("admin:voice_call_change", args=[call.pk])
    assert (call.tester, call.customer_number, call.shipment) == (mary, AMINA, parcel)
    assert (call.proof, call.level) == (Proof.STAFF, Level.L1)
    assert len(call.context) == 1
    entry = AuditEntry.objects.get(verb="place_test_call")
    assert (entry.actor, entry.object_id) == (mary.get_username(), call.public_id)


def test_its_token_opens_one_stream_and_not_for_long(mary, settings):
    a_demo_parcel()
    opening, late = rung(mary), rung(mary)
    now = timezone.now()

    first, second = (calls.accept_stream(opening.token, now=now) for _ in range(2))
    expired = calls.accept_stream(late.token, now=now + timedelta(seconds=settings.STREAM_TOKEN_S + 1))

    assert first is not None
    assert first.is_test
    assert second is None
    assert expired is None


def test_no_test_call_begins_when_no_call_is_taken(mary, monkeypatch):
    a_demo_parcel()
    monkeypatch.setattr(GATE, "draining", True)

    with pytest.raises(NotRungError, match="about to stop"):
        rung(mary)

    assert not Call.objects.exists()


def test_a_driver_of_the_demonstration_is_known_by_his_number_and_has_no_parcel(mary):
    a_demo_parcel(driver=Driver.objects.create(name="Demo rider", phone=GRACE))

    facts = answered(rung(mary, "Demo rider"))

    assert (facts.customer_number, facts.proved, facts.parcels) == (GRACE, True, ())
    assert done(facts, "list_my_shipments")["status"] == "not_found"


# The fence


def test_a_test_call_reaches_its_demo_parcel_and_another_demo_parcel_by_its_id(mary):
    a_demo_parcel(tracking_id="KM-4279")
    other = a_demo_parcel("+254700000006", recipient_name="Peter Sample", tracking_id=an_id(), minted=True)
    facts = answered(rung(mary))

    own = done(facts, "track_shipment", tracking_id="KM-4279")
    coarse = done(facts, "track_shipment", tracking_id=other.tracking_id)

    assert own["status"] == "ok"
    assert "4 2 7 9" in own["message"]
    assert coarse["data"] == {"state": "with_our_team"}


@pytest.mark.parametrize(
    ("tool", "more"),
    [
        ("track_shipment", {}),
        ("offer_slots", {}),
        ("prepare_reschedule", {"day": "Friday"}),
        ("confirm_address", {"said": "Jacaranda Court"}),
        ("submit_pin", {"pin": "4711"}),
        ("report_problem", {"kind": "damaged"}),
        ("hold_for_pickup", {}),
    ],
)
def test_a_real_parcel_is_not_there_for_a_test_call_whatever_is_asked_of_it(mary, tool, more):
    a_demo_parcel()
    real, unknown = a_real_parcel(), an_id()
    facts = answered(rung(mary))

    named = done(facts, tool, tracking_id=real.tracking_id, **more)
    nobodys = done(facts, tool, tracking_id=unknown, **more)

    assert named["status"] in ("not_found", "refused")
    assert named == nobodys


def test_who_names_two_right_facts_of_a_real_parcel_opens_nothing_in_a_test_call(mary):
    a_demo_parcel()
    real = a_real_parcel(recipient_name="Brian Sample", shipper="Model Fashion")
    facts = answered(rung(mary))
    fact = {"tracking_id": real.tracking_id}

    done(facts, "check_fact", **fact, kind="surname", value="Sample")
    second = done(facts, "check_fact", **fact, kind="sender", value="Model Fashion")

    assert (second["status"], second["data"]) == ("refused", {"code": "not_right"})


def test_a_real_parcel_that_comes_under_the_number_in_mid_call_is_not_listed_and_nothing_is_done_for_it(mary):
    a_demo_parcel(tracking_id="KM-4279")
    facts = answered(rung(mary))
    real = a_real_parcel(AMINA)

    listed = done(facts, "list_my_shipments")
    tracked = done(facts, "track_shipment", tracking_id=real.tracking_id)
    done(facts, "opt_out")

    assert listed["status"] == "refused"
    assert tracked["status"] == "not_found"
    assert not AuditEntry.objects.exclude(verb="place_test_call").exists()


def test_a_customers_call_reaches_what_it_always_did(mary):
    real = a_real_parcel()
    call = Call.objects.create(
        customer_number=BRIAN, proof=Proof.WORD, status=CallStatus.ANSWERED, created_at=timezone.now()
    )

    told = tools.run("track_shipment", {"tracking_id": real.tracking_id}, trust.caller_of(call.pk), "k")

    assert told["status"] == "ok"


# What comes of it


def proposed(mary, **fields) -> calls.CallFacts:
    """Move the demo parcel as a test call does: proposed, and agreed to."""
    day = timezone.localdate() + timedelta(days=3)
    parcel = a_demo_parcel(depot=a_slot(a_depot(), day).depot, **fields)
    facts = answered(rung(mary))
    told = done(facts, "prepare_reschedule", tracking_id=parcel.tracking_id, day=day.isoformat())
    done(facts, "confirm_reschedule", change_id=told["data"]["change_id"])
    return facts


def test_what_a_test_call_asks_for_its_maker_cannot_approve_and_another_can(mary):
    proposed(mary, status=Status.OUT_FOR_DELIVERY)
    change = DeliveryChange.objects.get()
    decide = partial(
        decisions.decide_change, ref=change.ref, approve=True, reason="It is a test", now=timezone.now()
    )

    with pytest.raises(OwnWishError):
        decide(by=mary)
    change.refresh_from_db()
    waiting = change.state
    decide(by=a_member("Supervisor"))

    change.refresh_from_db()
    assert (change.asker, change.requested_by) == (mary, mary.get_username())
    assert (waiting, change.state) == (ChangeState.NEEDS_APPROVAL, ChangeState.APPLIED)


class Sender:
    """Fails the test when it is handed anything."""

    def send(self, number: str, text: str, key: str) -> None:
        pytest.fail("a message of a demo parcel was sent")


def test_nobody_is_messaged_and_no_system_told_of_a_test_call(mary):
    an_endpoint()
    facts = proposed(mary)
    ending = Ending(EndedReason.CALLER_HANGUP, None, {}, {}, 60.0)
    calls.end_call(facts.call_id, ending, now=timezone.now())

    sent = send_due(timezone.now() + timedelta(minutes=1), sender=Sender())

    assert sent == 1
    assert OutgoingMessage.objects.get().state == MessageState.SENT
    assert not Notice.objects.exists()


def test_the_carrier_bills_nothing_of_a_test_call(mary, settings):
    settings.RATES = ({**settings.RATES[0], "inbound_kes_minor_per_min": 300},)
    a_demo_parcel()
    facts = answered(rung(mary))

    calls.end_call(facts.call_id, Ending(EndedReason.CALLER_HANGUP, None, {}, {}, 60.0), now=timezone.now())

    assert Call.objects.get().cost_kes_minor == 0


def test_nobody_real_is_rung_back_for_a_test_call(mary):
    a_demo_parcel()
    a_demo_parcel()
    done(answered(rung(mary)), "request_callback", summary="A person, please")
    a_real_parcel(AMINA, status=Status.OUT_FOR_DELIVERY)
    client = Client()
    client.force_login(mary)
    asked = CallbackRequest.objects.get()

    client.post(
        reverse("admin:voice_callbackrequest_changelist"),
        {"action": "call_back", "_selected_action": [asked.pk]},
    )

    planned = OutboundCall.objects.select_related("shipment")
    assert [(one.shipment.is_demo, one.state) for one in planned] in ([], [(True, DialState.SUPPRESSED)])


def test_who_is_to_be_rung_back_out_of_a_test_call_is_marked_so_on_the_worklist(mary):
    a_demo_parcel()
    done(answered(rung(mary)), "request_callback", summary="A person, please")
    client = Client()
    client.force_login(mary)

    shown = client.get(reverse("worklist")).content.decode()

    assert CallbackRequest.objects.get().number == AMINA
    assert "in a test call" in shown
