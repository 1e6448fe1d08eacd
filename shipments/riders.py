"""Keep who brings parcels to doors."""

from django.db import models

from shipments import codes


class Driver(models.Model):
    """Someone who brings parcels to doors."""

    name = models.CharField(max_length=120)
    phone = models.CharField(max_length=16, blank=True, db_index=True, help_text="E.164")
    on_shift = models.BooleanField(default=False)
    shift_pin_seal = models.CharField(max_length=128, blank=True, editable=False)

    class Meta:
        app_label = "shipments"

    def __str__(self) -> str:
        return self.name

    def set_shift_pin(self, code: str) -> None:
        """Set the PIN of today's shift; the row is saved by whoever asks."""
        self.shift_pin_seal = codes.seal(code)

    def is_shift_pin(self, code: str) -> bool:
        """Tell whether this is the PIN of a shift that runs."""
        return codes.opens(code, self.shift_pin_seal) and self.on_shift
