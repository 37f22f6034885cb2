// The figures, and the sections on traffic, script, TLS and registrations.

import { byId, clock, count, element, milliseconds, pairs, plural, put, shape, table, timeOfDay, wrapping } from "./parts.js";

const HISTORY = 120;
const [WIDTH, HEIGHT, ABOVE] = [600, 120, 8];
const LINES = [
  ["received", "received"],
  ["sent", "sent"],
  ["failed", "4xx to 6xx sent"],
];
const MODES = { 0: "inline: script workers do it", 1: "handshakes in TLS threads, records in script workers", 2: "all of it in TLS threads" };
// Kinds of threads; those of the engine come last.
const OF_PYTHON = { main: "main: control", script: "script workers", python: "other threads of Python" };
const OF_ENGINE = { tls: "TLS", network: "network", timer: "timers", dns: "DNS", other: "other: log writer and the like" };
// Days before the end of a certificate at which it is time to renew it.
const SOON_DAYS = 21;
// Peers named on the card of one certificate.
const MOST_PEERS = 5;
let rates = [];

/** Takes rates of the last seconds: all of them, or one more. */
export function remember(taken, isMore = false) {
  rates = [...(isMore ? rates : []), ...taken].slice(-HISTORY);
}

export function showHead(state) {
  const info = state.info;
  byId("health").textContent = info.status;
  byId("health").className = `badge ${info.status}`;
  put(byId("about"), wrapping(`${info.version}, up ${clock(info.uptime_s)}, ${info.script} (version ${info.script_version})`));
  const open = Object.entries(state.connections).map(([name, number]) => `${name} ${count(number)}`);
  const figures = [
    ["Messages in", `${count(state.received)}/s`],
    ["Messages out", `${count(state.sent)}/s`],
    ["Refused or failed", `${count(state.failed)}/s`],
    ["Transactions", count(state.transactions)],
    ["Registered users", count(state.registered)],
    ["Wait for a worker", `${milliseconds(state.wait_ms)}${state.queue ? `, ${count(state.queue)} wait` : ""}`],
    ["TLS handshakes", `${count(state.handshakes)}/s${state.handshakes_failed ? `, ${count(state.handshakes_failed)} failed` : ""}`],
    ["Connections", open.join(", ") || "none"],
  ];
  put(byId("figures"), ...figures.map((row) => element("div", {}, ...pairs([row]))));
}

export function showTraffic(state) {
  showChart(state);
  const columns = [
    ["in/s", (row) => count(row.received), "number"],
    ["out/s", (row) => count(row.sent), "number"],
    ["total", (row) => count(row.total), "number"],
  ];
  put(byId("requests"), table("Requests", [["method", (row) => row.name], ...columns], state.requests, "No request yet."));
  put(byId("responses"), table("Responses", [["class", (row) => row.name], ...columns], state.responses, "No response yet."));
  const errors = [
    ["error", (row) => row.name.replaceAll("_", " ")],
    ["now/s", (row) => count(row.rate), "number"],
    ["total", (row) => count(row.total), "number"],
  ];
  put(byId("errors"), table("Errors", errors, state.errors, "No errors."));
}

function showChart(state) {
  const most = niceTop(Math.max(1, ...rates.flatMap((one) => LINES.map(([name]) => one[name]))));
  const x = (index) => ((WIDTH * (index + HISTORY - rates.length)) / (HISTORY - 1)).toFixed(1);
  const y = (value) => (HEIGHT - ((HEIGHT - ABOVE) * value) / most).toFixed(1);
  const points = (name) => rates.map((one, index) => `${x(index)},${y(one[name])}`).join(" ");
  const line = ([name]) => shape("polyline", { points: points(name), class: name });
  const area = shape("polygon", { points: `${points("received")} ${WIDTH},${HEIGHT} ${x(0)},${HEIGHT}`, class: "area" });
  const grid = [most, most / 2].map((value) => shape("line", { x1: 0, x2: WIDTH, y1: y(value), y2: y(value), class: "grid" }));
  put(byId("chart"), ...grid, area, ...LINES.map(line));
  byId("chart-top").textContent = `${count(most)}/s`;
  put(byId("legend"), ...LINES.map(([name, text]) => element("li", {}, swatch(name), ` ${text} ${count(state[name])}/s`)));
  byId("chart-text").textContent = "Messages a second, the last two minutes.";
}

function swatch(name) {
  return shape("svg", { class: "swatch", viewBox: "0 0 24 8", "aria-hidden": "true" }, shape("path", { d: "M0 4h24", class: name }));
}

/** The next of 1, 2, 5, 10, 20, ... */
function niceTop(value) {
  const ten = 10 ** Math.floor(Math.log10(value));
  return ten * [1, 2, 5, 10].find((step) => step * ten >= value);
}

export function showScript(state) {
  const routes = [
    ["route", (row) => wrapping(row.name)],
    ["calls/s", (row) => count(row.rate), "number"],
    ["mean", (row) => milliseconds(row.mean_ms || row.total_us / row.count / 1000), "number"],
    ["longest", (row) => milliseconds(row.longest_us / 1000), "number"],
  ];
  put(byId("routes"), table("Routes", routes, state.routes, "No route has run yet."));
  const workers = [
    ["worker", (row) => row.worker, "short"],
    ["is in", (row) => (row.busy ? wrapping(row.route) : "idle"), "short"],
    ["for", (row) => (row.busy ? milliseconds(row.since_ms) : ""), "number"],
    ["at", (row) => wrapping(row.at ?? "")],
  ];
  put(byId("workers"), table("Workers", workers, state.workers, "No workers."));
  const rows = [...state.notable].reverse().map(notableItem);
  put(byId("notable"), ...(rows.length ? rows : [element("p", { class: "note" }, "None since the start.")]));
}

function notableItem(row) {
  const isError = row.kind === "error";
  const [route, where] = row.name.split(" (", 2);
  const why = isError ? row.result.trimEnd().split("\n").at(-1) : `took ${milliseconds(row.spent_us / 1000)}`;
  const summary = element(
    "summary",
    {},
    element("span", { class: `mark ${isError ? "error" : "slow"}` }, isError ? "error" : "slow"),
    element("time", {}, ` ${timeOfDay(row.wall_us)} `),
    element("span", { class: "where" }, route),
    element("span", { class: "why" }, ` ${why}`),
  );
  const made = element("details", { "data-key": row.number }, summary);
  if (where) made.append(element("p", { class: "note" }, wrapping(where.replace(/\)$/, ""))));
  if (isError) made.append(element("pre", { tabindex: "0", "aria-label": "Traceback" }, row.result));
  else made.append(element("p", { class: "note" }, "The log names the line that it was at."));
  if (row.call_id) made.append(element("button", { type: "button", "data-call": row.call_id }, `Show call ${row.call_id}`));
  return made;
}

export function showTls(state) {
  const mode = state.info.tls_threads_mode;
  byId("tls-about").textContent = `Threads mode ${mode} (${MODES[mode]}); ${state.info.tls_provider}.`;
  const columns = [
    ["peer", (row) => `${row.src_ip}:${row.src_port}`, "short"],
    ["state", (row) => `${row.state}${row.outbound ? ", opened by us" : ""}`, "short"],
    ["agreed", (row) => wrapping([row.version, row.cipher?.split(" ")[0], row.resumed ? "(resumed)" : ""].filter(Boolean).join(" "))],
    ["name asked for", (row) => wrapping(row.server_name ?? "")],
    ["our certificate", (row) => wrapping(row.own_certificate ? whose(row.own_certificate) : "")],
    ["peer's certificate", verdict],
    ["profile", (row) => row.profile ?? ""],
    ["thread", (row) => row.thread ?? "", "short"],
  ];
  put(byId("tls-connections"), table(some("TLS connections", state.tls.length, state.tls_total), columns, state.tls, "No TLS connection.", true));
  put(byId("shown-certificates"), ...shownCertificates(state.tls).map(shownCertificate));
  put(byId("certificates"), ...state.certificates.map(certificate));
  showThreads(state);
}

/** The name by which people know a certificate's owner. */
function whose(certificate) {
  return certificate.common_name || certificate.names[0] || certificate.subject;
}

function verdict(row) {
  if (!row.version) return "";
  const kind = row.verified ? "good" : row.certificate === "none" ? "none" : "error";
  const who = row.peer_certificate ? wrapping(`${whose(row.peer_certificate)}: `) : "";
  // Where there is a certificate, its card says why.
  const why = row.unverified && !who ? `, ${row.unverified}` : "";
  return element("span", {}, who, element("span", { class: `mark ${kind}` }, row.certificate), why);
}

/** What was shown in these connections, each certificate once: those of peers first. */
function shownCertificates(connections) {
  const found = new Map();
  for (const [side, name] of [["peer", "peer_certificate"], ["ours", "own_certificate"]]) {
    for (const row of connections.filter((one) => one[name])) {
      const key = `${side} ${row[name].fingerprint}`;
      if (!found.has(key)) found.set(key, { key, side, said: row[name], rows: [] });
      found.get(key).rows.push(row);
    }
  }
  return [...found.values()];
}

function shownCertificate({ key, side, said, rows }) {
  const first = rows[0];
  const used = rows.slice(0, MOST_PEERS).map((row) => `${row.src_ip}:${row.src_port}`);
  const about = [
    ...(side === "peer" ? [["Verified", verdict({ ...first, peer_certificate: null })]] : []),
    ["Valid", validityOf(said)],
    ["Subject", wrapping(said.subject)],
    ["Issuer", wrapping(said.issuer)],
    ...(said.names.length ? [["Names", wrapping(said.names.join(", "))]] : []),
    ["Serial", element("code", {}, said.serial)],
    ["SHA-256", element("code", {}, said.fingerprint)],
    [side === "peer" ? "Shown by" : "Shown to", `${used.join(", ")}${rows.length > used.length ? `, and ${count(rows.length - used.length)} more` : ""}`],
  ];
  const head = element("h4", {}, `${whose(said)} `, element("span", { class: "side" }, side === "peer" ? "peer's" : "ours"));
  return element("article", { class: "card", "data-key": key }, head, element("dl", { class: "pairs" }, ...pairs(about)));
}

function validityOf(said) {
  const kind = { valid: "good", "expires soon": "slow" }[said.validity] ?? "error";
  const left = said.validity === "expired" ? "" : `, ${plural(said.days_left, "day")} left`;
  return element("span", {}, `${said.not_before} to ${said.not_after} `, element("span", { class: `mark ${kind}` }, said.validity + left));
}

function certificate(row) {
  const name = row.file ? row.names?.join(", ") || row.subject || row.file : "No certificate";
  const about = [
    ...(row.ends ? [["Valid until", validity(row)]] : []),
    ...(row.subject ? [["Subject", wrapping(row.subject)]] : []),
    ...(row.issuer ? [["Issuer", wrapping(row.issuer)]] : []),
    ...(row.file ? [["File", wrapping(row.file)]] : []),
    ["Used by", element("ul", {}, ...row.profiles.map((profile) => element("li", {}, use(profile))))],
  ];
  const problem = row.problem ? [element("p", { class: "mark error" }, row.problem)] : [];
  const list = element("dl", { class: "pairs" }, ...pairs(about));
  return element("article", { class: "card", "data-key": `file ${row.file}` }, element("h4", {}, name), ...problem, list);
}

function use(profile) {
  const where = [profile.side, profile.address, profile.server_name].filter(Boolean).join(" ");
  const asks = { true: "yes", false: "no" }[profile.verifies] ?? profile.verifies ?? "";
  return `${profile.profile} (${where})${asks === "" ? "" : `, verifies the other side: ${asks}`}`;
}

function validity(row) {
  const left = row.days_left < 0 ? "it has ended" : `${plural(row.days_left, "day")} left`;
  const kind = row.days_left < 0 ? "mark error" : row.days_left < SOON_DAYS ? "mark slow" : "mark good";
  return element("span", {}, `${row.ends} `, element("span", { class: kind }, left));
}

function showThreads(state) {
  const kinds = { ...OF_PYTHON, ...OF_ENGINE };
  const order = Object.keys(kinds);
  const rows = [...state.threads].sort((one, other) => order.indexOf(one.kind) - order.indexOf(other.kind));
  const inside = rows.reduce((sum, row) => sum + (row.kind in OF_PYTHON ? 0 : row.python), 0);
  byId("threads-about").textContent = inside
    ? `${plural(inside, "thread")} of the engine hold a Python thread state.`
    : "No thread of the engine holds a Python thread state: TLS and Python do not meet.";
  const columns = [
    ["kind", (row) => kinds[row.kind] ?? row.kind],
    ["threads", (row) => count(row.threads), "number"],
    ["with Python state", (row) => count(row.python), "number"],
  ];
  put(byId("threads"), table("Threads", columns, rows, "Not known."));
}

export function showRegistrations(state) {
  byId("registrations-about").textContent = `${plural(state.registered, "user")}.`;
  const caption = `Contacts${state.registrations.length < state.registered ? " (some)" : ""}`;
  const columns = [
    ["address of record", (row) => wrapping(row.aor)],
    ["contact", (row) => wrapping(row.contact)],
    ["ends in", (row) => (typeof row.expires === "number" ? `${row.expires} s` : row.expires), "number"],
    ["user agent", (row) => wrapping(row.user_agent)],
    ["came from", (row) => wrapping(row.received)],
  ];
  put(byId("registration-list"), table(caption, columns, state.registrations, "Nobody is registered.", true));
}

function some(what, shown, total) {
  return shown < total ? `${what} (${count(shown)} of ${count(total)})` : what;
}
