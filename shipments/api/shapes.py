"""Say what parcels look like to the courier's systems; what is sent has the names of what is answered."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from shipments.api.edge import Filters
from shipments.intake import ROWS, Result
from shipments.manifest import PLACE, ParcelIn
from shipments.models import Shipment, TrackingEvent
from shipments.phones import masked
from shipments.reading import Exact
from shipments.scans import Effect
from shipments.statuses import ChangeState, Reason, Status

_AHEAD = timedelta(minutes=10)
"""How far another computer's clock may be ahead of ours."""


class ParcelOut(serializers.ModelSerializer[Shipment]):
    """A parcel as it is now."""

    phone = serializers.SerializerMethodField(help_text="E.164; its last digits without `numbers:read`")
    depot = serializers.CharField(source="depot.name", default=None, allow_null=True, read_only=True)
    line1 = serializers.CharField(source="address.line1", read_only=True)
    line2 = serializers.CharField(source="address.line2", read_only=True)
    building = serializers.CharField(source="address.building", read_only=True)
    neighbourhood = serializers.CharField(source="address.neighbourhood", read_only=True)
    district = serializers.CharField(source="address.district", read_only=True)
    city = serializers.CharField(source="address.city", read_only=True)
    country = serializers.CharField(source="address.country", read_only=True)
    landmark = serializers.CharField(source="address.landmark", read_only=True)
    directions = serializers.CharField(source="address.directions", read_only=True)
    plus_code = serializers.CharField(source="address.plus_code", read_only=True)
    latitude = serializers.FloatField(source="address.latitude", read_only=True, allow_null=True)
    longitude = serializers.FloatField(source="address.longitude", read_only=True, allow_null=True)
    change_waiting = serializers.BooleanField(
        read_only=True, help_text="a wish of the recipient's waits for a dispatcher"
    )

    class Meta:
        model = Shipment
        fields = (
            *("tracking_id", "shipper", "recipient_name", "phone", "status", "substatus", "version"),
            *("depot", *PLACE, "time_zone", "promised_start", "promised_end", "eta_at", "attempts"),
            *("cod_minor", "cod_currency", "changes_allowed", "change_waiting", "created_at", "updated_at"),
        )
        read_only_fields = fields

    def get_phone(self, shipment: Shipment) -> str:
        """Return the number of record, as far as this client may see it."""
        return shipment.phone if self.context.get("numbers") else masked(shipment.phone)


class EventOut(serializers.ModelSerializer[TrackingEvent]):
    """One thing that happened to a parcel."""

    class Meta:
        model = TrackingEvent
        fields = (
            *("occurred_at", "recorded_at", "status", "substatus", "reason", "description", "location"),
            *("source", "call_public_id"),
        )
        read_only_fields = fields


class HistoryOut(ParcelOut):
    """A parcel with what happened to it, the latest first, a hundred at most."""

    events = serializers.SerializerMethodField()

    class Meta:
        model = Shipment
        fields = (*ParcelOut.Meta.fields, "events")
        read_only_fields = fields

    def get_events(self, shipment: Shipment) -> list[dict[str, Any]]:
        """Return the history."""
        latest = shipment.events.order_by("-occurred_at", "-pk")[:100]
        return list(EventOut(latest, many=True).data)


class ParcelPage(serializers.Serializer[Any]):
    """Some parcels, the newest first."""

    results = ParcelOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="the `cursor` of the next page")


class Batch(Exact):
    """Many parcels at once; each is checked by itself, so that what is wrong is told by its row."""

    shipments = serializers.ListField(
        child=serializers.DictField(), min_length=1, max_length=ROWS, help_text="each as for one parcel"
    )


class BatchShape(serializers.Serializer[Any]):
    """What `Batch` looks like to those who send it."""

    shipments = serializers.ListField(child=ParcelIn(), min_length=1, max_length=ROWS)


class ScanIn(Exact):
    """What was seen of a parcel."""

    status = serializers.ChoiceField(choices=Status.choices)
    occurred_at = serializers.DateTimeField(help_text="when it was so, not when it is told")
    event_id = serializers.CharField(
        max_length=64, default="", help_text="your name for this event: told again under it, it happened once"
    )
    substatus = serializers.CharField(max_length=32, default="", allow_blank=True)
    reason = serializers.ChoiceField(choices=Reason.choices, default="", allow_blank=True)
    description = serializers.CharField(max_length=300, default="", allow_blank=True)
    location = serializers.CharField(max_length=120, default="", allow_blank=True)
    eta_at = serializers.DateTimeField(default=None, allow_null=True, help_text="when it should arrive")

    def validate_occurred_at(self, at: datetime) -> datetime:
        """Refuse what is yet to come: all that follows would be late."""
        if at > timezone.now() + _AHEAD:
            raise ValidationError("This is in the future.")
        return at


class WishIn(Exact):
    """Another day for a parcel."""

    day = serializers.CharField(max_length=64, help_text="a date, or a day as callers say it")
    window = serializers.CharField(
        max_length=64, default=None, allow_null=True, help_text="such as 14:00-17:00; left out: any"
    )
    request_id = serializers.CharField(
        max_length=64, help_text="your name for this wish: asked again under it, the first answer is repeated"
    )
    version = serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, default=None, allow_null=True, help_text="refuse if it has another"
    )


class WishOut(serializers.Serializer[Any]):
    """What became of a wish."""

    change = serializers.CharField(help_text="its reference")
    state = serializers.ChoiceField(choices=ChangeState.choices)
    window_start = serializers.DateTimeField(allow_null=True)
    window_end = serializers.DateTimeField(allow_null=True)
    sentence = serializers.CharField()


class ScanOut(serializers.Serializer[Any]):
    """What a scan did, and the parcel after it."""

    effect = serializers.ChoiceField(choices=[effect.value for effect in Effect])
    parcel = ParcelOut()


class RowOut(serializers.Serializer[Any]):
    """What became of a row; `kept` names what was sent and not taken over."""

    row = serializers.IntegerField()
    tracking_id = serializers.CharField()
    result = serializers.ChoiceField(choices=[result.value for result in Result])
    kept = serializers.ListField(child=serializers.CharField())


class BatchOut(serializers.Serializer[Any]):
    """What became of many rows."""

    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    results = RowOut(many=True)


class ParcelFilters(Filters):
    """Which parcels are asked for."""

    status = serializers.ChoiceField(choices=Status.choices, required=False)
    phone = serializers.CharField(max_length=16, required=False, help_text="E.164, whole; needs numbers:read")
    depot = serializers.CharField(max_length=80, required=False, help_text="its name")
    created_since = serializers.DateTimeField(required=False)
    updated_since = serializers.DateTimeField(required=False)
