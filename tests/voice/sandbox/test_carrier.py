"""The fake carrier's calls against a tiny peer that answers webhooks and takes streams."""

import asyncio
import json
import math
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from voice.sandbox.call_record import CallRecord
from voice.sandbox.callees import Nobody, by_suffix
from voice.sandbox.caller import Interrupt, Press, Say, Script
from voice.sandbox.carrier import FakeCarrier
from voice.sandbox.hooks import Family, Manners, signature
from voice.sandbox.pbx import TICK_BYTES
from voice.sandbox.rest import Loopback
from voice.sandbox.stream import Leg, Metadata

pytestmark = pytest.mark.slow

CUSTOMER = "+254700000001"
OURS = "+254700000002"
STREAM = (
    '<Response><Stream url="ws://{host}/audio/token?a=1&amp;b=2" track="inbound_track" connect="true"'
    ' outputSamplingRate="16000" bidirectionalSamplingRate="16000" name="courier-agent"'
    ' openMetadata="call-1" statusCallback="http://{host}/status"'
    ' statusEvents="stream-started stream-stopped stream-error"/></Response>'
)

Send = Callable[[dict[str, Any]], Awaitable[None]]


def tone(ms: int, hz: int = 400) -> bytes:
    samples = (round(8000 * math.sin(2 * math.pi * hz * n / 16_000)) for n in range(16 * ms))
    return b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)


class Peer:
    """Our side of the line, as small as it can be: answers `document` once, then empty ones."""

    def __init__(self, agent: Callable[["Peer", Send], Coroutine[Any, Any, None]] | None = None) -> None:
        self.document = STREAM
        self.later = "<Response/>"
        self.subprotocol: str | None = "audio.drachtio.org"
        self.posts: list[tuple[str, dict[str, str], bytes, dict[str, str]]] = []
        self.frames: list[bytes] = []
        self.texts: list[str] = []
        self.headers: dict[str, str] = {}
        self.offered: list[str] = []
        self.streaming = asyncio.Event()
        self.spoken_to = asyncio.Event()
        self._agent = agent

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "websocket":
            await self._stream(scope, receive, send)
            return
        body = (await receive())["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if headers["content-type"] == "application/json":
            fields = json.loads(body)
        else:
            fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        first = not any(path == "/voice" for path, *_ in self.posts)
        self.posts.append((scope["path"], fields, body, headers))
        answer = self.document if first and scope["path"] == "/voice" else self.later
        content = answer.format(host=headers["host"]).encode()
        kind = [(b"content-type", b"application/xml")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        await send({"type": "http.response.body", "body": content})

    async def _stream(self, scope, receive, send) -> None:
        await receive()
        self.headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.offered = scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": self.subprotocol})
        agent = asyncio.create_task(self._agent(self, send)) if self._agent else None
        while (message := await receive())["type"] != "websocket.disconnect":
            if message.get("bytes") is None:
                self.texts.append(message["text"])
            else:
                self.frames.append(message["bytes"])
                self.streaming.set()
                if any(message["bytes"]):
                    self.spoken_to.set()
        if agent:
            agent.cancel()
            await asyncio.gather(agent, return_exceptions=True)

    def edges(self, path: str = "/voice") -> list[str]:
        names = ("callSessionState", "streamEvent", "kind")
        return [next(fields[n] for n in names if n in fields) for at, fields, *_ in self.posts if at == path]


@asynccontextmanager
async def deployment(peer: Peer) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = Loopback(peer, listener, websockets=True)
    await server.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        await server.stop()


def call(peer: Peer, caller: Script, **options: Any) -> CallRecord:
    async def scenario() -> CallRecord:
        async with deployment(peer) as url, FakeCarrier(url + "/voice", **options) as carrier:
            return await carrier.place_call(OURS, CUSTOMER, caller)

    return asyncio.run(scenario())


async def talks(peer: Peer, send: Send, ms: int = 600) -> None:
    await send({"type": "websocket.send", "bytes": tone(ms) + bytes(32 * 160)})


def test_an_inbound_call_goes_through_its_whole_life():
    peer = Peer(talks)

    record = call(peer, Script([Say(tone(300, 700), after_ms=300)], linger_ms=300, patience_s=1))

    assert record.faults == ()
    assert (record.status, record.ended_by) == ("completed", "caller")
    assert peer.edges() == ["Ringing", "StreamStarted", "StreamStopped", "Completed"]
    assert peer.edges("/status") == ["stream-started", "stream-stopped"]
    first, last = peer.posts[0][1], peer.posts[-1][1]
    assert first["sessionId"] == record.session_id
    assert first["callerNumber"] == CUSTOMER
    assert first["destinationNumber"] == OURS
    assert (first["isActive"], last["isActive"]) == ("1", "0")
    assert last["durationInSeconds"] == str(round(record.duration_s))
    assert record.media.closes[0].code == 1000
    assert not record.media.closes[0].by_far_end


def test_the_handshake_is_that_of_the_pbx():
    peer = Peer()

    call(peer, Script(patience_s=0.1))

    assert peer.offered == ["audio.drachtio.org"]
    assert peer.headers["origin"] == f"http://{peer.headers['host']}"
    assert not {"user-agent", "cookie", "sec-websocket-extensions"} & peer.headers.keys()


def test_audio_comes_in_frames_of_20_ms_in_real_time_and_ends_with_empty_ones():
    peer = Peer()

    record = call(peer, Script(patience_s=1))

    *audio, last, second_last = peer.frames
    assert (last, second_last) == (b"", b"")
    assert sum(len(frame) == TICK_BYTES for frame in audio) >= len(audio) * 0.8
    assert 45 <= len(b"".join(audio)) // TICK_BYTES <= 52
    assert len(record.said) == len(record.heard)


def test_irregular_frames_carry_the_same_audio():
    peer = Peer()
    spoken = tone(500)

    call(peer, Script([Say(spoken)], patience_s=0.5), leg=Leg(irregular=True, seed=7))

    assert spoken in b"".join(peer.frames)
    assert any(len(frame) % 2 for frame in peer.frames)
    assert len({len(frame) for frame in peer.frames}) > 4


def test_a_line_that_hisses_has_no_two_equal_frames():
    peer = Peer()

    record = call(peer, Script(patience_s=0.3), leg=Leg(hiss=2))

    frames = [frame for frame in peer.frames if frame]
    assert len(set(frames)) == len(frames)
    assert bytes(record.media.sent_pcm).startswith(b"".join(frames))


def test_the_caller_hears_the_agent_through_the_play_out_buffer():
    async def short(peer: Peer, send: Send) -> None:
        await send({"type": "websocket.send", "bytes": tone(600)})
        await send({"type": "websocket.send", "bytes": tone(60)})

    record = call(Peer(short), Script(linger_ms=400, patience_s=2))

    assert tone(600) in record.heard
    assert tone(600) + tone(60) not in record.heard


def test_killed_audio_stops_within_two_ticks():
    async def long_winded(peer: Peer, send: Send) -> None:
        await send({"type": "websocket.send", "bytes": tone(5000)})
        await peer.spoken_to.wait()
        await send({"type": "websocket.send", "text": '{"type":"killAudio"}'})

    record = call(Peer(long_winded), Script([Interrupt(b"\x01\x00" * 1600, 500)], patience_s=1))

    killed_at = next(frame.at_s for frame in record.media.arrivals if frame.text)
    silent_at = record.heard.rstrip(b"\0")
    assert abs(len(silent_at) / 32_000 - killed_at) <= 0.045
    assert record.media.killed_bytes > 32_000 * 3


@pytest.mark.parametrize(
    ("metadata", "texts"),
    [(Metadata.FIRST, 1), (Metadata.REPEATED, 2), (Metadata.GLUED, 1), (Metadata.MISSING, 0)],
)
def test_the_first_text_frame_comes_as_it_may(metadata, texts):
    peer = Peer()

    call(peer, Script(patience_s=0.1), leg=Leg(metadata=metadata))

    assert len(peer.texts) == texts
    assert all('"metadata": "call-1"' in text for text in peer.texts)


def test_a_pressed_key_is_a_text_frame():
    peer = Peer()

    call(peer, Script([Press("5")], patience_s=0.2))

    assert json.loads(peer.texts[-1]) == {"event": "dtmf", "dtmf": "5", "duration": "1600"}


def test_a_stream_that_does_not_hold_the_leg_drops_the_call_after_a_second():
    peer = Peer()
    peer.document = STREAM.replace(' connect="true"', "")

    record = call(peer, Script(patience_s=5))

    assert record.ended_by == "unheld"
    assert record.media.closes[0].code == 1006
    assert any("connect" in fault for fault in record.faults)


def test_a_closed_socket_leaves_the_caller_on_dead_air():
    async def closes(peer: Peer, send: Send) -> None:
        await send({"type": "websocket.close", "code": 1011})

    record = call(Peer(closes), Script(patience_s=30), leg=Leg(dead_air_s=0.3))

    assert record.ended_by == "far end"
    assert (record.media.closes[0].code, record.media.closes[0].by_far_end) == (1011, True)
    assert record.duration_s >= 0.3


def test_a_server_that_does_not_confirm_the_subprotocol_gets_no_stream():
    peer = Peer()
    peer.subprotocol = None

    record = call(peer, Script(patience_s=1))

    assert record.ended_by == "stream refused"
    assert peer.edges("/status") == ["stream-error"]


def test_a_second_stream_is_a_fault():
    peer = Peer()
    peer.later = STREAM

    record = call(peer, Script(patience_s=0.3))

    assert record.faults == ("a second Stream was answered while the first runs",)


def test_a_spoken_apology_ends_the_call():
    peer = Peer()
    peer.document = "<Response><Say>Please call again later.</Say><Hangup/></Response>"

    record = call(peer, Script())

    assert record.spoken == ("Please call again later.",)
    assert (record.ended_by, peer.edges()) == ("hang-up verb", ["Ringing", "Completed"])


def test_nobody_answering_the_webhook_is_a_failed_call_and_no_crash():
    async def scenario() -> CallRecord:
        async with FakeCarrier("http://127.0.0.1:9/voice") as carrier:
            return await carrier.place_call(OURS, CUSTOMER, Script())

    record = asyncio.run(scenario())

    assert record.status == "failed"
    assert record.hooks[0].status == 0


def test_the_samples_names_and_json_are_another_family():
    peer = Peer()

    record = call(peer, Script(patience_s=0.1), manners=Manners(family=Family.SAMPLES, as_json=True))

    assert peer.posts[0][1] == {"From": CUSTOMER, "To": OURS, "CallId": record.session_id}
    assert peer.posts[0][3]["content-type"] == "application/json"


def test_webhooks_are_signed_over_the_body_and_then_the_time():
    peer = Peer()

    call(peer, Script(patience_s=0.1), signing_secret="fictional")

    _, _, body, headers = peer.posts[0]
    at_s = int(headers["x-sautikit-signature"].split(",")[0].removeprefix("t="))
    assert headers["x-sautikit-signature"] == signature(body, "fictional", at_s)


def test_call_events_have_a_place_of_their_own():
    async def scenario(peer: Peer) -> None:
        async with (
            deployment(peer) as url,
            FakeCarrier(url + "/voice", events_url=url + "/events") as carrier,
        ):
            await carrier.place_call(OURS, CUSTOMER, Script(patience_s=0.1))

    peer = Peer()
    asyncio.run(scenario(peer))

    assert "StreamStopped" not in peer.edges()
    assert peer.edges("/events") == ["call.answered", "call.stream_stopped", "call.completed"]
    told = json.loads(peer.posts[-1][2])["data"]
    assert told.keys() == {  # as the pages show it: no session, and no label of ours
        *("call_id", "direction", "from", "to", "number_id", "status", "duration_seconds"),
        *("answered_at", "ended_at", "hangup_cause"),
    }
    ended = (told["direction"], told["status"], told["hangup_cause"])
    assert ended == ("inbound", "completed", "NORMAL_CLEARING")


def outbound(peer: Peer, talk: Callable[[FakeCarrier, httpx.AsyncClient], Awaitable[Any]], **options) -> Any:
    async def scenario() -> Any:
        async with deployment(peer) as url, FakeCarrier(url + "/voice", ring_s=0.05, **options) as carrier:
            headers = {"Authorization": f"Bearer {carrier.api_key}"}
            async with httpx.AsyncClient(base_url=carrier.base_url, headers=headers) as client:
                return await talk(carrier, client)

    return asyncio.run(scenario())


ORDER = {"from": OURS, "to": [CUSTOMER], "client_request_id": "shipment-1"}


def test_a_placed_call_rings_and_asks_the_webhook():
    peer = Peer(talks)

    async def talk(carrier: FakeCarrier, client: httpx.AsyncClient) -> tuple[httpx.Response, CallRecord]:
        placed = await client.post("/v1/calls", json=ORDER)
        return placed, await carrier.finished(placed.json()["call_id"])

    placed, record = outbound(peer, talk, callee=lambda _: Script(linger_ms=200))

    assert (placed.status_code, placed.json()["status"]) == (201, "ringing")
    assert peer.posts[0][1]["direction"] == "Outbound"
    assert peer.posts[0][1]["clientRequestId"] == "shipment-1"
    assert record.status == "completed"


def test_the_same_key_rings_once():
    async def talk(carrier: FakeCarrier, client: httpx.AsyncClient) -> tuple[Any, Any, int]:
        key = {"Idempotency-Key": "key-1"}
        first = await client.post("/v1/calls", json=ORDER, headers=key)
        again = await client.post("/v1/calls", json=ORDER, headers=key)
        other = await client.post("/v1/calls", json={**ORDER, "to": [OURS]}, headers=key)
        return first.json()["call_id"], again.json()["call_id"], other.status_code

    first, again, conflict = outbound(Peer(), talk, callee=lambda _: Script(patience_s=0.2))

    assert first == again
    assert conflict == 409


def test_the_last_call_to_a_number_is_found_when_it_is_over_and_none_where_none_was_placed():
    async def talk(carrier: FakeCarrier, client: httpx.AsyncClient) -> tuple[Any, Any, Any]:
        await client.post("/v1/calls", json=ORDER)
        last = await client.post("/v1/calls", json=ORDER)
        return last.json()["call_id"], await carrier.placed_to(CUSTOMER), await carrier.placed_to(OURS)

    last, found, none = outbound(Peer(), talk, callee=lambda _: Nobody.BUSY)

    assert (found.call_id, found.status) == (last, "busy")
    assert none is None


def test_nobody_picks_up():
    peer = Peer()

    async def talk(carrier: FakeCarrier, client: httpx.AsyncClient) -> CallRecord:
        placed = await client.post("/v1/calls", json=ORDER)
        return await carrier.finished(placed.json()["session_id"])

    record = outbound(peer, talk, callee=lambda _: Nobody.NO_ANSWER)

    assert record.status == "no_answer"
    assert peer.edges() == ["NoAnswer"]


@pytest.mark.parametrize(
    ("suffix", "status", "edges"), [("71", "busy", ["Busy"]), ("72", "no_answer", ["NoAnswer"])]
)
def test_a_number_that_is_busy_or_rings_in_vain_says_so_to_whoever_asks(suffix, status, edges):
    peer, order = Peer(), {**ORDER, "to": [CUSTOMER[:-2] + suffix]}

    async def talk(carrier: FakeCarrier, client: httpx.AsyncClient) -> Any:
        placed = await client.post("/v1/calls", json=order)
        await carrier.finished(placed.json()["call_id"])
        return (await client.get(f"/v1/calls/{placed.json()['call_id']}")).json()

    told = outbound(peer, talk, callee=by_suffix)

    assert (told["status"], told["duration_seconds"], told["cost_minor"]) == (status, 0, 0)
    assert peer.edges() == edges


def test_a_call_that_is_over_has_its_price():
    async def talk(carrier: FakeCarrier, client: httpx.AsyncClient) -> Any:
        placed = await client.post("/v1/calls", json=ORDER)
        record = await carrier.finished(placed.json()["call_id"])
        return record, (await client.get(f"/v1/calls/{record.call_id}")).json(), placed.json()

    record, told, placed = outbound(Peer(), talk, callee=lambda _: Script(patience_s=0.2))

    assert (told["cost_minor"], told["currency"]) == (5 * math.ceil(record.duration_s), "KES")
    assert "cost_minor" not in placed


def test_a_voicemail_greets_whoever_rings_before_anybody_speaks():
    peer = Peer()

    async def talk(carrier: FakeCarrier, client: httpx.AsyncClient) -> None:
        placed = await client.post("/v1/calls", json={**ORDER, "to": [CUSTOMER[:-2] + "73"]})
        await asyncio.wait_for(peer.spoken_to.wait(), 5)
        await client.post(f"/v1/calls/{placed.json()['call_id']}/hangup")
        await carrier.finished(placed.json()["call_id"])

    outbound(peer, talk, callee=by_suffix)

    assert peer.spoken_to.is_set()


@pytest.mark.parametrize(("flipped", "caller", "called"), [(False, OURS, CUSTOMER), (True, CUSTOMER, OURS)])
def test_the_two_sides_of_a_placed_call_may_be_named_the_other_way_round(flipped, caller, called):
    peer = Peer()

    async def talk(carrier: FakeCarrier, client: httpx.AsyncClient) -> None:
        placed = await client.post("/v1/calls", json=ORDER)
        await carrier.finished(placed.json()["call_id"])

    outbound(peer, talk, callee=lambda _: Script(patience_s=0.1), manners=Manners(flipped=flipped))

    first = peer.posts[0][1]
    assert (first["callerNumber"], first["destinationNumber"]) == (caller, called)


IN_ORDER = ["call.answered", "call.stream_stopped", "call.completed"]


@pytest.mark.parametrize(
    ("manners", "kinds"),
    [
        (Manners(events_twice=True), [kind for kind in IN_ORDER for _ in range(2)]),
        (Manners(events_backwards=True), IN_ORDER[::-1]),
        (Manners(events_late_s=0.3), IN_ORDER),
    ],
)
def test_events_come_as_the_carrier_pleases(manners, kinds):
    async def scenario(peer: Peer) -> list[str]:
        async with (
            deployment(peer) as url,
            FakeCarrier(url + "/voice", events_url=url + "/events", manners=manners) as carrier,
        ):
            await carrier.place_call(OURS, CUSTOMER, Script(patience_s=0.1))
            return peer.edges("/events")

    peer = Peer()
    when_over = asyncio.run(scenario(peer))

    ids = [fields["event_id"] for path, fields, *_ in peer.posts if path == "/events"]
    assert peer.edges("/events") == kinds
    assert len(set(ids)) == 3
    assert (IN_ORDER[-1] in when_over) == (not manners.events_late_s)


def test_hanging_up_ends_the_call_once_and_for_all():
    async def talk(carrier: FakeCarrier, client: httpx.AsyncClient) -> tuple[list[int], dict, CallRecord]:
        placed = asyncio.create_task(carrier.place_call(OURS, CUSTOMER, Script(patience_s=30)))
        await peer.streaming.wait()
        session_id = peer.posts[0][1]["sessionId"]
        found = (await client.get("/v1/calls", params={"session_id": session_id})).json()
        statuses = [(await client.post(f"/v1/calls/{session_id}/hangup")).status_code for _ in range(2)]
        return statuses, found, await placed

    peer = Peer()
    statuses, found, record = outbound(peer, talk)

    assert statuses == [200, 200]
    assert found["calls"][0]["status"] == "answered"
    assert record.ended_by == "carrier"
    assert peer.frames[-1] == b""


def test_the_interface_refuses_strangers_and_nonsense():
    async def talk(carrier: FakeCarrier, client: httpx.AsyncClient) -> list[int]:
        stranger = {"Authorization": "Bearer wrong"}
        return [
            (await client.post("/v1/calls", json=ORDER, headers=stranger)).status_code,
            (await client.post("/v1/calls", content=b"[]")).status_code,
            (await client.post("/v1/calls", json={"to": []})).status_code,
            (await client.post("/v1/calls", json={**ORDER, "client_request_id": "mcp:1"})).status_code,
            (await client.post("/v1/calls/HD_none/hangup")).status_code,
            (await client.get("/v2")).status_code,
        ]

    assert outbound(Peer(), talk) == [401, 400, 400, 400, 404, 404]
