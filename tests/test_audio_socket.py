"""The telephone's socket against a real server process: the cases S1 to S22, and who else may not suffer."""

import json
import socket
import sqlite3
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from tests.counts import counted
from tests.line import CALLER, FRAME, SUBPROTOCOL, Line, a_line, eventually
from tests.raw import RawSocket, handshake, raw_call, ws_frame

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("audio-socket")]
SAID = b"".join((1 + n).to_bytes(2, "little") for n in range(32_000))
"""2 s of a caller in which no sample is like another."""


@pytest.fixture(scope="module", params=["serve", "daphne"])
def line(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One server process for all tests here, once of each kind."""
    folder = tmp_path_factory.mktemp(request.param)
    with a_line(folder, request.param, ADMISSION_CALLS="200") as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_leaks(line: Line) -> Iterator[None]:
    """Fail when what the server printed holds a secret, a token or a telephone number, or a traceback."""
    before = len(line.log())
    yield
    printed = line.log()[before:]
    leaked = [secret for secret in line.planted if secret in printed or secret.lstrip("+") in printed]
    assert not leaked, printed
    assert "Traceback" not in printed, printed


def serve_only(line: Line, why: str) -> None:
    """Leave a test to `serve` where Daphne cannot pass: tests/README.md lists these."""
    if line.server == "daphne":
        pytest.skip(f"Daphne: {why} (tests/README.md)")


def still_works(line: Line) -> None:
    """Fail unless a new call goes through the whole line."""
    with line.call() as (telephone, model):
        telephone.send(FRAME * 4)
        eventually(lambda: FRAME in model.heard)


def close_code(telephone: ClientConnection, seconds: float = 10) -> int:
    """Return the code with which the server closes."""
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            telephone.recv(timeout=seconds)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006
    raise AssertionError("the server does not close")


def refused(line: Line, path: str, **kwargs: object) -> int:
    """Return the HTTP status with which a stream is refused, having checked that no model was dialled."""
    before = line.model.connections
    with pytest.raises(InvalidStatus) as answer:
        line.connect(path, **kwargs)
    assert line.model.connections == before
    return answer.value.response.status_code


def test_s1_t11_a_token_that_is_unknown_is_refused_before_the_accept(line):
    assert refused(line, "/audio/" + "x" * 43) == 403
    assert refused(line, "/audio/") == 403
    assert refused(line, "/elsewhere") == 403


@pytest.mark.parametrize("at_once", [1, 8])
def test_p2_strangers_start_no_session_with_the_model(line, at_once):
    before, answers = line.model.connections, []

    def knock(knocker: int) -> None:
        for number in range(counted(4_000) // at_once):
            path = (f"/audio/{'x' * 43}", "/audio/", f"/audio/{knocker}-{number}", f"/audio/{'x' * number}")
            protocol = "" if number % 7 == 0 else SUBPROTOCOL
            with RawSocket(line.port) as stranger:
                stranger.send(handshake(path[number % 4], protocol=protocol))
                answers.append(stranger.answer_head())

    threads = [threading.Thread(target=knock, args=[knocker]) for knocker in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")) for answer in answers)
    assert line.model.connections == before
    still_works(line)


def test_s1_a_token_works_once(line):
    with line.call() as (_, model):
        pass
    model.closed.wait(5)
    path = line.stream_path()
    before = line.model.connections
    with line.connect(path):
        eventually(lambda: line.model.connections > before)

        assert refused(line, path) == 403


def test_s1_an_expired_token_is_refused(line):
    path = line.stream_path()
    with sqlite3.connect(line.database, timeout=5) as database:
        database.execute("UPDATE voice_streamtoken SET expires_at = '2020-01-01 00:00:00'")
    database.close()

    assert refused(line, path) == 403


def test_w2_every_token_of_a_ringing_call_is_valid_until_one_is_consumed(line):
    session_id = line.new_session()
    first, second = line.stream_path(session_id), line.stream_path(session_id)
    before = line.model.connections

    with line.connect(first):
        eventually(lambda: line.model.connections > before)

        assert refused(line, second) == 403


def test_s2_of_fifty_sockets_with_one_token_one_is_accepted(line):
    path = line.stream_path()
    ready, outcomes = threading.Barrier(50), []

    def try_it() -> None:
        ready.wait()
        try:
            with line.connect(path, open_timeout=20):
                outcomes.append("accepted")
                threading.Event().wait(1)
        except InvalidStatus as answer:
            outcomes.append(str(answer.response.status_code))

    threads = [threading.Thread(target=try_it) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["403"] * 49 + ["accepted"]


@pytest.mark.parametrize("offered", [None, ["other"], ["audio.drachtio.org.evil"]])
def test_s3_without_the_subprotocol_a_stream_is_refused(line, offered):
    assert refused(line, line.stream_path(), subprotocols=offered) == 403


def test_s3_of_several_subprotocols_ours_is_chosen(line):
    with line.connect(line.stream_path(), subprotocols=["other", SUBPROTOCOL]) as telephone:
        assert telephone.subprotocol == SUBPROTOCOL


def test_a_foreign_origin_and_cookies_do_not_matter(line):
    headers = {"Origin": "https://elsewhere.example", "Cookie": "sessionid=nonsense"}

    with line.connect(line.stream_path(), additional_headers=headers) as telephone:
        assert telephone.subprotocol == SUBPROTOCOL


def test_s4_connections_that_never_finish_their_handshake_hinder_nobody_and_go(line):
    serve_only(line, "it never closes half a request head")
    idle = [RawSocket(line.port) for _ in range(counted(1_000))]
    try:
        for half in idle:
            half.send(b"GET /audio/x HTTP/1.1\r\nHost: h\r\n")
        still_works(line)
        began = time.monotonic()
        for half in idle:
            half.until_closed()
        assert time.monotonic() - began < 14
    finally:
        for half in idle:
            half.socket.close()


@pytest.mark.parametrize("sizes", [[1], [639, 641], [1, 2, 3, 1279, 7], [640], [1280], [10_000]])
def test_s6_frames_of_any_length_arrive_as_the_same_samples(line, sizes):
    with line.call() as (telephone, model):
        at, turn = 0, 0
        while at < len(SAID):
            piece = SAID[at : at + sizes[turn % len(sizes)] * (100 if sizes == [1] else 1)]
            telephone.send(piece)
            at, turn = at + len(piece), turn + 1
            if turn % 25 == 0:
                threading.Event().wait(0.02)
        eventually(lambda: SAID[-640:] in bytes(model.heard))

        heard = bytes(model.heard)
        assert SAID[: len(SAID) // 1280 * 1280] in heard


def test_s7_an_empty_frame_is_nothing(line):
    with line.call() as (telephone, model):
        telephone.send(b"")
        telephone.send(FRAME * 2)
        telephone.send(b"")
        eventually(lambda: FRAME * 2 in bytes(model.heard))


@pytest.mark.parametrize("kind", ["one frame", "many continuations"])
def test_s8_ten_megabytes_are_dropped_and_cost_no_memory(line, kind):
    serve_only(line, "its limit is 1 GiB a message and none on fragments")
    still_works(line)
    before = line.memory_bytes()
    with raw_call(line) as (telephone, _):
        try:
            if kind == "one frame":
                telephone.send(ws_frame(2, bytes(10_000_000)))
            else:
                telephone.send(ws_frame(2, bytes(10_000), fin=False))
                for _ in range(1_000):
                    telephone.send(ws_frame(0, bytes(10_000), fin=False))
        except OSError:
            pass
        got = telephone.until_closed()

    assert got == b"" or struct.pack("!H", 1009) in got
    assert line.memory_bytes() - before < 8 * 2**20
    still_works(line)


def test_s9_five_seconds_in_one_message_after_a_stall_are_taken(line):
    with line.call() as (telephone, model):
        telephone.send(FRAME)
        threading.Event().wait(0.5)
        telephone.send(bytes(159_360) + SAID[:640])

        eventually(lambda: SAID[:640] in bytes(model.heard), 8)


def test_s9_a_stereo_buffer_of_five_seconds_is_no_reason_to_drop_the_socket(line):
    with line.call() as (telephone, model):
        telephone.send(bytes(320_000))
        telephone.send(SAID[:1280])

        eventually(lambda: SAID[:640] in bytes(model.heard), 8)


@pytest.mark.parametrize("nonsense", [
    "not json", '{"a":1}{"b":2}', "", "[1,2", '"\\ud800"', "[" * 10_000, '{"metadata":{"x":[]}}', "null",
    json.dumps({"event": "mark", "x": "y" * 100_000}),
])  # fmt: skip
def test_s11_s12_text_that_means_nothing_harms_nothing(line, nonsense):
    with line.call() as (telephone, model):
        telephone.send(nonsense)
        telephone.send(FRAME * 2)
        telephone.send(nonsense)

        eventually(lambda: FRAME in bytes(model.heard))


def test_s11_a_flood_of_text_ends_its_own_call_only(line):
    with line.call() as (other, other_model), line.call() as (telephone, _):
        try:
            for _ in range(3_000):
                telephone.send('{"type":"noise"}')
        except ConnectionClosed:
            pass
        assert close_code(telephone) == 4008
        other.send(FRAME * 2)
        eventually(lambda: FRAME in bytes(other_model.heard))


def test_s11_invalid_utf8_closes_its_own_socket_only(line):
    serve_only(line, "autobahn closes with 1007 but tells the application nothing of why")
    with raw_call(line) as (telephone, _):
        telephone.send(ws_frame(1, b"\xff\xfe\xfd"))
        assert struct.pack("!H", 1007) in telephone.until_closed()
    still_works(line)


def test_s12_metadata_may_be_late_repeated_or_glued(line):
    session_id = line.new_session()
    metadata = json.dumps({"sessionId": session_id, "metadata": {"callerNumber": CALLER}})
    with line.call(session_id) as (telephone, model):
        telephone.send(FRAME * 2)
        telephone.send(metadata + metadata)
        telephone.send(metadata)
        telephone.send(SAID[:1280])

        eventually(lambda: SAID[:640] in bytes(model.heard))


def test_s12_metadata_of_another_call_is_refused(line):
    with line.call() as (telephone, _):
        telephone.send(json.dumps({"sessionId": "HD_of_somebody_else"}))

        assert close_code(telephone) == 4003


@pytest.mark.parametrize(("times", "found"), [(2, "stereo"), (0.5, "8 kHz")])
def test_s14_another_rate_than_agreed_is_refused_and_said(line, times, found):
    before = len(line.log())
    with line.call() as (telephone, _):
        began = time.monotonic()
        for step in range(60):
            telephone.send(FRAME[: int(640 * times)] if times < 1 else FRAME * int(times))
            threading.Event().wait(max(0, began + step * 0.02 - time.monotonic()))
            if telephone.state.name != "OPEN":
                break

        assert close_code(telephone) == 4009
    assert found in line.log()[before:]


def test_s17_a_reset_ends_the_call_within_a_second(line):
    with raw_call(line) as (telephone, model):
        telephone.send(ws_frame(2, FRAME))
        telephone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert model.closed.wait(1.5)


@pytest.mark.parametrize("payload", [
    b"", struct.pack("!H", 1000), struct.pack("!H", 1001) + b"bye", struct.pack("!H", 4999) + b"x" * 123,
])  # fmt: skip
def test_s18_however_the_telephone_closes_the_call_ends_once(line, payload):
    session_id = line.new_session()
    with raw_call(line, session_id) as (telephone, model):
        telephone.send(ws_frame(2, FRAME))
        telephone.send(ws_frame(8, payload))
        telephone.until_closed()

    assert model.closed.wait(2)
    query = "SELECT status, ended_reason FROM voice_call WHERE session_id = ? AND ended_at IS NOT NULL"
    assert eventually(lambda: line.rows(query, session_id)) == [("completed", "caller_hangup")]


def test_s21_a_telephone_that_sends_byte_by_byte_is_understood(line):
    with raw_call(line) as (telephone, model):
        telephone.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in ws_frame(2, SAID[:1280]):
            telephone.send(bytes([byte]))

        eventually(lambda: SAID[:1280] in bytes(model.heard))


@pytest.mark.parametrize("head", [
    "X-A: \x0b", "X-A: \x85", "X-A: " + "a" * 65_536, *["\r\n".join(f"X-{n}: 1" for n in range(500))],
])  # fmt: skip
def test_s22_a_handshake_with_forbidden_headers_is_refused(line, head):
    if line.server == "daphne" and (len(head) > 1_000 or "\x85" in head):
        serve_only(line, "it takes what Twisted takes")
    with RawSocket(line.port) as telephone:
        before = line.model.connections
        telephone.send(handshake(line.stream_path(), head))
        answer = telephone.answer_head()

    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    assert line.model.connections == before
    still_works(line)


def test_s22_an_endless_head_gets_an_answer_within_ten_seconds(line):
    serve_only(line, "it has no limit in time")
    with RawSocket(line.port) as telephone:
        telephone.send(b"GET / HTTP/1.1\r\nHost: h\r\nX-A: ")
        began = time.monotonic()
        telephone.until_closed()

    assert time.monotonic() - began < 12


def test_data_behind_the_handshake_in_one_packet_is_not_lost(line):
    serve_only(line, "autobahn drops what comes with the handshake")
    before = len(line.model.sessions)
    with RawSocket(line.port) as telephone:
        telephone.send(handshake(line.stream_path()) + ws_frame(2, SAID[:1280]))
        model = eventually(lambda: line.model.sessions[before:], 10)[0]

        eventually(lambda: SAID[:1280] in bytes(model.heard))


@pytest.mark.parametrize("frame", [
    ws_frame(3, b"x"), ws_frame(0, b"x"), ws_frame(9, bytes(126)), ws_frame(2, b"ab", masked=False),
    bytes([0x82 | 0x40, 0x80]) + bytes(4), bytes([0x82, 0xFF]) + b"\xff" * 8 + bytes(4), ws_frame(8, b"x"),
])  # fmt: skip
def test_a_frame_against_the_protocol_closes_its_own_socket_only(line, frame):
    with raw_call(line) as (telephone, _):
        telephone.send(frame)
        telephone.until_closed()

    still_works(line)


def test_t9_the_agent_is_heard_paced_and_complete(line):
    with line.call() as (telephone, model):
        model.speak(2.0)
        began, heard = time.monotonic(), b""
        while len(heard) < 2.16 * 32_000 - 1_280:
            heard += bytes(telephone.recv(timeout=5))
        took = time.monotonic() - began

    assert 1.6 <= took <= 3.5
    assert len(heard) % 2 == 0


def test_t3_p5_a_barge_in_silences_the_agent_at_once(line):
    with line.call() as (telephone, model):
        model.speak(5.0)
        for _ in range(10):
            telephone.recv(timeout=5)
        model.send({"serverContent": {"interrupted": True}})
        until = time.monotonic() + 1.5
        after: list[str | bytes] = []
        while (left := until - time.monotonic()) > 0:
            try:
                after.append(telephone.recv(timeout=left))
            except TimeoutError:
                break

    cleared = after.index('{"type":"killAudio"}')
    assert cleared <= 25
    assert after[cleared + 1 :] == []


def test_a_token_is_nowhere_in_the_database(line):
    token = line.stream_path().rsplit("/", 1)[-1]

    assert token.encode() not in Path(line.database).read_bytes()
