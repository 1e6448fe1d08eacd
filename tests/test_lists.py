"""What the address of a list at the desk may ask: by what it offers, and not for what its rows mask."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from shipments.admin.lists import ByNumber, Discreet
from shipments.courtesy import ContactPreference
from shipments.riders import Driver
from tests.shipments.builders import AMINA, BRIAN
from tests.staff import a_corner, a_member
from voice import dashboard, dialing
from voice.models import Call

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
GUESSES = ("startswith", "contains", "icontains", "regex", "gt", "lte", "length")
ADMINS = list(admin.site._registry.values())


def named(model_admin) -> str:
    return str(model_admin.opts.label_lower).replace(".", "_")


def logged_in(role, *depots) -> Client:
    client = Client()
    client.force_login(a_member(role, *depots))
    return client


def rows(rf: RequestFactory, model_admin, user, sought: str) -> int:
    request = rf.get("/", {"q": sought})
    request.user = user
    return int(model_admin.get_changelist_instance(request).result_count)


@pytest.fixture
def known():
    """Return a depot with everything of Amina's, and a rider and a wish under her number."""
    corner = a_corner(AMINA, "Amina")
    now = timezone.now()
    dialing.plan(corner.parcel, "callback", by="mary", now=now, asked_at=now)
    Driver.objects.create(name="Sample Rider", phone=AMINA)
    ContactPreference.objects.create(number=AMINA)
    return corner


@pytest.mark.parametrize("model_admin", ADMINS, ids=named)
def test_no_list_is_narrowed_by_part_of_a_field(rf: RequestFactory, model_admin):
    request = rf.get("/")
    request.user = a_member("Supervisor")
    fields = [field.name for field in model_admin.opts.get_fields() if field.concrete]

    told = [
        lookup
        for field in fields
        for guess in GUESSES
        if model_admin.lookup_allowed(lookup := f"{field}__{guess}", "1", request)
        and lookup not in model_admin.linked_by
    ]

    assert isinstance(model_admin, Discreet)
    assert told == []


@pytest.mark.logs_errors
@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("shipments_shipment", "phone__startswith=%2B2547"),
        ("shipments_shipment", "phone=%2B254700000001"),
        ("shipments_shipment", "address__phone__startswith=%2B2547"),
        ("shipments_shipment", "pin_seal__startswith=p"),
        ("shipments_address", "phone__startswith=%2B2547"),
        ("shipments_address", "access_code__startswith=1"),
        ("shipments_driver", "phone__startswith=%2B2547"),
        ("shipments_driver", "shift_pin_seal__startswith=p"),
        ("voice_call", "customer_number__startswith=%2B2547"),
        ("voice_call", "caller_number__startswith=%2B2547"),
        ("voice_call", "called_number__startswith=%2B2547"),
        ("voice_call", "context__contains=x"),
        ("voice_call", "turns__text__contains=church"),
        ("voice_callbackrequest", "number__startswith=%2B2547"),
        ("voice_callbackrequest", "summary__contains=church"),
        ("voice_outboundcall", "number__startswith=%2B2547"),
        ("voice_outboundcall", "shipment__phone__startswith=%2B2547"),
    ],
)
def test_d1_a_masked_number_is_not_told_digit_by_digit(known, name, query):
    client = logged_in("Dispatcher", known.depot)

    answer = client.get(f"{reverse(f'admin:{name}_changelist')}?{query}")

    assert answer.status_code == 400


@pytest.mark.logs_errors
@pytest.mark.parametrize("query", ["object_id__startswith=%2B2547", "after__contains=x"])
def test_the_audit_is_not_searched_by_part_of_what_it_masks(query):
    answer = logged_in("Supervisor").get(f"{reverse('admin:shipments_auditentry_changelist')}?{query}")

    assert answer.status_code == 400


@pytest.mark.parametrize("model_admin", ADMINS, ids=named)
def test_every_filter_that_a_list_offers_is_obeyed(known, model_admin):
    client = Client()
    client.force_login(a_member("Supervisor"))
    client_of_staff = logged_in("Administrator")
    address = reverse(f"admin:{named(model_admin)}_changelist")
    page = client.get(address)
    page = page if page.status_code == 200 else client_of_staff.get(address)
    ways = [
        choice["query_string"]
        for spec in page.context["cl"].filter_specs
        for choice in spec.choices(page.context["cl"])
        if "query_string" in choice
    ]

    answers = {way: page.client.get(f"{address}{way}").status_code for way in ways}

    assert set(answers.values()) <= {200}


def test_every_number_of_the_dashboard_leads_to_a_list(known):
    user = a_member("Supervisor")
    client = Client()
    client.force_login(user)
    Call.objects.update(outcome="rescheduled", timings={"first_audio_ms": 800, "answers_ms": [900]})

    board = dashboard.board(user, timezone.now())
    addresses = [one.address for one in board.figures]
    addresses += [one.address for one in board.shares] + [one.address for one in board.spendings]

    assert len(addresses) > 8
    assert {client.get(address).status_code for address in addresses} == {200}


@pytest.mark.parametrize("model_admin", [one for one in ADMINS if one.search_fields], ids=named)
def test_part_of_a_number_finds_nobody(rf: RequestFactory, known, model_admin):
    root = User.objects.create_superuser("root")

    found = [rows(rf, model_admin, root, part) for part in (AMINA[:-1], AMINA[5:], AMINA[4:-1], BRIAN)]

    assert found == [0, 0, 0, 0]


@pytest.mark.parametrize("model_admin", [one for one in ADMINS if isinstance(one, ByNumber)], ids=named)
def test_a_whole_number_finds_its_rows_however_it_is_written(rf: RequestFactory, known, model_admin):
    dispatcher = a_member("Dispatcher", known.depot)

    found = [rows(rf, model_admin, dispatcher, written) for written in (AMINA, AMINA[1:], "0700 000 001")]

    assert found == [1, 1, 1]
