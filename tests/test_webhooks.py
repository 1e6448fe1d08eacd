"""The carrier's webhooks against a real server process: the cases W1 to W12."""

import hashlib
import hmac
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import httpx
import pytest

from tests.line import CALLER, EVENTS, NEXT_ROUTING, OWN_NUMBER, ROUTING, Line, a_line, eventually, tokens_in
from tests.raw import RawSocket

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("webhooks")]
SIGNING = "planted-signing-secret-0123456789abcdef"
NEXT_SIGNING = "planted-next-signing-secret-0123456789"


@pytest.fixture(scope="module", params=["serve", "daphne"])
def line(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One server process for all tests here, once of each kind."""
    with a_line(tmp_path_factory.mktemp(request.param), request.param) as running:
        yield running


@pytest.fixture(scope="module")
def signed_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """Run a server that requires signatures."""
    folder = tmp_path_factory.mktemp("signed")
    secrets = {"SAUTIKIT_SIGNATURE_MODE": "require", "SAUTIKIT_SIGNING_SECRETS": f"{SIGNING},{NEXT_SIGNING}"}
    with a_line(folder, **secrets) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail when what a server printed holds a secret, a token or a telephone number, or a traceback."""
    names = [name for name in ("line", "signed_line") if name in request.fixturenames]
    lines: list[Line] = [request.getfixturevalue(name) for name in names]
    before = [len(line.log()) for line in lines]
    yield
    for line, start in zip(lines, before, strict=True):
        printed = line.log()[start:]
        leaked = [secret for secret in line.planted if secret in printed or secret.lstrip("+") in printed]
        assert not leaked, printed
        assert "Traceback" not in printed, printed


def calls(line: Line) -> int:
    """Return how many calls the database holds."""
    return int(line.rows("SELECT count(*) FROM voice_call")[0][0])


def is_empty(answer: httpx.Response) -> bool:
    """Tell whether an answer is an empty response to the carrier."""
    return answer.status_code == 200 and len(ET.fromstring(answer.text)) == 0


def test_t1_a_ringing_call_gets_a_stream_with_all_that_the_carrier_needs(line):
    answer = line.ring(line.new_session())
    stream = ET.fromstring(answer.text).find("Stream")

    assert answer.headers["content-type"].startswith("application/xml")
    assert stream is not None
    assert stream.attrib["url"].startswith(f"ws://127.0.0.1:{line.port}/audio/")
    assert stream.attrib["statusCallback"].startswith(f"{line.http}/stream-status/")
    assert stream.attrib["url"].rsplit("/", 1)[-1] != stream.attrib["statusCallback"].rsplit("/", 1)[-1]
    fixed = {name: stream.attrib[name] for name in stream.attrib if name not in {"url", "statusCallback"}}
    assert CALLER.lstrip("+") not in answer.text
    del fixed["openMetadata"], fixed["name"]
    assert fixed == {
        "track": "inbound_track",
        "connect": "true",
        "outputSamplingRate": "16000",
        "bidirectionalSamplingRate": "16000",
        "statusEvents": "stream-started stream-stopped stream-error",
    }


@pytest.mark.parametrize(
    "path", ["/voice", "/voice/", "/voice/wrong", f"/voice/{ROUTING}x", f"/voice/{ROUTING[:-1]}"]
)
def test_w1_without_the_routing_secret_there_is_nothing(line, path):
    before = calls(line)

    answer = line.post(path, data={"sessionId": "HD_x", "callerNumber": CALLER})

    assert answer.status_code == 404
    assert calls(line) == before


def test_w1_two_routing_secrets_are_valid_at_once(line):
    body = {"sessionId": line.new_session(), "callerNumber": CALLER, "destinationNumber": OWN_NUMBER}

    answer = line.post(f"/voice/{NEXT_ROUTING}", data=body)

    assert tokens_in(answer.text)


def test_w2_a_call_delivered_twice_is_one_call_with_two_tokens(line):
    session_id, before = line.new_session(), calls(line)

    first, second = line.ring(session_id), line.ring(session_id)

    assert calls(line) == before + 1
    assert not set(tokens_in(first.text)) & set(tokens_in(second.text))


@pytest.mark.parametrize("state", ["Ringing", "StreamStarted", "StreamStopped", "Completed"])
def test_w3_a_later_edge_gets_an_empty_response(line, state):
    session_id = line.new_session()
    with line.call(session_id):
        sessions = len(line.model.sessions)

        answer = line.ring(session_id, callSessionState=state, isActive="0")

        assert is_empty(answer)
        assert len(line.model.sessions) == sessions


def test_w3_a_completed_edge_of_a_call_that_never_rang_here_starts_nothing(line):
    answer = line.ring(line.new_session(), callSessionState="Completed", isActive="0", durationInSeconds="9")

    assert is_empty(answer)


def test_w4_the_same_call_delivered_twenty_times_at_once_is_one_row(line):
    session_id, answers = line.new_session(), []
    ready = threading.Barrier(20)

    def ring() -> None:
        ready.wait()
        answers.append(line.ring(session_id))

    threads = [threading.Thread(target=ring) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [200] * 20
    assert all(tokens_in(answer.text) for answer in answers)
    assert line.rows("SELECT count(*) FROM voice_call WHERE session_id = ?", session_id) == [(1,)]


def test_w5_a_webhook_after_a_refused_socket_works(line):
    with RawSocket(line.port) as telephone:
        telephone.send(b"GET /audio/unknown HTTP/1.1\r\nHost: h\r\n\r\n")
        telephone.answer_head()

    assert line.ring(line.new_session()).status_code == 200


@pytest.mark.parametrize("caller", [
    "", "anonymous", "Restricted", "COURIER", "sip:alice@example.org", "+", "0", "\u202e+254", "-1",
])  # fmt: skip
def test_w6_a_caller_without_a_number_is_served_all_the_same(line, caller):
    session_id = line.new_session()

    answer = line.ring(session_id, callerNumber=caller)

    assert tokens_in(answer.text)
    assert line.rows("SELECT customer_number FROM voice_call WHERE session_id = ?", session_id) == [("",)]


def test_w6_of_a_field_that_comes_twice_the_first_counts(line):
    session_id = line.new_session()
    body = f"sessionId={session_id}&callerNumber=%2B254700000001&callerNumber=%2B254700000002"

    answer = line.post(
        f"/voice/{ROUTING}", content=body, headers={"content-type": "application/x-www-form-urlencoded"}
    )

    assert tokens_in(answer.text)
    found = line.rows("SELECT customer_number FROM voice_call WHERE session_id = ?", session_id)
    assert found == [("+254700000001",)]


@pytest.mark.parametrize("written", [
    "0700000001", "700000001", "254700000001", "+254 700-000-001", "00254700000001",
    "+２５４７０００００００１", "+254700000001  ", "tel:+254700000001",
])  # fmt: skip
def test_w7_a_number_is_one_number_however_it_is_written(line, written):
    session_id = line.new_session()

    line.ring(session_id, callerNumber=written)

    assert line.rows("SELECT customer_number FROM voice_call WHERE session_id = ?", session_id) == [(CALLER,)]


@pytest.mark.parametrize("name", ['"', "<b>", "&amp;", "]]>", "a\x00b", "x" * 10_000, "🚚", "\ud7ff"])
def test_w8_what_the_fields_hold_never_breaks_the_answer(line, name):
    session_id = line.new_session()

    answer = line.ring(session_id, callerName=name, clientDialedNumber=name, extra=name)

    assert tokens_in(answer.text)


def test_w8_a_hostile_session_id_is_survived(line):
    for session_id in ['"><Hangup/>', "\x00", "x" * 10_000, "' OR 1=1"]:
        answer = line.post(f"/voice/{ROUTING}", data={"sessionId": session_id, "callerNumber": CALLER})
        assert answer.status_code in {200, 400}
        if answer.status_code == 200:
            ET.fromstring(answer.text)


@pytest.mark.parametrize(("content", "kind"), [
    (b"a" * 5_000_000, "application/x-www-form-urlencoded"),
    (b"{" + b'"a":' * 1 + b'"' + b"x" * 5_000_000 + b'"}', "application/json"),
    ("&".join(f"f{n}=1" for n in range(10_000)).encode(), "application/x-www-form-urlencoded"),
    (b"[" * 10_000 + b"]" * 10_000, "application/json"),
    (b"{}", "image/png"),
    (b"\xff\xfe{", "application/json; charset=utf-7"),
    (b"[]", "application/json"),
    (b"nonsense", "application/json"),
])  # fmt: skip
def test_w9_a_body_that_is_too_much_or_no_body_is_refused_quickly(line, content, kind):
    before, began = line.memory_bytes(), time.monotonic()

    answer = line.post(f"/voice/{ROUTING}", content=content, headers={"content-type": kind})

    assert answer.status_code in {400, 413, 415}
    assert time.monotonic() - began < 1
    assert line.memory_bytes() - before < 64 * 2**20
    assert line.ring(line.new_session()).status_code == 200


def test_w10_p1_a_locked_database_is_answered_with_an_apology(line):
    lock = sqlite3.connect(line.database, timeout=5, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    began = time.monotonic()

    answer = line.ring(line.new_session())

    took = time.monotonic() - began
    lock.execute("ROLLBACK")
    lock.close()
    response = ET.fromstring(answer.text)
    assert answer.status_code == 200
    assert [verb.tag for verb in response] == ["Say", "Hangup"]
    assert took < 2
    eventually(lambda: tokens_in(line.ring(line.new_session()).text))


def signed(body: bytes, secret: str, at_s: int) -> str:
    """Return the carrier's signature header."""
    digest = hmac.new(secret.encode(), body + f".{at_s}".encode(), hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


BODY = (
    b"sessionId=%s&callerNumber=%%2B254700000001&destinationNumber=%%2B254700000900&callSessionState=Ringing"
)


@pytest.mark.parametrize("secret", [SIGNING, NEXT_SIGNING])
def test_w11_a_signed_webhook_is_served(signed_line, secret):
    body = BODY % signed_line.new_session().encode()

    answer = deliver(signed_line, body, signed(body, secret, int(time.time())))

    assert tokens_in(answer.text)


@pytest.mark.parametrize("how", ["none", "forged", "stale", "future", "other body", "nonsense", "huge"])
def test_w11_t11_a_webhook_with_a_wrong_signature_is_refused(signed_line, how):
    body, now = BODY % signed_line.new_session().encode(), int(time.time())
    header = {
        "none": None,
        "forged": signed(body, "another-secret", now),
        "stale": signed(body, SIGNING, now - 310),
        "future": signed(body, SIGNING, now + 310),
        "other body": signed(body + b"&x=1", SIGNING, now),
        "nonsense": "t=x,v1=y",
        "huge": "t=" + "9" * 3_000 + ",v1=" + "a" * 3_000,
    }[how]

    assert deliver(signed_line, body, header).status_code == 403


def deliver(line: Line, body: bytes, header: str | None) -> httpx.Response:
    """POST a form to the voice webhook."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    if header is not None:
        headers["X-Sautikit-Signature"] = header
    answer = line.post(f"/voice/{ROUTING}", content=body, headers=headers)
    line.planted.update(path.rsplit("/", 1)[-1] for path in tokens_in(answer.text))
    return answer


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"])
def test_w12_only_post_is_served(line, method):
    answer = httpx.request(method, f"{line.http}/voice/{ROUTING}", trust_env=False)

    assert answer.status_code in {404, 405}


@pytest.mark.parametrize(
    "path", [f"/voice//{ROUTING}", f"/voice/{ROUTING}/", f"/voice/%2e%2e/voice/{ROUTING}"]
)
def test_w12_no_other_spelling_of_the_path_is_served(line, path):
    with RawSocket(line.port) as carrier:
        carrier.send(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n".encode())
        assert b" 404 " in carrier.answer_head().split(b"\r\n", 1)[0]


def test_json_and_the_other_family_of_names_are_read(line):
    session_id = line.new_session()

    answer = line.post(f"/voice/{ROUTING}", json={"CallId": session_id, "From": CALLER, "To": OWN_NUMBER})

    assert tokens_in(answer.text)
    assert line.rows("SELECT customer_number FROM voice_call WHERE session_id = ?", session_id) == [(CALLER,)]


def test_an_event_is_kept_once_and_ends_no_call(line):
    session_id = line.new_session()
    event = {
        "kind": "call.completed",
        "event_id": session_id,
        "data": {"call_id": session_id, "duration_seconds": 9, "from": CALLER},
    }
    with line.call(session_id):
        answers = [line.post(f"/events/{EVENTS}", json=event).status_code for _ in range(3)]

        status = line.rows("SELECT ended_at FROM voice_call WHERE session_id = ?", session_id)
    assert answers == [200] * 3
    assert status == [(None,)]
    assert line.rows("SELECT count(*) FROM voice_callevent WHERE event_id = ?", session_id) == [(1,)]


def test_events_have_a_secret_of_their_own(line):
    assert line.post(f"/events/{ROUTING}", json={"event_id": "e"}).status_code == 404


def test_a_stream_status_annotates_and_never_goes_back(line):
    session_id = line.new_session()
    answer = line.ring(session_id)
    path = "/stream-status/" + tokens_in(answer.text)[1].rsplit("/", 1)[-1]

    for event in ("stream-started", "stream-stopped", "stream-started"):
        assert line.post(path, data={"streamEvent": event, "streamSid": "MZ_1"}).status_code == 200

    state = line.rows("SELECT stream_state FROM voice_call WHERE session_id = ?", session_id)
    assert state == [("stopped",)]
    assert line.post("/stream-status/unknown", data={}).status_code == 404


def test_health_is_told_without_a_secret(line):
    assert httpx.get(f"{line.http}/healthz", trust_env=False).status_code == 200
    assert httpx.get(f"{line.http}/readyz", trust_env=False).status_code == 200


def test_the_bare_path_of_the_tutorial_works_in_debug_without_a_secret_only(tmp_path):
    with a_line(tmp_path, "daphne", DEBUG="1", SAUTIKIT_ROUTING_SECRETS="") as line:
        body = {"From": CALLER, "To": OWN_NUMBER, "CallId": "CA_1"}

        assert tokens_in(line.post("/voice", data=body).text)


def test_a_payload_is_kept_without_growing_the_row(line):
    session_id = line.new_session()
    line.ring(session_id, note="x" * 5_000)

    kept = line.rows("SELECT payload FROM voice_callevent ORDER BY id DESC LIMIT 1")
    assert len(json.dumps(kept)) < 20_000
