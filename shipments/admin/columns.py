"""Put what rows of the parcels' pages have in common into one place: colours, times, and who may write."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from django.db.models import Model
from django.http import HttpRequest
from unfold.decorators import display

from shipments.models import Shipment
from shipments.statuses import ChangeState, Status

NONE = "–"
STATUS_COLOURS: Mapping[str, str] = {
    Status.OUT_FOR_DELIVERY.label: "info",
    Status.AVAILABLE_FOR_PICKUP.label: "primary",
    Status.DELIVERED.label: "success",
    Status.ATTEMPT_FAIL.label: "warning",
    Status.EXCEPTION.label: "danger",
    Status.EXPIRED.label: "danger",
}
CHANGE_COLOURS: Mapping[str, str] = {
    ChangeState.NEEDS_APPROVAL.label: "warning",
    ChangeState.APPLIED.label: "success",
    ChangeState.APPROVED.label: "success",
    ChangeState.REJECTED.label: "danger",
}
Shown = TypeVar("Shown", bound=Callable[..., str])


def badge(field: str, colours: Mapping[str, str]) -> Callable[[Shown], Shown]:
    """Show a column as a coloured badge under the heading `field`."""
    shown: Callable[[Shown], Shown] = display(description=field, label=dict(colours), empty_value=NONE)
    return shown


class ForReading:
    """Let nobody write what only a verb may write."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False


def local(at: datetime | None, shipment: Shipment) -> str:
    """Return a moment as the clocks at the recipient's show it."""
    return f"{at.astimezone(shipment.zone):%a %d %b %H:%M}" if at else NONE


def window(start: datetime | None, end: datetime | None, shipment: Shipment) -> str:
    """Return a delivery window as the clocks at the recipient's show it."""
    if start is None or end is None:
        return NONE
    return f"{local(start, shipment)}–{end.astimezone(shipment.zone):%H:%M}"


def masked(number: str) -> str:
    """Return a telephone number by its last three digits: who reads a page need not be able to ring it."""
    return f"••• {number[-3:]}" if number else NONE
