"""The first page: what the line does, in numbers that lead to what they count."""

import json
from datetime import datetime, timedelta
from itertools import count

import pytest
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from shipments.admin.columns import NONE
from shipments.models import DeliveryChange
from shipments.statuses import ChangeState
from tests.shipments.builders import AMINA, BRIAN, a_depot, a_parcel
from tests.staff import a_member
from voice import dashboard, dialing
from voice.models import Call, OutboundCall
from voice.statuses import CallStatus, DialState

pytestmark = pytest.mark.django_db
_numbers = count()


def a_call(depot, at, **fields) -> Call:
    parcel = a_parcel(depot=depot)
    return Call.objects.create(
        **{"shipment": parcel, "created_at": at, "status": CallStatus.COMPLETED, "customer_number": AMINA}
        | fields
    )


def a_change(parcel, at, **fields) -> DeliveryChange:
    return DeliveryChange.objects.create(
        **{
            "shipment": parcel,
            "kind": "reschedule",
            "state": ChangeState.APPLIED,
            "decided_at": at,
            "call_public_id": "c" * 16,
            "idempotency_key": f"change {next(_numbers)}",
            "shipment_version": 1,
            "created_at": at,
            "expires_at": at,
        }
        | fields
    )


@pytest.fixture
def busy():
    """Two depots on a day with calls that are over, calls that run, a change, a failure and a lost call."""
    now = timezone.now()
    depots = a_depot(), a_depot()
    for depot in depots:
        over = a_call(
            depot,
            now,
            outcome="rescheduled",
            ended_reason="caller_hangup",
            timings={"first_audio_ms": 800, "answers_ms": [900, 1_100]},
            cost_kes_minor=450,
            cost_usd_micros=20_000,
        )
        a_call(
            depot, now, outcome="no_outcome", ended_reason="model_failure", timings={"first_audio_ms": None}
        )
        a_call(depot, now, status=CallStatus.ANSWERED)
        a_call(depot, now - timedelta(days=2), outcome="status_given")
        a_change(over.shipment, now)
        a_change(over.shipment, now, call_public_id="")
        a_change(over.shipment, now - timedelta(days=2))
        dialing.plan(a_parcel(BRIAN, depot=depot), "callback", by="mary", now=now, asked_at=now)
    OutboundCall.objects.update(state=DialState.UNKNOWN)
    return depots


def figures(board) -> dict[str, str]:
    return {figure.title: figure.value for figure in board.figures}


def test_the_numbers_are_those_of_today_and_of_ones_own_depots(busy):
    now = timezone.now()

    of_all = figures(dashboard.board(a_member("Supervisor"), now))
    of_one = figures(dashboard.board(a_member("Dispatcher", busy[0]), now))

    assert of_all == {
        "Calls now": "2",
        "Calls today": "6",
        "Deliveries saved": "2",
        "Calls that failed": "2",
        "Placed calls lost": "2",
        "Answer → first audio": "0.80 s",
        "Caller stops → agent heard": "0.90 s",
        "Telephone today": "KES 9.00",
        "Voice model today": "USD 0.04",
    }
    assert (of_one["Calls now"], of_one["Calls today"], of_one["Telephone today"]) == ("1", "3", "KES 4.50")
    assert (of_one["Deliveries saved"], of_one["Placed calls lost"]) == ("1", "1")


@pytest.mark.parametrize("role", ["Supervisor", "Dispatcher"])
def test_each_number_leads_to_a_list_of_as_many(client, busy, role):
    user = a_member(role, busy[0])
    client.force_login(user)
    shown = client.get(reverse("admin:index")).context["board"]

    for figure in shown.figures:
        if figure.value.isdigit():
            listed = client.get(figure.address)
            assert listed.context["cl"].result_count == int(figure.value), figure
    for share in shown.shares:
        assert client.get(share.address).context["cl"].result_count == share.count, share


def test_a_delay_leads_to_the_calls_that_it_was_computed_from(client, busy):
    depot = busy[0]
    silent = a_call(depot, timezone.now(), timings={"first_audio_ms": 700, "answers_ms": []})
    user = a_member("Dispatcher", depot)
    client.force_login(user)

    addresses = {one.title: one.address for one in dashboard.board(user, timezone.now()).figures}
    first, answers = (
        client.get(addresses[title]).context["cl"].queryset
        for title in ("Answer → first audio", "Caller stops → agent heard")
    )

    assert silent in first
    assert [call.timings["answers_ms"] for call in answers] == [[900, 1_100]]
    assert first.count() == 2


def test_the_page_costs_the_same_for_much_and_for_little(client, busy, django_assert_max_num_queries):
    client.force_login(a_member("Supervisor"))

    with django_assert_max_num_queries(14):
        shown = client.get(reverse("admin:index")).content.decode()

    assert "Deliveries saved" in shown


def test_a_day_without_calls_has_its_page(client):
    client.force_login(a_member("Supervisor"))

    shown = client.get(reverse("admin:index"))

    assert shown.status_code == 200
    assert figures(shown.context["board"])["Answer → first audio"] == "–"
    assert "Nobody has called yet today." in shown.content.decode()


def test_the_day_begins_at_midnight_of_the_couriers_zone():
    depot = a_depot()
    a_call(depot, datetime.fromisoformat("2026-11-23T23:59:00+03:00"))
    a_call(depot, datetime.fromisoformat("2026-11-24T00:00:00+03:00"))

    shown = dashboard.board(a_member("Supervisor"), datetime.fromisoformat("2026-11-24T10:00:00+03:00"))

    assert figures(shown)["Calls today"] == "1"
    assert json.loads(shown.hours)["datasets"][0]["data"][0] == 1
    assert json.loads(shown.days)["datasets"][0]["data"][-2:] == [1, 1]


def test_who_may_not_see_calls_has_a_first_page_without_them(client):
    clerk = a_member("Dispatcher")
    clerk.groups.clear()
    client.force_login(clerk)

    assert "board" not in client.get(reverse("admin:index")).context


@given(st.lists(st.integers(0, 10_000), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(measured, share):
    found = dashboard.percentile(measured, share)

    assert found in measured
    assert sum(value <= found for value in measured) * 100 >= share * len(measured)
    assert all(
        sum(value <= other for value in measured) * 100 < share * len(measured)
        for other in measured
        if other < found
    )


def test_what_calls_cost_is_told_by_purpose_and_for_a_delivery_saved(client):
    depot, now = a_depot(), timezone.now()
    eta = a_call(
        depot, now, purpose="eta", cost_kes_minor=450, carrier_cost_minor=600, cost_usd_micros=20_000
    )
    a_call(depot, now, purpose="eta", cost_kes_minor=300, cost_usd_micros=40_000)
    a_call(depot, now, cost_usd_micros=10_000)
    a_change(eta.shipment, now, call_public_id=eta.public_id)

    spendings = dashboard.board(a_member("Supervisor", depot), now).spendings

    client.force_login(a_member("Supervisor"))
    page = client.get(reverse("admin:index")).content.decode()
    saved = [client.get(one.saved_address).context["cl"].result_count for one in spendings]
    assert saved == [1, 0]
    assert page.count(spendings[0].saved_address.replace("&", "&amp;")) == 1
    told = [(one.label, one.calls, one.bills, one.saved, one.each) for one in spendings]
    assert "What today’s calls cost" in page.replace("&#x27;", "’").replace("'", "’")
    assert "KES 9.00 + USD 0.0600" in page
    assert told == [
        ("Arriving soon", 2, ("KES 9.00", "USD 0.06"), 1, "KES 9.00 + USD 0.0600"),
        ("Enquiry", 1, ("KES 0.00", "USD 0.01"), 0, NONE),
    ]
