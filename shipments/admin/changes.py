"""Show what was asked for, and let those decide on it who may: with a reason, and never on their own wish."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action

from shipments.admin import columns
from shipments.admin.columns import (
    CHANGE_COLOURS,
    NONE,
    READING,
    ForReading,
    OwnDepots,
    badge,
    member,
    typed,
    window,
)
from shipments.admin.dialogs import DecisionForm, Dialog, carried_out
from shipments.admin.lists import Discreet
from shipments.decisions import decide_change
from shipments.models import DeliveryChange

_APPROVE: Dialog = {
    "title": "Approve this change",
    "description": "It is carried out at once. Your reason is kept with it.",
    "form_class": DecisionForm,
    "form_submit_text": "Approve",
}
_REJECT: Dialog = {
    "title": "Turn this change down",
    "description": "The parcel stays as it is planned. Your reason is kept with it.",
    "form_class": DecisionForm,
    "form_submit_text": "Turn down",
}


@admin.register(DeliveryChange)
class DeliveryChangeAdmin(Discreet, ForReading, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """What customers and dispatchers asked to have changed."""

    list_display = ("asked_at", "shipment", "kind", "state_badge", "wanted", "requested_by", "decided_by")
    list_filter: ClassVar[tuple[Any, ...]] = ("state", "kind", ("shipment__depot", OwnDepots))
    linked_by = ("decided_at__gte", "call_public_id__gt", "asker__isnull")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("=ref", "shipment__tracking_id", "=call_public_id")
    search_help_text = "Tracking number, or the reference of a change or call"
    change_form_template = READING
    actions_row: ClassVar = ["approve", "turn_down"]
    actions_detail: ClassVar = ["approve", "turn_down"]
    fields = (
        *("shipment", "kind", "state_badge", "wanted", "previously", "read", "requested_by"),
        *("verification_level", "call_public_id", "created_at"),
        *("decided_by", "decided_at", "why"),
    )
    readonly_fields = fields
    read = typed("read_back")
    why = typed("decision_reason")

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeliveryChange]:
        """Return the changes with the parcels that rows name."""
        return DeliveryChange.objects.seen_by(member(request)).select_related("shipment")

    def has_decide_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Tell whether this user may decide on what is asked for."""
        return request.user.has_perm("shipments.approve_change")

    @action(description="Approve", permissions=["decide"], icon="check", url_path="approve", dialog=_APPROVE)
    def approve(self, request: HttpRequest, form: DecisionForm, object_id: int | str) -> HttpResponse:
        """Carry out a change that waits."""
        return self._decide(request, form, approve=True)

    @action(description="Turn down", permissions=["decide"], icon="close", url_path="reject", dialog=_REJECT)
    def turn_down(self, request: HttpRequest, form: DecisionForm, object_id: int | str) -> HttpResponse:
        """Leave a parcel as it is planned."""
        return self._decide(request, form, approve=False)

    def _decide(self, request: HttpRequest, form: DecisionForm, *, approve: bool) -> HttpResponse:
        change = form.change

        def decide(now: datetime) -> str:
            decide_change(
                ref=change.ref,
                approve=approve,
                by=member(request),
                reason=form.cleaned_data["reason"],
                version=form.cleaned_data["version"],
                now=now,
            )
            return f"{change.shipment}: {'carried out' if approve else 'left as planned'}."

        back = reverse("admin:shipments_deliverychange_changelist")
        return carried_out(request, form, _APPROVE if approve else _REJECT, decide, back)

    @admin.display(description="asked", ordering="created_at")
    def asked_at(self, change: DeliveryChange) -> str:
        """Return when it was asked for, at the recipient's."""
        return f"{change.created_at.astimezone(change.shipment.zone):%a %d %b %H:%M}"

    @badge("state", CHANGE_COLOURS)
    def state_badge(self, change: DeliveryChange) -> str:
        """Return how far it has come."""
        return change.get_state_display()

    @admin.display(description="wanted", ordering="requested_start")
    def wanted(self, change: DeliveryChange) -> str:
        """Return the window at the recipient's, or the place, that was asked for."""
        return columns.wanted(change)

    @admin.display(description="planned when it was asked for")
    def previously(self, change: DeliveryChange) -> str:
        """Return the window that it would replace, at the recipient's."""
        times = [change.previous.get(name) for name in ("promised_start", "promised_end")]
        start, end = (datetime.fromisoformat(at) if at else None for at in times)
        return window(start, end, change.shipment) or NONE
