"""Gather what waits for a person, the most urgent first, and count it for the sidebar.

That is: changes to decide on, people to ring back, callers who could not prove who they are, and problems
that were reported. Each goes off the list by a verb: a decision, a settled request, or a look into it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import CharField, Count, QuerySet, Value
from django.db.models.functions import Cast, Coalesce
from django.urls import reverse
from django.utils.timezone import localtime

from shipments.admin.columns import wanted
from shipments.models import DeliveryChange, Shipment, TrackingEvent
from shipments.phones import mask_numbers, masked
from voice.models import Call, CallbackRequest

LOOK_INTO = timedelta(days=1)
"""How soon somebody is to look into a caller who proved nothing, or a problem."""
LOOK_BACK = timedelta(days=7)
"""For how long a caller who proved nothing stays on the list."""
MOST = 200
"""How many of a kind are listed: who has more waiting begins with the oldest."""
KINDS = {
    "change": "Changes to decide on",
    "callback": "To ring back",
    "unproved": "Callers who proved nothing",
    "problem": "Problems",
}
_OVER_AT = Coalesce("ended_at", "created_at")
_RIGHTS = {
    "change": "shipments.view_deliverychange",
    "callback": "voice.view_callbackrequest",
    "unproved": "voice.view_call",
    "problem": "shipments.view_trackingevent",
}


@dataclass(frozen=True, slots=True)
class Deed:
    """What can be done about a task: a dialog that opens."""

    label: str
    address: str
    icon: str


@dataclass(frozen=True, slots=True)
class Task:
    """Something that waits for a person."""

    kind: str
    due_at: datetime
    from_at: datetime
    parcel: str
    parcel_address: str
    number: str
    words: str
    note: str
    page: str
    deeds: tuple[Deed, ...]

    def urgency(self, now: datetime) -> str:
        """Return how its time stands to now."""
        if now > self.due_at:
            return "Late"
        return "Now" if now >= self.from_at else "Later"


def kinds_of(user: User) -> list[str]:
    """Return the kinds of tasks that a member of staff may see."""
    return [kind for kind, right in _RIGHTS.items() if user.has_perm(right)]


def waiting(kind: str, user: User, now: datetime) -> QuerySet[Any]:
    """Return the rows of a kind that wait for somebody, within this user's reach."""
    match kind:
        case "change":
            return DeliveryChange.objects.seen_by(user).waiting()
        case "callback":
            return CallbackRequest.objects.seen_by(user).open().with_plans()
        case "unproved":
            return Call.objects.seen_by(user).unproved(now - LOOK_BACK).order_by(_OVER_AT, "pk")
        case _:
            return TrackingEvent.objects.seen_by(user).open_problems()


def counts(user: User, now: datetime) -> Mapping[str, int]:
    """Return how much of each kind waits; one query, since every page asks."""
    counted = [
        waiting(kind, user, now)
        .order_by()
        .annotate(kind_of_task=Cast(Value(kind), CharField()))
        .values("kind_of_task")
        .annotate(waiting=Count("pk"))
        .values_list("kind_of_task", "waiting")
        for kind in kinds_of(user)
    ]
    if not counted:
        return {}
    found = dict(counted[0].union(*counted[1:], all=True).order_by())  # or the model's own order comes back
    return {kind: found.get(kind, 0) for kind in kinds_of(user)}


def tasks(user: User, now: datetime, kinds: Iterable[str]) -> list[Task]:
    """Return what waits of these kinds, what is due first at the top; a query a kind."""
    found: list[Task] = []
    for kind in kinds:
        rows = waiting(kind, user, now)
        match kind:
            case "change":
                rows = rows.select_related("shipment__address", "slot__depot")[:MOST]
                found += [_change(row, user) for row in rows]
            case "callback":
                found += [_callback(row, user) for row in rows.select_related("call__shipment")[:MOST]]
            case "unproved":
                found += [_unproved(row, user) for row in rows.select_related("shipment")[:MOST]]
            case _:
                found += [_problem(row, user) for row in rows.select_related("shipment")[:MOST]]
    return sorted(found, key=lambda task: (task.due_at, task.kind, task.page))


def _change(change: DeliveryChange, user: User) -> Task:
    shipment = change.shipment
    own = change.asker_id == user.pk
    may = user.has_perm("shipments.approve_change") and not own
    return Task(
        kind="change",
        # What the rider has with him arrives: after that there is nothing left to decide.
        due_at=min(filter(None, (shipment.eta_at, change.requested_start)), default=change.created_at),
        from_at=change.created_at,
        number=masked(shipment.phone),
        words=f"{change.get_kind_display()}: {wanted(change)}",
        note=f"asked for by {'you: somebody else decides' if own else change.requested_by}",
        page=_page("shipments_deliverychange_change", change.pk),
        deeds=_deeds("shipments_deliverychange", change.pk, _DECIDE) if may else (),
        **_parcel(shipment),
    )


def _callback(asked: CallbackRequest, user: User) -> Task:
    start, end = localtime(asked.window_start), localtime(asked.window_end)
    return Task(
        kind="callback",
        due_at=asked.window_end,
        from_at=asked.window_start,
        number=masked(asked.number),
        words=mask_numbers(asked.summary) or asked.get_reason_display(),
        note=f"told between {start:%H:%M} and {end:%H:%M}{_who_rings(asked)}",
        page=_page("voice_call_change", asked.call_id),
        deeds=_deeds("voice_callbackrequest", asked.pk, _RING, user),
        **_parcel(asked.call.shipment),
    )


def _who_rings(asked: CallbackRequest) -> str:
    if asked.call.is_test:
        return " in a test call"
    return "; the agent is about to ring" if asked.is_planned else ""


def _unproved(call: Call, user: User) -> Task:
    at = call.ended_at or call.created_at
    return Task(
        kind="unproved",
        due_at=at + LOOK_INTO,
        from_at=at,
        number=call.masked_number,
        words="Named wrong facts or codes, or reported a problem, and proved nothing",
        note=f"called {localtime(call.created_at):%a %d %b %H:%M}",
        page=_page("voice_call_change", call.pk),
        deeds=_deeds("voice_call", call.pk, _LOOK, user),
        **_parcel(call.shipment),
    )


def _problem(event: TrackingEvent, user: User) -> Task:
    return Task(
        kind="problem",
        due_at=event.occurred_at + LOOK_INTO,
        from_at=event.occurred_at,
        number=masked(event.shipment.phone),
        words=mask_numbers(event.description),
        note=f"reported {localtime(event.occurred_at):%a %d %b %H:%M}",
        page=_page("shipments_shipment_change", event.shipment_id),
        deeds=_deeds("shipments_shipment", event.shipment_id, _LOOK, user),
        **_parcel(event.shipment),
    )


_DECIDE = (("approve", "Approve", "check"), ("turn_down", "Turn down", "close"))
_RING = (("rung_back", "Rung back", "check"),)
_LOOK = (("looked_into", "Looked into", "check"),)
_WORK = {
    "voice_callbackrequest": "voice.change_callbackrequest",
    "voice_call": "shipments.change_shipment",
    "shipments_shipment": "shipments.change_shipment",
}


def _deeds(
    model: str, pk: int, named: Iterable[tuple[str, str, str]], user: User | None = None
) -> tuple[Deed, ...]:
    if user is not None and not user.has_perm(_WORK[model]):
        return ()
    return tuple(Deed(label, _page(f"{model}_{action}", pk), icon) for action, label, icon in named)


def _parcel(shipment: Shipment | None) -> dict[str, str]:
    if shipment is None:
        return {"parcel": "", "parcel_address": ""}
    return {
        "parcel": shipment.tracking_id,
        "parcel_address": _page("shipments_shipment_change", shipment.pk),
    }


def _page(name: str, pk: int) -> str:
    return reverse(f"admin:{name}", args=[pk])
