"""The demonstration's calls, as they are written from a seeded day; and each read at a table.

A reading has no sound and no wire: the receptionist hears the very words, and its tools are really run.
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.utils import timezone

from shipments.models import DeliveryChange, Shipment
from shipments.riders import Stop
from tests.voice.sandbox.staged import OURS, a_call, scenes_of, shown
from voice import notes, tools, trust
from voice.models import Call
from voice.prompts import system_instruction
from voice.sandbox import demo_checks, demo_stage
from voice.sandbox.brain import Reply
from voice.sandbox.demo import Scene
from voice.sandbox.receptionist import Receptionist

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

SCENES = 9


@pytest.fixture(params=[1, 4711])
def scenes(settings, request):
    """Return the scenes of a seeded day."""
    settings.TOOL_CALLS_A_MINUTE = 1_000
    return scenes_of(request.param, settings)


# As written


def test_everybody_has_a_number_of_his_own_and_one_reads_a_tracking_number_aloud(scenes):
    by_id, by_number, move, *_ = scenes
    parcel = Shipment.objects.get(phone=by_id.number)

    assert ", ".join(parcel.tracking_id) in by_id.turns[0].words
    assert not any(character.isdigit() for character in by_number.turns[0].words)
    assert [turn.cuts_in for turn in move.turns] == [False, True, False, False]
    assert len({scene.number for scene in scenes}) == len(scenes) == SCENES


def test_times_have_to_be_heard_and_windows_to_be_booked(scenes):
    by_id, by_number, move, _, _, _, arriving, *_ = scenes

    assert all(len(scene.must_hear) == 2 for scene in (by_id, by_number))
    assert len(arriving.must_hear) >= 5
    for spoken in (*by_id.must_hear, *by_number.must_hear):
        assert re.fullmatch(r"\d+(:\d0)? [ap]m|12 noon|midnight", spoken)
    assert all(scene.wanted and scene.wanted.window for scene in (move, arriving))


def test_a_driver_has_to_hear_the_way_and_neither_code(scenes):
    gate = scenes[5]
    stop = Stop.objects.get(driver__phone=gate.number, position=1)
    address = stop.shipment.address

    assert {address.landmark, address.directions, address.gate_notes} <= set(gate.gist)
    assert address.gate_code in gate.codes
    assert not any(address.gate_code in turn.words for turn in gate.turns)


def test_a_voicemail_has_to_hear_our_number_and_nothing_of_the_parcel(scenes):
    voicemail = scenes[7]
    parcel = Shipment.objects.get(phone=voicemail.number)

    assert voicemail.must_hear == (OURS,)
    assert {parcel.shipper, parcel.tracking_id[-4:], parcel.address.landmark} <= set(voicemail.must_not_hear)


@pytest.mark.slow
def test_another_seed_draws_other_times(settings):
    drawn = {tuple(scene.must_hear for scene in scenes_of(seed, settings)) for seed in range(5)}

    assert len(drawn) > 1


# As read


def read(scene: Scene, call: Call) -> str:
    """Return all that the receptionist says in a scene."""
    receptionist = Receptionist(
        {
            "systemInstruction": {"parts": [{"text": _instruction(call)}]},
            "tools": [{"functionDeclarations": [*tools.declarations(), notes.END_CALL]}],
        }
    )

    def run(reply: Reply) -> Iterator[str]:
        yield reply.say
        for made in reply.calls:
            if made.name != notes.END_CALL["name"]:
                caller, key = trust.caller_of(call.pk), tools.business_key(made.name, made.args)
                answer = tools.run(made.name, made.args, caller, key)
                yield from run(asyncio.run(receptionist.answered(made.name, "id", answer)))

    said = [*run(asyncio.run(receptionist.nudged("Greet.")))]
    for turn in scene.turns:
        said += run(asyncio.run(receptionist.heard(turn.words)))
    return " ".join(said)


def _instruction(call: Call) -> str:
    return system_instruction(
        courier="Savanna Express", language="en", direction=call.direction, purpose="eta", parcels=()
    )


def lacking(scene: Scene, session_id: str) -> list[str]:
    """Return what is missing of a scene that was read."""
    call = a_call(scene.number, direction="outbound" if scene.placed else "inbound", session_id=session_id)
    heard = read(scene, call)
    if scene.wanted and scene.wanted.approved:
        demo_stage.approve(call.public_id, timezone.now())
    # How calls are placed and cut off is another matter.
    missing = demo_checks.missing(shown(replace(scene, placed=None), heard, session_id=session_id))
    return [one for one in missing if one != "the agent was not cut off"]


def test_whoever_follows_a_scene_hears_and_changes_what_it_asks_for(scenes):
    lacks = {scene.title: lacking(scene, f"HD_{place}") for place, scene in enumerate(scenes)}

    assert {title: missing for title, missing in lacks.items() if missing} == {}


def test_nothing_is_told_to_a_recipient_who_says_no(scenes):
    arriving = scenes[6]
    parcel = Shipment.objects.get(phone=arriving.number)
    call = a_call(arriving.number, direction="outbound")

    heard = read(replace(arriving, turns=(replace(arriving.turns[0], words="No, who is this?"),)), call)

    assert "out for delivery" not in heard
    assert parcel.tracking_id[-4:] not in heard.replace(" ", "")
    assert not DeliveryChange.objects.exists()
