"""A real browser rings a real server, speaks by its microphone and hears the agent by its loudspeaker."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import LOOKS, SIZES, Office, an_office, look_at, needs_chromium, picture
from tests.line import eventually

pytestmark = [pytest.mark.slow, needs_chromium, pytest.mark.xdist_group("softphone")]
SOFTPHONE = "/admin/softphone/"
MICROPHONE = ("--use-fake-device-for-media-stream", "--deny-permission-prompts")
"""A microphone that only those pages get to which it is lent."""
SEED = "from django.core.management import call_command; call_command('seed_demo')"
HZ = 16_000
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
SOUNDS = "window.heard.length > 2 && window.heard.slice(-2).every((piece) => piece.some(Boolean))"
"""Whether the agent is heard now."""
CALLS = """
SELECT c.status, c.proof, u.username FROM voice_call c JOIN auth_user u ON u.id = c.tester_id
"""


@pytest.fixture(scope="module")
def office(tmp_path_factory) -> Iterator[Office]:
    """Run a server with the demonstration's parcels, room for one call and short goodbyes."""
    limits = {"ADMISSION_CALLS": "1", "CALL_GOODBYE_S": "3"}
    with an_office(tmp_path_factory.mktemp("softphone"), *MICROPHONE, rows=SEED, **limits) as office:
        yield office


@contextmanager
def a_softphone(office: Office, *, microphone: bool = True, refused: str = "") -> Iterator[Page]:
    """Open the softphone as a supervisor."""
    with office.page(refused=refused, microphone=microphone) as page:
        page.add_init_script(HEAR)
        page.get_by_role("link", name="Call the agent").click()
        page.wait_for_url(SOFTPHONE)
        yield page


def call(page: Page) -> None:
    page.get_by_role("button", name="Call", exact=True).click()


def test_what_the_agent_said_so_far_and_was_not_played_yet_is_dropped_at_a_clear(office):
    with a_softphone(office, microphone=False) as page:
        came = page.evaluate(WORKLET, page.locator("#softphone").get_attribute("data-worklet"))

    assert came["whole"] == 12_800
    assert (came["before"], came["after"]) == (40 * 128, 0)
    assert came["frames"] == [[640, 16_383]] * 4


def test_frames_of_20_ms_are_sent_and_the_agents_voice_moves_the_meter_until_he_hangs_up(office):
    with a_softphone(office) as page:
        call(page)
        expect(page.get_by_text("Talking")).to_be_visible()
        model = eventually(lambda: office.line.model.sessions and office.line.model.sessions[0])
        frames = eventually(lambda: len(model.heard) > 3 * HZ * 2 and len(model.heard), 10)
        model.speak(2.0)
        page.wait_for_function(SPEAKS)
        page.get_by_role("button", name="Hang up").click()

        expect(page.get_by_text("Ended")).to_be_visible()
        expect(page.get_by_role("button", name="Call", exact=True)).to_be_enabled()
        eventually(model.closed.is_set)

    assert frames % 2 == 0


def test_when_the_agent_hangs_up_the_page_says_so(office):
    with a_softphone(office) as page:
        call(page)
        expect(page.get_by_text("Talking")).to_be_visible()
        model = eventually(lambda: office.line.model.sessions and office.line.model.sessions[0])
        model.send({"toolCall": {"functionCalls": [{"id": "bye", "name": "end_call", "args": {}}]}})
        model.speak(1.0)
        model.send({"serverContent": {"turnComplete": True}})

        expect(page.get_by_text("The agent hung up.")).to_be_visible()
        assert "cannot be hung up on" not in office.line.log()


def test_a_microphone_that_is_not_lent_is_said_and_no_call_begins(office):
    with a_softphone(office, microphone=False) as page:
        call(page)

        expect(page.get_by_role("alert")).to_contain_text("The microphone is blocked.")
        expect(page.get_by_text("Not connected")).to_be_visible()
        picture(page, "softphone-blocked")
        assert office.line.rows(CALLS) == []


def test_a_line_that_does_not_take_the_call_is_said(office):
    def answer(route: Route) -> None:
        if route.request.method == "POST":
            route.fulfill(json={"stream": "/audio/nobodys-token", "page": "/admin/"})
        else:
            route.fallback()

    with a_softphone(office, refused="403") as page:
        page.route(f"**{SOFTPHONE}", answer)
        call(page)

        expect(page.get_by_role("alert")).to_contain_text("The line did not take this call.")


def test_a_refusal_is_shown_in_its_words(office):
    with a_softphone(office, refused="409") as page, office.line.call():
        call(page)

        expect(page.get_by_role("alert")).to_contain_text("The line is full")
        assert office.line.rows(CALLS) == []


@pytest.mark.parametrize(("scheme", "sizes"), LOOKS)
def test_the_page_fits_a_desk_and_a_phone_in_light_and_dark(office, scheme, sizes):
    with a_softphone(office) as page:
        page.emulate_media(color_scheme=scheme)
        look_at(page, sizes[0])
        page.reload()
        for size in sizes:
            look_at(page, size)
            picture(page, f"softphone-{size}-{scheme}-idle")
        look_at(page, sizes[0])
        call(page)
        expect(page.get_by_text("Talking")).to_be_visible()
        for size in sizes:
            look_at(page, size)
            page.wait_for_function(IS_HEARD)
            picture(page, f"softphone-{size}-{scheme}")

            width, _ = SIZES[size]
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
FALLS_SILENT = """
() => window.heard.length > window.clears[0] + 8
  && window.heard.slice(window.clears[0] + 2).every((piece) => piece.every((sample) => sample === 0))
"""
"""Whether of what was queued no more than the pieces that were on their way was heard after it."""


def test_an_interruption_in_mid_speech_drops_what_was_queued(office):
    with a_softphone(office) as page:
        page.add_init_script(CLEARS)
        page.reload()
        call(page)
        expect(page.get_by_text("Talking")).to_be_visible()
        model = eventually(lambda: office.line.model.sessions and office.line.model.sessions[0])
        model.speak(20.0)
        page.wait_for_function(SOUNDS)

        model.send({"serverContent": {"interrupted": True}})

        page.wait_for_function("window.clears.length > 0")
        page.wait_for_function(FALLS_SILENT)
        expect(page.get_by_text("Talking")).to_be_visible()
