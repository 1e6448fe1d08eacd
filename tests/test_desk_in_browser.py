"""The desk as a supervisor uses it: a real browser and a real server, light and dark, desk and phone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser import LOOKS, Office, an_office, hidden_px, look_at, needs_chromium, picture
from tests.shipments.builders import AMINA, BRIAN

pytestmark = [pytest.mark.slow, needs_chromium, pytest.mark.xdist_group("desk")]
CORNERS = f"""
from tests.staff import a_corner
for phone, name in (({AMINA!r}, "Amina"), ({BRIAN!r}, "Brian")):
    a_corner(phone, name)
"""
CHANGED = """
from shipments.models import Shipment
Shipment.objects.filter(tracking_id="AM-4279").update(version=9, status="attempt_fail")
"""
CHANGES = "SELECT state, decided_by, decision_reason FROM shipments_deliverychange ORDER BY state"
PAGES = {
    "dashboard": "/admin/",
    "worklist": "/admin/worklist/",
    "parcels": "/admin/shipments/shipment/",
    "parcel": "/admin/shipments/shipment/1/change/",
    "changes": "/admin/shipments/deliverychange/",
    "call": "/admin/voice/call/1/change/",
    "calls": "/admin/voice/call/",
    "call-backs": "/admin/voice/callbackrequest/",
    "depot": "/admin/shipments/depot/1/change/",
    "audit": "/admin/shipments/auditentry/",
}


@pytest.fixture(scope="module")
def office(tmp_path_factory) -> Iterator[Office]:
    """Run a server with two depots where something waits."""
    with an_office(tmp_path_factory.mktemp("desk"), rows=CORNERS) as office:
        yield office


def test_what_waits_is_decided_from_the_worklist_with_a_reason(office):
    with office.page() as page:
        page.get_by_role("link", name="Changes to decide on").click()
        page.get_by_role("button", name="Approve").first.click()
        page.locator("#dialog").get_by_role("button", name="Approve").click()
        expect(page.get_by_text("This field is required.")).to_be_visible()
        page.get_by_label("Reason").fill("The rider is still at the depot")
        picture(page, "approve")
        page.locator("#dialog").get_by_role("button", name="Approve").click()
        expect(page.get_by_text("carried out.")).to_be_visible()

        expect(page.get_by_role("button", name="Approve")).to_have_count(1)
        assert page.url.endswith("/admin/worklist/?kind=change")
        assert office.line.rows(CHANGES) == [
            ("applied", "mary", "The rider is still at the depot"),
            ("needs_approval", "", ""),
        ]


def test_a_form_that_went_stale_shows_what_is_different(office):
    with office.page() as page:
        page.goto(PAGES["parcels"])
        page.get_by_role("link", name="AM-4279").click()
        page.get_by_role("link", name="Reschedule").click()
        expect(page.get_by_text("already with our dispatcher")).to_be_visible()
        office.line.manage("shell", "-v0", "-c", CHANGED)

        page.get_by_label("Day and window").select_option(index=1)
        page.get_by_role("button", name="Move").click()

        expect(page.get_by_text("has been changed since you opened this form")).to_be_visible()
        expect(page.get_by_role("row", name="Status Out for delivery Attempt failed")).to_be_visible()
        picture(page, "stale-form")


@pytest.mark.parametrize("action", ["Reschedule", "Change address", "Hold"])
def test_a_dialog_can_be_sent_on_a_phone_however_long_it_is(office, action):
    with office.page() as page:
        page.set_viewport_size({"width": 390, "height": 600})
        page.goto(PAGES["parcel"])
        page.get_by_role("link", name="more_horiz").click()
        page.get_by_role("link", name=action).click()
        send = page.locator("#dialog button[type=submit]")

        send.scroll_into_view_if_needed()
        expect(send).to_be_in_viewport()
        picture(page, f"{action.lower().replace(' ', '-')}-phone")


def test_every_page_is_whole_light_and_dark_on_a_desk_and_on_a_phone(office):
    with office.page() as page:
        for scheme, (first, then) in LOOKS:
            page.emulate_media(color_scheme=scheme)
            for name, address in PAGES.items():
                look_at(page, first)
                answer = page.goto(address)
                assert answer is not None
                assert answer.status == 200, name
                for device in (first, then):
                    look_at(page, device)
                    picture(page, f"{name}-{scheme}-{device}")
                    px = hidden_px(page)
                    assert px == 0, f"{name} is {px} px too wide for a {device}"
