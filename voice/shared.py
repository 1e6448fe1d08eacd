"""Keep what all processes share: counts, what one leaves to another, and who does a periodic job."""

from django.db import models


class Tally(models.Model):
    """How often something was done, until it is counted anew; see `voice.quotas`."""

    key = models.CharField(max_length=96, unique=True)
    used = models.PositiveIntegerField()
    until = models.DateTimeField(db_index=True)

    class Meta:
        app_label = "voice"

    def __str__(self) -> str:
        return f"{self.key.partition(':')[0]}: {self.used}"


class Lease(models.Model):
    """Which worker does a periodic job, until when, and when it is due again."""

    job = models.CharField(max_length=32, unique=True)
    holder = models.CharField(max_length=64, blank=True)
    held_until = models.DateTimeField()
    due_at = models.DateTimeField()

    class Meta:
        app_label = "voice"

    def __str__(self) -> str:
        return self.job


class OwedHangUp(models.Model):
    """A call that is over for us and whose caller the carrier did not hang up: a worker has it done."""

    call = models.OneToOneField("voice.Call", on_delete=models.CASCADE, related_name="+")
    from_at = models.DateTimeField(db_index=True)

    class Meta:
        app_label = "voice"

    def __str__(self) -> str:
        return f"to be hung up from {self.from_at:%H:%M:%S}"


class DialSwitch(models.Model):
    """The one row that all diallers share: whether they dial at all, and when the next may."""

    paused = models.BooleanField(default=False)
    reason = models.CharField(max_length=300, blank=True)
    changed_by = models.CharField(max_length=120, blank=True)
    changed_at = models.DateTimeField(null=True, blank=True)
    next_dial_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "voice"

    def __str__(self) -> str:
        return "paused" if self.paused else "dialling"
