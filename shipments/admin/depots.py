"""Show addresses for reading; let depots, their windows, and the holidays be kept up."""

from typing import ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from shipments.admin.columns import READING, ForReading, member, typed
from shipments.admin.lists import Discreet
from shipments.admin.upkeep import Audited
from shipments.courtesy import Holiday
from shipments.depots import DeliverySlot, Depot
from shipments.models import Address


@admin.register(Address)
class AddressAdmin(Discreet, ForReading, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """Where parcels go."""

    list_display = ("recipient_name", "house", "street", "neighbourhood", "city", "known_by", "verified_at")
    list_filter = ("country", "city")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("recipient_name", "building", "line1", "neighbourhood", "landmark")
    change_form_template = READING
    # The code goes to the driver at the gate and to nobody else.
    fields = (
        *("recipient_name", "house", "street", "line2", "neighbourhood", "district", "city", "country"),
        *("known_by", "way", "for_drivers", "plus_code", "latitude", "longitude"),
        *("verified_at", "verified_by"),
    )
    readonly_fields = fields
    house, street, known_by = typed("building"), typed("line1"), typed("landmark")
    way, for_drivers = typed("directions"), typed("gate_notes")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Address]:
        """Return the addresses within this user's reach."""
        return Address.objects.seen_by(member(request))


class _SlotForm(ModelForm):  # type: ignore[type-arg] # the class takes no argument when it runs
    """Writes what was asked for and nothing beside: places are taken while the form is open."""

    def clean_capacity(self) -> int:
        """Return how many places there are to be: not fewer than are taken."""
        capacity: int = self.cleaned_data["capacity"]
        if capacity < self.instance.booked:
            raise ValidationError(f"{self.instance.booked} places are booked already.")
        return capacity

    def save(self, commit: bool = True) -> DeliverySlot:
        """Write the slot; of one that is there only what was changed."""
        if not commit or self.instance.pk is None:
            slot: DeliverySlot = super().save(commit)
            return slot
        self.instance.save(update_fields=self.changed_data)
        return self.instance  # type: ignore[no-any-return] # see above


class _Slots(TabularInline):  # type: ignore[misc] # unfold ships no types
    """The windows of a depot; how many places are taken is counted by the verbs."""

    model = DeliverySlot
    form = _SlotForm
    fields = ("date", "window_start", "window_end", "capacity", "booked")
    readonly_fields = ("booked",)
    extra = 0


@admin.register(Depot)
class DepotAdmin(Audited, Discreet, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """The depots and their delivery windows."""

    list_display = ("name", "city", "country", "time_zone")
    list_filter = ("country",)
    search_fields = ("name", "city")
    autocomplete_fields = ("staff",)
    inlines: ClassVar = [_Slots]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Depot]:
        """Return the depots within this user's reach."""
        return Depot.objects.seen_by(member(request))

    def get_exclude(self, request: HttpRequest, obj: Depot | None = None) -> tuple[str, ...]:
        """Leave who works where to those who keep the staff."""
        return () if request.user.has_perm("auth.view_user") else ("staff",)


@admin.register(Holiday)
class HolidayAdmin(Audited, Discreet, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """The days on which nobody is rung up or delivered to."""

    list_display = ("date", "country", "name")
    list_filter = ("country",)
    date_hierarchy = "date"
