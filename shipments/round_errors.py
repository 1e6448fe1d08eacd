"""Refusals of what a driver asks for on his round. `str()` of each may be said aloud as it stands.

RoundError
├── NotOnShiftError      no driver on shift has this number (any more)
├── NoRoundError         nothing is planned for this driver today
├── RoundDoneError       every stop of today is done
├── NotOnRoundError      no stop of his has that number
├── StopDoneError        what is done is not tried again
├── ReasonUnclearError   why nothing was handed over cannot be made out
├── DelayUnclearError    how late he is cannot be made out
├── NothingTimedError    no stop that is left has a time to move
└── RoundChangedError    the round is not the one any more that was read back
"""

from shipments.errors import ShipmentError


class RoundError(ShipmentError):
    """Something that a driver cannot have."""

    code = "round"


class NotOnShiftError(RoundError):
    """No driver on shift has this number (any more)."""

    code = "needs_driver"
    retryable = True
    sentence = "I can only do that for a driver on shift who calls from his own number."


class NoRoundError(RoundError):
    """Nothing is planned for this driver today."""

    code = "no_round"
    sentence = "I have no stops for you today. I can have a colleague call you back."


class RoundDoneError(RoundError):
    """Every stop of today is done."""

    code = "round_done"
    sentence = "All your stops of today are done."


class NotOnRoundError(RoundError):
    """No stop of his has that number."""

    code = "not_on_round"
    retryable = True
    sentence = "I have no such stop on your round of today. Which number is it?"


class StopDoneError(RoundError):
    """What is done is not tried again."""

    code = "stop_done"
    sentence = "That stop is not open any more."


class ReasonUnclearError(RoundError):
    """Why nothing was handed over cannot be made out."""

    code = "reason_unclear"
    retryable = True
    sentence = "Why could it not be handed over?"


class DelayUnclearError(RoundError):
    """How late he is cannot be made out."""

    code = "delay_unclear"
    retryable = True
    sentence = "By how many minutes are you late? I can note up to four hours."


class NothingTimedError(RoundError):
    """No stop that is left has a time to move."""

    code = "nothing_timed"
    sentence = "None of the stops that are left has a time, so there is none to move."


class RoundChangedError(RoundError):
    """The round is not the one any more that was read back."""

    code = "round_changed"
    retryable = True
    sentence = "Your round has just been changed, so I have noted nothing. Please tell me that once more."
