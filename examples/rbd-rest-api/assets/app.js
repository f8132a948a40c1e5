// The page: what the address' hash names is asked of the API and shown.
//
// Whatever comes from the cluster goes in as text (`h`), never as markup.

const API = new URL("api/v1/", document.baseURI);
/** Rows of a page of images. */
const PAGE = 100;
/** Names asked for at once. */
const CHUNK = 1000;
/** The longest that an answer is waited for. */
const PATIENCE = 60_000;
/** Streams of events at once: browsers open only six connections to a server. */
const STREAMS = 2;
const POLL = 1000;
const TOKEN = "rbd-rest-api-token";
const TRASH_DELAYS = [["0", "No set time"], ["86400", "1 day"], ["604800", "7 days"], ["2592000", "30 days"]];
const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB"];
/** The features that an image may be made with, and what each needs. */
const FEATURES = [
  ["layering"],
  ["exclusive-lock"],
  ["object-map", "exclusive-lock"],
  ["fast-diff", "object-map"],
  ["deep-flatten"],
  ["journaling", "exclusive-lock"],
];

const byId = (id) => document.getElementById(id);

/** An element with attributes, listeners (`onclick`) and children; texts are texts. */
function h(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => (child ?? false) !== false));
  return element;
}

// --- The API --------------------------------------------------------------------------------------

/** Why something failed: a problem document, or what there is instead of one. */
class Problem extends Error {
  constructor(document, request, id) {
    super(document.detail ?? document.title);
    this.document = document;
    this.request = request;
    this.id = id;
    this.when = new Date();
  }
}

const path = (...parts) => parts.map(encodeURIComponent).join("/");

/** Asks, with the token; asks for another token if that one is not known. */
async function ask(method, where, { query, body, headers, signal, accept } = {}) {
  const url = new URL(where, API);
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== "") url.searchParams.set(key, value);
  }
  const request = `${method} ${url.pathname}${url.search}`;
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const all = { accept: accept ?? "application/json", ...headers };
    if (token) all.authorization = `Bearer ${token}`;
    if (body !== undefined) all["content-type"] = "application/json";
    let answer;
    try {
      answer = await fetch(url, {
        method,
        headers: all,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: accept ? signal : AbortSignal.any([AbortSignal.timeout(PATIENCE), ...(signal ? [signal] : [])]),
        cache: "no-store",
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      const detail = error.name === "TimeoutError" ? `no answer within ${PATIENCE / 1000} s` : `no connection (${error.message})`;
      throw new Problem({ title: "The service does not answer", detail }, request);
    }
    if (answer.ok) return answer;
    const problem = await problemOf(answer, request);
    if (answer.status !== 401) throw problem;
    if (sessionStorage.getItem(TOKEN) === token) await askForToken(problem, token);
    signal?.throwIfAborted();
  }
}

async function problemOf(answer, request) {
  const id = answer.headers.get("x-request-id") ?? undefined;
  const text = await answer.text().catch(() => "");
  try {
    const document = JSON.parse(text);
    if (document && typeof document.title === "string") return new Problem(document, request, id);
  } catch {
    // Not the service's own answer, but that of something before it.
  }
  return new Problem({ title: answer.statusText || "An error", status: answer.status, detail: text.slice(0, 500) }, request, id);
}

const get = async (where, options) => (await ask("GET", where, options)).json();

/** What the answer has, if it has something. */
async function send(method, where, options) {
  const text = await (await ask(method, where, options)).text();
  return text ? JSON.parse(text) : undefined;
}

/** All items of a list, page by page; `first` is told the first page and whether it is all. */
async function all(where, query, signal, first) {
  const items = [];
  for (let next; ; ) {
    const list = await get(where, { query: { ...query, continue: next }, signal });
    items.push(...list.Items);
    const begun = next !== undefined;
    next = list.Continue;
    if (!begun) first?.(items, !next);
    if (!next) return items;
  }
}

let tokenAsked;

/** Asks for a token, once for all requests that lack one. */
function askForToken(problem, refused) {
  tokenAsked ??= new Promise((resolve, reject) => {
    const token = field("Token", { type: "password", name: "token", required: true, autocomplete: "off", spellcheck: "false" }, "It is kept until this tab is closed.");
    openDialog({
      id: "token-dialog",
      title: "A token is needed",
      body: [h("p", {}, refused ? "The service does not know the token." : "The service lets only those in who have a token."), token.node],
      submit: "Go on",
      run: () => {
        sessionStorage.setItem(TOKEN, token.value().trim());
        showTools();
        resolve();
      },
      closed: () => reject(problem),
    });
  }).finally(() => (tokenAsked = undefined));
  return tokenAsked;
}

function showTools() {
  byId("forget").hidden = sessionStorage.getItem(TOKEN) === null;
}

// --- Words ----------------------------------------------------------------------------------------

const count = new Intl.NumberFormat("en");
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const absolute = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

function sizeText(bytes) {
  let number = bytes;
  let unit = "B";
  for (const next of UNITS) {
    if (number < 1024) break;
    number /= 1024;
    unit = next;
  }
  const digits = unit === "B" || number >= 100 ? 0 : number >= 10 ? 1 : 2;
  return `${Number(number.toFixed(digits))} ${unit}`;
}

const size = (bytes) => h("span", { class: "nowrap", title: `${count.format(bytes)} bytes` }, sizeText(bytes));

/** When a text says: RFC 3339, or C's ctime as `rbd info` has it, which is the service's time, taken for UTC. */
function dateOf(text) {
  const ctime = /^\w{3} (\w{3}) +(\d+) (\d\d:\d\d:\d\d) (\d{4})$/.exec(text);
  const date = new Date(ctime ? `${ctime[2]} ${ctime[1]} ${ctime[4]} ${ctime[3]} UTC` : text);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function agoText(date) {
  const seconds = (date - Date.now()) / 1000;
  const steps = [["year", 31_557_600], ["month", 2_629_800], ["day", 86_400], ["hour", 3600], ["minute", 60]];
  for (const [unit, length] of steps) {
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
  }
  return Math.abs(seconds) < 10 ? "just now" : relative.format(Math.trunc(seconds), "second");
}

function ago(text) {
  const date = text ? dateOf(text) : undefined;
  if (!date) return text || "–";
  return h("time", { class: "nowrap", datetime: date.toISOString(), title: absolute.format(date) }, agoText(date));
}

setInterval(() => {
  for (const time of document.querySelectorAll("time")) time.textContent = agoText(new Date(time.dateTime));
}, 30_000);

const wordsOf = (name) => name.replaceAll("_", " ").replace(/^./, (c) => c.toUpperCase());

/** A bar: `parts` are [class, share of the whole]. The figures beside it say the same. */
function gauge(figures, parts, title) {
  const track = h("span", { class: "track", "aria-hidden": "true" });
  for (const [kind, share] of parts) {
    const part = h("span", { class: share > 0 ? `${kind} some` : kind });
    part.style.width = `${100 * Math.min(1, Math.max(0, share || 0))}%`;
    track.append(part);
  }
  return h("span", { class: "gauge", title }, h("span", { class: "figures" }, figures.map((text) => h("span", {}, text))), track);
}

const percent = (share) => (share > 0 && share < 0.01 ? "<1 %" : `${Math.floor(100 * share)} %`);

/** What an image takes: itself and its snapshots, of its size. */
function usageGauge({ provisioned_bytes, used_bytes, total_used_bytes }) {
  const snapshots = total_used_bytes - used_bytes;
  const whole = Math.max(provisioned_bytes, total_used_bytes) || 1;
  const title = `The image has ${count.format(used_bytes)} bytes of its own, its snapshots ${count.format(snapshots)}; its size is ${count.format(provisioned_bytes)}`;
  return gauge(
    [`${sizeText(total_used_bytes)} of ${sizeText(provisioned_bytes)}`, percent(total_used_bytes / (provisioned_bytes || 1))],
    [["used", used_bytes / whole], ["snapshots", snapshots / whole]],
    title,
  );
}

// --- Problems, notices, dialogs -------------------------------------------------------------------

function problemNode(problem, level, ...buttons) {
  const { title, detail, status, errno, errno_name } = problem.document ?? { title: "A fault of this page", detail: String(problem) };
  const facts = [
    status && `HTTP ${status}`,
    errno !== undefined && `errno ${errno}${errno_name ? ` ${errno_name}` : ""}`,
    problem.request,
    problem.id && `request ${problem.id}`,
    problem.when && problem.when.toLocaleTimeString("en-GB"),
  ];
  return h(
    "section",
    { class: "problem" },
    h(level, {}, title),
    detail && detail !== title && h("p", { class: "detail" }, detail),
    h("p", { class: "facts-line" }, facts.filter(Boolean).map((fact) => h("span", {}, fact))),
    buttons.length > 0 && h("div", { class: "actions" }, buttons),
  );
}

/** Shows what failed, until it is dismissed. */
function complain(problem) {
  if (problem.name === "AbortError") return;
  const dismiss = h("button", { type: "button", class: "slim", onclick: () => node.remove() }, "Dismiss");
  const node = problemNode(problem, "h2", dismiss);
  byId("problems").append(node);
}

function notify(text) {
  byId("notice").textContent = text;
}

let fields = 0;

/** A labelled input or, with options, a select. */
function field(label, attributes, hint, options) {
  const id = `field-${++fields}`;
  const input = h(options ? "select" : "input", { id, "aria-describedby": hint && `${id}-hint`, ...attributes });
  for (const [value, text] of options ?? []) input.append(h("option", { value }, text));
  const node = h("div", { class: "labelled" }, h("span", {}, h("label", { for: id }, label)), input, hint && h("span", { class: "hint", id: `${id}-hint` }, hint));
  return { node, input, value: () => input.value };
}

const nameField = (value, label = "Name") =>
  field(label, { name: "name", value, required: true, maxlength: 200, pattern: "[^\\/@]+", title: "without / and @", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });

/** A size with its unit; its value is a quantity of Kubernetes. */
function sizeField(label, value, unit, hint) {
  const number = field(label, { name: "size", type: "number", value, min: 0, step: "any", required: true, inputmode: "decimal" }, hint);
  const units = h("select", { name: "unit", "aria-label": "Unit" });
  for (const name of UNITS) units.append(h("option", { value: name.slice(0, -1), selected: name === unit }, name));
  const pair = h("div", { class: "pair" });
  number.input.replaceWith(pair);
  pair.append(number.input, units);
  const bytes = () => Number(number.input.value) * 1024 ** (units.selectedIndex + 1);
  return { node: number.node, input: number.input, units, value: () => `${Number(number.input.value).toFixed(9).replace(/\.?0+$/, "")}${units.value}`, bytes };
}

/** Some of several, or one of several. `choices` are [value, text, hint]. */
function choose(legend, type, name, choices, chosen) {
  const inputs = choices.map(([value]) => h("input", { type, name, value, id: `field-${++fields}`, checked: chosen.includes(value) }));
  const node = h(
    "fieldset",
    {},
    h("legend", {}, legend),
    choices.map(([, text, hint], n) => h("div", { class: "choice" }, inputs[n], h("label", { for: inputs[n].id }, text, hint && h("span", { class: "hint" }, hint)))),
  );
  return { node, inputs, values: () => inputs.filter((input) => input.checked).map((input) => input.value) };
}

/** What is typed must be this. */
function confirmation(text) {
  const typed = field("To confirm, type its name", { name: "confirmation", required: true, autocomplete: "off", autocapitalize: "off", spellcheck: "false" }, text);
  const check = () => typed.input.setCustomValidity(typed.value() === text ? "" : `This is not ${text}`);
  typed.input.addEventListener("input", check);
  check();
  return typed;
}

/** Opens a dialog; `run` does what it is for, and what that throws is shown in it. */
function openDialog({ id, title, body, submit, danger, run, closed }) {
  const titleId = `dialog-${++fields}`;
  const problems = h("div", { role: "alert" });
  const go = h("button", { type: "submit", class: danger ? "danger primary" : "primary" }, submit);
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id: titleId }, title),
    body,
    problems,
    h("div", { class: "end" }, h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), go),
  );
  const dialog = h("dialog", { id, "aria-labelledby": titleId }, form);
  const opener = document.activeElement?.id;
  let busy = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    go.setAttribute("aria-disabled", "true");
    problems.replaceChildren();
    try {
      await run();
      dialog.close();
    } catch (problem) {
      problems.replaceChildren(problemNode(problem, "h3"));
      problems.scrollIntoView({ block: "nearest" });
    }
    busy = false;
    go.removeAttribute("aria-disabled");
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    // What opened it may have been drawn anew meanwhile.
    if (document.activeElement === document.body && opener) byId(opener)?.focus();
    closed?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  form.querySelector("input, select")?.focus();
}

const button = (id, text, onclick, kind) => h("button", { type: "button", id, class: kind, onclick }, text);

// --- Operations -----------------------------------------------------------------------------------

/** The operations that are watched, by id: the newest state, and who wants to know. */
const watched = new Map();
let streams = 0;

const ended = (operation) => operation.state !== "running";

function news(operation) {
  const entry = watched.get(operation.id);
  if (!entry || ended(entry.operation)) return;
  entry.operation = operation;
  for (const tell of entry.tell) tell(operation);
  showRunning();
  if (!ended(operation)) return;
  if (operation.state === "succeeded") notify(`${wordsOf(operation.kind)} ${operation.subject}: done.`);
  // The outcome of what is done is to be seen behind it.
  if (!document.querySelector("dialog[open]")) show({ again: true });
}

function showRunning() {
  const running = [...watched.values()].filter((entry) => !ended(entry.operation)).length;
  byId("running").textContent = running;
  byId("running").hidden = running === 0;
}

/** Follows an operation to its end: by its events, else by asking again and again. */
async function follow(operation) {
  if (watched.has(operation.id)) return;
  const entry = { operation, tell: new Set() };
  watched.set(operation.id, entry);
  byId("strip").append(operationCard(operation));
  showRunning();
  const where = path("operations", operation.id);
  if (streams < STREAMS) {
    streams += 1;
    try {
      await readEvents(where, news);
    } catch {
      // Polling tells what is wrong, if it still is.
    }
    streams -= 1;
  }
  for (let failures = 0; !ended(entry.operation); ) {
    try {
      news(await get(where));
      failures = 0;
    } catch (problem) {
      failures += 1;
      if (failures < 10 && problem.document?.status !== 404) continue;
      complain(problem);
      news({ ...entry.operation, state: "unknown" });
    } finally {
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
  }
}

/** Server-sent events by `fetch`, since an EventSource sends no token. */
async function readEvents(where, tell) {
  const answer = await ask("GET", `${where}/events`, { accept: "text/event-stream" });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split(/\r?\n\r?\n/);
    rest = events.pop();
    for (const event of events) {
      const lines = event.split(/\r?\n/).filter((line) => line.startsWith("data:"));
      if (lines.length > 0) tell(JSON.parse(lines.map((line) => line.slice(5)).join("\n")));
    }
  }
}

const STATES = { running: "", succeeded: "good", failed: "bad", canceled: "warn", unknown: "warn" };

/** How an operation is, kept up to date: its progress and its state in words. */
function progressOf(operation) {
  const bar = h("progress", { max: 1, "aria-label": `${wordsOf(operation.kind)} ${operation.subject}` });
  const words = h("span", { class: "nowrap" });
  const draw = ({ state, done, total }) => {
    bar.hidden = state !== "running";
    if (total > 0) bar.value = done / total;
    const far = total > 0 ? `${Math.floor((100 * done) / total)} %` : "running";
    words.replaceChildren(state === "running" ? far : h("span", { class: `mark ${STATES[state] ?? ""}` }, state));
  };
  draw(operation);
  watched.get(operation.id)?.tell.add(draw);
  return { bar, words };
}

async function cancel(id) {
  try {
    await send("DELETE", path("operations", id));
  } catch (problem) {
    complain(problem);
  }
}

/** An operation in the strip above every view; failed ones stay until they are dismissed. */
function operationCard(operation) {
  const { bar, words } = progressOf(operation);
  const stop = h("button", { type: "button", class: "slim", onclick: () => cancel(operation.id) }, "Cancel");
  const line = h("div", { class: "line" }, h("span", { class: "what" }, h("strong", {}, wordsOf(operation.kind)), ` ${operation.subject}`), words, stop);
  const card = h("div", { class: "operation", "data-operation": operation.id }, line, bar);
  watched.get(operation.id).tell.add((now) => {
    if (!ended(now)) return;
    if (now.state === "succeeded") return card.remove();
    stop.replaceWith(h("button", { type: "button", class: "slim", onclick: () => card.remove() }, "Dismiss"));
    if (now.problem) card.append(problemNode(new Problem(now.problem), "h3"));
  });
  return card;
}

/** Starts what may go on after the answer. */
async function start(method, where, options) {
  const operation = await send(method, where, options);
  if (operation?.state) void follow(operation);
}

// --- Things that are asked for when they are seen -------------------------------------------------

const waiting = [];
let asking = 0;

/** Runs tasks, few at once. */
function later(task) {
  waiting.push(task);
  const next = async () => {
    if (asking >= 4 || waiting.length === 0) return;
    asking += 1;
    try {
      await waiting.shift()();
    } finally {
      asking -= 1;
      void next();
    }
  };
  void next();
}

const tasks = new WeakMap();
const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      later(tasks.get(target));
    }
  },
  { rootMargin: "100px" },
);

/** Runs a task when the element comes into sight, unless the view is gone by then. */
function whenSeen(element, signal, task, failed) {
  tasks.set(element, async () => {
    if (signal.aborted) return;
    try {
      await task();
    } catch (problem) {
      if (!signal.aborted) failed(problem);
    }
  });
  observer.observe(element);
}

/** What a cell shows that could not be filled. */
const unavailable = (problem) => h("span", { class: "mark warn", title: problem.message }, problem.document?.title ?? "failed");

/** A table whose rows stay rows for screen readers when they look like cards. `columns` are [title, class]. */
function table(label, columns, rows) {
  const head = columns.map(([title, kind]) => h("th", { class: kind, scope: "col", role: "columnheader" }, title || h("span", { class: "unseen" }, "Actions")));
  const body = h("tbody", { role: "rowgroup" }, rows);
  return h("table", { role: "table", "aria-label": label }, h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)), body);
}

/** A row: the first cell is its head. */
function row(columns, cells) {
  const nodes = cells.map((cell, n) => {
    const [title, kind] = columns[n];
    const content = cell ?? h("span", { class: "pending" }, "…");
    if (n === 0) return h("th", { class: kind, scope: "row", role: "rowheader" }, content);
    return h("td", { class: kind, role: "cell", "data-label": title || undefined }, content);
  });
  return h("tr", { role: "row" }, nodes);
}

const fill = (tr, n, ...content) => tr.children[n].replaceChildren(...content);

// --- Views ----------------------------------------------------------------------------------------

/** The address of a view. */
function address(parts, query = {}) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
  return `#/${path(...parts)}${search.size > 0 ? `?${search}` : ""}`;
}

const imageAddress = (place, image) => address(["pools", place.pool, "images", image], { namespace: place.namespace });
const poolAddress = (place, trash) => address(["pools", place.pool, ...(trash ? ["trash"] : [])], { namespace: place.namespace });
const imagesPath = (place, ...rest) => path("pools", place.pool, "images", ...rest);
const inPlace = (place, query) => ({ ...query, namespace: place.namespace });

const crumbs = (...items) =>
  h("nav", { class: "crumbs", "aria-label": "Where this is" }, items.flatMap(([text, href], n) => [n > 0 && h("span", { "aria-hidden": "true" }, "/"), href ? h("a", { href }, text) : h("span", {}, text)]));

const heading = (text) => h("h1", { tabindex: "-1" }, text);

function empty(title, text, ...more) {
  return h("div", { class: "panel empty" }, h("h2", {}, title), text && h("p", { class: "muted" }, text), more);
}

function filterField(label, value, changed) {
  const filter = field(label, { type: "search", id: "filter", value, placeholder: "Part of the name; press /", autocomplete: "off", spellcheck: "false" });
  filter.node.classList.add("grow");
  filter.node.querySelector("label").htmlFor = "filter";
  filter.input.addEventListener("input", () => changed(filter.value()));
  filter.input.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || filter.value() === "") return;
    event.preventDefault();
    filter.input.value = "";
    changed("");
  });
  return filter.node;
}

const POOL_COLUMNS = [["Pool", "name"], ["Images", "number"], ["Snapshots", "number"], ["Used"], ["Provisioned"], ["Available", "number"]];

const POOL_TITLES = {
  used: "Raw space that the pool uses, copies counted, of that and what is free in the cluster",
  provisioned: "The sizes of all images together, beside the raw space that the pool uses and what is free",
};

function poolGauges(pool) {
  const space = pool.used_bytes + pool.cluster_available_bytes;
  const used = pool.used_bytes / space;
  const provisioned = pool.provisioned_bytes / space;
  return [
    gauge([sizeText(pool.used_bytes), percent(used)], [["used", used]], POOL_TITLES.used),
    gauge([sizeText(pool.provisioned_bytes), percent(provisioned)], [[provisioned > 1 ? "over" : "provisioned", provisioned]], POOL_TITLES.provisioned),
  ];
}

async function poolsView(_parts, query, signal) {
  const pools = await all("pools", {}, signal);
  const head = h("div", { class: "head" }, heading("Pools"), h("div", { class: "actions" }, button("create-pool", "Create pool", createPool)));
  if (pools.length === 0) return ["Pools", head, empty("There are no pools", "A pool is where images are kept.")];
  const body = h("div", { class: "panel" });
  const draw = (filter) => {
    const shown = pools.filter(({ name }) => name.toLowerCase().includes(filter.toLowerCase()));
    const rows = shown.map(({ name }) => {
      const tr = row(POOL_COLUMNS, [h("a", { href: address(["pools", name]) }, name), null, null, null, null, null]);
      whenSeen(
        tr,
        signal,
        async () => {
          const pool = await get(path("pools", name), { signal });
          const [used, provisioned] = poolGauges(pool);
          [count.format(pool.images), count.format(pool.snapshots), used, provisioned, size(pool.cluster_available_bytes)].forEach((cell, n) => fill(tr, n + 1, cell));
        },
        (problem) => [unavailable(problem), "", "", "", ""].forEach((cell, n) => fill(tr, n + 1, cell)),
      );
      return tr;
    });
    body.replaceChildren(rows.length > 0 ? table("Pools", POOL_COLUMNS, rows) : h("p", { class: "empty muted" }, "No pool's name has this in it."));
  };
  const filter = filterField("Filter", query.get("filter") ?? "", (value) => {
    remember(["pools"], { filter: value });
    draw(value);
  });
  draw(query.get("filter") ?? "");
  return ["Pools", head, pools.length > 8 && h("div", { class: "bar-of-tools" }, filter), body];
}

function createPool() {
  const name = nameField();
  openDialog({
    title: "Create pool",
    body: name.node,
    submit: "Create",
    run: async () => {
      const pool = await send("POST", "pools", { body: { name: name.value() } });
      go(address(["pools", pool.name]), `The pool ${pool.name} is there.`);
    },
  });
}

/** What a pool's views have in common: where it is, its figures, its tabs. */
function poolHead(place, trash, signal, actions) {
  const figures = h("p", { class: "muted" }, "…");
  const inTrash = h("span", {});
  whenSeen(
    figures,
    signal,
    async () => {
      const pool = await get(path("pools", place.pool), { signal });
      figures.replaceChildren(
        `${count.format(pool.images)} ${pool.images === 1 ? "image" : "images"}, `,
        size(pool.provisioned_bytes),
        " provisioned, ",
        size(pool.used_bytes),
        " used, ",
        size(pool.cluster_available_bytes),
        " available",
      );
      if (pool.trash_images > 0) inTrash.replaceChildren(" ", h("span", { class: "badge" }, count.format(pool.trash_images)));
    },
    (problem) => figures.replaceChildren(unavailable(problem)),
  );
  const tab = (text, inside, href, current) => h("a", { href, "aria-current": current && "page" }, text, inside);
  return [
    crumbs(["Pools", "#/"], [place.pool, place.namespace && address(["pools", place.pool])], ...(place.namespace ? [[place.namespace]] : [])),
    h("div", { class: "head" }, h("div", {}, heading(place.namespace ? `${place.pool}/${place.namespace}` : place.pool), figures), h("div", { class: "actions" }, actions)),
    h("nav", { class: "tabs", "aria-label": "Of this pool" }, tab("Images", null, poolAddress(place), !trash), tab("Trash", inTrash, poolAddress(place, true), trash)),
  ];
}

/** The choice of a namespace, if the pool has some. */
async function namespaceField(place, trash, signal) {
  let names;
  try {
    names = (await all(path("pools", place.pool, "namespaces"), {}, signal)).map(({ name }) => name);
  } catch (problem) {
    if (signal.aborted || !place.namespace) throw problem;
    names = [];
  }
  if (place.namespace && !names.includes(place.namespace)) names.push(place.namespace);
  if (names.length === 0) return null;
  const namespace = field("Namespace", { id: "namespace" }, undefined, [["", "(default)"], ...names.map((name) => [name, name])]);
  namespace.node.querySelector("label").htmlFor = "namespace";
  namespace.input.value = place.namespace;
  namespace.input.addEventListener("change", () => go(poolAddress({ pool: place.pool, namespace: namespace.value() }, trash)));
  return namespace.node;
}

const IMAGE_COLUMNS = [["Image", "name"], ["Size", "number"], ["Used"], ["Snapshots", "number"], ["Features", "features"], ["Created"]];

/** An image in the list: its name, and once it is in sight all else. What was asked for is kept in `known`. */
function imageRow(place, image, known, signal) {
  const { name } = image;
  const tr = row(IMAGE_COLUMNS, [h("a", { href: imageAddress(place, name) }, name), null, null, null, null, null]);
  const query = inPlace(place);
  const look = async () => {
    const entry = known.get(name) ?? {};
    known.set(name, entry);
    entry.image ??= await get(imagesPath(place, name), { query, signal });
    const { size: bytes, snapshot_count, features, create_timestamp } = entry.image;
    fill(tr, 1, size(bytes));
    fill(tr, 3, count.format(snapshot_count));
    fill(tr, 4, featureList(features));
    fill(tr, 5, ago(create_timestamp));
    entry.usage ??= await get(imagesPath(place, name, "usage"), { query, signal });
    fill(tr, 2, usageGauge(entry.usage));
  };
  whenSeen(tr, signal, look, (problem) => {
    for (const cell of tr.querySelectorAll(".pending")) cell.replaceWith("–");
    const here = where(place, name);
    const removed = [...watched.values()].some(({ operation }) => operation.kind === "remove_image" && operation.subject === here);
    tr.firstChild.append(" ", removed ? h("span", { class: "mark" }, "being removed") : unavailable(problem));
  });
  return tr;
}

/** Features; a line ends between them only. */
function featureList(features) {
  if (!features?.length) return "none";
  const last = features.length - 1;
  return h("span", {}, features.map((feature, n) => [h("span", { class: "nowrap" }, n < last ? `${feature},` : feature), " "]));
}

/** Which rows are shown, and the way to others. */
function pagerOf(turn) {
  const step = (id, text, by) => button(id, text, (event) => event.currentTarget.ariaDisabled !== "true" && turn(now + by), "slim");
  const back = step("previous", "Previous", -1);
  const on = step("next", "Next", 1);
  const number = h("input", { type: "number", min: 1, "aria-label": "Page", onchange: () => number.reportValidity() && turn(Number(number.value)) });
  const of = h("span", { class: "muted nowrap" });
  const range = h("span", { class: "muted", role: "status" });
  const steps = h("div", { class: "actions" }, back, number, of, on);
  let now = 1;
  const draw = (page, shown, total, complete) => {
    now = page;
    const last = Math.max(1, Math.ceil(total / PAGE));
    const from = (page - 1) * PAGE;
    const more = complete ? "" : " so far";
    range.textContent = total === 0 ? "" : `${count.format(from + 1)}–${count.format(from + shown)} of ${count.format(total)}${more}`;
    steps.hidden = last === 1;
    number.value = page;
    number.max = last;
    of.textContent = `of ${count.format(last)}`;
    back.ariaDisabled = String(page <= 1);
    on.ariaDisabled = String(page >= last);
  };
  return { node: h("div", { class: "pager" }, range, steps), draw };
}

async function imagesView(parts, query, signal) {
  const place = { pool: parts[1], namespace: query.get("namespace") ?? "" };
  const known = new Map();
  let filter = query.get("filter") ?? "";
  let page = Math.max(1, Math.floor(Number(query.get("page"))) || 1);
  let names = [];
  let complete = false;

  const body = h("div", {});
  const pager = pagerOf((to) => turn(to));
  const draw = () => {
    const text = filter.toLowerCase();
    const found = text ? names.filter(({ name }) => name.toLowerCase().includes(text)) : names;
    if (complete) page = Math.max(1, Math.min(page, Math.ceil(found.length / PAGE)));
    const from = (page - 1) * PAGE;
    const rows = found.slice(from, from + PAGE).map((image) => imageRow(place, image, known, signal));
    const nothing = complete ? "No image's name has this in it." : "The names are still being read.";
    body.replaceChildren(rows.length > 0 ? table("Images", IMAGE_COLUMNS, rows) : h("p", { class: "empty muted" }, nothing));
    pager.draw(page, rows.length, found.length, complete);
  };
  const turn = (to) => {
    page = to;
    remember(parts, inPlace(place, { filter, page: page > 1 ? page : "" }));
    draw();
    if (body.getBoundingClientRect().top < 0) body.scrollIntoView();
  };

  // The first names are shown at once; the rest comes while they are looked at.
  const start = await new Promise((resolve, reject) => {
    all(imagesPath(place), inPlace(place, { limit: CHUNK }), signal, (items, whole) => {
      names = items;
      complete = whole;
      resolve(whole);
    }).then(() => {
      const late = !complete;
      complete = true;
      if (late) draw();
    }, (problem) => (names.length > 0 ? signal.aborted || complain(problem) : reject(problem)));
  });
  const namespace = await namespaceField(place, false, signal);
  const create = () => createImage(place);
  const head = poolHead(place, false, signal, button("create", "Create image", create, "primary"));
  if (start && names.length === 0) {
    const text = "An image is a block device for virtual machines and containers.";
    return [place.pool, head, namespace && h("div", { class: "bar-of-tools" }, namespace), empty("There are no images here", text)];
  }
  draw();
  const filtering = filterField("Filter", filter, (value) => {
    filter = value;
    turn(1);
  });
  return [place.pool, head, h("div", { class: "bar-of-tools" }, filtering, namespace), h("div", { class: "panel" }, body, pager.node)];
}

function createImage(place) {
  const name = nameField();
  const bytes = sizeField("Size", 1, "GiB", "It takes up no space until it is written. It is rounded up to whole MiB.");
  const own = choose("Features", "radio", "own", [["", "The cluster's default"], ["own", "Only these"]], [""]);
  const some = choose("These features", "checkbox", "features", FEATURES.map(([feature, needs]) => [feature, feature, needs && `needs ${needs}`]), ["layering"]);
  some.node.classList.add("columns");
  some.node.hidden = true;
  own.node.addEventListener("change", () => (some.node.hidden = own.values()[0] === ""));
  some.node.addEventListener("change", ({ target }) => followNeeds(some.inputs, target));
  const sizes = Array.from({ length: 14 }, (_, n) => 2 ** (12 + n));
  const objects = field("Object size", { name: "object_size" }, "What the image is divided into.", [["", "The cluster's default"], ...sizes.map((n) => [String(n), sizeText(n)])]);
  let key;
  openDialog({
    title: `Create image in ${where(place)}`,
    body: [name.node, bytes.node, h("details", {}, h("summary", {}, "Features and object size"), own.node, some.node, objects.node)],
    submit: "Create",
    run: async () => {
      const body = { name: name.value(), size: bytes.value() };
      if (own.values()[0]) body.features = some.values();
      if (objects.value()) body.object_size = Number(objects.value());
      // The same again, if nobody knows whether it was done.
      const [same, used] = key ?? [];
      key = [JSON.stringify(body), same === JSON.stringify(body) ? used : randomKey()];
      let image;
      try {
        image = await send("POST", imagesPath(place), { query: inPlace(place), body, headers: { "idempotency-key": key[1] } });
      } catch (problem) {
        if ((problem.document?.status ?? 503) !== 503) key = undefined;
        throw problem;
      }
      go(imageAddress(place, image.name), `The image ${image.name} is there.`);
    },
  });
}

/** A feature takes what it needs along, and one that others need takes these away. */
function followNeeds(inputs, changed) {
  for (const [feature, needs] of FEATURES) {
    const other = changed.checked ? feature === changed.value && needs : needs === changed.value && feature;
    const input = other && inputs.find(({ value }) => value === other);
    if (!input || input.checked === changed.checked) continue;
    input.checked = changed.checked;
    followNeeds(inputs, input);
  }
}

const randomKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

const where = (place, image) => [place.pool, place.namespace, image].filter(Boolean).join("/");

const SNAPSHOT_COLUMNS = [["Snapshot", "name"], ["Size", "number"], ["Used", "number"], ["Taken"], ["", ""]];

async function imageView(parts, query, signal) {
  const place = { pool: parts[1], namespace: query.get("namespace") ?? "" };
  const name = parts[3];
  const at = (...rest) => imagesPath(place, name, ...rest);
  const options = { query: inPlace(place), signal };
  const [image, snapshots] = await Promise.all([get(at(), options), all(at("snapshots"), inPlace(place), signal)]);
  const used = h("span", { class: "pending" }, "The used space is being counted …");
  const rows = new Map(snapshots.map((snapshot) => [snapshot.name, snapshotRow(place, name, snapshot)]));
  const children = h("div", {});
  const panels = [h("div", { class: "panel-head" }, h("h2", {}, "Snapshots"), button("snapshot", "Take snapshot", () => takeSnapshot(place, name)))];
  panels.push(rows.size > 0 ? table("Snapshots", SNAPSHOT_COLUMNS, [...rows.values()]) : h("p", { class: "inside muted" }, "There are none. A snapshot keeps what the image has in it at that time."));

  whenSeen(
    used,
    signal,
    async () => {
      const usage = await get(at("usage"), options);
      const taken = usage.total_used_bytes - usage.used_bytes;
      const legend = (kind, text, bytes) => [h("span", { class: `legend ${kind}` }), `${text} `, size(bytes)];
      const key = taken > 0 && h("p", { class: "muted small" }, legend("", "the image's own", usage.used_bytes), legend("snapshots", "its snapshots'", taken));
      used.replaceWith(usageGauge(usage), key || "");
      for (const { name: snapshot, used_bytes } of usage.snapshots) if (rows.has(snapshot)) fill(rows.get(snapshot), 2, size(used_bytes));
    },
    (problem) => used.replaceChildren(unavailable(problem)),
  );
  whenSeen(
    children,
    signal,
    async () => {
      const items = await all(at("children"), inPlace(place), signal);
      if (items.length > 0) children.replaceChildren(h("div", { class: "panel" }, h("h2", {}, "Clones"), h("ul", { class: "plain inside" }, items.map(childItem))));
    },
    (problem) => complain(problem),
  );

  const grow = button("grow", "Grow", () => growImage(place, image));
  const flatten = image.parent && button("flatten", "Flatten", () => flattenImage(place, image));
  const remove = button("remove", "Remove", () => removeImage(place, image), "danger");
  return [
    `${where(place, name)}`,
    crumbs(["Pools", "#/"], [place.pool, address(["pools", place.pool])], ...(place.namespace ? [[place.namespace, poolAddress(place)]] : []), [name]),
    h("div", { class: "head" }, heading(name), h("div", { class: "actions" }, grow, flatten, remove)),
    h("div", { class: "panel" }, h("h2", {}, "Image"), h("div", { class: "inside" }, h("dl", { class: "facts" }, h("div", { class: "whole" }, h("dt", {}, "Space"), h("dd", {}, used)), facts(image)))),
    h("div", { class: "panel" }, panels),
    children,
  ];
}

/** What is to be known of an image. */
function facts(image) {
  const { parent } = image;
  const from = parent && { pool: parent.pool, namespace: parent.pool_namespace };
  const items = [
    ["Size", size(image.size)],
    ["Objects", [`${count.format(image.objects)} of `, size(image.object_size)]],
    ["Created", ago(image.create_timestamp)],
    ["Written", image.modify_timestamp && ago(image.modify_timestamp)],
    ["Read", image.access_timestamp && ago(image.access_timestamp)],
    ["Features", featureList(image.features)],
    ["Clone of", parent && [h("a", { href: imageAddress(from, parent.image) }, where(from, parent.image)), `@${parent.snapshot}`]],
    ["Shared with that", parent && size(parent.overlap)],
    ["Pool of the data", image.data_pool],
    ["Stripes", image.stripe_count && [`${image.stripe_count} of `, size(image.stripe_unit)]],
    ["Group", image.group],
    ["In the course of", image.op_features?.join(", ")],
    ["Flags", image.flags?.length > 0 && h("span", { class: "mark warn" }, image.flags.join(", "))],
    ["At most", image.snapshot_limit && `${image.snapshot_limit} snapshots`],
    ["Id", h("span", { class: "mono" }, image.id)],
    ["Names of objects", h("span", { class: "mono" }, `${image.block_name_prefix}.*`)],
  ];
  return items.filter(([, value]) => value).map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value)));
}

function childItem({ pool, namespace, pool_namespace, image, name }) {
  const place = { pool, namespace: namespace ?? pool_namespace ?? "" };
  return h("li", {}, h("a", { href: imageAddress(place, image ?? name) }, where(place, image ?? name)));
}

function snapshotRow(place, image, snapshot) {
  const { name } = snapshot;
  const at = (...rest) => imagesPath(place, image, "snapshots", name, ...rest);
  const options = { query: inPlace(place) };
  const protect = (method, text) => act(method, at("protection"), options, text);
  const id = (text) => `${text}-${snapshot.id}`;
  const slim = (what, text, onclick, kind = "") => {
    const node = button(id(what), text, onclick, `slim ${kind}`);
    node.setAttribute("aria-label", `${text} ${name}`);
    return node;
  };
  const actions = h(
    "div",
    { class: "actions" },
    slim("clone", "Clone", () => cloneSnapshot(place, image, name)),
    snapshot.protected
      ? slim("protection", "Unprotect", () => protect("DELETE", `The snapshot ${name} can be removed now.`))
      : slim("protection", "Protect", () => protect("PUT", `The snapshot ${name} cannot be removed now.`)),
    slim("rollback", "Roll back", () => rollBack(place, image, name)),
    !snapshot.protected && slim("remove", "Remove", () => removeSnapshot(place, image, name), "danger"),
  );
  const title = [h("span", {}, name), " ", snapshot.protected && h("span", { class: "mark good" }, "protected")];
  return row(SNAPSHOT_COLUMNS, [h("span", {}, title), size(snapshot.size), null, ago(snapshot.timestamp), actions]);
}

/** Does it, shows the view anew and says so; or shows why not. */
async function act(method, where, options, text) {
  try {
    await send(method, where, options);
    await show({ again: true });
    notify(text);
  } catch (problem) {
    complain(problem);
  }
}

/** What a dialog does at the end: shows the view anew and says what was done. */
async function done(text) {
  await show({ again: true });
  if (text) notify(text);
}

function takeSnapshot(place, image) {
  const now = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  const name = nameField(now);
  openDialog({
    title: `Take a snapshot of ${image}`,
    body: name.node,
    submit: "Take snapshot",
    run: async () => {
      await send("POST", imagesPath(place, image, "snapshots"), { query: inPlace(place), body: { name: name.value() } });
      await done(`The snapshot ${name.value()} is there.`);
    },
  });
  name.input.select();
}

function removeSnapshot(place, image, snapshot) {
  openDialog({
    title: `Remove the snapshot ${snapshot}?`,
    body: h("p", {}, `What ${image} had in it then cannot be got back after that.`),
    submit: "Remove snapshot",
    danger: true,
    run: async () => {
      await send("DELETE", imagesPath(place, image, "snapshots", snapshot), { query: inPlace(place) });
      await done(`The snapshot ${snapshot} is removed.`);
    },
  });
}

function rollBack(place, image, snapshot) {
  const typed = confirmation(image);
  openDialog({
    title: `Roll ${image} back to ${snapshot}?`,
    body: [h("p", {}, "All that was written since is lost. Nothing may use the image meanwhile."), typed.node],
    submit: "Roll back",
    danger: true,
    run: () => start("POST", imagesPath(place, image, "snapshots", snapshot, "rollback"), { query: inPlace(place) }),
  });
}

function cloneSnapshot(place, image, snapshot) {
  const name = nameField("", "Name of the clone");
  const pool = field("Pool", { name: "pool", value: place.pool, required: true, autocomplete: "off", spellcheck: "false" });
  openDialog({
    title: `Clone ${image}@${snapshot}`,
    body: [h("p", {}, "A clone is an image that shares with the snapshot what it has not written itself."), name.node, pool.node],
    submit: "Clone",
    run: async () => {
      const to = { pool: pool.value(), namespace: pool.value() === place.pool ? place.namespace : "" };
      const body = { name: name.value(), pool: to.pool, namespace: to.namespace || undefined };
      await send("POST", imagesPath(place, image, "snapshots", snapshot, "clones"), { query: inPlace(place), body });
      go(imageAddress(to, name.value()), `The clone ${name.value()} is there.`);
    },
  });
}

function flattenImage(place, { name, parent }) {
  openDialog({
    title: `Flatten ${name}?`,
    body: h("p", {}, `What it shares with ${parent.image}@${parent.snapshot} is copied into it, which takes space. Then it needs that no more.`),
    submit: "Flatten",
    run: () => start("POST", imagesPath(place, name, "flatten"), { query: inPlace(place) }),
  });
}

function growImage(place, image) {
  let unit = UNITS.findLastIndex((_, n) => image.size >= 1024 ** (n + 1));
  unit = Math.max(unit, 0);
  const bytes = sizeField("New size", Number((image.size / 1024 ** (unit + 1)).toFixed(3)), UNITS[unit], `It is ${sizeText(image.size)} now. What is in it must be grown apart from this.`);
  const check = () => bytes.input.setCustomValidity(bytes.bytes() > image.size ? "" : `It must be more than ${sizeText(image.size)}`);
  bytes.node.addEventListener("input", check);
  check();
  openDialog({
    title: `Grow ${image.name}`,
    body: bytes.node,
    submit: "Grow",
    run: async () => {
      const grown = await send("POST", imagesPath(place, image.name, "resize"), { query: inPlace(place), body: { size: bytes.value() } });
      await done(`The image ${image.name} has ${sizeText(grown.size)} now.`);
    },
  });
  bytes.input.select();
}

function removeImage(place, { name }) {
  const how = choose("How", "radio", "how", [["trash", "Move it to the trash", "It can be restored, and takes its space until it is removed from there."], ["good", "Remove it for good", "Its snapshots have to be removed before."]], ["trash"]);
  const delay = field("Keep it in the trash at least", { name: "delay" }, undefined, TRASH_DELAYS);
  how.node.addEventListener("change", () => (delay.node.hidden = how.values()[0] !== "trash"));
  const typed = confirmation(name);
  openDialog({
    title: `Remove ${name}?`,
    body: [how.node, delay.node, typed.node],
    submit: "Remove image",
    danger: true,
    run: async () => {
      const trash = how.values()[0] === "trash";
      const query = inPlace(place, trash ? { trash: "true", delay_seconds: delay.value() === "0" ? "" : delay.value() } : {});
      await start("DELETE", imagesPath(place, name), { query });
      go(poolAddress(place), trash ? `The image ${name} is in the trash.` : "");
    },
  });
}

const TRASH_COLUMNS = [["Image", "name"], ["Id"], ["Removed"], ["Kept until"], ["", ""]];

async function trashView(parts, query, signal) {
  const place = { pool: parts[1], namespace: query.get("namespace") ?? "" };
  const base = path("pools", place.pool, "trash");
  const [entries, namespace] = await Promise.all([all(base, inPlace(place), signal), namespaceField(place, true, signal)]);
  const rows = entries.map((entry) => {
    const actions = [
      button(`restore-${entry.id}`, "Restore", () => restore(place, base, entry), "slim"),
      button(`destroy-${entry.id}`, "Remove for good", () => destroy(place, base, entry), "slim danger"),
    ];
    for (const action of actions) action.setAttribute("aria-label", `${action.textContent} ${entry.name}`);
    return row(TRASH_COLUMNS, [entry.name, h("span", { class: "mono" }, entry.id), ago(entry.deleted_at), entry.deferment_end > entry.deleted_at ? ago(entry.deferment_end) : "–", h("div", { class: "actions" }, actions)]);
  });
  return [
    `Trash of ${place.pool}`,
    poolHead(place, true, signal),
    namespace && h("div", { class: "bar-of-tools" }, namespace),
    rows.length > 0 ? h("div", { class: "panel" }, table("Trash", TRASH_COLUMNS, rows)) : empty("The trash is empty", "Images that are moved here can be restored."),
  ];
}

function restore(place, base, entry) {
  const name = nameField(entry.name);
  openDialog({
    title: `Restore ${entry.name}`,
    body: name.node,
    submit: "Restore",
    run: async () => {
      await send("POST", `${base}/${path(entry.id, "restore")}`, { query: inPlace(place), body: { name: name.value() } });
      go(imageAddress(place, name.value()), `The image ${name.value()} is back.`);
    },
  });
}

function destroy(place, base, entry) {
  const typed = confirmation(entry.name);
  const late = dateOf(entry.deferment_end) > new Date();
  openDialog({
    title: `Remove ${entry.name} for good?`,
    body: [h("p", {}, late ? "It was to be kept longer. What is in it is lost." : "What is in it is lost."), typed.node],
    submit: "Remove for good",
    danger: true,
    run: () => start("DELETE", `${base}/${path(entry.id)}`, { query: inPlace(place, { force: late ? "true" : "" }) }),
  });
}

const OPERATION_COLUMNS = [["Operation", "name"], ["Begun"], ["State", "state"], ["", ""]];

async function operationsView(_parts, _query, signal) {
  const first = await get("operations", { signal });
  const head = h("div", { class: "head" }, heading("Operations"));
  if (first.Items.length === 0) return ["Operations", head, empty("There are no operations", "What takes long, as removing an image does, is shown here while it goes on and when it has ended.")];
  const rows = table("Operations", OPERATION_COLUMNS, []);
  const more = h("div", { class: "pager" });
  const add = ({ Items: operations, Continue: next }) => {
    for (const operation of operations) if (!ended(operation)) void follow(operation);
    rows.tBodies[0].append(...operations.map(operationRow));
    const older = () => get("operations", { query: { continue: next }, signal }).then(add, complain);
    more.hidden = !next;
    more.replaceChildren(button("older", "Show older ones", older));
  };
  add(first);
  return ["Operations", head, h("div", { class: "panel" }, rows, more)];
}

function operationRow(operation) {
  const { bar, words } = progressOf(operation);
  const what = h("span", {}, h("strong", {}, wordsOf(operation.kind)), ` ${operation.subject}`);
  const stop = button(`cancel-${operation.id}`, "Cancel", () => cancel(operation.id), "slim");
  const more = ended(operation) ? operation.problem && h("span", { class: "small muted" }, operation.problem.detail) : h("div", { class: "actions" }, stop);
  return row(OPERATION_COLUMNS, [what, ago(operation.started), h("span", {}, words, bar), more ?? ""]);
}

// --- Which view it is -----------------------------------------------------------------------------

function viewOf(parts) {
  const [first, , third] = parts;
  if (parts.length === 0 || (first === "pools" && parts.length === 1)) return poolsView;
  if (first === "operations" && parts.length === 1) return operationsView;
  if (first !== "pools") return undefined;
  if (parts.length === 2 || (third === "images" && parts.length === 3)) return imagesView;
  if (third === "images" && parts.length === 4) return imageView;
  if (third === "trash" && parts.length === 3) return trashView;
  return undefined;
}

function located() {
  const hash = location.hash.replace(/^#/, "");
  const mark = hash.indexOf("?");
  const [place, search] = mark < 0 ? [hash, ""] : [hash.slice(0, mark), hash.slice(mark + 1)];
  try {
    return [place.split("/").filter(Boolean).map(decodeURIComponent), new URLSearchParams(search)];
  } catch {
    return [["?"], new URLSearchParams()];
  }
}

let current = new AbortController();

/** Shows what the address says; `again` if that is what is shown already. */
async function show({ again = false } = {}) {
  current.abort();
  const { signal } = (current = new AbortController());
  const main = byId("main");
  main.setAttribute("aria-busy", "true");
  const [parts, query] = located();
  for (const [id, mine] of [["nav-pools", parts[0] !== "operations"], ["nav-operations", parts[0] === "operations"]]) {
    if (mine) byId(id).setAttribute("aria-current", "page");
    else byId(id).removeAttribute("aria-current");
  }
  const view = viewOf(parts);
  // Where all of them are shown, those under way need not be shown twice.
  byId("strip").hidden = view === operationsView;
  let title;
  let content;
  try {
    if (!view) throw new Problem({ title: "There is nothing here", detail: `This page has no view ${location.hash}` });
    [title, ...content] = await view(parts, query, signal);
  } catch (problem) {
    if (signal.aborted) return;
    title = "Error";
    const retry = button("retry", "Try again", () => show());
    content = [heading(parts.at(-1) ?? "Pools"), problemNode(problem, "h2", retry)];
  }
  if (signal.aborted) return;
  const focused = main.contains(document.activeElement) ? document.activeElement.id : undefined;
  document.title = `${title} · rbd-rest-api`;
  main.replaceChildren(h("div", {}, content));
  main.setAttribute("aria-busy", "false");
  if (again && focused === undefined) return;
  const target = again && focused ? byId(focused) : main.querySelector("h1");
  target?.focus({ preventScroll: again });
  if (!again) scrollTo(0, 0);
}

/** What is to be said where `go` leads. */
let said = "";

/** Goes to a view, and says something there. */
function go(to, text = "") {
  if (location.hash === to) return void show({ again: true }).then(() => notify(text));
  said = text;
  location.hash = to;
}

/** Keeps in the address how a view is, without going anywhere. */
function remember(parts, query) {
  history.replaceState(null, "", address(parts, query));
}

addEventListener("hashchange", () => {
  notify(said);
  said = "";
  show();
});

addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, dialog")) return;
  const filter = byId("filter");
  if (!filter) return;
  event.preventDefault();
  filter.focus();
  filter.select();
});

byId("refresh").addEventListener("click", () => {
  notify("");
  show({ again: true });
});

byId("forget").addEventListener("click", () => {
  sessionStorage.removeItem(TOKEN);
  location.reload();
});

byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});

showTools();
show();

// What goes on already, whoever began it.
get("operations")
  .then(({ Items: operations }) => operations.filter((operation) => !ended(operation)).forEach((operation) => void follow(operation)))
  .catch(() => {});
