"""Keep when people are not to be disturbed: on holidays, and when they say so."""

from django.db import models

from shipments.phones import masked


class Holiday(models.Model):
    """A day on which nobody in a country is rung up or delivered to."""

    country = models.CharField(max_length=2, help_text="ISO 3166-1, two letters")
    date = models.DateField()
    name = models.CharField(max_length=80)

    class Meta:
        app_label = "shipments"
        ordering = ("date", "country")
        constraints = (
            models.UniqueConstraint(fields=["country", "date"], name="one_holiday_a_day_and_country"),
        )

    def __str__(self) -> str:
        return f"{self.date} {self.name}"


class ContactPreference(models.Model):
    """How the owner of a number wants to be reached, if at all; an opt-out holds until it is lifted."""

    number = models.CharField(max_length=16, unique=True, help_text="E.164")
    opted_out_at = models.DateTimeField(null=True, blank=True)
    language = models.CharField(max_length=16, blank=True, help_text="BCP 47, such as sw-KE")
    quiet_hours = models.CharField(max_length=11, blank=True, help_text="such as 20:00-07:00")

    class Meta:
        app_label = "shipments"

    def __str__(self) -> str:
        return masked(self.number)
