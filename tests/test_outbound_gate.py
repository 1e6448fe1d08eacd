"""Whom we may ring and when, asked as a call is planned and again as it is dialled (O10, O11, O12, O14)."""

import asyncio
from datetime import timedelta
from itertools import count

import pytest

from shipments.courtesy import ContactPreference, Holiday
from shipments.statuses import Status
from tests.dialled import LATER, Platform, a_parcel_at_the_door, dial, fresh, opened, over, planned, webhook
from tests.shipments.builders import AMINA, BRIAN, NOW, a_parcel
from voice import dialing, placing
from voice.dial_rules import At, Never, Now
from voice.models import Call, OutboundCall
from voice.statuses import CallStatus, DialState, Purpose
from voice.wire.placing import Accepted, Order, Placement, Unclear

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
LOST = Never("Nobody knows whether the last call of this kind rang: somebody has to say so first.")


def test_o10_a_call_planned_by_day_is_not_dialled_by_night():
    parcel = a_parcel(status=Status.IN_TRANSIT)
    row, platform = planned(parcel, Purpose.CONFIRM_ADDRESS), Platform()
    evening = NOW + timedelta(hours=10)  # eight in the evening in Nairobi

    said = dial(platform, evening)

    assert said == At(NOW + timedelta(hours=22), "It is quiet hours there until Wed 25 Nov 08:00.")
    assert fresh(row).not_before == NOW + timedelta(hours=22)
    assert platform.orders == []


def test_o10_quiet_hours_that_a_recipient_names_after_the_plan_are_kept():
    row, platform = planned(a_parcel(status=Status.IN_TRANSIT), Purpose.CONFIRM_ADDRESS), Platform()
    ContactPreference.objects.create(number=AMINA, quiet_hours="09:00-15:30")

    said = dial(platform)

    until = NOW.replace(hour=12, minute=30)
    assert said == At(until, "The recipient wants no calls until Tue 24 Nov 15:30.")
    assert (fresh(row).state, fresh(row).not_before) == (DialState.PLANNED, until)
    assert platform.orders == []


class _Elsewhen:
    """A platform that takes every call, by another clock."""

    def __init__(self, skew_s: float) -> None:
        self.skew_s = 0.0
        self.placed = 0
        self._after_s = skew_s

    async def place(self, order: Order, *, path: str = "") -> Placement:
        self.placed += 1
        self.skew_s = self._after_s
        return Accepted("", "")

    async def fetch(self, call: str) -> object:
        return None


@pytest.mark.django_db(transaction=True)
@pytest.mark.logs_errors
@pytest.mark.parametrize(("skew_s", "placed"), [(600.0, 1), (-600.0, 1), (100.0, 2), (0.0, 2)])
def test_o10_a_clock_that_is_ten_minutes_off_stops_all_dialling(skew_s, placed):
    for number in (AMINA, BRIAN):
        planned(a_parcel_at_the_door(phone=number))
    platform, seconds = _Elsewhen(skew_s), count()
    dialler = placing.Dialler(platform, by="d", now=lambda: NOW + timedelta(seconds=next(seconds)))

    asyncio.run(dialler.place_due(LATER))

    assert platform.placed == placed
    stopped = dialing.switch()
    assert stopped.reason == ("Our clock and the platform's are 600 seconds apart." if placed == 1 else "")


def test_o11_who_opts_out_after_the_plan_is_not_dialled():
    row, platform = planned(), Platform()
    ContactPreference.objects.create(number=AMINA, opted_out_at=NOW)

    dial(platform)
    again = dialing.plan(row.shipment, Purpose.ETA, by="test", now=LATER)

    assert (fresh(row).state, fresh(row).reason) == (
        DialState.SUPPRESSED,
        "The recipient does not want to be called.",
    )
    assert isinstance(again.answer, Never)
    assert again.outbound is None
    assert platform.orders == []


def test_o11_who_opts_out_is_off_the_plan_at_once():
    row, other = planned(), planned(a_parcel_at_the_door(phone=BRIAN))
    wished = planned(row.shipment, Purpose.CALLBACK, asked_at=NOW)

    assert dialing.forget(AMINA, reason="No calls, please.", now=NOW) == 2

    assert (fresh(row).state, fresh(other).state) == (DialState.SUPPRESSED, DialState.PLANNED)
    assert fresh(wished).state == DialState.SUPPRESSED


def test_o11_who_opts_out_after_asking_for_a_call_is_not_dialled():
    parcel, later = a_parcel(status=Status.IN_TRANSIT), NOW + timedelta(hours=1)
    row = planned(parcel, Purpose.CALLBACK, asked_at=NOW, not_before=later)
    ContactPreference.objects.create(number=AMINA, opted_out_at=NOW + timedelta(minutes=30))

    said = dial(Platform(), later)

    assert said == Never("The recipient does not want to be called.")
    assert fresh(row).state == DialState.SUPPRESSED


def test_o11_who_opted_out_and_then_asks_for_a_call_is_rung_once():
    ContactPreference.objects.create(number=AMINA, opted_out_at=NOW - timedelta(hours=1))
    parcel = a_parcel(status=Status.IN_TRANSIT)
    row = planned(parcel, Purpose.CALLBACK, asked_at=NOW)

    assert isinstance(dial(Platform()), Now)
    over("Busy")(row)

    assert OutboundCall.objects.open().count() == 0


def test_o10_a_holiday_of_the_recipients_country_is_quiet():
    Holiday.objects.create(country="KE", date=NOW.date(), name="A day")
    Holiday.objects.create(country="NG", date=NOW.date() + timedelta(days=1), name="Another")

    said = dialing.look(a_parcel(status=Status.IN_TRANSIT), Purpose.CONFIRM_ADDRESS, now=NOW)

    assert said == At(NOW + timedelta(hours=22), "It is quiet hours there until Wed 25 Nov 08:00.")


def test_o12_a_parcel_delivered_meanwhile_is_not_called_about():
    row, platform = planned(), Platform()
    type(row.shipment).objects.filter(pk=row.shipment_id).update(status=Status.DELIVERED)

    dial(platform)

    assert (fresh(row).state, fresh(row).reason) == (DialState.CANCELLED, "The parcel is delivered.")
    assert platform.orders == []


def test_o14_a_number_that_changed_meanwhile_is_not_called():
    row, platform = planned(), Platform()
    type(row.shipment).objects.filter(pk=row.shipment_id).update(phone=BRIAN)

    dial(platform)

    assert fresh(row).state == DialState.SUPPRESSED
    assert platform.orders == []


def test_o14_what_the_gate_forbids_is_not_planned():
    said = dialing.plan(a_parcel_at_the_door(phone="+12125550123"), Purpose.ETA, by="test", now=NOW)

    assert isinstance(said.answer, Never)
    assert said.outbound is None
    assert OutboundCall.objects.count() == 0


def test_who_asks_while_a_try_waits_for_its_time_is_told_that_time():
    parcel = a_parcel(status=Status.IN_TRANSIT)
    row = planned(parcel, Purpose.CONFIRM_ADDRESS)
    dial(Platform())
    over("NoAnswer")(row)

    again = dialing.plan(parcel, Purpose.CONFIRM_ADDRESS, by="mary", now=LATER)

    told = At(LATER + timedelta(hours=2), "It is planned for Tue 24 Nov 12:05.")
    assert again.answer == told
    assert dialing.look(parcel, Purpose.CONFIRM_ADDRESS, now=LATER) == told


def test_a_look_tells_of_the_call_that_is_open():
    row = planned()
    dial(Platform(Unclear("lost")))

    assert dialing.look(row.shipment, row.purpose, now=LATER) == LOST
    opened(webhook(row), LATER)
    ringing = Now("A call of this kind is open: ringing.")
    assert dialing.look(row.shipment, row.purpose, now=LATER) == ringing


def test_a_number_is_called_three_times_a_day_and_no_more():
    platform = Platform()
    for _ in range(4):
        planned(a_parcel(status=Status.IN_TRANSIT), Purpose.CONFIRM_ADDRESS)

    for second in range(0, 20, 2):
        dial(platform, NOW + timedelta(seconds=second))
        OutboundCall.objects.filter(state=DialState.RINGING).update(state=DialState.DONE)
        Call.objects.update(status=CallStatus.COMPLETED)

    assert len(platform.orders) == 3
    waits = OutboundCall.objects.get(state=DialState.PLANNED)
    assert waits.reason == "The number was called 3 times today; more is for tomorrow."


ON_THE_LINE = "The recipient's number rings or is on the line just now."


@pytest.mark.parametrize("placement", [Accepted("", ""), Unclear("lost")])
def test_a_number_that_rings_is_not_rung_for_another_parcel_until_that_is_over(placement):
    one, other = planned(), planned(a_parcel_at_the_door())
    dial(Platform(placement))

    said = dial(Platform(), NOW + timedelta(seconds=2))

    assert one.number == other.number
    assert said == At(NOW + timedelta(seconds=62), ON_THE_LINE)
    over("NoAnswer")(one)
    assert isinstance(dial(Platform(), NOW + timedelta(seconds=62)), Now)


def test_who_talks_to_us_is_not_rung_and_one_whose_ring_was_never_ended_is_after_some_time(settings):
    row = planned(a_parcel(status=Status.IN_TRANSIT), Purpose.CONFIRM_ADDRESS)
    call = Call.objects.create(customer_number=AMINA, created_at=NOW - timedelta(minutes=5))
    later = NOW + timedelta(seconds=settings.RING_LIMIT_S)

    assert dialing.look(row.shipment, row.purpose, now=NOW) == At(NOW + timedelta(minutes=1), ON_THE_LINE)
    assert isinstance(dialing.look(row.shipment, row.purpose, now=later), Now)
    Call.objects.filter(pk=call.pk).update(status=CallStatus.ANSWERED)
    assert isinstance(dialing.look(row.shipment, row.purpose, now=later), At)


def test_arrivals_are_planned_a_quarter_before_and_move_with_the_estimate():
    soon, later = a_parcel_at_the_door(), a_parcel_at_the_door(phone=BRIAN, eta_at=NOW + timedelta(hours=2))
    a_parcel(status=Status.IN_TRANSIT)

    first = dialing.plan_arrivals(now=NOW)
    type(later).objects.filter(pk=later.pk).update(eta_at=NOW + timedelta(hours=3))
    second = dialing.plan_arrivals(now=NOW)

    assert [one.shipment for one in first] == [soon, later]
    assert OutboundCall.objects.count() == 2
    assert second[1].outbound is not None
    assert second[1].outbound.not_before == NOW + timedelta(hours=2, minutes=45)
    assert isinstance(second[1].answer, At)


def test_planning_many_costs_as_many_queries_as_planning_one(django_assert_max_num_queries):
    for number in range(40):
        a_parcel_at_the_door(phone=f"+2547000001{number:02}")
    dialing.switch()

    with django_assert_max_num_queries(20):
        dialing.plan_arrivals(now=NOW)

    assert OutboundCall.objects.count() == 40
