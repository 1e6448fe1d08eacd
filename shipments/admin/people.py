"""Let administrators keep the staff, supervisors the wishes of those whom we ring, and show the audit."""

import json
import re
from http import HTTPStatus
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from shipments.admin.columns import NONE, READING, ForReading, member
from shipments.admin.lists import ByNumber, Discreet
from shipments.admin.upkeep import Audited, note
from shipments.audit import AuditEntry
from shipments.courtesy import ContactPreference
from shipments.depots import Depot
from shipments.desk import keep_wishes
from shipments.phones import mask_numbers, masked, normalise

_FORMS = {
    "language": re.compile(r"([a-z]{2,3}(-[A-Z]{2})?)?"),
    "quiet_hours": re.compile(r"(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?"),
}
"""How these wishes are written; each may be left empty."""

admin.site.unregister(User)
admin.site.unregister(Group)


class _DepotsOfUser(TabularInline):  # type: ignore[misc] # unfold ships no types
    """The depots whose parcels, calls and changes somebody sees."""

    model = Depot.staff.through
    verbose_name = "depot"
    verbose_name_plural = "works for"
    extra = 0


@admin.register(User)
class StaffAdmin(Audited, Discreet, UserAdmin, ModelAdmin):  # type: ignore[misc,type-arg] # unfold ships no types
    """The staff: who may log in, in which role, and for which depots."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    inlines: ClassVar = [_DepotsOfUser]
    list_display = ("username", "first_name", "last_name", "roles", "is_active", "last_login")
    list_filter = ("is_active", "groups", "depots")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the staff with their roles."""
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        """Return the roles that somebody has."""
        named = [group.name for group in user.groups.all()]
        return ", ".join(["Superuser", *named] if user.is_superuser else named) or NONE

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Let nobody give rights beside the roles who does not have all of them, nor any to himself."""
        if obj is not None and obj.pk == request.user.pk:
            return ("is_superuser", "user_permissions", "groups")
        return () if _is_superuser(request) else ("is_superuser", "user_permissions")

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:  # noqa: A002 - Django's own name for it
        """Set somebody's password, and write down whose and who did."""
        answer = super().user_change_password(request, id, form_url)
        if answer.status_code == HTTPStatus.FOUND:
            note(get_object_or_404(User, pk=id), "set_password_of", member(request), {}, {})
        return answer

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let nobody take a superuser's place by way of his password."""
        if isinstance(obj, User) and obj.is_superuser and not _is_superuser(request):
            return False
        return bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: who has left is made inactive, since the records name him."""
        return False


@admin.register(Group)
class RoleAdmin(Audited, Discreet, GroupAdmin, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """The roles; they are made by migrations."""


class _WishesForm(ModelForm):  # type: ignore[type-arg] # the class takes no argument when it runs
    """Asks how somebody wants to be reached."""

    opted_out = forms.BooleanField(required=False, help_text="We never ring this number on our own account.")

    class Meta:
        model = ContactPreference
        fields = ("number", "language", "quiet_hours")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["opted_out"].initial = self.instance.opted_out_at is not None

    def clean_number(self) -> str:
        """Return the number in the form in which all are kept."""
        if not (number := normalise(self.cleaned_data["number"], settings.PHONE_REGION)):
            raise ValidationError("That is no telephone number.")
        return number

    def clean(self) -> None:
        """Refuse what nobody could read later."""
        for name, form in _FORMS.items():
            if not form.fullmatch(self.cleaned_data.get(name, "")):
                self.add_error(name, "Please write it in the form that is shown.")


@admin.register(ContactPreference)
class ContactPreferenceAdmin(Discreet, ByNumber, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """Who does not want to be rung, and in which language people want to be spoken to."""

    form = _WishesForm
    list_display = ("masked_number", "opted_out_at", "language", "quiet_hours")
    list_filter = (("opted_out_at", admin.EmptyFieldListFilter), "language")
    list_per_page = 50
    search_fields = ("=number",)  # and as people write it
    number_field = "number"
    search_help_text = "Whole telephone number"

    @admin.display(description="number")
    def masked_number(self, kept: ContactPreference) -> str:
        """Return the last digits of the number."""
        return masked(kept.number)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Ask for a number only where there is none yet."""
        return ("masked_number" if obj else "number", "opted_out", "language", "quiet_hours")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Keep a number as it is."""
        return ("masked_number",) if obj else ()

    def save_model(self, request: HttpRequest, obj: ContactPreference, form: Any, change: bool) -> None:
        """Write what was asked for by the verb, which keeps who did it."""
        filled = form.cleaned_data
        kept = keep_wishes(
            number=obj.number,
            opted_out=filled["opted_out"],
            language=filled["language"],
            quiet_hours=filled["quiet_hours"],
            by=member(request),
            now=timezone.now(),
        )
        obj.pk = kept.pk

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: a wish is taken back, not forgotten."""
        return False


@admin.register(AuditEntry)
class AuditEntryAdmin(Discreet, ForReading, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """Who did what; the database refuses to have it otherwise."""

    list_display = ("at", "actor", "verb", "about", "call_public_id")
    list_filter = ("verb", "object_kind")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("=object_id", "=actor", "=call_public_id")
    search_help_text = "Tracking number, telephone number or call in full; who did it"
    ordering = ("-at", "-pk")
    change_form_template = READING
    fields = ("at", "actor", "verb", "about", "call_public_id", "was", "became")
    readonly_fields = fields

    @admin.display(description="about")
    def about(self, entry: AuditEntry) -> str:
        """Return what it was done to; a number by its last digits."""
        named = masked(entry.object_id) if entry.object_kind == "number" else entry.object_id
        return f"{entry.object_kind} {named}"

    @admin.display(description="before")
    def was(self, entry: AuditEntry) -> str:
        """Return what it was before."""
        return _written(entry.before)

    @admin.display(description="after")
    def became(self, entry: AuditEntry) -> str:
        """Return what it was afterwards."""
        return _written(entry.after)


def _written(fields: dict[str, Any]) -> str:
    lines = (f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items())
    return mask_numbers("\n".join(lines)) or NONE


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_superuser)
