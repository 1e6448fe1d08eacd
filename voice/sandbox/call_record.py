"""Keep what the fake carrier knows of a call: while it runs, and when it is over."""

import asyncio
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil

from voice.sandbox.caller import Caller
from voice.sandbox.delays import Added, ModelWatch, added
from voice.sandbox.stream import Leg, Media

_KES_MINOR_A_SECOND = 5
_CAUSES = {"completed": "NORMAL_CLEARING", "busy": "USER_BUSY", "no_answer": "NO_ANSWER"}


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
class CallInHand:
    """One call as the carrier has it, from its first ring on."""

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

    @property
    def is_live(self) -> bool:
        """Whether it rings or is talked on."""
        return self.status in ("ringing", "answered")

    def record(self) -> CallRecord:
        """Return all that was seen of it."""
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
            **({} if self.is_live else {"cost_minor": self._cost_minor(), "currency": "KES"}),
            **({"client_request_id": self.label} if self.label else {}),
        }

    def told(self) -> dict[str, object]:
        """Return what events tell of the call: neither its session nor our label (sautikit.md §1.7)."""
        now = datetime.now(UTC)
        ended_at = None if self.is_live else now
        answered_at = now if self.status == "answered" else None
        if self.duration_s:
            answered_at = now - timedelta(seconds=self.duration_s)
        return {
            "call_id": self.call_id,
            "direction": self.direction.lower(),
            "from": self.frm,
            "to": self.to,
            "number_id": "sandbox",
            "status": self.status,
            "duration_seconds": round(self.duration_s),
            "answered_at": answered_at and answered_at.isoformat(),
            "ended_at": ended_at and ended_at.isoformat(),
            "hangup_cause": _CAUSES.get(self.status),
        }

    def _cost_minor(self) -> int:
        return _KES_MINOR_A_SECOND * ceil(self.duration_s) if self.direction == "Outbound" else 0
