"""What the demonstration calls a success: what was heard and what not, and the rows that were asked for."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from shipments.messages import CODE_PLACE, MessageKind, OutgoingMessage
from shipments.models import DeliveryChange, Shipment, TrackingEvent
from shipments.statuses import ChangeKind, ChangeState, Source
from tests.shipments.builders import a_parcel
from tests.voice.sandbox.staged import a_call, scenes_of, shown
from voice.models import Call, OutboundCall, Turn
from voice.sandbox import demo_checks
from voice.sandbox.demo import Placed, Scene, Shown
from voice.sandbox.demo import Turn as Line
from voice.statuses import DialOutcome, DialState, Purpose

pytestmark = pytest.mark.slow
ONE = Scene("s", "+254700000001", 1.0, ())


@pytest.fixture(params=[1, 4711])
def scenes(db, settings, request):
    """Return the scenes of a seeded day."""
    return scenes_of(request.param, settings)


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


@pytest.mark.django_db
@pytest.mark.parametrize(
    "heard",
    [
        "between 10:40 pm and 1 pm",
        "BETWEEN 10.40 p.m. AND 1 p.m.",
        "10 40 pm, 1pm",
        "December 3, 1 pm, 1040 PM",
        "between 1pm and 10pm 40pm",
    ],
)
def test_a_time_counts_however_the_recogniser_writes_it(heard):
    a_call()

    assert demo_checks.missing(shown(replace(ONE, must_hear=("10:40 pm", "1 pm")), heard)) == []


@pytest.mark.django_db
@pytest.mark.parametrize("heard", ["", "It comes today.", "between 10:20 pm and 11 pm", "at 110:40 pm"])
def test_a_time_that_was_not_heard_is_missed(heard):
    a_call()

    lacks = demo_checks.missing(shown(replace(ONE, must_hear=("10:40 pm",)), heard))

    assert lacks == ['"10:40 pm" was not heard']


@pytest.mark.django_db
@pytest.mark.parametrize("heard", ["at 5:36 am", "at 5.36 A.M.", "at 536am"])
def test_a_full_hour_is_not_heard_in_the_minutes_of_another(heard):
    a_call()

    assert len(demo_checks.missing(shown(replace(ONE, must_hear=("6 am",)), heard))) == 1


@pytest.mark.django_db
def test_a_stranger_who_hears_more_than_the_coarse_state_is_a_failure(scenes):
    stranger = scenes[4]
    a_call()
    coarse = "That parcel is on its way today."

    assert demo_checks.missing(shown(stranger, coarse)) == []
    assert demo_checks.missing(shown(stranger, f"{coarse} It goes to {stranger.must_not_hear[-1]}.")) == [
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

    assert len(demo_checks.missing(shown(office, " ".join(office.must_hear)))) == lacking


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

    lacks = demo_checks.missing(shown(office, " ".join(office.must_hear)))

    assert lacks == ["the parcel's history says nothing of it"]


@pytest.mark.django_db
def test_a_call_that_never_came_to_an_end_in_the_database_is_missed():
    assert "the call's end is not in the database" in demo_checks.missing(shown(ONE, ""))


@pytest.mark.django_db
@pytest.mark.parametrize("flaw", [{"status": "failed"}, {"faults": ("a stray frame",)}])
def test_a_call_that_failed_or_broke_the_carriers_rules_is_missed(flaw):
    a_call()

    assert len(demo_checks.missing(shown(ONE, "", **flaw))) == 1


def test_a_window_that_was_not_booked_is_missed_and_so_is_an_agent_that_talked_on(scenes):
    move = scenes[2]
    a_call()

    lacks = demo_checks.missing(shown(move, " ".join(move.must_hear)))

    assert any("was not moved to" in one for one in lacks)
    assert "the agent was not cut off" in lacks


def test_a_change_that_nobody_asked_for_is_told(scenes):
    call = a_call()
    parcel = Shipment.objects.get(phone=scenes[1].number)
    a_change(parcel, call, state=ChangeState.PROPOSED)

    lacks = demo_checks.missing(shown(Scene("s", parcel.phone, 1.0, (Line("Hi."),)), ""))

    assert lacks == ["something was changed that nobody asked for"]


# The way to a gate, and its code

GATE = Scene(
    "s", "+254700000090", 1.0, (), gist=("Take the lane beside the stage",), codes=("52071",), code_sent=True
)
WAY = "Take the lane beside the stage."


def a_message(parcel: Shipment, call: Call, **fields) -> OutgoingMessage:
    """Return the message with the code of a gate that is written in a call."""
    now = timezone.now()
    told = {"number": GATE.number, "text": f"Stop 1: the code is {CODE_PLACE}.", "kind": MessageKind.ACCESS}
    return OutgoingMessage.objects.create(
        shipment=parcel,
        idempotency_key=f"access:{call.public_id}:1",
        next_at=now,
        created_at=now,
        **told | fields,
    )


@pytest.mark.django_db
@pytest.mark.parametrize("heard", [WAY, "Take the lane beside the sage.", "take the line beside the stage"])
def test_of_directions_most_words_have_to_be_heard_and_the_code_sent(heard):
    call = a_call()
    a_message(a_parcel(), call)

    assert demo_checks.missing(shown(GATE, heard)) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "heard", ["Take a lane.", f"{WAY} 52071.", f"{WAY} 5 2 0 7 1.", f"{WAY} Five, two, zero, seven one."]
)
def test_half_the_way_or_a_code_is_a_failure(heard):
    call = a_call()
    a_message(a_parcel(), call)

    assert len(demo_checks.missing(shown(GATE, heard))) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fields",
    [
        {"number": "+254700000001"},
        {"kind": MessageKind.CHANGE},
        {"idempotency_key": "access:another call:1"},
        {"text": "Stop 1: the code is on its way."},
    ],
)
def test_a_code_that_was_not_sent_to_the_driver_in_this_call_is_missed(fields):
    call = a_call()
    message = a_message(a_parcel(), call)
    OutgoingMessage.objects.filter(pk=message.pk).update(**fields)

    assert demo_checks.missing(shown(GATE, WAY)) == ["the code was not sent to the driver's number"]


@pytest.mark.django_db
def test_a_code_in_what_was_said_done_or_sent_is_a_failure():
    call = a_call()
    message = a_message(a_parcel(), call)
    turn = Turn.objects.create(
        call=call, position=1, speaker="caller", text="It is 5 2 0, 7 1", started_ms=0, ended_ms=1
    )

    assert demo_checks.missing(shown(GATE, WAY)) == ["a code is in what is kept of the call"]
    turn.delete()
    OutgoingMessage.objects.filter(pk=message.pk).update(text=f"52071 {CODE_PLACE}")
    assert demo_checks.missing(shown(GATE, WAY)) == ["a code is in what is kept of the call"]


# Calls that we place


def a_placed_call(parcel: Shipment, **fields) -> OutboundCall:
    """Return a call that we placed, to the number of a parcel."""
    now = timezone.now()
    return OutboundCall.objects.create(
        **{
            "shipment": parcel,
            "purpose": Purpose.REATTEMPT,
            "number": parcel.phone,
            "state": DialState.DONE,
            "outcome": DialOutcome.VOICEMAIL,
            "not_before": now,
            "created_at": now,
        }
        | fields
    )


@pytest.fixture
def parcel(db) -> Shipment:
    """Return a parcel that a call was placed about."""
    return a_parcel()


def a_scene(parcel: Shipment, placed: Placed, **fields) -> Scene:
    return replace(Scene("s", parcel.phone, 1.0, (), placed=placed), **fields)


MACHINE = Placed(outcome=DialOutcome.VOICEMAIL, again=True)
QUIET = Placed(DialState.SUPPRESSED, None, because="wants no calls")


@pytest.mark.parametrize(
    ("days", "fields", "lacking"),
    [
        (1, {}, []),
        (0, {}, ["it is not planned for the next window"]),
        (1, {"state": DialState.CANCELLED}, ["it is not planned for the next window"]),
    ],
)
def test_a_voicemail_has_to_be_rung_again_another_day(parcel, days, fields, lacking):
    a_call()
    a_placed_call(parcel)
    later = timezone.now() + timedelta(days=days)
    a_placed_call(parcel, attempt=2, not_before=later, **{"state": DialState.PLANNED, "outcome": ""} | fields)

    assert demo_checks.missing(shown(a_scene(parcel, MACHINE), "")) == lacking


def test_an_end_that_was_not_wanted_is_told(parcel):
    a_call()
    scene = a_scene(parcel, Placed())

    assert demo_checks.missing(shown(scene, "")) == ["no call was planned"]
    a_placed_call(parcel)
    assert demo_checks.missing(shown(scene, "")) == [
        "the placed call is After a failed attempt · Done, Voicemail"
    ]


def test_of_a_call_that_is_kept_back_the_reason_has_to_be_there_and_nobody_to_be_rung(parcel):
    row = a_placed_call(parcel, state=DialState.SUPPRESSED, outcome="", reason="He wants no calls until 7.")
    scene = a_scene(parcel, QUIET)

    assert demo_checks.missing(Shown(scene)) == []
    assert demo_checks.rows(Shown(scene)) == [
        f"row       {parcel}: call about After a failed attempt · Suppressed: He wants no calls until 7."
    ]
    a_call()
    assert demo_checks.missing(shown(scene, "")) == ["somebody was rung"]
    OutboundCall.objects.filter(pk=row.pk).update(reason="It is Sunday.")
    assert demo_checks.missing(Shown(scene)) == ['the reason "wants no calls" is not there']


def test_whoever_should_have_been_rung_and_was_not_is_missed(parcel):
    a_placed_call(parcel, outcome=DialOutcome.ANSWERED)

    assert demo_checks.missing(Shown(a_scene(parcel, Placed()))) == ["nobody was rung"]


def test_a_call_that_takes_too_long_is_told(parcel):
    a_call()
    scene = replace(ONE, longest_s=60.0)

    assert demo_checks.missing(shown(scene, "", duration_s=59.0)) == []
    assert demo_checks.missing(shown(scene, "", duration_s=61.0)) == ["the call took 61 s"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("heard", "lacking"),
    [
        ("Our number is plus 254,700,000,000,99.", 0),
        ("Our number is plus 2 5 4, 7 0 0, 0 9 9", 0),
        ("Our number is plus 254 711 000 099", 1),
        ("Goodbye.", 1),
    ],
)
def test_of_a_telephone_number_noughts_are_not_counted(heard, lacking):
    a_call()

    assert len(demo_checks.missing(shown(replace(ONE, must_hear=("+254700000099",)), heard))) == lacking
