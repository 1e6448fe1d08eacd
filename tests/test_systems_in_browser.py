"""What the courier's systems need of the desk, in a real browser: a token, the API's page, a file."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser import Office, an_office, needs_chromium, picture
from tests.shipments.test_files import GOOD
from tests.shipments.test_intake import a_row

pytestmark = [pytest.mark.slow, needs_chromium, pytest.mark.xdist_group("systems")]
PARCELS = "SELECT tracking_id FROM shipments_shipment"


@pytest.fixture(scope="module")
def office(tmp_path_factory) -> Iterator[Office]:
    with an_office(tmp_path_factory.mktemp("systems"), roles=("Supervisor", "Administrator")) as office:
        yield office


def test_an_administrator_makes_a_client_whose_token_works_at_once(office):
    line = office.line
    with office.page("/admin/shipments/apiclient/add/", "Administrator") as page:
        page.get_by_label("Name").fill("warehouse")
        page.get_by_label("Write parcels, their statuses and their days").check()
        picture(page, "api-client")
        page.get_by_role("button", name="Save", exact=True).click()
        token = page.locator("code").first.inner_text()
        line.planted.add(token)
        picture(page, "api-token")
        page.goto("/admin/shipments/notice/")
        page.goto("/admin/shipments/endpoint/add/")
        picture(page, "webhook")
        answer = httpx.post(
            f"{line.http}/api/v1/shipments", json=a_row(), headers={"Authorization": f"Bearer {token}"}
        )

        assert answer.status_code == 201
        assert line.rows(PARCELS) == [("EX-1001",)]


def test_the_api_is_described_on_a_page_that_loads_nothing_from_elsewhere(office):
    with office.page("/api/docs", "") as page:
        page.get_by_text("/api/v1/shipments/bulk").click()
        expect(page.get_by_text("Take new parcels in and bring known ones up to date")).to_be_visible()
        picture(page, "api-docs")


def test_a_supervisor_sees_what_a_file_would_do_before_it_is_done(office, tmp_path):
    wrong, right = tmp_path / "wrong.csv", tmp_path / "parcels.csv"
    wrong.write_bytes(GOOD.replace(b"KE", b"Kenya"))
    right.write_bytes(GOOD)
    with office.page("/admin/shipments/parcelfile/add/") as page:
        page.locator("input[type=file]").set_input_files(wrong)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Row 2, country:")).to_be_visible()
        picture(page, "file-refused")

        page.locator("input[type=file]").set_input_files(right)
        page.get_by_role("button", name="Save", exact=True).click()
        page.wait_for_url("**/change/")
        picture(page, "file-offered")
        assert office.line.rows(PARCELS) == []

        page.get_by_role("link", name="Take in").click()
        page.locator("#dialog").get_by_role("button", name="Take in").click()
        expect(page.get_by_text("is taken in.")).to_be_visible()
        picture(page, "file-taken")
        assert office.line.rows(PARCELS) == [("EX-1001",)]
