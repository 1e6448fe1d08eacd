"""Set the stage of the demonstration: what happens before its placed calls, and what follows from one.

Everything is told by the verbs by which the courier's own systems and dispatchers tell it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from django.contrib.auth.models import User

from shipments import decisions, scans
from shipments.courtesy import ContactPreference
from shipments.intake import Sender
from shipments.models import DeliveryChange, Shipment
from shipments.riders import Stop
from shipments.scans import Scan
from shipments.statuses import ChangeState, Reason, Source, Status, Substatus

_SYSTEMS = Sender("demo dispatch", Source.CARRIER)
_SUPERVISOR = "demo supervisor"


@dataclass(frozen=True, slots=True)
class Rounds:
    """Who is next on the four rounds: a gate that is not found, and three recipients whom we are to call.

    The parcel that is `arriving` finds its recipient at the telephone, the one that `failed` finds none, and
    whoever waits for the one that comes at `rest` wants no calls now.
    """

    gate: Stop
    arriving: Shipment
    failed: Shipment
    rest: Shipment

    @property
    def parcels(self) -> tuple[Shipment, ...]:
        """Return the four parcels."""
        return self.gate.shipment, self.arriving, self.failed, self.rest


def rounds() -> Rounds:
    """Return what the seeded day has next on its rounds.

    Raises:
        LookupError: it has not four rounds.
    """
    first = Stop.objects.filter(position=1, shipment__is_demo=True).order_by("pk")
    stops = list(first.select_related("driver", "shipment__address"))
    if len(stops) < 4:
        raise LookupError("the seeded day has no four rounds; run seed_demo again")
    gate, arriving, failed, rest = stops[-4:]
    return Rounds(gate, arriving.shipment, failed.shipment, rest.shipment)


def set_out(seed: int, now: datetime) -> list[str]:
    """Let happen what we are to call people about, at times drawn by the seed; return it, a line each."""
    dice, next_ones = Random(f"stage {seed}"), rounds()
    told = []
    for parcel in (next_ones.arriving, next_ones.rest):
        minutes = dice.randrange(8, 15)
        _report(parcel, Scan(Status.OUT_FOR_DELIVERY, now, eta_at=now + timedelta(minutes=minutes)), now)
        told.append(f"{parcel}: arrives in {minutes} minutes")
    quiet = _quiet_hours(next_ones.rest, now)
    ContactPreference.objects.update_or_create(number=next_ones.rest.phone, defaults={"quiet_hours": quiet})
    told[-1] += f"; whoever waits for it wants no calls from {quiet.replace('-', ' to ')}"
    nobody = Scan(
        Status.ATTEMPT_FAIL, now, substatus=Substatus.NOT_AVAILABLE, reason=Reason.CONSIGNEE_NOT_HOME
    )
    _report(next_ones.failed, nobody, now)
    return [*told, f"{next_ones.failed}: could not be handed over, nobody was there"]


def _report(parcel: Shipment, scan: Scan, now: datetime) -> None:
    scans.report(shipment_id=parcel.pk, scan=scan, sender=_SYSTEMS, now=now)


def _quiet_hours(parcel: Shipment, now: datetime) -> str:
    """Return hours that hold now, whenever that is, and until long after the parcel has come."""
    local = now.astimezone(parcel.zone)
    return f"{local - timedelta(hours=1):%H}:00-{local + timedelta(hours=3):%H}:00"


def approve(call_public_id: str, now: datetime) -> None:
    """Have a supervisor approve what was asked for in a call."""
    supervisor, _ = User.objects.get_or_create(username=_SUPERVISOR)
    waiting = DeliveryChange.objects.filter(call_public_id=call_public_id, state=ChangeState.NEEDS_APPROVAL)
    for ref in waiting.values_list("ref", flat=True):
        decisions.decide_change(
            ref=ref, approve=True, by=supervisor, reason="as the recipient wishes", now=now
        )
