"""Keep the depots: whose they are, and in which windows they deliver how much."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.db.models import F, Q


def local_zone() -> str:
    """Return the zone of a parcel whose depot gives none."""
    return str(settings.TIME_ZONE)


class DepotQuerySet(models.QuerySet["Depot"]):
    """Look depots up as their pages need them."""

    def seen_by(self, user: User) -> "DepotQuerySet":
        """Return the depots that a member of staff may see."""
        return self if user.has_perm("shipments.view_all_depots") else self.filter(staff=user)


class Depot(models.Model):
    """A place where parcels wait; its slots say when they can leave it."""

    name = models.CharField(max_length=80, unique=True)
    city = models.CharField(max_length=80)
    country = models.CharField(max_length=2, help_text="ISO 3166-1, two letters")
    time_zone = models.CharField(max_length=64, default=local_zone)
    staff = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="depots",
        help_text="who sees its parcels, calls and changes; some roles see those of every depot",
    )

    objects = DepotQuerySet.as_manager()

    class Meta:
        permissions = (("view_all_depots", "Can see what belongs to every depot"),)

    def __str__(self) -> str:
        return self.name


def reach(user: User, path: str = "depot", beside: Q | None = None) -> Q:
    """Return the condition for rows whose depot, at the end of `path`, a member of staff may see.

    What `beside` names is seen by all of them.
    """
    if user.has_perm("shipments.view_all_depots"):
        return Q()
    own = Q(**{f"{path}__in": Depot.objects.filter(staff=user).values("pk")})
    return own | beside if beside else own


class DeliverySlot(models.Model):
    """A window on a day in which a depot can deliver so many parcels; times are in the depot's zone."""

    depot = models.ForeignKey(Depot, on_delete=models.CASCADE, related_name="slots")
    date = models.DateField()
    window_start = models.TimeField()
    window_end = models.TimeField()
    capacity = models.PositiveIntegerField()
    booked = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("date", "window_start")
        constraints = (
            models.UniqueConstraint(fields=["depot", "date", "window_start"], name="one_slot_a_window"),
            models.CheckConstraint(condition=Q(booked__lte=F("capacity")), name="slot_not_overbooked"),
            models.CheckConstraint(
                condition=Q(window_end__gt=F("window_start")), name="slot_ends_after_it_starts"
            ),
        )

    def __str__(self) -> str:
        return f"{self.depot} {self.date} {self.window_start:%H:%M}–{self.window_end:%H:%M}"

    @property
    def starts_at(self) -> datetime:
        """When the window opens, aware, in the depot's zone."""
        return datetime.combine(self.date, self.window_start, ZoneInfo(self.depot.time_zone))

    @property
    def ends_at(self) -> datetime:
        """When the window closes, aware, in the depot's zone."""
        return datetime.combine(self.date, self.window_end, ZoneInfo(self.depot.time_zone))
