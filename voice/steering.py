"""Take orders of the desk's for live calls: write down who gave one, and bring it to who carries the call.

An order goes to all processes by the channel layer; the one that carries the call obeys. A call never
waits for orders, and goes on without them when the layer is gone.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextvars import Context
from datetime import datetime
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

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
RIGHTS: Mapping[Order, str] = {
    Order.END: "voice.end_call",
    Order.NOTE: "voice.steer_call",
    Order.SAY: "voice.steer_call",
    Order.MESSAGE: "voice.steer_call",
}
"""What somebody needs to give an order."""
LONGEST = 300
"""Characters of what the agent is told or shall say."""


def give(order: Order, public_id: str, *, words: str = "", by: User, now: datetime) -> None:
    """Give an order for a live call that this member of staff may see, and write down that he did.

    Whether he may give it is looked at by the caller of this, by `RIGHTS`.

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
    message = {"type": GROUP, "call": public_id, "order": order.value, "words": said}
    with transaction.atomic():
        AuditEntry.objects.create(
            at=now,
            actor=by.get_username()[:120],
            verb=f"order_{order.value}",
            object_kind="call",
            object_id=public_id,
            after={"words": mask_numbers(said)} if said else {},
            call_public_id=public_id,
        )
        transaction.on_commit(partial(_send, message))


def _send(message: Mapping[str, Any]) -> None:
    try:
        async_to_sync(publish)(GROUP, message)
    except LayerDownError as error:
        raise NotOrderedError(
            "The call cannot be reached from here just now: nothing was done. Try again in a moment."
        ) from error


class Helm:
    """The one subscription by which this process is given orders."""

    def __init__(self) -> None:
        self._obeying: asyncio.Task[None] | None = None

    def man(self) -> None:
        """Take orders from the first call of this process on; anew when a fault put an end to it."""
        if self._obeying is None or self._obeying.done():
            # In no call's context: what is logged of orders is of no one call.
            self._obeying = asyncio.create_task(_obey(), context=Context())

    async def leave(self) -> None:
        """Take no more orders: the process leaves."""
        if self._obeying is not None:
            self._obeying.cancel()
            # It unsubscribes, which a Redis that answers nothing does not let it.
            await asyncio.wait({self._obeying}, timeout=2 * settings.LIVE_LAYER_S)


async def _obey() -> None:
    while True:
        try:
            async with listening(GROUP) as inbox:
                while True:
                    if message := await inbox.next(settings.LIVE_CATCH_UP_S):
                        _take(message)
        except LayerDownError:
            logger.warning("no orders for calls can be taken: the channel layer is gone")
            await asyncio.sleep(settings.LIVE_POLL_S)


async def ask_anew() -> None:
    """Have all processes tell what is being said now: who asks has come too late to hear it.

    Raises:
        LayerDownError: nobody can be asked.
    """
    await publish(GROUP, {"type": _ANEW})


def _take(message: Mapping[str, Any]) -> None:
    if message["type"] == _ANEW:
        NEWSROOM.tell_anew()
        return
    try:
        order = Order(message["order"])
    except (KeyError, ValueError):  # of another version of ours, in the middle of a deployment
        logger.warning("an order for a call is not known here")
        return
    ROSTER.tell(str(message.get("call", "")), Ordered(order, str(message.get("words", ""))[:LONGEST]))


HELM = Helm()
"""Of this process."""
