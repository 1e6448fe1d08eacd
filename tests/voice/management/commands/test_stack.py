"""Everything comes up by one command, can be used, and goes when it is told to."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.hearing import needs_speech
from tests.line import ROOT, eventually

pytestmark = pytest.mark.slow(seconds=30)


def commands_that_use(folder: Path) -> list[str]:
    """Return the processes whose environment names the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it has gone, or is not ours to look at
            continue
    return found


def environment(folder: Path) -> dict[str, str]:
    """Return what a shell without any setting has, with a database of the test's own."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/stack.sqlite3",
    }


@contextmanager
def a_stack(folder: Path) -> Iterator[str]:
    """Run everything, and yield what was printed once it is up."""
    command = [sys.executable, "manage.py", "stack", "--port", "0", "--folder", str(folder / "run")]
    printed = folder / "printed"
    with printed.open("wb") as out:
        stack = subprocess.Popen(command, cwd=ROOT, env=environment(folder), stdout=out, stderr=out)
        try:
            eventually(lambda: "Ctrl-C" in printed.read_text() or stack.poll() is not None, 90)
            assert stack.poll() is None, printed.read_text()
            yield printed.read_text()
        finally:
            stack.send_signal(signal.SIGTERM)
            stack.wait(30)


def test_all_is_up_until_it_is_told_to_stop(tmp_path):
    with a_stack(tmp_path) as text:
        up = commands_that_use(tmp_path)
        admin = re.search(r"^admin +(\S+)$", text, re.MULTILINE)
        log_in = re.search(r"^log-in +(\S+) / (\S+)$", text, re.MULTILINE)
        assert admin, text
        assert log_in, text
        with httpx.Client(trust_env=False, follow_redirects=True) as browser:
            browser.get(admin[1])
            words = {"username": log_in[1], "password": log_in[2], "next": "/admin/"}
            page = browser.post(
                f"{admin[1]}login/",
                data=words | {"csrfmiddlewaretoken": browser.cookies["csrftoken"]},
                headers={"Referer": admin[1]},
            )

    assert page.status_code == 200
    assert "/admin/logout/" in page.text
    started = {"live_server", "carrier", "serve", "worker"}
    assert {name for name in started if any(f"manage.py {name}" in line for line in up)} == started
    assert commands_that_use(tmp_path) == []
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "run").glob("*_secrets"))


@needs_speech
def test_the_call_that_is_printed_is_told_of_the_callers_parcel(tmp_path):
    with a_stack(tmp_path) as text:
        [line] = re.findall(r"^a call +(.+)$", text, re.MULTILINE)

        call = subprocess.run(
            ["sh", "-c", f"{line} --record {tmp_path}/call.wav"],
            cwd=ROOT,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert call.returncode == 0, call.stderr
    assert re.search(r"^tool .*track_shipment\(.*\) → ok", call.stdout, re.MULTILINE), call.stdout
    assert "no parcel" not in call.stdout
    assert call.stderr == ""
