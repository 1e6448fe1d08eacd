"""Put what rows of the parcels' pages have in common into one place: colours, times, and who may write."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.contrib import admin
from django.contrib.admin import RelatedFieldListFilter
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest
from unfold.decorators import display

from shipments.depots import Depot
from shipments.models import DeliveryChange, Shipment
from shipments.phones import mask_numbers
from shipments.statuses import ChangeState, Status

NONE = "–"
READING = "admin/shipments/reading.html"
"""The page of what nobody edits there: Django's own history knows nothing of what verbs do."""
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


def typed(field: str) -> Callable[[Any, Model], str]:
    """Show a field of free text: telephone numbers in it by their last digits."""

    @admin.display(description=field.replace("_", " "))
    def shown(_: Any, row: Model) -> str:
        """Return what was said or typed."""
        return mask_numbers(str(getattr(row, field))) or NONE

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


def member(request: HttpRequest) -> User:
    """Return the member of staff who asks; the admin lets nobody else in.

    Raises:
        PermissionDenied: there is none.
    """
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def wanted(change: DeliveryChange) -> str:
    """Return what is asked for: the window at the recipient's, or the place."""
    if change.requested_start:
        return window(change.requested_start, change.requested_end, change.shipment)
    place = (str(part) for part in change.requested_address.values() if part)
    return mask_numbers(", ".join(place)) or NONE


class OwnDepots(RelatedFieldListFilter):
    """Choose among the depots that somebody may see."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[Any]:
        """Return the depots to choose from."""
        own = Depot.objects.seen_by(member(request)).order_by("name")
        return [(str(depot.pk), depot.name) for depot in own]
