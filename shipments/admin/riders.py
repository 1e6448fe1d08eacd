"""Let the riders, their shifts and their rounds be kept up."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db.models import Model, QuerySet
from django.forms import CharField, ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from shipments.admin.columns import member
from shipments.admin.dialogs import REVEAL, ReasonForm, carried_out
from shipments.admin.lists import ByNumber, Discreet
from shipments.admin.upkeep import Audited
from shipments.depots import reach
from shipments.desk import reveal_number
from shipments.phones import masked, normalise
from shipments.riders import Driver, Stop


class _Stops(TabularInline):  # type: ignore[misc] # unfold ships no types
    """The round of a rider, today's and what is planned; what a stop came to is written by scans."""

    model = Stop
    fields = ("date", "position", "shipment", "done_at", "outcome")
    readonly_fields = ("done_at", "outcome")
    autocomplete_fields = ("shipment",)
    ordering = ("date", "position")
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Stop]:
        """Return the stops within this user's reach; those of earlier days stand in the parcels' history."""
        own = Stop.objects.filter(reach(member(request), "shipment__depot"))
        return own.filter(date__gte=timezone.localdate() - timedelta(days=1)).select_related("shipment")


class _DriverForm(ModelForm):  # type: ignore[type-arg] # the class takes no argument when it runs
    """Takes a new number and the PIN of a new shift, and never shows either."""

    phone = CharField(
        label="New number",
        max_length=32,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="From which he rings; leave it empty to keep the one that is set.",
    )
    shift_pin = CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        validators=[RegexValidator(r"\A[0-9]{4,6}\Z", "A PIN is four to six digits.")],
        help_text="Four to six digits; leave it empty to keep the one that is set.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kept, self.initial["phone"] = self.instance.phone, ""

    def clean_phone(self) -> str:
        """Return the number in the form in which all are kept: the new one, or else the one that is set."""
        if not (said := self.cleaned_data["phone"]):
            return str(self.kept)
        if not (number := normalise(said, settings.PHONE_REGION)):
            raise ValidationError("That is no telephone number.")
        return number

    def save(self, commit: bool = True) -> Driver:
        """Write the rider, with the new PIN sealed."""
        if code := self.cleaned_data["shift_pin"]:
            self.instance.set_shift_pin(code)
        driver: Driver = super().save(commit)
        return driver


@admin.register(Driver)
class DriverAdmin(Audited, Discreet, ByNumber, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """The riders and their rounds."""

    form = _DriverForm
    secret_fields = ("phone", "shift_pin")
    inlines: ClassVar = [_Stops]
    list_display = ("name", "number", "on_shift")
    list_filter = ("on_shift",)
    search_fields = ("name",)
    search_help_text = "Name, or telephone number in full"
    readonly_fields = ("number",)
    actions_detail: ClassVar = ["show_number"]

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Ask those who keep riders up for what nobody is shown."""
        asked = ("phone", "shift_pin") if self.has_change_permission(request, obj) else ()
        return ("name", "number", "on_shift", *asked)

    @admin.display(description="number")
    def number(self, driver: Driver) -> str:
        """Return the last digits of the number."""
        return masked(driver.phone)

    def has_reveal_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Tell whether this user may see numbers in full."""
        return request.user.has_perm("shipments.reveal_number")

    @action(
        description="Show number", permissions=["reveal"], icon="visibility", url_path="number", dialog=REVEAL
    )
    def show_number(self, request: HttpRequest, form: ReasonForm, object_id: int | str) -> HttpResponse:
        """Show the rider's number once, and keep who saw it and why."""
        driver = get_object_or_404(Driver, pk=object_id)

        def reveal(now: datetime) -> str:
            number = reveal_number(
                kind="driver",
                object_id=str(driver.pk),
                number=driver.phone,
                by=member(request),
                reason=form.cleaned_data["reason"],
                now=now,
            )
            return f"{driver}: {number}"

        return carried_out(
            request, form, REVEAL, reveal, reverse("admin:shipments_driver_change", args=[driver.pk])
        )
