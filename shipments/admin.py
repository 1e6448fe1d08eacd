"""Show dispatchers the parcels, what happened to them and what was asked for.

Parcels and their history are for reading: what changes them goes through `services`, which counts versions
and writes the history. What a dispatcher keeps up himself are depots, their windows and the riders.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import ClassVar, TypeVar

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from shipments.errors import ShipmentError
from shipments.models import Address, DeliveryChange, DeliverySlot, Depot, Driver, Shipment, TrackingEvent
from shipments.phones import normalise
from shipments.services import decide_change
from shipments.spelling import readings
from shipments.statuses import ChangeState, Status

_STATUS_COLOURS: Mapping[str, str] = {
    Status.OUT_FOR_DELIVERY.label: "info",
    Status.AVAILABLE_FOR_PICKUP.label: "primary",
    Status.DELIVERED.label: "success",
    Status.ATTEMPT_FAIL.label: "warning",
    Status.EXCEPTION.label: "danger",
    Status.EXPIRED.label: "danger",
}
_CHANGE_COLOURS: Mapping[str, str] = {
    ChangeState.NEEDS_APPROVAL.label: "warning",
    ChangeState.APPLIED.label: "success",
    ChangeState.APPROVED.label: "success",
    ChangeState.REJECTED.label: "danger",
}


Shown = TypeVar("Shown", bound=Callable[..., str])


def _badge(field: str, colours: Mapping[str, str]) -> Callable[[Shown], Shown]:
    """Show a column as a coloured badge under the heading `field`."""
    shown: Callable[[Shown], Shown] = display(description=field, label=dict(colours), empty_value="–")
    return shown


class _ForReading:
    """Let nobody write what only a verb may write."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def _local(at: datetime | None, shipment: Shipment) -> str:
    """Return a moment as the clocks at the recipient's show it."""
    return f"{at.astimezone(shipment.zone):%a %d %b %H:%M}" if at else "–"


def _window(start: datetime | None, end: datetime | None, shipment: Shipment) -> str:
    if start is None or end is None:
        return "–"
    return f"{_local(start, shipment)}–{end.astimezone(shipment.zone):%H:%M}"


class _Events(_ForReading, TabularInline):  # type: ignore[misc] # unfold ships no types
    """What happened to a parcel, the latest first."""

    model = TrackingEvent
    verbose_name_plural = "history"
    fields = ("when", "badge", "substatus", "reason", "description", "location", "source", "call_public_id")
    readonly_fields = fields
    ordering = ("-occurred_at", "-pk")
    extra = 0

    @admin.display(description="when")
    def when(self, event: TrackingEvent) -> str:
        """Return when it happened, at the recipient's."""
        return _local(event.occurred_at, event.shipment)

    @_badge("status", _STATUS_COLOURS)
    def badge(self, event: TrackingEvent) -> str:
        """Return the status it brought."""
        return event.get_status_display()


class _Changes(_ForReading, TabularInline):  # type: ignore[misc] # unfold ships no types
    """What was asked for, the latest first."""

    model = DeliveryChange
    verbose_name_plural = "changes asked for"
    fields = (
        "asked_at",
        "kind",
        "badge",
        "wanted",
        "read_back",
        "requested_by",
        "decided_by",
        "call_public_id",
    )
    readonly_fields = fields
    ordering = ("-created_at", "-pk")
    extra = 0

    @admin.display(description="asked")
    def asked_at(self, change: DeliveryChange) -> str:
        """Return when it was asked for, at the recipient's."""
        return _local(change.created_at, change.shipment)

    @_badge("state", _CHANGE_COLOURS)
    def badge(self, change: DeliveryChange) -> str:
        """Return how far it has come."""
        return change.get_state_display()

    @admin.display(description="wanted")
    def wanted(self, change: DeliveryChange) -> str:
        """Return the window that was asked for, at the recipient's."""
        return _window(change.requested_start, change.requested_end, change.shipment)


@admin.register(Shipment)
class ShipmentAdmin(_ForReading, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """The parcels, each with its history."""

    list_display = (
        *("tracking_id", "badge", "recipient_name", "phone", "area", "expected", "waiting", "attempts"),
        *("depot", "is_demo"),
    )
    list_filter = ("status", "depot", "changes__state", "is_demo")
    list_filter_submit = False
    list_per_page = 50
    search_fields = ("tracking_id", "phone", "recipient_name")
    search_help_text = "Tracking number, as written or as read aloud; telephone number; name"
    ordering = ("-updated_at",)
    inlines: ClassVar = [_Events, _Changes]
    fieldsets: ClassVar = (
        (None, {"fields": ("tracking_id", "badge", "substatus", "shipper", "version", "is_demo")}),
        ("Recipient", {"fields": ("recipient_name", "phone", "address", "area", "landmark", "directions")}),
        (
            "Delivery",
            {
                "fields": (
                    *("depot", "driver", "expected", "planned", "computed", "attempts", "changes_allowed"),
                    *("cod", "time_zone"),
                )
            },
        ),
        ("Records", {"fields": ("created_at", "updated_at")}),
    )
    readonly_fields = (
        *("badge", "area", "landmark", "directions", "expected", "planned", "computed", "cod"),
        *("created_at", "updated_at"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Shipment]:
        """Return the parcels with all that a row shows."""
        return Shipment.objects.for_telling().select_related("driver")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Shipment], search_term: str
    ) -> tuple[QuerySet[Shipment], bool]:
        """Find a parcel also by its id read aloud and by a number written as people write it."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        also = Q(tracking_key__in=readings(search_term))
        if number := normalise(search_term, settings.PHONE_REGION):
            also |= Q(phone=number)
        return (found | queryset.filter(also)) if search_term else found, may_repeat

    @_badge("status", _STATUS_COLOURS)
    def badge(self, shipment: Shipment) -> str:
        """Return where the parcel is in its journey."""
        return shipment.get_status_display()

    @admin.display(description="area")
    def area(self, shipment: Shipment) -> str:
        """Return where it goes."""
        return f"{shipment.address.area}, {shipment.address.city}"

    @admin.display(description="expected", ordering="eta_at")
    def expected(self, shipment: Shipment) -> str:
        """Return the estimate or else the booked window, at the recipient's."""
        return _local(shipment.eta_at, shipment) if shipment.eta_at else self.planned(shipment)

    @_badge("change", {"To decide": "warning"})
    def waiting(self, shipment: Shipment) -> str:
        """Return whether a dispatcher has something to decide."""
        return "To decide" if shipment.change_waiting else ""

    @admin.display(description="planned")
    def planned(self, shipment: Shipment) -> str:
        """Return the booked window, at the recipient's."""
        return _window(shipment.promised_start, shipment.promised_end, shipment)

    @admin.display(description="estimate made")
    def computed(self, shipment: Shipment) -> str:
        """Return when the estimate was made."""
        return _local(shipment.eta_computed_at, shipment)

    @admin.display(description="landmark")
    def landmark(self, shipment: Shipment) -> str:
        """Return what the place is known by."""
        return shipment.address.landmark

    @admin.display(description="directions")
    def directions(self, shipment: Shipment) -> str:
        """Return the way to it."""
        return shipment.address.directions

    @admin.display(description="cash on delivery")
    def cod(self, shipment: Shipment) -> str:
        """Return what is to be paid at the door."""
        if not shipment.cod_minor:
            return "–"
        return f"{shipment.cod_currency} {shipment.cod_minor // 100:,}.{shipment.cod_minor % 100:02}"


@admin.register(DeliveryChange)
class DeliveryChangeAdmin(_ForReading, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """What customers asked to have changed."""

    list_display = (
        "ref",
        "shipment",
        "kind",
        "badge",
        "wanted",
        "created_at",
        "decided_by",
        "call_public_id",
    )
    list_filter = ("state", "kind")
    list_select_related = ("shipment",)
    search_fields = ("ref", "shipment__tracking_id", "shipment__phone", "call_public_id")
    actions: ClassVar = ["approve", "turn_down"]

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may decide on what customers ask for."""
        user = request.user
        return user.is_active and user.has_perm("shipments.change_deliverychange")

    @admin.action(description="Approve and move the parcel", permissions=["decide"])
    def approve(self, request: HttpRequest, queryset: QuerySet[DeliveryChange]) -> None:
        """Carry out the chosen changes that wait."""
        self._decide(request, queryset, approve=True)

    @admin.action(description="Turn down", permissions=["decide"])
    def turn_down(self, request: HttpRequest, queryset: QuerySet[DeliveryChange]) -> None:
        """Leave the parcels of the chosen changes as they are planned."""
        self._decide(request, queryset, approve=False)

    def _decide(self, request: HttpRequest, queryset: QuerySet[DeliveryChange], *, approve: bool) -> None:
        by = request.user.get_username()
        for change in queryset.select_related("shipment"):
            try:
                decide_change(ref=change.ref, approve=approve, by=by, now=timezone.now())
            except ShipmentError as refusal:
                self.message_user(request, f"{change.shipment}: {refusal}", messages.WARNING)
            else:
                done = "moved" if approve else "left as planned"
                self.message_user(request, f"{change.shipment}: {done}.", messages.SUCCESS)

    @_badge("state", _CHANGE_COLOURS)
    def badge(self, change: DeliveryChange) -> str:
        """Return how far it has come."""
        return change.get_state_display()

    @admin.display(description="wanted", ordering="requested_start")
    def wanted(self, change: DeliveryChange) -> str:
        """Return the window that was asked for, at the recipient's."""
        return _window(change.requested_start, change.requested_end, change.shipment)


@admin.register(Address)
class AddressAdmin(_ForReading, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """Where parcels go."""

    list_display = ("recipient_name", "building", "line1", "neighbourhood", "city", "landmark", "verified_at")
    list_filter = ("country", "city")
    search_fields = ("recipient_name", "phone", "building", "line1", "neighbourhood", "landmark")
    exclude = ("access_code",)  # it goes to the driver at the gate and to nobody else


class _Slots(TabularInline):  # type: ignore[misc] # unfold ships no types
    """The windows of a depot; how many places are taken is counted by the verbs."""

    model = DeliverySlot
    fields = ("date", "window_start", "window_end", "capacity", "booked")
    readonly_fields = ("booked",)
    extra = 0


@admin.register(Depot)
class DepotAdmin(ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """The depots and their delivery windows."""

    list_display = ("name", "city", "country", "time_zone")
    list_filter = ("country",)
    search_fields = ("name", "city")
    inlines: ClassVar = [_Slots]


@admin.register(Driver)
class DriverAdmin(ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """The riders."""

    list_display = ("name", "phone")
    search_fields = ("name", "phone")
