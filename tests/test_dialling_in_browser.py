"""Dialling as a supervisor does it: a real browser, a real server, and the real pages between them."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Office, an_office, needs_chromium, picture
from tests.line import CALLER, eventually
from tests.processes import free_port
from tests.test_outbound_call import PARCEL

pytestmark = [pytest.mark.slow, needs_chromium, pytest.mark.xdist_group("dialling")]

PARCELS = "/admin/shipments/shipment/"
QUEUE = "/admin/voice/outboundcall/"
CALLBACKS = "/admin/voice/callbackrequest/"
BRIAN = "+254700000002"
STATES = "SELECT purpose, state, asked_for, requested_by FROM voice_outboundcall ORDER BY id"
ASKED = """
from datetime import timedelta
from django.utils import timezone
from shipments.models import Shipment
from voice.models import Call, CallbackRequest
now, parcel = timezone.now(), Shipment.objects.get(tracking_id="KM900000")
call = Call.objects.create(
    customer_number=parcel.phone, proof="lookup", shipment=parcel, status="completed", created_at=now
)
CallbackRequest.objects.create(
    call=call, number=parcel.phone, window_start=now, window_end=now + timedelta(hours=2), created_at=now
)
"""


CARRIER_PORT = free_port()


@pytest.fixture(scope="module")
def office(tmp_path_factory) -> Iterator[Office]:
    """Run a server with two parcels on their way, a wish to be rung back, and no carrier yet."""
    with an_office(
        tmp_path_factory.mktemp("dialling"),
        rows=PARCEL.format(phones=[CALLER, BRIAN], minutes=60) + ASKED,
        DIAL_HOURS="00:00-24:00",
        SAUTIKIT_API_KEY="planted-key-0123",
        SAUTIKIT_BASE_URL=f"http://127.0.0.1:{CARRIER_PORT}",
    ) as office:
        yield office


def run_on_all(page: Page, action: str) -> None:
    """Choose all rows of a list and run an action on them."""
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option(label=action)
    page.get_by_role("button", name="Run").click()


def call_from_the_page_of(page: Page, tracking_id: str, purpose: str) -> None:
    """Open a parcel and have its customer called."""
    page.goto(PARCELS)
    page.get_by_role("link", name=tracking_id).click()
    page.get_by_role("link", name="Call customer").click()
    page.get_by_label("Purpose").select_option(value=purpose)
    picture(page, "call-customer")
    page.get_by_role("button", name="Call", exact=True).click()


def test_a_customer_is_called_from_a_parcels_page_and_the_call_is_seen_in_the_queue(office):
    line, port = office.line, str(CARRIER_PORT)
    with office.page() as page:
        call_from_the_page_of(page, "KM900000", "eta")
        expect(page.get_by_text("KM900000: Now. Nothing speaks against it.")).to_be_visible()
        assert line.rows(STATES) == [("eta", "planned", 0, "mary")]

        with line.command("carrier", "--port", port), line.command("place_calls", "--loop"):
            eventually(lambda: line.rows(STATES)[0][1] in ("answered", "done"), 30)
            page.goto(QUEUE)
            expect(page.get_by_role("link", name="Call", exact=True)).to_be_visible()
            picture(page, "placed-calls")


def test_many_are_shown_with_the_rules_then_planned_and_taken_off_the_plan_again(office):
    with office.page(PARCELS) as page:
        run_on_all(page, "Call customers")
        expect(page.get_by_text("Now. Nothing speaks against it.")).to_have_count(2)
        picture(page, "call-customers")
        assert office.line.rows(STATES) == []

        page.get_by_role("button", name="Call those who may be called").click()
        expect(page.get_by_text("KM900001: Now. Nothing speaks against it.")).to_be_visible()
        assert office.line.rows(STATES) == [("eta", "planned", 0, "mary")] * 2
        page.goto(QUEUE)
        run_on_all(page, "Cancel")

        expect(page.get_by_text("2 cancelled.")).to_be_visible()
        assert office.line.rows(STATES) == [("eta", "cancelled", 0, "mary")] * 2


def test_all_dialling_is_paused_and_resumed_with_one_click(office):
    with office.page(QUEUE) as page:
        picture(page, "dialling-goes-on")
        page.get_by_role("button", name="Pause dialling").click()
        expect(page.get_by_text("Dialling is paused by mary: stopped by hand.")).to_be_visible()
        page.get_by_role("button", name="Resume dialling").click()
        page.get_by_label("Reason").fill("Storm over Nairobi")
        page.get_by_role("button", name="Pause dialling").click()
        expect(page.get_by_text("Dialling is paused by mary: Storm over Nairobi")).to_be_visible()
        picture(page, "dialling-paused")

        call_from_the_page_of(page, "KM900000", "eta")
        expect(page.get_by_text(re.compile("KM900000: .* paused: Storm over Nairobi"))).to_be_visible()
        page.goto(QUEUE)
        page.get_by_role("button", name="Resume dialling").click()

        expect(page.get_by_text("Dialling goes on.")).to_be_visible()
        assert office.line.rows("SELECT paused FROM voice_dialswitch") == [(0,)]


def test_who_asked_to_be_rung_back_is_called_from_the_list(office):
    with office.page(CALLBACKS) as page:
        run_on_all(page, "Call back")

        expect(page.get_by_text("KM900000: Now. Nothing speaks against it.")).to_be_visible()
        picture(page, "call-back")
        assert office.line.rows(STATES) == [("callback", "planned", 1, "mary")]
