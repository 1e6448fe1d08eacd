"""P12 in any order of events: one attempt rings at most once, at no wrong hour, and nobody unwanted.

These faults were put into the code and found within 500 examples, most of them within fifty. Taken for proof
that nothing rang: an answer that tells nothing, one that accepts, the death of who dialled. A move or a claim
without the state that it is from; a claim that is given back by who lost it; a call not written down as
dialled. A request by who slept over the gate's word; a ring that does not count, or one over the limit.
Passed over: the time zone, the last minute of the evening, Sunday, the recipient's own hours, his wish not to
be called. A call that is lost though it certainly did not ring, or that waits for ever. Found later or not at
all: the platform's word that a call failed or is unknown taken for such a proof; a late answer taken for a
later try's; the word of a gate whose clock ran fast.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.db.models import Min
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
from voice.dial_rules import Now
from voice.models import OutboundCall
from voice.records import Ending
from voice.statuses import DIAL_OPEN, LIVE, NEXT_DIAL, DialState, Purpose
from voice.wire.placing import Accepted, Placement, Refused, Slow, Unclear, Unsent

pytestmark = [pytest.mark.django_db, pytest.mark.slow(seconds=60), pytest.mark.logs_errors]

NUMBERS = {"+254700000001": "Africa/Nairobi", "+254700000002": "America/New_York"}
"""The second lives where the clocks change."""
BEGIN = datetime(2026, 10, 31, 15, 0, tzinfo=UTC)  # the clocks in New York change in the night that follows
Came = tuple[Placement, bool]
"""What the platform answers to a request, and whether it rings."""
RINGS: Came = (Accepted("c", ""), True)
CAME = st.sampled_from(
    [
        *(RINGS, (Unclear("lost"), True), (Unclear("lost"), True), (Unclear("lost"), False)),
        *((Unsent("refused"), False), (Slow(30.0), False)),
        *((Refused(400, "x"), False), (Refused(402, "wallet"), False)),
    ]
)
FATES = st.sampled_from(["is told", "is told", "is told late", "is killed", "is halted"])
"""What becomes of a dialler once the gate let it."""
STATUSES = st.sampled_from(["no_answer", "failed", "completed", "answered", "ringing", ""])
COLUMNS = (
    *("pk", "shipment_id", "purpose", "attempt", "number", "state", "may_have_rung", "dialled_at"),
    *("call__status", "call__answered_at"),
)
Rows = dict[int, dict[str, Any]]
"""The calls by their keys, each with these columns."""
PURPOSES = st.sampled_from([Purpose.CONFIRM_ADDRESS, Purpose.RESCHEDULE_OFFER, Purpose.ETA])
ANY = st.integers(0, 9)
ANYBODY = st.sampled_from(sorted(NUMBERS))


class _RolledBack(Exception):  # noqa: N818 - it is no error
    pass


class Dialling(RuleBasedStateMachine):
    """Diallers, a platform and people; `rung` is what really rang, which no dialler can see."""

    def __init__(self) -> None:
        super().__init__()
        self._transaction = transaction.atomic()
        self._transaction.__enter__()
        self.now = BEGIN
        self.was_set_back = False
        self.unwanted: set[str] = set()
        self.rests: dict[str, str] = {}
        self.rung: list[tuple[int, bool]] = []  # whether it disturbed
        self.held: list[OutboundCall] = []
        self.halted: list[tuple[OutboundCall, bool]] = []  # whether it would have disturbed then
        self.late: list[tuple[OutboundCall, Placement]] = []
        self.in_doubt: dict[int, datetime | None] = {}  # which try nobody was told of that nothing rang
        self.rows: Rows = {}
        self.parcels = [
            a_parcel(number, time_zone=zone, eta_at=BEGIN + timedelta(hours=30), status=Status.IN_TRANSIT)
            for number, zone in NUMBERS.items()
        ]

    def teardown(self) -> None:
        """Let a day pass, after which no call is under way any more."""
        try:
            outbound.reconcile(self.now + timedelta(hours=25))
            assert not OutboundCall.objects.open().exclude(state=DialState.PLANNED), "one waits for ever"
        finally:
            self._transaction.__exit__(_RolledBack, _RolledBack(), None)

    def _are(self, *states: DialState) -> list[int]:
        return [pk for pk, row in self.rows.items() if row["state"] in states]

    # The diallers

    @initialize(came=CAME, fate=FATES)
    def begin_with_one(self, came: Came, fate: str) -> None:
        """Have a call of each parcel planned, and dial the first."""
        # Without the gate, which is asked before it is dialled: to ask it twice more was a third of the work.
        times = {"created_at": BEGIN, "not_before": BEGIN, "expires_at": BEGIN + timedelta(days=2)}
        OutboundCall.objects.bulk_create(
            OutboundCall(shipment=parcel, purpose=Purpose.CONFIRM_ADDRESS, number=parcel.phone, **times)
            for parcel in self.parcels
        )
        self._dial_next(came, fate)

    def _claim_next(self) -> OutboundCall | None:
        """Wait for the call whose time comes next, and for as long as the platform may want; then take it."""
        dialing.resume(by="mary", now=self.now)
        planned = OutboundCall.objects.filter(state=DialState.PLANNED)
        if soonest := planned.aggregate(at=Min("not_before"))["at"]:
            self.now = max(self.now, soonest)
        self.now += timedelta(seconds=31)
        return outbound.claim("d", self.now)

    def _dial_next(self, came: Came, fate: str) -> None:
        if row := self._claim_next():
            self._dial(row, came, fate)

    def _dial(self, row: OutboundCall, came: Came, fate: str) -> None:
        """Let a dialler do its work, be killed or halted on the way, or wait for its turn."""
        said = placing.begin(row, self.now)
        if isinstance(said, placing.Turn):
            self.held.append(row)
        elif isinstance(said, Now):
            self.in_doubt[row.pk] = row.dialled_at
            disturbs = self._is_disturbed(row.number)
            if fate == "is halted":
                self.halted.append((row, disturbs))
            elif fate != "is killed":
                self._ask_platform(row, came, disturbs, late=fate == "is told late")

    def _ask_platform(self, row: OutboundCall, came: Came, disturbs: bool, *, late: bool = False) -> None:
        placement, rings = came
        if rings:
            self.rung.append((row.pk, disturbs))
        if late:
            self.late.append((row, placement))
        else:
            self._settle(row, placement)

    def _settle(self, row: OutboundCall, placement: Placement) -> None:
        is_certain = isinstance(placement, Unsent | Slow | Refused)
        if is_certain and self.in_doubt.get(row.pk) == row.dialled_at:  # not of an earlier try
            self.in_doubt.pop(row.pk, None)
        placing.settle(row, placement, self.now, lambda: 0.5)

    def _is_disturbed(self, number: str) -> bool:
        return number in self.unwanted or _is_quiet(number, self.rests.get(number, ""), self.now)

    @precondition(lambda self: self._are(DialState.PLANNED))
    @rule(came=CAME, fate=FATES)
    def dial_next(self, came: Came, fate: str) -> None:
        """Let a dialler take the next call and do its work."""
        self._dial_next(came, fate)

    @rule(after_s=st.sampled_from([0, 61]), edge=st.sampled_from(["", "Busy", "NoAnswer"]))
    def dial_all(self, after_s: int, edge: str) -> None:
        """Look after what was left, and have those rung whose time comes, maybe for nothing."""
        self.now += timedelta(seconds=after_s)
        outbound.reconcile(self.now)
        for _ in NUMBERS:
            self._dial_next(RINGS, "is told")
            if edge and self.rung:
                self.post(-1, edge)

    @rule(which=ANY, came=CAME, fate=FATES)
    def dial_now(self, which: int, came: Came, fate: str) -> None:
        """Try to have any call placed at once, as a person may, or a dialler that sees an old row."""
        self.now += timedelta(seconds=31)
        if row := outbound.claim_one(sorted(self.rows)[which % len(self.rows)], "p", self.now):
            self._dial(row, came, fate)

    @precondition(lambda self: self._are(DialState.PLANNED))
    @rule(sleeps=st.booleans())
    def claim(self, sleeps: bool) -> None:
        """Let a dialler take a call, and maybe sleep until it is taken from it."""
        if row := self._claim_next():
            self.held.append(row)
        if sleeps:
            self.reconcile(61)

    @precondition(lambda self: self.held)
    @rule(which=ANY, came=CAME, fate=FATES)
    def dial(self, which: int, came: Came, fate: str) -> None:
        """Let a dialler go on with what it has claimed."""
        self._dial(self.held.pop(which % len(self.held)), came, fate)

    @precondition(lambda self: self.held)
    @rule(which=ANY)
    def stop(self, which: int) -> None:
        """Stop a dialler that waits for its turn."""
        outbound.release(self.held.pop(which % len(self.held)), self.now, "The dialler was stopped.")

    @precondition(lambda self: self.halted)
    @rule(which=ANY, after_s=st.sampled_from([0, 4, 28_800, 43_200]))
    def wake(self, which: int, after_s: int) -> None:
        """Let a dialler that was halted before its request go on; for seconds the gate's word stands."""
        row, disturbs = self.halted.pop(which % len(self.halted))
        self.now += timedelta(seconds=after_s)
        if row.dialled_at is None or abs(self.now - row.dialled_at) > timedelta(seconds=5):
            disturbs = self._is_disturbed(row.number)
        overslept = placing.overslept(row, self.now)
        self._ask_platform(row, (Unsent("overslept"), False) if overslept else RINGS, disturbs)

    @precondition(lambda self: self.late)
    @rule(which=ANY)
    def answer_late(self, which: int) -> None:
        """Let the platform's answer come when much else may have happened."""
        self._settle(*self.late.pop(which % len(self.late)))

    @precondition(lambda self: self._are(*DIAL_OPEN - {DialState.PLANNED}))
    @rule(after_s=st.sampled_from([1, 61, 660, 90_000]))
    def reconcile(self, after_s: int) -> None:
        """Look after what was left; who has claimed it may live."""
        self.now += timedelta(seconds=after_s)
        outbound.reconcile(self.now)

    # The platform

    @precondition(lambda self: self.rung)
    @rule(which=ANY, edge=st.sampled_from(["Ringing", "NoAnswer", "Failed", "Completed"]))
    def post(self, which: int, edge: str) -> None:
        """Let the platform tell of a call that rang, in any order and as often as it likes."""
        pk, _ = self.rung[which % len(self.rung)]
        hook = webhook(OutboundCall.objects.get(pk=pk), edge, sessionId=f"HD_{pk}")
        if edge != "Ringing":
            reports.note_edge(hook, now=self.now)
        elif opening := opened(hook, self.now):
            facts = calls.accept_stream(opening.token, now=self.now)
            if facts is not None:
                reason = "voicemail" if which % 2 else "caller_hangup"
                calls.end_call(facts.call_id, Ending(reason, None, {}, {}, 20.0), now=self.now)

    @precondition(lambda self: self.rung)
    @rule(which=ANY, status=STATUSES, seconds=st.sampled_from([0, 7]), asked=st.booleans())
    def tell(self, which: int, status: str, seconds: int, asked: bool) -> None:
        """Let the platform say what it knows, asked or not, of a call whose stream may never have come."""
        pk, _ = self.rung[which % len(self.rung)]
        document = {"status": status, "duration_seconds": seconds}
        if asked:
            placing.note_look_up(pk, document, self.now)
        else:
            label = OutboundCall.objects.values_list("client_request_id", flat=True).get(pk=pk)
            told = {"client_request_id": label} | document
            reports.note_event(f"{pk}:{self.now}:{status}", "", {"data": told}, now=self.now)

    # The people, and the time

    @precondition(lambda self: len(self._are(DialState.PLANNED)) < len(NUMBERS))
    @rule(parcel=st.integers(0, 1), purpose=PURPOSES)
    def ask(self, parcel: int, purpose: Purpose) -> None:
        """Want a call."""
        before = OutboundCall.objects.open().filter(shipment=self.parcels[parcel], purpose=purpose).first()
        planned = dialing.plan(self.parcels[parcel], purpose, by="test", now=self.now)
        assert before is None or planned.outbound == before

    @precondition(lambda self: self._are(DialState.DIALLING, DialState.UNKNOWN))
    @rule()
    def decide(self) -> None:
        """Say truly whether the calls rang that were lost, and have dialled again what did not."""
        self.reconcile(61)
        rang = {pk for pk, _ in self.rung}
        for pk in OutboundCall.objects.filter(state=DialState.UNKNOWN).values_list("pk", flat=True):
            outbound.decide(pk, rang=pk in rang, by="mary", now=self.now)
        self._dial_next(RINGS, "is told")

    @rule(number=ANYBODY, span=st.sampled_from(["", "12:00-14:00", "11:30-10:15", "17:30-12:00"]))
    def rest(self, number: str, span: str) -> None:
        """Want no calls at some hours, or at any of the courier's again, and be tried at noon."""
        ContactPreference.objects.update_or_create(number=number, defaults={"quiet_hours": span})
        self.rests[number] = span
        self.be_tried(number, (12, 0))

    @rule(number=ANYBODY)
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

    @rule(minutes=st.sampled_from([1, 3, 25, 130, 1_440]))
    def wait(self, minutes: int) -> None:
        """Let time pass."""
        self.now += timedelta(minutes=minutes)

    @rule(number=ANYBODY, at=st.sampled_from([(7, 59), (9, 59), (20, 0)]))
    def be_tried(self, number: str, at: tuple[int, int]) -> None:
        """Wait until a minute there in which nobody is called yet, or no more, and try it all the same."""
        local = self.now.astimezone(ZoneInfo(NUMBERS[number]))
        then = local.replace(hour=at[0], minute=at[1], second=0)
        self.now = (then + timedelta(days=then <= local)).astimezone(UTC)
        for pk in self._are(DialState.PLANNED):
            if self.rows[pk]["number"] == number and (row := outbound.claim_one(pk, "p", self.now)):
                self._dial(row, RINGS, "is told")

    @precondition(lambda self: not self.was_set_back)
    @rule()
    def set_the_clock_back(self) -> None:
        """Correct a machine's clock that went fast; by minutes it cannot be wrong, as then dialling stops."""
        self.was_set_back = True
        self.now -= timedelta(seconds=40)

    # What always holds

    @invariant()
    def every_rule_holds(self) -> None:
        """Look at the calls once for all rules: a query a rule and a ring was half of the work."""
        rows = {row["pk"]: row for row in OutboundCall.objects.values(*COLUMNS)}
        self._nobody_is_rung_too_often(rows)
        assert not any(disturbed for _, disturbed in self.rung), "rung at a wrong hour, or unwanted"
        self._what_is_off_the_plan_has_no_call_that_runs(rows)
        self._who_talked_is_not_called_unanswered(rows)
        self._what_rang_counts(rows)
        self._states_move_as_their_table_says(rows)
        self.rows = rows
        assert self.in_doubt.keys() >= set(self._are(DialState.UNKNOWN)), "lost, and it did not ring"

    def _nobody_is_rung_too_often(self, rows: Rows) -> None:
        rung = [rows[pk] for pk, _ in self.rung]
        attempts = Counter((row["shipment_id"], row["purpose"], row["attempt"]) for row in rung)
        assert max(attempts.values(), default=0) <= 1, attempts
        assert max(Counter(row["shipment_id"] for row in rung).values(), default=0) <= 2

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
        assert all(rows[pk]["may_have_rung"] for pk, _ in self.rung)

    def _states_move_as_their_table_says(self, rows: Rows) -> None:
        for pk, row in rows.items():
            if pk in self.rows:
                before, after = DialState(self.rows[pk]["state"]), DialState(row["state"])
                assert after is before or _reaches(before, after), (before, after)


def _is_quiet(number: str, rest: str, at: datetime) -> bool:
    """Tell whether nobody is to be rung there then; in words of our own, as the gate's may be wrong."""
    local = at.astimezone(ZoneInfo(NUMBERS[number]))
    clock = f"{local:%H:%M}"
    first, _, last = rest.partition("-")
    rests = first <= clock < last if first < last else rest != "" and (clock >= first or clock < last)
    return rests or not ("10:00" if local.isoweekday() == 7 else "08:00") <= clock < "20:00"


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
            stateful_step_count=10,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
