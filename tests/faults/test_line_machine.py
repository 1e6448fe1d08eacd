"""The call with its rows, in any order: webhooks, tokens, tools that write, and a database that fails."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from tests.counts import counted
from tests.faults.test_call_machine import CallMachine
from tests.shipments.builders import AMINA, a_depot, a_parcel, a_slot
from voice import calls, reports, tools, trust
from voice import events as call
from voice.journal import _write_end
from voice.models import Call, ToolRun
from voice.ports import OUT_OF_REACH
from voice.records import ToolRecord, TurnRecord, UsageSeen
from voice.reports import _RANK
from voice.statuses import LIVE
from voice.wire import gemini, sautikit

pytestmark = [pytest.mark.django_db, pytest.mark.slow(seconds=50), pytest.mark.logs_errors]

Result = TypeVar("Result")
OURS = "+254700000900"
_HOUSEKEEPING = ("SAVEPOINT", "RELEASE", "ROLLBACK")
WHAT_WAS_CHANGED = """
    SELECT
        (SELECT count(*) FROM shipments_deliverychange WHERE state = 'applied'),
        (SELECT count(*) FROM shipments_auditentry WHERE verb = 'confirm_reschedule'),
        (SELECT version FROM shipments_shipment),
        (SELECT sum(booked) FROM shipments_deliveryslot),
        (SELECT count(*) FROM voice_callbackrequest)
"""
"""One statement, as it is asked after every step: through the ORM it was a quarter of all work."""
_EDGES = ["Ringing", "Answered", "Completed", "NoAnswer", "Failed"]


class _RolledBack(Exception):  # noqa: N818 - it is no error
    pass


class LineMachine(CallMachine):
    """A call with its row, a carrier that tells of it, and a database that may go in the middle of a verb."""

    def __init__(self) -> None:
        super().__init__()
        self._transaction = transaction.atomic()
        self._transaction.__enter__()
        self.fails_after: int | None = None  # so many statements of each verb
        self.touched = False  # the database, since it was last looked at
        self.tokens: list[str] = []
        self.status_tokens: list[str] = []
        self.change_id = ""
        self.made = 0  # calls of tools
        self.rows: list[TurnRecord | ToolRecord | UsageSeen] = []
        self.last: Callable[[], None] | None = None  # the write of the end, once it is due
        self.is_written = False
        tomorrow = timezone.localdate() + timedelta(days=1)
        depot = a_depot()
        for days in range(3):
            a_slot(depot, tomorrow + timedelta(days=days), capacity=1)
        self.parcel = a_parcel(depot=depot, eta_at=timezone.now() + timedelta(hours=30))
        self.version = self.parcel.version

    def teardown(self) -> None:
        """Let all come to its end, and look at what is left."""
        try:
            super().teardown()
            self.database_returns()
            while self.running:
                self._finish(min(self.running))
            row = Call.objects.get()
            assert self.is_written
            assert row.ended_at is not None
            assert row.status not in LIVE
            assert self.ended is not None
            assert row.ended_reason == self.ended.reason
            assert ToolRun.objects.count() == self.records
            self.what_was_changed_was_changed_once()
        finally:
            self._transaction.__exit__(_RolledBack, _RolledBack(), None)

    def do(self, work: Callable[[], Result]) -> Result:
        """Do a verb as one of the pool's threads does, with the database as it is.

        Around it is no transaction: what a verb wrote before the database went stays, unless it has its own.
        """
        left, self.touched = self.fails_after, True

        def execute(run: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            nonlocal left
            if left is not None and not sql.startswith(_HOUSEKEEPING):
                if left <= 0:
                    raise OperationalError("the database is gone")
                left -= 1
            return run(sql, params, many, context)

        with connection.execute_wrapper(execute):
            try:
                return work()
            finally:
                transaction.set_rollback(False)  # Django would refuse all else in this test's one transaction

    def take(self, event: call.Event) -> None:
        """Hand an event in; the end is written once no tool runs any more, as the bridge does."""
        super().take(event)
        if self.ended is not None and not self.running and self.last is None:
            self.last = partial(
                _write_end, self.call_id, tuple(self.rows), self.session.ending(), timezone.now()
            )
            self.the_end_is_written()

    def carry_out(self, command: call.Command) -> None:
        """Keep the records, too."""
        if isinstance(command, call.Record):
            self.rows.append(command.what)
        super().carry_out(command)

    # The carrier

    def hook(self, edge: str = "Ringing") -> sautikit.Webhook:
        """Return what the carrier posts of this call."""
        return sautikit.parse_webhook(
            {
                "sessionId": "HD_1",
                "callerNumber": AMINA,
                "destinationNumber": OURS,
                "callSessionState": edge,
                "direction": "Inbound",
            }
        )

    def ring(self) -> calls.Opening | None:
        """Take a first edge as the view does."""
        now = timezone.now()
        take = partial(calls.open_call, self.hook(), own_number=OURS, region="KE", now=now, signed=True)
        return self.do(take)

    @initialize(times=st.integers(1, 3), which=st.integers(0, 2))
    def answer(self, times: int, which: int) -> None:
        """Ring, maybe more than once, and open the telephone's stream with one of the tokens."""
        for _ in range(times):
            opening = self.ring()
            assert opening is not None
            self.tokens.append(opening.token)
            self.status_tokens.append(opening.status_token)
        facts = calls.accept_stream(self.tokens[which % times], now=timezone.now())
        assert facts is not None
        self.call_id = facts.call_id
        self.take(call.Answered())
        self.model_opens(ready=True)

    @rule()
    def carrier_rings_again(self) -> None:
        """Deliver the first webhook once more: its stream is open or over, so it opens nothing."""
        try:
            assert self.ring() is None, "a second stream could be opened"
        except OperationalError:
            assert self.fails_after is not None

    @rule(which=st.integers(0, 2))
    def another_socket_comes(self, which: int) -> None:
        """Try a token of this call once more."""
        token = self.tokens[which % len(self.tokens)]
        try:
            found = self.do(lambda: calls.accept_stream(token, now=timezone.now()))
        except OperationalError:
            assert self.fails_after is not None
        else:
            assert found is None, "a second socket of one call was let in"

    @rule(edge=st.sampled_from(_EDGES))
    def carrier_tells(self, edge: str) -> None:
        """Post any edge of the call, in any order."""
        try:
            self.do(lambda: reports.note_edge(self.hook(edge), now=timezone.now()))
        except OperationalError:
            assert self.fails_after is not None

    @rule(
        which=st.integers(0, 2),
        event=st.sampled_from(["stream-started", "stream-stopped", "stream-error", "stream-other"]),
    )
    def carrier_tells_of_the_stream(self, which: int, event: str) -> None:
        """Post what became of a stream, in any order."""
        token = self.status_tokens[which % len(self.status_tokens)]
        states = Call.objects.values_list("stream_state", flat=True)
        before = states.get()
        told = partial(reports.note_stream_status, token, event, {"streamSid": "S1"}, now=timezone.now())
        try:
            assert self.do(told)
        except OperationalError:
            assert self.fails_after is not None
        after = states.get()
        assert _RANK[after] >= _RANK[before], "a stream went back"

    # The database

    @rule(statements=st.integers(0, 12))
    def database_goes(self, statements: int) -> None:
        """Let every verb from now on get so far and no further."""
        self.fails_after = statements

    @rule()
    def database_returns(self) -> None:
        """Let it be well, and write what waits."""
        self.fails_after = None
        if self.last is not None:
            self.the_end_is_written()

    @precondition(lambda self: self.last is not None)
    @rule()
    def the_end_is_written(self) -> None:
        """Write the end, or try to; also once more, as after a time limit nobody knows what was written."""
        assert self.last is not None
        try:
            self.do(self.last)
            self.is_written = True
        except OperationalError:
            assert self.fails_after is not None

    # The tools

    @precondition(lambda self: self.link == "ready")
    @rule(
        name=st.sampled_from(["prepare_reschedule", "confirm_reschedule", "request_callback"]),
        days=st.integers(1, 2),
        at_once=st.sampled_from([True, True, False]),
        statements=st.one_of(st.none(), st.none(), st.integers(0, 40)),
    )
    def model_wants(self, name: str, days: int, at_once: bool, statements: int | None) -> None:
        """Call a tool with arguments that it takes, under a new id; the database may go in its middle."""
        day = (timezone.localdate() + timedelta(days=days)).isoformat()
        args: dict[str, str] = {
            "prepare_reschedule": {"tracking_id": self.parcel.tracking_id, "day": day},
            "confirm_reschedule": {"change_id": self.change_id or "none"},
            "request_callback": {},
        }[name]
        self.made += 1
        call_id = f"t{self.made}"
        self.take(gemini.ToolCall(call_id, name, args))
        if at_once and call_id in self.running:
            before, self.fails_after = self.fails_after, statements
            self._finish(call_id)
            self.fails_after = before

    @precondition(lambda self: self.link == "ready")
    @rule(
        days=st.integers(1, 2), times=st.integers(1, 3), statements=st.one_of(st.none(), st.integers(0, 40))
    )
    def parcel_is_moved(self, days: int, times: int, statements: int | None) -> None:
        """Move the parcel, and confirm it more than once; the database may go in the middle of the first."""
        self.model_wants("prepare_reschedule", days, True, None)
        for time in range(times):
            if self.link == "ready":
                self.model_wants("confirm_reschedule", days, True, statements if time == 0 else None)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def tool_finishes(self, data: st.DataObject) -> None:
        """Run a tool, also after the end of the call, against the database as it is."""
        self._finish(data.draw(st.sampled_from(sorted(self.running))))

    def _finish(self, call_id: str, state: str = "") -> None:
        """Let a tool come to what the database makes of it."""
        tool_call = self.running.pop(call_id)
        key = tools.business_key(tool_call.name, tool_call.args)
        run = lambda: tools.run(tool_call.name, tool_call.args, trust.caller_of(self.call_id), key)  # noqa: E731
        state, answer = "failed", dict(OUT_OF_REACH)
        try:
            answer = self.do(run)
            state = {"ok": "ok", "error": "failed"}.get(str(answer["status"]), "refused")
        except OperationalError:
            assert self.fails_after is not None
        told = answer["data"]
        if isinstance(told, dict) and "change_id" in told:
            self.change_id = str(told["change_id"])
        self.finished += 1
        self.note_effect(tool_call.name, state, key)
        self.take(call.ToolDone(tool_call, answer, state, key, 1, 2))

    # What always holds

    @precondition(lambda self: self.touched)
    @invariant()
    def there_is_one_call_and_it_never_goes_back(self) -> None:
        """Look at its row."""
        for pk, status in Call.objects.values_list("pk", "status"):
            over = status not in LIVE
            assert pk == self.call_id
            assert over or not self.is_written, "a call that ended lives again"

    @precondition(lambda self: self.touched)
    @invariant()
    def what_was_changed_was_changed_once(self) -> None:
        """Hold the changes, their audit entries, the parcel's version and the slots against each other."""
        self.touched = False
        with connection.cursor() as cursor:
            cursor.execute(WHAT_WAS_CHANGED)
            applied, audited, version, booked, callbacks = cursor.fetchone()
        assert audited == applied
        assert version - self.version == applied
        assert booked <= min(applied, 1)
        assert callbacks <= 1


def test_p17_no_order_of_events_does_anything_twice_or_by_half():
    run_state_machine_as_test(
        LineMachine,
        settings=settings(
            max_examples=counted(10_000, dear=True),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
