"""Nobody is left on dead air because the carrier did not take a hang-up the first time."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.virtual_time import run
from tests.voice.builders import a_live_call
from voice import calls, hanging_up, reconcile
from voice.calls import CallFacts
from voice.clients.sautikit import SautikitClient
from voice.models import Call
from voice.records import Ending
from voice.shared import OwedHangUp
from voice.spool import Spool, Write

NOW = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
FACTS = CallFacts(1, "c_1", "HD_1", "inbound", "enquiry", "en", "", False, ())
Answers = Callable[[int], httpx.Response]


@pytest.fixture
def carrier(monkeypatch):
    """Answer for the carrier as a test says, by how often it was asked; return what it was asked."""
    asked: list[str] = []

    def answer_with(answers: Answers) -> list[str]:
        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request.url.path)
            return answers(len(asked))

        monkeypatch.setattr(
            hanging_up,
            "reach",
            lambda: SautikitClient(
                "https://carrier.example.com", "key", transport=httpx.MockTransport(answer)
            ),
        )
        return asked

    return answer_with


@pytest.fixture
def later(monkeypatch) -> list[Write]:
    """Keep what is to be written later."""
    writes: list[Write] = []
    monkeypatch.setattr(Spool, "add", lambda self, write: writes.append(write))
    return writes


def hung_up_within(limit_s: float, facts: CallFacts = FACTS) -> float:
    """Hang up as a bridge does, which waits for so long; return how long it took."""

    async def wait() -> float:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limit_s):
                await hanging_up.hang_up(facts)
        except TimeoutError:
            pass
        return loop.time()

    return run(wait())


@pytest.mark.logs_errors
@pytest.mark.parametrize("fault", [503, 500, 429])
def test_a_hang_up_that_the_carrier_does_not_take_is_tried_again(carrier, later, fault):
    asked = carrier(lambda times: httpx.Response(fault if times < 3 else 200, json={}))

    took_s = hung_up_within(3)

    assert asked == ["/v1/calls/HD_1/hangup"] * 3
    assert took_s == pytest.approx(1.0)
    assert not later


def test_a_carrier_that_is_not_reached_is_tried_again(carrier, later):
    def answers(times: int) -> httpx.Response:
        if times == 1:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json={})

    asked = carrier(answers)

    hung_up_within(3)

    assert len(asked) == 2
    assert not later


@pytest.mark.logs_errors
@pytest.mark.parametrize("status", [404, 410, 401])
def test_what_would_be_refused_again_is_not_tried_again(carrier, later, status):
    asked = carrier(lambda times: httpx.Response(status, json={}))

    hung_up_within(3)

    assert len(asked) == 1
    assert not later


def test_of_a_test_call_the_carrier_knows_nothing(carrier, later):
    asked = carrier(lambda times: httpx.Response(200, json={}))

    hung_up_within(3, replace(FACTS, is_test=True))

    assert not asked
    assert not later


@pytest.mark.django_db
@pytest.mark.logs_errors
def test_who_could_not_be_hung_up_on_in_time_is_hung_up_on_by_a_worker(carrier, later):
    facts = a_live_call()
    asked = carrier(lambda times: httpx.Response(503, json={}))
    took_s = hung_up_within(3, facts)
    calls.end_call(facts.call_id, Ending("agent_hangup", None, {}, {}, 9.0), now=NOW)
    for write in later:
        write()
    due = datetime.now(UTC) + timedelta(seconds=1)
    asked.clear()

    taken = [hanging_up.settle(due)]
    carrier(lambda times: httpx.Response(200, json={}))
    taken += [hanging_up.settle(due), hanging_up.settle(due)]

    assert took_s == pytest.approx(3.0)
    assert taken == [0, 1, 0]
    assert asked == ["/v1/calls/HD_1/hangup"] * 2


@pytest.mark.django_db
@pytest.mark.logs_errors
def test_a_worker_does_not_try_for_ever(carrier):
    facts = a_live_call()
    calls.end_call(facts.call_id, Ending("agent_hangup", None, {}, {}, 9.0), now=NOW)
    carrier(lambda times: httpx.Response(503, json={}))
    hanging_up.owe(facts.call_id, from_at=NOW)

    hanging_up.settle(NOW + timedelta(minutes=10, seconds=1))

    assert not OwedHangUp.objects.exists()


@pytest.mark.django_db
@pytest.mark.logs_errors
def test_i3_the_caller_of_a_process_that_died_is_hung_up_on_unless_it_lives_after_all(carrier, settings):
    settings.HEARTBEAT_S, settings.RECONCILE_S = 10, 40
    lost, alive = a_live_call(), a_live_call(sessionId="HD_2")
    Call.objects.update(heartbeat_at=NOW - timedelta(seconds=41))
    asked = carrier(lambda times: httpx.Response(200, json={}))

    reconcile.close_lost(NOW)
    hanging_up.settle(NOW + timedelta(seconds=19))
    before = list(asked)
    calls.heartbeats([alive.call_id], NOW + timedelta(seconds=19))
    hanging_up.settle(NOW + timedelta(seconds=20))

    assert before == []
    assert asked == [f"/v1/calls/{lost.session_id}/hangup"]


@pytest.mark.django_db
@pytest.mark.logs_errors
def test_without_a_key_nobody_is_owed_a_hang_up(settings):
    settings.SAUTIKIT_API_KEY = ""
    a_live_call()
    Call.objects.update(heartbeat_at=NOW - timedelta(seconds=41))

    reconcile.close_lost(NOW)

    assert not OwedHangUp.objects.exists()
