"""Serve a small application in a thread, with the server's own protocols."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from courier.drain import Deadlines
from courier.serve import HEAD_BYTES, MESSAGE_BYTES, AudioProtocol, AudioServer, RequestProtocol
from tests.line import eventually


@contextmanager
def served(application: Any) -> Iterator[int]:
    """Serve until the block ends; yield the port."""
    config = uvicorn.Config(
        application, http=RequestProtocol, ws=AudioProtocol, ws_max_size=MESSAGE_BYTES, lifespan="off",
        h11_max_incomplete_event_size=HEAD_BYTES, log_config=None, ws_per_message_deflate=False,
    )  # fmt: skip
    server = AudioServer(config, deadlines=Deadlines(0, 0, 0))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=lambda: server.run(sockets=[listening]))
        thread.start()
        eventually(lambda: server.started)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()
