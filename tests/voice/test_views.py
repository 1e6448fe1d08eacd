"""The webhooks answer whoever knows a secret, whatever they are sent, and nobody else."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
from django.db import DatabaseError, connections
from django.test import Client
from pytest_django import Settings

from courier.logs import LineFormatter
from shipments.courtesy import ContactPreference
from voice import budget, calls
from voice.admission import GATE
from voice.models import Call, CallbackRequest, CallEvent
from voice.rights import StreamToken
from voice.views import PROMISES, WE_CALLED
from voice.wire import signing

SECRET = "routing-secret-0123456789abcdef"
NEXT = "routing-next-0123456789abcdefgh"
EVENTS = "events-secret-0123456789abcdefg"
CALLER = "+254700000001"
RINGING = {
    "sessionId": "HD_1",
    "callerNumber": CALLER,
    "destinationNumber": "+254700000900",
    "callSessionState": "Ringing",
    "direction": "Inbound",
    "isActive": "1",
}
SAMPLES = {"From": CALLER, "To": "+254700000900", "CallId": "HD_1"}
database = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _secrets(settings: Settings) -> None:
    settings.SAUTIKIT_ROUTING_SECRETS = [SECRET, NEXT]
    settings.SAUTIKIT_EVENTS_SECRETS = [EVENTS]
    settings.SAUTIKIT_NUMBER = "+254700000900"
    settings.PUBLIC_URL = "https://courier.example"
    settings.DEBUG = False
    settings.WEBHOOK_WAIT_S = 10  # not what most tests are about


@pytest.fixture(autouse=True)
def _no_line_tells(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail when a line, as it is written, holds a secret, a token or a telephone number."""
    caplog.set_level(logging.DEBUG)
    yield
    lines = "\n".join(map(LineFormatter().format, caplog.records))
    assert not [planted for planted in (SECRET, NEXT, EVENTS, CALLER.lstrip("+")) if planted in lines]


def send(client: Client, address: str, fields: dict[str, str], **headers: str) -> Any:
    """Post a form as carriers do; the test client's own way is multipart."""
    return client.post(address, urlencode(fields), "application/x-www-form-urlencoded", headers=headers)


def post(client: Client, fields: dict[str, str], *, secret: str = SECRET, **headers: str) -> Any:
    return send(client, f"/voice/{secret}", fields, **headers)


def parsed(answer: Any) -> ET.Element:
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/xml"
    return ET.fromstring(answer.content)


def stream(answer: Any) -> dict[str, str]:
    (element,) = parsed(answer)
    assert element.tag == "Stream"
    return element.attrib


def assert_apology(answer: Any) -> None:
    say, hangup = parsed(answer)
    assert (say.tag, hangup.tag) == ("Say", "Hangup")
    assert "sorry" in (say.text or "")


def assert_empty(answer: Any) -> None:
    assert len(parsed(answer)) == 0


def token_of(attributes: dict[str, str]) -> str:
    return attributes["url"].rpartition("/")[2]


# A call that rings


@database
@pytest.mark.parametrize("fields", [RINGING, SAMPLES])
@pytest.mark.parametrize("form", [True, False])
def test_a_ringing_call_gets_a_stream(client: Client, fields: dict[str, str], form: bool):
    body = {**fields, "new": "field"}

    answer = (
        post(client, body)
        if form
        else client.post(f"/voice/{SECRET}", json.dumps(body), content_type="application/json")
    )

    attributes = stream(answer)
    call = Call.objects.get()
    token, status = token_of(attributes), attributes["statusCallback"].rpartition("/")[2]
    assert attributes == {
        "url": f"wss://courier.example/audio/{token}",
        "track": "inbound_track",
        "connect": "true",
        "outputSamplingRate": "16000",
        "bidirectionalSamplingRate": "16000",
        "name": "courier-agent",
        "openMetadata": call.public_id,
        "statusCallback": f"https://courier.example/stream-status/{status}",
        "statusEvents": "stream-started stream-stopped stream-error",
    }
    assert (call.session_id, call.customer_number) == ("HD_1", CALLER)
    assert len({token, status, SECRET}) == 3
    assert calls.accept_stream(token, now=datetime.now(UTC)) is not None


@database
def test_header_metadata_is_there_when_it_is_set(client: Client, settings: Settings):
    settings.STREAM_HEADER_METADATA = '{"X-Branch":"\\"Nairobi\\" & <west>"}'

    attributes = stream(post(client, RINGING))

    assert attributes["headerMetadata"] == settings.STREAM_HEADER_METADATA


@database
def test_a_plain_public_address_gives_a_plain_socket(client: Client, settings: Settings):
    settings.PUBLIC_URL = "http://127.0.0.1:8000"

    assert stream(post(client, RINGING))["url"].startswith("ws://127.0.0.1:8000/audio/")


@database
def test_either_of_two_secrets_opens(client: Client):
    assert stream(post(client, RINGING, secret=NEXT))


@database
def test_a_repeat_gets_a_token_of_its_own_and_both_are_valid(client: Client):
    first = token_of(stream(post(client, RINGING)))

    second = token_of(stream(post(client, RINGING)))

    assert first != second
    assert Call.objects.count() == 1
    assert calls.accept_stream(first, now=datetime.now(UTC)) is not None
    assert calls.accept_stream(second, now=datetime.now(UTC)) is None


@database
@pytest.mark.parametrize("state", ["Ringing", "StreamStarted", "Answered", "Completed"])
def test_no_edge_gets_a_stream_once_a_token_is_consumed(client: Client, state: str):
    token = token_of(stream(post(client, RINGING)))
    calls.accept_stream(token, now=datetime.now(UTC))

    answer = post(client, {**RINGING, "callSessionState": state})

    assert_empty(answer)
    assert StreamToken.objects.count() == 1


@database
@pytest.mark.parametrize(
    "state", ["Completed", "StreamStopped", "Busy", "NoAnswer", "Failed", "DialCompleted"]
)
def test_a_call_that_is_over_gets_nothing(client: Client, state: str):
    answer = post(client, {**RINGING, "callSessionState": state})

    assert_empty(answer)
    assert not StreamToken.objects.exists()


@database
@pytest.mark.parametrize(
    "caller", ["", "anonymous", "ACME", "sip:shop@pbx.example", '"<&]]>', "\x00", "1" * 10_000]
)
def test_a_caller_without_a_number_is_served(client: Client, caller: str):
    assert stream(post(client, {**RINGING, "callerNumber": caller}))
    assert Call.objects.get().customer_number == ""


@database
@pytest.mark.parametrize(
    "caller",
    ["0700000001", "254700000001", "+254 700-000 001", "00254700000001", "０７００００００01", f"{CALLER}  "],
)
def test_one_number_has_one_spelling(client: Client, caller: str):
    stream(post(client, {**RINGING, "callerNumber": caller}))

    assert Call.objects.get().customer_number == CALLER


@database
def test_of_a_repeated_field_the_first_is_believed(client: Client, caplog: pytest.LogCaptureFixture):
    body = "sessionId=HD_1&callerNumber=%2B254700000001&callerNumber=%2B254700000002"

    stream(client.post(f"/voice/{SECRET}", body, content_type="application/x-www-form-urlencoded"))

    assert Call.objects.get().customer_number == CALLER
    assert "a webhook repeats fields" in caplog.messages


@database
def test_the_label_on_the_address_finds_the_call_that_we_placed(client: Client):
    placed = Call.objects.create(client_request_id="r-1", direction="outbound", created_at=datetime.now(UTC))

    attributes = stream(send(client, f"/voice/{SECRET}?clientRequestId=r-1", RINGING))

    assert attributes["openMetadata"] == placed.public_id


@pytest.mark.slow
@database
def test_deliveries_at_one_instant_make_one_call():
    def deliver(_: int) -> int:
        try:
            return int(post(Client(), RINGING).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(deliver, range(16)))

    assert set(answers) == {200}
    assert Call.objects.count() == 1


# Nobody can be served


@database
def test_a_draining_process_apologises(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(GATE, "draining", True)

    assert_apology(post(client, RINGING))


@database
def test_who_was_refused_and_hangs_up_was_refused(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(GATE, "draining", True)
    post(client, RINGING)
    call = Call.objects.get()

    post(client, {**RINGING, "callSessionState": "Completed", "isActive": "0"})

    ended = Call.objects.get()
    assert (call.status, call.ended_reason) == ("ringing", "capacity")
    assert (ended.status, ended.ended_reason, ended.outcome) == ("failed", "capacity", "no_outcome")


@database
def test_who_was_refused_and_is_taken_when_the_carrier_asks_again_was_not(
    client: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(GATE, "draining", True)
    post(client, RINGING)
    monkeypatch.setattr(GATE, "draining", False)

    calls.accept_stream(token_of(stream(post(client, RINGING))), now=datetime.now(UTC))

    call = Call.objects.get()
    assert (call.status, call.ended_reason) == ("answered", "")


@database
def test_a_full_process_apologises_but_not_to_who_is_talking(client: Client, settings: Settings):
    token = token_of(stream(post(client, RINGING)))
    calls.accept_stream(token, now=datetime.now(UTC))
    settings.ADMISSION_CALLS = 0

    again, another = post(client, RINGING), post(client, {**RINGING, "sessionId": "HD_2"})

    assert_empty(again)
    assert_apology(another)


@database
@pytest.mark.logs_errors
@pytest.mark.parametrize(("state", "check"), [("Ringing", assert_apology), ("Completed", assert_empty)])
def test_a_database_that_does_not_answer_makes_an_apology_to_who_waits_for_one(
    client: Client, settings: Settings, state: str, check: Callable[[Any], None]
):
    settings.WEBHOOK_WAIT_S = 0

    check(post(client, {**RINGING, "callSessionState": state}))


@pytest.mark.slow
@database
@pytest.mark.logs_errors
def test_a_caller_waits_once_however_many_questions_the_database_is_slow_to_answer(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    def slow(work: Callable[..., Any]) -> Callable[..., Any]:
        def wait_and_work(*args: Any, **kwargs: Any) -> Any:
            time.sleep(0.7)  # a slow query holds its thread, and no clock of ours moves it
            return work(*args, **kwargs)

        return wait_and_work

    settings.WEBHOOK_WAIT_S = 1.0
    monkeypatch.setattr(calls, "open_call", slow(calls.open_call))
    monkeypatch.setattr(budget, "is_spent", slow(budget.is_spent))

    answer = post(client, RINGING)

    assert_apology(answer)


@pytest.mark.logs_errors
@pytest.mark.parametrize("error", [DatabaseError("locked"), RuntimeError("a fault")])
def test_a_webhook_that_fails_makes_an_apology(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(calls, "open_call", fail)

    assert_apology(post(client, RINGING))


@pytest.mark.parametrize(("language", "word"), [("sw", "Samahani"), ("fr", "désolés"), ("xx", "sorry")])
@database
def test_the_apology_is_in_the_language_of_the_house(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch, language: str, word: str
):
    settings.DEFAULT_LANGUAGE = language
    monkeypatch.setattr(GATE, "draining", True)

    assert word in (parsed(post(client, RINGING))[0].text or "")


@database
def test_the_apology_is_in_the_callers_language(client: Client, monkeypatch: pytest.MonkeyPatch):
    ContactPreference.objects.create(number=CALLER, language="sw")
    monkeypatch.setattr(GATE, "draining", True)

    assert parsed(post(client, RINGING))[0].text == PROMISES["sw"]


PLACED = {**RINGING, "callerNumber": "+254700000900", "destinationNumber": CALLER, "direction": "Outbound"}


@database
def test_who_did_not_ring_us_is_promised_no_call(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(GATE, "draining", True)

    answer = parsed(post(client, PLACED))

    assert [(one.tag, one.text) for one in answer] == [("Say", WE_CALLED["en"]), ("Hangup", None)]
    assert not CallbackRequest.objects.exists()
    assert Call.objects.get().ended_reason == "capacity"


@database
@pytest.mark.logs_errors
def test_who_did_not_ring_us_is_not_told_to_without_a_database_either(client: Client, settings: Settings):
    settings.WEBHOOK_WAIT_S = 0

    assert parsed(post(client, PLACED))[0].text == WE_CALLED["en"]


# Who may ask, and with what


@pytest.mark.parametrize(
    "address", ["/voice/wrong", "/voice", "/voice/", "/voice//", "/voice/%2e", f"/voice/{SECRET}/"]
)
def test_without_the_secret_there_is_nothing(client: Client, address: str):
    answer = send(client, address, RINGING)

    nowhere = client.post("/nowhere", RINGING)
    assert answer.status_code == 404
    assert (answer.content, dict(answer.headers)) == (nowhere.content, dict(nowhere.headers))


@database
def test_the_bare_address_is_open_in_debug_without_a_secret_only(client: Client, settings: Settings):
    settings.DEBUG = True
    assert send(client, "/voice", RINGING).status_code == 404

    settings.SAUTIKIT_ROUTING_SECRETS = []

    assert stream(send(client, "/voice", RINGING))
    assert send(client, "/voice/", RINGING).status_code == 404


def test_the_events_secret_opens_no_call(client: Client):
    assert post(client, RINGING, secret=EVENTS).status_code == 404
    assert client.post(f"/events/{SECRET}", {}).status_code == 404


@pytest.mark.parametrize("method", ["get", "head", "options", "trace", "put", "patch", "delete"])
@pytest.mark.parametrize("address", [f"/voice/{SECRET}", f"/events/{EVENTS}", "/stream-status/x"])
def test_other_methods_are_refused(client: Client, method: str, address: str):
    assert getattr(client, method)(address).status_code == 405


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a=" + b"1" * 5_000_000, "application/x-www-form-urlencoded", 413),
        (b'{"a":"' + b"1" * 5_000_000 + b'"}', "application/json", 413),
        (b"&".join(b"f%d=1" % n for n in range(10_000)), "application/x-www-form-urlencoded", 400),
        (b"[" * 10_000 + b"]" * 10_000, "application/json", 400),
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b" ", "application/json", 400),
        (b'{"a":' + b"9" * 5_000 + b"}", "application/json", 400),
        (b'{"a":"\xff"}', "application/json", 400),
        (b"a=1", "image/png", 400),
        (b"a=1", "application/x-www-form-urlencoded; charset=hex", 400),
    ],
)
def test_what_cannot_be_read_is_refused_at_once(client: Client, body: bytes, kind: str, status: int):
    began_s = time.monotonic()

    answer = client.generic("POST", f"/voice/{SECRET}", body, content_type=kind)

    assert answer.status_code == status
    assert time.monotonic() - began_s < 1


@database
@pytest.mark.parametrize("accept", ["text/html", "application/json", "nonsense", ""])
def test_the_answer_is_xml_whatever_is_accepted(client: Client, accept: str):
    assert stream(post(client, RINGING, accept=accept))


@database
def test_a_required_signature_is_of_the_raw_body_by_either_secret(client: Client, settings: Settings):
    settings.SAUTIKIT_SIGNATURE_MODE = "require"
    settings.SAUTIKIT_SIGNING_SECRETS = ["now", "next"]
    now_s = int(time.time())
    raw = json.dumps(RINGING).encode()

    def answer(header: str, body: bytes = raw) -> int:
        headers = {"X-Sautikit-Signature": header}
        return int(
            client.post(
                f"/voice/{SECRET}", body, content_type="application/json", headers=headers
            ).status_code
        )

    assert answer(signing.signature(raw, "now", now_s)) == 200
    assert answer(signing.signature(raw, "next", now_s - 290)) == 200
    assert answer(signing.signature(raw, "other", now_s)) == 403
    assert answer(signing.signature(raw, "now", now_s - 310)) == 403
    assert answer(signing.signature(raw, "now", now_s + 310)) == 403
    assert answer(signing.signature(raw, "now", now_s), json.dumps(RINGING, indent=1).encode()) == 403
    assert answer("") == 403


# Events


EVENT = {"kind": "call.completed", "event_id": "e1", "data": {"call_id": "HD_1", "duration_seconds": 3}}


def send_event(client: Client, event: object, **headers: str) -> Any:
    return client.post(f"/events/{EVENTS}", json.dumps(event), "application/json", headers=headers)


@database
def test_an_event_is_kept_once(client: Client):
    answers = [send_event(client, EVENT), send_event(client, EVENT)]

    assert [answer.json()["status"] for answer in answers] == ["stored", "duplicate"]
    kept = CallEvent.objects.get()
    assert (kept.kind, kept.event_id, kept.payload) == ("call.completed", "e1", EVENT)


@database
def test_an_event_without_an_id_is_known_by_its_text(client: Client):
    for state in ("StreamStopped", "StreamStopped", "Completed"):
        send(client, f"/events/{EVENTS}", {"sessionId": "HD_1", "callSessionState": state})

    assert sorted(CallEvent.objects.values_list("kind", flat=True)) == ["Completed", "StreamStopped"]


@database
def test_an_event_ends_no_call(client: Client):
    token = token_of(stream(post(client, RINGING)))
    calls.accept_stream(token, now=datetime.now(UTC))
    before = Call.objects.get().status

    send_event(client, EVENT)

    call = Call.objects.get()
    assert (call.status, call.ended_at) == (before, None)


@database
@pytest.mark.logs_errors
def test_an_event_that_could_not_be_kept_is_asked_for_again(client: Client, settings: Settings):
    settings.WEBHOOK_WAIT_S = 0

    assert send_event(client, EVENT).status_code == 503


def test_an_event_needs_its_signature_where_one_is_required(client: Client, settings: Settings):
    settings.SAUTIKIT_SIGNATURE_MODE = "require"
    settings.SAUTIKIT_SIGNING_SECRETS = ["now"]

    assert send_event(client, EVENT).status_code == 403


def test_without_an_events_secret_no_event_is_taken(client: Client, settings: Settings):
    settings.SAUTIKIT_EVENTS_SECRETS = []
    settings.DEBUG = True

    assert client.post("/events/", EVENT).status_code == 404
    assert client.post("/events/x", EVENT).status_code == 404


# The state of a stream


@database
def test_the_state_of_a_stream_goes_forward_only(client: Client):
    address = stream(post(client, RINGING))["statusCallback"].removeprefix("https://courier.example")

    def tell(event: str) -> int:
        return int(send(client, address, {"streamEvent": event, "streamSid": "s"}).status_code)

    assert [tell("stream-started"), tell("stream-stopped"), tell("stream-started")] == [200, 200, 200]
    assert Call.objects.get().stream_state == "stopped"


@database
def test_an_unknown_stream_is_an_unknown_address(client: Client):
    token = token_of(stream(post(client, RINGING)))

    for wrong in ("x", token):  # what opens audio annotates nothing
        answer = client.post(f"/stream-status/{wrong}", "{}", content_type="application/json")
        assert answer.status_code == 404
        assert answer.content == client.post("/nowhere").content


# Health


def test_health_needs_no_database(client: Client):
    assert client.get("/healthz").json() == {"status": "alive"}


@database
@pytest.mark.logs_errors  # Django's own, for the status
def test_a_process_is_ready_while_its_database_answers(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    assert client.get("/readyz").status_code == 200

    settings.READY_WAIT_S = 0
    assert client.get("/readyz").json() == {"status": "no database"}

    monkeypatch.setattr(GATE, "draining", True)
    assert client.get("/readyz").json() == {"status": "draining"}
    assert client.get("/readyz").status_code == 503
