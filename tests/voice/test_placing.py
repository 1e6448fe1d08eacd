"""What a dialler does around a request: waits for its turn, is stopped or halted, looks up, goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tests.dialled import Platform, dial, fresh, planned
from tests.shipments.builders import NOW
from voice import outbound, placing
from voice.orm import run_db
from voice.shared import DialSwitch
from voice.statuses import DialState
from voice.wire.placing import Accepted, Order, Placement, Unclear

pytestmark = pytest.mark.django_db(transaction=True)
LATER = NOW + timedelta(minutes=5)


class Carrier:
    """A platform that takes every call; keeps what was asked of it."""

    def __init__(self) -> None:
        self.skew_s = 0.0
        self.orders: list[str] = []

    async def place(self, order: Order, *, path: str = "") -> Placement:
        self.orders.append(order.request_id)
        return Accepted("", "")

    async def fetch(self, call: str) -> object:
        return None


class Waiting(placing.Dialler):
    """A dialler whose waits are what a test does meanwhile."""

    meanwhile: Callable[[], Awaitable[None]]

    async def _pause(self, seconds: float) -> None:
        await self.meanwhile()


def test_o8_a_dialler_stopped_after_another_took_over_its_call_leaves_that_alone():
    row, carrier, at = planned(), Carrier(), NOW
    claimed = outbound.claim("slow", NOW)
    DialSwitch.objects.update_or_create(pk=1, defaults={"next_dial_at": NOW + timedelta(seconds=1)})
    dialler = Waiting(carrier, by="slow", now=lambda: at)

    def another_dials() -> None:
        outbound.reconcile(LATER)
        dial(Platform(Unclear("lost, and it rings")), LATER, "quick")

    async def meanwhile() -> None:
        await run_db(another_dials)
        dialler.stopping.set()

    dialler.meanwhile = meanwhile
    assert claimed is not None
    asyncio.run(dialler.place(claimed))

    assert (fresh(row).state, fresh(row).may_have_rung) == (DialState.UNKNOWN, True)
    assert dial(Platform(), LATER + timedelta(minutes=2)) is None


def test_a_dialler_that_is_stopped_gives_its_call_back():
    row, carrier = planned(), Carrier()
    claimed = outbound.claim("d", NOW)
    DialSwitch.objects.update_or_create(pk=1, defaults={"next_dial_at": LATER})
    dialler = Waiting(carrier, by="d", now=lambda: NOW)

    async def meanwhile() -> None:
        dialler.stopping.set()

    dialler.meanwhile = meanwhile
    assert claimed is not None
    asyncio.run(dialler.place(claimed))

    assert (fresh(row).state, fresh(row).claimed_by) == (DialState.PLANNED, "")
    assert carrier.orders == []


def test_o8_a_process_that_was_halted_after_the_gate_said_now_sends_nothing():
    row, carrier = planned(), Carrier()
    claimed = outbound.claim("d", NOW)
    times = iter([NOW])
    night = NOW + timedelta(hours=14)
    dialler = placing.Dialler(carrier, by="d", now=lambda: next(times, night))

    assert claimed is not None
    asyncio.run(dialler.place(claimed))

    assert carrier.orders == []
    assert (fresh(row).state, fresh(row).may_have_rung) == (DialState.PLANNED, False)
    assert fresh(row).reason == "The dialler was held up between the gate and the request."
