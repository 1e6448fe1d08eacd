"""Measure the desk's list pages over 200,000 parcels, on the PostgreSQL that DATABASE_URL names.

`python -m tests.services python -m tests.benchmarks.desk` starts one for it. Prints a table: how often each
page asks the database, and how long it takes with and without a search, for a role that sees everything
and for one that sees one depot of twenty.
"""

import os
import statistics
import sys
import time
from collections.abc import Iterator
from http import HTTPStatus

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "courier.settings")
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import reverse  # noqa: E402

from shipments.audit import AuditEntry  # noqa: E402
from shipments.clients import ApiClient  # noqa: E402
from shipments.courtesy import ContactPreference  # noqa: E402
from shipments.depots import Depot  # noqa: E402
from shipments.messages import OutgoingMessage  # noqa: E402
from shipments.models import Address, DeliveryChange, Shipment, TrackingEvent  # noqa: E402
from shipments.notices import Endpoint, Notice  # noqa: E402
from shipments.riders import Driver  # noqa: E402
from voice.models import Call, CallbackRequest, OutboundCall, ToolRun  # noqa: E402

ROWS = 200_000
DEPOTS = 20
RUNS = 7
FORBIDDEN = HTTPStatus.FORBIDDEN
LISTED_MS, SEARCHED_MS = 300, 1_000
LIST_QUERIES, DASHBOARD_QUERIES = 10, 14
_AGO = "now() - i * interval '37 seconds'"
_PICK = "(ARRAY[{}])[1 + i % {}]"


def pick(*words: str) -> str:
    """Return the SQL that gives row `i` one of these words."""
    return _PICK.format(", ".join(f"'{word}'" for word in words), len(words))


def fill(model: type[models.Model], rows: int, **columns: str) -> None:
    """Write rows whose columns are these SQL expressions of their number `i`, and else the defaults."""
    fields = [
        field
        for field in model._meta.local_concrete_fields
        if not field.primary_key and not getattr(field, "generated", False)
    ]
    defaults = {str(field.column): "%s" for field in fields if field.column not in columns}
    values = [
        field.get_db_prep_save(field.get_default(), connection)
        for field in fields
        if field.column not in columns
    ]
    every = defaults | {name: expression.replace("%", "%%") for name, expression in columns.items()}
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {model._meta.db_table} ({', '.join(every)}) "  # noqa: S608 - names of our own
            f"SELECT {', '.join(every.values())} FROM generate_series(1, {rows}) AS i",
            values,
        )
    print(f"  {rows:,} {model._meta.verbose_name_plural}", file=sys.stderr, flush=True)


def write() -> None:
    """Fill the database with a courier's year."""
    for number in range(DEPOTS):
        Depot.objects.create(name=f"Depot {number:02}", city="Nairobi", country="KE")
    first = Depot.objects.order_by("pk").values_list("pk", flat=True)[0]
    name = f"{pick('Amina', 'Brian', 'Chidi', 'Dalila', 'Efua', 'Farai', 'Grace')} || ' Sample ' || i"
    landmark = f"'opposite the ' || {pick('Sunbird', 'Kingfisher', 'Heron')} || ' kiosk ' || i"
    phone = "'+25470' || lpad((i % 150000)::text, 7, '0')"
    fill(
        Address,
        ROWS,
        recipient_name=name,
        phone=phone,
        building="'House ' || i",
        neighbourhood=pick("Kilimani", "Westlands", "Karen", "Lavington", "South B"),
        city="'Nairobi'",
        country="'KE'",
        landmark=landmark,
    )
    fill(
        Shipment,
        ROWS,
        tracking_id="'KM' || lpad(i::text, 8, '0')",
        recipient_name=name,
        phone=phone,
        status=pick("in_transit", "delivered", "delivered", "out_for_delivery", "delivered", "attempt_fail"),
        depot_id=f"{first} + i % {DEPOTS}",
        address_id="i",
        time_zone="'Africa/Nairobi'",
        created_at=_AGO,
        updated_at=_AGO,
    )
    fill(
        TrackingEvent,
        2 * ROWS,
        shipment_id=f"1 + i % {ROWS}",
        occurred_at=_AGO,
        recorded_at=_AGO,
        status="'in_transit'",
        source="'carrier'",
        idempotency_key="'event:' || i",
    )
    fill(
        DeliveryChange,
        ROWS // 2,
        ref="upper(lpad(to_hex(i), 8, '0'))",
        shipment_id="i",
        kind="'reschedule'",
        state=f"CASE WHEN i % 1000 = 0 THEN 'needs_approval' ELSE {pick('applied', 'rejected')} END",
        requested_start=_AGO,
        requested_end=_AGO,
        decided_at=_AGO,
        requested_by="'recipient'",
        call_public_id="lpad(i::text, 16, '0')",
        idempotency_key="'change:' || i",
        shipment_version="1",
        created_at=_AGO,
        expires_at=_AGO,
    )
    fill(
        Call,
        ROWS,
        public_id="lpad(i::text, 16, '0')",
        session_id="'session-' || i",
        client_request_id="NULL",
        status="'completed'",
        outcome=pick("status_given", "rescheduled", "no_outcome"),
        ended_reason=pick("caller_hangup", "agent_hangup", "model_failure"),
        customer_number=phone,
        shipment_id="CASE WHEN i % 10 = 0 THEN NULL ELSE i END",  # nobody's: dispatchers see some of these
        timings="""'{"first_audio_ms": 800, "answers_ms": [900, 1100, 1300]}'""",
        created_at=_AGO,
        answered_at=_AGO,
        ended_at=_AGO,
    )
    fill(
        ToolRun,
        ROWS,
        call_id="i",
        model_call_id="'1'",
        name=pick("track_shipment", "offer_slots", "submit_pin", "check_fact"),
        state="CASE WHEN i % 100 < 3 THEN 'refused' ELSE 'ok' END",
        started_ms="0",
        duration_ms="30",
    )
    fill(
        CallbackRequest,
        ROWS // 4,
        call_id="i",
        number=phone,
        state="CASE WHEN i % 500 = 0 THEN 'open' ELSE 'done' END",
        window_start=_AGO,
        window_end=_AGO,
        created_at=_AGO,
    )
    fill(
        OutboundCall,
        ROWS // 2,
        shipment_id="i",
        purpose="'eta'",
        state="'done'",
        number=phone,
        client_request_id="lpad(i::text, 32, '0')",
        not_before=_AGO,
        created_at=_AGO,
    )
    fill(
        AuditEntry,
        ROWS,
        at=_AGO,
        actor="'voice agent'",
        verb="'confirm_reschedule'",
        object_kind="'shipment'",
        object_id="'KM' || lpad(i::text, 8, '0')",
        call_public_id="lpad(i::text, 16, '0')",
    )
    fill(
        OutgoingMessage,
        ROWS,
        idempotency_key="'message:' || i",
        shipment_id="i",
        number=phone,
        kind="'change'",
        text="'Your parcel comes on Friday.'",
        state=f"CASE WHEN i % 1000 = 0 THEN 'waiting' ELSE {pick('sent')} END",
        next_at=_AGO,
        created_at=_AGO,
    )
    fill(ApiClient, 1, name="'warehouse'", digest="'d'", created_at=_AGO)
    fill(Endpoint, 1, client_id="1", url="'https://192.0.2.1/hook'", secret="''", created_at=_AGO)
    fill(
        Notice,
        ROWS,
        event_id="'event-' || i",
        endpoint_id="1",
        kind=pick("call.ended", "parcel.updated"),
        body="'{}'",
        state=pick("delivered", "delivered", "dead"),
        next_at=_AGO,
        give_up_at=_AGO,
        created_at=_AGO,
    )
    fill(Driver, ROWS // 100, name=name, phone="'+25472' || lpad(i::text, 7, '0')")
    fill(ContactPreference, ROWS // 2, number="'+25470' || lpad(i::text, 7, '0')", opted_out_at=_AGO)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


PAGES: tuple[tuple[str, dict[str, str], bool], ...] = (
    ("admin:index", {}, False),
    ("worklist", {}, False),
    ("admin:shipments_shipment_changelist", {}, False),
    ("admin:shipments_shipment_changelist", {"status__exact": "out_for_delivery"}, False),
    ("admin:shipments_shipment_changelist", {"changes__state__exact": "needs_approval"}, False),
    ("admin:shipments_shipment_changelist", {"q": "KM00123456"}, True),
    ("admin:shipments_shipment_changelist", {"q": "0123456"}, True),
    ("admin:shipments_shipment_changelist", {"q": "+254700012345"}, True),
    ("admin:shipments_shipment_changelist", {"q": "dalila sample 77"}, True),
    ("admin:shipments_shipment_changelist", {"q": "kingfisher kiosk 4711"}, True),
    ("admin:shipments_shipment_changelist", {"q": "nobody of that name"}, True),
    ("admin:shipments_deliverychange_changelist", {}, False),
    ("admin:shipments_deliverychange_changelist", {"state__exact": "needs_approval"}, False),
    ("admin:shipments_deliverychange_changelist", {"q": "KM00004711"}, True),
    ("admin:shipments_address_changelist", {}, False),
    ("admin:shipments_address_changelist", {"q": "heron kiosk 99"}, True),
    ("admin:voice_call_changelist", {}, False),
    ("admin:voice_call_changelist", {"q": "KM00004711"}, True),
    ("admin:voice_call_changelist", {"q": "+254700012345"}, True),
    ("admin:voice_outboundcall_changelist", {}, False),
    ("admin:voice_outboundcall_changelist", {"q": "KM00004711"}, True),
    ("admin:voice_callbackrequest_changelist", {}, False),
    ("admin:voice_call_changelist", {"timed": "answers"}, False),
    ("admin:shipments_outgoingmessage_changelist", {}, False),
    ("admin:shipments_outgoingmessage_changelist", {"state__exact": "waiting"}, False),
    ("admin:shipments_notice_changelist", {}, False),
    ("admin:shipments_notice_changelist", {"state__exact": "dead"}, False),
    ("admin:shipments_notice_changelist", {"q": "event-4711"}, True),
    ("admin:shipments_driver_changelist", {}, False),
    ("admin:shipments_driver_changelist", {"q": "+254720000012"}, True),
    ("admin:shipments_contactpreference_changelist", {}, False),
    ("admin:shipments_contactpreference_changelist", {"q": "0700 012 345"}, True),
    ("admin:shipments_auditentry_changelist", {}, False),
    ("admin:shipments_auditentry_changelist", {"q": "KM00004711"}, True),
)


def measured(client: Client) -> Iterator[tuple[str, int, list[float], float]]:
    """Yield of each page that this client may open its name, queries, milliseconds, and what is allowed."""
    for name, query, searched in PAGES:
        address = reverse(name)
        # What is only read once, or written by whoever comes first.
        if client.get(address, query).status_code == FORBIDDEN:
            continue
        with CaptureQueriesContext(connection) as asked:
            client.get(address, query)
        queries = len(asked)  # at once: the next request empties the log
        took = []
        for _ in range(RUNS):
            began = time.perf_counter()
            client.get(address, query)
            took.append((time.perf_counter() - began) * 1000)
        shown = name.removeprefix("admin:").removesuffix("_changelist")
        said = ", ".join(f"{key.partition('__')[0]}={value}" for key, value in query.items())
        yield f"{shown} {said}".strip(), queries, took, SEARCHED_MS if searched else LISTED_MS


def logged_in(role: str) -> Client:
    """Return a browser in which somebody of this role is logged in, who works for the first depot."""
    user = User.objects.create_user(role.lower(), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    user.depots.add(Depot.objects.order_by("pk")[0])
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    return client


def main() -> None:
    """Write the rows, measure the pages, print the table."""
    call_command("migrate", verbosity=0)
    write()
    print(f"\n| list page, {ROWS:,} parcels | role | queries | ms, median [slowest] | kept |")
    print("| --- | --- | --- | --- | --- |")
    for role in ("Supervisor", "Dispatcher", "Administrator"):
        for page, queries, took, allowed in measured(logged_in(role)):
            middle = statistics.median(took)
            most = DASHBOARD_QUERIES if page == "index" else LIST_QUERIES
            kept = "yes" if middle <= allowed and queries <= most else f"no ({most}, {allowed:.0f} ms)"
            print(f"| {page} | {role} | {queries} | {middle:.0f} [{max(took):.0f}] | {kept} |", flush=True)


if __name__ == "__main__":
    main()
