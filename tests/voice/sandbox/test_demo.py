"""How the demonstration holds its calls; what comes of them has tests of its own."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from tests.line import ROOT
from voice.sandbox import demo
from voice.sandbox.call_record import CallRecord
from voice.sandbox.callees import Nobody
from voice.sandbox.carrier import FakeCarrier
from voice.sandbox.demo import Placed, Scene, Turn
from voice.sandbox.stream import Media

LOUD = b"\x00\x20" * 320
RUNG, LEFT = "+254700000001", "+254700000002"
SPEECH = demo.tonal_speech()


class Carrier:
    """A platform that rings one of the numbers that we have it ring."""

    def __init__(self) -> None:
        self.placed = False

    async def placed_to(self, number: str) -> CallRecord | None:
        """Return what was seen of the last call to a number."""
        assert self.placed, "asked before the calls were placed"
        if number != RUNG:
            return None
        return CallRecord("c", "HD_1", "Outbound", "completed", 9.0, "", "", (), Media(0.0), (), ())


def test_calls_of_ours_are_looked_at_once_they_are_placed_and_who_was_not_rung_has_no_record(tmp_path):
    carrier = Carrier()
    scenes = [Scene("s", number, 1.0, (), placed=Placed()) for number in (RUNG, LEFT)]

    async def place_calls() -> None:
        await asyncio.sleep(0)
        carrier.placed = True

    rung, left = asyncio.run(
        demo.play(scenes, {}, cast(FakeCarrier, carrier), "+1", place_calls, SPEECH, tmp_path)
    )

    assert rung.record is not None
    assert rung.recording == tmp_path / "call-1.wav"
    assert (tmp_path / "call-1.wav").exists()
    assert (left.record, left.recording) == (None, None)


def test_only_those_of_the_scenes_are_at_home():
    people = asyncio.run(demo.cast([Scene("s", RUNG, 1.0, (Turn("Yes."),))], SPEECH))
    answer = demo.at_home(people)

    assert answer(RUNG) is people[RUNG]
    assert answer(LEFT) is Nobody.NO_ANSWER


def test_a_recording_goes_on_for_longer_than_a_person_listens():
    def silence_ms(turn: Turn) -> int:
        person = asyncio.run(demo.person(Scene("s", RUNG, 1.0, (turn,)), SPEECH))
        for heard in [LOUD] * 10 + [b""] * 100 + [LOUD] * 10:
            person.live(heard)
        return 20 * next(ticks for ticks in range(1_000) if person.live(b"").hangs_up)

    machine, human = silence_ms(Turn("Hi.", comes_first=True)), silence_ms(Turn("Hi."))

    assert (round(machine, -2), round(human, -2)) == (8_000, 2_000)


@pytest.mark.slow(seconds=60)
def test_the_whole_of_it_goes_well_on_tones(tmp_path: Path):
    """Hold all calls, as where no speech package is: everything but the speech is real."""
    ended = subprocess.run(
        [sys.executable, "manage.py", "demo", "--tones", "--folder", str(tmp_path / "demo")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "9 scenes, 8 calls" in ended.stdout
    assert ended.stdout.count("bridge's own delay to the model: p50") == 8
    assert ended.stdout.count("bridge's own delay to the caller: p50") == 8
    assert "never  The recipient wants no calls until" in ended.stdout
