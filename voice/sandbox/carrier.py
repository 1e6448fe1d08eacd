"""Stand in for the telephone platform: webhooks, streams, status posts and its REST interface.

It does what is known of Sautikit (the names of its fields, its re-entries, what ends a call and what
does not). Where nothing is known, it does what its parts are known to do and the tests vary it.
"""

import asyncio
import json
import secrets
import socket
import time
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, Self

from voice.sandbox.call_record import CallInHand, CallRecord, Hook
from voice.sandbox.callees import Callees, Nobody, somebody
from voice.sandbox.caller import Caller, Script
from voice.sandbox.hooks import Hooks, Manners
from voice.sandbox.rest import Interface, Loopback, RestError, checked
from voice.sandbox.stream import Leg, Stream, StreamRefusedError
from voice.sandbox.verbs import Verb, stream_faults, verbs


class FakeCarrier:
    """A telephone platform on loopback, as an async context manager; `base_url` is its REST interface.

    `callee` answers outbound calls: it returns the person at a number, or why nobody talks there.
    """

    def __init__(
        self,
        webhook_url: str,
        *,
        api_key: str = "sandbox-key",
        manners: Manners | None = None,
        signing_secret: str = "",
        events_url: str = "",
        events_secret: str = "",
        leg: Leg | None = None,
        callee: Callees = somebody,
        ring_s: float = 0.2,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.webhook_url = webhook_url
        self.api_key = api_key
        self.records: list[CallRecord] = []
        self._hooks = Hooks(
            manners or Manners(),
            signing_secret=signing_secret,
            events_url=events_url,
            events_secret=events_secret,
        )
        self._leg = leg or Leg()
        self._callee = callee
        self._ring_s = ring_s
        self._address = (host, port)
        self._calls: list[CallInHand] = []
        self._replays: dict[str, tuple[bytes, CallInHand]] = {}
        self._background: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        """Listen, and be ready to place calls."""
        self._hooks.start()
        listener = socket.create_server(self._address)
        host, port = listener.getsockname()[:2]
        self.base_url = f"http://{host}:{port}"
        self._rest = Loopback(Interface(self, self.api_key), listener)
        await self._rest.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """End every call and stop listening."""
        for call in self._live_calls():
            call.hang_up.set()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._rest.stop()
        await self._hooks.stop()

    async def place_call(self, to: str, frm: str, caller: Caller, *, leg: Leg | None = None) -> CallRecord:
        """Ring our number as a customer would and return when the call is over."""
        call = CallInHand(frm, to, "Inbound", caller, leg or self._leg, self.webhook_url)
        self._calls.append(call)
        return await self._begin(call, self._carry(call))

    def originate(self, body: Mapping[str, Any], key: str) -> dict[str, object]:
        """Ring a customer because we asked; return at once. The same key gets the same call while it lives.

        Raises:
            RestError: the request is not one.
        """
        number, label = checked(body)
        digest = json.dumps(body, sort_keys=True).encode()
        if key in self._replays and self._replays[key][1] in self._live_calls():
            if self._replays[key][0] != digest:
                raise RestError(409, "idempotency.conflict", "the key was used for another request")
            return self._replays[key][1].public()
        callee = self._callee(number)
        caller = Script() if isinstance(callee, Nobody) else callee
        webhook_url = str(body.get("voice_callback_url") or self.webhook_url)
        call = CallInHand(str(body["from"]), number, "Outbound", caller, self._leg, webhook_url, label)
        self._calls.append(call)
        if key:
            self._replays[key] = (digest, call)
        self._begin(call, self._ring(call, callee))
        return call.public()

    def find(self, name: str) -> dict[str, object] | None:
        """Return what the platform tells of a call, by its id or its session id."""
        call = self._named(name)
        return call.public() if call else None

    def hang_up(self, name: str) -> dict[str, object] | None:
        """End a call; doing it twice does no harm. None is a call that is not known."""
        call = self._named(name)
        if call is None:
            return None
        call.hang_up.set()
        return {"call_id": call.call_id, "status": "hung_up"}

    def route(self, number_id: str, body: Mapping[str, Any]) -> dict[str, object]:
        """Post what comes from now on to these addresses; the one number that there is has any id.

        Raises:
            RestError: an address is none.
        """
        if not all(str(url).startswith(("http://", "https://")) for url in body.values()):
            raise RestError(400, "request.invalid", "an address is not one")
        self.webhook_url = str(body.get("voice_callback_url", self.webhook_url))
        self._hooks.events_url = str(body.get("events_url", self._hooks.events_url))
        return {"id": number_id, "voice_callback_url": self.webhook_url, "events_url": self._hooks.events_url}

    async def finished(self, name: str) -> CallRecord:
        """Return the record of a call, by its id or its session id, when it is over."""
        call = self._named(name)
        if call is None or call.task is None:
            raise LookupError("no such call")
        return await asyncio.shield(call.task)

    async def placed_to(self, number: str) -> CallRecord | None:
        """Return the record of the last call placed to a number when it is over; None when there was none."""
        placed = [call for call in self._calls if call.direction == "Outbound" and call.to == number]
        return await self.finished(placed[-1].call_id) if placed else None

    def _named(self, name: str) -> CallInHand | None:
        return next((call for call in self._calls if name in (call.call_id, call.session_id)), None)

    def _begin(self, call: CallInHand, life: Coroutine[Any, Any, CallRecord]) -> asyncio.Task[CallRecord]:
        call.task = asyncio.create_task(life)
        self._background.add(call.task)
        return call.task

    def _live_calls(self) -> list[CallInHand]:
        return [call for call in self._calls if call.is_live]

    async def _ring(self, call: CallInHand, callee: Caller | Nobody) -> CallRecord:
        await asyncio.sleep(self._ring_s)
        if not isinstance(callee, Nobody) and not call.hang_up.is_set():
            return await self._carry(call)
        call.status = callee.value if isinstance(callee, Nobody) else "canceled"
        edge = "Busy" if callee is Nobody.BUSY else "NoAnswer"
        await self._hooks.voice(call, edge, isActive="0", durationInSeconds="0")
        await self._hooks.event(call, "call.completed")
        return self._over(call)

    async def _carry(self, call: CallInHand) -> CallRecord:
        """Take one call through its life, from the first webhook to the last."""
        first = await self._hooks.voice(call, "Ringing", isActive="1")
        call.xml = first.answer
        actions = self._actions(call, first)
        if not actions:
            call.status = "failed"
            call.ended_by = call.ended_by or "refused"
            return self._over(call)
        call.status = "answered"
        call.answered_s = time.monotonic()
        await self._hooks.event(call, "call.answered")
        await self._perform(call, actions)
        call.duration_s = time.monotonic() - call.answered_s
        call.status = "completed"
        await self._hooks.voice(
            call, "Completed", isActive="0", durationInSeconds=str(round(call.duration_s))
        )
        await self._hooks.event(call, "call.completed")
        return self._over(call)

    def _actions(self, call: CallInHand, first: Hook) -> list[Verb]:
        if not 200 <= first.status < 300:
            call.faults.append(f"the voice webhook answered {first.status}")
            return []
        try:
            return verbs(first.answer)
        except ValueError as error:
            call.faults.append(str(error))
            return []

    async def _perform(self, call: CallInHand, actions: list[Verb]) -> None:
        for verb in actions:
            match verb.name:
                case "Say":
                    call.spoken.append(verb.text)
                case "Stream":
                    await self._stream(call, verb.attributes)
                    return  # after a Stream that holds the leg no further verb runs
                case "Hangup" | "Reject":
                    call.ended_by = "hang-up verb"
                    return
                case name:
                    call.faults.append(f"verb not modelled: {name}")

    def _over(self, call: CallInHand) -> CallRecord:
        record = call.record()
        self.records.append(record)
        return record

    async def _stream(self, call: CallInHand, verb: Mapping[str, str]) -> None:
        call.faults += stream_faults(verb)
        if not call.leg.forks:
            call.ended_by = "dead air"
            await asyncio.sleep(call.leg.dead_air_s)
            return
        call.stream_sid = secrets.token_hex(16)
        ids = {
            "sessionId": call.session_id,
            "streamSid": call.stream_sid,
            **self._hooks.numbers(call),
        }
        stream = Stream(verb, ids, call.caller, call.leg)
        stream.hang_up = call.hang_up
        call.media = stream.media
        started = asyncio.create_task(self._announce_start(call, verb, stream))
        try:
            await stream.carry()
        except StreamRefusedError as error:
            call.faults.append(f"stream refused: {error}")
            call.ended_by = "stream refused"
            await self._hooks.stream_status(call, verb, "stream-error")
            return
        finally:
            if not stream.started.is_set():
                started.cancel()
            await asyncio.gather(started, return_exceptions=True)
        call.ended_by = stream.media.ended_by
        await self._hooks.stream_status(call, verb, "stream-stopped")
        stopped = {"streamSid": call.stream_sid, "streamEvent": "stream-stopped", "streamStatus": "stopped"}
        if self._hooks.events_url:  # where it was seen to go; without one, to the voice webhook
            await self._hooks.event(call, "call.stream_stopped", **stopped)
        else:
            await self._hooks.voice(call, "StreamStopped", isActive="1", **stopped)

    async def _announce_start(self, call: CallInHand, verb: Mapping[str, str], stream: Stream) -> None:
        await stream.started.wait()
        await self._hooks.stream_status(call, verb, "stream-started")
        again = await self._hooks.voice(
            call,
            "StreamStarted",
            isActive="1",
            streamSid=call.stream_sid,
            streamEvent="stream-started",
            streamStatus="started",
        )
        if "<Stream" in again.answer:
            call.faults.append("a second Stream was answered while the first runs")
