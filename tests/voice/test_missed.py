"""Who only lets it ring is rung back, if the courier does so and nobody else can have wanted it."""

from datetime import timedelta

import httpx
import pytest

from shipments.courtesy import ContactPreference
from shipments.statuses import Status
from tests.dialled import Platform, dial
from tests.shipments.builders import AMINA, BRIAN, a_parcel
from tests.voice.builders import NOW, OURS, a_live_call, a_webhook, an_opening, opened
from voice import calls, missed_proof, reconcile, refusals, reports, ringing_back
from voice.clients.sautikit import SautikitClient
from voice.dial_rules import Now
from voice.models import Call, OutboundCall
from voice.records import Ending
from voice.statuses import EndedReason, Purpose

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _rings_back(settings):
    settings.CALLBACK_MISSED_S, settings.CALLER_PROOF = 3.0, "none"


def hung_up(after_s: float = 1.0, reason: EndedReason = EndedReason.CALLER_HANGUP, **fields) -> Call:
    """Let somebody be answered and be gone after so many seconds."""
    facts = a_live_call(**fields)
    ending = Ending(reason, None, {}, {}, after_s)
    calls.end_call(facts.call_id, ending, now=NOW + timedelta(seconds=after_s))
    return Call.objects.get(pk=facts.call_id)


def let_ring(seconds: float) -> None:
    """Let somebody ring and be gone before he was answered."""
    opened()
    reports.note_edge(
        a_webhook(callSessionState="Completed", durationInSeconds="0"), now=NOW + timedelta(seconds=seconds)
    )


def planned() -> list[tuple[str, str, bool]]:
    return list(OutboundCall.objects.values_list("number", "purpose", "asked_for"))


def test_who_hangs_up_at_once_is_rung_back_and_reached():
    parcel, platform = a_parcel(status=Status.IN_TRANSIT), Platform()
    hung_up(after_s=1)

    said = dial(platform, NOW + timedelta(seconds=2))

    row = OutboundCall.objects.get()
    assert (row.shipment, row.number, row.purpose, row.asked_for) == (parcel, AMINA, Purpose.CALLBACK, True)
    assert isinstance(said, Now)
    assert platform.orders == [row.client_request_id]


@pytest.mark.parametrize(("seconds", "calls_back"), [(2.9, 1), (3, 0)])
def test_a_call_that_was_never_answered_counts_by_how_long_it_rang(seconds, calls_back):
    a_parcel(status=Status.IN_TRANSIT)

    let_ring(seconds)

    assert len(planned()) == calls_back


def test_two_missed_calls_are_rung_back_once():
    a_parcel(status=Status.IN_TRANSIT)

    hung_up(sessionId="HD_1")
    hung_up(sessionId="HD_2")

    assert planned() == [(AMINA, Purpose.CALLBACK, True)]


@pytest.mark.parametrize(
    ("after_s", "reason"), [(3.0, EndedReason.CALLER_HANGUP), (1.0, EndedReason.MODEL_FAILURE)]
)
def test_who_talked_or_was_cut_off_by_us_did_not_ask_for_a_call(after_s, reason):
    a_parcel(status=Status.IN_TRANSIT)

    hung_up(after_s, reason)

    assert planned() == []


def test_a_number_that_is_nobodys_or_that_anybody_may_have_claimed_is_not_rung(settings):
    hung_up(sessionId="HD_1")
    settings.CALLER_PROOF = "signature"
    a_parcel(status=Status.IN_TRANSIT)
    hung_up(sessionId="HD_2")

    assert planned() == []


def test_who_wants_no_calls_is_not_rung_for_a_missed_one():
    a_parcel(status=Status.IN_TRANSIT)
    ContactPreference.objects.create(number=AMINA, opted_out_at=NOW)

    hung_up()

    assert planned() == []


def test_a_courier_who_does_not_turn_it_on_rings_nobody_back(settings):
    settings.CALLBACK_MISSED_S = 0.0
    a_parcel(status=Status.IN_TRANSIT)

    hung_up(after_s=0)

    assert planned() == []


@pytest.fixture
def carrier(monkeypatch, settings):
    """Answer for the carrier, whose record is what proves a number, with what a test puts there."""
    settings.CALLER_PROOF, settings.SAUTIKIT_NUMBER = "lookup", OURS
    known: dict[str, dict[str, object]] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        session = request.url.path.rsplit("/", 1)[-1]
        return httpx.Response(200, json=known[session]) if session in known else httpx.Response(404, json={})

    monkeypatch.setattr(
        reconcile,
        "reach",
        lambda: SautikitClient("https://carrier.example.com", "key", transport=httpx.MockTransport(answer)),
    )
    return known


def record(**fields) -> dict[str, object]:
    return {
        "session_id": "HD_1",
        "status": "canceled",
        "direction": "inbound",
        "from": AMINA,
        "to": OURS,
    } | fields


SOON = NOW + timedelta(seconds=10)


def test_who_was_gone_before_the_carrier_was_asked_for_him_is_rung_back_once_it_was(carrier):
    a_parcel(status=Status.IN_TRANSIT)
    let_ring(1)
    assert (missed_proof.look_up(SOON), planned()) == (0, [])
    carrier["HD_1"] = record()

    assert missed_proof.look_up(SOON) == 1
    assert missed_proof.look_up(SOON) == 0

    assert planned() == [(AMINA, Purpose.CALLBACK, True)]
    assert Call.objects.get().level == 0


def test_who_was_answered_and_gone_before_he_was_proved_is_rung_back_too(carrier):
    a_parcel(status=Status.IN_TRANSIT)
    hung_up(after_s=1)
    carrier["HD_1"] = record(status="completed")

    missed_proof.look_up(SOON)

    assert planned() == [(AMINA, Purpose.CALLBACK, True)]


@pytest.mark.parametrize("told", [record(**{"from": BRIAN}), record(session_id="HD_2")])
def test_a_record_that_names_another_caller_rings_nobody(carrier, told):
    a_parcel(status=Status.IN_TRANSIT)
    let_ring(1)
    carrier["HD_1"] = told

    missed_proof.look_up(SOON)

    assert planned() == []


@pytest.mark.parametrize(("seconds", "later"), [(4, timedelta(seconds=10)), (1, timedelta(minutes=11))])
def test_who_let_it_ring_for_longer_or_long_ago_is_not_asked_for(carrier, seconds, later):
    a_parcel(status=Status.IN_TRANSIT)
    let_ring(seconds)
    carrier["HD_1"] = record()

    assert missed_proof.look_up(NOW + later) == 0


def test_who_was_turned_away_before_he_was_proved_is_rung_back_once_he_is(carrier, settings):
    settings.CALLBACK_MISSED_S = 0.0
    a_parcel(status=Status.IN_TRANSIT)
    refusals.refuse(an_opening().facts, now=NOW)
    reports.note_edge(
        a_webhook(callSessionState="Completed", durationInSeconds="0"), now=NOW + timedelta(seconds=5)
    )
    ringing_back.plan(now=SOON)
    assert planned() == []
    carrier["HD_1"] = record()

    assert missed_proof.look_up(SOON) == 1
    ringing_back.plan(now=SOON)

    assert planned() == [(AMINA, Purpose.CALLBACK, True)]
