"""Show on a parcel's page what happened to it and what was asked for."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline

from shipments.admin import columns
from shipments.admin.columns import CHANGE_COLOURS, STATUS_COLOURS, ForReading, badge, local, typed
from shipments.models import DeliveryChange, TrackingEvent


class Rows(ForReading, TabularInline):  # type: ignore[misc] # unfold ships no types
    """Rows on another's page, to be read, without a title above each."""

    extra = 0
    # The last unfold that Python 3.11 can have knows the one; later ones warn of it and know the other.
    if hasattr(TabularInline, "show_title"):
        show_title = False
    else:
        hide_title = True


class Events(Rows):
    """What happened to a parcel, the latest first."""

    model = TrackingEvent
    verbose_name_plural = "history"
    fields = (
        "when",
        "state_badge",
        "substatus",
        "reason",
        "words",
        "location",
        "source",
        "call_public_id",
    )
    readonly_fields = fields
    ordering = ("-occurred_at", "-pk")
    words = typed("description")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TrackingEvent]:
        """Return the events with the parcel, whose clock their times are told by."""
        return TrackingEvent.objects.select_related("shipment")

    @admin.display(description="when")
    def when(self, event: TrackingEvent) -> str:
        """Return when it happened, at the recipient's."""
        return local(event.occurred_at, event.shipment)

    @badge("status", STATUS_COLOURS)
    def state_badge(self, event: TrackingEvent) -> str:
        """Return the status it brought."""
        return event.get_status_display()


class Changes(Rows):
    """What was asked for, the latest first."""

    model = DeliveryChange
    verbose_name_plural = "changes asked for"
    fields = (
        "asked_at",
        "kind",
        "state_badge",
        "wanted",
        "read",
        "requested_by",
        "decided_by",
        "why",
        "call_public_id",
    )
    readonly_fields = fields
    ordering = ("-created_at", "-pk")
    read = typed("read_back")
    why = typed("decision_reason")

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeliveryChange]:
        """Return the changes with the parcel, whose clock their times are told by."""
        return DeliveryChange.objects.select_related("shipment")

    @admin.display(description="asked")
    def asked_at(self, change: DeliveryChange) -> str:
        """Return when it was asked for, at the recipient's."""
        return local(change.created_at, change.shipment)

    @badge("state", CHANGE_COLOURS)
    def state_badge(self, change: DeliveryChange) -> str:
        """Return how far it has come."""
        return change.get_state_display()

    @admin.display(description="wanted")
    def wanted(self, change: DeliveryChange) -> str:
        """Return the window at the recipient's, or the place, that was asked for."""
        return columns.wanted(change)
