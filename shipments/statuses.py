"""Name what may be said of a parcel and of a change to it, and which moves are allowed: one table each."""

from collections.abc import Mapping

from django.db.models import TextChoices


class Status(TextChoices):
    """Where a parcel is in its journey, in the nine public words of the parcel trade."""

    PENDING = "pending", "Pending"
    INFO_RECEIVED = "info_received", "Info received"
    IN_TRANSIT = "in_transit", "In transit"
    OUT_FOR_DELIVERY = "out_for_delivery", "Out for delivery"
    ATTEMPT_FAIL = "attempt_fail", "Attempt failed"
    AVAILABLE_FOR_PICKUP = "available_for_pickup", "Available for pickup"
    DELIVERED = "delivered", "Delivered"
    EXCEPTION = "exception", "Exception"
    EXPIRED = "expired", "Expired"


NEXT: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.INFO_RECEIVED, Status.IN_TRANSIT, Status.EXCEPTION, Status.EXPIRED}),
    Status.INFO_RECEIVED: frozenset(
        {Status.IN_TRANSIT, Status.OUT_FOR_DELIVERY, Status.EXCEPTION, Status.EXPIRED}
    ),
    Status.IN_TRANSIT: frozenset(
        {
            Status.OUT_FOR_DELIVERY,
            Status.ATTEMPT_FAIL,
            Status.AVAILABLE_FOR_PICKUP,
            Status.DELIVERED,
            Status.EXCEPTION,
            Status.EXPIRED,
        }
    ),
    Status.OUT_FOR_DELIVERY: frozenset(
        {
            Status.IN_TRANSIT,
            Status.ATTEMPT_FAIL,
            Status.AVAILABLE_FOR_PICKUP,
            Status.DELIVERED,
            Status.EXCEPTION,
        }
    ),
    Status.ATTEMPT_FAIL: frozenset(
        {
            Status.IN_TRANSIT,
            Status.OUT_FOR_DELIVERY,
            Status.AVAILABLE_FOR_PICKUP,
            Status.DELIVERED,
            Status.EXCEPTION,
            Status.EXPIRED,
        }
    ),
    Status.AVAILABLE_FOR_PICKUP: frozenset(
        {
            Status.IN_TRANSIT,
            Status.OUT_FOR_DELIVERY,
            Status.DELIVERED,
            Status.EXCEPTION,
            Status.EXPIRED,
        }
    ),
    Status.DELIVERED: frozenset(),
    Status.EXCEPTION: frozenset(
        {
            Status.IN_TRANSIT,
            Status.OUT_FOR_DELIVERY,
            Status.ATTEMPT_FAIL,
            Status.AVAILABLE_FOR_PICKUP,
            Status.DELIVERED,
            Status.EXPIRED,
        }
    ),
    Status.EXPIRED: frozenset({Status.IN_TRANSIT, Status.DELIVERED, Status.EXCEPTION}),
}

OVER = frozenset({Status.DELIVERED, Status.EXPIRED})
"""Statuses of a parcel that nobody is waiting for any more."""


def sources(target: Status) -> list[Status]:
    """Return the statuses from which a parcel may move to `target`."""
    return [status for status in Status if target in NEXT[status]]


def follows(current: Status, target: Status) -> bool:
    """Tell whether a parcel may come from one status to another, with scans between that nobody made.

    A parcel that was last seen when it was announced may well be delivered; one that is delivered is.
    """
    reached, todo = {current}, [current]
    while todo:
        new = NEXT[todo.pop()] - reached
        reached |= new
        todo += new
    return target in reached


class Substatus(TextChoices):
    """The sub-statuses that this product reads or writes; the courier's own systems may push others."""

    CUSTOMER_CONTACTED = "OutForDelivery_003", "Customer contacted"
    APPOINTMENT_SCHEDULED = "OutForDelivery_004", "Delivery appointment scheduled"
    FORWARDED = "InTransit_009", "Forwarded to a different address"
    NOT_AVAILABLE = "AttemptFail_002", "Addressee not available"
    CUSTOMER_MOVED = "Exception_002", "Customer moved"
    REFUSED = "Exception_003", "Refused"
    HELD_FOR_PAYMENT = "Exception_006", "Held for payment"
    INCORRECT_ADDRESS = "Exception_007", "Incorrect address"
    RETURNING = "Exception_010", "Returning to sender"
    RETURNED = "Exception_011", "Returned to sender"
    DAMAGED = "Exception_012", "Damaged"
    LOST = "Exception_013", "Lost"
    # The trade's list has no code for this one.
    CANCELLED_BY_SHIPPER = "Exception_cancelled", "Cancelled by the shipper"


class Reason(TextChoices):
    """Why a delivery went wrong, grouped by whose side it was."""

    CONSIGNEE_REFUSED = "consignee_refused", "Recipient refused"
    CONSIGNEE_BUSINESS_CLOSED = "consignee_business_closed", "Recipient's business closed"
    CONSIGNEE_NOT_AVAILABLE = "consignee_not_available", "Recipient not available"
    CONSIGNEE_NOT_HOME = "consignee_not_home", "Recipient not at home"
    CONSIGNEE_CANCELLED = "consignee_cancelled", "Recipient cancelled"
    CONSIGNEE_VERIFICATION_FAILED = "consignee_verification_failed", "Recipient's verification failed"
    CONSIGNEE_INCORRECT_ADDRESS = "consignee_incorrect_address", "Incorrect address"
    CONSIGNEE_ACCESS_RESTRICTED = "consignee_access_restricted", "Access restricted"
    CONSIGNEE_SAFE_PLACE_UNAVAILABLE = "consignee_safe_place_unavailable", "No safe place"
    CARRIER_DAMAGED_PARCEL = "carrier_damaged_parcel", "Parcel damaged"
    CARRIER_SORTING_ERROR = "carrier_sorting_error", "Sorting error"
    CARRIER_ADDRESS_NOT_FOUND = "carrier_address_not_found", "Address not found"
    CARRIER_PARCEL_LOST = "carrier_parcel_lost", "Parcel lost"
    CARRIER_NOT_ENOUGH_TIME = "carrier_not_enough_time", "Not enough time"
    CARRIER_VEHICLE_ISSUE = "carrier_vehicle_issue", "Vehicle trouble"
    CARRIER_CAPACITY_EXCEEDED = "carrier_capacity_exceeded", "Over capacity"
    CARRIER_MECHANICAL_DELAY = "carrier_mechanical_delay", "Mechanical delay"
    RETAILER_CANCELLED = "retailer_cancelled", "Cancelled by the shop"
    RETAILER_INCORRECT_DATA = "retailer_incorrect_data", "Wrong details from the shop"
    RETAILER_NOT_READY = "retailer_not_ready", "Not ready at the shop"
    RETAILER_INCORRECT_PARCEL = "retailer_incorrect_parcel", "Wrong parcel from the shop"
    RETAILER_INCORRECT_DIMENSIONS = "retailer_incorrect_dimensions", "Wrong dimensions"
    RETAILER_PACKAGING_ISSUE = "retailer_packaging_issue", "Packaging issue"
    CUSTOMS_DELAY = "customs_delay", "Customs delay"
    CUSTOMS_DOCUMENTATION = "customs_documentation", "Customs documents missing"
    CUSTOMS_DUTIES_UNPAID = "customs_duties_unpaid", "Duties unpaid"
    CUSTOMS_PROHIBITED = "customs_prohibited", "Prohibited by customs"
    CUSTOMS_INSPECTION = "customs_inspection", "Customs inspection"
    WEATHER_DELAY = "weather_delay", "Weather"
    NATURAL_DISASTER = "natural_disaster", "Natural disaster"
    FORCE_MAJEURE = "force_majeure", "Force majeure"
    PARCEL_BEING_RESEARCHED = "parcel_being_researched", "Being looked for"
    SECURITY_ISSUE = "security_issue", "Security"
    REGULATORY_HOLD = "regulatory_hold", "Held by an authority"
    UNKNOWN = "unknown", "Unknown"


class Source(TextChoices):
    """Who says that something happened to a parcel."""

    CARRIER = "carrier", "Courier's systems"
    RIDER = "rider", "Rider"
    DISPATCHER = "dispatcher", "Dispatcher"
    VOICE_AGENT = "voice_agent", "Voice agent"
    IMPORT = "import", "Import"


class ChangeKind(TextChoices):
    """What a customer may ask to have changed."""

    RESCHEDULE = "reschedule", "Another day"
    ADDRESS_CHANGE = "address_change", "Another address"
    HOLD_FOR_PICKUP = "hold_for_pickup", "Hold for pickup"
    AUTHORISE_NEIGHBOUR = "authorise_neighbour", "Give to a neighbour"
    REATTEMPT = "reattempt", "Try again"
    CANCEL = "cancel", "Cancel"


class ChangeState(TextChoices):
    """How far a requested change has come."""

    PROPOSED = "proposed", "Proposed"
    CONFIRMED_BY_CALLER = "confirmed_by_caller", "Confirmed by the caller"
    APPLIED = "applied", "Applied"
    NEEDS_APPROVAL = "needs_approval", "Waiting for approval"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    SUPERSEDED = "superseded", "Superseded"
    EXPIRED = "expired", "Expired"


NEXT_CHANGE: Mapping[ChangeState, frozenset[ChangeState]] = {
    ChangeState.PROPOSED: frozenset(
        {ChangeState.CONFIRMED_BY_CALLER, ChangeState.SUPERSEDED, ChangeState.EXPIRED}
    ),
    # Both follow in the transaction that confirms: a reader outside never sees a change rest here.
    ChangeState.CONFIRMED_BY_CALLER: frozenset({ChangeState.APPLIED, ChangeState.NEEDS_APPROVAL}),
    ChangeState.NEEDS_APPROVAL: frozenset(
        {ChangeState.APPROVED, ChangeState.REJECTED, ChangeState.SUPERSEDED, ChangeState.EXPIRED}
    ),
    ChangeState.APPROVED: frozenset({ChangeState.APPLIED}),
    ChangeState.APPLIED: frozenset(),
    ChangeState.REJECTED: frozenset(),
    ChangeState.SUPERSEDED: frozenset(),
    ChangeState.EXPIRED: frozenset(),
}
