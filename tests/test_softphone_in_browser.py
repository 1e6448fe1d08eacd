"""A real browser rings a real server, speaks by its microphone and hears the agent by its loudspeaker."""

import asyncio
import base64
import os
import re
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import a_page, log_in, needs_chromium, picture
from tests.line import Line, a_line, eventually
from voice.audio import Resampler
from voice.sandbox.offline import offline_voice_missing
from voice.sandbox.process import Process

pytestmark = [pytest.mark.slow, needs_chromium]
SOFTPHONE = "/admin/softphone/"
LENT = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
HZ = 16_000
LISTENS_S, ASKS_S = 14, 20
"""How long the caller lets the greeting be, and after his question the answer."""
HEAR = """
window.heard = [];
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (target === this.context.destination && !(this instanceof ScriptProcessorNode)) {
    const ear = this.context.createScriptProcessor(4096, 1, 1);
    ear.onaudioprocess = ({ inputBuffer }) =>
      window.heard.push(Int16Array.from(inputBuffer.getChannelData(0), (sample) => sample * 32767));
    connect.call(this, ear);
    connect.call(ear, target);
  }
  return connect.call(this, target, ...rest);
};
"""
"""Keeps what reaches the loudspeaker, as the worklet plays it."""
TAKE = """
() => {
  const bytes = window.heard.flatMap((piece) => [...new Uint8Array(piece.buffer)]);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.slice(at, at + 8192));
  return btoa(text);
}
"""
WORKLET = """
async (worklet) => {
  const code = await (await fetch(worklet)).text();
  class Processor {
    constructor() {
      this.said = [];
      this.port = { postMessage: (said) => this.said.push(said) };
    }
  }
  const made = {};
  const register = (name, processor) => (made[name] = processor);
  new Function("AudioWorkletProcessor", "registerProcessor", code)(Processor, register);
  const play = (speaker, blocks) => {
    let heard = 0;
    for (let block = 0; block < blocks; block++) {
      const output = new Float32Array(128);
      speaker.process([], [[output]]);
      heard += output.filter((sample) => sample === 0.25).length;
    }
    return heard;
  };
  const speech = () => ({ data: new Int16Array(12800).fill(8192).buffer });
  const [whole, cut] = [new made.speaker(), new made.speaker()];
  whole.port.onmessage(speech());
  cut.port.onmessage(speech());
  const before = play(cut, 40);
  cut.port.onmessage({ data: null });
  const microphone = new made.microphone();
  for (let block = 0; block < 11; block++) microphone.process([[new Float32Array(128).fill(0.5)]]);
  return {
    whole: play(whole, 200),
    before,
    after: play(cut, 200),
    frames: microphone.said.map((frame) => [frame.byteLength, new Int16Array(frame)[0]]),
  };
}
"""
"""Runs the two processors block by block, as a browser's audio thread does but by no clock."""
SPEAKS, IS_HEARD = (
    f"Number(document.querySelector('[data-part=level-{who}]').ariaValueNow) > 0.1"
    for who in ("agent", "you")
)
"""What the meters show."""
IS_QUIET = "window.heard.slice(-6).every((piece) => piece.every((sample) => sample === 0))"
"""Whether nothing has been played for 1.5 s."""
CALLS = """
SELECT c.status, c.proof, u.username FROM voice_call c JOIN auth_user u ON u.id = c.tester_id
"""
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


@contextmanager
def a_softphone(
    folder: Path, *flags: str, refused: str = "", **environment: str
) -> Iterator[tuple[Line, Page]]:
    """Run a server with the demonstration's parcels, and open the softphone as a supervisor."""
    with a_line(folder, **environment) as line:
        line.manage("seed_demo")
        with a_page(line, *flags, refused=refused) as page:
            page.add_init_script(HEAR)
            log_in(page, line)
            page.get_by_role("link", name="Call the agent").click()
            page.wait_for_url(SOFTPHONE)
            yield line, page


def call(page: Page) -> None:
    page.get_by_role("button", name="Call", exact=True).click()


@pytest.mark.skipif(bool(offline_voice_missing()), reason="the offline-voice extra is not installed")
def test_a_caller_at_the_browser_is_understood_and_understands_the_agent(tmp_path):
    tape = on_tape(tmp_path, "Hello, where is my parcel?")
    flags = (*LENT, f"--use-file-for-fake-audio-capture={tape}%noloop")
    with (
        a_model_that_speaks(tmp_path) as url,
        a_softphone(tmp_path, *flags, GEMINI_LIVE_URL=url, GREETING_SHIELD_S="2") as (line, page),
    ):
        page.get_by_label("You are").select_option(label=AMINA)
        call(page)
        expect(page.get_by_text("Talking")).to_be_visible()
        eventually(lambda: ("track_shipment", "ok") in line.rows(RUNS), 60)
        page.wait_for_function(SPEAKS)
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


AMINA = "Amina Otieno · ••• 001"


def test_what_the_agent_said_so_far_and_was_not_played_yet_is_dropped_at_a_clear(tmp_path):
    with a_softphone(tmp_path) as (_, page):
        came = page.evaluate(WORKLET, page.locator("#softphone").get_attribute("data-worklet"))

    assert came["whole"] == 12_800
    assert (came["before"], came["after"]) == (40 * 128, 0)
    assert came["frames"] == [[640, 16_383]] * 4


def test_frames_of_20_ms_are_sent_and_the_agents_voice_moves_the_meter_until_he_hangs_up(tmp_path):
    with a_softphone(tmp_path, *LENT) as (line, page):
        call(page)
        expect(page.get_by_text("Talking")).to_be_visible()
        model = eventually(lambda: line.model.sessions and line.model.sessions[0])
        frames = eventually(lambda: len(model.heard) > 3 * HZ * 2 and len(model.heard), 10)
        model.speak(2.0)
        page.wait_for_function(SPEAKS)
        page.get_by_role("button", name="Hang up").click()

        expect(page.get_by_text("Ended")).to_be_visible()
        expect(page.get_by_role("button", name="Call", exact=True)).to_be_enabled()
        eventually(model.closed.is_set)

    assert frames % 2 == 0


def test_when_the_agent_hangs_up_the_page_says_so(tmp_path):
    with a_softphone(tmp_path, *LENT, CALL_GOODBYE_S="3") as (line, page):
        call(page)
        expect(page.get_by_text("Talking")).to_be_visible()
        model = eventually(lambda: line.model.sessions and line.model.sessions[0])
        model.send({"toolCall": {"functionCalls": [{"id": "bye", "name": "end_call", "args": {}}]}})
        model.speak(1.0)
        model.send({"serverContent": {"turnComplete": True}})

        expect(page.get_by_text("The agent hung up.")).to_be_visible()
        assert "cannot be hung up on" not in line.log()


def test_a_microphone_that_is_not_lent_is_said_and_no_call_begins(tmp_path):
    with a_softphone(tmp_path, "--use-fake-device-for-media-stream", "--deny-permission-prompts") as (
        line,
        page,
    ):
        call(page)

        expect(page.get_by_role("alert")).to_contain_text("The microphone is blocked.")
        expect(page.get_by_text("Not connected")).to_be_visible()
        picture(page, "softphone-blocked")
        assert line.rows(CALLS) == []


def test_a_line_that_does_not_take_the_call_is_said(tmp_path):
    def answer(route: Route) -> None:
        if route.request.method == "POST":
            route.fulfill(json={"stream": "/audio/nobodys-token", "page": "/admin/"})
        else:
            route.fallback()

    with a_softphone(tmp_path, *LENT, refused="403") as (_, page):
        page.route(f"**{SOFTPHONE}", answer)
        call(page)

        expect(page.get_by_role("alert")).to_contain_text("The line did not take this call.")


def test_a_refusal_is_shown_in_its_words(tmp_path):
    with (
        a_softphone(tmp_path, *LENT, refused="409", ADMISSION_CALLS="1") as (line, page),
        line.call(),
    ):
        call(page)

        expect(page.get_by_role("alert")).to_contain_text("The line is full")
        assert line.rows(CALLS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height", "name"), [(1400, 900, "desk"), (390, 844, "phone")])
def test_the_page_fits_a_desk_and_a_phone_in_light_and_dark(tmp_path, scheme, width, height, name):
    with a_softphone(tmp_path, *LENT) as (_, page):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": height})
        page.reload()
        picture(page, f"softphone-{name}-{scheme}-idle")
        call(page)
        expect(page.get_by_text("Talking")).to_be_visible()
        page.wait_for_function(IS_HEARD)
        picture(page, f"softphone-{name}-{scheme}")

        wide = page.evaluate("document.documentElement.scrollWidth")
        expect(page.get_by_role("button", name="Hang up")).to_be_in_viewport()
        assert wide <= width


CLEARS = """
window.clears = [];
const post = MessagePort.prototype.postMessage;
MessagePort.prototype.postMessage = function (said, ...rest) {
  if (said === null) window.clears.push(window.heard.length);
  return post.call(this, said, ...rest);
};
"""
"""Keeps when the player was told to drop what it has, counted in pieces heard."""
SOUNDS = "window.heard.length > 2 && window.heard.slice(-2).every((piece) => piece.some(Boolean))"
FALLS_SILENT = """
() => window.heard.length > window.clears[0] + 8
  && window.heard.slice(window.clears[0] + 2).every((piece) => piece.every((sample) => sample === 0))
"""
"""Whether of what was queued no more than the pieces that were on their way was heard after it."""


def test_an_interruption_in_mid_speech_drops_what_was_queued(tmp_path):
    with a_softphone(tmp_path, *LENT) as (line, page):
        page.add_init_script(CLEARS)
        page.reload()
        call(page)
        expect(page.get_by_text("Talking")).to_be_visible()
        model = eventually(lambda: line.model.sessions and line.model.sessions[0])
        model.speak(20.0)
        page.wait_for_function(SOUNDS)

        model.send({"serverContent": {"interrupted": True}})

        page.wait_for_function("window.clears.length > 0")
        page.wait_for_function(FALLS_SILENT)
        expect(page.get_by_text("Talking")).to_be_visible()
