"""What the demonstration calls a success: times that were heard, and the row that was asked for."""

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from shipments.models import DeliveryChange, Shipment, TrackingEvent
from shipments.statuses import ChangeKind, ChangeState, Source
from voice.models import Call
from voice.sandbox import demo, demo_scenes
from voice.sandbox.call_record import CallRecord
from voice.sandbox.demo import Scene, Shown, Turn
from voice.sandbox.stream import Media

SESSION = "HD_demo"


@pytest.fixture(params=[1, 4711])
def scenes(db, request):
    """Return the scenes of a seeded day."""
    call_command("seed_demo", seed=request.param, stdout=StringIO())
    return demo_scenes.scenes()


def shown(scene: Scene, heard: str, *, status: str = "completed", faults: tuple[str, ...] = ()) -> Shown:
    """Return a scene as if it had been played, the agent's words as a recogniser wrote them."""
    record = CallRecord("c", SESSION, "inbound", status, 20.0, "caller", "", (), Media(0.0), (), faults)
    return Shown(scene, record, heard, Path("call.wav"))


def a_call(**fields) -> Call:
    """Return a call that is over."""
    now = timezone.now()
    return Call.objects.create(
        session_id=SESSION,
        direction="inbound",
        status="completed",
        created_at=now - timedelta(seconds=30),
        ended_at=now,
        **fields,
    )


def a_change(parcel: Shipment, call: Call, *, landmark: str = "", **fields) -> DeliveryChange:
    """Return a change that a call asked for."""
    now = timezone.now()
    return DeliveryChange.objects.create(
        shipment=parcel,
        requested_address={"landmark": landmark} if landmark else {},
        idempotency_key=f"k{now.timestamp()}",
        call_public_id=call.public_id,
        shipment_version=parcel.version,
        created_at=now,
        expires_at=now,
        **fields,
    )


def test_everybody_rings_from_his_own_number_and_one_reads_a_tracking_number_aloud(scenes):
    by_id, by_number, move, *_ = scenes
    parcel = Shipment.objects.get(phone=by_id.number)

    assert ", ".join(parcel.tracking_id) in by_id.turns[0].words
    assert not any(character.isdigit() for character in by_number.turns[0].words)
    assert [turn.cuts_in for turn in move.turns] == [False, True, False, False]
    assert len({scene.number for scene in scenes}) == len(scenes)


def test_times_have_to_be_heard_and_a_window_has_to_be_booked(scenes):
    by_id, by_number, move, *_ = scenes

    assert len(by_id.must_hear) >= 2
    assert len(by_number.must_hear) >= 2
    assert move.wanted is not None
    assert move.wanted.window is not None


@pytest.mark.slow
def test_another_seed_draws_other_times(db):
    drawn = set()
    for seed in range(5):
        with transaction.atomic():
            call_command("seed_demo", seed=seed, stdout=StringIO())
            drawn.add(tuple(scene.must_hear for scene in demo_scenes.scenes()))
            transaction.set_rollback(True)

    assert len(drawn) > 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "heard", ["between 10:40 pm and 1 pm", "BETWEEN 10.40 p.m. AND 1 p.m.", "10 40 pm, 1pm"]
)
def test_a_time_counts_however_the_recogniser_writes_it(heard):
    a_call()

    assert demo.missing(shown(Scene("s", "+254700000001", 1.0, (), ("10:40 pm", "1 pm")), heard)) == []


@pytest.mark.django_db
@pytest.mark.parametrize("heard", ["", "It comes today.", "between 10:20 pm and 11 pm"])
def test_a_time_that_was_not_heard_is_missed(heard):
    a_call()

    lacks = demo.missing(shown(Scene("s", "+254700000001", 1.0, (), ("10:40 pm",)), heard))

    assert lacks == ['"10:40 pm" was not heard']


@pytest.mark.django_db
def test_a_stranger_who_hears_more_than_the_coarse_state_is_a_failure(scenes):
    stranger = scenes[4]
    a_call()
    coarse = "That parcel is on its way today."

    assert demo.missing(shown(stranger, coarse)) == []
    assert demo.missing(shown(stranger, f"{coarse} It goes to {stranger.must_not_hear[-1]}.")) == [
        f'"{stranger.must_not_hear[-1]}" was heard'
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "landmark", "lacking"),
    [
        (ChangeState.NEEDS_APPROVAL, "opposite the central libary", 0),
        (ChangeState.PROPOSED, "opposite the central library", 1),
        (ChangeState.NEEDS_APPROVAL, "behind the bakery", 1),
    ],
)
def test_another_address_has_to_wait_for_approval_and_stand_in_the_history(scenes, state, landmark, lacking):
    office, call = scenes[3], a_call()
    parcel = Shipment.objects.get(phone=office.number)
    a_change(parcel, call, kind=ChangeKind.ADDRESS_CHANGE, state=state, landmark=landmark)

    TrackingEvent.objects.create(
        shipment=parcel,
        occurred_at=timezone.now(),
        status=parcel.status,
        source=Source.VOICE_AGENT,
        call_public_id=call.public_id,
        idempotency_key="e1",
    )

    assert len(demo.missing(shown(office, " ".join(office.must_hear)))) == lacking


@pytest.mark.django_db
def test_a_change_that_the_history_does_not_tell_of_is_a_failure(scenes):
    office, call = scenes[3], a_call()
    parcel = Shipment.objects.get(phone=office.number)
    a_change(
        parcel,
        call,
        kind=ChangeKind.ADDRESS_CHANGE,
        state=ChangeState.NEEDS_APPROVAL,
        landmark="opposite the central library",
    )

    lacks = demo.missing(shown(office, " ".join(office.must_hear)))

    assert lacks == ["the parcel's history says nothing of it"]


@pytest.mark.django_db
def test_a_call_that_never_came_to_an_end_in_the_database_is_missed():
    assert "the call's end is not in the database" in demo.missing(
        shown(Scene("s", "+254700000001", 1.0, (), ()), "")
    )


@pytest.mark.django_db
@pytest.mark.parametrize("flaw", [{"status": "failed"}, {"faults": ("a stray frame",)}])
def test_a_call_that_failed_or_broke_the_carriers_rules_is_missed(flaw):
    a_call()

    assert len(demo.missing(shown(Scene("s", "+254700000001", 1.0, (), ()), "", **flaw))) == 1


def test_a_window_that_was_not_booked_is_missed_and_so_is_an_agent_that_talked_on(scenes):
    move = scenes[2]
    a_call()

    lacks = demo.missing(shown(move, " ".join(move.must_hear)))

    assert any("was not moved to" in one for one in lacks)
    assert "the agent was not cut off" in lacks


def test_a_change_that_nobody_asked_for_is_told(scenes):
    call = a_call()
    parcel = Shipment.objects.get(phone=scenes[1].number)
    a_change(parcel, call, state=ChangeState.PROPOSED)

    lacks = demo.missing(shown(Scene("s", parcel.phone, 1.0, (Turn("Hi."),), ()), ""))

    assert lacks == ["something was changed that nobody asked for"]
