"""Keep a call's alarms: each is set for a time, rings once, and the next one is known."""

from enum import Enum, auto
from math import inf


class Alarm(Enum):
    """What a call waits for; when two ring at once, the first here goes first."""

    NUDGE = auto()  # the model should have spoken
    STUCK = auto()  # and did not when it was told to
    UNHEARD = auto()  # the model took no notice of something that the caller said
    SHIELD = auto()  # the first moments of the greeting are over
    FILLER = auto()  # the caller should hear that we are still here
    ASK = auto()  # the caller says nothing
    SILENCE = auto()  # nor after being asked
    PENDING = auto()  # a tool has kept the caller unheard for long enough
    MACHINE = auto()  # nothing has come of the talk
    WARNING = auto()  # the call has a minute left
    TIME_IS_UP = auto()  # and now none
    RECORDED_GOODBYE = auto()  # the model does not say it
    LEAVE = auto()  # goodbye has taken long enough


class Alarms:
    """The alarms that are set; times are the caller's clock, in seconds."""

    def __init__(self) -> None:
        self._due_s: dict[Alarm, float] = {}

    @property
    def next_s(self) -> float:
        """Return when the next one rings."""
        return min(self._due_s.values(), default=inf)

    def set(self, alarm: Alarm, at_s: float) -> None:
        """Set an alarm, in place of an earlier one of its kind."""
        self._due_s[alarm] = at_s

    def unset(self, *alarms: Alarm) -> None:
        """Unset alarms, set or not."""
        for alarm in alarms:
            self._due_s.pop(alarm, None)

    def is_set(self, alarm: Alarm) -> bool:
        """Tell whether an alarm is set."""
        return alarm in self._due_s

    def ring(self, now_s: float) -> Alarm | None:
        """Return one that is due and unset it; None when none is."""
        due = [alarm for alarm in Alarm if self._due_s.get(alarm, inf) <= now_s]
        if due:
            del self._due_s[due[0]]
        return due[0] if due else None
