"""Refusals of the parcel rules. `str()` of each may be said aloud as it stands.

ShipmentError
├── ParcelUnknownError        not a parcel that this number may ask about, whether it exists or not
├── WhichParcelError          several parcels could be meant
├── NumberWithheldError       the wish is about a number, and there is none
├── LanguageUnknownError      no language has that tag
├── PlaceUnclearError         no rider could find the place
├── ProblemUnclearError       what went wrong cannot be made out
├── NotDeliveredError         a delivery that has not been is not disputed
├── ScopeUnknownError         a client of the API is to have rights that there are not
├── EndpointRefusedError      systems are told nothing at that address
├── ReferenceTakenError       a parcel of that tracking id is known otherwise
├── FileRefusedError          a file cannot be read as parcels
├── RowsRefusedError          some of many rows cannot be taken, so none is
├── IllegalMoveError          a status does not follow from the one that the parcel has
├── ChangeRefusedError        this parcel may not be changed
│   ├── DeliveredError
│   ├── ClosedError
│   ├── ShipperForbidsError
│   ├── AttemptsUsedError
│   ├── OutOfZoneError
│   ├── HeldAlreadyError
│   ├── NotHereYetError
│   └── AlreadyWaitingError
├── DayRefusedError           that day or window cannot be had
│   ├── UnclearDayError
│   ├── NoSuchDayError
│   ├── TooSoonError
│   ├── TooFarError
│   ├── NoSlotError
│   ├── SlotFullError
│   └── SameSlotError
├── RoundError                what a driver asks for cannot be had (`round_errors`)
└── ProposalError             what was read back can no longer be confirmed
    ├── NoProposalError
    ├── ProposalExpiredError
    ├── ParcelChangedError
    ├── StaleFormError        a form was opened before the parcel's last change
    ├── AlreadyDecidedError
    ├── OwnWishError          who asked for a change does not decide on it
    └── NoReasonError         a decision says why it was taken
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class ShipmentError(Exception):
    """A refusal worded for the person who hears it.

    `code` names it for records, `retryable` says whether the same wish may succeed when asked anew,
    `offers` are the things that are possible instead, each sayable, and `otherwise` says what is when there
    are none.
    """

    code: ClassVar[str] = "refused"
    retryable: ClassVar[bool] = False
    sentence: ClassVar[str] = "I am sorry, I cannot do that."
    otherwise: ClassVar[str] = ""

    def __init__(self, sentence: str = "", *, offers: tuple[str, ...] = ()) -> None:
        self.offers = offers
        instead = f"I can offer {_listed(offers)}." if offers else self.otherwise
        super().__init__(" ".join(filter(None, (sentence or self.sentence, instead))))


def _listed(offers: tuple[str, ...]) -> str:
    *first, last = offers
    return f"{'; '.join(first)}; or {last}" if first else last


class ParcelUnknownError(ShipmentError):
    """The same words for an id that does not exist and for one that is somebody else's."""

    code = "parcel_unknown"
    sentence = (
        "I can only help with that for a parcel that is booked to the number you are calling from. "
        "Please check the tracking number, or I can have a colleague call you back."
    )


class WhichParcelError(ShipmentError):
    """Several parcels could be meant."""

    code = "which_parcel"
    sentence = "There is more than one parcel for your number. Which tracking number do you mean?"


class NumberWithheldError(ShipmentError):
    """The wish is about the number of the call, and the call shows none."""

    code = "number_withheld"
    sentence = (
        "Your number does not reach us, so I cannot note that for it. "
        "Please call again from a telephone that shows its number."
    )


class LanguageUnknownError(ShipmentError):
    """No language has that tag."""

    code = "language_unknown"
    retryable = True
    sentence = "I did not catch the language. Which one shall we speak to you?"


class ProblemUnclearError(ShipmentError):
    """What went wrong cannot be made out."""

    code = "problem_unclear"
    retryable = True
    sentence = (
        "What is wrong with the parcel: is it damaged, is something missing, or did it never reach you?"
    )


class PlaceUnclearError(ShipmentError):
    """No rider could find the place."""

    code = "place_unclear"
    retryable = True
    sentence = "To find that place we need a landmark, the building or the street."


class NotDeliveredError(ShipmentError):
    """A delivery that has not been is not disputed."""

    code = "not_delivered"
    sentence = (
        "Our records do not say that this parcel has been delivered yet. "
        "I can tell you where it is, or have a colleague call you back."
    )


class ScopeUnknownError(ShipmentError):
    """A client of the API is to have rights that there are not, or none at all."""

    code = "scope_unknown"
    sentence = "Please name what the client may do; there is no such right."


class EndpointRefusedError(ShipmentError):
    """Nothing can be told at that address, or nothing of that kind."""

    code = "endpoint_refused"
    sentence = "Please give an https address without a name or password in it, and what is to be told there."


class ReferenceTakenError(ShipmentError):
    """A parcel of that tracking id is known, and is not the one that was sent."""

    code = "reference_taken"
    sentence = "This tracking id is taken by a parcel with other details."


class FileRefusedError(ShipmentError):
    """A file cannot be read as parcels."""

    code = "file_refused"
    sentence = "That file cannot be read."


@dataclass(frozen=True, slots=True)
class Fault:
    """What cannot be taken: which field of which row, from 1, and why."""

    row: int
    field: str
    message: str


class RowsRefusedError(ShipmentError):
    """Some of many rows cannot be taken, so none is."""

    code = "rows_refused"
    sentence = "Some rows cannot be taken, so none was."

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__()
        self.faults = tuple(faults)


class IllegalMoveError(ShipmentError):
    """A status that does not follow from the one that the parcel has."""

    code = "illegal_move"
    sentence = "That parcel cannot be given this status now."


class ChangeRefusedError(ShipmentError):
    """This parcel may not be changed."""

    code = "change_refused"


class DeliveredError(ChangeRefusedError):
    """It has arrived: what is left is a dispute."""

    code = "delivered"
    sentence = (
        "Our records say that this parcel has been delivered, so it cannot be moved. "
        "If you did not get it, I can have a colleague look into it."
    )


class ClosedError(ChangeRefusedError):
    """It is no longer on its way to the recipient."""

    code = "closed"
    sentence = (
        "This parcel is no longer on its way to you, so I cannot move it. "
        "I can have a colleague call you back about it."
    )


class ShipperForbidsError(ChangeRefusedError):
    """The shipper does not allow changes."""

    code = "shipper_forbids"
    sentence = (
        "The sender does not allow changes to this parcel, so it stays as planned. "
        "The sender can have it changed, and I can have a colleague call you back."
    )


class AttemptsUsedError(ChangeRefusedError):
    """The courier has tried as often as it tries."""

    code = "attempts_used"
    sentence = (
        "We have tried to deliver this parcel as often as we can, so I cannot book another day. "
        "A colleague can call you back to arrange a pickup."
    )


class OutOfZoneError(ChangeRefusedError):
    """The depot that has the parcel does not deliver there."""

    code = "out_of_zone"
    sentence = (
        "The depot that has this parcel does not deliver to that city, so it cannot be sent there. "
        "It can be kept at the depot to be collected."
    )


class HeldAlreadyError(ChangeRefusedError):
    """It waits at the depot as it is."""

    code = "held_already"
    sentence = "This parcel is waiting at our depot already. It can be collected there."


class NotHereYetError(ChangeRefusedError):
    """It has not reached the depot."""

    code = "not_here_yet"
    sentence = (
        "This parcel has not reached our depot yet, so it cannot be kept there. Another day can be chosen."
    )


class AlreadyWaitingError(ChangeRefusedError):
    """A dispatcher is to decide on an earlier wish first."""

    code = "already_waiting"
    sentence = (
        "A change to this parcel is already with our dispatcher. "
        "You will be told as soon as it is decided; until then I cannot ask for another."
    )


class DayRefusedError(ShipmentError):
    """That day or window cannot be had."""

    code = "day_refused"
    retryable = True


class UnclearDayError(DayRefusedError):
    """No day can be made out of what was said."""

    code = "unclear_day"
    sentence = "I did not catch the day. Please tell me a weekday or a date."


class NoSuchDayError(DayRefusedError):
    """No calendar has that date."""

    code = "no_such_day"
    sentence = "There is no such date. Please tell me another day."


class TooSoonError(DayRefusedError):
    """The day has passed, or is too near to plan for."""

    code = "too_soon"
    sentence = "That is too soon for us to plan for."
    otherwise = "Another day within the next seven can be chosen."


class TooFarError(DayRefusedError):
    """The day is further off than a parcel is kept."""

    code = "too_far"
    sentence = "We can only keep a parcel for seven days."
    otherwise = "A day within the next seven can be chosen."


class NoSlotError(DayRefusedError):
    """Nothing is driven there then."""

    code = "no_slot"
    sentence = "We have no delivery to your area then."
    otherwise = "Another day can be chosen."


class SlotFullError(DayRefusedError):
    """Somebody else took the last place."""

    code = "slot_full"
    sentence = "That time has just been filled."
    otherwise = "Another time can be chosen."


class SameSlotError(DayRefusedError):
    """The parcel is booked for that very time."""

    code = "same_slot"
    sentence = "Your parcel is already booked for that time."
    otherwise = "It can stay so, or another time can be chosen."


class ProposalError(ShipmentError):
    """What was read back can no longer be confirmed."""

    code = "proposal"
    retryable = True


class NoProposalError(ProposalError):
    """Nothing was read back in this call under that reference."""

    code = "no_proposal"
    sentence = "I have nothing to confirm. Please tell me again what you would like to have changed."


class ProposalExpiredError(ProposalError):
    """It was read back too long ago."""

    code = "proposal_expired"
    sentence = (
        "That took a little too long, so nothing was changed. Please tell me again what you would like."
    )


class ParcelChangedError(ProposalError):
    """The parcel was changed since it was read back."""

    code = "parcel_changed"
    sentence = (
        "The parcel has just been changed by someone else, so I have changed nothing. "
        "I can check it again for you and tell you what can be had now."
    )


class StaleFormError(ProposalError):
    """A form was opened before the parcel's last change."""

    code = "stale_form"
    sentence = (
        "The parcel has been changed since you opened this form, so nothing was done. "
        "Look at what is different and send it again if you still want it."
    )


class AlreadyDecidedError(ProposalError):
    """Another dispatcher was first, or a newer wish took its place."""

    code = "already_decided"
    retryable = False
    sentence = "That change has been decided already."


class OwnWishError(ProposalError):
    """Who asked for a change does not decide on it."""

    code = "own_wish"
    retryable = False
    sentence = "You asked for this change yourself, so somebody else has to decide on it."


class NoReasonError(ProposalError):
    """A decision says why it was taken."""

    code = "no_reason"
    sentence = "Please say why: the reason is kept with the decision."
