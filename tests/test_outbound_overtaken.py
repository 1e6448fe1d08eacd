"""What overtakes what at the platform: a call that rings or talks is not failed by older news."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Event

import pytest
from django.db import connection, connections, transaction

from tests.dialled import LATER, Platform, dial, fresh, opened, planned, webhook
from tests.rivals import at_once, until_waited_for
from tests.shipments.builders import NOW
from voice import dialing, outbound, placing
from voice.dial_rules import At
from voice.models import Call, OutboundCall
from voice.statuses import CallStatus, DialState
from voice.wire.placing import Refused, Slow, Unclear

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def ringing_before_its_answer() -> OutboundCall:
    """Return a call as its dialler holds it, which has yet to hear what the webhook has told."""
    row = planned()
    claimed = outbound.claim("d1", NOW)
    assert claimed is not None
    placing.begin(claimed, NOW)
    opened(webhook(row))
    return claimed


def test_a_refusal_of_what_rings_already_is_not_believed():
    claimed = ringing_before_its_answer()

    placing.settle(claimed, Refused(400, "some.code"), NOW, lambda: 1.0)

    assert (fresh(claimed).state, fresh(claimed).may_have_rung) == (DialState.RINGING, True)


@pytest.mark.logs_errors
@pytest.mark.parametrize("status", [401, 402])
def test_o5_an_empty_wallet_stops_the_queue_also_by_the_answer_for_a_call_that_rings_already(status):
    claimed = ringing_before_its_answer()

    placing.settle(claimed, Refused(status, "some.code"), NOW, lambda: 1.0)

    assert fresh(claimed).state == DialState.RINGING
    assert dialing.switch().paused
    assert dialing.switch().reason.startswith(f"The platform refused with {status} (some.code). The ")


def test_o3_who_is_asked_to_wait_waits_also_by_the_answer_for_a_call_that_rings_already():
    claimed = ringing_before_its_answer()

    placing.settle(claimed, Slow(600), NOW, lambda: 1.0)

    assert fresh(claimed).state == DialState.RINGING
    assert dialing.switch().next_dial_at == NOW + timedelta(seconds=600)


def test_a_call_whose_stream_was_let_in_meanwhile_is_neither_failed_nor_dialled_anew():
    row = planned()
    dial(Platform(Unclear("lost")))
    Call.objects.update(status=CallStatus.ANSWERED, answered_at=NOW)  # what was placed is about to follow

    decided = [outbound.decide(row.pk, rang=rang, by="mary", now=LATER) for rang in (True, False)]

    assert decided == [False, False]
    assert fresh(row).state == DialState.UNKNOWN
    assert OutboundCall.objects.count() == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks no rows")
@pytest.mark.django_db(transaction=True)
@pytest.mark.logs_errors
def test_who_ends_a_call_and_stops_all_dialling_and_who_dials_do_not_wait_for_each_other():
    planned()
    dialing.switch()
    claimed = outbound.claim("d1", NOW)
    assert claimed is not None

    def work() -> object:
        try:
            return placing.begin(claimed, NOW)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        OutboundCall.objects.select_for_update().get(pk=claimed.pk)
        said = pool.submit(work)
        until_waited_for(Event())
        outbound.stop("Most calls failed.", NOW)

    assert isinstance(said.result(), At)
    assert fresh(claimed).reason == "Dialling is paused: Most calls failed."


def _as_it_begins_to_ring(row: OutboundCall, work: Callable[[], object]) -> None:
    """Do something while the first webhook of a call is being written."""
    rings, done = Event(), Event()

    def ring() -> None:
        with transaction.atomic():
            opened(webhook(row))
            rings.set()
            until_waited_for(done)

    def do() -> None:
        rings.wait(10)
        try:
            work()
        finally:
            done.set()

    at_once(ring, do)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_a_refusal_that_meets_the_first_webhook_is_not_believed():
    row = planned()
    claimed = outbound.claim("d1", NOW)
    assert claimed is not None
    placing.begin(claimed, NOW)

    refused = Refused(400, "some.code")
    _as_it_begins_to_ring(row, partial(placing.settle, claimed, refused, NOW, lambda: 1.0))

    assert (fresh(row).state, fresh(row).may_have_rung) == (DialState.RINGING, True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_a_lost_call_that_begins_to_ring_as_a_person_decides_is_left_to_ring():
    row = planned()
    dial(Platform(Unclear("lost")))

    _as_it_begins_to_ring(row, partial(outbound.decide, row.pk, rang=True, by="mary", now=LATER))

    assert fresh(row).state == DialState.RINGING
    assert Call.objects.get().status == CallStatus.RINGING
