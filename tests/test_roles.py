"""Who may see and do what at the desk: role by page, and by whose parcel it is."""

from copy import deepcopy
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from shipments.audit import AuditEntry
from shipments.depots import DeliverySlot
from tests.shipments.builders import AMINA, BRIAN
from tests.staff import SAID, Corner, a_corner, a_member, make_roles
from voice import dialing
from voice.models import CallbackRequest, OutboundCall

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.xdist_group("roles")]
ROLES = ("Dispatcher", "Supervisor", "Administrator")
OK, AWAY, NO, NOT_THERE = 200, 302, 403, 404


@pytest.fixture(scope="module")
def corners(django_db_setup, django_db_blocker):
    """Make the rows once: each test has a savepoint of this transaction."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield a_corner(AMINA, "Amina"), a_corner(BRIAN, "Brian")
        transaction.set_rollback(True)


@pytest.fixture
def own(corners):
    return deepcopy(corners[0])


@pytest.fixture
def foreign(corners):
    return deepcopy(corners[1])


def logged_in(role: str, *depots) -> Client:
    client = Client()
    client.force_login(a_member(role, *depots))
    return client


def of(kind: str, page: str, corner: Corner) -> str:
    """Return the address of a page about a corner's parcel, address, change, call or request."""
    app, row = {
        "shipment": ("shipments", corner.parcel),
        "address": ("shipments", corner.parcel.address),
        "deliverychange": ("shipments", corner.change),
        "depot": ("shipments", corner.depot),
        "call": ("voice", corner.call),
        "callbackrequest": ("voice", corner.asked),
        "outboundcall": (
            "voice",
            OutboundCall.objects.filter(shipment=corner.parcel).first() or _placed(corner),
        ),
    }[kind]
    return reverse(f"admin:{app}_{kind}_{page}", args=[row.pk])


def _placed(corner: Corner) -> OutboundCall:
    planned = dialing.plan(corner.parcel, "callback", by="mary", now=timezone.now(), asked_at=timezone.now())
    assert planned.outbound is not None
    return planned.outbound


def a_list(name: str) -> str:
    return reverse(f"admin:{name}_changelist")


@pytest.mark.parametrize("page", ["change", "history"])
@pytest.mark.parametrize(
    "kind", ["shipment", "address", "deliverychange", "depot", "call", "callbackrequest", "outboundcall"]
)
@pytest.mark.parametrize(
    ("role", "theirs"), [("Dispatcher", AWAY), ("Supervisor", OK), ("Administrator", OK)]
)
def test_d1_a_page_opens_for_who_may_see_its_depot(own, foreign, role, kind, page, theirs):
    client = logged_in(role, own.depot)

    mine = client.get(of(kind, page, own))

    assert mine.status_code == OK
    assert client.get(of(kind, page, foreign)).status_code == theirs
    assert AMINA not in mine.content.decode()


@pytest.mark.parametrize(
    "name",
    [
        *("shipments_shipment", "shipments_address", "shipments_deliverychange", "shipments_depot"),
        *("voice_call", "voice_callbackrequest", "voice_outboundcall"),
    ],
)
@pytest.mark.parametrize("role", ROLES)
def test_d1_a_list_shows_what_belongs_to_who_may_see_it_and_no_number_in_full(own, foreign, role, name):
    for corner in (own, foreign):
        dialing.plan(corner.parcel, "eta", by="mary", now=timezone.now())

    client = logged_in(role, own.depot)
    pages = [client.get(a_list(name), query).content.decode() for query in ({}, {"q": "sample"})]
    shown = pages[0]

    rows = client.get(a_list(name)).context["cl"].result_count
    assert rows == (1 if role == "Dispatcher" else 2) * (name != "voice_outboundcall" or rows > 0)
    assert ("Brian depot" in shown) <= (role != "Dispatcher")
    for text in pages:
        assert AMINA not in text
        assert BRIAN not in text


@pytest.mark.parametrize(
    ("role", "mine", "theirs"),
    [("Dispatcher", OK, NOT_THERE), ("Supervisor", OK, OK), ("Administrator", NO, NO)],
)
def test_a_parcel_is_moved_by_who_works_for_its_depot(own, foreign, role, mine, theirs):
    client = logged_in(role, own.depot)
    slot = DeliverySlot.objects.get(depot=foreign.depot)
    order = {"slot": slot.pk, "version": 1, "shown": "{}", "_form_submitted": "True"}

    assert client.get(of("shipment", "reschedule", own)).status_code == mine
    assert client.get(of("shipment", "reschedule", foreign)).status_code == theirs
    assert client.post(of("shipment", "reschedule", foreign), order).status_code == theirs
    foreign.parcel.refresh_from_db()
    assert foreign.parcel.version == 1


def test_d1_autocomplete_names_the_staff_to_who_keeps_them_only():
    address, query = (
        reverse("admin:autocomplete"),
        {
            "app_label": "shipments",
            "model_name": "depot",
            "field_name": "staff",
        },
    )

    found = {role: logged_in(role).get(address, query).status_code for role in ROLES}

    assert found == {"Dispatcher": NO, "Supervisor": NO, "Administrator": OK}


def test_who_works_for_a_depot_is_said_by_who_keeps_the_staff(own):
    form = {
        "name": "Amina depot",
        "city": "Nairobi",
        "country": "KE",
        "time_zone": "Africa/Nairobi",
        "slots-TOTAL_FORMS": 0,
        "slots-INITIAL_FORMS": 0,
    }
    clerk = User.objects.create_user("clerk")
    seen = {}

    for role in ("Supervisor", "Administrator"):
        answer = logged_in(role).post(of("depot", "change", own), form | {"staff": [clerk.pk]})
        assert answer.status_code == AWAY
        seen[role] = own.depot.staff.filter(pk=clerk.pk).exists()

    assert seen == {"Supervisor": False, "Administrator": True}


def test_what_was_said_is_read_by_supervisors(own):
    heard = {
        role: SAID in logged_in(role, own.depot).get(of("call", "change", own)).content.decode()
        for role in ROLES
    }

    assert heard == {"Dispatcher": False, "Supervisor": True, "Administrator": False}


@pytest.mark.parametrize("kind", ["shipment", "callbackrequest"])
def test_a_number_is_shown_to_a_supervisor_who_says_why_and_it_is_written_down(own, kind):
    client = logged_in("Supervisor")
    order = {"reason": "The agent could not reach her", "_form_submitted": "True"}

    without = client.post(of(kind, "show_number", own), order | {"reason": " "})
    client.post(of(kind, "show_number", own), order)
    after = client.get(of("shipment", "change", own)).content.decode()

    entry = AuditEntry.objects.get(verb="reveal_number")
    assert without.status_code == OK
    assert AMINA in after
    assert AMINA not in client.get(of("shipment", "change", own)).content.decode()
    assert (entry.actor, entry.after) == ("supervisor 0", {"reason": "The agent could not reach her"})
    assert AMINA not in f"{entry.object_id}{entry.before}{entry.after}"


def test_a_number_that_a_caller_named_is_masked_where_it_is_listed(own):
    CallbackRequest.objects.update(summary="Ring my brother on 0700 000 002 or +254700000002")

    shown = logged_in("Supervisor").get(a_list("voice_callbackrequest")).content.decode()

    assert "Ring my brother on" in shown
    assert BRIAN not in shown
    assert "0700 000 002" not in shown


def test_part_of_a_number_finds_nobody(own):
    client = logged_in("Dispatcher", own.depot)

    part = client.get(a_list("shipments_shipment"), {"q": AMINA[:-1]}).context["cl"].result_count
    whole = client.get(a_list("shipments_shipment"), {"q": AMINA}).context["cl"].result_count

    assert (part, whole) == (0, 1)


def test_no_role_changes_or_deletes_what_is_kept(own):
    AuditEntry.objects.create(at=timezone.now(), actor="a", verb="v", object_kind="shipment", object_id="1")
    kept = {"shipments_auditentry": AuditEntry.objects.latest("pk").pk, "shipments_shipment": own.parcel.pk}
    superuser = Client()
    superuser.force_login(User.objects.create_superuser("root"))

    for client in (superuser, *(logged_in(role, own.depot) for role in ROLES)):
        for name, pk in kept.items():
            for page in ("change", "delete"):
                answer = client.post(
                    reverse(f"admin:{name}_{page}", args=[pk]), {"actor": "b", "post": "yes"}
                )
                assert answer.status_code == NO
    assert AuditEntry.objects.get(pk=kept["shipments_auditentry"]).actor == "a"


def test_an_administrator_makes_nobody_a_superuser_and_takes_no_superusers_place():
    client, root = logged_in("Administrator"), User.objects.create_superuser("root")
    clerk = User.objects.create_user("clerk")
    form = {"username": "clerk", "is_superuser": "on", "is_active": "on", "is_staff": "on"}
    rows = {f"Depot_staff-{name}": 0 for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    times = {"date_joined_0": "2026-11-23", "date_joined_1": "08:00:00"}

    saved = client.post(reverse("admin:auth_user_change", args=[clerk.pk]), form | rows | times)
    password = client.get(reverse("admin:auth_user_password_change", args=[root.pk]))

    clerk.refresh_from_db()
    assert saved.status_code == AWAY
    assert (clerk.is_staff, clerk.is_superuser) == (True, False)
    assert password.status_code == NO


def test_who_has_no_role_sees_nothing(own):
    client = Client()
    client.force_login(User.objects.create_user("guest", is_staff=True))

    for name in ("shipments_shipment", "voice_call", "shipments_deliverychange"):
        assert client.get(a_list(name)).status_code == NO


def test_a_supervisor_keeps_what_somebody_wishes_and_it_is_written_down():
    client = logged_in("Supervisor")
    form = {"number": "0700 000 001", "opted_out": "on", "language": "sw", "quiet_hours": ""}

    saved = client.post(reverse("admin:shipments_contactpreference_add"), form)
    shown = client.get(a_list("shipments_contactpreference")).content.decode()
    found = client.get(a_list("shipments_contactpreference"), {"q": AMINA}).context["cl"].result_count

    entry = AuditEntry.objects.get(verb="keep_wishes")
    assert saved.status_code == AWAY
    assert AMINA not in shown
    assert found == 1
    assert (entry.object_id, entry.after) == (
        AMINA,
        {"opted_out": True, "language": "sw", "quiet_hours": ""},
    )
    assert AMINA not in client.get(a_list("shipments_auditentry")).content.decode()


@pytest.mark.parametrize(
    "wrong", [{"number": "someone"}, {"language": "Kiswahili"}, {"quiet_hours": "at night"}]
)
def test_a_wish_that_nobody_could_read_is_refused(wrong):
    form = {"number": AMINA, "language": "sw-KE", "quiet_hours": "20:00-07:00"} | wrong

    answer = logged_in("Supervisor").post(reverse("admin:shipments_contactpreference_add"), form)

    assert set(answer.context["adminform"].form.errors) == set(wrong)


def test_a_window_is_not_made_smaller_than_what_is_booked(own):
    slot = DeliverySlot.objects.get(depot=own.depot)
    DeliverySlot.objects.update(booked=3)
    day = timezone.localdate() + timedelta(days=3)
    form = {
        "name": "Amina depot",
        "city": "Nairobi",
        "country": "KE",
        "time_zone": "Africa/Nairobi",
        "slots-TOTAL_FORMS": 1,
        "slots-INITIAL_FORMS": 1,
        "slots-0-id": slot.pk,
        "slots-0-depot": own.depot.pk,
        "slots-0-date": day.isoformat(),
        "slots-0-capacity": 2,
        "slots-0-window_start": "09:00",
        "slots-0-window_end": "12:00",
    }

    answer = logged_in("Supervisor").post(of("depot", "change", own), form)

    assert answer.status_code == OK
    assert "are booked" in answer.content.decode()


def test_roles_that_are_made_anew_after_a_test_emptied_the_database_may_do_what_they_did():
    for role in ROLES:
        a_member(role)

    def rights() -> set[tuple[str, str]]:
        return set(Group.objects.values_list("name", "permissions__codename"))

    before = rights()
    Group.objects.all().delete()
    make_roles()

    assert rights() == before
