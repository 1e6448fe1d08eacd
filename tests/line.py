"""The whole line as its users meet it: a real server process, a local model, telephones on real sockets."""

import atexit
import base64
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from tests.leaks import secrets_in
from tests.processes import end, free_port, listens

ROOT = Path(__file__).resolve().parents[1]
ROUTING = "planted-routing-secret-0123456789abcdef"
NEXT_ROUTING = "planted-next-routing-secret-0123456789"
EVENTS = "planted-events-secret-0123456789abcdefg"
MODEL_KEY = "planted-model-key-0123456789"
OWN_NUMBER = "+254700000900"
CALLER = "+254700000001"
SUBPROTOCOL = "audio.drachtio.org"
FRAME = b"\x07\x00" * 320
"""20 ms of the caller: 16-bit mono at 16 kHz, no sample zero."""

_ON_THE_LINE = "SELECT 1 FROM voice_call WHERE session_id <> '' AND ended_at IS NULL"


def eventually(holds: Callable[[], Any], seconds: float = 5.0) -> Any:
    """Wait until `holds` gives something true, and return it; fail when it never does."""
    until = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < until, "it never came to be"
        threading.Event().wait(0.02)
    return found


@cache
def _migrated() -> Path:
    """Return an empty database with all its tables, made once: to migrate takes as long as to start."""
    folder = Path(tempfile.mkdtemp(prefix="line-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    database = folder / "line.sqlite3"
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{database}"}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
    return database


@dataclass
class ModelSession:
    """One conversation that the server under test opened with the model."""

    socket: ServerConnection
    setup: dict[str, Any]
    heard: bytearray = field(default_factory=bytearray)
    said: list[dict[str, Any]] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)
    hearing: Callable[[bytes], None] | None = None

    def send(self, message: dict[str, Any]) -> None:
        """Send a frame, as the real one does: JSON in binary."""
        self.socket.send(json.dumps(message).encode())

    def speak(self, seconds: float, sample: bytes = b"\x09\x00") -> None:
        """Say so much, with no sample zero, and that it is all; as it stands it is too soft to be speech."""
        pcm = sample * round(48_000 * seconds / len(sample))
        for at in range(0, len(pcm), 9_600):
            blob = {
                "mimeType": "audio/pcm;rate=24000",
                "data": base64.b64encode(pcm[at : at + 9_600]).decode(),
            }
            self.send({"serverContent": {"modelTurn": {"role": "model", "parts": [{"inlineData": blob}]}}})
        self.send({"serverContent": {"generationComplete": True}})

    @property
    def caller_bytes(self) -> bytes:
        """Return what was heard, without the silence that stands for a silent carrier."""
        return bytes(self.heard).replace(b"\x00\x00", b"")


class LocalModel:
    """Confirms setups and keeps what it hears; it says nothing by itself."""

    def __init__(self) -> None:
        self.sessions: list[ModelSession] = []
        self.connections = 0
        self.confirms = True
        """Whether the next setups are confirmed."""
        self._server = serve(self._talk, "127.0.0.1", 0, compression=None, max_size=None)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def _talk(self, socket: ServerConnection) -> None:
        self.connections += 1
        try:
            session = ModelSession(socket, json.loads(socket.recv())["setup"])
        except ConnectionClosed:  # its call was over before a word was said
            return
        try:
            if self.confirms:
                session.send({"setupComplete": {}})
            self.sessions.append(session)  # not before: who finds it there may let it speak at once
            for frame in socket:
                message = json.loads(frame)
                if audio := message.get("realtimeInput", {}).get("audio"):
                    pcm = base64.b64decode(audio["data"])
                    session.heard += pcm
                    if session.hearing is not None:
                        session.hearing(pcm)
                else:
                    session.said.append(message)
        except ConnectionClosed:
            pass
        finally:
            session.closed.set()

    def stop(self) -> None:
        """Close everything."""
        self._server.shutdown()
        for session in self.sessions:
            session.socket.close()
        self._thread.join()


class Line:
    """One server process with its own database, and the model that it talks to."""

    def __init__(self, folder: Path, server: str, model: LocalModel, environment: dict[str, str]) -> None:
        self.server = server
        self.model = model
        self.database = folder / "line.sqlite3"
        self._kept = folder / "kept.sqlite3"
        self.log_path = folder / "server.log"
        self.port = free_port()
        self.http = f"http://127.0.0.1:{self.port}"
        self._sessions = 0
        self._environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": f"sqlite:///{self.database}",
            "SECRET_KEY": "planted-secret-key-of-no-value-0123456789-abcdefghijkl",
            "SAUTIKIT_ROUTING_SECRETS": f"{ROUTING},{NEXT_ROUTING}",
            "SAUTIKIT_EVENTS_SECRETS": EVENTS,
            "SAUTIKIT_NUMBER": OWN_NUMBER,
            "PUBLIC_URL": self.http,
            "GEMINI_LIVE_URL": model.url,
            "GEMINI_API_KEY": MODEL_KEY,
            "PYTHONUNBUFFERED": "1",
            "GREETING_SHIELD_S": "0",  # the model here does not greet
            # Telephones here say in a moment what takes seconds to say; what a stall drops is proved in
            # tests/voice/test_pacing.py.
            "UPLINK_STALL_S": "60",
            # All calls here come at once from one number, many ring and send no stream, to a model that
            # fails and on a busy machine; what is refused for that is proved in test_process.py.
            "ADMISSION_CALLS": "1000",
            "ADMISSION_CALLS_PER_SECOND": "1000",
            "ADMISSION_CALLS_PER_NUMBER": "1000",
            "ADMISSION_MODEL_WAIT_S": "0",
            "ADMISSION_LAG_S": "60",
        } | environment
        self.planted: set[str] = {
            OWN_NUMBER,
            CALLER,
            *(
                secret
                for value in self._environment.values()
                for secret in value.split(",")
                if secret.startswith("planted-")
            ),
        }

    def start(self) -> None:
        """Have the database ready and start the process; return when it listens."""
        if self._environment["DATABASE_URL"] != f"sqlite:///{self.database}":
            self.manage("migrate", "-v0")
        elif not self.database.exists():
            shutil.copy(_migrated(), self.database)
        port = str(self.port)
        command = {
            "serve": ["manage.py", "serve", "--host", "127.0.0.1", "--port", port],
            "daphne": ["manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"],
        }[self.server]
        self._log = self.log_path.open("ab")  # what it printed before it was started again is looked at too
        self.process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=self._environment, stdout=self._log, stderr=self._log
        )
        eventually(self._listens, 30)

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.log()
        return listens(self.port)

    def stop(self) -> None:
        """End the process."""
        if self.process.poll() is None:
            end(self.process, within_s=3)  # it may expect a stream that will not come
        self._log.close()

    def manage(self, *command: str) -> str:
        """Run a command of manage.py with the server's own environment, and return what it prints."""
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def command(self, *command: str) -> "Iterator[subprocess.Popen[bytes]]":
        """Run a command of manage.py beside the server, with its environment, until the block ends."""
        process = subprocess.Popen(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=self._environment,
            stdout=self._log,
            stderr=self._log,
        )
        try:
            yield process
        finally:
            end(process, within_s=15)

    def log(self) -> str:
        """Return all that the process printed so far."""
        return self.log_path.read_text(errors="replace")

    def leaks(self) -> list[str]:
        """Return what the process printed and may tell nobody."""
        return secrets_in(self.log(), self.planted)

    def memory_bytes(self) -> int:
        """Return the resident memory of the process."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return rows of the server's database, read past the server."""
        with sqlite3.connect(self.database, timeout=5) as connection:
            found = connection.execute(query, values).fetchall()
        connection.close()
        return found

    def keep(self) -> None:
        """Keep the rows as they are now, for `put_back`."""
        self._copy(self.database, self._kept)

    def put_back(self) -> None:
        """Go back to the rows that were kept, under the server that runs, once nobody is on the line."""
        eventually(lambda: all(session.closed.is_set() for session in self.model.sessions), 15)
        eventually(lambda: not self.rows(_ON_THE_LINE), 15)
        self.model.sessions.clear()
        self._copy(self._kept, self.database)

    def _copy(self, source: Path, target: Path) -> None:
        # By SQLite's own means, which wait for the server's transactions and tell its connections.
        with closing(sqlite3.connect(source)) as kept, closing(sqlite3.connect(target)) as changed:
            kept.backup(changed)

    def post(self, path: str, **kwargs: Any) -> httpx.Response:
        """POST to the server."""
        return httpx.post(self.http + path, timeout=10, trust_env=False, **kwargs)

    def new_session(self) -> str:
        """Return a carrier's session id that was not used yet."""
        self._sessions += 1
        return f"HD_line_{self._sessions}_{time.monotonic_ns()}"

    def ring(self, session_id: str, **fields: str) -> httpx.Response:
        """POST the voice webhook for a ringing call, as the carrier does."""
        body = {
            "sessionId": session_id,
            "callerNumber": CALLER,
            "destinationNumber": OWN_NUMBER,
            "callSessionState": "Ringing",
            "direction": "Inbound",
            "isActive": "1",
        } | fields
        answer = self.post(f"/voice/{ROUTING}", data=body)
        for path in tokens_in(answer.text):
            self.planted.add(path.rsplit("/", 1)[-1])
        return answer

    def stream_path(self, session_id: str = "", **fields: str) -> str:
        """Ring, and return the path of the stream that the answer names."""
        answer = self.ring(session_id or self.new_session(), **fields)
        assert answer.status_code == 200, answer.text
        stream = ET.fromstring(answer.text).find("Stream")
        assert stream is not None, answer.text
        return urlsplit(stream.attrib["url"]).path

    def connect(self, path: str, **kwargs: Any) -> ClientConnection:
        """Open a stream as the carrier does."""
        options = {"subprotocols": [SUBPROTOCOL], "compression": None, "proxy": None} | kwargs
        return connect(f"ws://127.0.0.1:{self.port}{path}", **options)

    @contextmanager
    def call(self, session_id: str = "", **fields: str) -> Iterator[tuple[ClientConnection, ModelSession]]:
        """Place a call up to the model's being ready; yield the telephone and the model's session."""
        before = len(self.model.sessions)
        with self.connect(self.stream_path(session_id, **fields)) as telephone:
            eventually(lambda: len(self.model.sessions) > before, 10)
            yield telephone, self.model.sessions[before]


def tokens_in(xml: str) -> list[str]:
    """Return the addresses that an answer to the webhook holds."""
    try:
        stream = ET.fromstring(xml).find("Stream")
    except ET.ParseError:
        return []
    return [] if stream is None else [stream.attrib["url"], stream.attrib["statusCallback"]]


@contextmanager
def a_line(folder: Path, server: str = "serve", **environment: str) -> Iterator[Line]:
    """Run a line of its own, and fail when what it printed holds a secret, a token or a telephone number."""
    model = LocalModel()
    line = Line(folder, server, model, environment)
    try:
        line.start()
        yield line
    finally:
        if hasattr(line, "process"):
            line.stop()
        model.stop()
    assert not line.leaks(), line.log()
