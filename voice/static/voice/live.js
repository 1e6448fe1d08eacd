// Shows the line as it runs: calls, who speaks, what is said and done, and takes orders for the call looked at.

const AGAIN_MS = [500, 1000, 2000, 4000, 8000]; // after a lost socket
const REALLY_MS = 4000; // how long "End the call" waits to be meant
const ANSWERED_MS = 15_000; // how long the server may take to say what came of an order: longer than it ever waits
const NOT_ALLOWED = 4003;
const SPEAKS = { agent: "the agent speaks", caller: "the caller speaks" };
const STATES = { running: "runs", ok: "done", refused: "refused", failed: "failed", timed_out: "took too long" };
const OBEYED = {
  end: "The desk ended the call",
  note: "The desk told the agent something",
  say: "The desk had something said",
  message: "The desk had a message taken",
};
const ORDERS = { end: "End the call", note: "Tell the agent", say: "Have it said", message: "Take a message" };
const UNHEARD = "The server did not answer: the call may not have heard this. Send it again?";
const UNREACHED = "This page lost the server, and tries again. What it shows may be old; calls go on.";
const STALE = "Live news do not arrive just now. The page looks every few seconds; calls go on.";
const OUT = "You may not watch the line any longer. Load this page again to log in.";

const page = document.getElementById("live");
const find = (name) => page.querySelector(`[data-part="${name}"]`);
const [notice, list, nobody, pane, lines] = ["notice", "calls", "nobody", "call", "lines"].map(find);
const [title, about, link, form, words, answers, endWords] = [
  "title", "about", "page", "orders", "words", "answers", "end-words",
].map(find);

const calls = new Map(); // public id → what is known of the call, with its card
let opened = ""; // the call that is looked at
let said = new Map(); // key → line of its conversation
let socket = null;
let losses = 0;
let offset = 0; // the server's clock less ours, in ms
let meant = null;
let given = []; // orders: what is sent, and what came of it

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(`${scheme}//${location.host}${page.dataset.socket}`);
  socket.onopen = () => opened && look(opened);
  socket.onmessage = ({ data }) => heed(JSON.parse(data));
  socket.onclose = ({ code }) => {
    if (code === NOT_ALLOWED) return void (notice.textContent = OUT);
    notice.textContent = UNREACHED;
    setTimeout(connect, AGAIN_MS[Math.min(losses++, AGAIN_MS.length - 1)]);
  };
}

function heed(message) {
  if (message.kind === "line") line(message);
  else if (message.kind === "conversation") conversation(message);
  else message.news.forEach(heedOne);
}

// The line as the database has it: what is not in it is over.
function line({ calls: rows, stale, now }) {
  notice.textContent = stale ? STALE : "";
  if (!rows) return;
  losses = 0;
  offset = Date.parse(now) - Date.now();
  const there = new Set(rows.map(({ id }) => id));
  for (const id of [...calls.keys()]) if (!there.has(id)) end(id);
  rows.forEach((row) => show(row));
  count();
}

function heedOne(told) {
  if (told.kind === "row") {
    show(told.row);
    return count();
  }
  if (told.kind === "ended") return end(told.call);
  const call = calls.get(told.call);
  if (!call) return;
  if (told.kind === "speaking") call.speaking = told.who;
  if (told.kind === "said") call.row.last = { by: told.by, text: told.text };
  draw(call);
  if (told.call !== opened) return;
  if (told.kind === "speaking") head(call);
  else put(told);
}

function show(row) {
  const call = calls.get(row.id) ?? { card: card(row.id), speaking: "" };
  const last = row.last ?? call.row?.last;
  call.row = { ...row, last };
  if (!calls.has(row.id)) {
    calls.set(row.id, call);
    list.prepend(call.card);
  }
  draw(call);
  if (row.id === opened) head(call);
}

function end(id) {
  const call = calls.get(id);
  if (!call) return;
  calls.delete(id);
  call.card.remove();
  if (id === opened) {
    about.textContent = "This call is over.";
    pane.dataset.speaking = "";
    enable();
  }
  count();
}

function count() {
  nobody.hidden = calls.size > 0;
  nobody.textContent = "Nobody is on the line.";
}

// The list

function card(id) {
  const item = document.createElement("li");
  const button = element("button", "live-card bg-white border border-base-200 p-4 rounded-default shadow-xs dark:bg-base-900 dark:border-base-800");
  button.type = "button";
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => open(id));
  item.append(button);
  return item;
}

function draw(call) {
  const { row, card: item, speaking } = call;
  item.dataset.speaking = speaking;
  const button = item.firstChild;
  const top = element("span", "live-row");
  top.append(element("span", "live-lamp"), element("span", "font-semibold text-important", row.customer));
  if (row.parcel) top.append(element("span", "text-important", row.parcel));
  const clock = element("span", "ml-auto tabular-nums text-important", row.runs ? since(row.began) : row.status);
  clock.dataset.clock = "";
  call.clock = clock;
  top.append(clock);
  const tags = element("span", "live-row text-subtle");
  tags.append(element("span", "live-tag", row.way), element("span", "live-tag", row.level));
  tags.append(element("span", "", SPEAKS[speaking] ?? ""));
  button.replaceChildren(top, tags);
  if (row.last) button.append(element("span", "live-words text-subtle", `${name(row.last.by)}: ${row.last.text}`));
  button.setAttribute("aria-pressed", String(row.id === opened));
}

function since(began) {
  const seconds = Math.max(0, Math.floor((Date.now() + offset - Date.parse(began)) / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

// The call that is looked at

function open(id) {
  opened = id;
  said = new Map();
  lines.replaceChildren();
  pane.hidden = false;
  if (words) words.value = "";
  enable();
  calls.forEach(draw);
  head(calls.get(id));
  look(id);
  if (matchMedia("(max-width: 1023px)").matches) pane.scrollIntoView({ block: "start" });
}

function look(id) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ open: id }));
}

function head({ row, speaking }) {
  pane.dataset.speaking = speaking;
  title.textContent = row.customer;
  const parts = [row.parcel, row.way, `trusted to ${row.level}`, SPEAKS[speaking]];
  about.textContent = parts.filter(Boolean).join(" · ");
  link.href = row.page;
}

// What was kept of the conversation; what is newer than that stays.
function conversation({ call, lines: kept }) {
  // The database may be a second behind: what it says of a turn that goes on may be less than we have seen.
  const behind = (told) => said.get(told.key)?.told.text?.startsWith(told.text ?? " ") && !told.cut;
  if (call === opened) kept.filter((told) => !behind(told)).forEach(put);
}

function put(told) {
  const before = said.get(told.key);
  if (before && before.told.state && before.told.state !== "running" && told.state === "running") return;
  const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
  const item = spoken(told) ?? done(told);
  said.set(told.key, { told, item });
  if (before) before.item.replaceWith(item);
  else {
    const after = [...said.values()].find((one) => one.item !== item && one.told.at_ms > told.at_ms);
    if (after) after.item.before(item);
    else lines.append(item);
  }
  if (atEnd) lines.scrollTop = lines.scrollHeight;
}

function spoken(told) {
  if (told.kind !== "said") return null;
  const item = element("li", `live-line live-${told.by}`);
  item.append(element("small", "", `${name(told.by)} · ${moment(told.at_ms)}${told.cut ? " · was interrupted" : ""}`));
  item.append(element("span", "", told.text));
  return item;
}

function done(told) {
  if (told.kind === "obeyed") return element("li", "live-line live-done", OBEYED[told.order] ?? told.order);
  const what = told.name.replaceAll("_", " ");
  const took = told.took_ms === undefined ? "" : ` in ${told.took_ms} ms`;
  const item = element("li", "live-line live-done", `${what}: ${STATES[told.state] ?? told.state}${took}`);
  if (told.answer) item.append(element("small", "", told.answer));
  return item;
}

function moment(ms) {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function name(by) {
  return by === "agent" ? "Agent" : "Caller";
}

// Orders

function order(kind) {
  const wish = new FormData(form);
  wish.set("order", kind);
  wish.set("call", opened);
  wish.set("words", words?.value ?? "");
  const isSame = (one) => ["order", "call", "words"].every((name) => one.wish.get(name) === wish.get(name));
  const before = given.find((one) => (one.waits || one.again) && isSame(one));
  if (before?.waits) return; // pressed twice
  if (before) return send(before);
  wish.set("id", anId());
  const one = { wish };
  given = [...given.filter(({ waits, again }) => waits || again), one];
  send(one);
}

// By the id that it has: a call that took it before does not act again.
async function send(one) {
  Object.assign(one, { waits: true, again: false, text: "Sent…" });
  showAnswers();
  Object.assign(one, await answerTo(one.wish), { waits: false });
  if (one.done && one.wish.get("call") === opened && words?.value === one.wish.get("words")) words.value = "";
  showAnswers();
}

async function answerTo(wish) {
  try {
    const signal = AbortSignal.timeout(ANSWERED_MS);
    const response = await fetch(page.dataset.orders, { method: "POST", body: wish, signal });
    if (response.status >= 500) return { text: UNHEARD, again: true };
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    const { done, unconfirmed, error } = isJson ? await response.json() : {};
    const refused = `The server refused that (${response.status}). Load this page again.`;
    return { text: done ?? unconfirmed ?? error ?? refused, done, again: Boolean(unconfirmed) };
  } catch {
    return { text: UNHEARD, again: true };
  }
}

function showAnswers() {
  const ours = given.filter(({ wish }) => wish.get("call") === opened);
  answers?.replaceChildren(...ours.map(answerOf));
}

function answerOf(one) {
  const item = element("p", "live-row", `${ORDERS[one.wish.get("order")]} · ${one.text}`);
  if (one.again && calls.has(opened)) {
    const button = element("button", "live-button", "Send it again");
    button.type = "button";
    button.addEventListener("click", () => send(one));
    item.append(button);
  }
  return item;
}

// Not by randomUUID, which a page has over https alone.
function anId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function press(event) {
  const kind = event.target.closest("[data-order]")?.dataset.order;
  if (!kind) return;
  if (kind !== "end") return order(kind);
  if (meant) {
    relent();
    return order("end");
  }
  endWords.textContent = "Press again to end it";
  meant = setTimeout(relent, REALLY_MS);
}

function relent() {
  clearTimeout(meant);
  meant = null;
  if (endWords) endWords.textContent = "End the call";
}

function enable() {
  relent();
  form?.querySelectorAll("[data-order], textarea").forEach((part) => (part.disabled = !calls.has(opened)));
  showAnswers();
}

function element(tag, classes, text = "") {
  const made = document.createElement(tag);
  made.className = classes;
  made.textContent = text;
  return made;
}

form?.addEventListener("click", press);
form?.addEventListener("submit", (event) => event.preventDefault());
setInterval(() => {
  for (const { row, clock } of calls.values()) if (row.runs && clock) clock.textContent = since(row.began);
}, 1000);
connect();
