"""What the desk sees of the line and may want of it: by role and depot, looked at each time."""

import json
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from uuid import uuid4

import pytest
from django.conf import settings as configured
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from shipments.audit import AuditEntry
from tests.shipments.builders import AMINA, BRIAN, a_depot, a_parcel
from tests.staff import a_member
from voice import live, steering, trust
from voice.errors import NotOrderedError
from voice.events import Order
from voice.levels import Level
from voice.live import Viewer
from voice.models import Call, ToolRun, Turn
from voice.newsroom import NEWSROOM
from voice.statuses import CallStatus, ToolState

pytestmark = pytest.mark.django_db
PAGE, ORDER = "/admin/live/", "/admin/live/order"


def a_call(phone: str = AMINA, status: CallStatus = CallStatus.ANSWERED, **fields) -> Call:
    now = timezone.now()
    call = Call.objects.create(
        customer_number=phone, status=status, created_at=now, answered_at=now, heartbeat_at=now, **fields
    )
    Turn.objects.create(call=call, position=0, speaker="agent", text="Hello.", started_ms=0, ended_ms=900)
    Turn.objects.create(
        call=call, position=1, speaker="caller", text="Where is it?", started_ms=1500, ended_ms=2000
    )
    ToolRun.objects.create(
        call=call,
        model_call_id="1",
        name="track_shipment",
        state=ToolState.OK,
        result={"message": "At the depot."},
        started_ms=2100,
        duration_ms=12,
    )
    return call


def watching(role: str, *depots) -> Viewer:
    user = a_member(role, *depots)
    return Viewer(user, heard=user.has_perm(live.HEARS))


@contextmanager
def orders_sent(monkeypatch, *, taken: bool | NotOrderedError = True):
    """Yield what is brought to calls; tests/voice/test_steering.py is about how."""
    sent = []

    def bring(*what, **more):
        sent.append((*what, more))
        if isinstance(taken, NotOrderedError):
            raise taken
        return taken

    with monkeypatch.context() as patched:
        patched.setattr(steering, "bring", bring)
        yield sent


def ordered(client: Client, call: Call, order: str, words: str = "", order_id: str = ""):
    wish = {"id": order_id or uuid4().hex, "call": call.public_id, "order": order, "words": words}
    return client.post(ORDER, wish)


def as_a(role: str, *depots) -> Client:
    client = Client()
    client.force_login(a_member(role, *depots))
    return client


# Who sees what


def test_the_line_is_what_runs_with_the_number_masked():
    parcel = a_parcel(AMINA)
    running = a_call(shipment=parcel)
    a_call(BRIAN, CallStatus.COMPLETED)

    line = live.line(watching("Supervisor"))

    assert list(line) == [running.public_id]
    row = line[running.public_id]
    assert AMINA not in json.dumps(line)
    assert row["customer"] == f"••• {AMINA[-3:]}"
    assert row["parcel"] == parcel.tracking_id
    assert row["last"] == {"by": "caller", "text": "Where is it?"}


def test_d1_a_dispatcher_watches_his_depots_and_reads_no_words():
    own, other = a_depot(name="Own"), a_depot(name="Other")
    mine = a_call(shipment=a_parcel(AMINA, depot=own))
    theirs = a_call(BRIAN, shipment=a_parcel(BRIAN, depot=other, tracking_id="ZZ-1"))
    viewer = watching("Dispatcher", own)

    line = live.line(viewer)

    assert list(line) == [mine.public_id]
    assert "last" not in line[mine.public_id]
    assert live.row(viewer, theirs.public_id) is None
    assert live.conversation(viewer, theirs.public_id) == []
    assert [told["kind"] for told in live.conversation(viewer, mine.public_id)] == ["tool"]
    assert "At the depot." not in json.dumps(live.conversation(viewer, mine.public_id))


def test_a_supervisor_reads_the_conversation_in_its_order():
    call = a_call()

    told = live.conversation(watching("Supervisor"), call.public_id)

    assert [(one["kind"], one["at_ms"]) for one in told] == [("said", 0), ("said", 1500), ("tool", 2100)]


def test_a_line_of_many_calls_costs_one_query(django_assert_num_queries):
    viewer = watching("Supervisor")
    parcel = a_parcel(AMINA)
    for _ in range(12):
        a_call(shipment=parcel)

    with django_assert_num_queries(1):
        assert len(live.line(viewer)) == 12


def a_session(user) -> str:
    store = import_module(configured.SESSION_ENGINE).SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = configured.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.save()
    return str(store.session_key)


def test_who_watches_is_asked_for_anew():
    mary = a_member("Supervisor")
    key = a_session(mary)

    before = live.viewer_of(key)
    mary.groups.clear()
    after = live.viewer_of(key)

    assert before is not None
    assert before.heard
    assert after is None


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}, {"password": "another"}])
def test_who_left_or_changed_the_password_watches_no_longer(change):
    mary = a_member("Supervisor")
    key = a_session(mary)
    before = live.viewer_of(key)
    type(mary).objects.filter(pk=mary.pk).update(**change)

    assert before is not None
    assert live.viewer_of(key) is None


@pytest.mark.parametrize("key", [None, "", "nobody-has-this-key"])
def test_a_stranger_watches_nothing(key):
    assert live.viewer_of(key) is None


@pytest.mark.parametrize(
    ("role", "orders"),
    [
        ("Dispatcher", {"note", "say", "message"}),
        ("Supervisor", {"end", "note", "say", "message"}),
        ("Administrator", set()),
    ],
)
def test_d1_each_role_is_shown_the_orders_that_it_may_give(role, orders):
    client = as_a(role, a_depot())

    page = client.get(PAGE)

    assert page.status_code == 200
    assert {
        name for name in ("end", "note", "say", "message") if f'data-order="{name}"' in page.content.decode()
    } == orders


def test_the_page_is_for_those_who_see_calls_and_leads_there_from_the_sidebar():
    nobody = Client()
    stranger = a_member("Dispatcher")
    stranger.groups.clear()
    nobody.force_login(stranger)
    mary = as_a("Supervisor")

    assert Client().get(PAGE).status_code == 302
    assert nobody.get(PAGE).status_code == 403
    assert PAGE in mary.get(reverse("admin:index")).content.decode()


# Orders


@pytest.mark.parametrize("order", ["end", "note", "say", "message"])
@pytest.mark.parametrize("role", ["Dispatcher", "Supervisor", "Administrator"])
@pytest.mark.parametrize("is_own", [True, False])
def test_d1_an_order_is_taken_from_who_may_give_it_for_a_call_that_he_sees(monkeypatch, order, role, is_own):
    own, other = a_depot(name="Own"), a_depot(name="Other")
    call = a_call(shipment=a_parcel(AMINA, depot=own if is_own else other))
    client = as_a(role, own)
    may = role == "Supervisor" or (role == "Dispatcher" and order != "end")
    sees = is_own or role != "Dispatcher"

    with orders_sent(monkeypatch) as sent:
        answer = ordered(client, call, order, "The shop closes at five.")

    assert answer.status_code == (403 if not may else 200 if sees else 409)
    assert len(sent) == (may and sees)
    assert AuditEntry.objects.filter(verb=f"order_{order}").count() == (may and sees)


def test_an_order_is_written_down_with_who_gave_it_and_no_number(monkeypatch):
    call, client, order_id = a_call(), as_a("Supervisor"), uuid4()

    with orders_sent(monkeypatch) as sent:
        ordered(client, call, "say", "  Ring\n+254700000123 \x00 please ", order_id.hex)

    page = client.get(reverse("admin:voice_call_change", args=[call.pk])).content.decode()
    assert "Wanted something said" in page
    entry = AuditEntry.objects.get(verb="order_say")
    assert entry.object_id == entry.call_public_id == call.public_id
    assert entry.actor.startswith("supervisor")
    assert "+254700000123" not in str(entry.after)
    told = {"order_id": order_id, "words": "Ring +254700000123 please"}
    assert sent == [(Order.SAY, call.public_id, told)]


@pytest.mark.parametrize(
    ("order", "words", "status"),
    [
        ("note", "", 409),
        ("say", " \n ", 409),
        ("say", "x" * 301, 409),
        ("end", "", 200),
        ("message", "", 200),
        ("dance", "", 400),
        ("", "", 400),
    ],
)
def test_an_order_without_sense_is_answered_in_words_and_not_given(monkeypatch, order, words, status):
    call, client = a_call(), as_a("Supervisor")

    with orders_sent(monkeypatch) as sent:
        answer = ordered(client, call, order, words)

    assert answer.status_code == status
    assert len(sent) == (status == 200)
    assert (answer.json().get("error") is None) == (status == 200)


@pytest.mark.parametrize("status", [CallStatus.COMPLETED, CallStatus.RINGING])
def test_a_call_that_does_not_talk_takes_no_orders(monkeypatch, status):
    call, client = a_call(status=status), as_a("Supervisor")

    with orders_sent(monkeypatch) as sent:
        answer = ordered(client, call, "end")

    assert (answer.status_code, answer.json()["error"], sent) == (409, "This call is over.", [])


@pytest.mark.parametrize("order_id", ["-", "1", "../orders"])
def test_an_order_by_which_it_could_not_be_known_again_is_not_given(monkeypatch, order_id):
    call, client = a_call(), as_a("Supervisor")

    with orders_sent(monkeypatch) as sent:
        answer = ordered(client, call, "end", order_id=order_id)

    assert (answer.status_code, sent) == (400, [])
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    ("taken", "status", "kind", "words"),
    [
        (True, 200, "done", "The call has taken it. The agent says goodbye, and the call ends."),
        (False, 202, "unconfirmed", "the call may not have heard this. Send it again?"),
        (NotOrderedError("Nothing was done."), 409, "error", "Nothing was done."),
    ],
)
def test_who_gives_an_order_is_told_whether_the_call_took_it_and_it_is_written_down(
    monkeypatch, taken, status, kind, words
):
    call, client = a_call(), as_a("Supervisor")

    with orders_sent(monkeypatch, taken=taken):
        answer = ordered(client, call, "end")

    assert answer.status_code == status
    assert list(answer.json()) == [kind]
    assert words in answer.json()[kind]
    assert AuditEntry.objects.filter(verb="order_end").count() == 1


def test_an_order_without_the_forms_proof_or_by_get_is_refused():
    call, careful = a_call(), Client(enforce_csrf_checks=True)
    careful.force_login(a_member("Supervisor"))

    assert careful.post(ORDER, {"call": call.public_id, "order": "end"}).status_code == 403
    assert careful.get(ORDER).status_code == 405
    assert not AuditEntry.objects.exists()


def test_a_level_that_rises_is_told_to_who_watches(monkeypatch, django_capture_on_commit_callbacks):
    told: list[str] = []
    monkeypatch.setattr(NEWSROOM, "note_change", told.append)
    call = a_call(proof="word", level=Level.L0)
    caller = trust.caller_of(call.pk)

    with django_capture_on_commit_callbacks(execute=True):
        trust.note_level(caller, Level.L2)
        trust.note_level(caller, Level.L1)  # lower: nothing changes

    assert told == [call.public_id]


def test_what_runs_too_long_to_be_true_is_no_live_call_once_it_is_closed():
    call = a_call()
    Call.objects.filter(pk=call.pk).update(
        status=CallStatus.FAILED, ended_at=timezone.now() - timedelta(seconds=1)
    )

    assert live.row(watching("Supervisor"), call.public_id) is None
