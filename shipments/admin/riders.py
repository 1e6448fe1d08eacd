"""Let the riders, their shifts and their rounds be kept up."""

from datetime import timedelta
from typing import ClassVar

from django.contrib import admin
from django.core.validators import RegexValidator
from django.db.models import QuerySet
from django.forms import CharField, ModelForm
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminTextInputWidget

from shipments.admin.columns import member
from shipments.admin.lists import ByNumber, Discreet
from shipments.models import reach
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
    """Takes the PIN of a new shift, and never shows one."""

    shift_pin = CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        validators=[RegexValidator(r"\A[0-9]{4,6}\Z", "A PIN is four to six digits.")],
        help_text="Four to six digits; leave it empty to keep the one that is set.",
    )

    def save(self, commit: bool = True) -> Driver:
        """Write the rider, with the new PIN sealed."""
        if code := self.cleaned_data["shift_pin"]:
            self.instance.set_shift_pin(code)
        driver: Driver = super().save(commit)
        return driver


@admin.register(Driver)
class DriverAdmin(Discreet, ByNumber, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """The riders and their rounds."""

    form = _DriverForm
    fields = ("name", "phone", "on_shift", "shift_pin")
    inlines: ClassVar = [_Stops]
    list_display = ("name", "phone", "on_shift")
    list_filter = ("on_shift",)
    search_fields = ("name",)
    search_help_text = "Name, or telephone number in full"
