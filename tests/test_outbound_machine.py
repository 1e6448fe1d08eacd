"""P12 in any order of events: one attempt rings at most once, at no wrong hour, and nobody unwanted."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shipments.courtesy import ContactPreference
from shipments.models import Shipment
from shipments.statuses import Status
from tests.counts import counted
from tests.dialled import opened, webhook
from tests.shipments.builders import a_parcel
from voice import calls, dialing, outbound, placing, reports
from voice.dial_rules import Hours, Now, Rest, is_quiet, parse_rest
from voice.models import OutboundCall
from voice.records import Ending
from voice.statuses import DIAL_OPEN, LIVE, NEXT_DIAL, DialState, Purpose
from voice.wire.placing import Accepted, Placement, Refused, Slow, Unclear, Unsent

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.logs_errors]

NUMBERS = {"+254700000001": "Africa/Nairobi", "+254700000002": "America/New_York"}
"""The second lives where the clocks change."""
BEGIN = datetime(2026, 10, 31, 15, 0, tzinfo=UTC)  # the clocks in New York change in the night that follows
PLACEMENTS: tuple[tuple[Placement, bool], ...] = (
    (Accepted("c", ""), True),
    (Accepted("", ""), True),
    (Unclear("lost"), True),
    (Unclear("lost"), False),
    (Unclear("The platform answered 500."), True),
    (Unclear("The platform says that this call was placed already."), True),
    (Unsent("refused"), False),
    (Slow(30.0), False),
    (Refused(400, "x"), False),
    (Refused(401, "key"), False),
    (Refused(402, "wallet"), False),
)
STATUSES = st.sampled_from(["busy", "no_answer", "failed", "completed", "answered", "ringing", ""])
COLUMNS = (
    *("pk", "shipment_id", "purpose", "attempt", "number", "state", "may_have_rung", "dialled_at"),
    *("call__status", "call__answered_at"),
)
Rows = dict[int, dict[str, Any]]
"""The calls by their keys, each with these columns."""
PURPOSES = st.sampled_from([Purpose.CONFIRM_ADDRESS, Purpose.RESCHEDULE_OFFER, Purpose.ETA])


class _RolledBack(Exception):  # noqa: N818 - it is no error
    pass


class Dialling(RuleBasedStateMachine):
    """Diallers, a platform and people; `rung` is what really rang, which no dialler can see."""

    def __init__(self) -> None:
        super().__init__()
        self._transaction = transaction.atomic()
        self._transaction.__enter__()
        self.now = BEGIN
        self.unwanted: set[str] = set()
        self.rests: dict[str, Rest | None] = {}
        self.rung: list[tuple[int, datetime, bool]] = []
        self.held: list[OutboundCall] = []
        self.halted: list[tuple[OutboundCall, datetime, bool]] = []  # when the gate let it, whom then
        self.late: list[tuple[OutboundCall, Placement]] = []
        self.states: dict[int, DialState] = {}
        self.parcels = [
            a_parcel(number, time_zone=zone, eta_at=BEGIN + timedelta(hours=30), status=Status.IN_TRANSIT)
            for number, zone in NUMBERS.items()
        ]

    def teardown(self) -> None:
        self._transaction.__exit__(_RolledBack, _RolledBack(), None)

    @initialize()
    def begin_with_one(self) -> None:
        """Want a call of each parcel."""
        for parcel in self.parcels:
            dialing.plan(parcel, Purpose.CONFIRM_ADDRESS, by="test", now=self.now)

    @rule(parcel=st.integers(0, 1), purpose=PURPOSES)
    def ask(self, parcel: int, purpose: Purpose) -> None:
        """Want a call."""
        before = OutboundCall.objects.open().filter(shipment=self.parcels[parcel], purpose=purpose).first()

        planned = dialing.plan(self.parcels[parcel], purpose, by="test", now=self.now)

        assert before is None or planned.outbound == before

    @rule()
    def claim(self) -> None:
        """Let a dialler take a call."""
        if row := outbound.claim("d", self.now):
            self.held.append(row)

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 9), outcome=st.sampled_from(PLACEMENTS), dies=st.integers(0, 5))
    def dial(self, which: int, outcome: tuple[Placement, bool], dies: int) -> None:
        """Let a dialler do its work, be killed or halted on the way, or wait for its turn."""
        row = self.held.pop(which % len(self.held))
        placement, rings = outcome
        said = placing.begin(row, self.now)
        if isinstance(said, placing.Turn):
            self.held.append(row)
        elif isinstance(said, Now) and dies == 4:
            self.halted.append((row, self.now, self._is_disturbed(row.number)))
        elif isinstance(said, Now) and dies != 1:
            if rings:
                self.rung.append((row.pk, self.now, self._is_disturbed(row.number)))
            if dies == 3:
                self.late.append((row, placement))
            elif dies != 2:
                placing.settle(row, placement, self.now, lambda: 0.5)

    @precondition(lambda self: self.halted)
    @rule(which=st.integers(0, 9), outcome=st.sampled_from(PLACEMENTS))
    def wake(self, which: int, outcome: tuple[Placement, bool]) -> None:
        """Let a dialler that was halted before its request go on; for seconds the gate's word stands."""
        row, let_at, disturbs = self.halted.pop(which % len(self.halted))
        placement, rings = outcome
        if placing.overslept(row, self.now):
            placement, rings = Unsent("overslept"), False
        if rings:
            self.rung.append((row.pk, let_at, disturbs))
        placing.settle(row, placement, self.now, lambda: 0.5)

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 9))
    def stop(self, which: int) -> None:
        """Stop a dialler that waits for its turn."""
        outbound.release(self.held.pop(which % len(self.held)), self.now, "The dialler was stopped.")

    def _is_disturbed(self, number: str) -> bool:
        zone, rest = ZoneInfo(NUMBERS[number]), self.rests.get(number)
        return number in self.unwanted or is_quiet(Hours(), zone, self.now, rest=rest)

    @rule(parcel=st.integers(0, 1), span=st.sampled_from(["", "12:00-14:00", "17:30-10:15", "00:00-09:00"]))
    def rest(self, parcel: int, span: str) -> None:
        """Want no calls at some hours from now on, or at any of the courier's again."""
        number = self.parcels[parcel].phone
        ContactPreference.objects.update_or_create(number=number, defaults={"quiet_hours": span})
        self.rests[number] = parse_rest(span)

    @precondition(lambda self: self.late)
    @rule(which=st.integers(0, 9))
    def answer_late(self, which: int) -> None:
        """Let the platform's answer come when much else may have happened."""
        row, placement = self.late.pop(which % len(self.late))
        placing.settle(row, placement, self.now, lambda: 0.5)

    @rule(outcome=st.sampled_from(PLACEMENTS), dies=st.integers(0, 5))
    def go_on(self, outcome: tuple[Placement, bool], dies: int) -> None:
        """Let a dialler take the next call and do its work, when its turn has come."""
        self.now += timedelta(seconds=31)
        self.claim()
        if self.held:
            self.dial(len(self.held) - 1, outcome, dies)

    @precondition(lambda self: self.held)
    @rule()
    def kill(self) -> None:
        """Let a dialler die with what it has claimed."""
        self.held.clear()

    @rule()
    def reconcile(self) -> None:
        """Look after what was left."""
        outbound.reconcile(self.now)

    @precondition(lambda self: self.rung)
    @rule(
        which=st.integers(0, 9), edge=st.sampled_from(["Ringing", "Busy", "NoAnswer", "Failed", "Completed"])
    )
    def post(self, which: int, edge: str) -> None:
        """Let the platform tell of a call that rang, in any order and as often as it likes."""
        pk, _, _ = self.rung[which % len(self.rung)]
        hook = webhook(OutboundCall.objects.get(pk=pk), edge, sessionId=f"HD_{pk}")
        if edge != "Ringing":
            reports.note_edge(hook, now=self.now)
        elif opening := opened(hook, self.now):
            facts = calls.accept_stream(opening.token, now=self.now)
            if facts is not None:
                reason = "voicemail" if which % 2 else "caller_hangup"
                calls.end_call(facts.call_id, Ending(reason, None, {}, {}, 20.0), now=self.now)

    @precondition(lambda self: self.rung)
    @rule(which=st.integers(0, 9), status=STATUSES, seconds=st.sampled_from([0, 7]))
    def look_up(self, which: int, status: str, seconds: int) -> None:
        """Ask the platform."""
        document = {"status": status, "duration_seconds": seconds}
        placing.note_look_up(self.rung[which % len(self.rung)][0], document, self.now)

    @precondition(lambda self: self.rung)
    @rule(which=st.integers(0, 9), status=STATUSES, seconds=st.sampled_from([0, 7]))
    def tell(self, which: int, status: str, seconds: int) -> None:
        """Let the platform send an event, of a call whose stream may never have come."""
        pk, _, _ = self.rung[which % len(self.rung)]
        label = OutboundCall.objects.values_list("client_request_id", flat=True).get(pk=pk)
        told = {"client_request_id": label, "status": status, "duration_seconds": seconds}
        reports.note_event(f"{pk}:{self.now}:{status}", "", {"data": told}, now=self.now)

    @rule(minutes=st.sampled_from([1, 3, 25, 130, 480, 1_440]))
    def wait(self, minutes: int) -> None:
        """Let time pass."""
        self.now += timedelta(minutes=minutes)

    @rule()
    def wait_a_moment(self) -> None:
        """Let a little time pass."""
        self.now += timedelta(seconds=1)

    @rule()
    def set_the_clock_back(self) -> None:
        """Correct a machine's clock that went fast."""
        self.now -= timedelta(seconds=40)

    @rule(number=st.sampled_from(sorted(NUMBERS)))
    def want_no_calls(self, number: str) -> None:
        """Say that one wants no calls."""
        self.unwanted.add(number)
        ContactPreference.objects.update_or_create(number=number, defaults={"opted_out_at": self.now})
        dialing.forget(number, reason="The recipient does not want to be called.", now=self.now)

    @rule(parcel=st.integers(0, 1), status=st.sampled_from([Status.OUT_FOR_DELIVERY, Status.DELIVERED]))
    def move_parcel(self, parcel: int, status: Status) -> None:
        """Let the parcel go on."""
        Shipment.objects.filter(pk=self.parcels[parcel].pk).update(status=status)
        self.parcels[parcel].refresh_from_db()

    @rule()
    def resume(self) -> None:
        """Let dialling go on."""
        dialing.resume(by="mary", now=self.now)

    @invariant()
    def every_rule_holds(self) -> None:
        """Look at the calls once for all rules: a query a rule and a ring was half of the work."""
        rows = {row["pk"]: row for row in OutboundCall.objects.values(*COLUMNS)}
        self._one_attempt_rings_once(rows)
        self._nobody_is_rung_at_a_wrong_hour_or_unwanted(rows)
        self._a_parcel_is_called_about_twice_at_most(rows)
        self._what_is_off_the_plan_has_no_call_that_runs(rows)
        self._who_talked_is_not_called_unanswered(rows)
        self._what_rang_counts(rows)
        self._states_move_as_their_table_says(rows)

    def _one_attempt_rings_once(self, rows: Rows) -> None:
        attempts = [
            (rows[pk]["shipment_id"], rows[pk]["purpose"], rows[pk]["attempt"]) for pk, _, _ in self.rung
        ]
        assert len(attempts) == len(set(attempts)), Counter(attempts)

    def _nobody_is_rung_at_a_wrong_hour_or_unwanted(self, rows: Rows) -> None:
        for pk, at, unwanted in self.rung:
            assert not is_quiet(Hours(), ZoneInfo(NUMBERS[rows[pk]["number"]]), at)
            assert not unwanted

    def _a_parcel_is_called_about_twice_at_most(self, rows: Rows) -> None:
        assert all(
            count <= 2 for count in Counter(rows[pk]["shipment_id"] for pk, _, _ in self.rung).values()
        )

    def _what_is_off_the_plan_has_no_call_that_runs(self, rows: Rows) -> None:
        for row in rows.values():
            runs = row["call__status"] in LIVE and row["call__answered_at"] is None
            assert row["state"] in DIAL_OPEN or not runs

    def _who_talked_is_not_called_unanswered(self, rows: Rows) -> None:
        talked = [row for row in rows.values() if row["call__answered_at"] is not None]
        assert not any(row["state"] == DialState.FAILED for row in talked)

    def _what_rang_counts(self, rows: Rows) -> None:
        rang = (DialState.RINGING, DialState.ANSWERED, DialState.DONE)
        for row in rows.values():
            assert row["state"] not in rang or (row["may_have_rung"] and row["dialled_at"])

    def _states_move_as_their_table_says(self, rows: Rows) -> None:
        for pk, row in rows.items():
            state, before = DialState(row["state"]), self.states.get(pk)
            assert before is None or state is before or _reaches(before, state), (before, state)
            self.states[pk] = state


def _reaches(state: DialState, target: DialState) -> bool:
    """Tell whether a rule, which may move a call several times, may get it there."""
    seen, todo = set[DialState](), [state]
    while todo:
        seen.add(one := todo.pop())
        todo += NEXT_DIAL[one] - seen
    return target in seen


def test_p12_no_order_of_events_rings_twice_at_night_or_unwanted():
    run_state_machine_as_test(
        Dialling,
        settings=settings(
            max_examples=counted(10_000, dear=True),
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
