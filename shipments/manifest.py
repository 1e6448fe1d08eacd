"""Read rows of parcels as others know them: one check for what comes by the API, in a file or by a page."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from shipments.depots import Depot
from shipments.errors import Fault, RowsRefusedError
from shipments.phones import normalise
from shipments.reading import Exact, faults
from shipments.statuses import Status

PLACE = (
    *("line1", "line2", "building", "neighbourhood", "district", "city", "country"),
    *("landmark", "directions", "plus_code", "latitude", "longitude"),
)
"""Of an address, what both sides may see: neither the gate's code nor the drivers' notes."""
_CENTS = 2**53
"""The largest amount that every JSON reader keeps whole."""


class ParcelIn(Exact):
    """A parcel as the sender or the warehouse knows it; what is left out is empty."""

    tracking_id = serializers.RegexField(
        r"^[A-Za-z0-9][A-Za-z0-9._-]{2,31}\Z",
        error_messages={"invalid": "3 to 32 letters, figures, dots, hyphens and underscores."},
        help_text="the reference: 3 to 32 letters, figures, dots, hyphens and underscores",
    )
    shipper = serializers.CharField(max_length=120, default="", allow_blank=True)
    recipient_name = serializers.CharField(max_length=120)
    phone = serializers.CharField(
        max_length=32, help_text="the recipient's number of record, best with its country code"
    )
    line1 = serializers.CharField(max_length=200, default="", allow_blank=True)
    line2 = serializers.CharField(max_length=200, default="", allow_blank=True)
    building = serializers.CharField(max_length=120, default="", allow_blank=True)
    neighbourhood = serializers.CharField(max_length=120, default="", allow_blank=True)
    district = serializers.CharField(max_length=120, default="", allow_blank=True)
    city = serializers.CharField(max_length=80)
    country = serializers.RegexField(
        r"^[A-Z]{2}\Z",
        error_messages={"invalid": "A country has two capital letters, such as KE."},
        help_text="ISO 3166-1, two letters",
    )
    landmark = serializers.CharField(max_length=200, default="", allow_blank=True)
    directions = serializers.CharField(max_length=1000, default="", allow_blank=True)
    plus_code = serializers.CharField(max_length=20, default="", allow_blank=True)
    latitude = serializers.DecimalField(9, 6, min_value=-90, max_value=90, default=None, allow_null=True)
    longitude = serializers.DecimalField(9, 6, min_value=-180, max_value=180, default=None, allow_null=True)
    depot = serializers.CharField(
        max_length=80, default=None, allow_null=True, help_text="the name of the depot that it leaves from"
    )
    time_zone = serializers.CharField(
        max_length=64, default=None, allow_null=True, help_text="the recipient's; left out: the depot's"
    )
    promised_start = serializers.DateTimeField(default=None, allow_null=True)
    promised_end = serializers.DateTimeField(default=None, allow_null=True)
    cod_minor = serializers.IntegerField(
        min_value=0, max_value=_CENTS, default=0, help_text="cash on delivery, in minor units"
    )
    cod_currency = serializers.RegexField(
        r"^([A-Z]{3})?\Z",
        default="",
        allow_blank=True,
        error_messages={"invalid": "A currency has three capital letters, such as KES."},
        help_text="ISO 4217",
    )
    changes_allowed = serializers.BooleanField(default=True, help_text="no: the shipper forbids changes")
    delivery_code = serializers.RegexField(
        r"^[0-9]{4,6}\Z",
        default=None,
        error_messages={"invalid": "A delivery code has four to six digits."},
        allow_null=True,
        write_only=True,
        help_text="four to six digits that the recipient has: who says them is trusted more",
    )
    status = serializers.ChoiceField(
        choices=Status.choices,
        default=Status.INFO_RECEIVED,
        help_text="of a new parcel; one that is known is moved by its own address",
    )

    def validate_time_zone(self, name: str | None) -> str | None:
        """Let zones pass that there are."""
        if name and not _is_zone(name):
            raise ValidationError("There is no such time zone.")
        return name

    def validate_depot(self, name: str | None) -> Depot | None:
        """Return the depot of that name."""
        depots: Mapping[str, Depot] = self.context["depots"]
        if name and name not in depots:
            raise ValidationError("There is no depot of that name.")
        return depots[name] if name else None

    def validate_shipper(self, name: str) -> str:
        """Let a client that is bound to a shipper send that shipper's parcels only."""
        own: str = self.context["shipper"]
        if own and name not in ("", own):
            raise ValidationError("This client sends the parcels of another shipper.")
        return own or name

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Bring the number into one form, and look at what belongs together."""
        found: dict[str, str] = {}
        region = attrs["country"] or settings.PHONE_REGION
        number = normalise(attrs["phone"], region)
        if not number:
            found["phone"] = "That is no telephone number."
        start, end = attrs["promised_start"], attrs["promised_end"]
        if (start is None) != (end is None) or (start and end and end <= start):
            found["promised_end"] = "A window has a start, and an end after it."
        if attrs["cod_minor"] and not attrs["cod_currency"]:
            found["cod_currency"] = "An amount has a currency."
        if found:
            raise ValidationError(found)
        return attrs | {"phone": number}


@dataclass(frozen=True, slots=True)
class Row:
    """A parcel as it was sent, checked; `number` is where it stands among the others, from 1."""

    number: int
    values: Mapping[str, Any]
    digest: str

    @property
    def tracking_id(self) -> str:
        """The reference that the sender knows it by."""
        return str(self.values["tracking_id"])

    @property
    def zone(self) -> str:
        """The recipient's time zone: as sent, or the depot's, or ours."""
        depot: Depot | None = self.values["depot"]
        return self.values["time_zone"] or (depot.time_zone if depot else settings.TIME_ZONE)


def read_rows(sent: Iterable[tuple[int, object]], *, shipper: str = "") -> list[Row]:
    """Return rows of parcels, checked: all of them or none.

    Each is sent with its number; `shipper` is the only one whose parcels may be among them, if given.

    Raises:
        RowsRefusedError: with what is wrong in which row.
    """
    reader = ParcelIn(
        context={"depots": {depot.name: depot for depot in Depot.objects.all()}, "shipper": shipper}
    )
    rows: list[Row] = []
    wrong: list[Fault] = []
    first: dict[str, int] = {}
    for number, given in sent:
        try:
            values = reader.run_validation(given)
        except ValidationError as error:
            wrong += [Fault(number, fault["field"], fault["message"]) for fault in faults(error.detail)]
            continue
        row = Row(number, values, _digest(values))
        if (earlier := first.setdefault(row.tracking_id, number)) != number:
            wrong.append(Fault(number, "tracking_id", f"This is the tracking id of row {earlier}."))
        rows.append(row)
    if wrong:
        raise RowsRefusedError(wrong)
    return rows


def _digest(values: Mapping[str, Any]) -> str:
    """Return what tells one body from another; of the delivery code, which could be guessed, nothing."""
    said = {
        name: str(value)
        for name, value in values.items()
        if value not in (None, "") and name != "delivery_code"
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@cache
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
