"""Post what happens to a call as the platform does: webhooks, states of streams, and events in any order."""

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, urlencode

import httpx

from voice.sandbox.call_record import CallInHand, Hook

_WEBHOOK_S = 10.0
_UNSAFE_LABEL = frozenset(" \t\r\n,{}\"'")


class Family(StrEnum):
    """The names of a webhook's fields: as live payloads have them, or as the platform's samples do."""

    LIVE = "live"
    SAMPLES = "samples"


@dataclass(frozen=True, slots=True)
class Manners:
    """How the carrier posts: `flipped` names the caller as the called one, the rest is about events.

    Those come late, twice with one id, or with the last first when the call is over.
    """

    family: Family = Family.LIVE
    as_json: bool = False
    flipped: bool = False
    events_late_s: float = 0.0
    events_twice: bool = False
    events_backwards: bool = False


class Hooks:
    """Posts to our side of the line, between `start` and `stop`."""

    def __init__(
        self, manners: Manners, *, signing_secret: str = "", events_url: str = "", events_secret: str = ""
    ) -> None:
        self.events_url = events_url
        self._manners = manners
        self._signing_secret = signing_secret
        self._events_secret = events_secret
        self._held: dict[str, list[tuple[str, dict[str, object]]]] = {}
        self._late: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Be ready to post."""
        self._http = httpx.AsyncClient(timeout=_WEBHOOK_S, trust_env=False)

    async def stop(self) -> None:
        """Send the events that are late, and post no more."""
        await asyncio.gather(*self._late, return_exceptions=True)
        await self._http.aclose()

    def numbers(self, call: CallInHand) -> dict[str, str]:
        """Return the two sides of a call as its posts name them."""
        caller, called = (call.to, call.frm) if self._manners.flipped else (call.frm, call.to)
        return {"callerNumber": caller, "destinationNumber": called, "clientDialedNumber": call.to}

    async def voice(self, call: CallInHand, edge: str, **extra: str) -> Hook:
        """POST the voice webhook, as on every edge of a call's life."""
        if self._manners.family is Family.SAMPLES:
            fields = {"From": call.frm, "To": call.to, "CallId": call.session_id}
        else:
            fields = {
                "sessionId": call.session_id,
                **self.numbers(call),
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

    async def stream_status(self, call: CallInHand, verb: Mapping[str, str], event: str) -> None:
        """POST what became of a stream, where its verb asks for that."""
        url = verb.get("statusCallback", "")
        if url and event in verb.get("statusEvents", "").split():
            fields = {
                "sessionId": call.session_id,
                "streamSid": call.stream_sid,
                "streamEvent": event,
                "name": verb.get("name", ""),
            }
            await self._post(call, "status", event, url, fields)

    async def event(self, call: CallInHand, kind: str, **extra: str) -> None:
        """POST an event, where there is an address for them; or keep it for its time."""
        if not self.events_url:
            return
        document: dict[str, object] = {
            "kind": kind,
            "event_id": str(uuid.uuid4()),
            "workspace_id": "sandbox",
            "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "data": {**call.told(), **extra},
        }
        held = self._held.setdefault(call.call_id, [])
        held.append((kind, document))
        if self._manners.events_backwards and call.is_live:
            return
        del self._held[call.call_id]
        for known, one in reversed(held):
            await self._tell(call, known, one)

    async def _tell(self, call: CallInHand, kind: str, document: dict[str, object]) -> None:
        if not self._manners.events_late_s:
            await self._deliver(call, kind, document)
            return
        task = asyncio.create_task(self._tell_late(call, kind, document))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _tell_late(self, call: CallInHand, kind: str, document: dict[str, object]) -> None:
        await asyncio.sleep(self._manners.events_late_s)
        await self._deliver(call, kind, document)

    async def _deliver(self, call: CallInHand, kind: str, document: dict[str, object]) -> None:
        event_id = str(document["event_id"])
        body = json.dumps(document).encode()
        for _ in range(2 if self._manners.events_twice else 1):
            headers = {
                "Content-Type": "application/json",
                "X-Sautikit-Event": kind,
                "X-Sautikit-Event-Id": event_id,
            }
            named = {"event_id": event_id}
            await self._send(call, "events", kind, self.events_url, body, headers, self._events_secret, named)

    async def _post(
        self, call: CallInHand, kind: str, edge: str, url: str, fields: Mapping[str, str]
    ) -> Hook:
        if self._manners.as_json:
            body, content = json.dumps(fields).encode(), "application/json"
        else:
            body, content = urlencode(fields).encode(), "application/x-www-form-urlencoded"
        headers = {"Content-Type": content}
        return await self._send(call, kind, edge, url, body, headers, self._signing_secret, fields)

    async def _send(
        self,
        call: CallInHand,
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
