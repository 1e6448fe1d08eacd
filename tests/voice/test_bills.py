"""What a call cost is the carrier's word, as soon as it has come, and our own estimate until then."""

from datetime import timedelta

import httpx
import pytest
from django.urls import reverse

from tests.shipments.builders import a_parcel
from tests.voice.builders import NOW
from voice import bills, books, budget, call_page, reconcile
from voice.clients.sautikit import SautikitClient
from voice.models import Call, OutboundCall

pytestmark = pytest.mark.django_db


@pytest.fixture
def carrier(monkeypatch):
    """Answer for the carrier with what a test puts there by session; keep what was asked."""
    known: dict[str, dict[str, object]] = {}
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        session = request.url.path.rsplit("/", 1)[-1]
        asked.append(session)
        name = "session_id" if session.startswith("HD_") else "call_id"
        return httpx.Response(200, json={name: session} | known.get(session, {}))

    monkeypatch.setattr(
        reconcile,
        "reach",
        lambda: SautikitClient("https://carrier.example.com", "key", transport=httpx.MockTransport(answer)),
    )
    return known, asked


def ended(session="HD_1", minutes_ago=5, **fields) -> Call:
    """Create a call that is over, for which we reckoned 4.50 shillings."""
    at = NOW - timedelta(minutes=minutes_ago)
    return Call.objects.create(
        **{
            "session_id": session,
            "direction": "outbound",
            "status": "completed",
            "created_at": at,
            "answered_at": at,
            "ended_at": at,
            "cost_kes_minor": 450,
            "rates_date": NOW.date(),
        }
        | fields
    )


def test_the_carriers_bill_takes_the_place_of_our_estimate_and_is_asked_for_once(carrier):
    known, asked = carrier
    known["HD_1"] = {"status": "completed", "duration_seconds": 97, "cost_minor": 600}
    call = ended()
    before = call_page.reckoned(call)

    assert (bills.fetch(NOW), bills.fetch(NOW + timedelta(hours=1))) == (1, 0)

    call.refresh_from_db()
    assert asked == ["HD_1"]
    assert (call.carrier_cost_minor, call.carrier_duration_s, call.cost_kes_minor) == (600, 97, 450)
    assert before == (("Telephone is", "our estimate"),)
    assert call_page.reckoned(call) == (("We reckoned", "KES 4.50"), ("Difference", "+KES 1.50"))
    assert call_page.both_bills(call).startswith("KES 6.00")


def test_a_placed_call_without_a_session_is_asked_for_by_the_carriers_own_id(carrier):
    known, asked = carrier
    known["c-1"] = {"status": "completed", "duration_seconds": 60, "cost_minor": 300}
    call = ended(session=None)
    parcel = a_parcel()
    OutboundCall.objects.create(
        shipment=parcel, number=parcel.phone, carrier_call_id="c-1", call=call, not_before=NOW, created_at=NOW
    )

    assert bills.fetch(NOW) == 1

    call.refresh_from_db()
    assert (asked, call.carrier_cost_minor) == (["c-1"], 300)


def test_an_answer_that_names_another_call_is_no_bill(carrier):
    carrier[0]["HD_1"] = {"session_id": "HD_2", "status": "completed", "cost_minor": 300}
    ended()

    assert bills.fetch(NOW) == 0


def test_an_answer_that_names_no_call_is_of_the_one_that_was_asked_for(carrier):
    carrier[0]["HD_1"] = {"session_id": None, "status": "completed", "cost_minor": 300}
    ended()

    assert bills.fetch(NOW) == 1


@pytest.mark.parametrize(
    ("names", "bills_told"),
    [
        ({"call_id": "8d5c2f1e-0000-4000-8000-000000000001"}, 1),
        ({"call_id": "8d5c2f1e-0000-4000-8000-000000000001", "session_id": "HD_2"}, 0),
        ({"call_id": "HD_2"}, 0),
    ],
)
def test_an_answer_to_a_session_may_name_its_call_by_the_id_alone(carrier, names, bills_told):
    carrier[0]["HD_1"] = {"session_id": None, "status": "completed", "cost_minor": 300} | names
    ended()

    assert bills.fetch(NOW) == bills_told


@pytest.mark.parametrize(
    "answer",
    [
        {"call_id": "c-2"},
        {"call_id": None, "session_id": "HD_2"},
        {"call_id": None, "calls": [{"status": "completed", "cost_minor": 300}] * 2},
    ],
)
def test_an_answer_to_an_id_that_names_another_call_or_several_is_no_bill(carrier, answer):
    carrier[0]["c-1"] = {"status": "completed", "cost_minor": 300} | answer
    ended("c-1")

    assert bills.fetch(NOW) == 0


def test_what_a_call_costs_so_far_is_no_bill_while_the_carrier_has_it_on_the_line(carrier):
    known, _ = carrier
    known["HD_1"] = {"status": "in_progress", "duration_seconds": 30, "cost_minor": 150}
    call = ended()
    early = bills.fetch(NOW)
    known["HD_1"] = {"status": "completed", "duration_seconds": 97, "cost_minor": 600}

    later = bills.fetch(NOW + timedelta(minutes=11))

    call.refresh_from_db()
    assert (early, later, call.carrier_cost_minor, call.carrier_duration_s) == (0, 1, 600, 97)


def test_the_calls_page_shows_how_far_the_carriers_bill_is_from_our_estimate(admin_client):
    call = ended(carrier_cost_minor=600, carrier_duration_s=97)

    page = admin_client.get(reverse("admin:voice_call_change", args=[call.pk])).content.decode()

    assert all(shown in page for shown in ("KES 6.00", "KES 4.50", "+KES 1.50", "1:37"))


@pytest.mark.parametrize(
    ("billed", "difference"), [(450, "KES 0.00"), (600, "+KES 1.50"), (400, "−KES 0.50"), (0, "−KES 4.50")]
)
def test_the_difference_has_its_sign(billed, difference):
    assert call_page.reckoned(ended(carrier_cost_minor=billed))[1] == ("Difference", difference)


def test_what_the_carrier_does_not_say_is_asked_for_again_after_the_others(carrier):
    _, asked = carrier
    ended("HD_1")
    bills.fetch(NOW)
    bills.fetch(NOW + timedelta(minutes=1))
    ended("HD_2", minutes_ago=2)
    bills.fetch(NOW + timedelta(minutes=11))

    assert asked == ["HD_1", "HD_2", "HD_1"]


@pytest.mark.parametrize(
    "told",
    [
        {"cost_minor": -5},
        {"cost_minor": "many"},
        {"cost_minor": None},
        {"cost_minor": 5, "currency": "USD"},
        {"cost_minor": 10**15},
    ],
)
def test_a_bill_that_is_none_or_in_other_money_leaves_our_estimate(carrier, told):
    carrier[0]["HD_1"] = {"status": "completed"} | told
    call = ended()

    assert bills.fetch(NOW) == 0

    call.refresh_from_db()
    assert (call.carrier_cost_minor, call.billed_kes_minor) == (None, 450)


@pytest.mark.parametrize(
    "fields",
    [{"ended_at": NOW}, {"ended_at": None}, {"session_id": None}, {"created_at": NOW - timedelta(days=3)}],
)
def test_no_bill_is_asked_for_too_early_too_late_or_without_a_name(carrier, fields):
    ended(**fields)

    bills.fetch(NOW)

    assert carrier[1] == []


def test_a_days_money_is_counted_by_what_the_carrier_billed(settings):
    settings.ADMISSION_KES_PER_DAY, settings.ADMISSION_USD_PER_DAY = 5, 0
    settings.DIAL_BUDGET_KES_PER_DAY = 5
    call = ended()
    spent_before = budget.is_spent(NOW), books._spent_minor(NOW)
    Call.objects.filter(pk=call.pk).update(carrier_cost_minor=600)

    assert spent_before == (False, 450)
    assert (budget.is_spent(NOW), books._spent_minor(NOW)) == (True, 600)
