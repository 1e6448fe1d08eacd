"""Asking the platform to place a call: whatever it answers, it is known whether something may ring."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from voice.clients.sautikit import SautikitClient
from voice.errors import RemoteError
from voice.wire.placing import Accepted, Order, Refused, Slow, Unclear, Unsent, account_of

ORDER = Order(
    "+254700000001", "+254700000900", "0123456789abcdef0123456789abcdef", "https://example.com/voice"
)


def ask(answer, order=ORDER, **kwargs):
    """Place a call with a platform that does `answer`; return what it is taken for, and the requests."""
    requests = []

    def handle(request):
        requests.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run():
        async with SautikitClient(
            "https://carrier.example.com", "key", transport=httpx.MockTransport(handle)
        ) as carrier:
            return await carrier.place(order, **kwargs)

    return asyncio.run(run()), requests


def test_a_call_is_asked_for_in_both_spellings_and_under_a_key():
    placed, [request] = ask(
        httpx.Response(201, json={"call_id": "c1", "session_id": "HD_1", "status": "ringing"})
    )

    assert placed == Accepted("c1", "HD_1")
    assert (request.method, request.url.path) == ("POST", "/v1/calls")
    assert request.headers["Authorization"] == "Bearer key"
    assert request.headers["Idempotency-Key"] == ORDER.request_id
    assert json.loads(request.content) == {
        "from": "+254700000900",
        "to": ["+254700000001"],
        "client_request_id": ORDER.request_id,
        "clientRequestId": ORDER.request_id,
        "voice_callback_url": "https://example.com/voice",
    }


def test_the_older_path_can_be_asked():
    _, [request] = ask(httpx.Response(201, json={}), path="/v1/calls/originate")

    assert request.url.path == "/v1/calls/originate"


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (httpx.ReadTimeout("late"), Unclear),
        (httpx.WriteTimeout("late"), Unclear),
        (httpx.ReadError("reset"), Unclear),
        (httpx.WriteError("reset"), Unclear),
        (httpx.RemoteProtocolError("closed"), Unclear),
        (httpx.ConnectError("refused"), Unsent),
        (httpx.ConnectTimeout("late"), Unsent),
        (httpx.PoolTimeout("full"), Unsent),
        (httpx.UnsupportedProtocol("no scheme"), Unsent),
    ],
)
def test_o1_o2_a_lost_answer_may_ring_and_a_request_that_never_left_does_not(answer, meaning):
    placed, _ = ask(answer)

    assert isinstance(placed, meaning)


@pytest.mark.parametrize(
    ("said", "after_s"),
    [
        ("7", 7),
        ("0", 1),
        ("-5", 1),
        ("99999999", 900),
        ("inf", 900),
        ("nan", 5),
        ("", 5),
        ("soon", 5),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 1),
        ("Wed, 21 Oct 2115 07:28:00 GMT", 900),
        ("Wed, 21 Oct 99999 07:28:00 GMT", 5),
    ],
)
def test_o3_who_is_asked_to_wait_waits_at_most_a_quarter(said, after_s):
    placed, _ = ask(httpx.Response(429, headers={"Retry-After": said} if said else {}))

    assert placed == Slow(after_s)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 301, 307])
def test_o4_a_platform_in_trouble_may_ring_all_the_same(status):
    placed, requests = ask(httpx.Response(status, headers={"Location": "https://elsewhere.example.com"}))

    assert placed == Unclear(f"The platform answered {status}.")
    assert len(requests) == 1


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
def test_o5_a_refusal_is_final(status):
    placed, _ = ask(httpx.Response(status, json={"error": {"code": "wallet.insufficient_funds"}}))

    assert placed == Refused(status, "wallet.insufficient_funds")


def test_o5_a_call_placed_already_is_not_placed_again():
    placed, _ = ask(httpx.Response(409, json={"error": {"code": "idempotency.conflict"}}))

    assert isinstance(placed, Unclear)


@pytest.mark.parametrize(
    ("answer", "placed"),
    [
        (httpx.Response(201, json={}), Accepted("", "")),
        (httpx.Response(201, json={"data": {"callId": "c1"}}), Accepted("c1", "")),
        (httpx.Response(201, json={"call_id": 7, "session_id": None}), Accepted("", "")),
        (httpx.Response(201, json={"call_id": "x" * 5_000}), Accepted("", "")),
        (httpx.Response(201, text="<html>"), Unclear("The platform answered 201 with what is no JSON.")),
        (httpx.Response(201, json=[]), Unclear("The platform answered 201 with what is no JSON.")),
        (
            httpx.Response(201, content=b"\xff\xfe"),
            Unclear("The platform answered 201 with what is no JSON."),
        ),
        (httpx.Response(403, text="["), Refused(403, "")),
        (httpx.Response(403, json={"code": "x", "reason": "y"}), Refused(403, "x")),
        (httpx.Response(403, json={"error": "no"}), Refused(403, "")),
    ],
)
def test_o6_an_answer_of_any_shape_is_read(answer, placed):
    assert ask(answer)[0] == placed


def look_up(answer):
    async def run():
        transport = httpx.MockTransport(lambda _: answer)
        async with SautikitClient("https://carrier.example.com", "key", transport=transport) as carrier:
            return await carrier.fetch("HD_1")

    return asyncio.run(run())


def test_a_call_is_looked_up_and_an_unknown_one_is_none():
    assert account_of(look_up(httpx.Response(200, json={"status": "no-answer"}))).status == "no_answer"
    assert account_of(look_up(httpx.Response(200, json={"data": {"status": "Busy"}}))).status == "busy"
    assert account_of(look_up(httpx.Response(200, json=[]))).status == ""
    assert look_up(httpx.Response(404)) is None
    with pytest.raises(RemoteError):
        look_up(httpx.Response(500))
    with pytest.raises(RemoteError):
        look_up(httpx.Response(200, text="<html>"))


@pytest.mark.parametrize("fault", [RuntimeError("handler is closed"), AttributeError("get_extra_info")])
def test_a_socket_that_closes_while_it_opens_is_an_unreached_platform(fault):
    def break_off(_request: httpx.Request) -> httpx.Response:
        raise fault

    async def ask() -> None:
        transport = httpx.MockTransport(break_off)
        async with SautikitClient("https://carrier.example.com", "key", transport=transport) as carrier:
            with pytest.raises(RemoteError):
                await carrier.find("HD_1")
            with pytest.raises(RemoteError):
                await carrier.hang_up("HD_1")

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("said", "apart_s"),
    [(timedelta(minutes=-10), 600), (timedelta(minutes=10), -600), (timedelta(), 0), (None, 0), ("soon", 0)],
)
def test_o10_how_far_the_platforms_clock_is_off_is_known_from_any_answer(said, apart_s):
    theirs = format_datetime(datetime.now(UTC) + said) if isinstance(said, timedelta) else said
    headers = {} if theirs is None else {"Date": theirs}

    async def run() -> float:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, json={}, headers=headers))
        async with SautikitClient("https://carrier.example.com", "key", transport=transport) as carrier:
            await carrier.fetch("HD_1")
            return carrier.skew_s

    assert asyncio.run(run()) == pytest.approx(apart_s, abs=3)
