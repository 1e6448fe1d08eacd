"""Keep what the desk does besides parcels: wishes, who saw a number and why, what was looked into."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from shipments.audit import AuditEntry
from shipments.courtesy import ContactPreference
from shipments.errors import NoReasonError


def keep_wishes(
    *, number: str, opted_out: bool, language: str, quiet_hours: str, by: User, now: datetime
) -> ContactPreference:
    """Keep how the owner of a number wants to be reached, as he told a colleague; `number` is E.164."""
    with transaction.atomic():
        ContactPreference.objects.get_or_create(number=number)
        kept = ContactPreference.objects.select_for_update().get(number=number)
        before = _wishes(kept)
        kept.opted_out_at = (kept.opted_out_at or now) if opted_out else None
        kept.language, kept.quiet_hours = language, quiet_hours
        kept.save()
        if _wishes(kept) != before:
            AuditEntry.objects.create(
                at=now,
                actor=by.get_username()[:120],
                verb="keep_wishes",
                object_kind="number",
                object_id=number,
                before=before,
                after=_wishes(kept),
            )
    return kept


def _wishes(kept: ContactPreference) -> dict[str, object]:
    opted_out = kept.opted_out_at is not None
    return {"opted_out": opted_out, "language": kept.language, "quiet_hours": kept.quiet_hours}


def look_into(*, kind: str, object_id: str, by: User, reason: str, now: datetime) -> None:
    """Take a call whose caller proved nothing (`call`), or a parcel's problems (`problem`), off the worklist.

    Raises:
        NoReasonError: nothing is said of what came of it.
    """
    if not (reason := " ".join(reason.split())[:300]):
        raise NoReasonError
    AuditEntry.objects.create(
        at=now,
        actor=by.get_username()[:120],
        verb="look_into",
        object_kind=kind,
        object_id=object_id,
        after={"reason": reason},
    )


def reveal_number(*, kind: str, object_id: str, number: str, by: User, reason: str, now: datetime) -> str:
    """Return a telephone number in full to somebody who may see it, once it is written down who and why.

    Raises:
        NoReasonError: no reason is given.
    """
    if not (reason := " ".join(reason.split())[:300]):
        raise NoReasonError
    AuditEntry.objects.create(
        at=now,
        actor=by.get_username()[:120],
        verb="reveal_number",
        object_kind=kind,
        object_id=object_id,
        after={"reason": reason},
    )
    return number
