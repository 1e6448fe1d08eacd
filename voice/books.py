"""Look up all that the gate has to know of parcels, numbers, money and the day, and ask it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Count, Q, Sum
from django.utils.timezone import localtime

from shipments import phones
from shipments.courtesy import ContactPreference, Holiday
from shipments.models import Address, Shipment
from voice import budget, dial_rules, room
from voice.dial_rules import Answer, DialPolicy, Parcel, Seen, Wish
from voice.models import BILLED_KES_MINOR, RUNS, Call, OutboundCall
from voice.served import last_served
from voice.shared import DialSwitch
from voice.statuses import CallStatus, DialOutcome, DialState, Direction, Purpose

_UNDER_WAY = (DialState.DIALLING, DialState.RINGING, DialState.ANSWERED)
_STALE = timedelta(hours=1)
"""A call that nobody heard the end of holds no place for longer than this."""
_DAY = timedelta(days=1)


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
        self._on_the_line = _on_the_line(numbers, now, but)
        self._spent_minor = _spent_minor(now) if self._policy.budget_minor else 0
        self._lacking = room.lacking(now)
        wishes = ContactPreference.objects.filter(number__in=numbers)
        self._wishes = {
            number: (opted_out_at, dial_rules.parse_rest(quiet_hours))
            for number, opted_out_at, quiet_hours in wishes.values_list(
                "number", "opted_out_at", "quiet_hours"
            )
        }
        self._calendar = _Calendar(shipments, now)
        self._paused = "".join(DialSwitch.objects.filter(paused=True).values_list("reason", flat=True))

    def answer(self, shipment: Shipment, wish: Wish) -> Answer:
        """Return what the gate says of a call about one of these parcels."""
        return dial_rules.answer(
            parcel_of(shipment), wish, self._seen(shipment, wish), self._policy, self._now
        )

    def _seen(self, shipment: Shipment, wish: Wish) -> Seen:
        today = self._now.astimezone(shipment.zone).date()
        asked = [
            asked_for
            for at, asked_for in self._of_number.get(shipment.phone, ())
            if at.astimezone(shipment.zone).date() == today
        ]
        opted_out_at, rest = self._wishes.get(shipment.phone, (None, None))
        return Seen(
            of_parcel=self._of_parcel.get(shipment.pk, 0),
            of_number_today=asked.count(False),
            asked_of_number_today=asked.count(True),
            at_once=self._at_once,
            on_the_line=shipment.phone in self._on_the_line,
            spent_minor=self._spent_minor,
            lacking=self._lacking,
            opted_out_at=opted_out_at,
            wrong_number=(shipment.pk, shipment.phone) in self._wrong,
            holidays=self._calendar.of(shipment),
            rest=rest,
            paused=self._paused,
            served_at=last_served(shipment.phone, self._now) if wish.purpose == Purpose.CALLBACK else None,
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
        asked_at=outbound.created_at if outbound.asked_for else None,
    )


def _on_the_line(numbers: set[str], now: datetime, but: int) -> set[str]:
    """Return which of these numbers ring because of us or talk to us, this call left out."""
    rings = now - timedelta(seconds=settings.RING_LIMIT_S)
    rung = OutboundCall.objects.filter(
        number__in=numbers, state__in=(*_UNDER_WAY, DialState.UNKNOWN), dialled_at__gte=rings
    )
    live = Call.objects.by_telephone().live().filter(customer_number__in=numbers)
    # Of a call whose end is never told nothing comes after some time; one that talks shows that it lives.
    live = live.filter(Q(status=CallStatus.ANSWERED) | Q(created_at__gte=rings))
    return set(rung.exclude(pk=but).values_list("number", flat=True)) | set(
        live.exclude(outbound=but).values_list("customer_number", flat=True)
    )


def _spent_minor(now: datetime) -> int:
    """Return what today's placed calls cost; one that is not over counts with what it may come to."""
    day = localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    calls = Call.objects.filter(direction=Direction.OUTBOUND, created_at__gte=day)
    found = calls.aggregate(minor=Sum(BILLED_KES_MINOR, default=0), live=Count("pk", filter=RUNS))
    minor: int = found["minor"] + found["live"] * budget.longest_kes_minor(Direction.OUTBOUND, day.date())
    return minor


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
