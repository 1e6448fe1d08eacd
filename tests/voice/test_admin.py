"""The calls as a dispatcher sees them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from shipments import rescheduling
from shipments.phones import mask_numbers
from shipments.telling import find_own
from tests.shipments.builders import AMINA, BRIAN, a_depot, a_parcel, a_slot
from voice import archive, call_page, calls, reports
from voice.models import Call
from voice.records import Ending, ToolRecord, TurnRecord, UsageSeen
from voice.wire import sautikit

NOW = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
OURS = "+254700000900"
LIST = reverse("admin:voice_call_changelist")

pytestmark = pytest.mark.django_db


@pytest.fixture
def dispatcher(client):
    client.force_login(get_user_model().objects.create_superuser("dispatcher"))
    return client


def page(call: Call) -> str:
    return reverse("admin:voice_call_change", args=[call.pk])


def webhook(session_id, caller, **fields):
    return sautikit.parse_webhook(
        {
            "sessionId": session_id,
            "callerNumber": caller,
            "destinationNumber": OURS,
            "callSessionState": "Ringing",
            "direction": "Inbound",
        }
        | fields
    )


def a_ringing_call(session_id="HD_1", caller=AMINA, **fields) -> calls.Opening:
    opening = calls.open_call(webhook(session_id, caller, **fields), own_number=OURS, region="KE", now=NOW)
    assert opening is not None
    return opening


def a_live_call(session_id="HD_1", caller=AMINA, **fields) -> Call:
    facts = calls.accept_stream(a_ringing_call(session_id, caller, **fields).token, now=NOW)
    assert facts is not None
    return Call.objects.get(pk=facts.call_id)


def an_ended_call(session_id="HD_1", caller=AMINA, **fields) -> Call:
    call = a_live_call(session_id, caller, **fields)
    archive.record_turns(
        call.pk,
        [
            TurnRecord(0, "agent", "Hello, how can I help you?", 900, 5_000, interrupted=True),
            TurnRecord(1, "caller", "Where is <b>my</b> parcel?", 6_000, 8_000),
            TurnRecord(2, "agent", "It is out for delivery.", 65_000, 70_000),
        ],
    )
    archive.record_tool_run(
        call.pk,
        ToolRecord(
            model_call_id="t1",
            name="track_shipment",
            business_key="k",
            arguments={"tracking_id": "KM 4279"},
            result={"status": "ok", "message": "It is out for delivery.", "data": {"about": "an hour"}},
            state="timed_out",
            started_ms=8_100,
            duration_ms=5_010,
        ),
    )
    usage = {
        "promptTokenCount": 1_200,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 1_200}],
    }
    archive.record_usage(call.pk, [UsageSeen(8_000, usage), UsageSeen(70_000, usage)])
    reports.note_event(
        "e-" + session_id, "call.completed", {"caller": AMINA, "session_id": session_id}, now=NOW
    )
    calls.end_call(
        call.pk,
        Ending(
            reason="caller_hangup",
            outcome="status_given",
            timings={
                "setup_ms": 412,
                "first_audio_ms": None,
                "answers_ms": [640, 1_240],
                "waits_ms": [[8_000, 8_600, 8_640], [64_000, 65_200, 65_240]],
                "interruptions": 1,
                "new_ms": 7,
            },
            counters={"late_audio": 2, "speech_dropped_ms": 0, "something_new": 3},
            duration_s=71,
        ),
        now=NOW + timedelta(seconds=71),
    )
    return Call.objects.get(pk=call.pk)


def queries(client, address, **params) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(address, params).status_code == 200
    return len(captured)


def test_a_call_is_shown_with_what_was_said_done_measured_and_paid(dispatcher):
    a_parcel(tracking_id="KM-4279")
    call = an_ended_call()

    shown = dispatcher.get(page(call)).content.decode()

    for words in (
        *("Completed", "Status given", "Caller hung up", "KM-4279", "1:11"),
        *("Hello, how can I help you?", "interrupted", "It is out for delivery.", "1:05"),
        *("Track shipment", "Timed out", "KM 4279", "5.01 s", "an hour"),
        *("KES 0.00", "USD 0.007200", "2,400", "1 Jul 2026"),
        *("0.41 s", "0.94 s", "1.24 s", "Late audio dropped", "Something new"),
        *("call.completed", call.public_id, "HD_1"),
    ):
        assert words in shown
    assert "Agent&#x27;s speech lost" not in shown  # a count of nothing is no news


def test_the_conversation_is_in_the_order_in_which_it_happened():
    call = an_ended_call()

    lines = call_page.page_of(Call.objects.for_page().get(pk=call.pk)).conversation

    assert [line.at for line in lines] == ["0:00", "0:06", "0:08", "1:05"]
    assert [type(line).__name__ for line in lines] == ["Spoken", "Spoken", "Done", "Spoken"]


def test_what_was_said_is_shown_as_it_was_said_and_run_by_nobody(dispatcher):
    shown = dispatcher.get(page(an_ended_call())).content.decode()

    assert "Where is &lt;b&gt;my&lt;/b&gt; parcel?" in shown
    assert "<b>my</b>" not in shown


def test_no_page_shows_a_whole_number(dispatcher):
    call = an_ended_call()

    for address in (LIST, page(call)):
        shown = dispatcher.get(address).content.decode()
        assert "••• 001" in shown
        assert AMINA.lstrip("+") not in shown
        assert OURS.lstrip("+") not in shown


def test_a_call_without_anything_has_its_page(dispatcher):
    call = a_live_call(caller="anonymous")

    shown = dispatcher.get(page(call)).content.decode()

    assert "withheld" in shown
    assert "Nothing was said" in shown
    assert "Answered" in shown


def test_what_a_call_changed_is_on_its_page(dispatcher):
    depot = a_depot()
    a_slot(depot)
    parcel = a_parcel(tracking_id="KM-4279", depot=depot)
    call = an_ended_call()
    rescheduling.prepare_reschedule(
        find_own(AMINA, ""), day="friday", window=None, call_public_id=call.public_id, key="k", now=NOW
    )

    shown = dispatcher.get(page(call)).content.decode()

    assert "What this call changed" in shown
    assert "Friday 27 November" in shown
    assert reverse("admin:shipments_shipment_change", args=[parcel.pk]) in shown


def test_of_each_answer_the_page_draws_the_model_its_tools_and_the_way_to_the_ear(dispatcher):
    shown = dispatcher.get(page(an_ended_call())).content.decode()

    assert "first sound, 600 ms" in shown
    assert "Track shipment, 5010 ms" in shown
    assert "From its first sound to the ear, 40 ms" in shown
    assert "Waits" not in shown


def test_a_parcel_has_its_calls_on_its_page(dispatcher):
    parcel = a_parcel()
    call = an_ended_call()

    shown = dispatcher.get(reverse("admin:shipments_shipment_change", args=[parcel.pk])).content.decode()

    assert page(call) in shown
    assert "Status given" in shown


def test_the_list_has_what_a_dispatcher_looks_for(dispatcher):
    a_parcel(tracking_id="KM-4279")
    an_ended_call()
    a_live_call("HD_2", OURS, direction="Outbound", destinationNumber=BRIAN)

    shown = dispatcher.get(LIST).content.decode()

    for words in ("Tue 24 Nov 10:00", "Inbound", "••• 001", "KM-4279", "Status given", "1:11"):
        assert words in shown
    for words in ("KES 0.00 + USD 0.0072", "Outbound", "••• 002", "Answered"):
        assert words in shown


@pytest.mark.parametrize("search", [AMINA, "0700 000 001", "KM-4279", "HD_1"])
def test_a_call_is_found_by_number_parcel_and_session(dispatcher, search):
    a_parcel(tracking_id="KM-4279")
    an_ended_call()
    a_live_call("HD_2", BRIAN)

    shown = dispatcher.get(LIST, {"q": search}).content.decode()

    assert "••• 001" in shown
    assert "••• 002" not in shown


def test_the_list_can_be_narrowed(dispatcher):
    an_ended_call()
    a_live_call("HD_2", BRIAN)

    shown = dispatcher.get(LIST, {"status__exact": "answered"}).content.decode()

    assert "••• 002" in shown
    assert "••• 001" not in shown


def test_the_list_asks_the_database_as_often_for_many_calls_as_for_one(dispatcher):
    a_parcel()
    an_ended_call()
    dispatcher.get(LIST)
    for_one = queries(dispatcher, LIST)

    for number in range(2, 12):
        an_ended_call(f"HD_{number}")

    assert queries(dispatcher, LIST) == for_one


def test_the_page_asks_the_database_as_often_for_a_long_call_as_for_a_short_one(dispatcher):
    short, long = a_live_call(), an_ended_call("HD_2")
    for position in range(3, 30):
        archive.record_turns(long.pk, [TurnRecord(position, "agent", "Yes.", position, position)])
        reports.note_event(f"e{position}", "call.held", {"session_id": "HD_2"}, now=NOW)
    dispatcher.get(page(short))

    assert queries(dispatcher, page(long)) == queries(dispatcher, page(short))


def test_nobody_writes_a_call(dispatcher):
    call = an_ended_call()
    addresses = [
        page(call),
        reverse("admin:voice_call_add"),
        reverse("admin:voice_call_delete", args=[call.pk]),
    ]

    answers = [
        dispatcher.post(address, {"public_id": "x", "post": "yes"}).status_code for address in addresses
    ]

    assert answers == [403, 403, 403]
    assert Call.objects.get() == call
    shown = dispatcher.get(page(call)).content.decode()
    assert 'name="_save"' not in shown
    assert "deletelink" not in shown


@pytest.mark.parametrize(("permitted", "status"), [(True, 200), (False, 403)])
def test_calls_are_for_those_who_may_view_them(client, permitted, status):
    user = get_user_model().objects.create_user("someone", is_staff=True)
    if permitted:
        rights = Permission.objects.filter(codename__in=("view_call", "view_all_depots"))
        user.user_permissions.add(*rights)
    client.force_login(user)
    call = an_ended_call()

    assert [client.get(address).status_code for address in (LIST, page(call))] == [status, status]


def test_a_call_that_is_not_there_has_no_page(dispatcher):
    answer = dispatcher.get(reverse("admin:voice_call_change", args=[999]))

    assert answer.status_code == 302


# Words, numbers and money


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"caller": "+254700000001"}', '{"caller": "••• 001"}'),
        ("254700000001", "••• 001"),
        ("0700000001", "••• 001"),
        ("ring 0700 000 001.", "ring ••• 001."),
        ("+254 700 000 001 or 0700000002", "••• 001 or ••• 002"),
        ("1234567890123456", "1234567890123456"),
        ("0700000001a", "0700000001a"),
        ("on 24 11 2026 at 7 15", "on 24 11 2026 at 7 15"),
        ("HD_254700000001", "HD_254700000001"),
        ("KM004279", "KM004279"),
        ("12345.678901234", "12345.678901234"),
        ("60", "60"),
    ],
)
def test_what_may_be_a_number_shows_its_last_digits(text, shown):
    assert mask_numbers(text) == shown


@pytest.mark.parametrize(
    ("micros", "places", "shown"),
    [
        (923, 6, "USD 0.000923"),
        (923, 4, "USD 0.0010"),
        (999_999, 4, "USD 1.0000"),
        (1_234_567_890, 6, "USD 1,234.567890"),
        (0, 4, "USD 0.0000"),
    ],
)
def test_dollars_are_rounded_up(micros, places, shown):
    assert call_page.usd(micros, places=places) == shown


def test_shillings_have_their_cents():
    assert [call_page.kes(minor) for minor in (0, 5, 305, 123_456)] == [
        "KES 0.00",
        "KES 0.05",
        "KES 3.05",
        "KES 1,234.56",
    ]


@pytest.mark.parametrize(
    "measured", [{}, {"answers_ms": None}, {"answers_ms": "x"}, {"answers_ms": []}, {"setup_ms": None}]
)
def test_what_was_not_measured_is_not_shown(measured):
    assert call_page.timings(measured) == ()
