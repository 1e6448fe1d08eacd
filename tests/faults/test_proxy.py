"""The fault proxy does to a connection what it says, and nothing else."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.proxy import HOLE, Fault, Proxy, a_proxy

SAID = bytes(range(256)) * 40


@contextmanager
def echo() -> Iterator[int]:
    """Run a server that sends back what it gets; yield its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65_536):
                    connection.sendall(data)
            except OSError:
                pass

    threads = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=answer, args=(connection,)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [accepting, *threads]:
            thread.join()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """Stand before an echo."""
    with echo() as port, a_proxy(port) as standing:
        yield standing


def dial(proxy: Proxy) -> socket.socket:
    """Connect through the proxy; the caller closes it."""
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def read(connection: socket.socket, size: int) -> bytes:
    """Return so many bytes, or what comes until the end."""
    got = b""
    while len(got) < size and (piece := connection.recv(size - len(got))):
        got += piece
    return got


@pytest.mark.parametrize("fault", [
    Fault(), Fault(latency_s=0.05, jitter_s=0.05), Fault(bytes_per_s=50_000), Fault(slice_bytes=100),
])  # fmt: skip
def test_bytes_may_be_late_and_are_the_same(proxy, fault):
    proxy.spoil(up=fault, down=fault)

    with dial(proxy) as connection:
        connection.sendall(SAID)

        assert read(connection, len(SAID)) == SAID


@pytest.mark.parametrize(
    ("fault", "least_s"), [(Fault(latency_s=0.2), 0.2), (Fault(bytes_per_s=40_000), 0.2)]
)
def test_latency_and_bandwidth_take_their_time(proxy, fault, least_s):
    proxy.spoil(down=fault)

    with dial(proxy) as connection:
        began = time.monotonic()
        for at in range(0, len(SAID), 1_024):
            connection.sendall(SAID[at : at + 1_024])
        read(connection, len(SAID))

    assert least_s <= time.monotonic() - began < least_s + 1


def test_a_hole_holds_everything_and_gives_it_back(proxy):
    with dial(proxy) as connection:
        proxy.spoil(down=HOLE)
        connection.sendall(SAID)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        proxy.heal()
        connection.settimeout(5)

        assert read(connection, len(SAID)) == SAID


def test_a_reset_is_a_reset(proxy):
    with dial(proxy) as connection:
        connection.sendall(b"x")
        read(connection, 1)
        proxy.reset()

        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_behind_the_limit_it_closes(proxy):
    proxy.spoil(down=Fault(limit_bytes=1_000))

    with dial(proxy) as connection:
        connection.sendall(SAID)

        assert read(connection, len(SAID)) == SAID[:1_000]


def test_an_end_is_passed_on_late(proxy):
    proxy.spoil(up=Fault(close_s=0.3))

    with dial(proxy) as connection:
        connection.sendall(b"x")
        connection.shutdown(socket.SHUT_WR)
        began = time.monotonic()

        assert read(connection, 10) == b"x"
        assert time.monotonic() - began >= 0.25


def test_one_who_refuses_is_no_connection(proxy):
    proxy.refuses = True

    with pytest.raises(ConnectionResetError), dial(proxy) as connection:
        connection.recv(1)
