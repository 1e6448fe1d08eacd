"""A real browser for the pages of a real server: the system's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, StorageState, expect, sync_playwright

from tests.line import ROOT, Line, a_line

CHROMIUM = shutil.which("chromium") or ""
needs_chromium = pytest.mark.skipif(
    not CHROMIUM, reason="left out for want of a browser: Chromium is not installed (make browser does it)"
)
PICTURES = ROOT / "var" / "pictures"
"""Where `picture` leaves what it saw, for whoever wants to look."""
SIZES = {"desk": (1400, 900), "phone": (375, 812)}
LOOKS: tuple[tuple[Literal["light", "dark"], tuple[str, str]], ...] = (
    ("light", ("desk", "phone")),
    ("dark", ("phone", "desk")),
)
"""Each scheme, for which a page is loaded, and the sizes in their order: each has its turn to load it."""

USER, PASSWORD = "mary", "planted-password-of-the-browser"
_STAFF = {"Supervisor": USER, "Dispatcher": "daniel", "Administrator": "agnes"}
_PATIENCE_MS = 15_000
"""How long a page may take; one that lost its server may wait 8 s before it tries again."""
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
_HIDDEN = """Math.max(...[document.documentElement, ...document.querySelectorAll(
    ".formset-wrapper, .formset-wrapper .simplebar-content-wrapper"
)].map((box) => box.scrollWidth - box.clientWidth))"""
_ROLE = """
from django.contrib.auth.models import Group, User
user = User.objects.create_user({user!r}, password={password!r}, is_staff=True)
user.groups.add(Group.objects.get(name={role!r}))
"""


@contextmanager
def a_browser(*flags: str) -> Iterator[Browser]:
    """Run Chromium until the block ends.

    Playwright's loop counts as running in this thread so long: no ORM and no `asyncio.run` inside.
    """
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*_FLAGS, *flags])
        try:
            yield browser
        finally:
            browser.close()


class Office:
    """A server and a browser that the tests of a file share, where each finds the same rows.

    Who is on the staff is logged in already, in each of the roles.
    """

    def __init__(self, line: Line, browser: Browser, roles: Sequence[str], rows: str) -> None:
        self.line = line
        self._browser = browser
        _plant(line, {_STAFF[role]: role for role in roles}, rows)
        self._states = {role: self._log_in(_STAFF[role]) for role in roles}
        line.keep()

    def _log_in(self, user: str) -> StorageState:
        with self._page(None) as page:
            page.goto("/admin/login/")
            page.get_by_label("Username").fill(user)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Log in").click()
            page.wait_for_url("/admin/")
            return page.context.storage_state()

    @contextmanager
    def page(
        self,
        address: str = "/admin/",
        role: str = "Supervisor",
        *,
        refused: str = "",
        microphone: bool = False,
    ) -> Iterator[Page]:
        """Open an address as who has this role, or nobody; put the rows back in the end.

        Fail when the page asked others for anything or a script of it broke. With `refused` the console may
        tell of requests that were answered so.
        """
        try:
            with self._page(self._states[role] if role else None, refused, microphone) as page:
                page.goto(address)
                yield page
        finally:
            self.line.put_back()

    @contextmanager
    def _page(
        self, state: StorageState | None, refused: str = "", microphone: bool = False
    ) -> Iterator[Page]:
        context = self._browser.new_context(
            base_url=self.line.http,
            viewport={"width": 1400, "height": 900},
            storage_state=state,
            permissions=["microphone"] if microphone else [],
        )
        page = context.new_page()
        page.set_default_timeout(_PATIENCE_MS)
        wrong: list[str] = []

        def note(request: Request) -> None:
            if not request.url.startswith((self.line.http, "data:", "blob:")):
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
            context.close()
        assert not wrong, wrong


@contextmanager
def an_office(
    folder: Path, *flags: str, rows: str = "", roles: Sequence[str] = ("Supervisor",), **environment: str
) -> Iterator[Office]:
    """Run a server with these rows beside a browser, and log in somebody of each role."""
    with a_line(folder, **environment) as line, a_browser(*flags) as browser:
        yield Office(line, browser, roles, rows)


def a_member_of_staff(line: Line, role: str = "Supervisor", user: str = USER) -> None:
    """Make somebody in the line's database, in this role."""
    _plant(line, {user: role})


def _plant(line: Line, members: dict[str, str], rows: str = "") -> None:
    line.planted.add(PASSWORD)
    scripts = (_ROLE.format(user=user, password=PASSWORD, role=role) for user, role in members.items())
    line.manage("shell", "-v0", "-c", "\n".join([*scripts, rows]))


def look_at(page: Page, size: str) -> None:
    """Make the page as wide and as high as a desk's or a phone's."""
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})


def hidden_px(page: Page) -> int:
    """Return how much of the page's width is out of sight: of its own, or of a box below a form."""
    return int(page.evaluate(_HIDDEN))


def picture(page: Page, name: str) -> None:
    """Keep what the page looks like now."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")
