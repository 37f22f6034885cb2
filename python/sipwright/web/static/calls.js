// The list of calls, and the one that is open.

import { Ladder, fill } from "./ladder.js";
import { arrows, ask, byId, clock, count, element, enterable, plural, put, shortUri, timeOfDay, wrapping } from "./parts.js";

// Width from which the call stands beside the list and not in its place, as in the style sheet.
const BESIDE = 1000;
const [MOST_SEARCHED, MOST_LISTED, SEARCH_MS] = [1000, 100, 300];

/** `go(callId)` has the page show a call, and none for an empty one. */
export class Calls {
  constructor(go) {
    this.go = go;
    this.followed = "";
    this.calls = [];
    // What the list shows while it is held, and what was found of older calls.
    this.held = null;
    this.older = [];
    this.known = null;
    this.ladder = new Ladder(byId("ladder"), (row) => this.openMessage(row));
    this.listen();
  }

  listen() {
    const on = (id, event, action) => byId(id).addEventListener(event, action);
    arrows(byId("call-list"), "button");
    for (const id of ["call-list", "notable", "workers"]) {
      on(id, "click", (event) => {
        const button = event.target.closest("button[data-call]");
        if (button) this.go(button.dataset.call);
      });
    }
    on("filter", "input", () => this.search());
    on("hold", "change", (event) => {
      this.held = event.target.checked ? this.calls : null;
      this.showList();
    });
    on("call-close", "click", () => this.go(""));
    on("message-close", "click", () => this.closeMessage());
    for (const [id, by] of [["message-back", -1], ["message-on", 1]]) {
      on(id, "click", () => {
        this.ladder.step(by);
        byId(id).focus({ preventScroll: true });
      });
    }
    on("record", "click", () => this.record());
    on("decisions", "change", (event) => {
      this.ladder.showsDecisions = event.target.checked;
      this.ladder.draw();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      if (!byId("message").hidden) this.closeMessage();
      else if (this.followed) this.go("");
    });
  }

  show(state) {
    this.calls = state.calls;
    this.recording = state.recording;
    this.showRecording();
    this.showList();
    this.showTitle();
  }

  showRecording() {
    const { enabled, entries, max_entries, bytes, max_bytes } = this.recording;
    const kept = `${count(entries)} of ${count(max_entries)} entries, ${mebi(bytes)} of ${mebi(max_bytes)} MiB`;
    byId("recording").textContent = enabled ? `recording: ${kept}` : entries ? `the recording is off, ${kept} are kept` : "";
    byId("record").hidden = false;
    byId("record").textContent = enabled ? "Stop recording" : "Start recording";
  }

  /** Looks for calls in the whole recording; what the server tells by itself are the latest. */
  search() {
    clearTimeout(this.searching);
    this.older = [];
    this.showList();
    if (!wanted()) return;
    this.searching = setTimeout(async () => {
      this.older = (await ask("record.calls", [MOST_SEARCHED])) ?? [];
      this.showList();
    }, SEARCH_MS);
  }

  showList() {
    const text = wanted();
    const latest = this.held ?? this.calls;
    const ids = new Set(latest.map((call) => call.call_id));
    const older = text ? this.older.filter((call) => !ids.has(call.call_id)) : [];
    const found = [...latest, ...older].filter((call) => matches(call, text)).slice(0, MOST_LISTED);
    byId("calls-note").textContent = found.length ? "" : this.nothing(text);
    const list = byId("call-list");
    const entered = list.querySelector("button[tabindex='0']")?.dataset.call;
    put(list, ...found.map((call) => this.item(call)));
    enterable(this.buttons(), this.button(entered) ?? this.button(this.followed));
  }

  nothing(text) {
    if (text && this.calls.length) return "No call matches.";
    if (this.recording?.enabled) return "No call yet: what comes from now on is shown here.";
    return "The server records no calls now. Recording keeps the last messages and what the script decided in memory.";
  }

  buttons() {
    return [...byId("call-list").querySelectorAll("button")];
  }

  button(callId) {
    return this.buttons().find((button) => button.dataset.call === callId);
  }

  item(call) {
    const errors = call.errors ? [element("span", { class: "mark error" }, plural(call.errors, "script error"))] : [];
    const attributes = { type: "button", class: "call-item", "data-call": call.call_id, "aria-pressed": String(call.call_id === this.followed) };
    return element(
      "li",
      { "data-key": call.call_id },
      element(
        "button",
        attributes,
        element("span", { class: "who" }, element("span", { class: "method" }, call.method), " ", wrapping(title(call))),
        element(
          "span",
          { class: "how" },
          element("span", { class: `state ${call.state}` }, stateOf(call)),
          ` ${timeOfDay(call.began_us)}, ${lasted(call)}, ${plural(call.messages, "message")} `,
          ...errors,
        ),
      ),
    );
  }

  open(callId) {
    this.followed = callId;
    this.known = null;
    byId("message").hidden = true;
    byId("call").hidden = false;
    this.ladder.clear();
    this.showList();
    this.showTitle();
    byId("call-title").focus({ preventScroll: true });
    this.comesIntoSight();
  }

  comesIntoSight() {
    const narrow = innerWidth < BESIDE;
    byId(narrow ? "calls" : "call").scrollIntoView({ block: narrow ? "start" : "nearest" });
  }

  close() {
    const callId = this.followed;
    this.followed = "";
    byId("message").hidden = true;
    byId("call").hidden = true;
    this.showList();
    const button = this.button(callId) ?? this.buttons()[0];
    enterable(this.buttons(), button);
    button?.focus();
  }

  showTitle() {
    if (!this.followed) return;
    this.known = this.calls.find((call) => call.call_id === this.followed) ?? this.ladder.data?.call ?? this.known;
    const call = this.known;
    put(byId("call-title"), ...(call ? [element("span", { class: "method" }, call.method), " ", wrapping(title(call))] : ["Call"]));
    const about = call ? [element("span", { class: `state ${call.state}` }, stateOf(call)), `, ${lasted(call)}, ${plural(call.messages, "message")}, `] : [];
    put(byId("call-about"), ...about, element("span", { class: "short" }, "Call-ID"), ` ${this.followed}${this.note()}`);
  }

  note() {
    const data = this.ladder.data;
    if (!data) return "";
    if (!data.rows.length) return ": nothing of it is recorded";
    return data.left_out ? `; the first ${plural(data.left_out, "row")} are left out` : "";
  }

  showCall(data) {
    if (data.call_id !== this.followed) return;
    const isFirst = !this.ladder.data;
    this.ladder.show(data);
    this.showTitle();
    // A link opens a call before there is anything above it.
    if (isFirst) this.comesIntoSight();
  }

  openMessage(row) {
    fill(row, this.ladder.data.columns);
    byId("message").hidden = false;
    byId("message-title").focus({ preventScroll: true });
  }

  closeMessage() {
    byId("message").hidden = true;
    this.ladder.leave();
  }

  async record() {
    const recording = await ask("record.enable", [this.recording.enabled ? 0 : 1]);
    if (recording) {
      this.recording = recording;
      this.showRecording();
      this.showList();
    } else {
      byId("recording").textContent = "the server did not take it";
    }
  }
}

function wanted() {
  return byId("filter").value.trim().toLowerCase();
}

function matches(call, text) {
  return [call.from_uri, call.to_uri, call.call_id, call.method].some((one) => one.toLowerCase().includes(text));
}

function title(call) {
  return `${shortUri(call.from_uri)} → ${shortUri(call.to_uri)}`;
}

function stateOf(call) {
  return `${call.state}${call.status ? ` ${call.status}` : ""}`;
}

function mebi(bytes) {
  return (bytes / 1048576).toFixed(1).replace(".0", "");
}

function lasted(call) {
  const seconds = (call.talked_us ?? call.lasted_us) / 1e6;
  return seconds < 60 ? `${seconds.toFixed(3)} s` : clock(seconds);
}
