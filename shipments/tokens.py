"""Let the courier's systems in: make a client with its token, find it by the token, shut it out."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from shipments.audit import AuditEntry
from shipments.clients import ApiClient, Scope
from shipments.errors import ScopeUnknownError

_PREFIX = "courier_"
"""So that whoever finds a token somewhere, or a scanner for secrets, knows what it is."""
_USED = timedelta(minutes=1)
_MINUTE = timedelta(minutes=1)


def make_client(
    *, name: str, scopes: Sequence[str], shipper: str = "", by: str, now: datetime
) -> tuple[ApiClient, str]:
    """Make a client and return it with its token, which is told this once and never again.

    Raises:
        ScopeUnknownError: there is no such scope, or none is given.
    """
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(Scope.values):
        raise ScopeUnknownError
    token = f"{_PREFIX}{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        client = ApiClient.objects.create(
            name=name, shipper=shipper, scopes=wanted, digest=digest(token), created_at=now
        )
        _note(client, "make_client", {}, {"scopes": wanted, "shipper": shipper}, by, now)
    return client, token


def revoke(*, client_id: int, by: str, reason: str, now: datetime) -> bool:
    """Shut a client out from now on; False when it was already."""
    with transaction.atomic():
        client = ApiClient.objects.get(pk=client_id)
        if not ApiClient.objects.filter(pk=client_id, revoked_at=None).update(revoked_at=now):
            return False
        _note(client, "revoke_client", {"revoked": False}, {"revoked": True, "reason": reason}, by, now)
    return True


def client_of(token: str, now: datetime) -> ApiClient | None:
    """Return the client that a token opens for, and note that it was used; None when it opens nothing."""
    client = ApiClient.objects.filter(digest=digest(token)).first()
    if client is None or client.is_revoked(now):
        return None
    long_ago = Q(last_used_at=None) | Q(last_used_at__lt=now - _USED)
    if client.last_used_at is None or client.last_used_at < now - _USED:
        ApiClient.objects.filter(long_ago, pk=client.pk).update(last_used_at=now)
    return client


def wait_s(client: ApiClient, per_minute: int, now: datetime) -> float:
    """Count a request of a client's; return for how many seconds it is refused, 0 when it may go on.

    A minute begins with the first request in it, and is counted in the database: the processes of a
    deployment share one count.
    """
    row = ApiClient.objects.filter(pk=client.pk)
    within = row.filter(requests_until__gt=now, requests__lt=per_minute)
    if within.update(requests=F("requests") + 1):
        return 0.0
    row.exclude(requests_until__gt=now).update(requests=0, requests_until=now + _MINUTE)
    if within.update(requests=F("requests") + 1):  # another may have begun the minute, so it is asked again
        return 0.0
    until = row.values_list("requests_until", flat=True).get()
    return max((until - now).total_seconds(), 1.0) if until is not None else 1.0


def digest(token: str) -> str:
    """Return what is kept of a token; it has 256 random bits, so that a plain hash is enough."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _note(
    client: ApiClient, verb: str, before: dict[str, object], after: dict[str, object], by: str, now: datetime
) -> None:
    AuditEntry.objects.create(
        at=now,
        actor=by[:120],
        verb=verb,
        object_kind="client",
        object_id=client.name,
        before=before,
        after=after,
    )
