"""A real browser for the pages of a real server: the system's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import ConsoleMessage, Page, Request, sync_playwright

from tests.line import ROOT, Line

CHROMIUM = shutil.which("chromium") or ""
needs_chromium = pytest.mark.skipif(
    not CHROMIUM, reason="left out for want of a browser: Chromium is not installed (make browser does it)"
)
PICTURES = ROOT / "var" / "pictures"
"""Where `picture` leaves what it saw, for whoever wants to look."""

USER, PASSWORD = "mary", "planted-password-of-the-browser"
_FLAGS = (
    "--headless",
    "--no-sandbox",  # root, as in a container, has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_ROLE = """
from django.contrib.auth.models import Group, User
user = User.objects.create_user({user!r}, password={password!r}, is_staff=True)
user.groups.add(Group.objects.get(name={role!r}))
"""


@contextmanager
def a_page(line: Line, *flags: str, refused: str = "") -> Iterator[Page]:
    """Open a page in a browser of its own; fail when it asked others for anything or a script of it broke.

    With `refused` the console may tell of requests that were answered so.
    Playwright's loop counts as running in this thread until the end: no ORM and no `asyncio.run` inside.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*_FLAGS, *flags])
        page = browser.new_page(base_url=line.http, viewport={"width": 1400, "height": 900})
        page.set_default_timeout(15_000)
        wrong: list[str] = []

        def note(request: Request) -> None:
            if not request.url.startswith((line.http, "data:", "blob:")):
                wrong.append(f"asked others for {request.url}")

        page.on("request", note)
        page.on("pageerror", lambda error: wrong.append(f"a script broke: {error}"))

        def note_console(said: ConsoleMessage) -> None:
            if said.type == "error" and not (refused and refused in said.text):
                wrong.append(f"the console: {said.text}")

        page.on("console", note_console)
        try:
            yield page
        finally:
            browser.close()
    assert not wrong, wrong


def a_member_of_staff(line: Line, role: str = "Supervisor", user: str = USER) -> None:
    """Make somebody in the line's database, in this role."""
    line.planted.add(PASSWORD)
    line.manage("shell", "-v0", "-c", _ROLE.format(user=user, password=PASSWORD, role=role))


def log_in(page: Page, line: Line, role: str = "Supervisor") -> None:
    """Make a member of staff in this role, and log in as him by the form."""
    a_member_of_staff(line, role)
    page.goto("/admin/login/")
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("/admin/")


def picture(page: Page, name: str) -> None:
    """Keep what the page looks like now."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")
