"""Let administrators make and shut out the systems that use the API; a token is shown once."""

from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from shipments import tokens
from shipments.admin.columns import member
from shipments.admin.dialogs import Dialog, ReasonForm, carried_out
from shipments.admin.lists import Discreet
from shipments.clients import ApiClient, Scope

_REVOKE: Dialog = {
    "title": "Shut this client out",
    "description": "Its token opens nothing from now on, for good. The reason is kept.",
    "form_class": ReasonForm,
    "form_submit_text": "Shut out",
}


class _ClientForm(forms.ModelForm):  # type: ignore[type-arg] # the class takes no argument when it runs
    """Asks who is to be let in, for what and to whose parcels."""

    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget)

    class Meta:
        model = ApiClient
        fields = ("name", "shipper", "scopes")


@admin.register(ApiClient)
class ApiClientAdmin(Discreet, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """The systems that use the API."""

    list_display = ("name", "shipper", "rights", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("name", "shipper")
    actions_detail: ClassVar = ["revoke"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Ask for what a new client is to be."""
        own = {"form": _ClientForm} if obj is None else {}
        return super().get_form(request, obj, change, **kwargs | own)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Show when a client came and went."""
        if obj is None:
            return ("name", "shipper", "scopes")
        return ("name", "shipper", "rights", "created_at", "last_used_at", "revoked_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Keep a client as it was made."""
        return self.get_fields(request, obj) if obj else ()

    @admin.display(description="may")
    def rights(self, client: ApiClient) -> str:
        """Return what this client may do."""
        return ", ".join(client.scopes)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Make the client by the verb, and keep its token for the one answer that shows it."""
        filled = form.cleaned_data
        made, obj.token = tokens.make_client(
            name=filled["name"],
            scopes=filled["scopes"],
            shipper=filled["shipper"],
            by=member(request).get_username(),
            now=timezone.now(),
        )
        obj.pk = made.pk

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> Any:
        """Show the token; it is stored nowhere and cannot be shown again."""
        context = self.admin_site.each_context(request) | {
            "title": f"Token of {obj}",
            "opts": self.opts,
            "token": obj.token,
            "use": "The client sends it with each request: Authorization: Bearer …",
            "back": reverse("admin:shipments_apiclient_change", args=[obj.pk]),
        }
        return TemplateResponse(request, "admin/shipments/token.html", context)  # never cached, as all here

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: who is to have other rights gets another token."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: who was shut out stays named."""
        return False

    def has_revoke_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Tell whether this user may shut clients out."""
        return request.user.has_perm("shipments.change_apiclient")

    @action(description="Shut out", permissions=["revoke"], icon="block", dialog=_REVOKE)
    def revoke(self, request: HttpRequest, form: ReasonForm, object_id: int | str) -> HttpResponse:
        """Shut a client out for good."""
        client = get_object_or_404(ApiClient, pk=object_id)

        def shut(now: datetime) -> str:
            by = member(request).get_username()
            tokens.revoke(client_id=client.pk, by=by, reason=form.cleaned_data["reason"], now=now)
            return f"{client} is shut out."

        back = reverse("admin:shipments_apiclient_change", args=[client.pk])
        return carried_out(request, form, _REVOKE, shut, back)
