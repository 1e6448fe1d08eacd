"""What is kept of a call: who, when, what was said, what was done, what it cost."""

import secrets
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils.timezone import localtime

from shipments.audit import AuditEntry
from shipments.depots import reach
from voice.levels import Level, Proof
from voice.rights import CallParcel, StreamToken  # noqa: F401 # Django looks for models in this module
from voice.shared import DialSwitch, Lease, OwedHangUp, Tally  # noqa: F401 # the same
from voice.statuses import (
    DIAL_OPEN,
    LIVE,
    PROOFS,
    UNDIALLED,
    UNPROVED,
    CallbackReason,
    CallbackState,
    CallStatus,
    DialOutcome,
    DialState,
    Direction,
    EndedReason,
    EventSource,
    Outcome,
    Purpose,
    Speaker,
    StreamState,
    ToolState,
)

BILLED_KES_MINOR = Coalesce("carrier_cost_minor", "cost_kes_minor")
"""What the telephone costs in a query over calls: the carrier's word, and our estimate until it has come."""
RUNS = Q(status__in=LIVE) & ~Q(answered_at=None, outbound__state__in=UNDIALLED)
"""A call that is not over, in a query over calls; one of ours that rings nowhere and was put back is none."""
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def new_public_id() -> str:
    """Return 80 random bits as 16 characters that may stand in a log and in the carrier's metadata."""
    return "".join(secrets.choice(_CROCKFORD) for _ in range(16))


def new_request_id() -> str:
    """Return 160 random bits that a carrier may put into addresses: knowing them proves who placed a call."""
    return "".join(secrets.choice(_CROCKFORD) for _ in range(32))


class CallQuerySet(models.QuerySet["Call"]):
    """Look calls up as their pages need them."""

    def seen_by(self, user: User) -> "CallQuerySet":
        """Return the calls about parcels that a member of staff may see, and those of nobody's that wait."""
        ask = Exists(CallbackRequest.objects.filter(call=OuterRef("pk")))
        failed = Exists(ToolRun.objects.filter(call=OuterRef("pk"), name__in=PROOFS, state=ToolState.REFUSED))
        return self.filter(reach(user, "shipment__depot", beside=Q(shipment=None) & (ask | failed)))

    def by_telephone(self) -> "CallQuerySet":
        """Return the calls of customers, without those by which staff try the line out."""
        return self.filter(tester=None)

    def live(self) -> "CallQuerySet":
        """Return the calls that are not over, and not put back."""
        return self.filter(RUNS)

    def begun_since(self, at: datetime) -> "CallQuerySet":
        """Return the calls that began to ring at or after a moment."""
        return self.filter(created_at__gte=at)

    def unproved(self, since: datetime) -> "CallQuerySet":
        """Return the calls that are over whose callers proved nothing, or reported so, not looked into."""
        proofs = ToolRun.objects.filter(name__in=PROOFS)
        refused = ToolRun.objects.filter(name__in=UNPROVED, state=ToolState.REFUSED)
        refused = refused.filter(Q(name__in=PROOFS) | Q(call__level=0))
        seen = AuditEntry.objects.filter(
            object_kind="call", verb="look_into", object_id=OuterRef("public_id")
        )
        return (
            self.by_telephone()
            .filter(created_at__gte=since, pk__in=refused.values("call"))
            .exclude(status__in=LIVE)
            .exclude(Exists(proofs.filter(call=OuterRef("pk"), state=ToolState.OK)))
            .exclude(Exists(seen))
        )

    def for_list(self) -> "CallQuerySet":
        """Return the calls with the parcel that a row names."""
        return self.select_related("shipment")

    def for_page(self) -> "CallQuerySet":
        """Return the calls with all that was said, done and told of them."""
        return self.select_related("shipment", "tester").prefetch_related(
            "turns", "tool_runs", "events", "usage"
        )


class Call(models.Model):
    """One telephone call; `customer_number` is the side that is not ours, or empty when withheld."""

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    direction = models.CharField(max_length=8, choices=Direction.choices, default=Direction.INBOUND)
    status = models.CharField(max_length=12, choices=CallStatus.choices, default=CallStatus.RINGING)
    ended_reason = models.CharField(max_length=20, choices=EndedReason.choices, blank=True)
    outcome = models.CharField(max_length=32, choices=Outcome.choices, blank=True)
    session_id = models.CharField(
        max_length=128, unique=True, null=True, blank=True, help_text="the carrier's"
    )
    client_request_id = models.CharField(max_length=64, unique=True, null=True, blank=True)
    caller_number = models.CharField(max_length=64, blank=True)
    called_number = models.CharField(max_length=64, blank=True)
    customer_number = models.CharField(max_length=16, blank=True, db_index=True, help_text="E.164")
    proof = models.CharField(
        max_length=10,
        choices=[(proof.value, proof.name.lower()) for proof in Proof if proof],
        blank=True,
        help_text="who vouches for the customer's number; until somebody does it opens nothing",
    )
    level = models.PositiveSmallIntegerField(
        choices=[(level.value, level.label) for level in Level],
        default=Level.L0,
        help_text="how much the call is trusted; set by code only",
    )
    matched_by_number = models.BooleanField(
        default=False, help_text="taken for the call that we placed by its number alone; never trusted"
    )
    tester = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,  # without whom it would pass for a customer's call
        related_name="+",
        help_text="who speaks from a browser: this is a test call, and reaches demo parcels only",
    )
    driver = models.ForeignKey(
        "shipments.Driver", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    """Whose shift PIN was right in this call; set by code only."""
    purpose = models.CharField(max_length=32, default="enquiry")
    language = models.CharField(max_length=8, default="en")
    shipment = models.ForeignKey(
        "shipments.Shipment", null=True, blank=True, on_delete=models.SET_NULL, related_name="calls"
    )
    context = models.JSONField(default=list, blank=True, help_text="the parcels that the agent opened with")
    stream_state = models.CharField(max_length=8, choices=StreamState.choices, blank=True)
    stream_sid = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_index=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    carrier_duration_s = models.PositiveIntegerField(null=True, blank=True)
    timings = models.JSONField(default=dict, blank=True, help_text="milliseconds")
    counters = models.JSONField(default=dict, blank=True)
    cost_kes_minor = models.PositiveBigIntegerField(
        default=0, help_text="what we reckon that the carrier bills, cents of KES"
    )
    carrier_cost_minor = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="what the carrier says that it bills, cents of KES"
    )
    bill_asked_at = models.DateTimeField(null=True, blank=True, editable=False)
    cost_usd_micros = models.PositiveBigIntegerField(default=0, help_text="the model's, millionths of USD")
    rates_date = models.DateField(null=True, blank=True, help_text="the rates that both were computed by")

    objects = CallQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        permissions = (
            ("view_transcript", "Can read what was said in a call"),
            ("end_call", "Can end a call that runs"),
            ("steer_call", "Can tell the agent something in a call that runs"),
            ("place_test_call", "Can call the agent from a browser, as somebody of the demonstration"),
        )
        indexes = (models.Index(fields=["status", "-created_at"], name="call_by_status"),)

    def __str__(self) -> str:
        return f"{localtime(self.created_at):%a %d %b %H:%M} · {self.masked_number}"

    @property
    def is_test(self) -> bool:
        """Whether a member of staff speaks, who tries the line out."""
        return self.tester_id is not None

    @property
    def masked_number(self) -> str:
        """The customer's number by its last three digits; "withheld" when there is none."""
        return f"••• {self.customer_number[-3:]}" if self.customer_number else "withheld"

    @property
    def billed_kes_minor(self) -> int:
        """What the telephone costs: the carrier's word, and our estimate until it has come."""
        return self.cost_kes_minor if self.carrier_cost_minor is None else self.carrier_cost_minor

    @property
    def duration_s(self) -> int | None:
        """Seconds from the open stream to the end; None while either is missing."""
        if self.answered_at is None or self.ended_at is None:
            return None
        return round((self.ended_at - self.answered_at).total_seconds())


class Turn(models.Model):
    """What one side said in one go; milliseconds since the stream opened."""

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="turns")
    position = models.PositiveIntegerField()
    speaker = models.CharField(max_length=8, choices=Speaker.choices)
    text = models.TextField()
    started_ms = models.PositiveIntegerField()
    ended_ms = models.PositiveIntegerField()
    interrupted = models.BooleanField(default=False)

    class Meta:
        ordering = ("position",)
        constraints = (models.UniqueConstraint(fields=["call", "position"], name="one_turn_a_position"),)

    def __str__(self) -> str:
        return f"{self.speaker}: {self.text[:60]}"


class ToolRun(models.Model):
    """One call of a tool by the model, and what came of it."""

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="tool_runs")
    model_call_id = models.CharField(max_length=128)
    name = models.CharField(max_length=64)
    business_key = models.CharField(max_length=256, blank=True)
    arguments = models.JSONField(default=dict, blank=True)
    result = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=10, choices=ToolState.choices)
    started_ms = models.PositiveIntegerField()
    duration_ms = models.PositiveIntegerField()

    class Meta:
        ordering = ("started_ms", "pk")
        constraints = (
            models.UniqueConstraint(fields=["call", "model_call_id"], name="one_run_a_model_call"),
        )
        indexes = (
            models.Index(
                fields=["call"],
                condition=Q(name__in=UNPROVED, state=ToolState.REFUSED),
                name="run_that_proved_nothing",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"


class CallEvent(models.Model):
    """What the carrier told us of a call, as it came; kept once."""

    source = models.CharField(max_length=8, choices=EventSource.choices)
    kind = models.CharField(max_length=64)
    event_id = models.CharField(max_length=160, unique=True, null=True, blank=True)
    call = models.ForeignKey(Call, null=True, blank=True, on_delete=models.CASCADE, related_name="events")
    payload = models.JSONField(default=dict, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        ordering = ("received_at", "pk")

    def __str__(self) -> str:
        return self.kind


class UsageRecord(models.Model):
    """One usage report of the model: the raw object, and the tokens by modality that are billed."""

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="usage")
    at_ms = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    raw = models.JSONField()
    text_in = models.PositiveIntegerField(default=0)
    audio_in = models.PositiveIntegerField(default=0)
    text_out = models.PositiveIntegerField(default=0)
    audio_out = models.PositiveIntegerField(default=0)
    thoughts = models.PositiveIntegerField(default=0)
    cached = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("at_ms", "pk")
        constraints = (
            models.UniqueConstraint(fields=["call", "at_ms", "digest"], name="one_record_a_usage_report"),
        )

    def __str__(self) -> str:
        return f"{self.audio_in + self.text_in} in, {self.audio_out + self.text_out} out"


class OutboundCallQuerySet(models.QuerySet["OutboundCall"]):
    """Look placed calls up as the dialler and its pages need them."""

    def seen_by(self, user: User) -> "OutboundCallQuerySet":
        """Return the calls about parcels that a member of staff may see."""
        return self.filter(reach(user, "shipment__depot"))

    def open(self) -> "OutboundCallQuerySet":
        """Return the calls that are not over."""
        return self.filter(state__in=DIAL_OPEN)

    def due(self, now: datetime) -> "OutboundCallQuerySet":
        """Return the planned calls whose time has come, the longest waiting first."""
        return self.filter(state=DialState.PLANNED, not_before__lte=now).order_by("not_before", "pk")

    def for_list(self) -> "OutboundCallQuerySet":
        """Return the calls with what a row shows."""
        return self.select_related("shipment", "call")


class OutboundCall(models.Model):
    """One try to reach a parcel's recipient: planned, dialled at most once, and what came of it."""

    shipment = models.ForeignKey(
        "shipments.Shipment", on_delete=models.CASCADE, related_name="outbound_calls"
    )
    purpose = models.CharField(max_length=32, choices=Purpose.choices, default=Purpose.ETA)
    attempt = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=12, choices=DialState.choices, default=DialState.PLANNED)
    reason = models.CharField(max_length=300, blank=True, help_text="why it waits, or why it ended")
    outcome = models.CharField(max_length=16, choices=DialOutcome.choices, blank=True)
    number = models.CharField(max_length=16, help_text="the number of record when it was planned, E.164")
    asked_for = models.BooleanField(default=False, help_text="the customer wants this call; counts apart")
    may_have_rung = models.BooleanField(default=False, help_text="counts towards the limits")
    not_before = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    eta_at = models.DateTimeField(null=True, blank=True, help_text="the estimate it was planned by")
    client_request_id = models.CharField(max_length=32, unique=True, default=new_request_id, editable=False)
    carrier_call_id = models.CharField(max_length=128, blank=True)
    call = models.OneToOneField(
        Call, null=True, blank=True, on_delete=models.SET_NULL, related_name="outbound"
    )
    unsent = models.PositiveSmallIntegerField(default=0, help_text="requests that never left us")
    requested_by = models.CharField(max_length=120, blank=True)
    claimed_by = models.CharField(max_length=64, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    dialled_at = models.DateTimeField(null=True, blank=True)
    looked_up_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    objects = OutboundCallQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (
            models.Index(fields=["state", "not_before", "id"], name="outbound_in_turn"),
            models.Index(fields=["number", "-dialled_at"], name="outbound_by_number"),
            models.Index(fields=["-dialled_at"], name="outbound_by_dial"),
            models.Index(
                fields=["carrier_call_id"], name="outbound_by_carrier_id", condition=~Q(carrier_call_id="")
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=["shipment", "purpose", "attempt"], name="one_ring_an_attempt"),
            models.UniqueConstraint(
                fields=["shipment", "purpose"],
                condition=Q(state__in=sorted(DIAL_OPEN)),
                name="one_open_call_a_purpose",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} · {self.get_state_display()}"


class CallbackRequestQuerySet(models.QuerySet["CallbackRequest"]):
    """Look requests up as their pages need them."""

    def open(self) -> "CallbackRequestQuerySet":
        """Return the requests that nobody has dealt with, the most urgent first."""
        return self.filter(state=CallbackState.OPEN).order_by("window_end", "pk")

    def with_plans(self) -> "CallbackRequestQuerySet":
        """Add to each whether a call back to its number is planned or under way."""
        calls = OutboundCall.objects.open().filter(number=OuterRef("number"), purpose=Purpose.CALLBACK)
        # A dict, since the stubs take keywords for new fields and this one is declared by the model.
        told: dict[str, Exists] = {"is_planned": Exists(calls)}
        return self.annotate(**told)

    def seen_by(self, user: User) -> "CallbackRequestQuerySet":
        """Return the requests out of calls that a member of staff may see, and those about no parcel."""
        return self.filter(reach(user, "call__shipment__depot", beside=Q(call__shipment=None)))


class CallbackRequest(models.Model):
    """Somebody is to ring a caller back, on the number of record and within a window; one a call."""

    call = models.OneToOneField(Call, on_delete=models.CASCADE, related_name="callback")
    number = models.CharField(max_length=16, help_text="E.164")
    reason = models.CharField(
        max_length=16, choices=CallbackReason.choices, default=CallbackReason.ASKED, editable=False
    )
    summary = models.CharField(
        max_length=500, blank=True, help_text="what it is about, as the caller said it"
    )
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    state = models.CharField(max_length=10, choices=CallbackState.choices, default=CallbackState.OPEN)
    created_at = models.DateTimeField()

    is_planned: bool
    """Only of those that come by `with_plans`."""

    objects = CallbackRequestQuerySet.as_manager()

    class Meta:
        ordering = ("window_end", "pk")
        indexes = (models.Index(fields=["state", "window_end"], name="callback_by_state"),)
        verbose_name = "call-back request"

    def __str__(self) -> str:
        return f"{localtime(self.window_end):%a %d %b %H:%M} · ••• {self.number[-3:]}"
