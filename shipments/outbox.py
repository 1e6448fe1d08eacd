"""Write down what the courier's systems are to be told, in the transaction of what it tells of."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import F

from shipments.audit import AuditEntry
from shipments.clients import ApiClient
from shipments.errors import EndpointRefusedError
from shipments.models import DeliveryChange, Shipment, TrackingEvent
from shipments.notices import Endpoint, Kind, Notice, NoticeState, new_secret

GIVE_UP = timedelta(hours=24)
_KEPT = timedelta(days=30)
_AT_ONCE = 1_000


def add_endpoint(
    *, client: ApiClient, url: str, kinds: Sequence[str], by: str, now: datetime
) -> tuple[Endpoint, str]:
    """Tell a client of these kinds of things from now on; the secret that signs them is shown this once.

    Raises:
        EndpointRefusedError: the address is none that we may post to, or a kind is unknown.
    """
    if not may_be_told(url) or not kinds or not set(kinds) <= set(Kind.values):
        raise EndpointRefusedError
    with transaction.atomic():
        endpoint = Endpoint.objects.create(
            client=client, url=url, kinds=sorted(set(kinds)), secret=new_secret(), created_at=now
        )
        _note(endpoint, "add_webhook", {"url": url, "kinds": endpoint.kinds}, by, now)
    return endpoint, endpoint.secret


def may_be_told(url: str) -> bool:
    """Tell whether an address is one to post to; which network it is in is looked at when it is posted to."""
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    schemes = ("https", "http") if settings.OUTBOX_PRIVATE else ("https",)
    return named and parts.scheme in schemes and "@" not in parts.netloc


def close_endpoint(*, endpoint_id: int, by: str, reason: str, now: datetime) -> bool:
    """Tell an endpoint nothing any more; False when it was closed already."""
    with transaction.atomic():
        endpoint = Endpoint.objects.select_related("client").get(pk=endpoint_id)
        if not Endpoint.objects.filter(pk=endpoint_id, closed_at=None).update(closed_at=now):
            return False
        _note(endpoint, "close_webhook", {"closed": True, "reason": reason}, by, now)
    return True


def put(
    kind: Kind,
    subject: str,
    said: Mapping[str, object],
    *,
    shipper: str | None,
    now: datetime,
    but: str = "",
) -> int:
    """Write down that something happened for each endpoint that wants to know; return for how many.

    `subject` names what it is about, so that the same thing is told once; `shipper` whose parcel it is,
    None when it is nobody's; `but` is the actor who did it, and need not be told.
    """
    wanted = [
        endpoint
        for endpoint in Endpoint.objects.filter(closed_at=None, client__revoked_at=None).select_related(
            "client"
        )
        if kind in endpoint.kinds
        and endpoint.client.shipper in ("", shipper)
        and endpoint.client.actor != but
    ]
    if not wanted:
        return 0
    event_id = hashlib.sha256(f"{kind}:{subject}".encode()).hexdigest()[:32]
    body = json.dumps({"id": event_id, "kind": kind, "at": now, "about": said}, cls=DjangoJSONEncoder)
    Notice.objects.bulk_create(
        [
            Notice(
                event_id=event_id,
                endpoint=endpoint,
                kind=kind,
                body=body,
                next_at=now,
                give_up_at=now + GIVE_UP,
                created_at=now,
            )
            for endpoint in wanted
        ],
        ignore_conflicts=True,
    )
    return len(wanted)


def tell_of(
    shipment: Shipment, event: TrackingEvent, change: DeliveryChange | None, now: datetime, *, but: str = ""
) -> None:
    """Write down for who wants to know that something happened to a parcel, or to a wish about it.

    What is played with a demo parcel is no news to the courier's systems.
    """
    if shipment.is_demo:
        return
    about: dict[str, object] = {
        "tracking_id": shipment.tracking_id,
        "status": event.status,
        "substatus": event.substatus,
        "description": event.description,
        "occurred_at": event.occurred_at,
        "call": event.call_public_id or None,
    }
    if change is None:
        put(Kind.PARCEL, event.idempotency_key, about, shipper=shipment.shipper, now=now, but=but)
        return
    about |= {
        "change": change.ref,
        "wish": change.kind,
        "state": change.state,
        "window_start": change.requested_start,
        "window_end": change.requested_end,
    }
    subject = f"{event.idempotency_key}:{change.state}"
    put(Kind.CHANGE, subject, about, shipper=shipment.shipper, now=now, but=but)


def send_again(pks: Iterable[int], *, by: str, now: datetime) -> int:
    """Try notices anew for another day, those that were given up as well; return how many."""
    chosen = Notice.objects.filter(pk__in=list(pks), endpoint__closed_at=None)
    with transaction.atomic():
        again = list(chosen.values_list("pk", flat=True))
        Notice.objects.filter(pk__in=again).update(
            state=NoticeState.WAITING, tries=0, next_at=now, give_up_at=now + GIVE_UP, delivered_at=None
        )
        for endpoint in Endpoint.objects.filter(notices__in=again).distinct().select_related("client"):
            _note(endpoint, "send_again", {"notices": endpoint.notices.filter(pk__in=again).count()}, by, now)
    return len(again)


def purge(now: datetime) -> int:
    """Delete notices that came to an end a month ago, a bounded part at once; return how many."""
    old = Notice.objects.exclude(state=NoticeState.WAITING).filter(created_at__lt=now - _KEPT)
    pks = list(old.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE])
    return Notice.objects.filter(pk__in=pks).delete()[0] if pks else 0


# How far sending has come


def take(notice: Notice, now: datetime, lease: timedelta) -> bool:
    """Take a notice that is due for one try, so that no other worker does; False when one was first."""
    mine = Notice.objects.filter(pk=notice.pk, state=NoticeState.WAITING, next_at=notice.next_at)
    return bool(mine.update(next_at=now + lease, tries=F("tries") + 1))


def settle(notice: Notice, *, delivered: bool, answer: str, wait: timedelta, now: datetime) -> None:
    """Write what came of a try: delivered, to be tried after `wait`, or given up when its day is over."""
    row = Notice.objects.filter(pk=notice.pk, state=NoticeState.WAITING)
    if delivered:
        row.update(state=NoticeState.DELIVERED, delivered_at=now, answer=answer[:120])
    elif now + wait > notice.give_up_at:
        row.update(state=NoticeState.DEAD, answer=answer[:120])
    else:
        row.update(next_at=now + wait, answer=answer[:120])


def _note(endpoint: Endpoint, verb: str, after: Mapping[str, object], by: str, now: datetime) -> None:
    AuditEntry.objects.create(
        at=now,
        actor=by[:120],
        verb=verb,
        object_kind="webhook",
        object_id=f"{endpoint.client.name}:{endpoint.pk}",
        after=dict(after),
    )
