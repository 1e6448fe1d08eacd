"""Limit what one call, one number and one parcel may ask: counted in the database, one step each.

One statement looks at a count and moves it, so that no two callers at once pass the last place: on SQLite
and PostgreSQL alike. Numbers are kept as keyed hashes.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.crypto import salted_hmac

from shipments.spelling import readings
from voice.errors import ToolError
from voice.secrecy import SPENT
from voice.shared import Tally
from voice.toolkit import Caller

logger = logging.getLogger(__name__)

DAY_S = 86_400
_ENOUGH = "I cannot help you further with that on this call. I can have a colleague call you back."
_MISSES = 3
_HOUR_S = 3_600


class LimitReachedError(ToolError):
    """Something was asked or tried too often; the words do not tell which of the limits it was."""

    code: ClassVar[str] = "too_often"

    def __init__(self) -> None:
        super().__init__(_ENOUGH)


class TriesSpentError(LimitReachedError):
    """Of a fact or code no more may be tried."""

    code = SPENT


@dataclass(frozen=True, slots=True)
class Quota:
    """So many of something within so long a time, which begins with the first."""

    key: str
    limit: int
    span_s: float = DAY_S


_TAKE = """
INSERT INTO voice_tally (key, used, until) VALUES {rows}
ON CONFLICT (key) DO UPDATE SET
    used = CASE WHEN voice_tally.until <= %s THEN 1 ELSE voice_tally.used + 1 END,
    until = CASE WHEN voice_tally.until <= %s THEN excluded.until ELSE voice_tally.until END
WHERE voice_tally.until <= %s OR voice_tally.used < CASE voice_tally.key {limits} END
RETURNING key
"""
"""Every tool begins with it: the ORM has no such upsert, and took eight statements for three places."""


def take(quota: Quota, now: datetime) -> bool:
    """Take one place of a quota; False when there is none left."""
    return _take([quota], now) == 1


def _take(quotas: Sequence[Quota], now: datetime) -> int:
    """Take one place of each that has one left; return of how many that was."""
    # In one order, so that two that need the same places do not wait for each other.
    some = sorted((quota for quota in quotas if quota.limit > 0), key=lambda quota: quota.key)
    if not some:
        return 0
    at = connection.ops.adapt_datetimefield_value
    first: list[Any] = []
    limits: list[Any] = []
    for quota in some:
        first += (quota.key, 1, at(now + timedelta(seconds=quota.span_s)))
        limits += (quota.key, quota.limit)
    statement = _TAKE.format(
        rows=", ".join(["(%s, %s, %s)"] * len(some)), limits=" ".join(["WHEN %s THEN %s"] * len(some))
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*first, *[at(now)] * 3, *limits])
        return len(cursor.fetchall())


def give_back(*quotas: Quota) -> None:
    """Return a place of each that was not needed."""
    # One by one, in the order of `_take`: an update of all takes their rows in any, and waits for who takes.
    for quota in sorted(quotas, key=lambda quota: quota.key):
        Tally.objects.filter(key=quota.key).update(used=Greatest(F("used") - 1, 0))


def take_all(quotas: Sequence[Quota], now: datetime) -> None:
    """Take one place of each, or of none.

    Raises:
        LimitReachedError: one of them has none left.
    """
    with transaction.atomic():
        if _take(quotas, now) < len(quotas):
            raise LimitReachedError


def _hashed(text: str) -> str:
    return salted_hmac("voice.quotas", text, algorithm="sha256").hexdigest()[:32]


def _number(caller: Caller) -> str:
    """Return what stands for the caller's number; of a withheld one there is only the call.

    One that nobody vouches for counts apart: who forges it must not use up what its owner may do.
    """
    if caller.number:
        return _hashed(caller.number)
    return f"claimed:{_hashed(caller.claimed)}" if caller.claimed else ""


# What is limited


def take_tool_call(caller: Caller, business_key: str, now: datetime) -> None:
    """Count a call of a tool.

    Raises:
        LimitReachedError: this call has asked for enough, or for the same thing too often.
    """
    call = caller.call_public_id
    same = hashlib.sha256(business_key.encode()).hexdigest()[:32]
    quotas = (
        Quota(f"tools:{call}", settings.TOOL_CALLS_A_CALL),
        Quota(f"tools-min:{call}", settings.TOOL_CALLS_A_MINUTE, 60),
        Quota(f"tools-same:{call}:{same}", settings.TOOL_CALLS_ALIKE),
    )
    take_all(quotas, now)


def _ids(caller: Caller) -> list[Quota]:
    quotas = [Quota(f"ids:{caller.call_public_id}", settings.IDS_A_CALL)]
    if number := _number(caller):
        quotas.append(Quota(f"ids:{number}", settings.IDS_A_DAY))
    return quotas


def _seen(caller: Caller, said_id: str) -> Quota:
    first = next(iter(readings(said_id)), "")
    return Quota(f"id:{caller.call_public_id}:{_hashed(first)}", 1)


def take_id(caller: Caller, said_id: str, now: datetime) -> None:
    """Count a tracking id that this call has not named before.

    Raises:
        LimitReachedError: this call, or its number today, has named enough of them.
    """
    with transaction.atomic():  # an id that is refused was not named
        if take(_seen(caller, said_id), now):
            take_all(_ids(caller), now)


def note_own_id(caller: Caller) -> None:
    """Take an id that is one of the caller's own: it counts for nothing, and ends a row of misses."""
    Tally.objects.filter(key=f"misses:{caller.call_public_id}").update(used=0)


def note_miss(caller: Caller, now: datetime) -> None:
    """Count an id that led to nothing; three in a row, or many in all, are somebody who tries them out."""
    in_a_row = Quota(f"misses:{caller.call_public_id}", _MISSES - 1)
    if not take(in_a_row, now):
        logger.warning("ids are tried out in a call", extra={"call": caller.call_public_id})
    many = not take(Quota("misses", settings.IDS_MISSED_AN_HOUR, _HOUR_S), now)
    if many and take(Quota("misses-alarm", 1, _HOUR_S), now):
        logger.error("ids are tried out in many calls")


def note_fact(caller: Caller, parcel: str, fact: str, *, right: bool, now: datetime) -> dict[str, bool]:
    """Keep that a fact was named of a parcel in this call; return which kinds were, and whether rightly."""
    about = f"fact:{caller.call_public_id}:{_hashed(parcel)}:"
    until = now + timedelta(seconds=DAY_S)
    Tally.objects.update_or_create(key=f"{about}{fact}", defaults={"used": int(right), "until": until})
    named = Tally.objects.filter(key__startswith=about).values_list("key", "used")
    return {key.removeprefix(about): bool(used) for key, used in named}


def _tries(caller: Caller, parcel: str) -> list[Quota]:
    quotas = [
        Quota(f"tries:{caller.call_public_id}", settings.TRIES_A_CALL),
        Quota(f"tries:parcel:{_hashed(parcel)}", settings.TRIES_A_PARCEL),
    ]
    if number := _number(caller):
        quotas.append(Quota(f"tries:{number}", settings.TRIES_A_NUMBER))
    return quotas


def take_try(caller: Caller, parcel: str, now: datetime) -> None:
    """Count a fact or code before it is looked at; `parcel` names what it was said of, found or not.

    Raises:
        TriesSpentError: only a person can help now; which limit it was is not told.
    """
    try:
        take_all(_tries(caller, parcel), now)
    except LimitReachedError:
        raise TriesSpentError from None


def give_back_try(caller: Caller, parcel: str) -> None:
    """Return the place of a fact or code that was right."""
    give_back(*_tries(caller, parcel))


def _log_ins(username: str) -> Quota:
    return Quota(f"log-ins:{_hashed(username)}", settings.LOG_IN_TRIES, settings.LOG_IN_REFUSED_S)


def take_log_in(username: str, now: datetime) -> bool:
    """Count a try to log in before its password is looked at; False when the name was tried too often."""
    return take(_log_ins(username), now)


def log_ins_are_spent(username: str, now: datetime) -> bool:
    """Tell whether a name was tried too often."""
    quota = _log_ins(username)
    return Tally.objects.filter(key=quota.key, used__gte=quota.limit, until__gt=now).exists()


def forget_log_ins(username: str) -> None:
    """Let a name be tried again as often."""
    Tally.objects.filter(key=_log_ins(username).key).delete()
