"""Let files of parcels be looked at and then taken in, and have chosen parcels written to one."""

from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminFileFieldWidget

from shipments import loading
from shipments.admin.columns import NONE, ForReading, member
from shipments.admin.dialogs import Dialog, RefusableForm, carried_out
from shipments.admin.lists import Discreet
from shipments.errors import FileRefusedError, RowsRefusedError
from shipments.files import COLUMNS
from shipments.handovers import ParcelFile
from shipments.models import Shipment

_MOST = 10_000
_FAULTS = 50
_TAKE: Dialog = {
    "title": "Take this file in",
    "description": "All of it is taken, or, when something has changed so that a row is refused, nothing.",
    "form_class": RefusableForm,
    "form_submit_text": "Take in",
}


class _FileForm(forms.ModelForm):  # type: ignore[type-arg] # the class takes no argument when it runs
    """Asks for a file, and looks at what it would do."""

    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        help_text=f"CSV in UTF-8. The first row names the columns: {', '.join(COLUMNS)}.",
    )
    by = ""

    class Meta:
        model = ParcelFile
        fields = ()

    def clean_file(self) -> Any:
        """Keep the file as one that was looked at.

        Raises:
            ValidationError: with each row that is wrong.
        """
        sent = self.cleaned_data["file"]
        if (sent.size or 0) > loading.BYTES:
            raise ValidationError("That file is too large for this page: use manage.py import_shipments.")
        try:
            self.offered = loading.offer(
                name=sent.name or "parcels.csv", content=sent.read(), by=self.by, now=timezone.now()
            )
        except RowsRefusedError as refusal:
            wrong = [f"Row {one.row}, {one.field}: {one.message}" for one in refusal.faults]
            more = [f"… and {len(wrong) - _FAULTS} more"] if len(wrong) > _FAULTS else []
            raise ValidationError([str(refusal), *wrong[:_FAULTS], *more]) from refusal
        except FileRefusedError as refusal:
            raise ValidationError(str(refusal)) from refusal
        return sent


@admin.register(ParcelFile)
class ParcelFileAdmin(Discreet, ForReading, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """The files of parcels that were offered, and what became of them."""

    list_display = ("name", "offered_by", "offered_at", "created", "updated", "unchanged", "taken_at")
    fields = (
        *("name", "offered_by", "offered_at", "created", "updated", "unchanged", "stays"),
        *("rows", "taken_by", "taken_at"),
    )
    readonly_fields = fields
    actions_detail: ClassVar = ["take_in"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ParcelFile]:
        """Return the files without what is in them."""
        return ParcelFile.objects.defer("content")

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Tell whether this user may bring files."""
        return request.user.has_perm("shipments.add_parcelfile")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Ask for a file."""
        if obj is not None:
            return super().get_form(request, obj, change, **kwargs)
        return type("_FileForm", (_FileForm,), {"by": member(request).get_username()})

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Show what a file would do, or has done."""
        return self.fields if obj else ("file",)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Keep a file as it was offered."""
        return self.fields if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Go on with the row that the look at the file made."""
        obj.__dict__.update(form.offered.__dict__)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> Any:
        """Lead on to what the file would do."""
        return redirect(reverse("admin:shipments_parcelfile_change", args=[obj.pk]))

    @admin.display(description="stays against it")
    def stays(self, file: ParcelFile) -> str:
        """Return where something newer stands against the file."""
        return "\n".join(file.kept) or NONE

    @admin.display(description="first rows")
    def rows(self, file: ParcelFile) -> str:
        """Return what would become of the first rows, or became, each with its result."""
        return render_to_string("admin/shipments/_rows_of_file.html", {"rows": file.first_rows})

    def has_take_permission(self, request: HttpRequest, object_id: str | int | None = None) -> bool:
        """Tell whether this user may take files in, and if this one waits where one is meant."""
        if not request.user.has_perm("shipments.change_parcelfile"):
            return False
        return object_id is None or ParcelFile.objects.filter(pk=object_id, taken_at=None).exists()

    @action(description="Take in", permissions=["take"], icon="download_done", url_path="take", dialog=_TAKE)
    def take_in(self, request: HttpRequest, form: RefusableForm, object_id: int | str) -> HttpResponse:
        """Take a file in, all of it."""
        file = get_object_or_404(ParcelFile.objects.defer("content"), pk=object_id)

        def take(now: datetime) -> str:
            done = loading.take_in(file_id=file.pk, by=member(request).get_username(), now=now)
            return f"{file} is taken in." if done else f"{file} was taken in already."

        back = reverse("admin:shipments_parcelfile_change", args=[file.pk])
        return carried_out(request, form, _TAKE, take, back)


@admin.action(description="Write to a CSV file", permissions=["export"])
def export(_: ModelAdmin, request: HttpRequest, queryset: QuerySet[Shipment]) -> HttpResponse:
    """Send the chosen parcels as a file, ten thousand at most; numbers masked, formulas disarmed."""
    chosen = list(queryset[:_MOST])
    text = loading.export(chosen, by=member(request).get_username(), now=timezone.now())
    answer = HttpResponse(text, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="parcels.csv"'
    return answer
