"""Keep the files of parcels that somebody offered, from the look at what they would do to the doing."""

from django.db import models


class ParcelFile(models.Model):
    """A file of parcels: offered with what it would do, then taken in once, whole."""

    name = models.CharField(max_length=200)
    content = models.BinaryField()
    offered_by = models.CharField(max_length=120)
    offered_at = models.DateTimeField()
    created = models.PositiveIntegerField(help_text="parcels that were not known")
    updated = models.PositiveIntegerField(help_text="parcels that changed")
    unchanged = models.PositiveIntegerField()
    kept = models.JSONField(default=list, help_text="where something newer stands against the file")
    first_rows = models.JSONField(default=list, help_text="what would become of each; numbers masked")
    taken_by = models.CharField(max_length=120, blank=True)
    taken_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "shipments"
        ordering = ("-offered_at", "-pk")
        verbose_name = "file of parcels"
        verbose_name_plural = "files of parcels"
        permissions = (("export_parcels", "Can write parcels to a file"),)

    def __str__(self) -> str:
        return self.name
