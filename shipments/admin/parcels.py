"""Show the parcels, each with its history, and let dispatchers move them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action

from shipments import desk, orders
from shipments.admin.columns import (
    NONE,
    READING,
    STATUS_COLOURS,
    ForReading,
    OwnDepots,
    badge,
    local,
    member,
    window,
)
from shipments.admin.dialogs import (
    REVEAL,
    AddressForm,
    Dialog,
    HoldForm,
    ParcelForm,
    ReasonForm,
    RescheduleForm,
    carried_out,
)
from shipments.admin.files import export
from shipments.admin.inlines import Changes, Events
from shipments.admin.lists import ByNumber, Discreet
from shipments.models import DeliveryChange, Shipment, TrackingEvent
from shipments.phones import mask_numbers, masked
from shipments.spelling import readings
from shipments.statuses import ChangeState

_RESCHEDULE: Dialog = {
    "title": "Move to another day",
    "description": "By the rules of the telephone line; what they leave to a supervisor is asked for.",
    "form_class": RescheduleForm,
    "form_submit_text": "Move",
}
_LOOK: Dialog = {
    "title": "The problem was looked into",
    "description": "Say what came of it: that is kept, and the problem leaves the worklist.",
    "form_class": ReasonForm,
    "form_submit_text": "Done",
}
_ADDRESS: Dialog = {
    "title": "Send it to another address",
    "description": "By the rules of the telephone line; what they leave to a supervisor is asked for.",
    "form_class": AddressForm,
    "form_submit_text": "Change",
}
_HOLD: Dialog = {
    "title": "Keep it at the depot",
    "description": "The recipient collects it there, and its place in a delivery window is given back.",
    "form_class": HoldForm,
    "form_submit_text": "Keep",
}


def _ordered(
    request: HttpRequest, form: ParcelForm, dialog: Dialog, do: Callable[[datetime], DeliveryChange]
) -> HttpResponse:
    """Give an order for a parcel, and say what became of it."""
    shipment = form.shipment

    def order(now: datetime) -> str:
        change = do(now)
        if change.state == ChangeState.NEEDS_APPROVAL:
            return f"{shipment}: asked for. It stays as planned until somebody else approves."
        return f"{shipment}: {change.get_kind_display().lower()}, done."

    back = reverse("admin:shipments_shipment_change", args=[shipment.pk])
    return carried_out(request, form, dialog, order, back)


@admin.register(Shipment)
class ShipmentAdmin(Discreet, ByNumber, ForReading, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """The parcels, each with its history."""

    list_display = (
        *("tracking_id", "state_badge", "recipient_name", "number", "area", "expected", "waiting"),
        *("attempts", "depot"),
    )
    list_filter = ("status", ("depot", OwnDepots), "changes__state", "is_demo")
    list_filter_submit = False
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("tracking_id", "recipient_name", "address__landmark")
    search_help_text = "Tracking number, as written or as read aloud; whole telephone number; name; landmark"
    ordering = ("-updated_at",)
    change_form_template = READING
    actions: ClassVar[Sequence[Any]] = (export,)
    actions_detail: ClassVar[Sequence[str | dict[str, object]]] = [
        *("reschedule", "change_address", "hold", "looked_into"),
        {"title": "More", "icon": "more_vert", "items": ["show_number", "audit"]},
    ]
    inlines: ClassVar = [Events, Changes]
    fieldsets: ClassVar = (
        (
            None,
            {
                "fields": (
                    ("tracking_id", "state_badge", "substatus"),
                    ("expected", "planned", "computed"),
                    ("depot", "driver", "attempts"),
                )
            },
        ),
        (
            "Recipient",
            {
                "fields": (
                    ("recipient_name", "number", "time_zone"),
                    ("address", "area"),
                    ("landmark", "directions"),
                )
            },
        ),
        (
            "Records",
            {
                "fields": (
                    ("shipper", "cod"),
                    ("changes_allowed", "is_demo"),
                    ("created_at", "updated_at"),
                    "version",
                )
            },
        ),
    )
    readonly_fields = (
        *("state_badge", "number", "area", "landmark", "directions", "expected", "planned", "computed"),
        *("cod", "created_at", "updated_at"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Shipment]:
        """Return the parcels with all that a row shows."""
        return Shipment.objects.seen_by(member(request)).for_telling().select_related("driver")

    def has_move_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Tell whether this user may move parcels; each is then looked at by the rules."""
        return request.user.has_perm("shipments.change_shipment")

    def has_audit_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Tell whether this user may see who changed what."""
        return request.user.has_perm("shipments.view_auditentry")

    @action(description="Audit", permissions=["audit"], icon="policy", url_path="audit")
    def audit(self, request: HttpRequest, object_id: int | str) -> HttpResponse:
        """Show who changed this parcel."""
        shipment = get_object_or_404(self.get_queryset(request), pk=object_id)
        address = reverse("admin:shipments_auditentry_changelist")
        return redirect(f"{address}?{urlencode({'q': shipment.tracking_id})}")

    def has_look_permission(self, request: HttpRequest, object_id: str | int | None = None) -> bool:
        """Tell whether this user may look into problems, and if there is one where a parcel is meant."""
        if not request.user.has_perm("shipments.change_shipment") or object_id is None:
            return False
        return TrackingEvent.objects.open_problems().filter(shipment_id=object_id).exists()

    @action(description="Looked into", permissions=["look"], icon="check", url_path="problem", dialog=_LOOK)
    def looked_into(self, request: HttpRequest, form: ReasonForm, object_id: int | str) -> HttpResponse:
        """Take a parcel's problems off the worklist, and keep what came of them."""
        shipment = get_object_or_404(self.get_queryset(request), pk=object_id)

        def look(now: datetime) -> str:
            reason, by = form.cleaned_data["reason"], member(request)
            desk.look_into(kind="problem", object_id=shipment.tracking_id, by=by, reason=reason, now=now)
            return f"{shipment}: looked into."

        back = reverse("admin:shipments_shipment_change", args=[shipment.pk])
        return carried_out(request, form, _LOOK, look, back)

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may have parcels written to a file."""
        return request.user.has_perm("shipments.export_parcels")

    def has_reveal_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Tell whether this user may see numbers in full."""
        return request.user.has_perm("shipments.reveal_number")

    @action(
        description="Show number",
        permissions=["reveal"],
        icon="visibility",
        url_path="number",
        dialog=REVEAL,
    )
    def show_number(self, request: HttpRequest, form: ReasonForm, object_id: int | str) -> HttpResponse:
        """Show the number of record once, and keep who saw it and why."""
        shipment = get_object_or_404(self.get_queryset(request), pk=object_id)

        def reveal(now: datetime) -> str:
            number = desk.reveal_number(
                kind="shipment",
                object_id=shipment.tracking_id,
                number=shipment.phone,
                by=member(request),
                reason=form.cleaned_data["reason"],
                now=now,
            )
            return f"{shipment}: {number}"

        back = reverse("admin:shipments_shipment_change", args=[shipment.pk])
        return carried_out(request, form, REVEAL, reveal, back)

    @action(description="Reschedule", permissions=["move"], icon="event", dialog=_RESCHEDULE)
    def reschedule(self, request: HttpRequest, form: RescheduleForm, object_id: int | str) -> HttpResponse:
        """Move a parcel to another delivery window."""

        def move(now: datetime) -> DeliveryChange:
            return orders.reschedule(form.order(now), slot_id=form.cleaned_data["slot"])

        return _ordered(request, form, _RESCHEDULE, move)

    @action(
        description="Change address",
        permissions=["move"],
        icon="edit_location",
        url_path="address",
        dialog=_ADDRESS,
    )
    def change_address(self, request: HttpRequest, form: AddressForm, object_id: int | str) -> HttpResponse:
        """Send a parcel to another place."""

        def send(now: datetime) -> DeliveryChange:
            return orders.change_address(form.order(now), place=form.place())

        return _ordered(request, form, _ADDRESS, send)

    @action(description="Hold", permissions=["move"], icon="inventory_2", dialog=_HOLD)
    def hold(self, request: HttpRequest, form: HoldForm, object_id: int | str) -> HttpResponse:
        """Have a parcel wait at its depot."""
        return _ordered(request, form, _HOLD, lambda now: orders.hold(form.order(now)))

    def also_found(self, search_term: str) -> Q:
        """Find a parcel also by its id read aloud."""
        return super().also_found(search_term) | Q(tracking_key__in=readings(search_term))

    @badge("status", STATUS_COLOURS)
    def state_badge(self, shipment: Shipment) -> str:
        """Return where the parcel is in its journey."""
        return shipment.get_status_display()

    @admin.display(description="number")
    def number(self, shipment: Shipment) -> str:
        """Return the last digits of the number of record."""
        return masked(shipment.phone)

    @admin.display(description="area")
    def area(self, shipment: Shipment) -> str:
        """Return where it goes."""
        return f"{shipment.address.area}, {shipment.address.city}"

    @admin.display(description="expected", ordering="eta_at")
    def expected(self, shipment: Shipment) -> str:
        """Return the estimate or else the booked window, at the recipient's."""
        return local(shipment.eta_at, shipment) if shipment.eta_at else self.planned(shipment)

    @badge("change", {"To decide": "warning"})
    def waiting(self, shipment: Shipment) -> str:
        """Return whether a dispatcher has something to decide."""
        return "To decide" if shipment.change_waiting else ""

    @admin.display(description="planned")
    def planned(self, shipment: Shipment) -> str:
        """Return the booked window, at the recipient's."""
        return window(shipment.promised_start, shipment.promised_end, shipment)

    @admin.display(description="estimate made")
    def computed(self, shipment: Shipment) -> str:
        """Return when the estimate was made."""
        return local(shipment.eta_computed_at, shipment)

    @admin.display(description="landmark")
    def landmark(self, shipment: Shipment) -> str:
        """Return what the place is known by."""
        return mask_numbers(shipment.address.landmark)

    @admin.display(description="directions")
    def directions(self, shipment: Shipment) -> str:
        """Return the way to it."""
        return mask_numbers(shipment.address.directions)

    @admin.display(description="cash on delivery")
    def cod(self, shipment: Shipment) -> str:
        """Return what is to be paid at the door."""
        if not shipment.cod_minor:
            return NONE
        return f"{shipment.cod_currency} {shipment.cod_minor // 100:,}.{shipment.cod_minor % 100:02}"
