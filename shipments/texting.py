"""Put into words what the number of record is told by message, and write it down with the change itself."""

from datetime import datetime

from shipments import wording
from shipments.audit import AuditEntry
from shipments.messages import CODE_PLACE, MessageKind, OutgoingMessage
from shipments.models import DeliveryChange, Shipment
from shipments.riders import Stop
from shipments.statuses import ChangeKind, ChangeState
from shipments.telling import ending
from shipments.text import told

_NOT_YOU = "If you did not ask for this, please call us."
CODE_SPENT = "a wrong delivery code was tried too often, so the code opens nothing until you have a new one"
ADDRESS_CONFIRMED = "the address it goes to was confirmed in a call"


def tell(shipment: Shipment, kind: MessageKind, about: str, *, key: str, now: datetime) -> None:
    """Write a message to the number of record, once a key; `about` follows "your parcel ending 4 2 7 9:".

    Who calls this has a transaction open: the message is there when the change is.
    """
    text = f"Your parcel ending {ending(shipment)}: {about}. {_NOT_YOU}"
    message = OutgoingMessage(
        idempotency_key=key,
        shipment=shipment,
        number=shipment.phone,
        kind=kind,
        text=text,
        next_at=now,
        created_at=now,
    )
    OutgoingMessage.objects.bulk_create([message], ignore_conflicts=True)


def tell_code(stop: Stop, *, call_public_id: str, now: datetime) -> None:
    """Write a message with the code of a gate to the number of its driver, once a call and stop.

    Who calls this has a transaction open, and has seen that it is his next stop.
    """
    shipment, key = stop.shipment, f"access:{call_public_id}:{stop.pk}"
    if OutgoingMessage.objects.filter(idempotency_key=key).exists():
        return
    OutgoingMessage.objects.create(
        idempotency_key=key,
        shipment=shipment,
        number=stop.driver.phone,
        kind=MessageKind.ACCESS,
        text=f"Stop {stop.position}, the parcel ending {ending(shipment)}: the code is {CODE_PLACE}.",
        next_at=now,
        created_at=now,
    )
    AuditEntry.objects.create(
        at=now,
        actor=f"driver {stop.driver.name}"[:120],
        verb="send_access_code",
        object_kind="shipment",
        object_id=shipment.tracking_id,
        after={"stop": stop.position},
        call_public_id=call_public_id,
    )


def tell_of_change(shipment: Shipment, change: DeliveryChange, now: datetime) -> None:
    """Tell the number of record how far a change of its parcel has come, once for each state."""
    if about := _about(change, shipment):
        tell(shipment, MessageKind.CHANGE, about, key=f"change:{change.ref}:{change.state}", now=now)


def _about(change: DeliveryChange, shipment: Shipment) -> str:
    """Return what became of a change, or "" while it is no more than a proposal."""
    match change.state:
        case ChangeState.APPLIED:
            return f"it {done(change, shipment)}"
        case ChangeState.NEEDS_APPROVAL:
            wish = wish_of(change, shipment)
            return f"we were asked for {wish}. Our dispatcher decides; until then it stays as planned"
        case ChangeState.REJECTED:
            return f"it stays as planned. We were asked for {wish_of(change, shipment)}, and cannot do that"
        case _:
            return ""


def done(change: DeliveryChange, shipment: Shipment) -> str:
    """Return what a parcel does once a change is carried out, to follow "your parcel"."""
    match change.kind:
        case ChangeKind.RESCHEDULE:
            return f"now comes {_when(change, shipment)}"
        case ChangeKind.ADDRESS_CHANGE:
            return "now goes to another address"
        case ChangeKind.HOLD_FOR_PICKUP:
            return f"waits for you to collect it at {_depot(shipment)}"
        case ChangeKind.AUTHORISE_NEIGHBOUR:
            return "may be given to your neighbour"
        case ChangeKind.CANCEL:
            return "is not delivered, since you do not want it"
        case _:
            return "was changed as asked"


def wish_of(change: DeliveryChange, shipment: Shipment) -> str:
    """Return what a change asks for, to follow "asked for"."""
    match change.kind:
        case ChangeKind.RESCHEDULE:
            return f"delivery {_when(change, shipment)}"
        case ChangeKind.ADDRESS_CHANGE:
            return "delivery to another address"
        case ChangeKind.HOLD_FOR_PICKUP:
            return f"it to wait at {_depot(shipment)}"
        case ChangeKind.AUTHORISE_NEIGHBOUR:
            return "it to be given to a neighbour"
        case ChangeKind.CANCEL:
            return "it not to be delivered"
        case _:
            return "a change"


def _when(change: DeliveryChange, shipment: Shipment) -> str:
    if change.requested_start is None or change.requested_end is None:
        return "at another time"
    return wording.slot(change.requested_start, change.requested_end, shipment.zone)


def _depot(shipment: Shipment) -> str:
    return told(shipment.depot.name) if shipment.depot else "our depot"
