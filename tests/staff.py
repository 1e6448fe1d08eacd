"""Members of staff in their roles, and what two depots have to show them, for tests."""

from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pkgutil import iter_modules

from django.apps import apps
from django.contrib.auth.models import Group, User
from django.utils import timezone

from shipments import rescheduling
from shipments.depots import Depot
from shipments.models import DeliveryChange, Shipment
from shipments.statuses import Status
from shipments.telling import find_own
from tests.shipments.builders import a_depot, a_parcel, a_slot, an_address
from voice import migrations
from voice.models import Call, CallbackRequest, ToolRun, Turn
from voice.statuses import CallStatus, ToolState


def make_roles() -> None:
    """Make the roles as the migrations do, each of which makes those of the first one anew and gives more."""
    for found in sorted(iter_modules(migrations.__path__), key=lambda one: one.name):
        migration = import_module(f"{migrations.__name__}.{found.name}")
        if hasattr(migration, "give"):
            migration.give(apps, None)


def a_member(role: str, *depots: Depot) -> User:
    """Return somebody new in a role, who works for these depots."""
    if not Group.objects.filter(name=role).exists():  # a test before this one emptied the database
        make_roles()
    user = User.objects.create_user(f"{role.lower()} {User.objects.count()}", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    user.depots.set(depots)
    return user


@dataclass(frozen=True)
class Corner:
    """A depot with a parcel, a change that waits, a call about it and somebody to ring back."""

    depot: Depot
    parcel: Shipment
    change: DeliveryChange
    call: Call
    asked: CallbackRequest


SAID = "I have moved to the house behind the church."


def a_corner(phone: str, name: str) -> Corner:
    """Return a depot with one of everything, under this number and with this name in it."""
    now = timezone.now()
    depot = a_depot(name=f"{name} depot")
    day = timezone.localdate() + timedelta(days=3)
    a_slot(depot, day)
    parcel = a_parcel(
        phone,
        tracking_id=f"{name[:2].upper()}-4279",
        recipient_name=f"{name} Sample",
        depot=depot,
        status=Status.OUT_FOR_DELIVERY,
        address=an_address(phone=phone, recipient_name=f"{name} Sample"),
    )
    call = Call.objects.create(
        customer_number=phone,
        caller_number=phone,
        shipment=parcel,
        status=CallStatus.COMPLETED,
        created_at=now,
        ended_at=now,
    )
    Turn.objects.create(call=call, position=0, speaker="caller", text=SAID, started_ms=0, ended_ms=900)
    ToolRun.objects.create(
        call=call, model_call_id="1", name="submit_pin", state=ToolState.REFUSED, started_ms=0, duration_ms=1
    )
    proposed = rescheduling.prepare_reschedule(
        find_own(phone, ""),
        day=day.isoformat(),
        window=None,
        call_public_id=call.public_id,
        key="k",
        now=now,
    )
    rescheduling.confirm_reschedule(
        number=phone, change_id=str(proposed["change_id"]), call_public_id=call.public_id, now=now
    )
    asked = CallbackRequest.objects.create(
        call=call, number=phone, window_start=now, window_end=now + timedelta(hours=2), created_at=now
    )
    return Corner(depot, parcel, DeliveryChange.objects.get(shipment=parcel), call, asked)
