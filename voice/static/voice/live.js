// Shows the line as it runs: calls, who speaks, what is said and done, and takes orders for the call looked at.

const AGAIN_MS = [500, 1000, 2000, 4000, 8000]; // after a lost socket
const REALLY_MS = 4000; // how long "End the call" waits to be meant
const NOT_ALLOWED = 4003;
const SPEAKS = { agent: "the agent speaks", caller: "the caller speaks" };
const STATES = { running: "runs", ok: "done", refused: "refused", failed: "failed", timed_out: "took too long" };
const OBEYED = {
  end: "The desk ended the call",
  note: "The desk told the agent something",
  say: "The desk had something said",
  message: "The desk had a message taken",
};
const UNREACHED = "This page lost the server, and tries again. What it shows may be old; calls go on.";
const STALE = "Live news do not arrive just now. The page looks every few seconds; calls go on.";
const OUT = "You may not watch the line any longer. Load this page again to log in.";

const page = document.getElementById("live");
const find = (name) => page.querySelector(`[data-part="${name}"]`);
const [notice, list, nobody, pane, lines] = ["notice", "calls", "nobody", "call", "lines"].map(find);
const [title, about, link, form, words, answer, endWords] = [
  "title", "about", "page", "orders", "words", "answer", "end-words",
].map(find);

const calls = new Map(); // public id → what is known of the call, with its card
let opened = ""; // the call that is looked at
let said = new Map(); // key → line of its conversation
let socket = null;
let losses = 0;
let offset = 0; // the server's clock less ours, in ms
let meant = null;

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
    enable(false);
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
  if (answer) answer.textContent = "";
  if (words) words.value = "";
  enable(true);
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

async function order(kind) {
  const call = opened;
  const wish = new FormData(form);
  wish.set("order", kind);
  wish.set("call", opened);
  wish.set("words", words?.value ?? "");
  answer.textContent = "…";
  try {
    const response = await fetch(page.dataset.orders, { method: "POST", body: wish });
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    const told = isJson ? await response.json() : {};
    if (call !== opened) return;
    answer.textContent = told.done ?? told.error ?? `The server refused that (${response.status}). Load this page again.`;
    if (told.done && words) words.value = "";
  } catch {
    answer.textContent = "The server cannot be reached. Nothing was done.";
  }
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

function enable(on) {
  relent();
  form?.querySelectorAll("button, textarea").forEach((part) => (part.disabled = !on));
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
