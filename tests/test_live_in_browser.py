"""A supervisor watches the line in a real browser: words as they are said, orders, a server that leaves."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import Office, an_office, look_at, needs_chromium, picture
from tests.line import CALLER, ModelSession, eventually
from tests.test_live_line import HURRIED, LOUD, on_the_phone, says

pytestmark = [pytest.mark.slow, pytest.mark.punctual, needs_chromium, pytest.mark.xdist_group("live-page")]
LIVE = "/admin/live/"
SCRIPT = "<img src=x onerror=document.title='broken'>"
PARCEL = f"""
from django.contrib.auth.models import User
from tests.shipments.builders import a_depot, a_parcel
depot = a_depot(name="Own")
a_parcel({CALLER!r}, tracking_id="KM-4279", depot=depot)
User.objects.get(groups__name="Dispatcher").depots.add(depot)
"""


@pytest.fixture(scope="module")
def office(tmp_path_factory) -> Iterator[Office]:
    """Run a server with a parcel at the dispatcher's depot."""
    roles = ("Supervisor", "Dispatcher")
    with an_office(tmp_path_factory.mktemp("live-page"), rows=PARCEL, roles=roles, **HURRIED) as office:
        yield office


def open_the_call(page: Page) -> None:
    page.get_by_role("link", name="Live calls").click()
    page.wait_for_url(LIVE)
    page.locator(".live-card").first.click()
    expect(page.get_by_role("heading", name="••• 001")).to_be_visible()


def converse(model: ModelSession) -> None:
    """Have a conversation as far as the caller's question and the answer to it."""
    model.speak(0.3, LOUD)
    says(model, "Savanna Express, an automated assistant. How can I help?")
    model.send({"serverContent": {"turnComplete": True}})
    says(model, f"Where is {SCRIPT} my parcel?", caller=True)
    tool = {"id": "t1", "name": "track_shipment", "args": {}}
    model.send({"toolCall": {"functionCalls": [tool]}})
    eventually(lambda: "toolResponse" in json.dumps(model.said))
    says(model, "Your parcel is at our depot in Industrial Area.")


def test_a_supervisor_sees_words_appear_and_ends_the_call(office):
    with office.page() as page:
        with on_the_phone(office.line) as (call, model):
            open_the_call(page)
            converse(model)

            words = page.locator(".live-lines")
            expect(words).to_contain_text("my parcel?")
            expect(words).to_contain_text("track shipment: done")
            expect(words).to_contain_text("Your parcel is at our depot")
            expect(page.locator(".live-card")).to_contain_text("KM-4279")
            _pictures(page)
            page.get_by_placeholder("The shop closes").fill("We close at five.")
            page.get_by_role("button", name="Have it said").click()
            expect(page.get_by_text("The call has taken it. The agent says it as soon as")).to_be_visible()
            page.get_by_role("button", name="End the call").click()
            page.get_by_role("button", name="Press again to end it").click()
            expect(page.get_by_text("The agent says goodbye")).to_be_visible()
            model.speak(0.3, LOUD)
            model.send({"serverContent": {"turnComplete": True}})
            expect(page.get_by_text("This call is over.")).to_be_visible()
            expect(page.get_by_text("Nobody is on the line.")).to_be_visible()
            assert page.title() != "broken"
        query = "SELECT ended_reason FROM voice_call WHERE public_id = ?"
        assert office.line.rows(query, call) == [("agent_hangup",)]


def test_an_order_of_which_nothing_is_heard_says_so_and_acts_once_however_often_it_is_sent(office):
    def be_late(route: Route) -> None:
        route.fetch()
        route.fulfill(status=202, json={"unconfirmed": "Not confirmed. Send it again?"})

    def be_lost(route: Route) -> None:
        route.fetch()
        route.abort()

    with office.page(refused="ERR_FAILED") as page, on_the_phone(office.line) as (_, model):
        open_the_call(page)
        page.route("**/live/order", be_lost, times=1)
        page.route("**/live/order", be_late, times=1)  # the one that was added last comes first
        words = page.get_by_placeholder("The shop closes")

        words.fill("We close at five.")
        page.get_by_role("button", name="Have it said").click()
        expect(page.get_by_text("Have it said · Not confirmed")).to_be_visible()
        page.get_by_role("button", name="Send it again").click()
        expect(page.get_by_text("Have it said · The server did not answer")).to_be_visible()
        words.fill("It is gate 4.")
        page.get_by_role("button", name="Tell the agent").click()
        expect(page.get_by_text("Tell the agent · The call has taken it.")).to_be_visible()
        for size in ("desk", "phone"):
            look_at(page, size)
            picture(page, f"live-unconfirmed-{size}")
        words.fill("We close at five.")
        page.get_by_role("button", name="Have it said").click()  # the same again: it is the same order
        expect(page.get_by_text("Have it said · The call has taken it.")).to_be_visible()
        expect(page.get_by_role("button", name="Send it again")).to_have_count(0)
        words.fill("That is all.")
        page.get_by_role("button", name="Tell the agent").click()
        for _ in range(4):
            model.speak(0.3, LOUD)
            model.send({"serverContent": {"turnComplete": True}})
        eventually(lambda: "That is all." in json.dumps(model.said), 15)

    assert json.dumps(model.said).count("We close at five.") == 1


def test_who_presses_twice_before_an_order_is_answered_gives_one(office):
    with office.page() as page, on_the_phone(office.line):
        open_the_call(page)
        page.get_by_placeholder("The shop closes").fill("We close at five.")

        page.get_by_role("button", name="Tell the agent").evaluate(
            "button => { button.click(); button.click(); }"
        )

        expect(page.get_by_text("Tell the agent · The call has taken it.")).to_have_count(1)
        expect(page.get_by_text("Tell the agent ·")).to_have_count(1)


def test_a_page_that_loses_the_server_says_so_and_catches_up(office):
    line = office.line
    with office.page(LIVE, refused="WebSocket connection") as page:
        expect(page.get_by_text("Nobody is on the line.")).to_be_visible()
        line.stop()
        expect(page.get_by_text("This page lost the server")).to_be_visible()
        line.start()
        with on_the_phone(line) as (_, model):
            says(model, "Hello? Are you there?", caller=True)

            expect(page.locator(".live-card")).to_contain_text("Hello? Are you there?")
            expect(page.get_by_text("This page lost the server")).not_to_be_visible()


def test_a_dispatcher_sees_calls_of_his_depots_without_words_and_cannot_end_them(office):
    with office.page(role="Dispatcher") as page, on_the_phone(office.line) as (_, model):
        open_the_call(page)
        converse(model)

        expect(page.locator(".live-lines")).to_contain_text("track shipment: done")
        expect(page.locator(".live-lines")).not_to_contain_text("my parcel?")
        expect(page.get_by_text("What is said is shown to supervisors.")).to_be_visible()
        expect(page.get_by_role("button", name="Tell the agent")).to_be_visible()
        expect(page.get_by_role("button", name=re.compile("End the call"))).to_have_count(0)
        assert CALLER not in page.content()


def _pictures(page: Page) -> None:
    """Look at the page in every way that it is looked at; loaded anew, it catches up each time."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(LIVE)
        page.locator(".live-card").click()
        expect(page.locator(".live-lines")).to_contain_text("Your parcel is at our depot")
        for width, kind in ((1400, "desk"), (390, "phone")):
            page.set_viewport_size({"width": width, "height": 900})
            picture(page, f"live-{scheme}-{kind}")
    page.set_viewport_size({"width": 1400, "height": 900})
