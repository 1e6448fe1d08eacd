"""Say how long a call waits for what, each a setting, and how much of something may come in a second."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call waits for what, in seconds, and how often it tries (gemini-live.md §6.5, §6.7)."""

    # The connection to the model
    setup_s: float = 8
    setup_again_s: float = 2  # when the caller is waiting in the middle of a conversation
    connection_s: float = 540  # after so long it is renewed in a quiet moment,
    renewal_s: float = 45  # which may be that long in coming
    idle_wait_s: float = 1.2  # the model refuses to resume what was idle sooner
    resume_s: float = 2.5  # later than this after a loss, a conversation is begun anew
    failures: int = 3  # in a row, then the call is given up
    stable_s: float = 10  # a connection that held so long clears the count
    filler_s: float = 1.2  # of silence after a loss, then the caller is told to wait
    # The model's silence
    greeting_nudge_s: float = 3.5
    greeting_clip_s: float = 8
    shield_s: float = 2  # of the greeting, in which the caller's "hello?" does not reach the model
    answer_nudge_s: float = 5.5
    interrupted_nudge_s: float = 4
    tool_nudge_s: float = 6
    stuck_s: float = 10  # without any of these answers, then the connection is renewed
    # The caller's silence
    ask_s: float = 20
    silence_s: float = 40
    no_frames_s: float = 15
    # The call
    call_s: float = 600
    warning_s: float = 60
    goodbye_s: float = 12  # what saying goodbye may take
    machine_turns: int = 40
    machine_s: float = 180
    calls_a_turn: int = 8  # of tools, for one thing that the caller said
    repeat_s: float = 30  # the same question to a tool again within so long has the same answer
    pending_s: float = 10  # how long the caller may go unheard while a tool runs


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
