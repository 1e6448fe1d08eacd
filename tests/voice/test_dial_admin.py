"""Dialling as a dispatcher sees it: what the rules say first, then a plan, and one switch for all of it."""

import re
from datetime import datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from shipments import contacts
from shipments.statuses import Status
from tests.dialled import Platform, dial, opened, webhook
from tests.shipments.builders import AMINA, BRIAN, a_depot, a_parcel
from tests.staff import a_member
from voice import callbacks, calls, dialing, trust
from voice.levels import Level, Proof
from voice.models import Call, CallbackRequest, OutboundCall
from voice.records import Ending
from voice.statuses import CallbackState, DialState, Direction

pytestmark = pytest.mark.django_db
QUEUE = reverse("admin:voice_outboundcall_changelist")
PARCELS = reverse("admin:shipments_shipment_changelist")


@pytest.fixture(autouse=True)
def _at_any_hour(settings):
    settings.DIAL_HOURS = "00:00-24:00"


@pytest.fixture
def dispatcher(client):
    client.force_login(get_user_model().objects.create_superuser("mary"))
    return client


@pytest.fixture
def reader(client):
    user = get_user_model().objects.create_user("john", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(user)
    return client


def arriving(phone=AMINA, **fields):
    return a_parcel(
        phone, **{"status": Status.OUT_FOR_DELIVERY, "eta_at": timezone.now() + timedelta(hours=1)} | fields
    )


def queued(parcel) -> OutboundCall:
    row = dialing.plan(parcel, "eta", by="mary", now=timezone.now()).outbound
    assert row is not None
    return row


def seen(client) -> str:
    """Return which pause the list of planned calls shows."""
    found = re.findall(r'name="seen" value="([^"]+)"', client.get(QUEUE).content.decode())
    return str(found[0])


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def call_back(dispatcher, asked):
    return dispatcher.post(
        reverse("admin:voice_callbackrequest_changelist"),
        {"action": "call_back", "_selected_action": [asked.pk]},
    )


def dialog(parcel):
    return reverse("admin:shipments_shipment_call_customer", args=[parcel.pk])


def test_the_dialog_says_what_the_rules_make_of_each_purpose_before_anything_is_planned(dispatcher):
    parcel = arriving()

    page = dispatcher.get(dialog(parcel)).content.decode()

    assert "Arriving soon – Now. Nothing speaks against it." in page
    assert "After a failed attempt – Not called. The parcel no longer waits for another attempt." in page
    assert OutboundCall.objects.count() == 0
    assert (
        "Call customer"
        in dispatcher.get(reverse("admin:shipments_shipment_change", args=[parcel.pk])).content.decode()
    )


def test_a_customer_is_called_from_the_dialog_and_once_for_a_double_click(dispatcher):
    parcel = arriving()

    for _ in range(2):
        answer = dispatcher.post(dialog(parcel), {"purpose": "eta", "_form_submitted": "True"})
        assert answer.status_code == 204

    row = OutboundCall.objects.get()
    assert (row.shipment, row.purpose, row.requested_by) == (parcel, "eta", "mary")


def test_many_are_shown_with_the_rules_and_then_planned(dispatcher):
    good, bad = arriving(), arriving(BRIAN, status=Status.DELIVERED)
    chosen = {"action": "_call_customers", "_selected_action": [good.pk, bad.pk]}

    shown = dispatcher.post(PARCELS, chosen)
    assert "Now. Nothing speaks against it." in shown.content.decode()
    assert "Not called. The parcel is delivered." in shown.content.decode()
    assert OutboundCall.objects.count() == 0
    done = dispatcher.post(PARCELS, chosen | {"purpose": "eta", "confirmed": "1"})

    assert OutboundCall.objects.get().shipment == good
    assert sorted(said(done)) == sorted(
        [f"{bad}: Not called. The parcel is delivered.", f"{good}: Now. Nothing speaks against it."]
    )


def test_the_queue_is_shown_and_a_call_taken_off_it(dispatcher):
    parcel = arriving()
    row = queued(parcel)

    page = dispatcher.get(QUEUE).content.decode()
    assert "Planned" in page
    assert AMINA not in page
    dispatcher.post(QUEUE, {"action": "cancel", "_selected_action": [row.pk]})

    row.refresh_from_db()
    assert (row.state, row.reason) == (DialState.CANCELLED, "Cancelled by mary.")


@pytest.mark.parametrize(("action", "state"), [("it_rang", "failed"), ("it_did_not_ring", "planned")])
def test_a_person_decides_on_a_lost_call(dispatcher, action, state):
    row = queued(arriving())
    OutboundCall.objects.update(state=DialState.UNKNOWN)

    dispatcher.post(QUEUE, {"action": action, "_selected_action": [row.pk]})

    row.refresh_from_db()
    assert row.state == state


def test_all_dialling_is_paused_and_resumed(dispatcher):
    pause, resume = (
        reverse(f"admin:voice_outboundcall_{name}") for name in ("pause_dialling", "resume_dialling")
    )

    assert dispatcher.get(pause).status_code == 405  # whoever only follows a link stops nothing
    assert not dialing.switch().paused
    dispatcher.post(pause, {"reason": "Storm"})
    assert dialing.switch().paused
    for page in (QUEUE, reverse("admin:index"), reverse("worklist")):
        shown = dispatcher.get(page).content.decode()
        assert shown.count("Dialling is paused by mary: Storm") == 1
    dispatcher.post(resume, {"seen": seen(dispatcher)})

    assert not dialing.switch().paused


def test_who_resumes_from_an_old_page_does_not_undo_a_pause_that_he_has_not_seen(dispatcher):
    pause, resume = (
        reverse(f"admin:voice_outboundcall_{name}") for name in ("pause_dialling", "resume_dialling")
    )
    dispatcher.post(pause, {"reason": "Storm"})
    old = seen(dispatcher)
    dispatcher.post(resume, {"seen": old})
    dialing.pause(by="the dialler", reason="6 of 10 calls failed.", now=timezone.now())

    answers = [dispatcher.post(resume, {"seen": at}) for at in (old, "", "None", "yesterday")]

    assert {said(answer)[-1] for answer in answers} == {"It was paused again since: see why first."}
    assert dialing.switch().paused
    assert dialing.switch().changed_by == "the dialler"


def test_who_pauses_what_is_paused_is_told_that_another_reason_stands(dispatcher):
    dialing.pause(by="john", reason="Storm.", now=timezone.now())

    answer = dispatcher.post(reverse("admin:voice_outboundcall_pause_dialling"), {"reason": "Flood."})

    assert said(answer) == ["It was paused already, and stays so for that reason."]
    assert dialing.switch().reason == "Storm."


def test_dialling_is_paused_without_a_word_and_the_gate_says_so(dispatcher):
    dispatcher.post(reverse("admin:voice_outboundcall_pause_dialling"))

    shown = dispatcher.get(dialog(arriving())).content.decode()

    assert "Dialling is paused: stopped by hand." in shown


def test_who_asked_to_be_rung_back_is_called(dispatcher):
    parcel, now = arriving(), timezone.now()
    call = Call.objects.create(customer_number=AMINA, proof=Proof.SIGNATURE, created_at=now)
    callbacks.request(call_public_id=call.public_id, number="", reason="asked", summary="", now=now)

    call_back(dispatcher, CallbackRequest.objects.get())

    row = OutboundCall.objects.get()
    assert (row.shipment, row.purpose, row.asked_for) == (parcel, "callback", True)


@pytest.mark.parametrize(("proof", "rung"), [(Proof.SIGNATURE, 1), (Proof.NOBODY, 0)])
def test_who_opted_out_is_called_back_only_if_it_was_he_who_asked(dispatcher, proof, rung):
    arriving()
    now = timezone.now()
    contacts.opt_out(number=AMINA, call_public_id="a", now=now - timedelta(days=20))
    call = Call.objects.create(customer_number=AMINA, proof=proof, created_at=now)
    callbacks.request(call_public_id=call.public_id, number="", reason="asked", summary="", now=now)

    call_back(dispatcher, CallbackRequest.objects.get())

    assert OutboundCall.objects.count() == rung


def test_who_asks_for_a_call_back_and_then_says_again_that_he_wants_no_calls_is_not_called(dispatcher):
    arriving()
    now = timezone.now()
    contacts.opt_out(number=AMINA, call_public_id="a", now=now - timedelta(days=20))
    call = Call.objects.create(customer_number=AMINA, proof=Proof.SIGNATURE, created_at=now)
    callbacks.request(call_public_id=call.public_id, number="", reason="asked", summary="", now=now)
    contacts.opt_out(number=AMINA, call_public_id="b", now=now + timedelta(minutes=5))

    answer = call_back(dispatcher, CallbackRequest.objects.get())

    assert OutboundCall.objects.count() == 0
    assert "Not called. The recipient does not want to be called." in said(answer)[0]


def test_who_asked_for_a_call_back_is_dialled_once_somebody_says_so(dispatcher):
    parcel, now, platform = arriving(), timezone.now(), Platform()
    call = Call.objects.create(status="completed", customer_number=AMINA, created_at=now)
    callbacks.request(call_public_id=call.public_id, number="", reason="asked", summary="Ring me.", now=now)
    asked = CallbackRequest.objects.get()

    assert dial(platform, now) is None  # a colleague was promised: no machine rings by itself
    call_back(dispatcher, asked)
    dial(platform, timezone.now())

    row = OutboundCall.objects.get()
    assert platform.orders == [row.client_request_id]
    assert (row.shipment, row.state) == (parcel, DialState.RINGING)


def test_who_was_reached_when_he_was_called_back_waits_for_nobody_any_more(dispatcher):
    now, later = timezone.now(), timezone.now() + timedelta(minutes=1)
    arriving()
    call = Call.objects.create(status="completed", customer_number=AMINA, created_at=now)
    callbacks.request(call_public_id=call.public_id, number="", reason="asked", summary="Ring me.", now=now)
    call_back(dispatcher, CallbackRequest.objects.get())
    dial(Platform(), timezone.now())
    facts = taken(OutboundCall.objects.get(), later)

    trust.note_level(trust.caller_of(facts.call_id), Level.L1_PLUS)
    callbacks.request(call_public_id=facts.public_id, number="", reason="asked", summary="More.", now=later)
    calls.end_call(facts.call_id, Ending("caller_hangup", None, {}, {}, 60.0), now=later)

    assert dict(CallbackRequest.objects.values_list("call_id", "state")) == {
        call.pk: CallbackState.DONE,
        facts.call_id: CallbackState.OPEN,
    }


def test_who_was_called_back_and_not_reached_still_waits(dispatcher):
    now = timezone.now()
    asked_in = Call.objects.create(status="completed", customer_number=AMINA, created_at=now)
    callbacks.request(call_public_id=asked_in.public_id, number="", reason="asked", summary="", now=now)
    dialing.plan(arriving(), "callback", by="mary", now=now, asked_at=now)
    dial(Platform(), timezone.now())
    facts = taken(OutboundCall.objects.get(), timezone.now())

    calls.end_call(facts.call_id, Ending("voicemail", None, {}, {}, 20.0), now=timezone.now())

    assert CallbackRequest.objects.get().state == CallbackState.OPEN


def taken(row: OutboundCall, now: datetime) -> calls.CallFacts:
    """Let somebody take the call."""
    opening = opened(webhook(row), now)
    assert opening is not None
    facts = calls.accept_stream(opening.token, now=now)
    assert facts is not None
    return facts


def test_a_call_back_that_nobody_needs_is_taken_off_the_list(dispatcher):
    now = timezone.now()
    call = Call.objects.create(direction=Direction.INBOUND, customer_number=AMINA, created_at=now)
    fields = {"call": call, "window_start": now, "window_end": now, "created_at": now}
    asked = CallbackRequest.objects.create(number=AMINA, **fields)

    dispatcher.post(
        reverse("admin:voice_callbackrequest_changelist"),
        {"action": "mark_cancelled", "_selected_action": [asked.pk]},
    )

    asked.refresh_from_db()
    assert asked.state == CallbackState.CANCELLED


@pytest.mark.parametrize(("role", "paused"), [("Supervisor", True), ("Dispatcher", False)])
def test_a_supervisor_pauses_dialling_and_a_dispatcher_does_not(client, role, paused):
    client.force_login(a_member(role, a_depot()))

    shown = client.get(QUEUE).content.decode()
    client.post(reverse("admin:voice_outboundcall_pause_dialling"), {"reason": "Storm"})

    assert ("Pause dialling" in shown) == paused
    assert dialing.switch().paused == paused


def test_who_may_only_read_calls_nobody_and_stops_nothing(reader):
    parcel = arriving()

    assert reader.post(dialog(parcel), {"purpose": "eta", "_form_submitted": "True"}).status_code == 403
    assert reader.post(reverse("admin:voice_outboundcall_pause_dialling"), {"reason": "x"}).status_code == 403
    reader.post(PARCELS, {"action": "_call_customers", "_selected_action": [parcel.pk], "confirmed": "1"})

    assert OutboundCall.objects.count() == 0
    assert "Call customer" not in reader.get(PARCELS).content.decode()
