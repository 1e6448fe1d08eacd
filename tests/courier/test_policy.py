"""A browser is told to load what is ours and nothing else."""

import re

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from tests.shipments.builders import a_parcel

pytestmark = pytest.mark.django_db
OUTSIDE = re.compile(r"""(?:src|href|action|hx-get)=["'](?:https?:)?//(?!testserver/)[^"']+""")
"""What loads or leads to another host; the dialogs write our own in full."""


def directives(response) -> dict[str, set[str]]:
    pairs = (one.strip().partition(" ") for one in response["Content-Security-Policy"].split(";"))
    return {name: set(sources.split()) for name, _, sources in pairs}


def test_the_admin_may_load_what_is_ours_and_no_more_than_its_parts_need(admin_client):
    policy = directives(admin_client.get(reverse("admin:index")))

    assert policy["default-src"] == {"'self'"}
    assert policy["script-src"] == {"'self'", "'unsafe-eval'"}
    assert policy["style-src"] == {"'self'", "'unsafe-inline'"}
    assert policy["connect-src"] == {"'self'", "ws://testserver", "wss://testserver"}
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == {"'none'"}


@pytest.mark.logs_errors
def test_a_host_that_is_not_ours_gets_into_no_policy(client):
    answer = client.get("/admin/", headers={"Host": "attacker.example"})

    assert answer.status_code == 400
    assert "attacker" not in answer["Content-Security-Policy"]


def test_the_page_of_the_api_may_hold_no_script_and_no_style_of_its_own(client):
    answer = client.get("/api/docs")
    policy = directives(answer)

    assert policy["script-src"] == policy["style-src"] == {"'self'"}
    assert "<style" not in answer.content.decode()


@pytest.mark.parametrize("path", ["/healthz", "/no-such-page", "/voice"])
def test_what_is_no_page_may_load_nothing(client, path):
    assert directives(client.get(path))["default-src"] == {"'none'"}


def test_the_softphone_alone_may_ask_for_a_microphone(admin_client):
    powers = {
        path: admin_client.get(path)["Permissions-Policy"]
        for path in ("/admin/softphone/", "/admin/", "/voice")
    }

    assert powers["/admin/softphone/"] == "camera=(), geolocation=(), microphone=(self)"
    assert powers["/admin/"] == powers["/voice"] == "camera=(), geolocation=(), microphone=()"


def test_an_address_without_a_page_has_the_policy_of_its_place(client):
    assert directives(client.get("/admin/no-such-page/"))["default-src"] == {"'self'"}


@pytest.mark.parametrize("login", [True, False])
def test_d3_the_pages_name_no_other_host_and_hold_no_script(client, login):
    parcel = a_parcel()
    if login:
        client.force_login(User.objects.create_superuser("root"))

    for address in (
        reverse("admin:index"),
        reverse("admin:login"),
        reverse("admin:shipments_shipment_changelist"),
        reverse("admin:shipments_shipment_change", args=[parcel.pk]),
        reverse("admin:shipments_shipment_reschedule", args=[parcel.pk]),
        reverse("admin:voice_call_changelist"),
        reverse("admin:voice_callbackrequest_changelist"),
        reverse("softphone"),
    ):
        page = client.get(address, follow=True).content.decode()

        assert not OUTSIDE.findall(page)
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*type=.application/json)[^>]*>", page), address
        assert not re.search(r"<[^>]*\son[a-z]+=", page), address
