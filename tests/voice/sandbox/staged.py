"""Set the stage of the demonstration for tests, as the command does: a seeded day, and what then happens."""

from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.utils import timezone

from voice.levels import Proof
from voice.models import Call
from voice.sandbox import demo_scenes, demo_stage
from voice.sandbox.call_record import CallRecord
from voice.sandbox.demo import Scene, Shown
from voice.sandbox.stream import Media

SESSION = "HD_demo"
OURS = "+254700000099"


def seeded(seed: int) -> None:
    """Write a day."""
    call_command("seed_demo", seed=seed, stdout=StringIO())


def scenes_of(seed: int, settings: Any, now: datetime | None = None) -> list[Scene]:
    """Return the scenes of a seeded day on which it happened what they are about."""
    settings.SAUTIKIT_NUMBER = OURS
    settings.SAUTIKIT_BASE_URL = "http://127.0.0.1:9"
    settings.DIAL_HOURS = "00:00-24:00"
    seeded(seed)
    demo_stage.set_out(seed, now or timezone.now())
    return demo_scenes.scenes()


def shown(
    scene: Scene,
    heard: str,
    *,
    status: str = "completed",
    faults: tuple[str, ...] = (),
    duration_s: float = 20.0,
    session_id: str = SESSION,
) -> Shown:
    """Return a scene as if it had been played, the agent's words as a recogniser wrote them."""
    record = CallRecord("c", session_id, "x", status, duration_s, "caller", "", (), Media(0.0), (), faults)
    return Shown(scene, record, heard, Path("call.wav"))


def a_call(number: str = "", *, direction: str = "inbound", session_id: str = SESSION, **fields: Any) -> Call:
    """Return a call that is over, from a number that the carrier vouches for."""
    now = timezone.now()
    return Call.objects.create(
        session_id=session_id,
        direction=direction,
        customer_number=number,
        proof=Proof.LOOKUP if number else "",
        status="completed",
        created_at=now,
        ended_at=now,
        **fields,
    )
