"""Keep who changed what: one entry for each verb that wrote, in the transaction of the change."""

from typing import ClassVar

from django.db import models

from shipments.kept import Kept, KeptQuerySet


class AuditEntry(Kept):
    """Who did what to which object, with what it was before and after; holds no code and no PIN."""

    at = models.DateTimeField(db_index=True)
    actor = models.CharField(max_length=120)
    verb = models.CharField(max_length=40)
    object_kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=64)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    call_public_id = models.CharField(max_length=16, blank=True, db_index=True)

    objects: ClassVar[KeptQuerySet["AuditEntry"]] = KeptQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        app_label = "shipments"
        verbose_name_plural = "audit entries"
        ordering = ("at", "pk")
        indexes = (models.Index(fields=["object_kind", "object_id", "at"], name="audit_by_object"),)

    def __str__(self) -> str:
        return f"{self.actor} · {self.verb} · {self.object_kind} {self.object_id}"
