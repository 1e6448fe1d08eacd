"""What one process wrote down, another tells: a server, a worker, and one of the courier's systems."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
import pytest

from tests.line import a_line, eventually
from tests.shipments.test_intake import a_row

pytestmark = pytest.mark.slow
WATCH = """
from django.utils import timezone
from shipments import outbox
from shipments.clients import ApiClient
crm, now = ApiClient.objects.get(name="crm"), timezone.now()
outbox.add_endpoint(client=crm, url={url!r}, kinds=["parcel.updated"], by="mary", now=now)
"""


@contextmanager
def a_system() -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Run a system that is told things; it takes none at first, as if it were just being restarted."""
    told: list[dict[str, object]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(503 if len(told) == 1 else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", told
        finally:
            server.shutdown()
            thread.join()


def test_a_system_is_told_what_another_reported_though_it_was_away_and_the_worker_was_too(tmp_path):
    with a_line(tmp_path, OUTBOX_PRIVATE="1") as line, a_system() as (url, told):
        token = line.manage("api_client", "make", "warehouse", "shipments:write").strip()
        line.planted |= {token, line.manage("api_client", "make", "crm", "shipments:read").strip()}
        line.manage("shell", "-v0", "-c", WATCH.format(url=url))
        with httpx.Client(
            base_url=f"{line.http}/api/v1/", headers={"Authorization": f"Bearer {token}"}
        ) as api:
            api.post("shipments", json=a_row())
            seen = {"status": "delivered", "occurred_at": datetime.now(UTC).isoformat()}
            api.patch("shipments/EX-1001/status", json=seen)

        with line.command("worker"):  # only now is there one
            eventually(lambda: len(told) == 2, 40)

    assert told[0] == told[1]
    assert (told[0]["kind"], told[0]["about"]["status"]) == ("parcel.updated", "delivered")  # type: ignore[index] # JSON
