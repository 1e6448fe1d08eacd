"""Bad lines against a real server process: to the telephone, to the model and to the carrier's interface."""

import logging
import socket
import struct
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.faults.proxy import HOLE, Fault, Proxy, a_proxy
from tests.line import FRAME, SUBPROTOCOL, Line, LocalModel, ModelSession, eventually
from tests.raw import RawSocket, ws_frame

pytestmark = [pytest.mark.slow, pytest.mark.punctual, pytest.mark.xdist_group("bad-lines")]
logger = logging.getLogger(__name__)
NO_FRAMES_S = 3.0
SAID = b"".join((1 + n).to_bytes(2, "little") for n in range(32_000))
"""2 s of a caller in which no sample is like another."""


@dataclass
class Lines:
    """A server process with a proxy before each of its three neighbours, and one before itself."""

    line: Line
    telephone: Proxy
    model: Proxy
    carrier: Proxy

    @contextmanager
    def call(self, session_id: str = "") -> Iterator[tuple[ClientConnection, ModelSession]]:
        """Place a call over the telephone's proxy, up to the model's being ready."""
        before = len(self.line.model.sessions)
        with self.dial(session_id) as telephone:
            eventually(lambda: len(self.line.model.sessions) > before, 10)
            yield telephone, self.line.model.sessions[before]

    def dial(self, session_id: str = "") -> ClientConnection:
        """Open a stream over the telephone's proxy."""
        path = self.line.stream_path(session_id)
        address = f"ws://127.0.0.1:{self.telephone.port}{path}"
        # No bound on what is heard: a full queue would keep the close from being read.
        return connect(
            address,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            proxy=None,
            open_timeout=15,
            max_queue=None,
        )

    def ending(self, session_id: str, seconds: float = 10) -> tuple[str, str]:
        """Return the status and the reason of a call that has ended."""
        query = "SELECT status, ended_reason FROM voice_call WHERE session_id = ? AND ended_at IS NOT NULL"
        status, reason = eventually(lambda: self.line.rows(query, session_id), seconds)[0]
        return str(status), str(reason)


@pytest.fixture(scope="module")
def _standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lines]:
    model = LocalModel()
    with a_proxy(int(model.url.rsplit(":", 1)[1])) as to_model, a_proxy(9) as to_carrier:
        environment = {
            "ADMISSION_CALLS": "50",
            "CALL_NO_FRAMES_S": str(NO_FRAMES_S),
            "GEMINI_LIVE_URL": f"ws://127.0.0.1:{to_model.port}",
            "SAUTIKIT_BASE_URL": f"http://127.0.0.1:{to_carrier.port}",
            "SAUTIKIT_API_KEY": "planted-carrier-key-0123456789",
        }
        line = Line(tmp_path_factory.mktemp("lines"), "serve", model, environment)
        try:
            line.start()
            with a_proxy(line.port) as to_us:
                yield Lines(line, to_us, to_model, to_carrier)
        finally:
            line.stop()
            model.stop()
        assert not line.leaks(), line.log()


@pytest.fixture
def lines(_standing: Lines) -> Iterator[Lines]:
    """Give out the lines in good order, and fail when the server printed a traceback."""
    before = len(_standing.line.log())
    yield _standing
    for proxy in (_standing.telephone, _standing.model, _standing.carrier):
        proxy.heal()
    printed = _standing.line.log()[before:]
    assert "Traceback" not in printed, printed


def talk(telephone: ClientConnection, seconds: float) -> None:
    """Send 20 ms frames in real time, unless the line is closed."""
    began = time.monotonic()
    with suppress(ConnectionClosed):
        for step in range(round(seconds * 50)):
            telephone.send(FRAME)
            threading.Event().wait(max(0.0, began + step * 0.02 - time.monotonic()))


def without_silence(pcm: bytes) -> bytes:
    """Return the samples that are not zero: what was said, without what fills a late line up."""
    samples = array("h", pcm)
    return array("h", [sample for sample in samples if sample]).tobytes()


def close_code(telephone: ClientConnection, seconds: float = 10) -> int:
    """Return the code with which the server closes."""
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            with suppress(TimeoutError):
                telephone.recv(timeout=max(0.01, until - time.monotonic()))
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006
    raise AssertionError("the server does not close")


def test_s5_a_stream_on_which_nothing_comes_is_closed(lines):
    session_id = lines.line.new_session()
    with lines.call(session_id) as (telephone, model):
        began = time.monotonic()

        assert close_code(telephone) == 4010
        assert NO_FRAMES_S - 0.5 <= time.monotonic() - began <= NO_FRAMES_S + 4
        assert model.closed.wait(1)
    assert lines.ending(session_id)[1] == "carrier_error"


def test_s10_two_hundred_times_real_time_ends_the_call(lines):
    session_id = lines.line.new_session()
    before = lines.line.memory_bytes()
    with lines.call(session_id) as (telephone, _):
        with suppress(ConnectionClosed):
            for _ in range(20_000):
                telephone.send(FRAME)

        assert close_code(telephone) == 4008
    assert lines.ending(session_id) == ("failed", "carrier_error")
    assert lines.line.memory_bytes() - before < 8 * 2**20


def test_s13_silence_of_the_carrier_becomes_silence_for_the_model(lines):
    with lines.call() as (telephone, model):
        telephone.send(FRAME * 2)
        eventually(lambda: len(model.heard) > 2 * 32_000, 2.9)

        assert bytes(model.heard).strip(b"\x00") == (FRAME * 2).strip(b"\x00")


def test_s16_a_telephone_that_reads_nothing_costs_a_bounded_memory_and_is_left(lines):
    session_id = lines.line.new_session()
    path = lines.line.stream_path(session_id)
    before, sessions = lines.line.memory_bytes(), len(lines.line.model.sessions)
    with RawSocket(lines.line.port, receive_bytes=4_096) as telephone:
        telephone.shake_hands(path)
        model = eventually(lambda: lines.line.model.sessions[sessions:], 10)[0]
        began = time.monotonic()
        with suppress(OSError, ConnectionClosed):
            while not model.closed.is_set() and time.monotonic() - began < 45:
                model.speak(10.0)
                for _ in range(50):
                    telephone.send(ws_frame(2, FRAME))
                    threading.Event().wait(0.02)

        assert model.closed.wait(1)
    assert lines.ending(session_id)[1] == "carrier_error"
    assert lines.line.memory_bytes() - before < 12 * 2**20


def test_s17_a_cable_that_is_pulled_ends_the_call(lines):
    session_id = lines.line.new_session()
    with lines.call(session_id) as (telephone, model):
        talk(telephone, 0.5)
        lines.telephone.spoil(up=HOLE, down=HOLE)

        assert model.closed.wait(NO_FRAMES_S + 5)
        assert lines.ending(session_id)[1] == "carrier_error"
        lines.telephone.heal()


def test_s17_a_reset_ends_the_call_within_a_second(lines):
    session_id = lines.line.new_session()
    with suppress(ConnectionClosed), lines.call(session_id) as (telephone, model):
        talk(telephone, 0.3)
        began = time.monotonic()
        lines.telephone.reset()

        assert model.closed.wait(1.5)
        assert time.monotonic() - began < 1.5
    assert lines.ending(session_id) == ("completed", "caller_hangup")


@pytest.mark.parametrize("fault", [
    Fault(slice_bytes=1), Fault(latency_s=0.5, jitter_s=0.2), Fault(slice_bytes=700, slice_gap_s=0.005),
])  # fmt: skip
def test_s21_over_a_bad_line_every_sample_arrives_in_order(lines, fault):
    with lines.call() as (telephone, model):
        lines.telephone.spoil(up=fault)
        began = time.monotonic()
        for step in range(len(SAID) // 640):
            telephone.send(SAID[step * 640 : step * 640 + 640])
            threading.Event().wait(max(0.0, began + step * 0.02 - time.monotonic()))

        eventually(lambda: SAID[-1_280:-640] in bytes(model.heard), 20)
        assert without_silence(bytes(model.heard))[: len(SAID) - 1_280] == SAID[:-1_280]


def test_s21_a_line_that_is_too_narrow_loses_the_oldest_and_keeps_the_call(lines):
    with lines.call() as (telephone, model):
        lines.telephone.spoil(up=Fault(bytes_per_s=10_000))
        sender = threading.Thread(target=talk, args=(telephone, 4.0))
        sender.start()
        eventually(lambda: len(model.caller_bytes) > 10_000, 8)
        sender.join()
        lines.telephone.heal()

        telephone.send(SAID[:1_280])
        eventually(lambda: SAID[:1_280] in bytes(model.heard), 20)


def test_s19_a_hang_up_while_the_model_does_not_answer_ends_everything(lines):
    session_id = lines.line.new_session()
    lines.model.spoil(down=HOLE)
    with lines.dial(session_id) as telephone:
        talk(telephone, 1.0)
    began = time.monotonic()

    assert lines.ending(session_id) == ("completed", "caller_hangup")
    assert time.monotonic() - began < 2
    eventually(lambda: all(model.closed.is_set() for model in lines.line.model.sessions), 3)


def test_g1_a_model_that_refuses_to_be_reached_is_said_in_time(lines):
    session_id = lines.line.new_session()
    lines.model.refuses = True
    with lines.dial(session_id) as telephone:
        sender = threading.Thread(target=talk, args=(telephone, 12.0))
        sender.start()
        began = time.monotonic()
        frame = telephone.recv(timeout=6)
        heard_s = time.monotonic() - began
        close_code(telephone, 20)
        sender.join()

    assert isinstance(frame, bytes)
    assert heard_s <= 5
    assert lines.ending(session_id)[1] == "model_failure"


def test_g3_a_reset_of_the_models_line_is_survived(lines):
    before = lines.line.model.connections
    with lines.call() as (telephone, first):
        first.speak(1.0)
        talk(telephone, 1.5)
        lines.model.reset()
        sender = threading.Thread(target=talk, args=(telephone, 5.0))
        sender.start()
        eventually(lambda: lines.line.model.connections >= before + 2, 4)
        second = eventually(
            lambda: [s for s in lines.line.model.sessions if s.setup and not s.closed.is_set()]
        )
        eventually(lambda: second[-1].caller_bytes, 4)
        sender.join()


def test_g11_a_black_hole_at_the_model_is_noticed_and_left(lines):
    with lines.call() as (telephone, first):
        first.speak(1.0)
        sender = threading.Thread(target=talk, args=(telephone, 22.0))
        sender.start()
        threading.Event().wait(9)  # pings are trusted once three were answered
        fell, before = time.monotonic(), lines.model.connections
        lines.model.spoil(up=HOLE, down=HOLE)
        eventually(lambda: lines.model.connections > before, 8)
        noticed_s = time.monotonic() - fell
        logger.info("a black hole was left after %.1f s", noticed_s)
        lines.model.heal()
        eventually(lambda: lines.line.model.sessions[-1].caller_bytes, 8)
        telephone.close()
        sender.join()

    assert noticed_s <= 5


def test_a_carrier_that_does_not_answer_holds_up_no_end(lines):
    session_id = lines.line.new_session()
    lines.carrier.spoil(up=HOLE, down=HOLE)
    with lines.call(session_id) as (telephone, _):
        began = time.monotonic()

        assert close_code(telephone, 15) == 4010
        assert time.monotonic() - began <= NO_FRAMES_S + 5
    assert lines.ending(session_id)[1] == "carrier_error"


def test_a_telephone_that_closes_slowly_ends_its_call_once(lines):
    session_id = lines.line.new_session()
    lines.telephone.spoil(up=Fault(close_s=1.0))
    with lines.call(session_id) as (telephone, model):
        telephone.send(FRAME)
    assert model.closed.wait(3)
    assert lines.ending(session_id) == ("completed", "caller_hangup")


def test_half_a_frame_and_a_reset_are_no_fault_of_ours(lines):
    with RawSocket(lines.line.port) as telephone:
        telephone.shake_hands(lines.line.stream_path())
        telephone.send(ws_frame(2, FRAME)[:300])
        telephone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with lines.call() as (other, model):
        other.send(FRAME * 2)
        eventually(lambda: FRAME in model.heard)
    eventually(lambda: all(session.closed.is_set() for session in lines.line.model.sessions))
