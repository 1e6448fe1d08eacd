"""Stand in for the telephone platform: webhooks, streams, status posts and its REST interface.

It does what is known of Sautikit (the names of its fields, its re-entries, what ends a call and what
does not). Where nothing is known, it does what its parts are known to do and the tests vary it.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
import socket
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

import httpx

from voice.sandbox.caller import Caller, Script
from voice.sandbox.delays import Added, ModelWatch, added
from voice.sandbox.rest import Interface, Loopback, RestError, checked
from voice.sandbox.stream import Leg, Media, Stream, StreamRefusedError
from voice.sandbox.verbs import Verb, stream_faults, verbs

_WEBHOOK_S = 10.0
_UNSAFE_LABEL = frozenset(" \t\r\n,{}\"'")


class Family(StrEnum):
    """The names of a webhook's fields: as live payloads have them, or as the platform's samples do."""

    LIVE = "live"
    SAMPLES = "samples"


@dataclass(frozen=True, slots=True)
class Hook:
    """One POST that the carrier made to us; `status` is 0 when there was no answer."""

    kind: str  # voice, status or events
    edge: str
    fields: Mapping[str, str]
    status: int
    answer: str
    took_s: float


@dataclass(frozen=True, slots=True)
class CallRecord:
    """All that the carrier saw of one call; PCM from the answer on, 16 kHz s16le, both equally long."""

    call_id: str
    session_id: str
    direction: str
    status: str
    duration_s: float
    ended_by: str
    xml: str
    spoken: tuple[str, ...]  # by Say verbs
    media: Media
    hooks: tuple[Hook, ...]
    faults: tuple[str, ...]  # what the real carrier would have stumbled over

    @property
    def said(self) -> bytes:
        """Return the caller's side."""
        return bytes(self.media.said)

    @property
    def heard(self) -> bytes:
        """Return the agent as the caller heard it."""
        return bytes(self.media.heard)

    def added(self, watch: ModelWatch) -> Added:
        """Return what the bridge added to the way of audio; needs a leg with some hiss."""
        media = self.media
        arrived_s = [media.began_s + frame.at_s for frame in media.arrivals if not frame.text]
        return added(media.sent, bytes(media.sent_pcm), arrived_s, watch.sessions.values())


@dataclass(slots=True)
class _Call:
    frm: str
    to: str
    direction: str
    caller: Caller
    leg: Leg
    webhook_url: str
    label: str = ""
    call_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    session_id: str = field(default_factory=lambda: f"HD_{secrets.token_hex(16)}")
    stream_sid: str = ""
    status: str = "ringing"
    answered_s: float | None = None
    duration_s: float = 0.0
    ended_by: str = ""
    xml: str = ""
    spoken: list[str] = field(default_factory=list)
    media: Media = field(default_factory=lambda: Media(0.0))
    hooks: list[Hook] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    hang_up: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[CallRecord] | None = None

    def record(self) -> CallRecord:
        return CallRecord(
            call_id=self.call_id,
            session_id=self.session_id,
            direction=self.direction,
            status=self.status,
            duration_s=self.duration_s,
            ended_by=self.ended_by,
            xml=self.xml,
            spoken=tuple(self.spoken),
            media=self.media,
            hooks=tuple(self.hooks),
            faults=tuple(self.faults),
        )

    def public(self) -> dict[str, object]:
        """Return what the REST interface tells of the call."""
        return {
            "call_id": self.call_id,
            "session_id": self.session_id,
            "direction": self.direction,
            "from": self.frm,
            "to": self.to,
            "status": self.status,
            "duration_seconds": round(self.duration_s),
            **({"client_request_id": self.label} if self.label else {}),
        }


class FakeCarrier:
    """A telephone platform on loopback, as an async context manager; `base_url` is its REST interface.

    `callee` answers outbound calls: it returns the person at a number, or None when nobody picks up.
    """

    def __init__(
        self,
        webhook_url: str,
        *,
        api_key: str = "sandbox-key",
        family: Family = Family.LIVE,
        as_json: bool = False,
        flipped: bool = False,
        signing_secret: str = "",
        events_url: str = "",
        events_secret: str = "",
        leg: Leg | None = None,
        callee: Callable[[str], Caller | None] = lambda _: Script(),
        ring_s: float = 0.2,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.webhook_url = webhook_url
        self.api_key = api_key
        self.records: list[CallRecord] = []
        self._family = family
        self._as_json = as_json
        self._flipped = flipped
        self._signing_secret = signing_secret
        self._events_url = events_url
        self._events_secret = events_secret
        self._leg = leg or Leg()
        self._callee = callee
        self._ring_s = ring_s
        self._address = (host, port)
        self._calls: list[_Call] = []
        self._replays: dict[str, tuple[bytes, _Call]] = {}
        self._background: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        """Listen, and be ready to place calls."""
        self._http = httpx.AsyncClient(timeout=_WEBHOOK_S, trust_env=False)
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
        await self._http.aclose()

    async def place_call(self, to: str, frm: str, caller: Caller, *, leg: Leg | None = None) -> CallRecord:
        """Ring our number as a customer would and return when the call is over."""
        call = _Call(frm, to, "Inbound", caller, leg or self._leg, self.webhook_url)
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
        caller = self._callee(number)
        webhook_url = str(body.get("voice_callback_url") or self.webhook_url)
        call = _Call(str(body["from"]), number, "Outbound", caller or Script(), self._leg, webhook_url, label)
        self._calls.append(call)
        if key:
            self._replays[key] = (digest, call)
        self._begin(call, self._ring(call, answers=caller is not None))
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
        self._events_url = str(body.get("events_url", self._events_url))
        return {"id": number_id, "voice_callback_url": self.webhook_url, "events_url": self._events_url}

    async def finished(self, name: str) -> CallRecord:
        """Return the record of a call, by its id or its session id, when it is over."""
        call = self._named(name)
        if call is None or call.task is None:
            raise LookupError("no such call")
        return await asyncio.shield(call.task)

    def _named(self, name: str) -> _Call | None:
        return next((call for call in self._calls if name in (call.call_id, call.session_id)), None)

    def _begin(self, call: _Call, life: Coroutine[Any, Any, CallRecord]) -> asyncio.Task[CallRecord]:
        call.task = asyncio.create_task(life)
        self._background.add(call.task)
        return call.task

    def _live_calls(self) -> list[_Call]:
        return [call for call in self._calls if call.status in ("ringing", "answered")]

    async def _ring(self, call: _Call, *, answers: bool) -> CallRecord:
        await asyncio.sleep(self._ring_s)
        if not answers or call.hang_up.is_set():
            call.status = "canceled" if answers else "no_answer"
            await self._voice(call, "NoAnswer", isActive="0", durationInSeconds="0")
            return self._over(call)
        return await self._carry(call)

    async def _carry(self, call: _Call) -> CallRecord:
        """Take one call through its life, from the first webhook to the last."""
        first = await self._voice(call, "Ringing", isActive="1")
        call.xml = first.answer
        actions = self._actions(call, first)
        if not actions:
            call.status = "failed"
            call.ended_by = call.ended_by or "refused"
            return self._over(call)
        call.status = "answered"
        call.answered_s = time.monotonic()
        await self._event(call, "call.answered")
        await self._perform(call, actions)
        call.duration_s = time.monotonic() - call.answered_s
        call.status = "completed"
        await self._voice(call, "Completed", isActive="0", durationInSeconds=str(round(call.duration_s)))
        await self._event(call, "call.completed")
        return self._over(call)

    def _actions(self, call: _Call, first: Hook) -> list[Verb]:
        if not 200 <= first.status < 300:
            call.faults.append(f"the voice webhook answered {first.status}")
            return []
        try:
            return verbs(first.answer)
        except ValueError as error:
            call.faults.append(str(error))
            return []

    async def _perform(self, call: _Call, actions: list[Verb]) -> None:
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

    def _over(self, call: _Call) -> CallRecord:
        record = call.record()
        self.records.append(record)
        return record

    async def _stream(self, call: _Call, verb: Mapping[str, str]) -> None:
        call.faults += stream_faults(verb)
        call.stream_sid = secrets.token_hex(16)
        ids = {
            "sessionId": call.session_id,
            "streamSid": call.stream_sid,
            **self._numbers(call),
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
            await self._stream_status(call, verb, "stream-error")
            return
        finally:
            if not stream.started.is_set():
                started.cancel()
            await asyncio.gather(started, return_exceptions=True)
        call.ended_by = stream.media.ended_by
        await self._stream_status(call, verb, "stream-stopped")
        stopped = {"streamSid": call.stream_sid, "streamEvent": "stream-stopped", "streamStatus": "stopped"}
        if self._events_url:  # where it was seen to go; without one, to the voice webhook
            await self._event(call, "call.stream_stopped", **stopped)
        else:
            await self._voice(call, "StreamStopped", isActive="1", **stopped)

    async def _announce_start(self, call: _Call, verb: Mapping[str, str], stream: Stream) -> None:
        await stream.started.wait()
        await self._stream_status(call, verb, "stream-started")
        again = await self._voice(
            call,
            "StreamStarted",
            isActive="1",
            streamSid=call.stream_sid,
            streamEvent="stream-started",
            streamStatus="started",
        )
        if "<Stream" in again.answer:
            call.faults.append("a second Stream was answered while the first runs")

    async def _stream_status(self, call: _Call, verb: Mapping[str, str], event: str) -> None:
        url = verb.get("statusCallback", "")
        if url and event in verb.get("statusEvents", "").split():
            fields = {
                "sessionId": call.session_id,
                "streamSid": call.stream_sid,
                "streamEvent": event,
                "name": verb.get("name", ""),
            }
            await self._post(call, "status", event, url, fields)

    def _numbers(self, call: _Call) -> dict[str, str]:
        caller, called = (call.to, call.frm) if self._flipped else (call.frm, call.to)
        return {"callerNumber": caller, "destinationNumber": called, "clientDialedNumber": call.to}

    async def _voice(self, call: _Call, edge: str, **extra: str) -> Hook:
        """POST the voice webhook, as on every edge of a call's life."""
        if self._family is Family.SAMPLES:
            fields = {"From": call.frm, "To": call.to, "CallId": call.session_id}
        else:
            fields = {
                "sessionId": call.session_id,
                **self._numbers(call),
                "callSessionState": edge,
                "direction": call.direction,
                **extra,
            }
        url = call.webhook_url
        if call.label and not _UNSAFE_LABEL & set(call.label):
            fields["clientRequestId"] = call.label
            if len(quote(call.label, safe="")) <= 2048:
                url += ("&" if "?" in url else "?") + urlencode({"clientRequestId": call.label})
        return await self._post(call, "voice", edge, url, fields)

    async def _event(self, call: _Call, kind: str, **extra: str) -> None:
        if not self._events_url:
            return
        event_id = str(uuid.uuid4())
        document = {
            "kind": kind,
            "event_id": event_id,
            "workspace_id": "sandbox",
            "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "data": {**call.public(), **extra},
        }
        headers = {"X-Sautikit-Event": kind, "X-Sautikit-Event-Id": event_id}
        await self._send(
            call,
            "events",
            kind,
            self._events_url,
            json.dumps(document).encode(),
            {"Content-Type": "application/json", **headers},
            self._events_secret,
            {"event_id": event_id},
        )

    async def _post(self, call: _Call, kind: str, edge: str, url: str, fields: Mapping[str, str]) -> Hook:
        if self._as_json:
            body, content = json.dumps(fields).encode(), "application/json"
        else:
            body, content = urlencode(fields).encode(), "application/x-www-form-urlencoded"
        return await self._send(
            call, kind, edge, url, body, {"Content-Type": content}, self._signing_secret, fields
        )

    async def _send(
        self,
        call: _Call,
        kind: str,
        edge: str,
        url: str,
        body: bytes,
        headers: dict[str, str],
        secret: str,
        fields: Mapping[str, str],
    ) -> Hook:
        if secret:
            headers["X-Sautikit-Signature"] = signature(body, secret, int(time.time()))
        began_s = time.monotonic()
        try:
            answer = await self._http.post(url, content=body, headers=headers)
            status, text = answer.status_code, answer.text
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            status, text = 0, ""
            call.faults.append(f"{kind} post on {edge} not delivered: {type(error).__name__}")
        hook = Hook(kind, edge, dict(fields), status, text, time.monotonic() - began_s)
        call.hooks.append(hook)
        return hook


def signature(body: bytes, secret: str, at_s: int) -> str:
    """Return the platform's signature header: the body first, then a dot and the time."""
    digest = hmac.new(secret.encode(), body + f".{at_s}".encode(), hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"
