"""Who asks for a person is rung back, once, on the number of record and when they were told."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from shipments.audit import AuditEntry
from tests.shipments.builders import a_parcel
from voice import callbacks, tools
from voice.models import Call, CallbackRequest
from voice.rights import CallParcel
from voice.statuses import CallbackReason, CallbackState

CALLER = "+254700000001"
MORNING = datetime(2026, 11, 24, 7, 7, tzinfo=UTC)
"""Seven past ten in Nairobi."""
EVENING = datetime(2026, 11, 24, 14, 7, tzinfo=UTC)
"""Seven past five: the two hours of a call-back would not be over by six."""


def a_call(number: str = CALLER) -> Call:
    return Call.objects.create(customer_number=number, created_at=MORNING)


def ask(call: Call, *, number: str = "", summary: str = "", now: datetime = MORNING) -> dict[str, object]:
    return callbacks.request(
        call_public_id=call.public_id,
        number=number,
        reason=CallbackReason.ASKED,
        summary=summary,
        now=now,
    )


@pytest.mark.parametrize(("at", "start", "end"), [
    (MORNING, "2026-11-24 07:07", "2026-11-24 09:15"),
    (EVENING, "2026-11-25 05:00", "2026-11-25 07:00"),
    (datetime(2026, 11, 24, 2, 0, tzinfo=UTC), "2026-11-24 05:00", "2026-11-24 07:00"),
    (datetime(2026, 11, 24, 22, 0, tzinfo=UTC), "2026-11-25 05:00", "2026-11-25 07:00"),
])  # fmt: skip
def test_a_caller_is_rung_back_within_two_hours_of_office_time(at, start, end):
    found = [moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M") for moment in callbacks.window(at)]

    assert found == [start, end]


@pytest.mark.django_db
def test_who_asks_twice_is_rung_back_once_and_told_the_same():
    call = a_call()

    first = ask(call)
    second = ask(call, summary="The parcel is wet", now=EVENING)

    asked = CallbackRequest.objects.get()
    assert first["status"] == second["status"] == "ok"
    assert first["window_end"] == second["window_end"]
    assert "0 0 1" in str(first["say"])
    assert "today by 12:15 pm" in str(first["say"])
    assert (asked.number, asked.summary, asked.state) == (CALLER, "The parcel is wet", "open")


@pytest.mark.django_db
def test_what_a_call_back_is_about_is_kept_without_codes_and_with_the_ids_of_its_parcels():
    call = a_call()
    parcel = a_parcel(tracking_id="KM-4279")
    CallParcel.objects.create(call_public_id=call.public_id, shipment=parcel, place=1)

    ask(call, summary="The PIN is 0417, or four eight one five, for KM 4279 of 27 November, 14:00-17:00")

    kept = "The PIN is [code], or [code], for KM 4279 of 27 November, 14:00-17:00"
    assert CallbackRequest.objects.get().summary == kept


@pytest.mark.django_db
def test_in_the_evening_the_next_day_is_promised():
    assert "on Wednesday 25 November between 8 am and 10 am" in str(ask(a_call(), now=EVENING)["say"])


@pytest.mark.django_db
def test_who_withholds_the_number_is_told_that_nobody_can_ring_back():
    answer = ask(a_call(number=""))

    assert answer["status"] == "refused"
    assert "shows its number" in str(answer["say"])
    assert not CallbackRequest.objects.exists()


@pytest.mark.django_db
def test_the_model_can_ask_for_it():
    call = a_call()

    answer = tools.run("request_callback", {"summary": "Wrong street"}, tools.Caller(call.public_id, ""), "k")

    assert answer["status"] == "ok"
    assert "call you back" in str(answer["message"])
    assert CallbackRequest.objects.get().summary == "Wrong street"


@pytest.mark.django_db
def test_dispatchers_see_what_is_open_and_take_it_off_the_list(client):
    client.force_login(get_user_model().objects.create_superuser("dispatcher"))
    page = reverse("admin:voice_callbackrequest_changelist")
    ask(a_call(), summary="The gate is green")
    ask(a_call("+254700000002"), summary="The gate is red")
    green = CallbackRequest.objects.get(number=CALLER)

    before = client.get(page).content.decode()
    client.post(page, {"action": "mark_done", "_selected_action": [green.pk]})
    after = client.get(page).content.decode()

    assert "The gate is green" in before
    assert "The gate is green" not in after
    assert "The gate is red" in after
    assert CallbackRequest.objects.get(pk=green.pk).state == CallbackState.DONE


@pytest.mark.django_db
def test_who_took_a_request_off_the_list_is_kept_once():
    call = a_call()
    ask(call)
    asked = CallbackRequest.objects.get()

    counted = [
        callbacks.settle([asked.pk], state, by="dana", now=MORNING)
        for state in (CallbackState.DONE, CallbackState.CANCELLED)
    ]

    asked.refresh_from_db()
    entry = AuditEntry.objects.get()
    assert (counted, asked.state) == ([1, 0], CallbackState.DONE)
    assert (entry.actor, entry.verb, entry.object_id) == ("dana", "settle_callback", call.public_id)
    assert entry.after == {"state": "done"}
