"""Show dispatchers the calls, for reading only: what a call was is not changed afterwards."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timezone import localtime
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from shipments.admin import ShipmentAdmin
from shipments.admin.changes import DeliveryChangeAdmin
from shipments.admin.columns import ForReading, OwnDepots, member
from shipments.admin.dialogs import REVEAL, Dialog, ReasonForm, carried_out, gone_to, opened_at
from shipments.admin.inlines import Rows
from shipments.admin.lists import ByNumber, Discreet
from shipments.desk import look_into, reveal_number
from shipments.phones import mask_numbers, masked
from voice import call_page, dial_admin, ringing_back
from voice.list_filters import PurposeOfCall, Timed
from voice.models import Call, CallbackRequest
from voice.statuses import CallbackState, CallStatus
from voice.worklist import waiting

_LOOK: Dialog = {
    "title": "The call was looked into",
    "description": "Say what came of it: that is kept, and the call leaves the worklist.",
    "form_class": ReasonForm,
    "form_submit_text": "Done",
}
_RUNG: Dialog = {
    "title": "The caller was rung back",
    "description": "The request leaves the worklist.",
    "form_class": None,
    "form_submit_text": "Rung back",
}


class _Columns:
    """What a row says of a call."""

    @admin.display(description="when", ordering="created_at")
    def when(self, call: Call) -> str:
        """Return when it began to ring, here."""
        return f"{localtime(call.created_at):%a %d %b %H:%M}"

    @admin.display(description="direction", ordering="direction")
    def way(self, call: Call) -> str:
        """Return who dialled."""
        return "Test call" if call.is_test else call.get_direction_display()

    @admin.display(description="customer")
    def customer(self, call: Call) -> str:
        """Return the last digits of the customer's number."""
        return call.masked_number

    @display(
        description="status",
        ordering="status",
        label={status.label: call_page.STATUS_COLOURS[status] for status in CallStatus},
    )
    def badge(self, call: Call) -> str:
        """Return where the telephone call is."""
        return call.get_status_display()

    @admin.display(description="outcome", ordering="outcome")
    def achieved(self, call: Call) -> str:
        """Return what the call was good for."""
        return call_page.outcome(call)

    @admin.display(description="duration")
    def lasted(self, call: Call) -> str:
        """Return how long it lasted, in minutes and seconds."""
        return call_page.NONE if call.duration_s is None else call_page.clock(call.duration_s * 1000)

    @admin.display(description="cost", ordering="cost_usd_micros")
    def cost(self, call: Call) -> str:
        """Return both bills, which are in different money."""
        return call_page.both_bills(call)


class _CallsOfParcel(_Columns, Rows):
    """The calls about a parcel, the latest first."""

    model = Call
    fields = ("page", "way", "customer", "badge", "achieved", "lasted")
    readonly_fields = fields

    @admin.display(description="when")
    def page(self, call: Call) -> str:
        """Return the way to the call's page."""
        address = reverse("admin:voice_call_change", args=[call.pk])
        return format_html('<a class="text-link" href="{}">{}</a>', address, self.when(call))


# Here and not there: shipments knows of no calls.
ShipmentAdmin.inlines = [*ShipmentAdmin.inlines, _CallsOfParcel]
DeliveryChangeAdmin.list_filter = (*DeliveryChangeAdmin.list_filter, PurposeOfCall)


@admin.register(Call)
class CallAdmin(Discreet, ByNumber, ForReading, _Columns, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """The calls, each with its page: conversation, tools, timings, both bills, the carrier's events."""

    list_display = ("when", "way", "customer", "parcel", "badge", "achieved", "lasted", "cost")
    list_display_links = ("when",)
    list_filter = (
        "status",
        "direction",
        "outcome",
        "ended_reason",
        "created_at",
        Timed,
        ("shipment__depot", OwnDepots),
    )
    list_per_page = 50
    linked_by = ("tester__isnull", "status__in", "ended_reason__in", "purpose__exact", "created_at__gte")
    search_fields = ("=public_id", "=session_id", "shipment__tracking_id")
    number_field = "customer_number"
    search_help_text = "Telephone number, tracking number, or the call's id"
    show_full_result_count = False
    fields = ("public_id",)  # the page is a template of its own
    actions_detail = ("looked_into",)

    def has_look_permission(self, request: HttpRequest, object_id: str | int | None = None) -> bool:
        """Tell whether this user may look into calls, and if there is anything where a call is meant."""
        if not request.user.has_perm("shipments.change_shipment") or object_id is None:
            return False
        unproved = waiting("unproved", member(request), timezone.now())
        return bool(unproved.filter(pk=object_id).exists())

    @action(description="Looked into", permissions=["look"], icon="check", url_path="look", dialog=_LOOK)
    def looked_into(self, request: HttpRequest, form: ReasonForm, object_id: int | str) -> HttpResponse:
        """Take a call whose caller proved nothing off the worklist, and keep what came of it."""
        call = get_object_or_404(self.get_queryset(request), pk=object_id)

        def look(now: datetime) -> str:
            reason, by = form.cleaned_data["reason"], member(request)
            look_into(kind="call", object_id=call.public_id, by=by, reason=reason, now=now)
            return f"{call}: looked into."

        back = reverse("admin:voice_call_change", args=[call.pk])
        return carried_out(request, form, _LOOK, look, back)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Call]:
        """Return the calls with what a row shows, or for one page all that it shows."""
        match = request.resolver_match
        one = match is not None and "object_id" in match.kwargs
        own = Call.objects.seen_by(member(request))
        return own.for_page() if one else own.for_list()

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Call | None = None,
    ) -> HttpResponse:
        """Put the call's page into the template."""
        if obj is not None:
            heard = request.user.has_perm("voice.view_transcript")
            context |= {"call": obj, "page": call_page.page_of(obj), "title": str(obj), "heard": heard}
        response: HttpResponse = super().render_change_form(request, context, add, change, form_url, obj)
        return response

    @admin.display(description="parcel", ordering="shipment__tracking_id")
    def parcel(self, call: Call) -> str:
        """Return the parcel that the call is about, where there was only one to be."""
        return call.shipment.tracking_id if call.shipment else call_page.NONE


class _OpenFirst(admin.SimpleListFilter):
    """Show what is to be done, unless something else is asked for."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*CallbackState.choices, ("all", "All")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value() or CallbackState.OPEN
        return queryset if wanted == "all" else queryset.filter(state=wanted)


@admin.register(CallbackRequest)
class CallbackRequestAdmin(Discreet, ForReading, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """Who is to be rung back, the most urgent first; rung back is said by an action."""

    list_display = ("due", "urgency", "whom", "why", "about", "page", "badge")
    list_display_links = None
    fields = ("due", "urgency", "whom", "why", "about", "page", "badge")
    readonly_fields = fields
    list_filter = (_OpenFirst, "reason")
    list_per_page = 50
    actions = ("call_back", "mark_done", "mark_cancelled")
    actions_row = ("rung_back", "show_number")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CallbackRequest]:
        """Return the requests with the calls that they come from."""
        return CallbackRequest.objects.seen_by(member(request)).select_related("call")

    @admin.display(description="ring back", ordering="window_end")
    def due(self, asked: CallbackRequest) -> str:
        """Return the window that the caller was told."""
        return f"{localtime(asked.window_start):%a %d %b %H:%M}–{localtime(asked.window_end):%H:%M}"

    @display(description="due", label={"Late": "danger", "Now": "warning", "Later": "info"})
    def urgency(self, asked: CallbackRequest) -> str:
        """Return how the window stands to now; nothing when it is dealt with."""
        now = timezone.now()
        if asked.state != CallbackState.OPEN:
            return call_page.NONE
        if now > asked.window_end:
            return "Late"
        return "Now" if now >= asked.window_start else "Later"

    @admin.display(description="number")
    def whom(self, asked: CallbackRequest) -> str:
        """Return the last digits of the number to ring."""
        return masked(asked.number)

    @admin.display(description="reason", ordering="reason")
    def why(self, asked: CallbackRequest) -> str:
        """Return why somebody is to ring."""
        return asked.get_reason_display()

    @admin.display(description="about")
    def about(self, asked: CallbackRequest) -> str:
        """Return what it is about, as the caller said it, without the numbers that he named."""
        return mask_numbers(asked.summary)

    @admin.display(description="call")
    def page(self, asked: CallbackRequest) -> str:
        """Return the way to the call that it comes from."""
        address = reverse("admin:voice_call_change", args=[asked.call_id])
        return format_html(
            '<a class="text-link" href="{}">{}</a>', address, f"{localtime(asked.created_at):%H:%M}"
        )

    @display(
        description="state",
        label={"Open": "warning", "Done": "success", "Cancelled": "info"},
    )
    def badge(self, asked: CallbackRequest) -> str:
        """Return what became of it."""
        return asked.get_state_display()

    @admin.action(description="Call back", permissions=["settle"])
    def call_back(self, request: HttpRequest, queryset: QuerySet[CallbackRequest]) -> None:
        """Have the agent call the chosen, where the rules allow it."""
        dial_admin.call_back(request, queryset)

    @admin.action(description="Rung back", permissions=["settle"])
    def mark_done(self, request: HttpRequest, queryset: QuerySet[CallbackRequest]) -> None:
        """Take the chosen off the list: they were rung back."""
        self._settle(request, queryset, CallbackState.DONE)

    @admin.action(description="Cancel", permissions=["settle"])
    def mark_cancelled(self, request: HttpRequest, queryset: QuerySet[CallbackRequest]) -> None:
        """Take the chosen off the list: nobody needs to ring."""
        self._settle(request, queryset, CallbackState.CANCELLED)

    def has_reveal_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may see numbers in full."""
        return request.user.has_perm("shipments.reveal_number")

    @action(
        description="Show number", permissions=["reveal"], icon="visibility", url_path="number", dialog=REVEAL
    )
    def show_number(self, request: HttpRequest, form: ReasonForm, object_id: int | str) -> HttpResponse:
        """Show the number to ring once, and keep who saw it and why."""
        asked = get_object_or_404(self.get_queryset(request), pk=object_id)

        def reveal(now: datetime) -> str:
            return reveal_number(
                kind="call",
                object_id=asked.call.public_id,
                number=asked.number,
                by=member(request),
                reason=form.cleaned_data["reason"],
                now=now,
            )

        return carried_out(request, form, REVEAL, reveal, reverse("admin:voice_callbackrequest_changelist"))

    @action(description="Rung back", permissions=["settle"], icon="check", url_path="rung", dialog=_RUNG)
    def rung_back(self, request: HttpRequest, form: BaseDialogForm, object_id: int | str) -> HttpResponse:
        """Take one request off the list: its caller was rung back."""
        asked = get_object_or_404(self.get_queryset(request), pk=object_id)
        self._settle(request, self.get_queryset(request).filter(pk=asked.pk), CallbackState.DONE)
        return gone_to(opened_at(request) or reverse("admin:voice_callbackrequest_changelist"))

    def has_settle_permission(self, request: HttpRequest) -> bool:
        """Tell whether this member of staff may deal with requests."""
        return request.user.has_perm("voice.change_callbackrequest")

    def _settle(
        self, request: HttpRequest, queryset: QuerySet[CallbackRequest], state: CallbackState
    ) -> None:
        pks, by = list(queryset.values_list("pk", flat=True)), request.user.get_username()
        count = ringing_back.settle(pks, state, by=by, now=timezone.now())
        self.message_user(request, f"{count} taken off the list")
