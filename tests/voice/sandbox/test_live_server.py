"""The local Live server is reached, and refuses to be, as the real service is."""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from voice.sandbox import strictness
from voice.sandbox.brain import SILENCE, Reply, Voice
from voice.sandbox.live_server import LiveServer, Seen
from voice.sandbox.timing import Timing

PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
KEY = {"x-goog-api-key": "planted-key"}
SETUP = json.dumps(
    {
        "setup": {
            "model": "models/gemini-3.8-live",
            "generationConfig": {"responseModalities": ["AUDIO"]},
        }
    }
)
QUICK = Timing(setup_s=0, handle_s=0)


class Deaf:
    def feed(self, pcm):
        return []

    async def read(self, pcm):
        return ""


class Greeter:
    async def nudged(self, text):
        return Reply(say="Hello.")

    async def heard(self, utterance):
        return SILENCE

    async def answered(self, name, call_id, response):
        return SILENCE


class Faulty(Greeter):
    async def nudged(self, text):
        raise RuntimeError("a brain with a fault")


class Mouth:
    async def speak(self, text):
        return b"\x07\x00" * 2400


def server(brain=Greeter, **more):
    return LiveServer(voice=Voice(lambda _: brain(), lambda _: Deaf(), Mouth()), **{"timing": QUICK, **more})


def dial(live, path=PATH, headers=KEY):
    return connect(f"{live.url}{path}", additional_headers=headers, proxy=None)


async def farewell(client):
    with pytest.raises(ConnectionClosed) as closed:
        await asyncio.wait_for(drain(client), 5)
    assert closed.value.rcvd
    return closed.value.rcvd.code, closed.value.rcvd.reason


async def drain(client):
    while True:
        await client.recv()


@pytest.mark.asyncio
async def test_a_turn_is_heard_to_its_end_in_binary_frames():
    seen: list[Seen] = []

    async with server(witness=seen.append) as live, dial(live) as client:
        await client.send(SETUP)
        confirmed = await client.recv()
        await client.send('{"realtimeInput": {"text": "Greet."}}')
        frames: list[str | bytes] = []
        while not frames or b"turnComplete" not in frames[-1]:
            frames.append(await asyncio.wait_for(client.recv(), 5))

    assert confirmed == b'{"setupComplete": {}}'
    assert all(isinstance(frame, bytes) for frame in frames)
    assert any(b"audio/pcm;rate=24000" in frame for frame in frames)
    assert [one.frame for one in seen if one.from_client] == [SETUP, '{"realtimeInput": {"text": "Greet."}}']
    assert [one.frame for one in seen if not one.from_client] == [confirmed, *frames]
    assert {one.session for one in seen} == {1}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "path", ["/", "/ws/google.ai.generativelanguage.v9.GenerativeService.BidiGenerateContent"]
)
async def test_another_path_is_not_found(path):
    async with server() as live:
        with pytest.raises(InvalidStatus) as refused:
            await dial(live, path)

    assert refused.value.response.status_code == 404


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("keys", "headers", "query"),
    [(None, {}, ""), ({"right"}, KEY, ""), ({"right"}, {}, "?key=wrong")],
)
async def test_without_a_key_that_it_knows_it_hangs_up(keys, headers, query):
    async with server(keys=keys) as live, dial(live, PATH + query, headers) as client:
        assert await farewell(client) == (1007, strictness.KEY)


@pytest.mark.asyncio
async def test_a_key_may_be_in_the_address():
    async with server(keys={"right"}) as live, dial(live, f"{PATH}?key=right", {}) as client:
        await client.send(SETUP)

        assert await client.recv() == b'{"setupComplete": {}}'


@pytest.mark.asyncio
async def test_one_conversation_too_many_is_over_the_quota():
    async with server(most=1) as live, dial(live) as first:
        await first.send(SETUP)
        await first.recv()
        async with dial(live) as second:
            assert await farewell(second) == (1011, strictness.QUOTA)


@pytest.mark.asyncio
async def test_a_wrong_frame_is_answered_with_a_close():
    async with server() as live, dial(live) as client:
        await client.send('{"realtimeInput": {"audioStreamEnd": true}}')

        assert await farewell(client) == (1007, strictness.SETUP_ONCE)


@pytest.mark.asyncio
@pytest.mark.logs_errors
async def test_a_brain_with_a_fault_is_an_internal_error(caplog):
    async with server(Faulty) as live, dial(live) as client:
        await client.send(SETUP)
        await client.recv()
        await client.send('{"realtimeInput": {"text": "Greet."}}')

        code, _ = await farewell(client)

    assert code == 1011
    assert any(record.exc_info for record in caplog.records)


@pytest.mark.asyncio
async def test_its_end_ends_every_conversation():
    async with server() as live:
        client = await dial(live)
        await client.send(SETUP)
        await client.recv()

    assert (await farewell(client))[0] == 1001
