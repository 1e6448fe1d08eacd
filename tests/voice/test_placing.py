"""What a dialler does around a request: waits for its turn, is stopped or halted, looks up, goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

import pytest

from tests.dialled import LATER, Platform, a_parcel_at_the_door, dial, fresh, planned
from tests.shipments.builders import NOW
from voice import dialing, outbound, placing
from voice.errors import RemoteError
from voice.models import OutboundCall
from voice.orm import run_db
from voice.shared import DialSwitch
from voice.statuses import DialState
from voice.wire.placing import Accepted, Order, Placement, Unclear

pytestmark = pytest.mark.django_db(transaction=True)


class Carrier:
    """A platform that takes every call; keeps what was asked of it."""

    def __init__(self) -> None:
        self.skew_s = 0.0
        self.orders: list[str] = []
        self.asked: list[str] = []
        self.broken: set[str] = set()

    async def place(self, order: Order, *, path: str = "") -> Placement:
        self.orders.append(order.request_id)
        return Accepted("", "")

    async def fetch(self, call: str) -> object:
        self.asked.append(call)
        if call in self.broken:
            raise RemoteError("look-up refused with 500")
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


@pytest.mark.parametrize("broken", [set[str](), {"c0"}])
def test_of_many_calls_that_the_platform_does_not_know_each_is_asked_for_in_its_turn(broken):
    for number in range(25):
        row = planned(a_parcel_at_the_door(phone=f"+2547000001{number:02}"))
        OutboundCall.objects.filter(pk=row.pk).update(
            state=DialState.UNKNOWN, dialled_at=NOW, carrier_call_id=f"c{number}"
        )
    carrier = Carrier()
    carrier.broken = broken

    for minutes in (10, 12, 14):
        dialler = placing.Dialler(carrier, by="d", now=partial(NOW.__add__, timedelta(minutes=minutes)))
        asyncio.run(dialler.look_up())

    assert set(carrier.asked) == {f"c{number}" for number in range(25)}


def test_a_call_is_not_asked_for_again_at_once():
    row, carrier = planned(), Carrier()
    OutboundCall.objects.update(state=DialState.UNKNOWN, dialled_at=NOW, carrier_call_id="c1")
    dialler = placing.Dialler(carrier, by="d", now=lambda: LATER)

    asyncio.run(dialler.look_up())
    asyncio.run(dialler.look_up())

    assert carrier.asked == ["c1"]
    assert fresh(row).looked_up_at == LATER


def test_a_loop_whose_upkeep_takes_longer_than_its_turn_dials_all_the_same(monkeypatch):
    row, carrier, seconds = planned(), Carrier(), [0.0]
    dialler = Waiting(carrier, by="d", now=lambda: NOW + timedelta(seconds=seconds[0]))

    def slow(*, now: datetime) -> None:
        seconds[0] += 25

    async def meanwhile() -> None:
        dialler.stopping.set()

    monkeypatch.setattr(dialing, "plan_arrivals", slow)
    dialler.meanwhile = meanwhile
    asyncio.run(dialler.run(arrivals=True))

    assert carrier.orders == [row.client_request_id]
