"""The channel layer: who listens hears what is published, and is told when the layer is gone."""

import asyncio
from typing import Any

import pytest
from channels.layers import get_channel_layer

from tests.layers import on_the_layer
from tests.processes import free_port
from voice.errors import LayerDownError
from voice.layer import listening, publish
from voice.newsroom import GROUP, Newsroom
from voice.records import Speaking, TurnRecord

# On one worker: on Valkey all workers hear the same groups.
pytestmark = [pytest.mark.layer, pytest.mark.xdist_group("layer")]


def test_who_listens_hears_what_is_published_in_its_order():
    async def scenario() -> list:
        async with listening("line.test") as inbox:
            for number in range(3):
                await publish("line.test", {"type": "line.test", "number": number})
            return [await inbox.next(5) for _ in range(3)]

    assert [message["number"] for message in on_the_layer(scenario)] == [0, 1, 2]


def test_who_listens_in_vain_is_told_that_there_was_nothing():
    async def scenario() -> object:
        async with listening("line.test") as inbox:
            return await inbox.next(0.05)

    assert on_the_layer(scenario) is None


def test_what_is_no_message_of_ours_is_passed_over():
    async def scenario() -> Any:
        layer: Any = get_channel_layer()
        async with listening("line.test") as inbox:
            await layer.group_send("line.test", {"text": "of another program"})
            await publish("line.test", {"type": "line.test", "number": 1})
            return await inbox.next(5)

    assert on_the_layer(scenario)["number"] == 1


def test_who_is_too_slow_is_told_that_he_missed_something():
    async def scenario() -> tuple[bool, int]:
        async with listening("line.test") as inbox:
            for number in range(700):
                await publish("line.test", {"type": "line.test", "number": number})
                await asyncio.sleep(0)
            for _ in range(500):  # the layer may be behind
                if inbox.missed:
                    break
                await asyncio.sleep(0.01)
            heard = 0
            while await inbox.next(0.05) is not None:
                heard += 1
            return inbox.missed, heard

    missed, heard = on_the_layer(scenario)

    assert missed
    assert 500 <= heard < 700


def test_a_layer_that_is_gone_is_said_to_be_so(settings):
    settings.LIVE_LAYER_S = 0.5
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [f"redis://127.0.0.1:{free_port()}"]},
        }
    }

    async def scenario() -> None:
        with pytest.raises(LayerDownError):
            await publish("line.test", {"type": "line.test"})
        with pytest.raises(LayerDownError):
            async with listening("line.test"):
                pass

    on_the_layer(scenario)


def test_a_subscription_that_is_dead_is_noticed_although_publishing_works(settings, monkeypatch):
    settings.LIVE_LAYER_S = 0.2

    async def scenario() -> None:
        async with listening("line.test") as inbox:
            layer: Any = get_channel_layer()
            await layer.group_discard("line.test", inbox._channel)
            with pytest.raises(LayerDownError):
                await inbox.next(0.05)

    on_the_layer(scenario)


# The newsroom


def test_news_are_gathered_and_what_is_said_anew_takes_the_place_of_the_old(settings):
    settings.LIVE_EVERY_S = 0.05

    async def scenario() -> Any:
        newsroom = Newsroom()
        async with listening(GROUP) as inbox:
            newsroom.begin("call-1")
            for text in ("Where", "Where is", "Where is it?"):
                newsroom.show("call-1", TurnRecord(0, "caller", text, 0, 10))
            newsroom.show("call-1", Speaking("caller"))
            return await inbox.next(5)

    told = on_the_layer(scenario)["news"]

    assert [(one["call"], one["kind"]) for one in told] == [
        ("call-1", "begun"),
        ("call-1", "said"),
        ("call-1", "speaking"),
    ]
    assert told[1]["text"] == "Where is it?"


def test_news_that_wait_are_bounded(settings):
    settings.LIVE_EVERY_S, settings.LIVE_NEWS = 0.05, 10

    async def scenario() -> Any:
        newsroom = Newsroom()
        async with listening(GROUP) as inbox:
            newsroom.begin("call-1")
            for place in range(50):
                newsroom.show("call-1", TurnRecord(place, "caller", "Hello", 0, 10))
            return await inbox.next(5)

    told = on_the_layer(scenario)["news"]

    assert [one["place"] for one in told] == list(range(40, 50))


def test_a_change_that_a_thread_makes_is_told(settings):
    settings.LIVE_EVERY_S = 0.05

    async def scenario() -> Any:
        newsroom = Newsroom()
        async with listening(GROUP) as inbox:
            newsroom.begin("call-1")
            await inbox.next(5)
            await asyncio.to_thread(newsroom.note_change, "call-1")
            return await inbox.next(5)

    assert on_the_layer(scenario)["news"] == [{"kind": "changed", "key": "changed", "call": "call-1"}]


def test_a_layer_that_hangs_holds_one_message_back_and_no_more(settings, monkeypatch):
    settings.LIVE_EVERY_S, settings.LIVE_LAYER_S = 0.01, 0.3
    sent = []

    async def hang(group: str, message: Any) -> None:
        sent.append(message)
        await asyncio.Event().wait()

    async def scenario() -> None:
        layer: Any = get_channel_layer()
        monkeypatch.setattr(layer, "group_send", hang, raising=False)
        newsroom = Newsroom()
        newsroom.begin("call-1")
        for place in range(20):
            newsroom.show("call-1", TurnRecord(place, "caller", "Hello", 0, 10))
            await asyncio.sleep(0.01)
        monkeypatch.undo()
        await asyncio.sleep(0.4)

    on_the_layer(scenario)

    assert len(sent) == 1
