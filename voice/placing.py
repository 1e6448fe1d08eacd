"""Place planned calls: ask the gate again, take a turn, have the platform ring, write what it said."""

import asyncio
import logging
import os
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from django.conf import settings
from django.db import Error as DatabaseDownError
from django.db import transaction
from django.db.models import F, Q

from voice import bills, calls, dialing, hanging_up, outbound, ringing_back
from voice.books import Books, wish_of
from voice.dial_rules import Answer, At, Never, Now
from voice.errors import RemoteError
from voice.models import OutboundCall
from voice.orm import run_db
from voice.shared import DialSwitch
from voice.statuses import DialOutcome, DialState, EndedReason
from voice.wire import sautikit
from voice.wire.placing import Accepted, Order, Placement, Refused, Slow, Unclear, Unsent, account_of

logger = logging.getLogger(__name__)

_NO_MONEY = 402
_STOPS = frozenset({401, _NO_MONEY})
_BACKOFF_S = 2.0
_FRESH = timedelta(seconds=5)
"""How long the gate's word holds until the request is sent."""
_LOST = "It was taken off the plan, or another dialler has it."
_POLL_S = 1.0
_RECONCILE = timedelta(seconds=20)
_LOOK_UPS = 20
_LOOK_UP_S = 60.0


class Carrier(Protocol):
    """What of the platform's interface is needed to dial; `skew_s` is how far our clock is ahead of its."""

    skew_s: float

    async def place(self, order: Order, *, path: str = ...) -> Placement:
        """Have a number rung."""

    async def fetch(self, call: str) -> object:
        """Return what is known of a call."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Another dialler dialled just now: the next may at this time."""

    when: datetime


def name_of_this_process() -> str:
    """Return whom a claim is by, for whoever looks at one that is left."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}"


def begin(row: OutboundCall, now: datetime) -> Answer | Turn:
    """Ask the gate once more; on Now the call is written down as dialled, and must be placed at once.

    One at a time over all processes: by the lock on the switch's row on PostgreSQL, while SQLite has one
    writer. So no two calls are counted against the same limit, and no second has more than it may.
    """
    with transaction.atomic():
        # Locked in the order of who ends a call and then may stop all dialling: call, placed call, switch.
        mine = outbound.held(row).select_for_update()
        if dialing.is_taken(row) or mine.first() is None:  # it slept over its claim, and another took it up
            return Never(_LOST, moot=True)
        dialing.switch()
        switch = DialSwitch.objects.select_for_update().get(pk=1)
        row.shipment.refresh_from_db()
        said = Books([row.shipment], now, but=row.pk).answer(row.shipment, wish_of(row))
        match said:
            case Never(because, moot):
                target = DialState.CANCELLED if moot else DialState.SUPPRESSED
                dialing.withdraw(row, target, because, now)
            case At(when, because):
                outbound.release(row, when, because)
            case Now():
                return _write_down(row, switch, said, now)
        return said


def _write_down(row: OutboundCall, switch: DialSwitch, said: Now, now: datetime) -> Answer | Turn:
    """Write a call down as dialled, and from when on the next one may be; unless it is not yet our turn."""
    if switch.next_dial_at is not None and switch.next_dial_at > now:
        return Turn(switch.next_dial_at)
    # First of all by the claim itself, which may be over by now: a call written down for nothing would keep
    # its number on the line.
    dialled = {"may_have_rung": True, "dialled_at": now, "reason": ""}
    if not outbound.held(row).update(state=DialState.DIALLING, **dialled):
        return Never(_LOST, moot=True)
    call = calls.expect(
        number=row.number,
        purpose=row.purpose,
        shipment_id=row.shipment_id,
        client_request_id=row.client_request_id,
        now=now,
    )
    OutboundCall.objects.filter(pk=row.pk).update(call=call)
    DialSwitch.objects.filter(pk=switch.pk).update(
        next_dial_at=now + timedelta(seconds=1 / settings.DIAL_PER_SECOND)
    )
    row.call, row.dialled_at = call, now
    return said


def overslept(row: OutboundCall, now: datetime) -> bool:
    """Tell whether the gate's word is too old to dial by: a process that was halted wakes at any hour.

    One that was given in what is the future now tells as little: the clock was set back meanwhile.
    """
    return row.dialled_at is None or abs(now - row.dialled_at) > _FRESH


def settle(row: OutboundCall, placement: Placement, now: datetime, dice: Callable[[], float]) -> None:
    """Write what the platform made of a request; its webhook may have said more already."""
    with transaction.atomic():
        if _is_news(row, placement):
            _write_answer(row, placement, now, dice)
        _hold_others(placement, now)


def _write_answer(row: OutboundCall, placement: Placement, now: datetime, dice: Callable[[], float]) -> None:
    match placement:
        case Accepted(call_id, session_id):
            if row.call_id is not None:
                calls.learn_session(row.call_id, session_id)
            if call_id:  # else an event may have told it
                OutboundCall.objects.filter(pk=row.pk).update(carrier_call_id=call_id)
            dialing.move(row.pk, DialState.RINGING, reason="")
        case Unsent(why):
            _unsent(row, why, now, dice)
        case Slow(after_s):
            when = now + timedelta(seconds=after_s)
            outbound.put_back(row, when, "The platform takes no more calls for a while.")
        case Refused(status):
            ended = EndedReason.LOW_BALANCE if status == _NO_MONEY else EndedReason.CARRIER_ERROR
            outbound.fail(row, DialOutcome.REFUSED, _refusal(placement), rang=False, now=now, ended=ended)
        case Unclear(why):
            outbound.lose(row, why, now)


def _hold_others(placement: Placement, now: datetime) -> None:
    """Do what an answer says of all calls, whatever became meanwhile of the one that it is the answer to."""
    match placement:
        case Slow(after_s):
            when = now + timedelta(seconds=after_s)
            # One that is asked to wait less, of several at once, does not shorten the others' wait.
            sooner = Q(next_dial_at=None) | Q(next_dial_at__lt=when)
            DialSwitch.objects.filter(sooner, pk=1).update(next_dial_at=when)
        case Refused(status) if status in _STOPS:
            why = "The wallet is empty." if status == _NO_MONEY else "The key is not accepted."
            outbound.stop(f"{_refusal(placement)} {why}", now)


def _refusal(refused: Refused) -> str:
    return f"The platform refused with {refused.status}{f' ({refused.code})' if refused.code else ''}."


def _is_news(row: OutboundCall, placement: Placement) -> bool:
    """Tell whether this is still waited for: a call may have been resolved and dialled anew meanwhile."""
    mine = OutboundCall.objects.filter(pk=row.pk, dialled_at=row.dialled_at)
    if isinstance(placement, Accepted):
        return mine.exists()
    # Of one that rings, says its webhook, nothing else is true; behind the lock none comes in between.
    if dialing.is_taken(row):
        return False
    return mine.filter(state__in=(DialState.DIALLING, DialState.UNKNOWN)).exists()


def _unsent(row: OutboundCall, why: str, now: datetime, dice: Callable[[], float]) -> None:
    tries = row.unsent + 1
    if tries >= settings.DIAL_UNSENT_TRIES:
        outbound.fail(row, DialOutcome.NETWORK, why, rang=False, now=now)
        return
    wait_s = dice() * _BACKOFF_S * 2**tries
    outbound.put_back(row, now + timedelta(seconds=wait_s), why, unsent=tries)


def is_due(now: datetime) -> bool:
    """Tell whether a call may be dialled now, as far as the switch and the plan say."""
    switch = dialing.switch()
    held = switch.paused or (switch.next_dial_at is not None and switch.next_dial_at > now)
    return not held and OutboundCall.objects.due(now).exists()


def to_look_up(now: datetime) -> list[tuple[int, str]]:
    """Return some placed calls that nobody has told the end of, with the platform's names for them.

    Each is asked for again when it is twice as old, until `outbound.reconcile` gives it up. First come those
    that were asked for the longest ago: of many that the platform knows nothing of, the others are not to
    wait for ever.
    """
    age = F("looked_up_at") - F("dialled_at")
    rows = OutboundCall.objects.select_related("call").filter(
        Q(looked_up_at=None) | Q(looked_up_at__lte=now - age),
        Q(carrier_call_id__gt="") | Q(call__session_id__gt=""),
        state__in=(DialState.UNKNOWN, DialState.RINGING),
        dialled_at__lt=now - timedelta(seconds=settings.DIAL_LOOK_UP_S),
    )
    oldest = rows.order_by(F("looked_up_at").asc(nulls_first=True), "pk")
    return [(row.pk, _name(row)) for row in oldest[:_LOOK_UPS]]


def note_asked(pk: int, now: datetime) -> None:
    """Note that the platform is asked for a call, whatever it answers."""
    OutboundCall.objects.filter(pk=pk).update(looked_up_at=now)


def note_look_up(pk: int, document: object, now: datetime) -> None:
    """Take the platform's word for what became of a call; of one it does not know, nothing is proved."""
    row = OutboundCall.objects.select_related("shipment", "call").get(pk=pk)
    account = account_of(document)
    if row.call is not None:  # what is placed follows its call
        calls.take_account(row.call, account, now)
        record = sautikit.parse_record(document, _name(row), alone=True)
        if record is not None:
            bills.note(row.call, record)
    # What the platform lets ring or talk for ever is over for us at some time, too.
    given_up = outbound.doubt(
        OutboundCall.objects.filter(pk=pk), "The platform does not say what came of it.", now
    )
    if given_up and account.picked_up and row.call is not None and row.call.session_id:
        hanging_up.owe(row.call.pk, from_at=now)  # who hears nothing, or a line that is billed for nobody


def _name(row: OutboundCall) -> str:
    """Return what the platform knows a placed call by, or "" when it has not said."""
    return row.carrier_call_id or (row.call.session_id if row.call else "") or ""


def clock() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Dialler:
    """Places what is due, one process's part of it; `stop` lets what was begun end and begins nothing."""

    def __init__(
        self,
        carrier: Carrier,
        *,
        by: str,
        now: Callable[[], datetime] = clock,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._carrier = carrier
        self._by = by
        self._now = now
        self._dice = dice
        self.stopping = asyncio.Event()

    async def once(self) -> OutboundCall | None:
        """Claim one call that is due and place it or put it back; None when none is due."""
        row = await run_db(outbound.claim, self._by, self._now())
        if row is not None:
            await self.place(row)
        return row

    async def place_planned(self, pk: int) -> Answer | None:
        """Claim this call whenever it is planned for and place it; None when it is another dialler's."""
        row = await run_db(outbound.claim_one, pk, self._by, self._now())
        return await self.place(row) if row is not None else None

    async def place(self, row: OutboundCall) -> Answer:
        """Place a claimed call, if the gate still lets it, and wait for its turn before."""
        while isinstance(said := await run_db(begin, row, self._now()), Turn):
            await self._pause((said.when - self._now()).total_seconds())
            if self.stopping.is_set():
                await run_db(outbound.release, row, self._now(), "The dialler was stopped.")
                return At(self._now(), "The dialler was stopped.")
        if isinstance(said, Now):
            await run_db(settle, row, await self._send(row), self._now(), self._dice)
            await self._mind_clock()
        return said

    async def _send(self, row: OutboundCall) -> Placement:
        if overslept(row, self._now()):
            return Unsent("The dialler was held up between the gate and the request.")
        return await self._carrier.place(_order(row), path=settings.DIAL_PATH)

    async def run(self, *, arrivals: bool = False) -> None:
        """Place what becomes due until told to stop, and resolve now and then what others left.

        With `arrivals` the calls that the rules want are planned as well.
        """
        resolved_at: datetime | None = None
        while not self.stopping.is_set():
            now = self._now()
            try:
                if resolved_at is None or now - resolved_at >= _RECONCILE:
                    resolved_at = now
                    await self._keep_up(now, arrivals=arrivals)
                # By a fresh clock: however long that took, there is time to dial before it is due again.
                placed = await self.place_due(self._now() + _RECONCILE)
            except DatabaseDownError as error:
                logger.error("the dialler has no database", extra={"why": type(error).__name__})
                placed = 0
            if not placed:
                await self._pause(_POLL_S)

    async def _keep_up(self, now: datetime, *, arrivals: bool) -> None:
        await run_db(outbound.reconcile, now)
        await self.look_up()
        if arrivals:
            await run_db(dialing.plan_arrivals, now=now)
            await run_db(ringing_back.plan, now=now)

    async def place_due(self, until: datetime) -> int:
        """Take up what is due until nothing is, or until then; return how many calls that were."""
        taken = 0
        while not self.stopping.is_set() and self._now() < until:
            if (await run_db(dialing.switch)).paused or await self.once() is None:
                break
            taken += 1
        return taken

    async def look_up(self) -> int:
        """Ask for calls that nobody has told the end of; return how many the platform told of."""
        told = 0
        try:
            async with asyncio.timeout(_LOOK_UP_S):
                for pk, name in await run_db(to_look_up, self._now()):
                    await run_db(note_asked, pk, self._now())
                    await run_db(note_look_up, pk, await self._carrier.fetch(name), self._now())
                    told += 1
        except (RemoteError, TimeoutError) as error:  # what is left is for the next time
            logger.warning("a placed call was not looked up", extra={"why": str(error)})
        await self._mind_clock()
        return told

    async def _mind_clock(self) -> None:
        """Stop all dialling when our clock is not the platform's: nobody's hours can be kept by it."""
        apart_s = abs(self._carrier.skew_s)
        if apart_s > settings.CLOCK_SKEW_S:
            why = f"Our clock and the platform's are {apart_s:.0f} seconds apart."
            await run_db(outbound.stop, why, self._now())

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self.stopping.wait()
        except TimeoutError:
            return


def _order(row: OutboundCall) -> Order:
    return Order(row.number, settings.SAUTIKIT_NUMBER, row.client_request_id, settings.DIAL_WEBHOOK_URL)
