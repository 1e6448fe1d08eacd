// The two ends of a call that run in the browser's audio thread: 16-bit mono PCM at the context's rate.

const FRAME_SAMPLES = 320; // 20 ms at 16 kHz, as the telephone sends them
const CUSHION_SAMPLES = 960; // 60 ms are waited for, so that a late frame is not heard as a gap
const LONGEST_SAMPLES = 16000 * 30; // beyond it the newest is dropped: nobody waits so long for an answer
const REPORT_SAMPLES = 800;

// Posts what the microphone hears, one ArrayBuffer a frame.
class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.frame = new Int16Array(FRAME_SAMPLES);
    this.filled = 0;
  }

  process([input]) {
    for (const sample of input[0] ?? []) {
      this.frame[this.filled++] = Math.max(-1, Math.min(1, sample)) * 32767;
      if (this.filled === FRAME_SAMPLES) {
        this.port.postMessage(this.frame.buffer, [this.frame.buffer]);
        this.frame = new Int16Array(FRAME_SAMPLES);
        this.filled = 0;
      }
    }
    return true;
  }
}

// Plays what it is posted, an ArrayBuffer at a time; null drops all that is not played yet.
// Posts how loud it is (root mean square), every 50 ms.
class Speaker extends AudioWorkletProcessor {
  constructor() {
    super();
    this.clear();
    this.squares = 0;
    this.measured = 0;
    this.port.onmessage = ({ data }) => (data === null ? this.clear() : this.add(new Int16Array(data)));
  }

  clear() {
    this.queue = [];
    this.played = 0; // of the first piece
    this.queued = 0;
    this.flows = false;
  }

  add(samples) {
    if (this.queued + samples.length > LONGEST_SAMPLES) return;
    this.queue.push(samples);
    this.queued += samples.length;
  }

  next() {
    if (this.queued === 0) this.flows = false;
    else if (this.queued >= CUSHION_SAMPLES) this.flows = true;
    if (!this.flows) return 0;
    const piece = this.queue[0];
    const sample = piece[this.played++] / 32768;
    this.queued -= 1;
    if (this.played === piece.length) {
      this.queue.shift();
      this.played = 0;
    }
    return sample;
  }

  process(_, [output]) {
    const [samples] = output;
    for (let at = 0; at < samples.length; at++) {
      samples[at] = this.next();
      this.squares += samples[at] ** 2;
    }
    this.measured += samples.length;
    if (this.measured >= REPORT_SAMPLES) {
      this.port.postMessage(Math.sqrt(this.squares / this.measured));
      this.squares = this.measured = 0;
    }
    return true;
  }
}

registerProcessor("microphone", Microphone);
registerProcessor("speaker", Speaker);
