"""Keep who brings parcels to doors, in which order today, and what he reports of it."""

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q

from shipments import codes
from shipments.agreement import Proposal, ProposalQuerySet
from shipments.statuses import Reason, Status

_DAY = timedelta(days=1)


class DriverQuerySet(models.QuerySet["Driver"]):
    """Look drivers up as the line needs them."""

    def on_shift_at(self, number: str) -> "Driver | None":
        """Return the one driver on shift whose number (E.164) this is; two who share one are nobody."""
        found = list(self.filter(phone=number, on_shift=True)[:2]) if number else []
        return found[0] if len(found) == 1 else None


class Driver(models.Model):
    """Someone who brings parcels to doors."""

    name = models.CharField(max_length=120)
    phone = models.CharField(max_length=16, blank=True, db_index=True, help_text="E.164")
    on_shift = models.BooleanField(default=False)
    shift_pin_seal = models.CharField(max_length=128, blank=True, editable=False)
    pin_failures = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="wrong shift PINs in a row"
    )

    objects: ClassVar[DriverQuerySet] = DriverQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        app_label = "shipments"

    def __str__(self) -> str:
        return self.name

    def set_shift_pin(self, code: str) -> None:
        """Set the PIN of today's shift; the row is saved by whoever asks."""
        self.shift_pin_seal = codes.seal(code)
        self.pin_failures = 0

    def is_shift_pin(self, code: str) -> bool:
        """Tell whether this is the PIN of a shift that runs."""
        return codes.opens(code, self.shift_pin_seal) and self.on_shift


class StopQuerySet(models.QuerySet["Stop"]):
    """Look stops up as the line needs them."""

    def round_of(self, driver_id: int, now: datetime, *, demo: bool = False) -> list["Stop"]:
        """Return a driver's stops of today in order; today is the recipients'. With `demo`, demo parcels'."""
        near = self.filter(driver=driver_id, date__range=((now - _DAY).date(), (now + _DAY).date()))
        within = near.filter(shipment__is_demo=True) if demo else near
        stops = within.select_related("driver", "shipment__address").order_by("date", "position")
        return [stop for stop in stops if stop.date == now.astimezone(stop.shipment.zone).date()]

    def next_of(self, number: str, now: datetime, *, demo: bool = False) -> "Stop | None":
        """Return where the driver on shift whose number (E.164) this is goes next, if there is one."""
        driver = Driver.objects.on_shift_at(number)
        stops = self.round_of(driver.pk, now, demo=demo) if driver is not None else []
        waiting = (stop for stop in stops if stop.done_at is None)
        return next((stop for stop in waiting if stop.shipment.status == Status.OUT_FOR_DELIVERY), None)


class Stop(models.Model):
    """A door on a driver's round of a day; done when a scan takes its parcel off the road."""

    driver = models.ForeignKey(Driver, on_delete=models.CASCADE, related_name="stops")
    shipment = models.ForeignKey("shipments.Shipment", on_delete=models.CASCADE, related_name="stops")
    date = models.DateField(help_text="at the recipient's")
    position = models.PositiveSmallIntegerField(help_text="the driver's order of that day, from 1")
    done_at = models.DateTimeField(null=True, blank=True, editable=False)
    outcome = models.CharField(
        max_length=24, choices=Status.choices, blank=True, editable=False, help_text="what its parcel came to"
    )

    objects: ClassVar[StopQuerySet] = StopQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        app_label = "shipments"
        ordering = ("-date", "position")
        constraints = (
            models.UniqueConstraint(fields=["driver", "date", "position"], name="one_stop_a_position"),
            models.UniqueConstraint(
                fields=["shipment", "date"], condition=Q(done_at=None), name="one_open_stop_a_parcel_and_day"
            ),
            models.CheckConstraint(condition=Q(position__gte=1), name="stops_count_from_one"),
        )

    def __str__(self) -> str:
        return f"stop {self.position}"


class RoundReport(Proposal):
    """Something a driver reports of his round, from the sentence read back to him to what became of it.

    Either nothing was handed over at one stop, for a `reason`, or he is late by so many `minutes`.
    """

    driver = models.ForeignKey(Driver, on_delete=models.CASCADE, related_name="reports")
    reason = models.CharField(max_length=40, choices=Reason.choices, blank=True)
    minutes = models.PositiveSmallIntegerField(default=0)
    seen = models.JSONField(help_text="of each stop that it is about its number, its parcel and the version")
    told = models.JSONField(default=dict, help_text="what was answered when it had been agreed to")

    objects: ClassVar[ProposalQuerySet["RoundReport"]] = ProposalQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        app_label = "shipments"

    def __str__(self) -> str:
        return f"{self.get_reason_display() or f'{self.minutes} minutes late'} · {self.get_state_display()}"
