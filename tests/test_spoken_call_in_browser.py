"""A caller at a real browser speaks to the agent and understands the answer."""

import asyncio
import base64
import os
import re
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import an_office, needs_chromium, picture
from tests.hearing import needs_speech
from tests.line import eventually
from tests.test_softphone_in_browser import CALLS, HZ, MICROPHONE, SEED, SOUNDS, SPEAKS, a_softphone, call
from voice.audio import Resampler
from voice.sandbox.process import Process

pytestmark = [pytest.mark.slow(seconds=40), needs_chromium]
AMINA = "Amina Otieno · ••• 001"
LISTENS_S, ASKS_S = 14, 20
"""How long the caller lets the greeting be, and after his question the answer."""
TAKE = """
() => {
  const bytes = window.heard.flatMap((piece) => [...new Uint8Array(piece.buffer)]);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.slice(at, at + 8192));
  return btoa(text);
}
"""
IS_QUIET = "window.heard.slice(-6).every((piece) => piece.every((sample) => sample === 0))"
"""Whether nothing has been played for 1.5 s."""
SAID = "SELECT text FROM voice_turn WHERE speaker = 'caller' ORDER BY position"
RUNS = "SELECT name, state FROM voice_toolrun"


def on_tape(folder: Path, words: str) -> Path:
    """Return a recording of a caller who listens first, then asks, then listens again."""
    from voice.sandbox.mouth import MOUTH_HZ, OfflineMouth  # noqa: PLC0415 - only where it is installed

    resampler = Resampler(MOUTH_HZ, HZ)
    spoken = resampler.push(asyncio.run(OfflineMouth().speak(words))) + resampler.flush()
    path = folder / "caller.wav"
    with wave.open(str(path), "wb") as tape:
        tape.setnchannels(1)
        tape.setsampwidth(2)
        tape.setframerate(HZ)
        tape.writeframes(bytes(LISTENS_S * HZ * 2) + spoken + bytes(ASKS_S * HZ * 2))
    return path


@contextmanager
def a_model_that_speaks(folder: Path) -> Iterator[str]:
    """Run the stand-in of the voice model with its ears and its mouth; yield its address."""
    model = Process("model", ["live_server", "--port", "0", "--brain", "offline"], folder, dict(os.environ))
    try:
        model.start()
        yield model.wait_for(model.printed)
    finally:
        model.stop()


@needs_speech
def test_a_caller_at_the_browser_is_understood_and_understands_the_agent(tmp_path):
    tape = on_tape(tmp_path, "Hello, where is my parcel?")
    flags = (*MICROPHONE, f"--use-file-for-fake-audio-capture={tape}%noloop")
    with (
        a_model_that_speaks(tmp_path) as url,
        an_office(tmp_path, *flags, rows=SEED, GEMINI_LIVE_URL=url, GREETING_SHIELD_S="2") as office,
        a_softphone(office) as page,
    ):
        line = office.line
        page.get_by_label("You are").select_option(label=AMINA)
        call(page)
        expect(page.get_by_text("Talking")).to_be_visible()
        eventually(lambda: ("track_shipment", "ok") in line.rows(RUNS), 60)
        page.wait_for_function(SPEAKS)
        page.wait_for_function(SOUNDS)  # later than the meter: what was heard last is silence until then
        page.wait_for_function(IS_QUIET)
        picture(page, "softphone-talking")
        page.get_by_role("button", name="Hang up").click()
        expect(page.get_by_text("You hung up.")).to_be_visible()
        heard = base64.b64decode(page.evaluate(TAKE))
        picture(page, "softphone-ended")
        page.get_by_role("link", name="See the call").click()
        expect(page.get_by_text("Test call by")).to_be_visible()
        eventually(lambda: line.rows(CALLS) == [("completed", "staff", "mary")])
        said = " ".join(text for (text,) in line.rows(SAID)).lower()

    from voice.sandbox.ears import transcribe  # noqa: PLC0415 - only where it is installed

    words = asyncio.run(transcribe(heard)).lower()
    assert "where is my parcel" in said
    assert "savanna" in words
    assert re.search(
        r"your parcel.ending .* out for delivery\b.* it should reach you (?:tomorrow )?between", words
    ), words
