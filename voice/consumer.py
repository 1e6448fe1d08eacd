"""The telephone's socket: refuse or accept a stream, then hand it to a bridge."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import Error as DatabaseDownError

from voice import calls, opening, refusals
from voice.admission import GATE, Refusal
from voice.bridge import Bridge
from voice.current import call_id
from voice.events import CLOSE_UPSTREAM
from voice.hanging_up import hang_up
from voice.journal import CallJournal
from voice.limits import Limits, Tuning, from_settings
from voice.newsroom import NEWSROOM
from voice.orm import run_db
from voice.proof import NumberProof
from voice.records import Ending
from voice.roster import ROSTER, Carried
from voice.session import Session
from voice.spool import SPOOL
from voice.statuses import EndedReason
from voice.steering import HELM
from voice.watched import watched

logger = logging.getLogger(__name__)

SUBPROTOCOL = "audio.drachtio.org"

_TURNING_AWAY = asyncio.Semaphore(4)

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Direct(Protocol):
    """A server's connection that can be used without its queue and its tasks (`courier.serve`)."""

    def hear_by(self, ear: Callable[[bytes], None]) -> None:
        """Give audio to `ear` as it is read."""

    def play_now(self, pcm: bytes) -> bool:
        """Send audio at once; False when it has to wait."""


class TelephoneSocket:
    """An accepted stream, as the bridge's `Telephone` port."""

    def __init__(self, receive: Receive, send: Send, direct: Direct | None) -> None:
        self._receive = receive
        self._send = send
        self._direct = direct
        self._open = True

    def hear_by(self, ear: Callable[[bytes], None]) -> None:
        """Have audio given to `ear` without a message and a step of our task for each, by `serve`."""
        if self._direct is not None:
            self._direct.hear_by(ear)

    async def heard(self) -> AsyncIterator[str | bytes]:
        """Yield what the telephone sends until its socket closes."""
        receive = self._receive
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self._open = False
                return
            # An empty binary frame is a frame: the carrier sends some when it stops.
            audio = message.get("bytes")
            yield message["text"] if audio is None else audio

    @property
    def is_open(self) -> bool:
        """Tell whether neither side has closed it."""
        return self._open

    async def play(self, pcm: bytes) -> None:
        """Send 16-bit mono PCM at 16 kHz."""
        await self._write({"type": "websocket.send", "bytes": pcm})

    def play_now(self, pcm: bytes) -> bool:
        """Send PCM without waiting, by `serve`; False when it has to wait."""
        return self._open and self._direct is not None and self._direct.play_now(pcm)

    async def write(self, text: str) -> None:
        """Send a text frame."""
        await self._write({"type": "websocket.send", "text": text})

    async def close(self, code: int) -> None:
        """Close the socket, unless the other side did."""
        await self._write({"type": "websocket.close", "code": code})
        self._open = False

    async def _write(self, message: dict[str, Any]) -> None:
        if self._open:
            with suppress(OSError):  # gone while we spoke; `heard` is where that is noticed
                await self._send(message)


class AudioConsumer(AsyncWebsocketConsumer):
    """One telephone stream, from handshake to the last record written.

    Behind no origin check: no cookie is read here, and the carrier sends our own host as origin.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection in one loop of our own.

        The stock loop puts a hop through the one thread that all ORM calls share, a task and a channel
        layer between the socket and every frame: a slow query would hold up the audio of all calls,
        Redis going away would end them, and it takes 2.4 times the CPU.
        """
        self.scope, self.base_send = scope, send
        await receive()  # websocket.connect
        if SUBPROTOCOL not in self.scope["subprotocols"]:
            await self.close()  # before the accept: the client sees 403 and no reason
            return
        # The place is taken before the token is looked up: two streams at once must not both find the last
        # one free.
        token: str = self.scope["url_route"]["kwargs"]["token"]
        place = GATE.enter(token)
        if isinstance(place, Refusal):
            await self.close()
            await _turn_away(token)
            return
        try:
            facts = await self._authenticate(token)
            if facts is None:
                await self.close()
                if place.number is not None:  # it was invited: the database did not answer, but will
                    SPOOL.add(partial(refusals.turn_away, token, now=datetime.now(UTC), late=True))
                return
            call_id.set(facts.public_id)
            if GATE.take_number(place, facts.customer_number) is not None:
                await self.close()
                SPOOL.add(partial(refusals.cut_off, facts, now=datetime.now(UTC)))
                return
            await self.accept(SUBPROTOCOL)
            direct: Direct | None = scope.get("extensions", {}).get("courier.direct")
            await _carry(facts, TelephoneSocket(receive, send, direct))
        finally:
            GATE.leave(place)

    async def _authenticate(self, token: str) -> calls.CallFacts | None:
        """Consume the token; return the call that the stream belongs to, or None."""
        try:
            async with asyncio.timeout(settings.STREAM_ACCEPT_S):
                return await run_db(calls.accept_stream, token, now=datetime.now(UTC))
        except (DatabaseDownError, TimeoutError):
            logger.error("a stream was refused: the database did not answer")
        except Exception:  # before a call there is no other top: a stranger would see a 500 and why
            logger.exception("a stream was refused: its token could not be looked at")
        return None


async def _turn_away(token: str) -> None:
    """Keep account of a stream that no place was kept for: its caller heard no word, or is a stranger."""
    if _TURNING_AWAY.locked():  # what strangers try is not to keep the database from the calls
        return
    async with _TURNING_AWAY:
        try:
            async with asyncio.timeout(settings.STREAM_ACCEPT_S):
                await run_db(refusals.turn_away, token, now=datetime.now(UTC))
        except (DatabaseDownError, TimeoutError):
            logger.error("a stream was turned away: the database did not answer")


async def _carry(facts: calls.CallFacts, telephone: TelephoneSocket) -> None:
    try:
        async with NumberProof(facts) as proof:
            ports = opening.ports(facts, telephone, CallJournal(facts.call_id), proof)
            show = partial(NEWSROOM.show, facts.public_id)
            ports = replace(ports, dial=watched(ports.dial, GATE), show=show)
            limits, now_s = from_settings(Limits, settings), asyncio.get_running_loop().time()
            session = Session(opening.brief(facts), limits, now_s)
            bridge = Bridge(session, ports, from_settings(Tuning, settings))
            carried = Carried(facts.call_id, facts.public_id, bridge.take)
            HELM.man()
            ROSTER.add(carried)
            NEWSROOM.begin(facts.public_id)
            try:
                await bridge.carry()
            finally:
                ROSTER.remove(carried)
                NEWSROOM.end(facts.public_id)
    except Exception:  # the top of a call: its fault must not reach the server or another call
        logger.exception("a call failed")
        if telephone.is_open:  # it was never carried: nobody has hung up, or ended it in the books
            with suppress(TimeoutError):  # a worker goes on with it then
                async with asyncio.timeout(settings.HANG_UP_S):
                    await hang_up(facts)
            await telephone.close(CLOSE_UPSTREAM)
            await CallJournal(facts.call_id).finish(Ending(EndedReason.MODEL_FAILURE, None, {}, {}, 0.0))
