"""`deploy/nginx.conf`, run as it stands in Debian's nginx on loopback, with a real server behind it."""

import json
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.browser import PASSWORD, USER, a_member_of_staff
from tests.leaks import secrets_in
from tests.line import CALLER, EVENTS, OWN_NUMBER, ROOT, ROUTING, SUBPROTOCOL, Line, a_line, eventually
from tests.processes import free_port

PATHS = os.pathsep.join([os.environ["PATH"], "/usr/sbin", str(ROOT / ".venv" / "nginx" / "usr" / "sbin")])
NGINX = shutil.which("nginx", path=PATHS) or ""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not NGINX, reason="left out for want of nginx: it is not here (make nginx gets it)"),
]
RINGING = {
    "sessionId": "HD_nginx",
    "callerNumber": CALLER,
    "destinationNumber": OWN_NUMBER,
    "callSessionState": "Ringing",
    "direction": "Inbound",
}
MAIN = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/courier-voice.conf;
}}
"""


@dataclass
class Front:
    """A server behind nginx, and what nginx wrote of it."""

    line: Line
    url: str
    tls: ssl.SSLContext
    folder: Path

    def post(self, path: str, **kwargs) -> httpx.Response:
        """POST through nginx."""
        return httpx.post(self.url + path, verify=self.tls, timeout=15, trust_env=False, **kwargs)

    def access_log(self) -> list[dict[str, object]]:
        """Return the lines about requests."""
        return [json.loads(line) for line in (self.folder / "access.log").read_text().splitlines()]

    def logs(self) -> str:
        """Return all that nginx wrote."""
        return "".join((self.folder / name).read_text() for name in ("access.log", "error.log"))


def a_certificate(folder: Path) -> ssl.SSLContext:
    """Write a certificate for localhost and its key, and return what trusts it."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-out", folder / "fullchain.pem", "-keyout", folder / "privkey.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return ssl.create_default_context(cafile=str(folder / "fullchain.pem"))


def configuration(folder: Path, port: int, upstream: int) -> str:
    """Return deploy/nginx.conf with the lines that a deployment fills in, and nothing else, replaced."""
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    for there, here in {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "server 127.0.0.1:8000 ": f"server 127.0.0.1:{upstream} ",
        "server_name voice.example.com;": "server_name localhost;",
        "/etc/letsencrypt/live/voice.example.com/": f"{folder}/",
        "/var/log/nginx/courier-voice.log": f"{folder}/access.log",
    }.items():
        assert there in text
        text = text.replace(there, here)
    return text


@contextmanager
def a_front(folder: Path) -> Iterator[Front]:
    """Run nginx with the project's file before a server of its own."""
    folder.chmod(0o755)
    port = free_port()
    url = f"https://localhost:{port}"
    tls = a_certificate(folder)
    with a_line(folder, PUBLIC_URL=url) as line:
        (folder / "courier-voice.conf").write_text(configuration(folder, port, line.port))
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
        command = [NGINX, "-p", str(folder), "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"]
        with subprocess.Popen(command) as nginx:
            try:
                eventually(lambda: nginx.poll() is not None or (folder / "nginx.pid").exists())
                yield Front(line, url, tls, folder)
            finally:
                nginx.terminate()
                nginx.wait(10)


def test_a_call_goes_through_nginx_and_its_secrets_are_in_no_log(tmp_path):
    with a_front(tmp_path) as front:
        answer = front.post(f"/voice/{ROUTING}?clientRequestId=abc", data=RINGING)
        stream, status = re.findall(r'(?:url|statusCallback)="([^"]+)"', answer.text)
        front.line.planted |= {stream.rsplit("/", 1)[-1], status.rsplit("/", 1)[-1]}
        with connect(
            stream, ssl=front.tls, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None, proxy=None
        ) as telephone:
            eventually(lambda: front.line.model.sessions, 10)
            telephone.send(b"\x07\x00" * 3_200)
            eventually(lambda: front.line.model.sessions[0].caller_bytes)
            front.line.model.sessions[0].speak(0.5)
            heard = telephone.recv(timeout=5)
        front.post(
            status.removeprefix(front.url), data={"sessionId": "HD_nginx", "streamEvent": "stream-stopped"}
        )
        front.post(f"/events/{EVENTS}", json={"kind": "call.completed", "event_id": "e1", "data": {}})

        assert stream.startswith(front.url.replace("https", "wss") + "/audio/")
        assert telephone.subprotocol == SUBPROTOCOL
        assert isinstance(heard, bytes)
        eventually(lambda: len(front.access_log()) == 4)
        assert sorted((line["path"], line["status"]) for line in front.access_log()) == [
            ("/audio/***", 101),
            ("/events/***", 200),
            ("/stream-status/***", 200),
            ("/voice/***", 200),
        ]
        assert secrets_in(front.logs(), front.line.planted) == []


def test_what_nginx_refuses_by_itself_names_no_secret_either(tmp_path):
    with a_front(tmp_path) as front:
        too_large = front.post(f"/voice/{ROUTING}", data=RINGING | {"more": "x" * 70_000})
        strange = front.post(f"/voice/{ROUTING}", data=RINGING, headers={"Host": "elsewhere.example.com"})
        front.line.stop()
        gone = front.post(f"/voice/{ROUTING}", data=RINGING)

        assert (too_large.status_code, strange.status_code, gone.status_code) == (413, 400, 502)
        eventually(lambda: len(front.access_log()) == 3)  # a line is written after its answer
        assert {line["path"] for line in front.access_log()} == {"/voice/***"}
        assert secrets_in(front.logs(), front.line.planted) == []


def test_whoever_tries_out_passwords_waits_and_nobody_else(tmp_path):
    with a_front(tmp_path) as front:
        tried = [front.post("/admin/login/", data={"username": USER}).status_code for _ in range(20)]
        rung = front.post(f"/voice/{ROUTING}", data=RINGING)

    assert tried.count(429) >= 5  # ten at once, and one more every two seconds
    assert 429 not in tried[:10]
    assert rung.status_code == 200


def test_staff_log_in_through_nginx_and_their_searches_are_not_logged(tmp_path):
    with a_front(tmp_path) as front:
        a_member_of_staff(front.line)
        with httpx.Client(base_url=front.url, verify=front.tls, trust_env=False) as browser:
            page = browser.get("/admin/login/")
            said = {
                "username": USER,
                "password": PASSWORD,
                "csrfmiddlewaretoken": browser.cookies["csrftoken"],
                "next": "/admin/",
            }
            logged_in = browser.post("/admin/login/", data=said, headers={"Origin": front.url})
            found = browser.get("/admin/shipments/shipment/", params={"q": CALLER})
            cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        headers = {"Cookie": cookies, "Origin": front.url}
        socket = front.url.replace("https", "wss") + "/admin/live/news"
        with connect(socket, ssl=front.tls, additional_headers=headers, proxy=None) as live:
            shown = json.loads(live.recv(10))

        assert shown["kind"] == "line"
        assert (page.status_code, logged_in.status_code, found.status_code) == (200, 302, 200)
        eventually(lambda: front.access_log()[-1]["path"] == "/admin/live/news")
        assert front.access_log()[-2]["path"] == "/admin/shipments/shipment/"
        assert secrets_in(front.logs(), front.line.planted) == []
