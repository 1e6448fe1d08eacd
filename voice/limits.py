"""Say how long a call waits for what, each a setting, and how much of something may come in a second."""

from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast

Quantity = TypeVar("Quantity", int, float)
Table = TypeVar("Table")


def setting(name: str, default: Quantity, *, divided_by: int = 1) -> Quantity:
    """Return a field that the setting of this name fills, which has the same default."""
    of = {"setting": name, "divided_by": divided_by}
    return field(default=default, metadata=of)


def settings_of(table: type) -> tuple[str, ...]:
    """Return the names of the settings that fill a table of such fields."""
    return tuple(one.metadata["setting"] for one in fields(table))


def from_settings(table: type[Table], settings: object) -> Table:
    """Return a table of such fields, filled."""
    filled = {}
    for one in fields(cast(Any, table)):
        value = getattr(settings, one.metadata["setting"])
        filled[one.name] = value / by if (by := one.metadata["divided_by"]) != 1 else value
    return table(**filled)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call waits for what, in seconds, and how often it tries (gemini-live.md §6.5, §6.7)."""

    # The connection to the model
    setup_s: float = setting("GEMINI_SETUP_S", 8.0)
    setup_again_s: float = setting("GEMINI_SETUP_AGAIN_S", 2.0)
    connection_s: float = setting("GEMINI_CONNECTION_S", 3300.0)
    renewal_s: float = setting("GEMINI_RENEWAL_S", 45.0)
    renewal_margin_s: float = setting("GEMINI_RENEWAL_MARGIN_S", 2.0)
    idle_wait_s: float = setting("GEMINI_IDLE_WAIT_S", 1.0)
    resume_s: float = setting("GEMINI_RESUME_S", 3.3)
    tries: int = setting("GEMINI_TRIES", 2)
    failures: int = setting("GEMINI_FAILURES", 3)
    stable_s: float = setting("GEMINI_STABLE_S", 10.0)
    filler_s: float = setting("FILLER_S", 1.2)
    filler_first_s: float = setting("FILLER_FIRST_S", 4.0)
    filler_again_s: float = setting("FILLER_AGAIN_S", 3.5)
    # The model's silence
    greeting_nudge_s: float = setting("GREETING_NUDGE_S", 3.5)
    greeting_clip_s: float = setting("GREETING_CLIP_S", 8.0)
    shield_s: float = setting("GREETING_SHIELD_S", 2.0)
    answer_nudge_s: float = setting("ANSWER_NUDGE_S", 5.5)
    interrupted_nudge_s: float = setting("INTERRUPTED_NUDGE_S", 4.0)
    unheard_s: float = setting("UNHEARD_NUDGE_S", 2.0)
    tool_nudge_s: float = setting("TOOL_NUDGE_S", 6.0)
    stuck_s: float = setting("STUCK_S", 10.0)
    stuck_nudged_s: float = setting("STUCK_NUDGED_S", 4.0)
    empty_turns: int = setting("GEMINI_EMPTY_TURNS", 2)
    late_audio_s: float = setting("LATE_AUDIO_S", 1.0)
    cut_short_s: float = setting("CUT_SHORT_S", 0.8)
    # The caller's silence
    ask_s: float = setting("SILENCE_ASK_S", 20.0)
    silence_s: float = setting("SILENCE_END_S", 40.0)
    no_frames_s: float = setting("CALL_NO_FRAMES_S", 15.0)
    # Who answers a call that we place
    recording_s: float = setting("VOICEMAIL_SPEECH_S", 6.0)
    message_s: float = setting("VOICEMAIL_MESSAGE_S", 30.0)
    # The call
    call_s: float = setting("CALL_LIMIT_S", 600.0)
    warning_s: float = setting("CALL_WARNING_S", 60.0)
    goodbye_s: float = setting("CALL_GOODBYE_S", 12.0)
    goodbye_longest_s: float = setting("CALL_GOODBYE_LONGEST_S", 20.0)
    goodbye_again_s: float = setting("CALL_GOODBYE_AGAIN_S", 3.5)
    goodbye_cut_s: float = setting("CALL_GOODBYE_CUT_S", 1.5)
    machine_turns: int = setting("CALL_MACHINE_TURNS", 40)
    machine_s: float = setting("CALL_MACHINE_S", 180.0)
    calls_a_turn: int = setting("TOOL_CALLS_A_TURN", 8)
    repeat_s: float = setting("TOOL_REPEAT_S", 30.0)
    pending_s: float = setting("TOOL_PENDING_S", 10.0)


@dataclass(frozen=True, slots=True)
class Tuning:
    """How audio is carried, and how long a socket is waited for; seconds and milliseconds."""

    lead_s: float = setting("PLAYOUT_LEAD_MS", 0.2, divided_by=1_000)
    tail_ms: int = setting("PLAYOUT_TAIL_MS", 160)
    queue_s: float = setting("PLAYOUT_QUEUE_S", 60.0)
    uplink_s: float = setting("UPLINK_QUEUE_S", 5.0)
    uplink_stall_s: float = setting("UPLINK_STALL_S", 1.0)
    uplink_catch_up: float = setting("UPLINK_CATCH_UP", 2.0)
    tool_s: float = setting("TOOL_TIMEOUT_S", 5.0)
    tool_late_s: float = setting("TOOL_LATE_S", 10.0)
    hang_up_s: float = setting("HANG_UP_S", 3.0)
    close_s: float = setting("TELEPHONE_CLOSE_S", 1.0)
    stall_s: float = setting("TELEPHONE_STALL_S", 5.0)
    texts_per_s: int = setting("TELEPHONE_TEXTS_PER_S", 10)
    bytes_per_s: int = setting("TELEPHONE_BYTES_PER_S", 48_000)
    burst_bytes: int = setting("TELEPHONE_BURST_BYTES", 480_000)
    tell_s: float = setting("GEMINI_TELL_S", 1.0)
    unreadable: int = setting("GEMINI_UNREADABLE", 20)


@dataclass(slots=True)
class Bucket:
    """Lets through so much a second, with a burst."""

    rate: float
    burst: float
    level: float = field(init=False)
    at_s: float = 0.0

    def __post_init__(self) -> None:
        self.level = self.burst

    def take(self, amount: float, now_s: float) -> bool:
        """Take so much; tell whether there was enough."""
        self.level = min(self.burst, self.level + (now_s - self.at_s) * self.rate) - amount
        self.at_s = now_s
        return self.level >= 0
