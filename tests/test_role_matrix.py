"""Every list, every action and every address of the API, by who may: what has no row here fails."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import transaction
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from courier.urls import API
from shipments import loading, outbox, tokens
from shipments.clients import Scope
from shipments.courtesy import ContactPreference, Holiday
from shipments.messages import OutgoingMessage
from shipments.models import TrackingEvent
from shipments.notices import Kind, Notice, NoticeState
from shipments.riders import Driver
from shipments.statuses import Source
from tests.clients import System
from tests.shipments.builders import AMINA, BRIAN
from tests.staff import Corner, a_corner, a_member
from voice import dialing
from voice.models import OutboundCall
from voice.statuses import CallbackState, DialState

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.xdist_group("role-matrix")]
ROLES = ("Dispatcher", "Supervisor", "Administrator", "Reader")
"""A reader may see everything and has no other right: to see is not to do."""
ALL, OWN, NO = "all", "own", 403
DONE, AGAIN, AWAY, NOT_THERE = 204, 200, 302, 404
Rows = dict[str, Any]


def everything_of(corner: Corner) -> Rows:
    """Return a corner's rows by their kind, with a problem, a call that was placed and a message added."""
    now = timezone.now()
    TrackingEvent.objects.create(
        shipment=corner.parcel,
        occurred_at=now,
        status=corner.parcel.status,
        description="The gate is locked",
        source=Source.DISPATCHER,
        idempotency_key=f"problem:{corner.parcel.pk}",
    )
    dialing.plan(corner.parcel, "callback", by="mary", now=now, asked_at=now)
    OutgoingMessage.objects.filter(shipment=corner.parcel).delete()
    message = OutgoingMessage.objects.create(
        idempotency_key=f"m{corner.parcel.pk}",
        shipment=corner.parcel,
        number=corner.parcel.phone,
        kind="change",
        text="It comes on Friday.",
        next_at=now,
        created_at=now,
    )
    return {
        "shipments.shipment": corner.parcel,
        "shipments.address": corner.parcel.address,
        "shipments.deliverychange": corner.change,
        "shipments.depot": corner.depot,
        "shipments.outgoingmessage": message,
        "voice.call": corner.call,
        "voice.callbackrequest": corner.asked,
        "voice.outboundcall": OutboundCall.objects.get(shipment=corner.parcel),
    }


def everything_beside() -> Rows:
    """Return a row of each kind that belongs to no depot."""
    now = timezone.now()
    client, _ = tokens.make_client(name="shop", scopes=Scope.values, shipper="", by="mary", now=now)
    endpoint, _ = outbox.add_endpoint(
        client=client, url="https://192.0.2.1/hook", kinds=[Kind.CALL_ENDED], by="mary", now=now
    )
    times = dict.fromkeys(("next_at", "give_up_at", "created_at"), now)
    notice = Notice.objects.create(
        endpoint=endpoint, event_id="e1", kind=Kind.CALL_ENDED, body="{}", state=NoticeState.DEAD, **times
    )
    header = b"tracking_id,recipient_name,phone,line1,city,country\n"
    content = header + b"KM-1,Amina Sample,+254700000001,14 Example Lane,Nairobi,KE\n"
    return {
        "shipments.driver": Driver.objects.create(name="Sample Rider", phone=AMINA),
        "shipments.holiday": Holiday.objects.create(country="KE", date=now.date(), name="Day"),
        "shipments.contactpreference": ContactPreference.objects.create(number=AMINA),
        "shipments.apiclient": client,
        "shipments.endpoint": endpoint,
        "shipments.notice": notice,
        "shipments.parcelfile": loading.offer(name="a.csv", content=content, by="mary", now=now),
    }


@pytest.fixture(scope="module")
def corners(django_db_setup, django_db_blocker) -> Iterator[tuple[Rows, Rows]]:
    """Make the rows once: two thirds of the work. Each test has a savepoint of this transaction."""
    with django_db_blocker.unblock(), transaction.atomic():
        own = everything_of(a_corner(AMINA, "Amina")) | everything_beside()
        foreign = everything_of(a_corner(BRIAN, "Brian"))
        yield own, foreign
        transaction.set_rollback(True)


@pytest.fixture
def own(corners) -> Rows:
    """Return what belongs to the dispatcher's depot, and what belongs to none."""
    return deepcopy(corners[0])


@pytest.fixture
def foreign(corners) -> Rows:
    """Return what belongs to another depot."""
    return deepcopy(corners[1])


def somebody(role: str, own: Rows) -> User:
    if role != "Reader":
        return a_member(role, own["shipments.depot"])
    user = a_member("Dispatcher")
    user.groups.clear()
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    user.user_permissions.remove(*Permission.objects.filter(codename__in=("view_transcript",)))
    return user


def logged_in(role: str, own: Rows) -> Client:
    client = Client()
    client.force_login(somebody(role, own))
    return client


def address(kind: str, page: str, *args: object) -> str:
    return reverse(f"admin:{kind.replace('.', '_')}_{page}", args=args)


LISTS = {
    # what a dispatcher, a supervisor and an administrator see of it
    "shipments.shipment": (OWN, ALL, ALL),
    "shipments.address": (OWN, ALL, ALL),
    "shipments.deliverychange": (OWN, ALL, ALL),
    "shipments.depot": (OWN, ALL, ALL),
    "shipments.outgoingmessage": (OWN, ALL, ALL),
    "shipments.driver": (ALL, ALL, ALL),
    "shipments.holiday": (ALL, ALL, ALL),
    "shipments.contactpreference": (NO, ALL, ALL),
    "shipments.auditentry": (NO, ALL, ALL),
    "shipments.apiclient": (NO, NO, ALL),
    "shipments.endpoint": (NO, NO, ALL),
    "shipments.notice": (NO, NO, ALL),
    "shipments.parcelfile": (NO, ALL, NO),
    "auth.user": (NO, NO, ALL),
    "auth.group": (NO, NO, ALL),
    "voice.call": (OWN, ALL, ALL),
    "voice.callbackrequest": (OWN, ALL, ALL),
    "voice.outboundcall": (OWN, ALL, ALL),
}


def test_d1_every_list_has_its_row():
    assert {model._meta.label_lower for model in admin.site._registry} == LISTS.keys()


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("place", range(3))
def test_d1_a_list_shows_what_its_role_may_see(own, foreign, kind, place):
    client = logged_in(ROLES[place], own)

    answer = client.get(address(kind, "changelist"))

    match LISTS[kind][place]:
        case 403:
            assert answer.status_code == NO
        case "own":
            assert [row.pk for row in answer.context["cl"].queryset] == [own[kind].pk]
        case _:
            model = own[kind].__class__ if kind in own else answer.context["cl"].model
            assert answer.context["cl"].result_count == model._default_manager.count() > 0


DIALOGS = {
    # a dispatcher on what is his and on what is not, a supervisor, an administrator, a reader
    ("shipments.deliverychange", "approve"): (NO, NO, DONE, NO, NO),
    ("shipments.deliverychange", "turn_down"): (NO, NO, DONE, NO, NO),
    ("shipments.shipment", "reschedule"): (AGAIN, NOT_THERE, AGAIN, NO, NO),
    ("shipments.shipment", "change_address"): (AGAIN, NOT_THERE, AGAIN, NO, NO),
    ("shipments.shipment", "hold"): (AGAIN, NOT_THERE, AGAIN, NO, NO),
    ("shipments.shipment", "looked_into"): (DONE, NOT_THERE, DONE, NO, NO),
    ("shipments.shipment", "show_number"): (NO, NO, DONE, NO, NO),
    ("shipments.shipment", "audit"): (NO, NO, AWAY, AWAY, AWAY),
    ("shipments.shipment", "call_customer"): (DONE, NOT_THERE, DONE, NO, NO),
    ("shipments.driver", "show_number"): (NO, NO, DONE, NO, NO),
    ("shipments.apiclient", "revoke"): (NO, NO, NO, DONE, NO),
    ("shipments.endpoint", "close"): (NO, NO, NO, DONE, NO),
    ("shipments.parcelfile", "take_in"): (NO, NO, DONE, NO, NO),
    ("voice.call", "looked_into"): (DONE, NO, DONE, NO, NO),
    ("voice.callbackrequest", "rung_back"): (DONE, NOT_THERE, DONE, NO, NO),
    ("voice.callbackrequest", "show_number"): (NO, NO, DONE, NO, NO),
}
OF_THE_LIST = {
    ("voice.outboundcall", "pause_dialling"): (NO, NO, AWAY, AWAY, NO),
    ("voice.outboundcall", "resume_dialling"): (NO, NO, AWAY, AWAY, NO),
}
"""What is done above a list, to no row of it, with one click."""


def declared(*places: str) -> set[tuple[str, str]]:
    """Return the actions that all admins declare in these places."""
    return {
        (model._meta.label_lower, name)
        for model, model_admin in admin.site._registry.items()
        for place in places
        for entry in getattr(model_admin, place) or ()
        for name in (entry["items"] if isinstance(entry, dict) else [entry])
    }


def test_d1_every_action_has_its_row():
    shown = declared("actions_row", "actions_detail", "actions_list", "actions_submit_line")
    bulk = {(kind, one if isinstance(one, str) else one.__name__) for kind, one in declared("actions")}

    assert shown == DIALOGS.keys()
    assert bulk == BULK.keys()


@pytest.mark.parametrize(("kind", "action"), DIALOGS | OF_THE_LIST)
@pytest.mark.parametrize("place", range(5))
def test_d1_an_action_is_taken_by_its_roles_on_what_they_may_see(own, foreign, kind, action, place):
    role = ("Dispatcher", *ROLES)[place]
    row = (own | foreign if place == 1 else own).get(kind)
    order = {"reason": "The customer asks", "purpose": "eta", "_form_submitted": "True", "slot": "1"}
    order |= {"version": "1", "shown": "{}", "landmark": "the church", "city": "Nairobi"}
    args = () if (kind, action) in OF_THE_LIST else (row.pk,)

    answer = logged_in(role, own).post(address(kind, action, *args), order)

    assert answer.status_code == (DIALOGS | OF_THE_LIST)[kind, action][place]


BULK: dict[tuple[str, str], tuple[str, Callable[[Any, Any], bool]]] = {
    # who may, and by what it is seen that it was done to a row
    ("shipments.shipment", "export"): ("S", lambda row, said: f"\n{row}," in said),
    ("shipments.shipment", "_call_customers"): ("DS", lambda row, said: f"{row}: " in said),
    ("voice.callbackrequest", "call_back"): (
        "DS",
        lambda row, _: OutboundCall.objects.filter(shipment=row.call.shipment, purpose="callback").exists(),
    ),
    ("voice.callbackrequest", "mark_done"): ("DS", lambda row, _: row.state == CallbackState.DONE),
    ("voice.callbackrequest", "mark_cancelled"): ("DS", lambda row, _: row.state == CallbackState.CANCELLED),
    ("voice.outboundcall", "cancel"): ("DS", lambda row, _: row.state == DialState.CANCELLED),
    ("voice.outboundcall", "it_rang"): ("DS", lambda row, _: row.state == DialState.FAILED),
    ("voice.outboundcall", "it_did_not_ring"): ("DS", lambda row, _: row.state == DialState.PLANNED),
    ("shipments.notice", "send_again"): ("A", lambda row, _: row.state == NoticeState.WAITING),
}


@pytest.mark.parametrize(("kind", "action"), BULK)
@pytest.mark.parametrize("role", ROLES)
def test_d1_a_bulk_action_is_taken_by_its_roles_on_what_they_may_see(own, foreign, kind, action, role):
    theirs = foreign.get(kind)
    roles, is_done = BULK[kind, action]
    if action.startswith("it_"):
        OutboundCall.objects.update(state=DialState.UNKNOWN)
    if action == "call_back":
        OutboundCall.objects.all().delete()
    chosen = [row.pk for row in (own[kind], theirs) if row]
    order = {"action": action, "_selected_action": chosen, "purpose": "eta", "confirmed": "1"}

    answer = logged_in(role, own).post(address(kind, "changelist"), order, follow=action != "export")

    said = answer.content.decode()
    may = role[0] in roles
    own[kind].refresh_from_db()
    assert is_done(own[kind], said) == may
    if theirs:
        theirs.refresh_from_db()
        assert is_done(theirs, said) == (may and role != "Dispatcher")


@pytest.mark.parametrize("role", ROLES)
def test_d1_rows_are_deleted_by_no_bulk_action_but_holidays(rf: RequestFactory, own, role):
    request = rf.get("/")
    request.user = somebody(role, own)

    found = {
        model._meta.label_lower
        for model, model_admin in admin.site._registry.items()
        if "delete_selected" in model_admin.get_actions(request)
    }

    assert found == ({"shipments.holiday"} if role in ("Supervisor", "Administrator") else set())


def test_a_page_that_is_refused_is_logged(own, caplog):
    client = logged_in("Dispatcher", own)

    client.get(address("shipments.auditentry", "changelist"))
    client.post(address("shipments.deliverychange", "approve", own["shipments.deliverychange"].pk))

    refused = [
        (record.name, record.levelname, getattr(record, "status_code", None)) for record in caplog.records
    ]
    assert refused == [("django.request", "WARNING", NO)] * 2


# The API

ENDPOINTS = {
    ("GET", "parcels"): Scope.SHIPMENTS_READ,
    ("POST", "parcels"): Scope.SHIPMENTS_WRITE,
    ("POST", "parcel-batch"): Scope.SHIPMENTS_WRITE,
    ("GET", "parcel"): Scope.SHIPMENTS_READ,
    ("PATCH", "parcel-status"): Scope.SHIPMENTS_WRITE,
    ("POST", "parcel-day"): Scope.SHIPMENTS_WRITE,
    ("GET", "calls"): Scope.CALLS_READ,
    ("GET", "call"): Scope.CALLS_READ,
    ("POST", "order-call"): Scope.CALLS_PLACE,
}


def endpoints() -> Iterator[tuple[str, str]]:
    """Return each method that an address of the API answers, with the address's name."""
    patterns: list[Any] = [one for included in API for one in included.url_patterns]
    for pattern in patterns:
        for method in ("get", "post", "patch", "put", "delete"):
            if hasattr(pattern.callback.view_class, method):
                yield method.upper(), pattern.name


def test_every_address_of_the_api_has_its_row():
    assert set(endpoints()) == ENDPOINTS.keys()


@pytest.mark.parametrize(("method", "name"), ENDPOINTS)
def test_an_address_of_the_api_opens_to_its_scope_alone(own, method, name):
    parcel, call = own["shipments.shipment"], own["voice.call"]
    args = {"call": [call.public_id]}.get(name, [parcel.tracking_id] if name not in _BARE else [])
    path = reverse(name, args=args).removeprefix("/api/v1/")

    answers = {scope: _ask(System(scope, name=scope), method, path) for scope in Scope.values}
    nameless = Client().generic(method, f"/api/v1/{path}").status_code

    assert {scope for scope, status in answers.items() if status != NO} == {ENDPOINTS[method, name]}
    assert nameless == 401


_BARE = ("parcels", "parcel-batch", "calls")


def _ask(system: System, method: str, path: str) -> int:
    answer = system.get(path) if method == "GET" else getattr(system, method.lower())(path, {})
    return int(answer.status_code)
