"""A log line is one line, says which call it is of, and names nobody."""

import json
import logging
import sys

import pytest

from courier.logs import LineFormatter, mask
from voice.current import call_id

TOKEN = "Zm9yIHRlc3RzIG9ubHksIG5vdCBhIHRva2VuIGF0IGFs"


def line(message: str, *values: object, **extra: object) -> str:
    record = logging.getLogger("voice.example").makeRecord(
        "voice.example", logging.INFO, "example.py", 1, message, values, None, extra=extra
    )
    return LineFormatter().format(record)


def test_a_record_is_one_line_of_json():
    written = line("a call\nended after %d s", 12, reason="caller_left")

    assert "\n" not in written
    assert json.loads(written) | {"at": ""} == {
        "at": "",
        "level": "info",
        "logger": "voice.example",
        "message": "a call\nended after 12 s",
        "reason": "caller_left",
    }


def test_a_record_names_its_call():
    token = call_id.set("0123456789abcdef")
    try:
        written = line("a call began")
    finally:
        call_id.reset(token)

    assert json.loads(written)["call"] == "0123456789abcdef"
    assert "call" not in json.loads(line("no call"))


@pytest.mark.parametrize("name", ["voice", "audio", "stream-status", "events"])
@pytest.mark.parametrize("form", ["Not Found: /{}/{}", '"WebSocket /{}/{}" [accepted]', "['/{}/{}', 1]"])
def test_p18_what_follows_a_secret_path_is_not_written(name, form):
    written = line(form.format(name, TOKEN))

    assert TOKEN not in written
    assert f"/{name}/***" in written


def test_a_secret_path_in_an_extra_is_not_written():
    assert TOKEN not in line("a request", path=f"/audio/{TOKEN}?a=1")


@pytest.mark.parametrize("number", ["+254700000001", "%2B254700000001", "%2b2348000000001"])
def test_a_telephone_number_is_not_written(number):
    assert number[-9:] not in line(f"from={number}")


@pytest.mark.parametrize(
    "form",
    [
        "Unauthorized: /api/v1/shipments{}",
        '127.0.0.1:40002 - - "GET /admin/voice/call/{}" 200 9302',
        "<ASGIRequest: GET '/api/v1/shipments{}'>",
        "?next=/admin/voice/call/{}",
    ],
)
def test_what_was_asked_for_in_a_query_is_not_written(form):
    written = line(form.format("?q=0700\\000001&phone=254700000001"))

    assert "0001" not in written
    assert "?***" in json.loads(written)["message"]


def test_the_request_that_django_adds_is_not_written():
    assert "request" not in json.loads(
        line("Not Found: /x", request="<ASGIRequest: GET '/x'>", status_code=404)
    )


@pytest.mark.parametrize(
    "text", ["Why? Because.", "Why?\nBecause.", 'He said "why?" twice', "VALUES (?, ?, ?)"]
)
def test_a_question_is_no_query(text):
    assert json.loads(line(text))["message"] == text


def test_a_traceback_keeps_the_names_of_our_files():
    text = 'File "/srv/voice/wire/gemini.py", line 1'

    assert mask(text) == text
    assert mask(json.dumps(text)) == json.dumps(text)


def test_a_fault_is_written_with_its_traceback_on_the_same_line():
    try:
        raise ValueError("a fault")
    except ValueError:
        record = logging.LogRecord("voice", logging.ERROR, "x.py", 1, "a call broke", None, sys.exc_info())

    written = LineFormatter().format(record)

    assert "ValueError: a fault" in json.loads(written)["exception"]
    assert "\n" not in written


def test_what_json_does_not_know_is_written_as_words():
    assert json.loads(line("a thing", thing={1}))["thing"] == "{1}"
