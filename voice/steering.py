"""Take orders of the desk's for live calls: write down who gave one, and bring it to who carries the call.

An order goes to all processes by the channel layer; the one that carries the call obeys, and says so to who
waits for that. What is sent by the layer may be lost, so an order of which nothing was heard is given again:
by the id that it had, which acts once. A call never waits for orders, and goes on without them when the
layer is gone.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from contextvars import Context
from datetime import datetime
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.auth.models import User
from django.db import close_old_connections

from shipments.audit import AuditEntry
from shipments.phones import mask_numbers
from voice.errors import LayerDownError, NotOrderedError
from voice.events import Order, Ordered
from voice.layer import listening, publish
from voice.models import Call
from voice.newsroom import NEWSROOM
from voice.roster import ROSTER
from voice.statuses import CallStatus

logger = logging.getLogger(__name__)

GROUP = "line.orders"
_ANEW = "line.anew"
_TAKEN = "line.taken"
_REMEMBERED = 1_000
"""Orders that a process knows again: many more than are given while one may still be sent anew."""
RIGHTS: Mapping[Order, str] = {
    Order.END: "voice.end_call",
    Order.NOTE: "voice.steer_call",
    Order.SAY: "voice.steer_call",
    Order.MESSAGE: "voice.steer_call",
}
"""What somebody needs to give an order."""
LONGEST = 300
"""Characters of what the agent is told or shall say."""


def give(order: Order, public_id: str, *, order_id: UUID, words: str = "", by: User, now: datetime) -> bool:
    """Give an order for a live call that this member of staff may see, and write down that he did.

    Return whether the call said in time that it took it. When it did not, it may have taken it or not: give
    the order again, by the same id. Whether he may give it is looked at by the caller of this, by `RIGHTS`.

    Raises:
        NotOrderedError: the call is over or was never answered, words are missing, or nobody can be reached.
    """
    said = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    if len(said) > LONGEST:
        raise NotOrderedError(f"Say it in at most {LONGEST} characters.")
    if not said and order in (Order.NOTE, Order.SAY):
        raise NotOrderedError("Write what the agent shall know or say.")
    call = Call.objects.seen_by(by).filter(public_id=public_id, status=CallStatus.ANSWERED).first()
    if call is None:
        raise NotOrderedError("This call is over.")
    AuditEntry.objects.create(
        at=now,
        actor=by.get_username()[:120],
        verb=f"order_{order.value}",
        object_kind="call",
        object_id=public_id,
        after={"words": mask_numbers(said)} if said else {},
        call_public_id=public_id,
    )
    return bring(order, public_id, order_id=order_id, words=said)


def bring(order: Order, public_id: str, *, order_id: UUID, words: str) -> bool:
    """Bring an order to the call, as `send` does, from a thread that may wait; no transaction goes on."""
    close_old_connections()  # calls share the pool: none of it is kept while we wait
    return async_to_sync(send)(order, public_id, order_id=order_id, words=words)


async def send(order: Order, public_id: str, *, order_id: UUID, words: str) -> bool:
    """Send an order to all processes; return whether the one that carries the call said that it took it.

    Raises:
        NotOrderedError: nobody can be reached.
    """
    message = {
        "type": GROUP,
        "id": order_id.hex,
        "call": public_id,
        "order": order.value,
        "words": words,
    }
    try:
        async with listening(_answers_to(order_id)) as inbox:
            with suppress(LayerDownError):  # by now it may have come through all the same
                await publish(GROUP, message)
                return await inbox.next(settings.LIVE_ORDER_S) is not None
            return False
    except LayerDownError as error:
        raise NotOrderedError(
            "The call cannot be reached from here just now: nothing was done. Try again in a moment."
        ) from error


def _answers_to(order_id: UUID) -> str:
    return f"{GROUP}.{order_id.hex}"


class Helm:
    """The one subscription by which this process is given orders, and those that it took, with their ids."""

    def __init__(self) -> None:
        self._obeying: asyncio.Task[None] | None = None
        self._taken: dict[tuple[UUID, str, Ordered], None] = {}

    def man(self) -> None:
        """Take orders from the first call of this process on; anew when a fault put an end to it."""
        if self._obeying is None or self._obeying.done():
            # In no call's context: what is logged of orders is of no one call.
            self._obeying = asyncio.create_task(self._obey(), context=Context())

    async def leave(self) -> None:
        """Take no more orders: the process leaves."""
        if self._obeying is not None and not self._obeying.done():
            self._obeying.cancel()
            # It unsubscribes, which a Redis that answers nothing does not let it.
            await asyncio.wait({self._obeying}, timeout=2 * settings.LIVE_LAYER_S)

    async def _obey(self) -> None:
        while True:
            try:
                async with listening(GROUP) as inbox:
                    while True:
                        if message := await inbox.next(settings.LIVE_POLL_S):
                            await self._take(message)
            except LayerDownError:
                logger.warning("no orders for calls can be taken: the channel layer is gone")
                await asyncio.sleep(settings.LIVE_POLL_S)

    async def _take(self, message: Mapping[str, Any]) -> None:
        if message["type"] == _ANEW:
            NEWSROOM.tell_anew()
            return
        try:
            order, order_id = Order(message["order"]), UUID(str(message["id"]))
        except (KeyError, ValueError):  # of another version of ours, in the middle of a deployment
            logger.warning("an order for a call is not known here")
            return
        call, ordered = str(message.get("call", "")), Ordered(order, str(message.get("words", ""))[:LONGEST])
        known = (order_id, call, ordered)  # all of it: by an id alone another order would be said to be taken
        if known not in self._taken:
            if not ROSTER.tell(call, ordered):
                return
            if len(self._taken) >= _REMEMBERED:
                del self._taken[next(iter(self._taken))]
            self._taken[known] = None
        with suppress(LayerDownError):  # who waits says then that nothing was heard
            await publish(_answers_to(order_id), {"type": _TAKEN})


async def ask_anew() -> None:
    """Have all processes tell what is being said now: who asks has come too late to hear it.

    Raises:
        LayerDownError: nobody can be asked.
    """
    await publish(GROUP, {"type": _ANEW})


HELM = Helm()
"""Of this process."""
