"""Keep what a call may open: its stream, once, and the parcels that it may speak of."""

from django.db import models
from django.db.models import Q


class CallParcel(models.Model):
    """A parcel that a call may speak of, by its alias there (P1 is place 1), and what was shown of it."""

    call_public_id = models.CharField(max_length=16)
    place = models.PositiveSmallIntegerField()
    shipment = models.ForeignKey("shipments.Shipment", on_delete=models.CASCADE, related_name="+")
    surname_at = models.DateTimeField(null=True, blank=True, help_text="when the surname on it was named")
    facts_at = models.DateTimeField(null=True, blank=True, help_text="when two facts of it were named")
    code_at = models.DateTimeField(null=True, blank=True, help_text="when its delivery code was right")

    class Meta:
        app_label = "voice"
        constraints = (
            models.UniqueConstraint(fields=["call_public_id", "place"], name="one_parcel_an_alias"),
            models.UniqueConstraint(fields=["call_public_id", "shipment"], name="one_alias_a_parcel"),
        )

    def __str__(self) -> str:
        return f"P{self.place}"


class StreamToken(models.Model):
    """The right to open one call's stream, once; of the tokens themselves only digests are kept."""

    call = models.ForeignKey("voice.Call", on_delete=models.CASCADE, related_name="tokens")
    digest = models.CharField(max_length=64, unique=True)
    status_digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    voided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "voice"
        constraints = (
            models.UniqueConstraint(
                fields=["call"], condition=Q(used_at__isnull=False), name="one_stream_a_call"
            ),
        )

    def __str__(self) -> str:
        return f"token {self.pk}"
