"""Keep how the owner of a number wants to be reached. `number` is the one that a call came from, in E.164."""

import re
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from shipments.audit import AuditEntry
from shipments.courtesy import ContactPreference
from shipments.errors import LanguageUnknownError, NumberWithheldError

_TAG = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")


def opt_out(*, number: str, call_public_id: str, now: datetime) -> dict[str, object]:
    """Never have this number rung again on our account, whatever it asked for before; the first is audited.

    Raises:
        NumberWithheldError: the call shows no number.
    """
    if not number:
        raise NumberWithheldError
    with transaction.atomic():
        ContactPreference.objects.get_or_create(number=number)
        kept = ContactPreference.objects.filter(number=number)
        # By one compare-and-set: of two wishes at once one is the first, and the later one is kept.
        if kept.filter(opted_out_at=None).update(opted_out_at=now):
            _note("opt_out", number, {"opted_out": False}, {"opted_out": True}, call_public_id, now)
        else:
            kept.filter(opted_out_at__lt=now).update(opted_out_at=now)
    return {
        "status": "ok",
        "say": "We will not call this number again. You can still call us about a parcel whenever you like.",
    }


def set_language(*, number: str, language: str, call_public_id: str, now: datetime) -> dict[str, object]:
    """Keep which language the owner of a number wants to be spoken to in (a tag such as sw or sw-KE).

    Raises:
        NumberWithheldError: the call shows no number.
        LanguageUnknownError: it is no tag of a language.
    """
    if not number:
        raise NumberWithheldError
    if not _TAG.fullmatch(language):
        raise LanguageUnknownError
    with transaction.atomic():
        ContactPreference.objects.get_or_create(number=number)
        kept = ContactPreference.objects.select_for_update().get(number=number)
        if kept.language != language:
            ContactPreference.objects.filter(pk=kept.pk).update(language=language)
            before, after = {"language": kept.language}, {"language": language}
            _note("set_language", number, before, after, call_public_id, now)
    return {"status": "ok", "say": "I have noted the language for your next calls.", "language": language}


def language_of(number: str) -> str:
    """Return the language in which the owner of a number wants to be spoken to; "" when he never said."""
    wished = ContactPreference.objects.filter(number=number).values_list("language", flat=True)
    return (number and wished.first()) or ""


def has_opted_out(number: str) -> bool:
    """Tell whether a number is not to be rung by us."""
    return ContactPreference.objects.filter(number=number, opted_out_at__isnull=False).exists()


def _note(
    verb: str,
    number: str,
    before: Mapping[str, object],
    after: Mapping[str, object],
    call_public_id: str,
    now: datetime,
) -> None:
    AuditEntry.objects.create(
        at=now,
        actor="voice agent",
        verb=verb,
        object_kind="number",
        object_id=number,
        before=dict(before),
        after=dict(after),
        call_public_id=call_public_id,
    )
