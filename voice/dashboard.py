"""Show on the first page what the line does: now, today and over two weeks; each number leads to its list."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import TruncDate, TruncHour
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.timezone import localtime

from shipments.admin.columns import NONE, member
from shipments.models import DeliveryChange
from shipments.statuses import ChangeState
from voice import call_page
from voice.desk import warn_of_pause
from voice.models import BILLED_KES_MINOR, Call, OutboundCall
from voice.statuses import FAILURES, LIVE, DialState, Outcome, Purpose

DAYS = 14
"""How far back the chart of days looks."""
TIMED = 5_000
"""Of how many calls of today, the latest, the delays are computed."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with what it means, and the list of what it counts."""

    title: str
    value: str
    note: str
    address: str


@dataclass(frozen=True, slots=True)
class Share:
    """How many of today's calls were good for one thing."""

    label: str
    count: int
    percent: int
    address: str


@dataclass(frozen=True, slots=True)
class Spending:
    """What today's calls for one purpose cost, in the money of each bill, and for a delivery saved."""

    label: str
    calls: int
    bills: tuple[str, str]
    saved: int
    each: str
    address: str
    saved_address: str


@dataclass(frozen=True, slots=True)
class Board:
    """All that the page shows; the charts are JSON for the script that draws them."""

    figures: tuple[Figure, ...]
    shares: tuple[Share, ...]
    spendings: tuple[Spending, ...]
    hours: str
    days: str


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the board to the first page of those who may see calls."""
    user = member(request)
    context |= {"title": "Dashboard"}
    warn_of_pause(request)
    return context | {"board": board(user, timezone.now())} if user.has_perm("voice.view_call") else context


def board(user: User, now: datetime) -> Board:
    """Return what the line does, as far as this user sees it; the day is that of the courier's zone."""
    midnight = localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    first_day = midnight - timedelta(days=DAYS - 1)
    calls = Call.objects.seen_by(user).by_telephone()
    changes = DeliveryChange.objects.seen_by(user)
    today = calls.begun_since(midnight)
    ends = list(
        today.order_by()
        .values("outcome", "ended_reason", "purpose")
        .annotate(calls=Count("pk"), kes=Sum(BILLED_KES_MINOR), usd=Sum("cost_usd_micros"))
    )
    saved = _by_day(changes.saved_since(first_day), "decided_at")
    return Board(
        figures=(
            *_counted(user, calls, ends, saved.get(midnight.date(), 0), midnight),
            *_delays(today, midnight),
            *_bills(ends, saved.get(midnight.date(), 0), midnight),
        ),
        shares=_shares(ends, midnight),
        spendings=_spendings(ends, _by_purpose(changes.saved_since(midnight)), midnight),
        hours=_hours(today, midnight),
        days=_days(_by_day(calls.begun_since(first_day), "created_at"), saved, first_day.date()),
    )


def _counted(
    user: User, calls: Any, ends: Sequence[Mapping[str, Any]], saved: int, midnight: datetime
) -> Iterable[Figure]:
    failed = sum(end["calls"] for end in ends if end["ended_reason"] in FAILURES)
    lost = OutboundCall.objects.seen_by(user).filter(state=DialState.UNKNOWN).count()
    yield Figure(
        "Calls now", f"{calls.live().count():,}", "ringing or talking", _calls(status__in=_listed(LIVE))
    )
    yield Figure("Calls today", f"{sum(end['calls'] for end in ends):,}", "since midnight", _today(midnight))
    yield Figure("Deliveries saved", f"{saved:,}", "put right by a call today", _saved(midnight))
    yield Figure(
        "Calls that failed",
        f"{failed:,}",
        "today, by no caller's wish",
        _today(midnight, ended_reason__in=_listed(FAILURES)),
    )
    yield Figure(
        "Placed calls lost",
        f"{lost:,}",
        "somebody has to say whether they rang",
        _list("voice_outboundcall", state__exact=DialState.UNKNOWN.value),
    )


def _delays(today: QuerySet[Call], midnight: datetime) -> Iterable[Figure]:
    timings = list(today.order_by("-created_at").values_list("timings", flat=True)[:TIMED])
    first = [one["first_audio_ms"] for one in timings if one.get("first_audio_ms") is not None]
    answers = [ms for one in timings for ms in one.get("answers_ms") or ()]
    for title, measured, timed in (
        ("Answer → first audio", first, "first"),
        ("Caller stops → agent heard", answers, "answers"),
    ):
        value = call_page.took(percentile(measured, 50)) if measured else NONE
        slow = call_page.took(percentile(measured, 95)) if measured else NONE
        note = f"median today; p95 {slow} of {len(measured):,}"
        yield Figure(title, value, note, _today(midnight, timed=timed))


def _bills(ends: Sequence[Mapping[str, Any]], saved: int, midnight: datetime) -> Iterable[Figure]:
    kes, usd = (sum(end[name] or 0 for end in ends) for name in ("kes", "usd"))
    titles, shown = (
        ("Telephone today", "Voice model today"),
        (call_page.kes(kes), call_page.usd(usd, places=2)),
    )
    for title, value, each in zip(titles, shown, _each(kes, usd, saved), strict=True):
        yield Figure(title, value, f"{each} a delivery saved", _today(midnight))


def _each(kes: int, usd: int, saved: int) -> tuple[str, str]:
    if not saved:
        return NONE, NONE
    return call_page.kes(kes // saved), call_page.usd(usd // saved, places=4)


def _by_purpose(saved: QuerySet[DeliveryChange]) -> dict[str, int]:
    by_call = Call.objects.filter(public_id=OuterRef("call_public_id")).values("purpose")[:1]
    counted = saved.order_by().annotate(purpose=Subquery(by_call)).values_list("purpose")
    return {purpose or "": changes for purpose, changes in counted.annotate(rows=Count("pk"))}


def _spendings(
    ends: Sequence[Mapping[str, Any]], saved: Mapping[str, int], midnight: datetime
) -> tuple[Spending, ...]:
    calls: Counter[str] = Counter()
    kes: Counter[str] = Counter()
    usd: Counter[str] = Counter()
    for end in ends:
        calls[end["purpose"]] += end["calls"]
        kes[end["purpose"]] += end["kes"] or 0
        usd[end["purpose"]] += end["usd"] or 0
    labels = dict(Purpose.choices)
    return tuple(
        Spending(
            label=str(labels.get(purpose, "Enquiry")),
            calls=count,
            bills=(call_page.kes(kes[purpose]), call_page.usd(usd[purpose], places=2)),
            saved=saved.get(purpose, 0),
            each=" + ".join(_each(kes[purpose], usd[purpose], saved[purpose]))
            if saved.get(purpose)
            else NONE,
            address=_today(midnight, purpose__exact=purpose),
            saved_address=_saved(midnight, call_purpose=purpose),
        )
        for purpose, count in calls.most_common()
    )


def _shares(ends: Sequence[Mapping[str, Any]], midnight: datetime) -> tuple[Share, ...]:
    counted: Counter[str] = Counter()
    for end in ends:
        counted[end["outcome"]] += end["calls"]
    total = max(1, counted.total())
    return tuple(
        Share(
            label=Outcome(outcome).label if outcome else "Not over yet",
            count=count,
            percent=round(100 * count / total),
            address=_today(midnight, outcome__exact=outcome),
        )
        for outcome, count in counted.most_common()
    )


def _by_day(rows: QuerySet[Any], field: str) -> dict[date, int]:
    days = rows.order_by().annotate(day=TruncDate(field)).values_list("day").annotate(rows=Count("pk"))
    return dict(days)


def _hours(today: QuerySet[Call], midnight: datetime) -> str:
    begun = today.order_by().annotate(hour=TruncHour("created_at")).values_list("hour")
    counted = {localtime(hour).hour: calls for hour, calls in begun.annotate(calls=Count("pk"))}
    labels = [f"{hour:02}:00" for hour in range(24)]
    return _chart(labels, ("Calls", [counted.get(hour, 0) for hour in range(24)], "--color-primary-600"))


def _days(calls: Mapping[date, int], saved: Mapping[date, int], first: date) -> str:
    days = [first + timedelta(days=ahead) for ahead in range(DAYS)]
    return _chart(
        [f"{day:%d %b}" for day in days],
        ("Calls", [calls.get(day, 0) for day in days], "--color-primary-300"),
        ("Deliveries saved", [saved.get(day, 0) for day in days], "--color-primary-700"),
    )


def _chart(labels: Sequence[str], *rows: tuple[str, Sequence[int], str]) -> str:
    drawn = [
        {"label": label, "data": counts, "backgroundColor": f"var({colour})", "maxBarThickness": 14}
        for label, counts, colour in rows
    ]
    return json.dumps({"labels": labels, "datasets": drawn})


def percentile(measured: Iterable[float], share: int) -> float:
    """Return the smallest value that at least `share` percent of what was measured do not exceed."""
    ordered = sorted(measured)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


# Where the numbers lead


def _list(model: str, **wanted: str) -> str:
    address = reverse(f"admin:{model}_changelist")
    return f"{address}?{urlencode(wanted)}"


def _calls(**wanted: str) -> str:
    return _list("voice_call", tester__isnull="True", **wanted)


def _today(midnight: datetime, **wanted: str) -> str:
    return _calls(created_at__gte=midnight.isoformat(), **wanted)


def _saved(midnight: datetime, **wanted: str) -> str:
    return _list(
        "shipments_deliverychange",
        state__exact=ChangeState.APPLIED.value,
        decided_at__gte=midnight.isoformat(),
        call_public_id__gt="",
        asker__isnull="True",
        **wanted,
    )


def _listed(values: Iterable[str]) -> str:
    return ",".join(sorted(str(value) for value in values))
