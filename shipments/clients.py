"""Keep which of the courier's own systems may use the API, and for what."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from django.db import models
from django.db.models import TextChoices

_Rows = TypeVar("_Rows", bound=models.QuerySet[models.Model])


class Scope(TextChoices):
    """What a client may do; each is given by name, none brings another."""

    SHIPMENTS_READ = "shipments:read", "Read parcels"
    SHIPMENTS_WRITE = "shipments:write", "Write parcels, their statuses and their days"
    CALLS_READ = "calls:read", "Read calls"
    CALLS_PLACE = "calls:place", "Have customers called"
    TRANSCRIPTS_READ = "transcripts:read", "Read what was said in calls"
    NUMBERS_READ = "numbers:read", "See telephone numbers in full"


class ApiClient(models.Model):
    """One system that may ask us things; of its token only a digest is kept."""

    name = models.CharField(max_length=64, unique=True, help_text="as the audit shall call it")
    shipper = models.CharField(
        max_length=120, blank=True, help_text="only this shipper's parcels; empty: every parcel"
    )
    scopes = models.JSONField(default=list)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="to the minute")
    revoked_at = models.DateTimeField(null=True, blank=True)
    requests = models.PositiveIntegerField(default=0, editable=False)
    requests_until = models.DateTimeField(null=True, editable=False)
    """What was asked for in the minute that ends then: kept here, so that all processes count as one."""

    class Meta:
        app_label = "shipments"
        ordering = ("name",)
        verbose_name = "API client"

    is_authenticated = True
    """What REST framework asks of whoever makes a request."""

    def __str__(self) -> str:
        return self.name

    @property
    def actor(self) -> str:
        """What the audit and the history call this client."""
        return f"api {self.name}"

    def may(self, scopes: Iterable[str]) -> bool:
        """Tell whether this client has all of these scopes."""
        return set(scopes) <= set(self.scopes)

    def within_reach(self, rows: _Rows, path: str = "shipper") -> _Rows:
        """Return the rows about this client's parcels; `path` leads from a row to the parcel's shipper."""
        return rows.filter(**{path: self.shipper}) if self.shipper else rows

    def is_revoked(self, now: datetime) -> bool:
        """Tell whether the token opens nothing any more."""
        return self.revoked_at is not None and self.revoked_at <= now
