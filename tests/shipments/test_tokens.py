"""A client is made once, its token told once, and who made it and shut it out is written down."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from shipments import tokens
from shipments.audit import AuditEntry
from shipments.clients import ApiClient, Scope
from shipments.errors import ScopeUnknownError
from tests.shipments.builders import NOW
from tests.test_roles import ROLES, logged_in

pytestmark = pytest.mark.django_db


def made(scopes=(Scope.SHIPMENTS_READ,)) -> tuple[ApiClient, str]:
    return tokens.make_client(name="warehouse", scopes=scopes, by="mary", now=NOW)


def test_the_token_is_nowhere_in_the_database():
    _, token = made()

    with connection.cursor() as cursor:
        kept = []
        for query in ("SELECT * FROM shipments_apiclient", "SELECT * FROM shipments_auditentry"):
            cursor.execute(query)
            kept += cursor.fetchall()

    assert kept
    assert token.removeprefix("courier_") not in str(kept)


@pytest.mark.parametrize("scopes", [[], ["shipments:delete"], ["shipments:read", ""]])
def test_a_client_has_scopes_that_there_are(scopes):
    with pytest.raises(ScopeUnknownError):
        made(scopes=scopes)

    assert not ApiClient.objects.exists()


def test_a_client_is_shut_out_once_and_it_is_written_down():
    client, token = made()

    first = tokens.revoke(client_id=client.pk, by="mary", reason="Lost", now=NOW)
    second = tokens.revoke(client_id=client.pk, by="john", reason="Again", now=NOW)

    assert (first, second) == (True, False)
    assert tokens.client_of(token, NOW) is None
    assert list(AuditEntry.objects.order_by("pk").values_list("actor", "verb", "object_id")) == [
        ("mary", "make_client", "warehouse"),
        ("mary", "revoke_client", "warehouse"),
    ]


def test_a_shell_makes_lists_and_shuts_out():
    def said(*words: str) -> str:
        out = StringIO()
        call_command("api_client", *words, stdout=out)
        return out.getvalue().strip()

    token = said("make", "warehouse", "shipments:read", "calls:place", "--shipper", "Example Books")

    client = tokens.client_of(token, NOW)
    assert client is not None
    assert client.scopes == ["calls:place", "shipments:read"]
    assert said("list") == "warehouse  open  Example Books  calls:place shipments:read"
    assert said("revoke", "warehouse", "--reason", "Lost") == "warehouse is shut out"
    assert tokens.client_of(token, timezone.now()) is None
    with pytest.raises(CommandError, match="already"):
        said("make", "warehouse", "shipments:read")
    with pytest.raises(CommandError, match="no client named"):
        said("revoke", "nobody", "--reason", "Lost")


def test_an_administrator_sees_a_new_token_once():
    desk = logged_in("Administrator")
    form = {"name": "warehouse", "shipper": "", "scopes": ["shipments:read", "calls:read"]}

    shown = desk.post(reverse("admin:shipments_apiclient_add"), form)

    client = ApiClient.objects.get()
    page = desk.get(reverse("admin:shipments_apiclient_change", args=[client.pk])).content.decode()
    assert tokens.client_of(shown.context["token"], NOW) == client
    assert shown.context["token"] in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    assert shown.context["token"] not in page
    assert "calls:read, shipments:read" in page


def test_only_administrators_keep_clients():
    client, token = made()
    reason = {"reason": "Lost", "_form_submitted": "True"}

    found = {
        role: (
            logged_in(role).get(reverse("admin:shipments_apiclient_add")).status_code,
            logged_in(role)
            .post(reverse("admin:shipments_apiclient_revoke", args=[client.pk]), reason)
            .status_code,
        )
        for role in ROLES
    }

    assert found == {"Dispatcher": (403, 403), "Supervisor": (403, 403), "Administrator": (200, 204)}
    assert tokens.client_of(token, timezone.now()) is None


def test_a_minute_is_counted_from_its_first_request_and_told_how_long_it_lasts():
    client, _ = made()
    at = [NOW + timedelta(seconds=s) for s in (0, 20, 45, 60)]

    waits = [tokens.wait_s(client, 2, moment) for moment in at]

    assert waits == [0, 0, 15, 0]


def test_who_may_ask_for_nothing_waits():
    client, _ = made()

    assert tokens.wait_s(client, 0, NOW) == 60
