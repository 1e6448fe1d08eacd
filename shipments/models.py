"""Hold parcels, what happened to them, and what customers asked to have changed."""

from datetime import datetime
from functools import cache
from typing import ClassVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.db.models import Case, Exists, IntegerField, OuterRef, Q, Subquery, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Least

from shipments import codes
from shipments.agreement import Proposal, ProposalQuerySet
from shipments.audit import AuditEntry  # Django looks for models in this module
from shipments.clients import ApiClient  # noqa: F401 # the same
from shipments.courtesy import ContactPreference, Holiday  # noqa: F401 # the same
from shipments.depots import DeliverySlot, Depot, local_zone, reach
from shipments.handovers import ParcelFile  # noqa: F401 # the same
from shipments.kept import Kept, KeptQuerySet
from shipments.messages import OutgoingMessage  # noqa: F401 # the same
from shipments.notices import Endpoint, Notice  # noqa: F401 # the same
from shipments.phones import mask_numbers
from shipments.riders import Driver, RoundReport, Stop  # noqa: F401 # the same
from shipments.sealed import SealedCharField
from shipments.spelling import readings
from shipments.statuses import OVER, ChangeKind, ChangeState, Reason, Source, Status
from shipments.tracking import said_key

PROBLEM = "problem:"
"""How the key of an event begins that reports a problem."""
RECENT = 3
"""How many parcels of one number a call is ever told of: a number shared by forty is not a list to read."""


class AddressQuerySet(models.QuerySet["Address"]):
    """Look addresses up as their pages need them."""

    def seen_by(self, user: User) -> "AddressQuerySet":
        """Return the addresses to which a parcel goes that a member of staff may see."""
        if user.has_perm("shipments.view_all_depots"):
            return self
        return self.filter(pk__in=Shipment.objects.seen_by(user).values("address"))


class Address(models.Model):
    """Where a parcel goes: landmark and directions are fields, since many streets have no name."""

    recipient_name = models.CharField(max_length=120)
    phone = models.CharField(max_length=16, blank=True, help_text="E.164")
    line1 = models.CharField(max_length=200, blank=True)
    line2 = models.CharField(max_length=200, blank=True)
    building = models.CharField(max_length=120, blank=True)
    neighbourhood = models.CharField(max_length=120, blank=True)
    district = models.CharField(max_length=120, blank=True)
    city = models.CharField(max_length=80)
    country = models.CharField(max_length=2, help_text="ISO 3166-1, two letters")
    landmark = models.CharField(max_length=200, blank=True)
    directions = models.TextField(max_length=1000, blank=True)
    gate_notes = models.TextField(max_length=500, blank=True, help_text="for drivers, never for customers")
    access_code = SealedCharField(
        max_length=255, blank=True, help_text="never spoken: sent to the driver whose next stop this is"
    )
    plus_code = models.CharField(max_length=20, blank=True)
    latitude = models.DecimalField(max_digits=9, decimal_places=6, null=True, blank=True)
    longitude = models.DecimalField(max_digits=9, decimal_places=6, null=True, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    verified_by = models.CharField(max_length=120, blank=True)

    objects = AddressQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "addresses"

    def __str__(self) -> str:
        named = (self.building or self.line1, self.neighbourhood, self.city)
        return mask_numbers(", ".join(part for part in named if part))

    @property
    def area(self) -> str:
        """The part of an address that may be said to whoever holds the number of record."""
        return self.neighbourhood or self.district or self.city

    @property
    def gate_code(self) -> str:
        """What opens the gate, for the driver whose next stop this is: read here only, and never spoken."""
        return self.access_code


class ShipmentQuerySet(models.QuerySet["Shipment"]):
    """Look parcels up as the line needs them."""

    def seen_by(self, user: User) -> "ShipmentQuerySet":
        """Return the parcels that a member of staff may see."""
        return self.filter(reach(user))

    def locked(self) -> "ShipmentQuerySet":
        """Have parcels stay as they are, for others, until this transaction ends; SQLite has one writer.

        Who takes several rows takes them in one order, or two who have taken one each wait for each other:
        a driver first; then all known parcels that are written to, by their keys; then new ones, by their
        tracking ids, which are unique; then windows, by their keys. Rows that only point at a parcel do not
        count: writing one never waits for this lock, nor this lock for it.
        """
        return self.select_for_update(of=("self",), no_key=True).order_by("pk")

    def for_number(self, number: str) -> "ShipmentQuerySet":
        """Return the parcels whose number of record is `number` (E.164); none for a withheld one."""
        return self.filter(phone=number) if number else self.none()

    def open_to(self, *, demo: bool) -> "ShipmentQuerySet":
        """Return the parcels within reach: with `demo` those of the demonstration and no others."""
        return self.filter(is_demo=True) if demo else self

    def live(self) -> "ShipmentQuerySet":
        """Return the parcels that somebody is still waiting for."""
        return self.exclude(status__in=OVER)

    def recent_for(self, number: str) -> "ShipmentQuerySet":
        """Return at most three parcels of a number: the live ones first, the newest of each first."""
        over = Case(When(status__in=OVER, then=Value(1)), default=Value(0), output_field=IntegerField())
        return self.for_number(number).for_telling().order_by(over, "-created_at", "-pk")[:RECENT]

    def by_said_id(self, said: str) -> "ShipmentQuerySet":
        """Return the parcels whose tracking id reads exactly as `said`, spelled, glued or spaced."""
        return self.filter(tracking_key__in=readings(said))

    def for_telling(self) -> "ShipmentQuerySet":
        """Add to each parcel all that a caller may be told, so that telling costs no further query.

        `news_at` is when the courier last said anything of it: a call is no news of where it is.
        """
        return self.select_related("address", "depot", "slot__depot").annotate(**_told())


@cache  # every tool asks for it, and building it took a fifth of that
def _told() -> dict[str, Combinable]:
    news = TrackingEvent.objects.filter(shipment=OuterRef("pk")).exclude(source=Source.VOICE_AGENT)
    waiting = DeliveryChange.objects.filter(shipment=OuterRef("pk"), state=ChangeState.NEEDS_APPROVAL)
    # A dict, since the stubs take keywords for new fields and these two are declared by the model.
    return {
        "news_at": Subquery(news.order_by("-occurred_at").values("occurred_at")[:1]),
        "change_waiting": Exists(waiting),
    }


class Shipment(models.Model):
    """A parcel on its way; `version` grows with every change, so that a stale one is refused."""

    tracking_id = models.CharField(max_length=32, unique=True)
    tracking_key = models.GeneratedField(
        # Computed by the database, so that no way of writing a row can forget it.
        expression=said_key("tracking_id", "- /._#"),
        output_field=models.CharField(max_length=32),
        db_persist=True,
    )
    shipper = models.CharField(max_length=120, blank=True)
    recipient_name = models.CharField(max_length=120)
    phone = models.CharField(max_length=16, help_text="the recipient's number of record, E.164")
    status = models.CharField(max_length=24, choices=Status.choices, default=Status.PENDING)
    status_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="when it came to be so; earlier news are late"
    )
    substatus = models.CharField(max_length=32, blank=True)
    version = models.PositiveIntegerField(default=1)
    depot = models.ForeignKey(Depot, null=True, blank=True, on_delete=models.SET_NULL)
    address = models.ForeignKey(Address, on_delete=models.PROTECT, related_name="shipments")
    driver = models.ForeignKey(Driver, null=True, blank=True, on_delete=models.SET_NULL)
    slot = models.ForeignKey(
        DeliverySlot,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        help_text="the slot this parcel holds a place in; given back when it moves to another",
    )
    time_zone = models.CharField(max_length=64, default=local_zone, help_text="the recipient's")
    promised_start = models.DateTimeField(null=True, blank=True)
    promised_end = models.DateTimeField(null=True, blank=True)
    eta_at = models.DateTimeField(null=True, blank=True)
    eta_computed_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    cod_minor = models.PositiveBigIntegerField(default=0, help_text="cash on delivery, in minor units")
    cod_currency = models.CharField(max_length=3, blank=True, help_text="ISO 4217")
    changes_allowed = models.BooleanField(default=True, help_text="no: the shipper forbids changes")
    pin_seal = models.CharField(max_length=128, blank=True, editable=False)
    pin_failures = models.PositiveSmallIntegerField(default=0, help_text="wrong delivery codes in a row")
    intake_digest = models.CharField(
        max_length=64, blank=True, editable=False, help_text="of what its sender last said of it"
    )
    is_demo = models.BooleanField(default=False, help_text="never dialled over a real line")
    minted = models.BooleanField(default=False, editable=False, help_text="the id is of our making")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    news_at: datetime | None
    change_waiting: bool
    """Both only on rows that came through `for_telling`."""

    objects = ShipmentQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        permissions = (("reveal_number", "Can see telephone numbers in full, with a reason"),)
        indexes = (
            models.Index(fields=["phone", "-created_at"], name="shipment_by_phone"),
            models.Index(fields=["tracking_key"], name="shipment_by_key"),
            models.Index(fields=["status"], name="shipment_by_status"),
        )

    def __str__(self) -> str:
        return self.tracking_id

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which this parcel's times are spoken and compared."""
        return ZoneInfo(self.time_zone)

    def set_pin(self, code: str) -> None:
        """Set the delivery code; the row is saved by whoever asks."""
        self.pin_seal = codes.seal(code)
        self.pin_failures = 0

    def is_pin(self, code: str) -> bool:
        """Tell whether this is the delivery code, and nothing else; failures are counted by the verb."""
        return codes.opens(code, self.pin_seal)


class TrackingEventQuerySet(KeptQuerySet["TrackingEvent"]):
    """Look events up as their pages need them."""

    def open_problems(self) -> "TrackingEventQuerySet":
        """Return the problems that were reported and that nobody has looked into since, the oldest first."""
        seen = AuditEntry.objects.filter(
            object_kind="problem",
            object_id=OuterRef("shipment__tracking_id"),
            at__gte=OuterRef("occurred_at"),
        )
        reported = self.filter(idempotency_key__startswith=PROBLEM)
        return reported.exclude(Exists(seen)).order_by("occurred_at", "pk")

    def seen_by(self, user: User) -> "TrackingEventQuerySet":
        """Return the events of parcels that a member of staff may see."""
        return self.filter(reach(user, "shipment__depot"))


class TrackingEvent(Kept):
    """One thing that happened to a parcel; written once, never changed."""

    shipment = models.ForeignKey(Shipment, on_delete=models.CASCADE, related_name="events")
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(auto_now_add=True)
    status = models.CharField(max_length=24, choices=Status.choices)
    substatus = models.CharField(max_length=32, blank=True)
    reason = models.CharField(max_length=40, choices=Reason.choices, blank=True)
    description = models.CharField(max_length=300, blank=True)
    location = models.CharField(max_length=120, blank=True)
    latitude = models.DecimalField(max_digits=9, decimal_places=6, null=True, blank=True)
    longitude = models.DecimalField(max_digits=9, decimal_places=6, null=True, blank=True)
    source = models.CharField(max_length=16, choices=Source.choices)
    actor = models.CharField(max_length=120, blank=True)
    call_public_id = models.CharField(max_length=16, blank=True, db_index=True)
    idempotency_key = models.CharField(max_length=128, unique=True)

    objects: ClassVar[TrackingEventQuerySet] = TrackingEventQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("occurred_at", "pk")
        indexes = (models.Index(fields=["shipment", "occurred_at"], name="event_by_shipment"),)

    def __str__(self) -> str:
        return f"{self.get_status_display()} · {self.description}" if self.description else self.status


class DeliveryChangeQuerySet(ProposalQuerySet["DeliveryChange"]):
    """Look changes up as their pages need them."""

    def seen_by(self, user: User) -> "DeliveryChangeQuerySet":
        """Return the changes that a member of staff may see."""
        return self.filter(reach(user, "shipment__depot"))

    def waiting(self) -> "DeliveryChangeQuerySet":
        """Return the changes that somebody has to decide on, what is due first at the top."""
        # Of a pair SQLite's LEAST knows nothing when it lacks one: then it is the other.
        due = Coalesce(Least("shipment__eta_at", "requested_start"), "shipment__eta_at", "requested_start")
        waiting = self.filter(state=ChangeState.NEEDS_APPROVAL)
        return waiting.order_by(Coalesce(due, "created_at"), "created_at", "pk")

    def saved_since(self, at: datetime) -> "DeliveryChangeQuerySet":
        """Return the deliveries that a customer's call put right since then: they would have found nobody."""
        applied = self.filter(state=ChangeState.APPLIED, decided_at__gte=at)
        return applied.filter(asker=None).exclude(call_public_id="")


class DeliveryChange(Proposal):
    """Something a customer asked for, from the proposal read back to him to what became of it."""

    shipment = models.ForeignKey(Shipment, on_delete=models.CASCADE, related_name="changes")
    kind = models.CharField(max_length=24, choices=ChangeKind.choices)
    slot = models.ForeignKey(DeliverySlot, null=True, blank=True, on_delete=models.PROTECT)
    requested_start = models.DateTimeField(null=True, blank=True)
    requested_end = models.DateTimeField(null=True, blank=True)
    requested_address = models.JSONField(default=dict, blank=True)
    previous = models.JSONField(default=dict, blank=True, help_text="what the change replaces")
    rule_results = models.JSONField(default=dict, blank=True)
    verification_level = models.CharField(max_length=8, blank=True)
    requested_by = models.CharField(max_length=120, blank=True)
    asker = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="the member of staff who asked for it, and who may not decide on it",
    )
    decided_by = models.CharField(max_length=120, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.CharField(max_length=300, blank=True)
    shipment_version = models.PositiveIntegerField()

    objects: ClassVar[DeliveryChangeQuerySet] = DeliveryChangeQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-created_at", "-pk")
        permissions = (("approve_change", "Can decide on changes that wait for approval"),)
        indexes = (models.Index(fields=["state", "created_at"], name="change_by_state"),)
        constraints = (
            models.UniqueConstraint(
                fields=["shipment"],
                condition=Q(state=ChangeState.NEEDS_APPROVAL),
                name="one_change_waiting_a_shipment",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.get_state_display()}"
