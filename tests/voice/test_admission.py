"""No more calls are taken than a process can carry."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from voice import budget
from voice.admission import Gate, Place, Refusal
from voice.errors import ModelBusy, ModelLost, ModelRefused, RemoteError
from voice.models import Call
from voice.watched import watched


class Clock:
    """A clock that is set by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


NUMBER = "+254700000001"


def invite(
    gate: Gate, call: str, number: str = "", token: str = "", *, over_budget: bool = False
) -> Refusal | None:
    return gate.invite(call, number, token or f"token of {call}", over_budget=over_budget)


def entered(gate: Gate, token: str = "a stranger's") -> Place:
    """Return the place of a stream that is let in."""
    place = gate.enter(token)
    assert isinstance(place, Place)
    return place


def test_a_gate_lets_in_as_many_as_it_may():
    gate = Gate(2)

    places = [gate.enter(token) for token in "abc"]

    assert places == [Place(), Place(), Refusal.FULL]
    assert gate.calls == 2


def test_who_leaves_makes_room():
    gate = Gate(1)
    place = entered(gate)

    gate.leave(place)

    assert gate.calls == 0
    assert entered(gate) == Place()


def test_a_draining_gate_refuses_and_counts_who_is_in():
    gate = Gate(2)
    entered(gate)

    gate.draining = True

    assert invite(gate, "a") is gate.enter("a stranger's") is Refusal.DRAINING
    assert gate.calls == 1


def test_the_limit_is_a_setting(settings: Settings):
    settings.ADMISSION_CALLS = 0

    assert Gate().enter("a stranger's") is Refusal.FULL


def test_the_last_place_is_given_once():
    gate = Gate(50)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: gate.enter(f"token {number}"), range(400)))

    assert len([answer for answer in answers if isinstance(answer, Place)]) == gate.calls == 50


def test_a_place_is_kept_for_who_is_invited():
    gate = Gate(1, Clock())

    answers = [invite(gate, "a"), invite(gate, "b"), gate.enter("a stranger's")]

    assert answers == [None, Refusal.FULL, Refusal.FULL]
    assert gate.expected == 1
    assert entered(gate, "token of a") == Place("")
    assert (gate.expected, gate.calls) == (0, 1)


@pytest.mark.parametrize("why", ["draining", "lagging"])
def test_who_was_invited_is_let_in_whatever_came_between(why: str):
    gate = Gate(1, Clock())
    invite(gate, "a")

    setattr(gate, why, True)

    assert entered(gate, "token of a") == Place("")


def test_a_place_is_kept_as_long_as_a_token_is_good(settings: Settings):
    settings.STREAM_TOKEN_S = 60
    clock = Clock()
    gate = Gate(1, clock)
    invite(gate, "a")

    clock.now_s += 59.9
    before = invite(gate, "b")
    clock.now_s += 0.1

    assert (before, gate.expected) == (Refusal.FULL, 0)
    assert invite(gate, "b") is None
    assert gate.enter("token of a") is Refusal.FULL


def test_a_call_that_ended_before_its_stream_came_keeps_no_place():
    gate = Gate(1, Clock())
    invite(gate, "a")

    gate.forget("a")

    assert invite(gate, "b") is None


def test_a_call_has_one_place_by_whichever_of_its_tokens_it_comes():
    gate = Gate(2, Clock())
    for token in ("one", "two"):
        invite(gate, "a", NUMBER, token)

    expected = gate.expected
    place = entered(gate, "two")

    assert (expected, gate.expected, gate.calls) == (1, 0, 1)
    assert place == Place(NUMBER)
    assert entered(gate, "one") == Place()  # a stranger's: the database knows that it is void


def test_a_second_has_room_for_so_many_new_calls(settings: Settings):
    settings.ADMISSION_CALLS_PER_SECOND = 2
    clock = Clock()
    gate = Gate(10, clock)

    answers = [invite(gate, call) for call in "abc"]
    clock.now_s += 1

    assert answers == [None, None, Refusal.TOO_FAST]
    assert invite(gate, "c") is None


def test_a_call_that_is_delivered_again_counts_once(settings: Settings):
    settings.ADMISSION_CALLS_PER_SECOND = 1
    gate = Gate(10, Clock())

    assert [invite(gate, "a") for _ in range(20)] == [None] * 20


def test_a_number_has_so_many_calls_at_once(settings: Settings):
    settings.ADMISSION_CALLS_PER_NUMBER = 1
    gate = Gate(10, Clock())
    place = entered(gate)
    gate.take_number(place, NUMBER)

    assert invite(gate, "a", NUMBER) is gate.take_number(entered(gate), NUMBER) is Refusal.SAME_NUMBER
    assert invite(gate, "b", "+254700000002") is None
    gate.leave(place)
    assert invite(gate, "a", NUMBER) is None


def test_a_number_is_taken_from_the_moment_that_its_call_is_invited(settings: Settings):
    settings.ADMISSION_CALLS_PER_NUMBER = 1
    gate = Gate(10, Clock())
    invite(gate, "a", NUMBER)

    ringing = invite(gate, "b", NUMBER)
    place = entered(gate, "token of a")
    talking = invite(gate, "b", NUMBER)

    assert ringing is talking is Refusal.SAME_NUMBER
    assert gate.take_number(place, NUMBER) is None
    gate.leave(place)
    assert invite(gate, "b", NUMBER) is None


def test_callers_without_a_number_are_not_one_caller(settings: Settings):
    settings.ADMISSION_CALLS_PER_NUMBER = 1
    gate = Gate(10, Clock())

    assert [gate.take_number(entered(gate), "") for _ in range(3)] == [None] * 3
    assert invite(gate, "a", "") is None


def test_p16_when_the_money_of_the_day_is_spent_no_call_is_invited():
    assert invite(Gate(10, Clock()), "a", over_budget=True) is Refusal.BUDGET


def test_a_late_event_loop_takes_no_call():
    gate = Gate(10, Clock())

    gate.lagging = True

    assert invite(gate, "a") is gate.enter("a stranger's") is Refusal.LAGGING


@pytest.mark.logs_errors
def test_when_the_model_fails_one_call_in_a_while_tries_it(settings: Settings):
    settings.ADMISSION_MODEL_FAILURES, settings.ADMISSION_MODEL_WAIT_S = 2, 15
    clock = Clock()
    gate = Gate(10, clock)
    gate.note_failure()
    assert invite(gate, "a") is None

    gate.note_failure()
    answers = [invite(gate, "b")]
    clock.now_s += 15
    answers += [invite(gate, "c"), invite(gate, "d")]
    gate.note_success()

    assert answers == [Refusal.MODEL_DOWN, None, Refusal.MODEL_DOWN]
    assert invite(gate, "d") is None


@pytest.mark.logs_errors
def test_a_model_that_refuses_us_closes_at_once(settings: Settings):
    settings.ADMISSION_MODEL_WAIT_S = 15
    gate = Gate(10, Clock())

    gate.note_failure(at_once=True)

    assert invite(gate, "a") is Refusal.MODEL_DOWN


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kes", "usd", "spent"), [(0, 0, False), (3, 0, True), (4, 0, False), (4, 0.5, True)]
)
def test_a_days_money_is_spent_by_the_calls_of_the_day(settings, kes, usd, spent):
    settings.ADMISSION_KES_PER_DAY, settings.ADMISSION_USD_PER_DAY = kes, usd
    now = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
    over = {"status": "completed"}
    Call.objects.create(created_at=now, cost_kes_minor=300, cost_usd_micros=500_000, **over)
    Call.objects.create(
        created_at=now - timedelta(hours=11), cost_kes_minor=900, cost_usd_micros=900_000, **over
    )

    assert budget.is_spent(now) is spent


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kes", "usd", "spent"), [(60, 0, True), (61, 0, False), (0, 0.9, True), (0, 1, False)]
)
def test_p16_a_call_that_runs_counts_with_what_it_may_come_to(settings, kes, usd, spent):
    settings.ADMISSION_KES_PER_DAY, settings.ADMISSION_USD_PER_DAY = kes, usd
    settings.ADMISSION_USD_PER_CALL = 0.3
    now = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
    for direction, status in (("inbound", "answered"), ("outbound", "answered"), ("outbound", "ringing")):
        Call.objects.create(created_at=now, direction=direction, status=status)
    asking = Call.objects.create(created_at=now, status="ringing")

    assert budget.is_spent(now, but=asking.pk) is spent


class FakeModel:
    """A connection that brings some frames, then is lost."""

    def __init__(self, *frames: str, loss: RemoteError | None = None) -> None:
        self._frames = frames
        self._loss = loss or ModelLost("gone")

    def is_congested(self) -> bool:
        return False

    async def send(self, frame: str | bytes) -> None: ...

    def send_now(self, frame: bytes) -> None: ...

    async def close(self) -> None: ...

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        for frame in self._frames:
            yield frame
        raise self._loss


def talk(model: FakeModel, gate: Gate) -> list[str | bytes]:
    """Return what a watched model says until it is gone."""

    async def dial() -> FakeModel:
        return model

    async def listen() -> list[str | bytes]:
        heard: list[str | bytes] = []
        with suppress(RemoteError):
            async for frame in await watched(dial, gate)():
                heard += [frame]
        return heard

    return asyncio.run(listen())


@pytest.mark.logs_errors
@pytest.mark.parametrize(("frames", "refusal"), [((), Refusal.MODEL_DOWN), (("{}", "{}"), None)])
def test_a_conversation_has_begun_with_the_models_first_frame(settings, frames, refusal):
    settings.ADMISSION_MODEL_FAILURES, settings.ADMISSION_MODEL_WAIT_S = 1, 15
    gate = Gate(10, Clock())

    assert talk(FakeModel(*frames), gate) == list(frames)
    assert invite(gate, "a") is refusal


@pytest.mark.logs_errors
@pytest.mark.parametrize(
    ("loss", "refusal", "alarm"),
    [
        (ModelLost("1011 gone"), None, ""),
        (ModelBusy("1011 exceeded your current quota"), Refusal.MODEL_DOWN, "cannot be had"),
        (ModelRefused("1007 an invalid argument"), None, "refuses us"),
    ],
)
def test_what_a_model_says_in_mid_call_is_heeded_and_alarmed_of(settings, caplog, loss, refusal, alarm):
    settings.ADMISSION_MODEL_FAILURES, settings.ADMISSION_MODEL_WAIT_S = 1, 15
    gate = Gate(10, Clock())

    talk(FakeModel("{}", loss=loss), gate)

    assert invite(gate, "a") is refusal
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == bool(alarm)
    assert all(alarm in error for error in errors)
