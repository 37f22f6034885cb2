// The page of a running server: figures once a second, calls as ladder diagrams, one of them live.

import { Ladder, fill } from "./ladder.js";
import { arrows, clock, count, element, milliseconds, put, shape, shortUri, table, timeOfDay } from "./parts.js";

const HISTORY = 120;
const RETRY_MS = 2000;
const byId = (id) => document.getElementById(id);
const history = [];
let state = null;
let followed = "";
let source = null;

const ladder = new Ladder(byId("ladder"), openMessage);

// The stream of events

function connect() {
  source?.close();
  source = new EventSource(`/page/live?call=${encodeURIComponent(followed)}`);
  source.addEventListener("open", () => say("live", "live"));
  source.addEventListener("state", (event) => showState(JSON.parse(event.data)));
  source.addEventListener("call", (event) => showCall(JSON.parse(event.data)));
  source.addEventListener("problem", (event) => say("problem", JSON.parse(event.data).error));
  source.addEventListener("error", () => {
    say("away", "the server does not answer; trying again");
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
  });
}

function say(kind, text) {
  const place = byId("live");
  if (place.textContent !== text) place.textContent = text;
  place.className = `live ${kind}`;
}

function showState(fresh) {
  state = fresh;
  say("live", "live");
  history.push({ received: state.received, sent: state.sent, failed: state.failed });
  if (history.length > HISTORY) history.shift();
  showHead();
  showTraffic();
  showCalls();
  showScript();
  showTls();
  showRegistrations();
}

function showHead() {
  const info = state.info;
  byId("health").textContent = info.status;
  byId("health").className = `badge ${info.status}`;
  byId("about").textContent = `${info.version}, up ${clock(info.uptime_s)}, ${info.script} (version ${info.script_version})`;
  const figures = [
    ["Messages in", `${count(state.received)}/s`],
    ["Messages out", `${count(state.sent)}/s`],
    ["Refused or failed", `${count(state.failed)}/s`],
    ["Transactions", count(state.transactions)],
    ["Registered users", count(state.registered)],
    ["Waiting for a worker", `${count(state.queue)}, ${milliseconds(state.wait_ms)}`],
    ["TLS handshakes", `${count(state.handshakes)}/s, ${count(state.handshakes_failed)} failed`],
    ["Connections", Object.entries(state.connections).map(([name, open]) => `${name} ${count(open)}`).join(", ") || "none"],
  ];
  put("figures", ...figures.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

// Traffic

function showTraffic() {
  const most = Math.max(1, ...history.flatMap((one) => [one.received, one.sent, one.failed]));
  const line = (name) => {
    const points = history.map((one, at) => `${(600 * (at + HISTORY - history.length)) / (HISTORY - 1)},${116 - (108 * one[name]) / most}`);
    return shape("polyline", { points: points.join(" "), class: name });
  };
  byId("chart").replaceChildren(line("received"), line("sent"), line("failed"));
  byId("chart-text").textContent =
    `The last two minutes, up to ${count(most)}/s: received (solid) ${count(state.received)}/s, sent (dashed) ${count(state.sent)}/s, ` +
    `refused or failed (dotted) ${count(state.failed)}/s.`;
  const rates = [
    ["in/s", (row) => count(row.received), "number"],
    ["out/s", (row) => count(row.sent), "number"],
    ["total", (row) => count(row.total), "number"],
  ];
  put("requests", table("Requests", [["method", (row) => row.name], ...rates], state.requests, "No request yet."));
  put("responses", table("Responses", [["class", (row) => row.name], ...rates], state.responses, "No response yet."));
  const errors = [
    ["error", (row) => row.name.replaceAll("_", " ")],
    ["now/s", (row) => count(row.rate), "number"],
    ["total", (row) => count(row.total), "number"],
  ];
  put("errors", table("Errors", errors, state.errors, "No errors."));
}

// Calls

function showCalls() {
  const wanted = byId("filter").value.toLowerCase();
  const calls = state.calls.filter((call) => [call.from_uri, call.to_uri, call.call_id, call.method].some((text) => text.toLowerCase().includes(wanted)));
  const recording = state.recording;
  byId("calls-note").textContent = !recording.enabled
    ? "The recording is off (record.enable)."
    : calls.length
      ? ""
      : wanted
        ? "No call matches."
        : "No call yet.";
  const list = byId("call-list");
  const focused = document.activeElement?.closest?.("#call-list button")?.dataset.call;
  const shown = calls.map(callItem);
  if (list.textContent === shown.map((item) => item.textContent).join("") && list.dataset.open === followed) return;
  list.dataset.open = followed;
  list.replaceChildren(...shown);
  const buttons = [...list.querySelectorAll("button")];
  const first = buttons.find((button) => button.dataset.call === (focused ?? followed)) ?? buttons[0];
  first?.setAttribute("tabindex", "0");
  if (focused) first?.focus({ preventScroll: true });
}

function callItem(call) {
  const seconds = (call.talked_us ?? call.lasted_us) / 1e6;
  const lasted = seconds < 60 ? `${seconds.toFixed(3)} s` : clock(seconds);
  const errors = call.errors ? [element("span", { class: "mark-error" }, `${call.errors} script ${call.errors === 1 ? "error" : "errors"}`)] : [];
  return element(
    "li",
    {},
    element(
      "button",
      { type: "button", tabindex: "-1", class: "call-item", "data-call": call.call_id, "aria-pressed": String(call.call_id === followed) },
      element("span", { class: "who" }, `${call.method} ${shortUri(call.from_uri)} → ${shortUri(call.to_uri)}`),
      element(
        "span",
        { class: "how" },
        element("span", { class: `state ${call.state}` }, `${call.state}${call.status ? ` ${call.status}` : ""}`),
        ` ${timeOfDay(call.began_us)}, ${lasted}, ${call.messages} messages `,
        ...errors,
      ),
    ),
  );
}

function openCall(callId) {
  followed = callId;
  closeMessage(false);
  byId("call").hidden = false;
  byId("call-title").textContent = "…";
  byId("call-about").textContent = "";
  byId("ladder").replaceChildren();
  ladder.data = null;
  ladder.chosen = null;
  showCalls();
  connect();
  byId("call-title").focus();
}

function closeCall() {
  const button = [...byId("call-list").querySelectorAll("button")].find((one) => one.dataset.call === followed);
  followed = "";
  byId("call").hidden = true;
  showCalls();
  connect();
  button?.focus();
  byId("call-list").querySelector("button[tabindex='0']")?.focus();
}

function showCall(data) {
  if (data.call_id !== followed) return;
  const call = data.call;
  if (call) {
    byId("call-title").textContent = `${call.method} ${shortUri(call.from_uri)} → ${shortUri(call.to_uri)}`;
    byId("call-about").textContent = `${call.state}${call.status ? ` ${call.status}` : ""}, ${call.messages} messages, Call-ID ${call.call_id}`;
  }
  ladder.show(data);
}

function openMessage(row) {
  fill(row, ladder.data.columns);
  const panel = byId("message");
  panel.hidden = false;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  panel.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  byId("message-title").focus({ preventScroll: true });
}

function closeMessage(back = true) {
  byId("message").hidden = true;
  if (back) ladder.focus();
}

// Script, TLS, registrations

function showScript() {
  const routes = [
    ["route", (row) => row.name],
    ["calls/s", (row) => count(row.rate), "number"],
    ["mean", (row) => milliseconds(row.mean_ms || row.total_us / row.count / 1000), "number"],
    ["longest", (row) => milliseconds(row.longest_us / 1000), "number"],
  ];
  put("routes", table("Routes", routes, state.routes, "No route has run yet."));
  const workers = [
    ["worker", (row) => row.worker],
    ["is in", (row) => (row.busy ? row.route : "idle")],
    ["for", (row) => (row.busy ? milliseconds(row.since_ms) : ""), "number"],
    ["at", (row) => row.at ?? ""],
  ];
  put("workers", table("Workers", workers, state.workers, "No workers."));
  const open = new Set([...byId("notable").querySelectorAll("details[open]")].map((one) => one.dataset.number));
  const rows = [...state.notable].reverse().map((row) => notableItem(row, open));
  put("notable", ...(rows.length ? rows : [element("p", { class: "note" }, "None.")]));
}

function notableItem(row, open) {
  const isError = row.kind === "error";
  const last = row.result.trimEnd().split("\n").at(-1);
  const summary = element(
    "summary",
    {},
    element("span", { class: isError ? "mark-error" : "mark-slow" }, isError ? "error" : "slow"),
    ` ${timeOfDay(row.wall_us)} ${row.name} `,
    element("span", { class: "why" }, isError ? last : milliseconds(row.spent_us / 1000)),
  );
  const made = element("details", { "data-number": row.number }, summary);
  if (isError) made.append(element("pre", { tabindex: "0", "aria-label": "Traceback" }, row.result));
  if (row.call_id) made.append(element("button", { type: "button", class: "to-call", "data-call": row.call_id }, `Show call ${row.call_id}`));
  if (open.has(String(row.number))) made.open = true;
  return made;
}

function showTls() {
  const modes = { 0: "inline: script workers do it", 1: "handshakes in TLS threads, records in workers", 2: "all of it in TLS threads" };
  const mode = state.info.tls_threads_mode;
  byId("tls-about").textContent = `Threads mode ${mode} (${modes[mode]}); ${state.info.tls_provider}.`;
  const columns = [
    ["peer", (row) => `${row.src_ip}:${row.src_port}`],
    ["state", (row) => `${row.state}${row.outbound ? ", opened by us" : ""}`],
    ["agreed", (row) => [row.version, row.cipher.split(" ")[0]].filter(Boolean).join(" ")],
    ["profile", (row) => row.profile ?? ""],
    ["name asked for", (row) => row.server_name ?? ""],
    ["peer verified", (row) => (row.verified === undefined ? "" : row.verified ? "yes" : "no")],
    ["resumed", (row) => (row.resumed ? "yes" : "")],
  ];
  put("tls-connections", table("TLS connections", columns, state.tls, "No TLS connection."));
  const profiles = [
    ["profile", (row) => row.profile],
    ["side", (row) => row.side],
    ["address or name", (row) => [row.address, row.server_name].filter(Boolean).join(" ") || "any"],
    ["certificate", (row) => row.certificate ?? ""],
    ["from version", (row) => row.min_version ?? ""],
    ["verifies", (row) => String(row.verify_client ?? row.verify ?? "")],
  ];
  put("tls-profiles", table("Profiles", profiles, state.profiles, "No profile."));
}

function showRegistrations() {
  const shown = state.registrations.length;
  byId("registrations-about").textContent = `${count(state.registered)} users; ${count(shown)} contacts are shown.`;
  const columns = [
    ["address of record", (row) => row.aor],
    ["contact", (row) => row.contact],
    ["ends in", (row) => (typeof row.expires === "number" ? `${row.expires} s` : row.expires), "number"],
    ["user agent", (row) => row.user_agent],
    ["socket", (row) => row.socket],
  ];
  put("registration-list", table("Contacts", columns, state.registrations, "Nobody is registered."));
}

// What people do

arrows(byId("call-list"), "button");
byId("call-list").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) openCall(button.dataset.call);
});
byId("notable").addEventListener("click", (event) => {
  const button = event.target.closest("button.to-call");
  if (button) openCall(button.dataset.call);
});
byId("filter").addEventListener("input", () => state && showCalls());
byId("call-close").addEventListener("click", closeCall);
byId("message-close").addEventListener("click", () => closeMessage());
byId("decisions").addEventListener("change", (event) => {
  ladder.showsDecisions = event.target.checked;
  ladder.draw(true);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (!byId("message").hidden) closeMessage();
  else if (!byId("call").hidden) closeCall();
});
connect();
