"""What the API says of itself is true: every operation, with what its schema allows and what it forbids."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from shipments.audit import AuditEntry
from tests.clients import System
from tests.counts import counted
from tests.shipments.builders import a_depot, a_parcel

pytestmark = pytest.mark.xdist_group("schema")  # which begins early: it is long, and would be the last of all
CHECKED = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "response_schema_conformance", "negative_data_rejection"),
    *("missing_required_header", "ignored_auth", "unsupported_method", "use_after_free"),
)


@pytest.mark.slow(seconds=70)
@pytest.mark.django_db(transaction=True)
def test_d4_no_request_that_a_schema_allows_or_forbids_meets_an_answer_that_it_does_not(
    live_server, settings, tmp_path
):
    settings.API_PER_MINUTE = 1_000_000
    a_parcel(depot=a_depot())
    command = [
        *(str(Path(sys.executable).with_name("st")), "run", f"{live_server.url}/api/schema"),
        *("--header", f"Authorization: Bearer {System().token}"),
        *("--phases", "examples,coverage,fuzzing,stateful", "--checks", ",".join(CHECKED)),
        *("--max-examples", str(counted(60) or 1), "--seed", "1"),
        *("--no-color", "--generation-database", "none"),
    ]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    assert AuditEntry.objects.filter(verb="report").exists()  # some of it came through to the verbs
    assert AuditEntry.objects.filter(verb="order_call").exists()


@pytest.mark.django_db
def test_the_schema_and_its_page_load_nothing_from_elsewhere():
    page = Client().get("/api/docs").content.decode()
    script = Client().get("/api/docs", {"script": ""}).content.decode()
    schema = Client().get("/api/schema", headers={"Accept": "application/json"}).content.decode()

    assert "http://" not in page
    assert "https://" not in page
    assert "//" not in script.replace("// ", "")
    assert "/voice/" not in schema
    assert "/api/v1/shipments/bulk" in schema


@pytest.mark.django_db
def test_what_is_not_there_is_answered_like_all_else():
    answer = System().get("parcels/1")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert Client().get("/api/v1/parcels/1").status_code == 401
