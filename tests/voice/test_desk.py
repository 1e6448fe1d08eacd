"""What waits for a person: the worklist, its counts in the sidebar, and how each goes off it."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from shipments.audit import AuditEntry
from shipments.models import DeliveryChange, Shipment
from shipments.problems import report_problem
from shipments.statuses import Status
from shipments.telling import find_own
from tests.shipments.builders import AMINA, BRIAN, a_depot, a_parcel
from tests.staff import a_corner, a_member
from voice import dialing, worklist
from voice.models import Call, CallbackRequest, ToolRun
from voice.statuses import CallStatus, ToolState

pytestmark = pytest.mark.django_db
PAGE = reverse("worklist")


@pytest.fixture
def corner():
    """One of each kind at a depot: a change, a request, a caller who proved nothing, and a problem."""
    corner = a_corner(AMINA, "Amina")
    parcel = a_parcel(AMINA, depot=corner.depot, tracking_id="AM-9999", status=Status.DELIVERED, news_at=None)
    report_problem(
        find_own(AMINA, parcel.tracking_id), kind="dispute", call_public_id="c" * 16, now=timezone.now()
    )
    return corner


def tasks(user, *kinds):
    return worklist.tasks(user, timezone.now(), kinds or worklist.KINDS)


def post(client, address, opened_at=""):
    """Send a dialog as it was shown, from a page."""
    shown = client.get(address)
    if shown.status_code != 200:
        return shown
    form = shown.context["form"]
    carried = {name: form[name].value() for name in ("version", "shown") if name in form.fields}
    order = {"_form_submitted": "True", "reason": "Spoke to her"} | carried
    return client.post(address, order, headers={"HX-Current-URL": opened_at})


def test_the_worklist_holds_one_of_each_kind_and_what_is_due_first_comes_first(corner):
    found = tasks(a_member("Supervisor"))

    assert {task.kind for task in found} == set(worklist.KINDS)
    assert [task.due_at for task in found] == sorted(task.due_at for task in found)
    assert found[0].kind == "callback"


def test_the_sidebar_counts_what_the_worklist_holds_within_reach(corner, django_assert_num_queries):
    a_corner(BRIAN, "Brian")
    now = timezone.now()
    supervisor, dispatcher = a_member("Supervisor"), a_member("Dispatcher", corner.depot)
    for user in (supervisor, dispatcher):
        user.has_perm("")  # Django keeps the rights of a user once they were asked for

    with django_assert_num_queries(1):
        of_all = worklist.counts(supervisor, now)

    assert of_all == {"change": 2, "callback": 2, "unproved": 2, "problem": 1}
    assert worklist.counts(dispatcher, now) == dict.fromkeys(worklist.KINDS, 1)
    assert len(tasks(dispatcher)) == 4
    assert worklist.counts(a_member("Dispatcher"), now) == dict.fromkeys(worklist.KINDS, 0)


def test_the_sidebar_leads_to_every_list_that_somebody_may_open(client):
    client.force_login(User.objects.create_superuser("root"))

    shown = client.get(reverse("admin:index")).content.decode()

    for model in admin.site._registry:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert f'href="{address}"' in shown, model


def test_a_task_says_how_its_time_stands(corner):
    asked, now = CallbackRequest.objects.get(), timezone.now()
    [task] = tasks(a_member("Supervisor"), "callback")

    moments = (asked.window_start - timedelta(seconds=1), now, asked.window_end + timedelta(seconds=1))

    assert [task.urgency(at) for at in moments] == ["Later", "Now", "Late"]


def test_a_task_says_when_the_agent_is_about_to_ring(corner):
    user, now = a_member("Supervisor"), timezone.now()
    assert "ring" not in tasks(user, "callback")[0].note

    dialing.plan(corner.parcel, "callback", by="rules", now=now, asked_at=now)

    assert tasks(user, "callback")[0].note.endswith("; the agent is about to ring")


def test_the_page_shows_what_may_be_done_by_whom(client, corner):
    client.force_login(a_member("Dispatcher", corner.depot))
    dispatchers = client.get(PAGE).content.decode()
    client.force_login(a_member("Supervisor"))
    supervisors = client.get(PAGE).content.decode()

    approve = reverse("admin:shipments_deliverychange_approve", args=[corner.change.pk])
    assert approve not in dispatchers
    assert approve in supervisors
    for page in (dispatchers, supervisors):
        assert "Rung back" in page
        assert "Recipient disputes the delivery" in page
        assert AMINA not in page


def test_the_page_costs_the_same_for_much_and_for_little(client, corner, django_assert_max_num_queries):
    a_corner(BRIAN, "Brian")
    client.force_login(a_member("Supervisor"))

    with django_assert_max_num_queries(10):
        client.get(PAGE)


@pytest.mark.parametrize(
    "name",
    [
        *("shipments_shipment", "shipments_deliverychange", "shipments_address", "shipments_auditentry"),
        *("voice_call", "voice_outboundcall", "voice_callbackrequest", "shipments_contactpreference"),
    ],
)
@pytest.mark.parametrize("query", [{}, {"q": "sample"}])
def test_every_list_costs_at_most_ten_queries(client, corner, name, query, django_assert_max_num_queries):
    a_corner(BRIAN, "Brian")
    client.force_login(a_member("Supervisor"))
    address = reverse(f"admin:{name}_changelist")
    client.get(address)  # the first to look writes the dialler's switch

    with django_assert_max_num_queries(10):
        assert client.get(address, query).status_code == 200


def test_the_page_can_show_one_kind(client, corner):
    client.force_login(a_member("Supervisor"))

    shown = client.get(PAGE, {"kind": "problem"})

    assert [task.kind for task, *_ in shown.context["rows"]] == ["problem"]


def test_one_who_asked_for_a_change_is_offered_no_decision(corner):
    supervisor = a_member("Supervisor")
    DeliveryChange.objects.update(asker=supervisor)

    [task] = tasks(supervisor, "change")

    assert (task.deeds, task.note) == ((), "asked for by you: somebody else decides")


def test_everything_goes_off_the_list_once_it_is_dealt_with(client, corner):
    client.force_login(a_member("Supervisor"))
    disputed = Shipment.objects.get(tracking_id="AM-9999")

    for name, row in (
        ("shipments_deliverychange_turn_down", corner.change),
        ("voice_callbackrequest_rung_back", corner.asked),
        ("voice_call_looked_into", corner.call),
        ("shipments_shipment_looked_into", disputed),
    ):
        assert post(client, reverse(f"admin:{name}", args=[row.pk])).status_code == 204, name

    assert tasks(a_member("Supervisor")) == []
    looked = AuditEntry.objects.filter(verb="look_into").order_by("pk")
    assert [(one.object_kind, one.after) for one in looked] == [
        ("call", {"reason": "Spoke to her"}),
        ("problem", {"reason": "Spoke to her"}),
    ]


def test_a_problem_reported_after_the_look_is_a_new_one(client, corner):
    client.force_login(a_member("Supervisor"))
    disputed = Shipment.objects.get(tracking_id="AM-9999")
    post(client, reverse("admin:shipments_shipment_looked_into", args=[disputed.pk]))

    report_problem(find_own(AMINA, "AM-9999"), kind="damaged", call_public_id="d" * 16, now=timezone.now())

    assert [task.words for task in tasks(a_member("Supervisor"), "problem")] == ["Recipient reports damage"]


def test_there_is_nothing_to_look_into_where_nothing_is_wrong(client, corner):
    client.force_login(a_member("Supervisor"))

    answer = post(client, reverse("admin:shipments_shipment_looked_into", args=[corner.parcel.pk]))

    assert answer.status_code == 403
    assert not AuditEntry.objects.filter(verb="look_into").exists()


@pytest.mark.parametrize(("level", "listed"), [(0, 1), (1, 0)])
def test_who_reported_a_problem_and_proved_nothing_is_a_task(corner, level, listed):
    call, run = corner.call, corner.call.tool_runs.get()
    ToolRun.objects.filter(pk=run.pk).update(name="report_problem")
    call.level = level
    call.save()

    assert len(tasks(a_member("Supervisor"), "unproved")) == listed


@pytest.mark.parametrize("what", ["proved it after all", "is still there", "long ago"])
def test_a_caller_is_no_task_who(corner, what):
    call = corner.call
    match what:
        case "proved it after all":
            ToolRun.objects.create(
                call=call,
                model_call_id="2",
                name="check_fact",
                state=ToolState.OK,
                started_ms=1,
                duration_ms=1,
            )
        case "is still there":
            call.status = CallStatus.ANSWERED
        case _:
            call.created_at -= timedelta(days=8)
    call.save()

    assert tasks(a_member("Supervisor"), "unproved") == []


def test_d3_a_dialog_leads_back_to_where_it_was_opened_and_never_away(client, corner):
    client.force_login(a_member("Supervisor"))
    decide = reverse("admin:shipments_deliverychange_turn_down", args=[corner.change.pk])
    look = reverse("admin:voice_call_looked_into", args=[corner.call.pk])

    ours = post(client, decide, f"http://testserver{PAGE}?kind=change")
    foreign = post(client, look, "http://elsewhere.example/")

    assert ours["HX-Redirect"] == f"http://testserver{PAGE}?kind=change"
    assert foreign["HX-Redirect"] == reverse("admin:voice_call_change", args=[corner.call.pk])


def test_who_sees_nothing_of_it_has_no_worklist(client):
    client.force_login(a_member("Dispatcher"))
    assert client.get(PAGE).status_code == 200
    user = a_member("Dispatcher")
    user.groups.clear()
    client.force_login(user)

    assert client.get(PAGE).status_code == 403


@pytest.fixture
def nobodys():
    """Return two calls that no parcel was found for: to be rung back, and by one who proved nothing."""
    now = timezone.now()
    over = {"status": CallStatus.COMPLETED, "created_at": now, "ended_at": now}
    wished, tried, plain = (Call.objects.create(customer_number=BRIAN, **over) for _ in range(3))
    asked = CallbackRequest.objects.create(
        call=wished, number=BRIAN, window_start=now, window_end=now + timedelta(hours=2), created_at=now
    )
    ToolRun.objects.create(
        call=tried, model_call_id="1", name="submit_pin", state=ToolState.REFUSED, started_ms=0, duration_ms=1
    )
    return wished, tried, plain, asked


def test_what_belongs_to_no_parcel_waits_for_every_dispatcher_with_its_number_masked(client, nobodys):
    wished, tried, plain, asked = nobodys
    dispatcher = a_member("Dispatcher", a_depot())
    client.force_login(dispatcher)

    found = {(task.kind, task.number, task.page) for task in tasks(dispatcher)}
    pages = [
        client.get(reverse("admin:voice_call_change", args=[call.pk])) for call in (wished, tried, plain)
    ]
    done = [
        post(client, reverse("admin:voice_callbackrequest_rung_back", args=[asked.pk])),
        post(client, reverse("admin:voice_call_looked_into", args=[tried.pk])),
    ]

    assert found == {
        ("callback", "••• 002", reverse("admin:voice_call_change", args=[wished.pk])),
        ("unproved", "••• 002", reverse("admin:voice_call_change", args=[tried.pk])),
    }
    assert [page.status_code for page in pages] == [200, 200, 302]
    assert BRIAN not in "".join(page.content.decode() for page in pages)
    assert [answer.status_code for answer in done] == [204, 204]
    assert tasks(dispatcher) == []


def test_when_more_waits_than_is_listed_what_is_due_first_is_listed(monkeypatch):
    monkeypatch.setattr(worklist, "MOST", 2)
    now = timezone.now()
    for hours, eta in ((1, 9), (2, 2), (3, None), (4, 1)):
        at = now + timedelta(hours=hours)
        parcel = a_parcel(eta_at=eta and now + timedelta(hours=eta))
        DeliveryChange.objects.create(
            shipment=parcel,
            kind="hold_for_pickup",
            state="needs_approval",
            requested_start=now + timedelta(hours=8) if eta is None else None,
            idempotency_key=str(hours),
            shipment_version=1,
            created_at=at,
            expires_at=at,
        )

    found = worklist.tasks(a_member("Supervisor"), now, ["change"])

    assert [task.due_at for task in found] == [now + timedelta(hours=hours) for hours in (1, 2)]
