"""Plan the calls that we place: the one gate that everything which dials asks, and the queue behind it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, OuterRef, Sum
from django.utils.timezone import localtime

from shipments import phones
from shipments.courtesy import ContactPreference, Holiday
from shipments.models import Address, Shipment
from shipments.statuses import Status
from voice import dial_rules
from voice.dial_rules import Answer, At, DialPolicy, Never, Now, Parcel, Seen, Wish
from voice.models import BILLED_KES_MINOR, Call, OutboundCall
from voice.shared import DialSwitch
from voice.statuses import DialOutcome, DialState, Direction, Purpose, dial_sources

_SWITCH = 1
_USE = timedelta(days=2)
_UNDER_WAY = (DialState.DIALLING, DialState.RINGING, DialState.ANSWERED)
_ENOUGH = tuple(set(DialState) - {DialState.PLANNED, DialState.SUPPRESSED})
_STALE = timedelta(hours=1)
"""A call that nobody heard the end of holds no place for longer than this."""
_DAY = timedelta(days=1)
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Planned:
    """What became of a wish to call: the gate's answer, and the open call that stands for it, if any."""

    shipment: Shipment
    answer: Answer
    outbound: OutboundCall | None


def policy() -> DialPolicy:
    """Return what the settings allow."""
    hours = dial_rules.parse_hours(settings.DIAL_HOURS)
    sunday = dial_rules.parse_hours(f"{settings.DIAL_SUNDAY_FROM}-24:00").from_min
    return DialPolicy(
        hours=dial_rules.Hours(hours.from_min, hours.until_min, sunday),
        per_parcel=settings.DIAL_PER_PARCEL,
        per_number_and_day=settings.DIAL_PER_NUMBER_PER_DAY,
        asked_per_number_and_day=settings.DIAL_ASKED_PER_NUMBER_PER_DAY,
        countries=frozenset(country.lstrip("+").upper() for country in settings.DIAL_COUNTRIES),
        at_once=settings.DIAL_AT_ONCE,
        budget_minor=100 * settings.DIAL_BUDGET_KES_PER_DAY,
        own_number=phones.normalise(settings.SAUTIKIT_NUMBER, settings.PHONE_REGION),
        demo_may_ring=_is_loopback(urlsplit(settings.SAUTIKIT_BASE_URL).hostname or ""),
        eta_lead=timedelta(seconds=settings.DIAL_ETA_LEAD_S),
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


# The gate


class Books:
    """What is written of so many parcels that the gate has to know; a few queries, however many there are."""

    def __init__(self, shipments: Sequence[Shipment], now: datetime, *, but: int = 0) -> None:
        self._now = now
        self._policy = policy()
        numbers = {shipment.phone for shipment in shipments}
        rung = OutboundCall.objects.filter(may_have_rung=True).exclude(pk=but)
        self._of_parcel: dict[int, int] = {}
        for pk in rung.filter(shipment__in=shipments, asked_for=False).values_list("shipment_id", flat=True):
            self._of_parcel[pk] = self._of_parcel.get(pk, 0) + 1
        wrong = OutboundCall.objects.filter(shipment__in=shipments, outcome=DialOutcome.WRONG_NUMBER)
        self._wrong = set(wrong.values_list("shipment_id", "number"))
        # A day lasts 25 hours at most, wherever it is.
        self._of_number: dict[str, list[tuple[datetime, bool]]] = {}
        for number, at, asked_for in rung.filter(
            number__in=numbers, dialled_at__gte=now - timedelta(hours=26)
        ).values_list("number", "dialled_at", "asked_for"):
            if at is not None:
                self._of_number.setdefault(number, []).append((at, asked_for))
        self._at_once = (
            OutboundCall.objects.filter(state__in=_UNDER_WAY, dialled_at__gte=now - _STALE)
            .exclude(pk=but)
            .count()
        )
        self._spent_minor = _spent_minor(now) if self._policy.budget_minor else 0
        wishes = ContactPreference.objects.filter(number__in=numbers)
        self._wishes = {
            number: (opted_out_at is not None, dial_rules.parse_rest(quiet_hours))
            for number, opted_out_at, quiet_hours in wishes.values_list(
                "number", "opted_out_at", "quiet_hours"
            )
        }
        self._calendar = _Calendar(shipments, now)
        stopped = switch()
        self._paused = stopped.reason if stopped.paused else ""

    def answer(self, shipment: Shipment, wish: Wish) -> Answer:
        """Return what the gate says of a call about one of these parcels."""
        return dial_rules.answer(parcel_of(shipment), wish, self._seen(shipment), self._policy, self._now)

    def _seen(self, shipment: Shipment) -> Seen:
        today = self._now.astimezone(shipment.zone).date()
        asked = [
            asked_for
            for at, asked_for in self._of_number.get(shipment.phone, ())
            if at.astimezone(shipment.zone).date() == today
        ]
        opted_out, rest = self._wishes.get(shipment.phone, (False, None))
        return Seen(
            of_parcel=self._of_parcel.get(shipment.pk, 0),
            of_number_today=asked.count(False),
            asked_of_number_today=asked.count(True),
            at_once=self._at_once,
            spent_minor=self._spent_minor,
            opted_out=opted_out,
            wrong_number=(shipment.pk, shipment.phone) in self._wrong,
            holidays=self._calendar.of(shipment),
            rest=rest,
            paused=self._paused,
        )


def parcel_of(shipment: Shipment) -> Parcel:
    """Return what the gate has to know of a parcel."""
    return Parcel(
        number=shipment.phone,
        zone=shipment.zone,
        status=shipment.status,
        substatus=shipment.substatus,
        is_demo=shipment.is_demo,
        eta_at=shipment.eta_at,
        window_start=shipment.promised_start,
        window_end=shipment.promised_end,
    )


def wish_of(outbound: OutboundCall) -> Wish:
    """Return a planned call as the gate sees it."""
    return Wish(
        purpose=outbound.purpose,
        planned_number=outbound.number,
        not_before=outbound.not_before,
        expires_at=outbound.expires_at,
        eta_at=outbound.eta_at,
        asked_for=outbound.asked_for,
    )


def _spent_minor(now: datetime) -> int:
    day = localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    calls = Call.objects.filter(direction=Direction.OUTBOUND, created_at__gte=day)
    return calls.aggregate(minor=Sum(BILLED_KES_MINOR))["minor"] or 0


class _Calendar:
    """The holidays of these parcels' countries for as long as the gate looks ahead."""

    def __init__(self, shipments: Sequence[Shipment], now: datetime) -> None:
        addresses = Address.objects.filter(pk__in={shipment.address_id for shipment in shipments})
        self._country = dict(addresses.values_list("pk", "country"))
        near = Holiday.objects.filter(
            date__range=((now - _DAY).date(), (now + dial_rules.AHEAD + _DAY).date())
        )
        self._days: dict[str, set[date]] = {}
        for country, day in near.filter(country__in=set(self._country.values())).values_list(
            "country", "date"
        ):
            self._days.setdefault(country, set()).add(day)

    def of(self, shipment: Shipment) -> frozenset[date]:
        """Return the holidays at this parcel's recipient."""
        return frozenset(self._days.get(self._country.get(shipment.address_id, ""), ()))


# The plan


def look(shipment: Shipment, purpose: str, *, now: datetime, asked_for: bool = False) -> Answer:
    """Return what the gate would say of a call now, and plan nothing."""
    wish = _wish(shipment, purpose, now, asked_for=asked_for)
    return Books([shipment], now).answer(shipment, wish)


def plan(
    shipment: Shipment,
    purpose: str,
    *,
    by: str,
    now: datetime,
    not_before: datetime | None = None,
    asked_for: bool = False,
) -> Planned:
    """Plan a call, if the gate does not forbid it; while one of this purpose is open, it is that one.

    Without `not_before` the call is for as soon as the gate lets it.
    """
    wish = _wish(shipment, purpose, not_before or now, asked_for=asked_for)
    return _plan([(shipment, wish)], by=by, now=now)[0]


def plan_arrivals(*, now: datetime, limit: int | None = None) -> list[Planned]:
    """Plan an `eta` call for each parcel that is out for delivery, some time before it arrives."""
    planned: list[Planned] = []
    for wishes in _arrivals(now, limit):
        planned += _plan(wishes, by="rules", now=now)
    return planned


def look_at_arrivals(*, now: datetime, limit: int | None = None) -> list[Planned]:
    """Return what the gate would say of the calls that `plan_arrivals` would plan, and plan nothing."""
    found: list[Planned] = []
    for wishes in _arrivals(now, limit):
        books = Books([shipment for shipment, _ in wishes], now)
        found += [Planned(shipment, books.answer(shipment, wish), None) for shipment, wish in wishes]
    return found


def _arrivals(now: datetime, limit: int | None) -> Iterator[list[tuple[Shipment, Wish]]]:
    lead = timedelta(seconds=settings.DIAL_ETA_LEAD_S)
    parcels = Shipment.objects.filter(status=Status.OUT_FOR_DELIVERY, eta_at__gt=now).order_by("eta_at", "pk")
    # One call a parcel is enough: who was reached, or lost on the way, is not planned for again by the rules.
    called = OutboundCall.objects.filter(shipment=OuterRef("pk"), purpose=Purpose.ETA, state__in=_ENOUGH)
    due = list(parcels.filter(~Exists(called))[:limit])
    for first in range(0, len(due), _BATCH):
        yield [
            (parcel, _wish(parcel, Purpose.ETA, (parcel.eta_at or now) - lead))
            for parcel in due[first : first + _BATCH]
        ]


def _wish(shipment: Shipment, purpose: str, not_before: datetime, *, asked_for: bool = False) -> Wish:
    is_arrival = purpose == Purpose.ETA
    until = (shipment.eta_at or shipment.promised_end) if is_arrival else None
    return Wish(
        purpose=purpose,
        planned_number=shipment.phone,
        not_before=not_before,
        expires_at=until or not_before + _USE,
        eta_at=shipment.eta_at if is_arrival else None,
        asked_for=asked_for,
    )


def _plan(wishes: Sequence[tuple[Shipment, Wish]], *, by: str, now: datetime) -> list[Planned]:
    """Plan calls of one purpose."""
    if not wishes:
        return []
    purpose, shipments = wishes[0][1].purpose, [shipment for shipment, _ in wishes]
    books = Books(shipments, now)
    rows = OutboundCall.objects.filter(shipment__in=shipments, purpose=purpose)
    standing = {row.shipment_id: row for row in rows.open()}
    attempts = dict(rows.order_by().values_list("shipment_id").annotate(Max("attempt")))
    planned, new = [], []
    for shipment, wish in wishes:
        said = books.answer(shipment, wish)
        row = standing.get(shipment.pk)
        if row is not None:
            said = _moved(row, shipment, wish, said)
        elif not isinstance(said, Never):
            row = _row(shipment, wish, said, attempts.get(shipment.pk, 0) + 1, by, now)
            new.append(row)
        planned.append(Planned(shipment, said, row))
    try:
        with transaction.atomic():
            OutboundCall.objects.bulk_create(new)
    except IntegrityError:  # somebody planned one of them in this very moment: then one by one
        if len(wishes) > 1:
            return [_plan([wish], by=by, now=now)[0] for wish in wishes]
        theirs = rows.open().first()
        return [Planned(planned[0].shipment, planned[0].answer, theirs)]
    return planned


def _row(shipment: Shipment, wish: Wish, said: Answer, attempt: int, by: str, now: datetime) -> OutboundCall:
    return OutboundCall(
        shipment=shipment,
        purpose=wish.purpose,
        attempt=attempt,
        number=shipment.phone,
        asked_for=wish.asked_for,
        not_before=said.when if isinstance(said, At) else wish.not_before or now,
        expires_at=wish.expires_at,
        eta_at=wish.eta_at,
        reason=said.because[:300] if isinstance(said, At) else "",
        requested_by=by[:120],
        created_at=now,
    )


def _moved(row: OutboundCall, shipment: Shipment, wish: Wish, said: Answer) -> Answer:
    """Move a planned call with the parcel's estimate; what is under way says so."""
    if row.state != DialState.PLANNED:
        return Now(f"A call of this kind is open: {row.get_state_display().lower()}.")
    if wish.eta_at is not None and wish.eta_at != row.eta_at and not isinstance(said, Never):
        when = said.when if isinstance(said, At) else wish.not_before or row.not_before
        OutboundCall.objects.filter(pk=row.pk, state=DialState.PLANNED).update(
            not_before=when, expires_at=wish.expires_at, eta_at=wish.eta_at, reason=said.because[:300]
        )
        row.refresh_from_db()
    return said


def move(pk: int, target: DialState, **fields: object) -> bool:
    """Move a placed call on, if its state allows it; False when somebody was first or it never may."""
    moved = OutboundCall.objects.filter(pk=pk, state__in=dial_sources(target))
    return bool(moved.update(state=target, **fields))


def cancel(pks: Iterable[int], *, by: str, now: datetime) -> int:
    """Take calls off the plan that were not dialled yet; return how many."""
    waiting = OutboundCall.objects.filter(pk__in=list(pks), state__in=dial_sources(DialState.CANCELLED))
    return waiting.update(state=DialState.CANCELLED, reason=f"Cancelled by {by}."[:300], ended_at=now)


def forget(number: str, *, reason: str, now: datetime, shipment: Shipment | None = None) -> int:
    """Suppress what is planned for a number, or only about one parcel, the moment that calls are unwanted."""
    waiting = OutboundCall.objects.filter(
        number=number, asked_for=False, state__in=dial_sources(DialState.SUPPRESSED)
    )
    if shipment is not None:
        waiting = waiting.filter(shipment=shipment)
    return waiting.update(state=DialState.SUPPRESSED, reason=reason[:300], ended_at=now)


# The switch


def switch() -> DialSwitch:
    """Return the row that all diallers share."""
    row, _ = DialSwitch.objects.get_or_create(pk=_SWITCH)
    return row


def pause(*, by: str, reason: str, now: datetime) -> bool:
    """Stop all dialling; False when it was stopped already."""
    switch()
    stopped = DialSwitch.objects.filter(pk=_SWITCH, paused=False)
    return bool(stopped.update(paused=True, reason=reason[:300], changed_by=by[:120], changed_at=now))


def resume(*, by: str, now: datetime) -> bool:
    """Let dialling go on; False when it was not stopped."""
    stopped = DialSwitch.objects.filter(pk=_SWITCH, paused=True)
    return bool(stopped.update(paused=False, reason="", changed_by=by[:120], changed_at=now))
