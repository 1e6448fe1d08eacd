"""Keep who wants to be told of what, and what each is still to be told: the rows of the outbox."""

import secrets
from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q, TextChoices

from shipments.clients import ApiClient
from shipments.sealed import SealedCharField


class Kind(TextChoices):
    """What a system may want to be told of."""

    CHANGE = "change.updated", "A wish to change a delivery was made, carried out or decided on"
    PARCEL = "parcel.updated", "Something happened to a parcel"
    CALL_ENDED = "call.ended", "A call about a parcel is over"


class NoticeState(TextChoices):
    """How far a notice has come."""

    WAITING = "waiting", "Waiting"
    DELIVERED = "delivered", "Delivered"
    DEAD = "dead", "Given up"


class Endpoint(models.Model):
    """Where one of the courier's systems is told things; the secret signs them, and is kept to be read."""

    client = models.ForeignKey(ApiClient, on_delete=models.CASCADE, related_name="endpoints")
    url = models.CharField(max_length=500, help_text="https, and reachable from here")
    kinds = models.JSONField(default=list)
    secret = SealedCharField(max_length=255, editable=False)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True, help_text="told nothing since")

    class Meta:
        app_label = "shipments"
        ordering = ("client", "pk")
        verbose_name = "webhook"

    def __str__(self) -> str:
        return f"{self.client}: {self.url}"


class NoticeQuerySet(models.QuerySet["Notice"]):
    """Look notices up as their job and their page need them."""

    def due(self, now: datetime) -> "NoticeQuerySet":
        """Return what is to be tried now, the longest due first."""
        waiting = self.filter(state=NoticeState.WAITING, next_at__lte=now, endpoint__closed_at=None)
        return waiting.select_related("endpoint").order_by("next_at", "pk")


class Notice(models.Model):
    """One thing that one endpoint is to be told: written with what it tells of, sent until it is taken."""

    event_id = models.CharField(max_length=64)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=24, choices=Kind.choices)
    body = models.TextField(help_text="as it is signed and sent")
    state = models.CharField(max_length=12, choices=NoticeState.choices, default=NoticeState.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField()
    give_up_at = models.DateTimeField()
    answer = models.CharField(max_length=120, blank=True, help_text="to the last try")
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[NoticeQuerySet] = NoticeQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        app_label = "shipments"
        ordering = ("-created_at", "-pk")
        verbose_name = "notice"
        indexes = (
            models.Index(fields=["next_at", "id"], condition=Q(state="waiting"), name="notice_that_waits"),
        )
        constraints = (
            models.UniqueConstraint(fields=["endpoint", "event_id"], name="told_once_an_endpoint"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"


def new_secret() -> str:
    """Return 256 random bits to sign with."""
    return f"whsec_{secrets.token_hex(28)}"
