"""Say how long a call waits for what; each is a setting."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call waits for what, in seconds."""

    setup_s: float = 8
    no_frames_s: float = 15
    call_s: float = 600
