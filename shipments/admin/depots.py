"""Show addresses for reading; let depots, their windows, the riders and the holidays be kept up."""

from typing import ClassVar

from django.contrib import admin
from unfold.admin import ModelAdmin, TabularInline

from shipments.admin.columns import ForReading
from shipments.models import Address, DeliverySlot, Depot, Driver, Holiday


@admin.register(Address)
class AddressAdmin(ForReading, ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """Where parcels go."""

    list_display = ("recipient_name", "building", "line1", "neighbourhood", "city", "landmark", "verified_at")
    list_filter = ("country", "city")
    search_fields = ("recipient_name", "phone", "building", "line1", "neighbourhood", "landmark")
    exclude = ("access_code",)  # it goes to the driver at the gate and to nobody else


class _Slots(TabularInline):  # type: ignore[misc] # unfold ships no types
    """The windows of a depot; how many places are taken is counted by the verbs."""

    model = DeliverySlot
    fields = ("date", "window_start", "window_end", "capacity", "booked")
    readonly_fields = ("booked",)
    extra = 0


@admin.register(Depot)
class DepotAdmin(ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """The depots and their delivery windows."""

    list_display = ("name", "city", "country", "time_zone")
    list_filter = ("country",)
    search_fields = ("name", "city")
    inlines: ClassVar = [_Slots]


@admin.register(Driver)
class DriverAdmin(ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """The riders."""

    list_display = ("name", "phone")
    search_fields = ("name", "phone")


@admin.register(Holiday)
class HolidayAdmin(ModelAdmin):  # type: ignore[misc] # unfold ships no types
    """The days on which nobody is rung up or delivered to."""

    list_display = ("date", "country", "name")
    list_filter = ("country",)
    date_hierarchy = "date"
