"""Only who has a token comes in, to what its scopes and its shipper allow, and not without end."""

import pytest
from django.test import Client
from django.utils import timezone

from shipments import tokens
from shipments.clients import ApiClient, Scope
from tests.clients import System
from tests.shipments.builders import a_parcel

pytestmark = pytest.mark.django_db
ASKED = "/api/v1/shipments"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic {token}",
        "Token {token}",
        "Bearer {token}x",
        "Bearer é",
    ],
)
def test_without_a_valid_token_nobody_comes_in(header):
    token = System().token

    answer = Client().get(ASKED, headers={"Authorization": header.format(token=token)})

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json()["code"] == "authentication_failed"


def test_a_token_in_an_address_opens_nothing():
    assert Client().get(ASKED, {"token": System().token}).status_code == 401


def test_who_is_logged_in_at_the_desk_is_no_client(admin_client):
    assert admin_client.get(ASKED).status_code == 401


def test_a_client_that_was_shut_out_stays_out():
    system = System()

    tokens.revoke(client_id=system.row.pk, by="mary", reason="The laptop was lost", now=timezone.now())

    assert system.get("shipments").status_code == 401


@pytest.mark.parametrize("scope", [scope for scope in Scope.values if scope != Scope.SHIPMENTS_READ])
def test_another_scope_does_not_open_it(scope):
    answer = System(scope).get("shipments")

    assert answer.status_code == 403
    assert answer.json() == {"code": "permission_denied", "detail": "This token does not allow that."}


def test_a_method_that_is_not_there_is_said_so():
    assert System().patch("shipments", {}).status_code == 405


def test_a_client_of_one_shipper_sees_its_parcels_only():
    own = a_parcel(shipper="Example Books")
    other = a_parcel(shipper="Sample Shoes")
    system = System(shipper="Example Books")

    listed = system.get("shipments").json()["results"]

    assert [parcel["tracking_id"] for parcel in listed] == [own.tracking_id]
    assert system.get(f"shipments/{own.tracking_id}").status_code == 200
    assert system.get(f"shipments/{other.tracking_id}").status_code == 404


def test_what_is_not_there_and_what_is_anothers_is_answered_alike():
    other = a_parcel(shipper="Sample Shoes")
    system = System(shipper="Example Books")

    answers = [system.get(f"shipments/{name}") for name in (other.tracking_id, "NOWHERE-1")]

    assert answers[0].json() == answers[1].json()


def test_a_client_that_asks_too_often_is_told_when_to_come_back(settings):
    settings.API_PER_MINUTE = 3
    eager, other = System(), System(name="other")

    answers = [eager.get("shipments") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 0 < int(answers[-1]["Retry-After"]) <= 60
    assert other.get("shipments").status_code == 200


def test_when_a_token_was_used_last_is_kept():
    system = System()

    system.get("shipments")

    assert ApiClient.objects.get(pk=system.row.pk).last_used_at is not None
