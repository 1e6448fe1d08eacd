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
_WEIGHTS = ("not_available", *_OUTCOMES.values(), "wrong_number")
_KEPT = 100


@dataclass(slots=True)
class Measures:
    """What one call measured; times are milliseconds from the answer."""

    outcome: str = ""
    counters: dict[str, int] = field(default_factory=dict)
    setup_ms: int | None = None
    first_audio_ms: int | None = None
    waits_ms: list[tuple[int, int, int]] = field(default_factory=list)
    gaps_ms: list[int] = field(default_factory=list)
    interruptions: int = 0

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
        """Take the success of a tool; the weightiest stays."""
        self._weigh(_OUTCOMES.get(tool))

    def meet(self, who: str) -> None:
        """Take what answered a call that we placed."""
        self._weigh(_MET.get(who))

    def _weigh(self, new: str | None) -> None:
        if new is not None and (not self.outcome or _WEIGHTS.index(new) > _WEIGHTS.index(self.outcome)):
            self.outcome = new

    def ending(self, reason: str, duration_s: float) -> Ending:
        """Return the summary of a call that ended so."""
        return Ending(
            reason=reason,
            outcome=self.outcome or "no_outcome",
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
