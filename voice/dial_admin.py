"""Let dispatchers have customers called, see what is planned and why it waits, and stop all dialling."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget

from shipments.admin import ShipmentAdmin
from shipments.admin.columns import member
from shipments.admin.dialogs import gone_to
from shipments.admin.lists import ByNumber, Discreet
from shipments.models import Shipment
from voice import dialing, outbound, ringing_back
from voice.desk import warn_of_pause
from voice.dial_rules import Answer, At, Never, Now, spoken
from voice.models import CallbackRequest, OutboundCall
from voice.orders import order_call
from voice.statuses import CallbackState, DialState, Purpose

_COLOURS = {
    DialState.PLANNED.label: "info",
    DialState.RINGING.label: "warning",
    DialState.ANSWERED.label: "success",
    DialState.DONE.label: "success",
    DialState.UNKNOWN.label: "danger",
    DialState.FAILED.label: "danger",
}
_MANY = 200
_BY_HAND = "stopped by hand."


def sentence(said: Answer, shipment: Shipment) -> str:
    """Return the gate's answer as a dispatcher reads it."""
    match said:
        case Now(because):
            return f"Now. {because}"
        case At(when, because):
            return f"{spoken(when, shipment.zone)} there. {because}"
        case Never(because):
            return f"Not called. {because}"


def _tell(request: HttpRequest, planned: Iterable[dialing.Planned]) -> None:
    for one in planned:
        level = messages.WARNING if isinstance(one.answer, Never) else messages.SUCCESS
        messages.add_message(request, level, f"{one.shipment}: {sentence(one.answer, one.shipment)}")


# On a parcel's page and in the list of parcels


class _PurposeForm(BaseDialogForm):  # type: ignore[misc] # unfold ships no types
    """Asks why the customer is to be called, and says of each purpose what the gate makes of it now."""

    purpose = forms.ChoiceField(choices=Purpose.choices, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        shipment = Shipment.objects.seen_by(member(self.request)).filter(pk=self.object_id).first()
        if shipment is not None:
            now = timezone.now()
            self.fields["purpose"].choices = [
                (value, f"{label} – {sentence(dialing.look(shipment, value, now=now), shipment)}")
                for value, label in Purpose.choices
            ]


def _may_call(_: ModelAdmin, request: HttpRequest, __: object = None) -> bool:
    return bool(request.user.has_perm("voice.add_outboundcall"))


@action(
    description="Call customer",
    permissions=["call"],
    icon="call",
    url_path="call-customer",
    dialog={
        "title": "Call the customer",
        "description": "The dialler places the call when the rules allow it.",
        "form_class": _PurposeForm,
        "form_submit_text": "Call",
    },
)
def _call_customer(
    _: ModelAdmin, request: HttpRequest, form: _PurposeForm, object_id: int | str
) -> HttpResponse:
    """Plan a call about one parcel."""
    shipment = get_object_or_404(Shipment.objects.seen_by(member(request)), pk=object_id)
    by = request.user.get_username()
    _tell(request, [order_call(shipment, form.cleaned_data["purpose"], by=by, now=timezone.now())])
    return gone_to(reverse("admin:shipments_shipment_change", args=[object_id]))


@admin.action(description="Call customers", permissions=["call"])
def _call_customers(
    model_admin: ModelAdmin, request: HttpRequest, queryset: QuerySet[Shipment]
) -> HttpResponse | None:
    """Show what the gate says of the chosen parcels, and plan calls once that was seen."""
    chosen = request.POST.get("purpose", "")
    purpose = chosen if chosen in Purpose.values else Purpose.ETA.value
    shipments, now = list(queryset[:_MANY]), timezone.now()
    if "confirmed" in request.POST:
        by = request.user.get_username()
        _tell(request, [order_call(one, purpose, by=by, now=now) for one in shipments])
        return None
    rows = [(one, sentence(dialing.look(one, purpose, now=now), one)) for one in shipments]
    context = model_admin.admin_site.each_context(request) | {
        "title": "Call customers",
        "opts": Shipment._meta,  # noqa: SLF001 - Django's own name for it in templates
        "rows": rows,
        "purpose": purpose,
        "purposes": Purpose.choices,
    }
    return TemplateResponse(request, "admin/voice/call_customers.html", context)


def _extend() -> None:
    """Add the actions to the parcels' pages: shipments knows of no calls."""
    ShipmentAdmin.has_call_permission = _may_call
    ShipmentAdmin.call_customer = _call_customer
    ShipmentAdmin.actions_detail = [*ShipmentAdmin.actions_detail, "call_customer"]
    ShipmentAdmin.actions = [*(ShipmentAdmin.actions or []), _call_customers]


_extend()


def call_back(request: HttpRequest, queryset: QuerySet[CallbackRequest]) -> None:
    """Plan a call to each who asked to be rung back and has a parcel under that number."""
    by, now = request.user.get_username(), timezone.now()
    theirs = Shipment.objects.seen_by(member(request))
    for asked in queryset.filter(state=CallbackState.OPEN).select_related("call__shipment"):
        parcel = ringing_back.parcel_of(asked, theirs)
        if parcel is None:
            messages.warning(request, f"{asked}: no parcel has this number, so only a person may ring it.")
            continue
        # Anybody may ask under a number that nobody vouches for: that lifts no wish of its owner's.
        asked_at = asked.created_at if asked.call.proof else None
        _tell(request, [order_call(parcel, Purpose.CALLBACK, by=by, now=now, asked_at=asked_at)])


# The calls that we place


@admin.register(OutboundCall)
class OutboundCallAdmin(Discreet, ByNumber, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """The queue: who is to be called, when, why not yet, and what came of it."""

    list_display = (
        "shipment",
        "purpose",
        "attempt",
        "badge",
        "when",
        "reason",
        "outcome",
        "page",
        "requested_by",
    )
    list_display_links = None
    exclude = ("number",)
    list_filter = ("state", "purpose", "outcome")
    show_full_result_count = False
    list_per_page = 50
    search_fields = ("shipment__tracking_id",)
    search_help_text = "Tracking number, or telephone number in full"
    number_field = "number"
    actions: ClassVar = ["cancel", "it_rang", "it_did_not_ring"]
    list_before_template = "admin/voice/dial_switch.html"

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: calls are planned by actions, which ask the gate."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: what a call was is not changed by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: the limits count on these rows."""
        return False

    def has_plan_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may take calls off the plan and decide on lost ones."""
        return bool(request.user.has_perm("voice.change_outboundcall"))

    def has_switch_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may stop and resume all dialling."""
        return bool(request.user.has_perm("voice.change_dialswitch"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutboundCall]:
        """Return the calls with what a row shows."""
        return OutboundCall.objects.seen_by(member(request)).for_list()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Say above the list when dialling is stopped, and let whoever may stop it."""
        switch = (
            dialing.switch()
        )  # first: a page that is too old is refused, one that is too new would not be
        warn_of_pause(request)
        shown = {
            "may_switch": self.has_switch_permission(request),
            "paused": switch.paused,
            "seen": str(switch.changed_at),
        }
        response: HttpResponse = super().changelist_view(request, (extra_context or {}) | shown)
        return response

    @display(description="state", ordering="state", label=_COLOURS)
    def badge(self, row: OutboundCall) -> str:
        """Return how far it has come."""
        return row.get_state_display()

    @admin.display(description="when (there)", ordering="not_before")
    def when(self, row: OutboundCall) -> str:
        """Return when it was dialled, or else when it may be, at the recipient's."""
        return spoken(row.dialled_at or row.not_before, row.shipment.zone)

    @admin.display(description="call")
    def page(self, row: OutboundCall) -> str:
        """Return the way to what was said."""
        if row.call_id is None:
            return "–"
        return format_html(
            '<a class="text-link" href="{}">Call</a>', reverse("admin:voice_call_change", args=[row.call_id])
        )

    @admin.action(description="Cancel", permissions=["plan"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[OutboundCall]) -> None:
        """Take the chosen off the plan."""
        by, pks = request.user.get_username(), queryset.values_list("pk", flat=True)
        self.message_user(request, f"{dialing.cancel(pks, by=by, now=timezone.now())} cancelled.")

    @admin.action(description="Unknown: it rang", permissions=["plan"])
    def it_rang(self, request: HttpRequest, queryset: QuerySet[OutboundCall]) -> None:
        """Close the chosen lost calls."""
        self._decide(request, queryset, rang=True)

    @admin.action(description="Unknown: it did not ring, call again", permissions=["plan"])
    def it_did_not_ring(self, request: HttpRequest, queryset: QuerySet[OutboundCall]) -> None:
        """Plan the chosen lost calls again."""
        self._decide(request, queryset, rang=False)

    def _decide(self, request: HttpRequest, queryset: QuerySet[OutboundCall], *, rang: bool) -> None:
        by, now = request.user.get_username(), timezone.now()
        pks = list(queryset.values_list("pk", flat=True))
        decided = sum(outbound.decide(pk, rang=rang, by=by, now=now) for pk in pks)
        self.message_user(request, f"{decided} decided.")

    def get_urls(self) -> list[URLPattern]:
        """Add the switch's two addresses."""
        names = ("pause_dialling", "resume_dialling")
        own = [
            path(
                name.replace("_", "-") + "/",
                self.admin_site.admin_view(require_POST(getattr(self, name))),
                name=f"voice_outboundcall_{name}",
            )
            for name in names
        ]
        return [*own, *super().get_urls()]

    def pause_dialling(self, request: HttpRequest) -> HttpResponse:
        """Stop all dialling: calls that are under way go on, no new one begins until somebody resumes."""
        self._may_switch(request)
        reason = " ".join(request.POST.get("reason", "").split())[:200] or _BY_HAND
        if not dialing.pause(by=request.user.get_username(), reason=reason, now=timezone.now()):
            self.message_user(
                request, "It was paused already, and stays so for that reason.", messages.WARNING
            )
        return redirect("admin:voice_outboundcall_changelist")

    def resume_dialling(self, request: HttpRequest) -> HttpResponse:
        """Let dialling go on: what is due is called at once. A page that is old knows of no later pause."""
        self._may_switch(request)
        switch = dialing.switch()
        by, now = request.user.get_username(), timezone.now()
        is_seen = switch.paused and request.POST.get("seen") == str(switch.changed_at)
        if is_seen and dialing.resume(by=by, now=now, seen_at=switch.changed_at):
            self.message_user(request, "Dialling goes on.")
        elif dialing.switch().paused:
            self.message_user(request, "It was paused again since: see why first.", messages.WARNING)
        return redirect("admin:voice_outboundcall_changelist")

    def _may_switch(self, request: HttpRequest) -> None:
        if not self.has_switch_permission(request):
            raise PermissionDenied
