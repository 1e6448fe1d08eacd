"""Show what the numbers of record were told, and what waits to be sent; nothing here is written by hand."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from shipments.admin.columns import ForReading, badge, member
from shipments.admin.lists import Discreet
from shipments.messages import MessageState, OutgoingMessage
from shipments.models import Shipment
from shipments.phones import masked


@admin.register(OutgoingMessage)
class OutgoingMessageAdmin(Discreet, ForReading, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """Messages, the newest first; numbers by their last digits."""

    list_display = ("created_at", "shipment", "to", "kind", "state_badge", "text")
    list_filter = ("state", "kind")
    list_per_page = 50
    list_select_related = ("shipment",)
    show_full_result_count = False
    fields = ("created_at", "shipment", "to", "kind", "state_badge", "tries", "next_at", "sent_at", "text")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutgoingMessage]:
        """Return the messages about parcels that this user may see."""
        seen = Shipment.objects.seen_by(member(request)).values("pk")
        found: QuerySet[OutgoingMessage] = super().get_queryset(request)
        return found.filter(shipment__in=seen)

    @badge("state", {MessageState.WAITING.label: "info", MessageState.SENT.label: "success"})
    def state_badge(self, message: OutgoingMessage) -> str:
        """Return how far it has come."""
        return message.get_state_display()

    @admin.display(description="to")
    def to(self, message: OutgoingMessage) -> str:
        """Return the number by its last digits."""
        return masked(message.number)
