"""Let administrators say who is told of what, see what was told, and send it again."""

from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from shipments import outbox
from shipments.admin.columns import ForReading, badge, member
from shipments.admin.dialogs import Dialog, ReasonForm, carried_out
from shipments.admin.lists import Discreet
from shipments.clients import ApiClient
from shipments.errors import EndpointRefusedError
from shipments.notices import Endpoint, Kind, Notice, NoticeState

_CLOSE: Dialog = {
    "title": "Close this webhook",
    "description": "Nothing is told there from now on, for good. The reason is kept.",
    "form_class": ReasonForm,
    "form_submit_text": "Close",
}
_COLOURS = {
    NoticeState.WAITING.label: "info",
    NoticeState.DELIVERED.label: "success",
    NoticeState.DEAD.label: "danger",
}


class _EndpointForm(forms.ModelForm):  # type: ignore[type-arg] # the class takes no argument when it runs
    """Asks who is to be told of what, and where."""

    kinds = forms.MultipleChoiceField(choices=Kind.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget)

    class Meta:
        model = Endpoint
        fields = ("client", "url", "kinds")
        labels: ClassVar = {"url": "Address"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["client"].queryset = ApiClient.objects.filter(revoked_at=None)  # type: ignore[attr-defined] # of a choice among rows

    def clean_url(self) -> str:
        """Return an address that we may post to."""
        url: str = self.cleaned_data["url"]
        if not outbox.may_be_told(url):
            raise ValidationError(EndpointRefusedError.sentence)
        return url


@admin.register(Endpoint)
class EndpointAdmin(Discreet, ForReading, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """Where the courier's systems are told what happens."""

    list_display = ("client", "url", "told", "closed_at")
    list_filter = (("closed_at", admin.EmptyFieldListFilter),)
    fields = ("client", "url", "told", "created_at", "closed_at")
    readonly_fields = fields
    actions_detail: ClassVar = ["close"]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Tell whether this user may have systems told things."""
        return request.user.has_perm("shipments.add_endpoint")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Ask for what a new webhook is to be."""
        own = {"form": _EndpointForm} if obj is None else {}
        return super().get_form(request, obj, change, **kwargs | own)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Show when a webhook came and went."""
        return self.fields if obj else ("client", "url", "kinds")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Keep a webhook as it was made."""
        return self.fields if obj else ()

    @admin.display(description="told of")
    def told(self, endpoint: Endpoint) -> str:
        """Return what is told there."""
        return ", ".join(endpoint.kinds)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Make the webhook by the verb, and keep its secret for the one answer that shows it."""
        filled, by = form.cleaned_data, member(request).get_username()
        made, obj.token = outbox.add_endpoint(
            client=filled["client"], url=filled["url"], kinds=filled["kinds"], by=by, now=timezone.now()
        )
        obj.pk = made.pk

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> Any:
        """Show the secret; the pages never show it again."""
        context = self.admin_site.each_context(request) | {
            "title": f"Secret of {obj}",
            "opts": self.opts,
            "token": obj.token,
            "use": "What is told is signed with it: X-Courier-Signature: t=…,v1=…",
            "back": reverse("admin:shipments_endpoint_change", args=[obj.pk]),
        }
        return TemplateResponse(request, "admin/shipments/token.html", context)

    def has_close_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Tell whether this user may close webhooks."""
        return request.user.has_perm("shipments.change_endpoint")

    @action(description="Close", permissions=["close"], icon="block", dialog=_CLOSE)
    def close(self, request: HttpRequest, form: ReasonForm, object_id: int | str) -> HttpResponse:
        """Tell nothing there any more."""
        endpoint = get_object_or_404(Endpoint, pk=object_id)

        def shut(now: datetime) -> str:
            by, reason = member(request).get_username(), form.cleaned_data["reason"]
            outbox.close_endpoint(endpoint_id=endpoint.pk, by=by, reason=reason, now=now)
            return f"{endpoint} is closed."

        back = reverse("admin:shipments_endpoint_change", args=[endpoint.pk])
        return carried_out(request, form, _CLOSE, shut, back)


@admin.register(Notice)
class NoticeAdmin(Discreet, ForReading, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """What was told, what waits, and what was given up."""

    list_display = ("created_at", "endpoint", "kind", "state_badge", "tries", "answer", "next_at")
    list_filter = ("state", "kind", "endpoint")
    list_per_page = 50
    list_select_related = ("endpoint__client",)
    show_full_result_count = False
    search_fields = ("=event_id",)
    search_help_text = "The event's id, as its receiver has it"
    fields = (
        *("event_id", "endpoint", "kind", "state_badge", "tries", "answer"),
        *("created_at", "next_at", "give_up_at", "delivered_at", "body"),
    )
    readonly_fields = fields
    actions = ("send_again",)

    @badge("state", _COLOURS)
    def state_badge(self, notice: Notice) -> str:
        """Return how far it has come."""
        return notice.get_state_display()

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may have things told anew."""
        return request.user.has_perm("shipments.change_notice")

    @admin.action(description="Send again", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Notice]) -> None:
        """Try the chosen notices anew, for another day."""
        by = member(request).get_username()
        count = outbox.send_again(queryset.values_list("pk", flat=True), by=by, now=timezone.now())
        messages.success(request, f"{count} to be sent again.")
