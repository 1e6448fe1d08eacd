"""Count and time what happens in a call, and weigh what it was good for."""

from dataclasses import dataclass, field

from voice.records import Ending

_OUTCOMES = {
    # tool → what a call in which it succeeded was good for, the weightiest last
    "track_shipment": "status_given",
    "request_callback": "callback_requested",
    "confirm_address": "address_confirmed",
    "confirm_reschedule": "rescheduled",
    "confirm_refusal": "refused_delivery",
    "confirm_hold_for_pickup": "hold_requested",
    "confirm_address_change": "address_change_requested",
}
_MET = {
    # what answered a call that we placed → what the call was good for
    "child": "not_available",
    "screening": "not_available",
    "wrong_number": "wrong_number",
}
_PROOFS = frozenset({"check_fact", "submit_pin"})
_NOT_PROVED = frozenset({"not_right", "limit", "too_often"})
"""Codes with which a proof is refused."""
_BY_RULE = frozenset(
    {
        "change_refused",
        "delivered",
        "closed",
        "shipper_forbids",
        "attempts_used",
        "out_of_zone",
        "held_already",
        "not_here_yet",
        "already_waiting",
        "too_soon",
        "too_far",
        "no_slot",
    }
)
"""Codes with which the rules refuse a change; what was misheard or taken by another meanwhile is none."""
_VERIFICATION, _REFUSED = "verification_failed", "change_refused_by_rule"
_WEIGHTS = (
    "not_available",
    "status_given",
    _VERIFICATION,
    _REFUSED,
    *list(_OUTCOMES.values())[1:],
    "wrong_number",
)
_HANG_UPS = frozenset({"caller_hangup", "agent_hangup"})
_KEPT = 100


@dataclass(slots=True)
class Measures:
    """What one call measured; times are milliseconds from the answer."""

    opted_out: bool = False
    """Whether somebody whom we called wants no more calls."""
    counters: dict[str, int] = field(default_factory=dict)
    setup_ms: int | None = None
    first_audio_ms: int | None = None
    waits_ms: list[tuple[int, int, int]] = field(default_factory=list)
    gaps_ms: list[int] = field(default_factory=list)
    interruptions: int = 0
    _seen: set[str] = field(default_factory=set)

    def count(self, what: str) -> None:
        """Count one more of something."""
        self.counters[what] = self.counters.get(what, 0) + 1

    def answer(self, stopped_ms: int, spoke_ms: int, heard_ms: int) -> None:
        """Keep when the caller stopped, the model's first sound came and the caller heard it."""
        if len(self.waits_ms) < _KEPT:
            self.waits_ms.append((stopped_ms, spoke_ms, heard_ms))

    def gap(self, took_ms: int) -> None:
        """Keep how long the model was away."""
        if len(self.gaps_ms) < _KEPT:
            self.gaps_ms.append(took_ms)

    def achieve(self, tool: str) -> None:
        """Take the success of a tool; the weightiest counts."""
        if tool in _PROOFS:
            self._seen.discard(_VERIFICATION)
        self._note(_OUTCOMES.get(tool))

    def be_refused(self, tool: str, code: str) -> None:
        """Take that a tool was refused, and with which code."""
        if tool in _PROOFS and code in _NOT_PROVED:
            self._note(_VERIFICATION)
        elif code in _BY_RULE:
            self._note(_REFUSED)

    def meet(self, who: str) -> None:
        """Take what answered a call that we placed."""
        self._note(_MET.get(who))

    def _note(self, outcome: str | None) -> None:
        if outcome is not None:
            self._seen.add(outcome)

    def ending(self, reason: str, duration_s: float, *, message_left: bool = False) -> Ending:
        """Return the summary of a call that ended so; `message_left` tells whether a voicemail has one."""
        outcome = max(self._seen, key=_WEIGHTS.index, default="no_outcome")
        if reason == "voicemail" and not message_left:
            outcome = "voicemail_no_message"
        return Ending(
            reason="opted_out" if self.opted_out and reason in _HANG_UPS else reason,
            outcome=outcome,
            timings={
                "setup_ms": self.setup_ms,
                "first_audio_ms": self.first_audio_ms,
                "answers_ms": [heard - stopped for stopped, _, heard in self.waits_ms],
                "waits_ms": [list(wait) for wait in self.waits_ms],
                "gaps_ms": self.gaps_ms,
                "interruptions": self.interruptions,
            },
            counters=dict(self.counters),
            duration_s=duration_s,
        )
