"""Whom the line could not serve the dialler rings back by itself; who asked for a person waits for one."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.urls import reverse

from shipments import contacts
from shipments.statuses import Status
from tests.dialled import Platform, dial
from tests.shipments.builders import AMINA, BRIAN, a_parcel
from tests.staff import a_member
from tests.voice.builders import NOW
from voice import callbacks, jobs, ringing_back
from voice.dial_rules import Now
from voice.levels import Proof
from voice.management.commands.place_calls import Command
from voice.models import Call, CallbackRequest, OutboundCall
from voice.statuses import CallbackReason, CallbackState, DialState, EndedReason, Purpose

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def _always(settings):
    settings.DIAL_HOURS, settings.DIAL_SUNDAY_FROM, settings.TIME_ZONE = (
        "00:00-24:00",
        "00:00",
        "Africa/Nairobi",
    )


def asked(
    reason: str = CallbackReason.NOT_ADMITTED, number: str = AMINA, proof: str = Proof.SIGNATURE, **fields
) -> CallbackRequest:
    """Have somebody rung back, as the line notes it when a call ends that it could not serve."""
    call = Call.objects.create(
        status="failed",
        ended_reason=EndedReason.CAPACITY,
        customer_number=number,
        proof=proof,
        created_at=NOW,
        ended_at=NOW,
        **fields,
    )
    callbacks.request(call_public_id=call.public_id, number="", reason=reason, summary="", now=NOW)
    return CallbackRequest.objects.get(call=call)


def planned() -> list[tuple[str, str, bool, str]]:
    return list(OutboundCall.objects.values_list("number", "purpose", "asked_for", "requested_by"))


@pytest.mark.parametrize("reason", CallbackReason.values)
def test_whom_the_line_failed_is_rung_back_by_it_and_who_wants_a_person_is_not(reason):
    a_parcel(status=Status.IN_TRANSIT)
    asked(reason)

    ringing_back.plan(now=LATER)

    is_ours = reason in ("not_admitted", "model_failure")
    assert planned() == [(AMINA, Purpose.CALLBACK, True, "rules")] * is_ours


def test_a_courier_may_have_the_agent_ring_everybody_or_nobody(settings):
    a_parcel(status=Status.IN_TRANSIT)
    asked(CallbackReason.ASKED)
    settings.DIAL_CALLBACKS = []
    assert ringing_back.plan(now=LATER) == []

    settings.DIAL_CALLBACKS = ["asked"]
    ringing_back.plan(now=LATER)

    assert planned() == [(AMINA, Purpose.CALLBACK, True, "rules")]


def test_one_request_is_one_call_however_often_it_is_looked_at():
    a_parcel(status=Status.IN_TRANSIT)
    asked()

    for minutes in range(3):
        ringing_back.plan(now=LATER + timedelta(minutes=minutes))
    OutboundCall.objects.update(state=DialState.FAILED)
    ringing_back.plan(now=LATER + timedelta(hours=1))

    assert len(planned()) == 1


def test_nobody_is_rung_before_the_time_that_he_was_told():
    a_parcel(status=Status.IN_TRANSIT)
    opens = NOW + timedelta(hours=10)
    asked()
    CallbackRequest.objects.update(window_start=opens, window_end=opens + timedelta(hours=2))

    assert ringing_back.plan(now=opens - timedelta(seconds=1)) == []
    ringing_back.plan(now=opens)

    assert len(planned()) == 1


def rang(number: str = AMINA, status: str = "completed", lasts_s: float | None = 60, **fields) -> None:
    """Let a number ring us a minute after the request was written."""
    Call.objects.create(
        **{
            "status": status,
            "direction": "inbound",
            "customer_number": number,
            "proof": Proof.SIGNATURE,
            "created_at": LATER,
            "answered_at": LATER,
            "ended_at": None if lasts_s is None else LATER + timedelta(seconds=lasts_s),
        }
        | fields
    )


AFTER = LATER + timedelta(minutes=2)


@pytest.mark.parametrize(
    ("call", "rung"),
    [
        ({}, 0),
        ({"status": "answered", "lasts_s": None}, 0),
        (
            {"answered_at": NOW - timedelta(minutes=1)},
            0,
        ),  # he was on the line when his other call was refused
        ({"status": "failed"}, 1),
        ({"lasts_s": 2.9}, 1),
        ({"number": BRIAN}, 1),
        ({"proof": Proof.NOBODY}, 1),
        ({"direction": "outbound"}, 1),
    ],
)
@pytest.mark.parametrize("when", ["before it is planned", "after"])
def test_who_rang_once_more_and_was_served_waits_for_nothing(settings, call, rung, when):
    settings.SAUTIKIT_NUMBER, platform = "+254709555100", Platform()
    a_parcel(status=Status.IN_TRANSIT)
    asked()

    if when == "after":
        ringing_back.plan(now=LATER)
    rang(**call)
    ringing_back.plan(now=AFTER)
    dial(platform, AFTER)

    assert len(platform.orders) == rung
    if when != "after" and not rung:
        assert CallbackRequest.objects.get().state == CallbackState.DONE


@pytest.mark.parametrize("number", [AMINA, BRIAN])
def test_it_is_about_the_parcel_they_spoke_of_if_that_is_his(number):
    spoken_of = a_parcel(number, status=Status.IN_TRANSIT)
    latest = a_parcel(AMINA, status=Status.IN_TRANSIT)
    asked(shipment=spoken_of)

    ringing_back.plan(now=LATER)

    assert OutboundCall.objects.get().shipment == (spoken_of if number == AMINA else latest)


def test_nobody_is_rung_whose_number_anybody_may_have_claimed_or_that_no_parcel_has():
    a_parcel(status=Status.IN_TRANSIT)
    asked(proof=Proof.NOBODY)
    asked(number=BRIAN)

    assert ringing_back.plan(now=LATER) == []
    assert planned() == []


def test_nobody_is_rung_who_was_rung_back_already_or_for_whom_it_is_too_late():
    a_parcel(status=Status.IN_TRANSIT)
    one = asked()
    assert ringing_back.look(now=NOW + timedelta(days=3)) == []
    callbacks.settle([one.pk], CallbackState.DONE, by="mary", now=LATER)

    assert ringing_back.plan(now=LATER) == []


def test_who_says_afterwards_that_he_wants_no_calls_is_not_rung():
    a_parcel(status=Status.IN_TRANSIT)
    asked()
    contacts.opt_out(number=AMINA, call_public_id="b", now=LATER)

    ringing_back.plan(now=LATER + timedelta(minutes=1))

    assert planned() == []


def test_a_worker_plans_it_and_the_dialler_rings(settings):
    settings.SAUTIKIT_API_KEY, settings.SAUTIKIT_NUMBER = "key", "+254709555100"
    a_parcel(status=Status.IN_TRANSIT)
    asked()
    platform = Platform()

    [job] = [job for job in jobs.jobs() if job.name == "call-backs"]
    assert job.run(LATER) == 1
    said = dial(platform, LATER)

    assert isinstance(said, Now)
    assert platform.orders == [OutboundCall.objects.get().client_request_id]


def test_a_dry_run_of_what_is_due_names_it_and_plans_nothing(settings, monkeypatch):
    monkeypatch.setattr("voice.placing.clock", lambda: LATER)
    parcel = a_parcel(status=Status.IN_TRANSIT)
    asked()
    out = StringIO()

    call_command("place_calls", "--due", "--dry-run", "--json", stdout=out)

    [told] = json.loads(out.getvalue())
    assert (told["tracking_id"], told["decision"]) == (parcel.tracking_id, "now")
    assert planned() == []


def test_a_limit_is_one_for_all_that_is_due(monkeypatch):
    monkeypatch.setattr("voice.placing.clock", lambda: LATER)
    a_parcel(status=Status.IN_TRANSIT)
    asked()
    a_parcel(BRIAN, status=Status.OUT_FOR_DELIVERY, eta_at=LATER + timedelta(hours=1))

    for limit, calls in ((1, 1), (2, 2), (None, 2)):
        options = {"shipment": [], "purpose": "eta", "due": True, "limit": limit}
        OutboundCall.objects.all().delete()
        Command()._plan(options)
        assert len(planned()) == calls


@pytest.mark.parametrize(("reason", "who"), [("not_admitted", "We"), ("asked", "A colleague")])
def test_a_person_is_promised_only_where_a_person_will_call(reason, who):
    call = Call.objects.create(customer_number=AMINA, created_at=NOW)

    told = callbacks.request(call_public_id=call.public_id, number="", reason=reason, summary="", now=NOW)

    assert str(told["say"]).startswith(f"{who} will call you back on the number ending in")


def test_whom_the_gate_forbids_to_ring_is_written_down_once_and_stands_in_nobodys_way(settings):
    settings.DIAL_COUNTRIES = ["NG"]
    a_parcel(status=Status.IN_TRANSIT)
    asked()

    for _ in range(3):
        ringing_back.plan(now=LATER)

    row = OutboundCall.objects.get()
    assert (row.state, row.may_have_rung) == (DialState.SUPPRESSED, False)
    assert row.reason == "The parcel's telephone number belongs to a country that we do not call."


def test_who_wants_no_calls_is_not_rung_because_he_rang_and_was_not_served():
    a_parcel(status=Status.IN_TRANSIT)
    contacts.opt_out(number=AMINA, call_public_id="a", now=NOW - timedelta(days=9))
    asked()

    ringing_back.plan(now=LATER)

    assert planned() == []


def test_two_requests_of_one_number_about_two_parcels_are_one_call():
    for _ in range(2):
        asked(CallbackReason.MODEL_FAILURE, shipment=a_parcel(status=Status.IN_TRANSIT))

    ringing_back.plan(now=LATER)
    ringing_back.plan(now=AFTER)

    assert len(planned()) == 1


def refused_again(at, proof: str = Proof.SIGNATURE) -> int:
    """Turn the number away once more; return how many requests there are then."""
    call = Call.objects.create(customer_number=AMINA, proof=proof, created_at=at)
    callbacks.request(call_public_id=call.public_id, number="", reason="not_admitted", summary="", now=at)
    return CallbackRequest.objects.count()


def test_who_is_refused_again_and_again_has_one_request_while_it_will_be_answered():
    a_parcel(status=Status.IN_TRANSIT)
    asked()
    assert refused_again(LATER) == 1
    ringing_back.plan(now=LATER)
    assert refused_again(LATER) == 1

    OutboundCall.objects.update(state=DialState.FAILED)  # and nobody tries again
    assert refused_again(AFTER) == 2
    ringing_back.plan(now=AFTER)

    assert len(planned()) == 2


def test_a_request_that_nobody_vouched_for_or_whose_time_is_over_shadows_none():
    asked(proof=Proof.NOBODY)
    assert refused_again(NOW + timedelta(minutes=9)) == 1
    assert refused_again(NOW + timedelta(minutes=11)) == 2
    assert refused_again(NOW + timedelta(days=2)) == 3


@pytest.mark.parametrize("action", ["mark_done", "mark_cancelled"])
def test_who_was_rung_back_by_a_person_is_not_rung_by_the_agent_too(client, action):
    a_parcel(status=Status.IN_TRANSIT)
    one, other = asked(), asked(number=BRIAN)
    a_parcel(BRIAN, status=Status.IN_TRANSIT)
    ringing_back.plan(now=LATER)
    client.force_login(a_member("Supervisor"))

    address = reverse("admin:voice_callbackrequest_changelist")
    client.post(address, {"action": action, "_selected_action": [one.pk]})

    states = dict(OutboundCall.objects.values_list("number", "state"))
    assert states == {AMINA: DialState.CANCELLED, other.number: DialState.PLANNED}
