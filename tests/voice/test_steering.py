"""How an order of the desk's comes to the call, and how the desk comes to know whether it did."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from channels.layers import get_channel_layer

from tests.layers import on_the_layer
from tests.processes import free_port
from voice import steering
from voice.errors import NotOrderedError
from voice.events import Event, Order, Ordered
from voice.layer import publish
from voice.roster import ROSTER, Carried
from voice.steering import GROUP, Helm

# On one worker: on Valkey all workers hear the same groups.
pytestmark = [pytest.mark.layer, pytest.mark.xdist_group("layer")]
CALL = "a-call"


@contextmanager
def carried(public_id: str = CALL, *, takes: bool = True) -> Iterator[list[Event]]:
    """Carry a call in this process; yield what it took."""
    taken: list[Event] = []

    def take(event: Event) -> bool:
        if takes:
            taken.append(event)
        return takes

    call = Carried(1, public_id, take)
    ROSTER.add(call)
    try:
        yield taken
    finally:
        ROSTER.remove(call)


@asynccontextmanager
async def manned() -> AsyncIterator[None]:
    """Take orders in this process."""
    helm = Helm()
    helm.man()
    try:
        with carried("a-first") as heard:  # until it listens: what was sent before is lost
            while not heard:
                await publish(GROUP, _message(uuid4()) | {"call": "a-first"})
                await asyncio.sleep(0.01)
        yield
    finally:
        await helm.leave()


def at_the_helm(scenario: Callable[[], Awaitable[Any]]) -> Any:
    """Run a scenario in a process that takes orders."""

    async def run() -> Any:
        async with manned():
            return await scenario()

    return on_the_layer(run)


def _message(order_id: UUID) -> dict[str, Any]:
    return {"type": GROUP, "id": order_id.hex, "call": CALL, "order": "note", "words": "Gate 4."}


async def send(order_id: UUID | None = None) -> bool:
    """Send the call a note."""
    return await steering.send(Order.NOTE, CALL, order_id=order_id or uuid4(), words="Gate 4.")


NOTED = Ordered(Order.NOTE, "Gate 4.")


def test_an_order_that_the_call_took_is_confirmed():
    async def scenario() -> tuple[bool, list[Event]]:
        with carried() as taken:
            return await send(), taken

    assert at_the_helm(scenario) == (True, [NOTED])


def test_an_order_for_a_call_that_no_process_carries_is_not_confirmed(settings):
    settings.LIVE_ORDER_S = 0.1

    assert at_the_helm(send) is False


def test_an_order_that_comes_when_the_call_is_about_to_be_over_is_not_confirmed(settings):
    settings.LIVE_ORDER_S = 0.1

    async def scenario() -> bool:
        with carried(takes=False):
            return await send()

    assert at_the_helm(scenario) is False


def test_an_order_that_is_sent_again_is_confirmed_again_and_acts_once():
    async def scenario() -> tuple[list[bool], list[Event]]:
        order_id = uuid4()
        with carried() as taken:
            return [await send(order_id) for _ in range(3)], taken

    assert at_the_helm(scenario) == ([True] * 3, [NOTED])


def test_an_order_that_the_call_did_not_take_acts_when_it_is_sent_again(settings):
    settings.LIVE_ORDER_S = 0.1
    order_id = uuid4()

    async def scenario() -> tuple[bool, bool, list[Event]]:
        first = await send(order_id)
        with carried() as taken:
            return first, await send(order_id), taken

    assert at_the_helm(scenario) == (False, True, [NOTED])


@pytest.mark.parametrize(
    "other",
    [{"order": Order.SAY}, {"public_id": "another"}, {"words": "Gate 5."}],
    ids=lambda one: next(iter(one)),
)
def test_an_id_that_another_order_had_confirms_no_order_that_did_not_act(other):
    order_id = uuid4()

    async def scenario() -> tuple[bool, int]:
        with carried() as first, carried("another") as second:
            await send(order_id)
            wanted: dict[str, Any] = {"order": Order.NOTE, "public_id": CALL, "words": "Gate 4."} | other
            return await steering.send(order_id=order_id, **wanted), len(first + second)

    assert at_the_helm(scenario) == (True, 2)


def test_two_orders_of_the_same_words_act_both():
    async def scenario() -> list[Event]:
        with carried() as taken:
            await send()
            await send()
            return taken

    assert at_the_helm(scenario) == [NOTED, NOTED]


def test_of_all_orders_that_were_ever_taken_the_latest_are_remembered(monkeypatch):
    monkeypatch.setattr(steering, "_REMEMBERED", 2)
    first, second, third = uuid4(), uuid4(), uuid4()

    async def scenario() -> int:
        with carried() as taken:
            for order_id in (first, second, third, second, third, first):
                await send(order_id)
            return len(taken)

    assert at_the_helm(scenario) == 4


@pytest.mark.parametrize(
    "wrong",
    [{"id": None}, {"id": "1"}, {"id": 5}, {"order": "dance"}, {"order": None}],
)
def test_what_is_no_order_of_this_version_is_passed_over(wrong):
    async def scenario() -> tuple[bool, list[Event]]:
        with carried() as taken:
            await publish(GROUP, _message(uuid4()) | wrong)
            return await send(), taken

    assert at_the_helm(scenario) == (True, [NOTED])


def test_a_process_that_hears_no_orders_any_more_notices_before_the_line_is_looked_at(settings, monkeypatch):
    settings.LIVE_ORDER_S = settings.LIVE_POLL_S = 0.1
    settings.LIVE_LAYER_S, settings.LIVE_CATCH_UP_S = 0.2, 60

    async def scenario() -> tuple[bool, list[Event]]:
        layer: Any = get_channel_layer()
        group_add, channels = layer.group_add, []

        async def note(group: str, channel: str) -> None:
            if group == GROUP:
                channels.append(channel)
            await group_add(group, channel)

        monkeypatch.setattr(layer, "group_add", note, raising=False)
        async with manned():
            await layer.group_discard(GROUP, channels[0])
            with carried() as taken:
                first, order_id = await send(), uuid4()
                async with asyncio.timeout(10):
                    while not await send(order_id):
                        pass
                return first, taken

    assert on_the_layer(scenario) == (False, [NOTED])


# Without the layer


def without_a_layer(settings) -> None:
    settings.LIVE_LAYER_S = 0.5
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [f"redis://127.0.0.1:{free_port()}"]},
        }
    }


def test_an_order_that_could_not_be_sent_is_said_to_have_done_nothing(settings):
    without_a_layer(settings)

    with pytest.raises(NotOrderedError, match="nothing was done"):
        on_the_layer(send)


def test_an_order_of_which_nobody_knows_whether_it_was_sent_is_not_confirmed(settings, monkeypatch):
    settings.LIVE_LAYER_S = 0.2

    async def scenario() -> bool:
        layer: Any = get_channel_layer()
        group_send = layer.group_send

        async def hang(group: str, message: Any) -> None:
            await group_send(group, message)
            if message["type"] == GROUP:
                await asyncio.Event().wait()

        monkeypatch.setattr(layer, "group_send", hang, raising=False)
        with suppress(NotOrderedError):  # that nothing was done is more than is known
            return await send()
        return True

    assert on_the_layer(scenario) is False


def test_a_call_takes_orders_although_nobody_can_be_told_that_it_did(settings, monkeypatch):
    settings.LIVE_LAYER_S = 0.1

    async def scenario() -> list[Event]:
        layer: Any = get_channel_layer()
        group_send = layer.group_send

        async def lose(group: str, message: Any) -> None:
            if group.startswith(f"{GROUP}.") and message["type"] != "probe":
                raise OSError
            await group_send(group, message)

        monkeypatch.setattr(layer, "group_send", lose, raising=False)
        settings.LIVE_ORDER_S = 0.1
        with carried() as taken:
            confirmed = [await send(), await send()]
        assert confirmed == [False, False]
        return taken

    assert at_the_helm(scenario) == [NOTED, NOTED]


def test_a_process_leaves_after_its_taking_of_orders_ended():
    helm = Helm()

    async def man_and_end() -> None:
        helm.man()
        [obeying] = asyncio.all_tasks() - {asyncio.current_task()}
        obeying.cancel()
        await asyncio.wait({obeying})

    asyncio.run(man_and_end())

    asyncio.run(helm.leave())
