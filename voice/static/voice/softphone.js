// Rings the agent from this page: the microphone to /audio and back to the loudspeaker, as the telephone does.

const RATE_HZ = 16000;
const SUBPROTOCOL = "audio.drachtio.org";
const UNSENT_BYTES = 64000; // 2 s: on a line that is slower than speech the rest is dropped
const PLAY_OUT_MS = 400; // after the agent hung up: what he said last is still on its way to the ear

const BLOCKED = {
  NotAllowedError: "The microphone is blocked. Allow it for this site in your browser, then call again.",
  NotFoundError: "No microphone was found. Plug one in, then call again.",
  NotReadableError: "Another program has the microphone. Close it, then call again.",
  NotSupportedError: "This browser cannot record at 16 kHz. Chrome, Edge and Safari can.",
};
const REFUSED = "The line did not take this call. Call again; if it stays so, the server's log says why.";
const UNREACHED = "The server cannot be reached. Look at your connection, then call again.";
const ENDS = {
  1000: "The agent hung up.",
  4001: "The server was stopped.",
  4010: "Nothing was heard from this page, so the line was closed.",
  4011: "The agent could not go on: the voice model cannot be reached.",
  4012: "The longest time of a call was reached.",
};

const page = document.getElementById("softphone");
const find = (name) => page.querySelector(`[data-part="${name}"]`);
const [form, persona, call, hangUp] = ["form", "persona", "call", "hang-up"].map(find);
const [state, elapsed, problem, outcome] = ["state", "elapsed", "problem", "outcome"].map(find);

let line = null;

// One call, from the click to the end; whatever ends it, `end` is where it does.
class Line {
  constructor() {
    this.wish = new FormData(form);
    this.over = false;
    this.began = 0;
  }

  async ring() {
    show("connecting", "Connecting");
    try {
      await this.open();
    } catch (error) {
      this.end({ problem: error instanceof Refusal ? error.message : BLOCKED[error.name] ?? String(error) });
    }
  }

  async open() {
    if (!navigator.mediaDevices) throw new Refusal("Browsers lend a microphone to pages behind https only.");
    this.media = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
    if (this.over) return this.release();
    this.context = new AudioContext({ sampleRate: RATE_HZ });
    await this.context.audioWorklet.addModule(page.dataset.worklet);
    await this.context.resume();
    const microphone = new AudioWorkletNode(this.context, "microphone", { numberOfOutputs: 0 });
    const source = this.context.createMediaStreamSource(this.media);
    this.speaker = new AudioWorkletNode(this.context, "speaker", { outputChannelCount: [1] });
    this.speaker.connect(this.context.destination);
    this.speaker.port.onmessage = ({ data }) => meter("agent", data);
    const right = await rightToCall(this.wish);
    if (this.over) return this.release();
    this.page = right.page;
    this.connect(right.stream);
    microphone.port.onmessage = ({ data }) => this.say(data);
    source.connect(microphone);
  }

  connect(path) {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(`${scheme}//${location.host}${path}`, SUBPROTOCOL);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.began = performance.now();
      this.clock = setInterval(() => this.tick(), 250);
      show("talking", "Talking");
    };
    this.socket.onmessage = ({ data }) => (typeof data === "string" ? this.heed(data) : this.hear(data));
    this.socket.onclose = ({ code }) => {
      if (this.over) return;
      if (!this.began) this.end({ problem: REFUSED });
      else setTimeout(() => this.end({ outcome: ENDS[code] ?? `The line broke (${code}).` }), PLAY_OUT_MS);
    };
  }

  say(pcm) {
    meter("you", loudness(new Int16Array(pcm)));
    const open = this.socket.readyState === WebSocket.OPEN;
    if (open && this.socket.bufferedAmount < UNSENT_BYTES) this.socket.send(pcm);
  }

  hear(pcm) {
    const whole = pcm.byteLength % 2 ? pcm.slice(0, -1) : pcm;
    if (whole.byteLength) this.speaker.port.postMessage(whole, [whole]);
  }

  heed(text) {
    let order;
    try {
      order = JSON.parse(text);
    } catch {
      return;
    }
    if ([order?.type, order?.event].some((word) => word === "killAudio" || word === "clear")) {
      this.speaker.port.postMessage(null);
    }
  }

  tick() {
    const seconds = Math.floor((performance.now() - this.began) / 1000);
    elapsed.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }

  end(why) {
    if (this.over) return;
    this.over = true;
    this.release();
    show("ended", this.began ? "Ended" : "Not connected", why);
    if (this.began && this.page) outcome.append(" ", link(this.page, "See the call"));
  }

  release() {
    clearInterval(this.clock);
    this.socket?.close(1000);
    this.media?.getTracks().forEach((track) => track.stop());
    if (this.context && this.context.state !== "closed") this.context.close();
    meter("you", 0);
    meter("agent", 0);
  }
}

// Why a call may not begin, in words for who wanted it.
class Refusal extends Error {}

// Returns the address of one stream, and of the call's page at the desk.
async function rightToCall(wish) {
  let answer;
  try {
    answer = await fetch(location.pathname, { method: "POST", body: wish });
  } catch {
    throw new Refusal(UNREACHED);
  }
  const said = answer.headers.get("Content-Type")?.startsWith("application/json") ? await answer.json() : {};
  if (said.stream) return said;
  throw new Refusal(said.error ?? `The server refused this call (${answer.status}). Load this page again.`);
}

function show(name, words, why = {}) {
  page.dataset.state = name;
  state.textContent = words;
  if (name === "connecting") elapsed.textContent = "0:00";
  problem.textContent = why.problem ?? "";
  outcome.textContent = why.outcome ?? "";
  const idle = name === "ended";
  call.hidden = !idle;
  hangUp.hidden = idle;
  persona.disabled = !idle;
}

function loudness(samples) {
  let squares = 0;
  for (const sample of samples) squares += (sample / 32768) ** 2;
  return Math.sqrt(squares / samples.length);
}

// Shows a root mean square from -60 dB to 0 dB.
function meter(name, level) {
  const shown = level > 0 ? Math.max(0, 1 + Math.log10(level) / 3).toFixed(2) : "0";
  const bar = find(`level-${name}`);
  bar.style.setProperty("--level", shown);
  bar.setAttribute("aria-valuenow", shown);
}

function link(address, words) {
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.className = "text-link";
  anchor.textContent = words;
  return anchor;
}

function introduce() {
  for (const about of page.querySelectorAll("[data-about]")) about.hidden = about.dataset.about !== persona.value;
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  line = new Line();
  line.ring();
});
hangUp?.addEventListener("click", () => line?.end({ outcome: "You hung up." }));
persona?.addEventListener("change", introduce);
addEventListener("pagehide", () => line?.end({}));
if (persona) introduce();
