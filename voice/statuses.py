"""Name what may be said of a call; the status of the line, of its end and of its work are kept apart."""

from collections.abc import Mapping

from django.db.models import TextChoices


class Direction(TextChoices):
    """Who dialled."""

    INBOUND = "inbound", "Inbound"
    OUTBOUND = "outbound", "Outbound"


class CallStatus(TextChoices):
    """Where the telephone call is; all but the first are the carrier's words."""

    QUEUED = "queued", "Queued"
    RINGING = "ringing", "Ringing"
    ANSWERED = "answered", "Answered"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    NO_ANSWER = "no_answer", "No answer"
    BUSY = "busy", "Busy"
    CANCELED = "canceled", "Canceled"


LIVE = frozenset({CallStatus.QUEUED, CallStatus.RINGING, CallStatus.ANSWERED})
"""Statuses of a call that is not over."""


UNANSWERED: Mapping[str, CallStatus] = {
    "busy": CallStatus.BUSY,
    "no_answer": CallStatus.NO_ANSWER,
    "failed": CallStatus.FAILED,
    "canceled": CallStatus.CANCELED,
    "cancelled": CallStatus.CANCELED,
    "completed": CallStatus.CANCELED,
}
"""How a call ends that we placed and that has no stream to tell of it, by the platform's word."""


PROOFS = ("check_fact", "submit_pin")
"""The tools by which a caller proves that a parcel is his."""
UNPROVED = (*PROOFS, "report_problem")
"""The tools that leave a caller for somebody to look into who proved nothing."""


class EndedReason(TextChoices):
    """Why a call ended."""

    CALLER_HANGUP = "caller_hangup", "Caller hung up"
    AGENT_HANGUP = "agent_hangup", "Agent hung up"
    TRANSFERRED = "transferred", "Transferred"
    VOICEMAIL = "voicemail", "Voicemail"
    SILENCE_TIMEOUT = "silence_timeout", "Nobody spoke"
    MAX_DURATION = "max_duration", "Longest time reached"
    MODEL_FAILURE = "model_failure", "Voice model failed"
    CARRIER_ERROR = "carrier_error", "Carrier error"
    LOW_BALANCE = "low_balance", "Low balance"
    OPTED_OUT = "opted_out", "Opted out"
    CAPACITY = "capacity", "No capacity"
    UNANSWERED = "unanswered", "Nobody took it"
    RECONCILED = "reconciled", "Reconciled afterwards"


def unanswered_reason(status: CallStatus, direction: str) -> EndedReason:
    """Return why a call ended that nobody took."""
    if status is CallStatus.FAILED:
        return EndedReason.CARRIER_ERROR
    gave_up = status is CallStatus.CANCELED and direction == Direction.INBOUND
    return EndedReason.CALLER_HANGUP if gave_up else EndedReason.UNANSWERED


FAILURES = (
    EndedReason.MODEL_FAILURE,
    EndedReason.CARRIER_ERROR,
    EndedReason.LOW_BALANCE,
    EndedReason.CAPACITY,
)
"""Ends of a call that are nobody's wish."""


class Outcome(TextChoices):
    """What a call achieved for the delivery."""

    STATUS_GIVEN = "status_given", "Status given"
    RESCHEDULED = "rescheduled", "Rescheduled"
    ADDRESS_CONFIRMED = "address_confirmed", "Address confirmed"
    ADDRESS_CHANGE_REQUESTED = "address_change_requested", "Address change requested"
    CHANGE_REFUSED_BY_RULE = "change_refused_by_rule", "Change refused by rule"
    HOLD_REQUESTED = "hold_requested", "Hold requested"
    REFUSED_DELIVERY = "refused_delivery", "Delivery refused"
    WRONG_NUMBER = "wrong_number", "Wrong number"
    NOT_AVAILABLE = "not_available", "Recipient not available"
    VERIFICATION_FAILED = "verification_failed", "Verification failed"
    CALLBACK_REQUESTED = "callback_requested", "Call-back requested"
    TRANSFERRED_TO_PERSON = "transferred_to_person", "Transferred to a person"
    VOICEMAIL_NO_MESSAGE = "voicemail_no_message", "Voicemail, no message left"
    NO_OUTCOME = "no_outcome", "No outcome"


class StreamState(TextChoices):
    """What the carrier says of the audio stream; it only moves forward."""

    CREATED = "created", "Created"
    STARTED = "started", "Started"
    STOPPED = "stopped", "Stopped"
    ERROR = "error", "Error"


class Speaker(TextChoices):
    """Who spoke."""

    CALLER = "caller", "Caller"
    AGENT = "agent", "Agent"


class ToolState(TextChoices):
    """What became of a tool's run."""

    OK = "ok", "Done"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Failed"
    TIMED_OUT = "timed_out", "Timed out"


class EventSource(TextChoices):
    """By which of the carrier's webhooks an event came."""

    VOICE = "voice", "Voice webhook"
    STATUS = "status", "Stream status"
    EVENTS = "events", "Events webhook"


class Purpose(TextChoices):
    """Why we dial."""

    ETA = "eta", "Arriving soon"
    CONFIRM_ADDRESS = "confirm_address", "Confirm the address"
    REATTEMPT = "reattempt", "After a failed attempt"
    RESCHEDULE_OFFER = "reschedule_offer", "Offer another time"
    DRIVER_REQUEST = "driver_request", "Asked for by the driver"
    CALLBACK = "callback", "Call back"


class DialState(TextChoices):
    """How far a call has come that we place."""

    PLANNED = "planned", "Planned"
    CLAIMED = "claimed", "Claimed"
    DIALLING = "dialling", "Dialling"
    RINGING = "ringing", "Ringing"
    ANSWERED = "answered", "Answered"
    DONE = "done", "Done"
    UNKNOWN = "unknown", "Unknown"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    SUPPRESSED = "suppressed", "Suppressed"


_RANG = frozenset({DialState.RINGING, DialState.ANSWERED, DialState.DONE, DialState.FAILED})

# From dialling or unknown a call is planned again only on proof that nothing rang. The carrier's webhooks
# may overtake each other and our own request, so steps may be left out, and none is taken back. They are
# believed also of a call that is planned again: whoever said that nothing rang was wrong.
NEXT_DIAL: Mapping[DialState, frozenset[DialState]] = {
    DialState.PLANNED: frozenset({DialState.CLAIMED, DialState.CANCELLED, DialState.SUPPRESSED}) | _RANG,
    DialState.CLAIMED: frozenset(
        {DialState.PLANNED, DialState.DIALLING, DialState.CANCELLED, DialState.SUPPRESSED}
    )
    | _RANG,
    DialState.DIALLING: frozenset({DialState.PLANNED, DialState.UNKNOWN}) | _RANG,
    DialState.UNKNOWN: frozenset({DialState.PLANNED}) | _RANG,
    # The platform said that it rings, and then nothing more.
    DialState.RINGING: frozenset({DialState.UNKNOWN}) | _RANG - {DialState.RINGING},
    DialState.ANSWERED: frozenset({DialState.DONE}),
    DialState.DONE: frozenset(),
    DialState.FAILED: frozenset(),
    DialState.CANCELLED: frozenset(),
    DialState.SUPPRESSED: frozenset(),
}

DIAL_OPEN = frozenset(state for state, following in NEXT_DIAL.items() if following)
"""States of a placed call that is not over."""

UNDIALLED = frozenset({DialState.PLANNED, DialState.CLAIMED, DialState.CANCELLED, DialState.SUPPRESSED})
"""States of a placed call that is certain to ring nowhere."""


def dial_sources(target: DialState) -> list[DialState]:
    """Return the states from which a placed call may move to `target`."""
    return [state for state in DialState if target in NEXT_DIAL[state]]


class DialOutcome(TextChoices):
    """What came of dialling, in the words of the retry table."""

    ANSWERED = "answered", "Answered"
    BUSY = "busy", "Busy"
    NO_ANSWER = "no_answer", "No answer"
    NETWORK = "network", "Network failure"
    VOICEMAIL = "voicemail", "Voicemail"
    NOT_AVAILABLE = "not_available", "Recipient not available"
    WRONG_NUMBER = "wrong_number", "Wrong number"
    OPTED_OUT = "opted_out", "Opted out"
    REFUSED = "refused", "Refused by the platform"


class CallbackReason(TextChoices):
    """Why somebody is to ring a caller back."""

    ASKED = "asked", "Asked for a person"
    MODEL_FAILURE = "model_failure", "Voice model failed"
    NOT_ADMITTED = "not_admitted", "Call not taken"
    OTHER = "other", "Other"


class CallbackState(TextChoices):
    """What became of a request to be rung back."""

    OPEN = "open", "Open"
    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"
