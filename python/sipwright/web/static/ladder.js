// A call as a ladder diagram in SVG, drawn to the width that there is.

import { arrows, byId, element, enterable, pairs, put, shape } from "./parts.js";

const ROW = 30;
const HEAD = 46;
const SIDE = 8;
const TIME = 58;
// Below that the times take more room than they are worth.
const NARROW = 480;
// Columns farther apart tell no more; nearer ones have no room for labels, so that the ladder scrolls.
const [NEAREST, WIDEST] = [96, 460];
// Width of a character of the labels, generously.
const CHARACTER = 7.3;
const DECISIONS = new Set(["route", "function"]);

/** Draws a ladder into `place`; `open(row)` is called for a row that is chosen. */
export class Ladder {
  constructor(place, open) {
    this.place = place;
    this.open = open;
    this.showsDecisions = true;
    this.clear();
    new ResizeObserver(() => this.drawnFor !== this.room() && this.draw()).observe(place);
    arrows(place, ".row");
    place.addEventListener("click", (event) => this.onChoice(event));
    place.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") this.onChoice(event);
    });
  }

  clear() {
    this.data = null;
    this.chosen = null;
    put(this.place);
  }

  show(data) {
    this.data = data;
    this.draw();
  }

  onChoice(event) {
    const drawn = event.target.closest(".row");
    if (!drawn) return;
    event.preventDefault();
    this.choose(Number(drawn.dataset.key));
  }

  choose(number) {
    this.chosen = number;
    this.draw();
    const drawn = this.drawn(number);
    drawn?.focus({ preventScroll: true });
    this.open(this.data.rows.find((row) => row.entry.number === number));
    drawn?.scrollIntoView({ block: "nearest" });
  }

  /** Chooses the next row, or the one before. */
  step(by) {
    const rows = this.rows();
    const next = rows[rows.findIndex((row) => row.entry.number === this.chosen) + by];
    if (next) this.choose(next.entry.number);
  }

  /** Puts the focus back on the row that was chosen, which is chosen no more. */
  leave() {
    const number = this.chosen;
    this.chosen = null;
    this.draw();
    enterable(this.all(), this.drawn(number));
    this.drawn(number)?.focus({ preventScroll: true });
  }

  all() {
    return [...this.place.querySelectorAll(".row")];
  }

  drawn(number) {
    return this.all().find((row) => row.dataset.key === String(number));
  }

  rows() {
    return this.data.rows.filter((row) => this.showsDecisions || !DECISIONS.has(row.tone));
  }

  room() {
    return Math.max(this.place.clientWidth, 260);
  }

  draw() {
    if (!this.data) return;
    const room = (this.drawnFor = this.room());
    this.time = room < NARROW ? 0 : TIME;
    const many = this.data.columns.length;
    const gap = Math.min(Math.max((room - this.time - 2 * SIDE) / many, NEAREST), WIDEST);
    const width = (this.width = Math.max(room, this.time + 2 * SIDE + gap * many));
    const x = (column) => SIDE + this.time + gap * (column + 0.5);
    const rows = this.rows();
    const height = HEAD + rows.length * ROW + 10;
    const picture = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Ladder diagram" });
    this.data.columns.forEach((name, column) => picture.append(this.column(name, x(column), gap, height)));
    rows.forEach((row, index) => picture.append(this.row(row, index, x, rows.length)));
    const entered = this.place.querySelector(".row[tabindex='0']")?.dataset.key ?? this.chosen;
    put(this.place, picture);
    enterable(this.all(), this.drawn(entered));
  }

  column(name, x, gap, height) {
    const at = name.indexOf(":");
    const [proto, address] = at < 0 ? ["", name] : [name.slice(0, at), name.slice(at + 1)];
    return shape(
      "g",
      { class: at < 0 ? "column server" : "column" },
      shape("title", {}, name),
      shape("line", { x1: x, y1: HEAD - 4, x2: x, y2: height, class: "life" }),
      shape("text", { x, y: 16, class: "proto" }, proto),
      shape("text", { x, y: at < 0 ? 26 : 33, class: "name" }, cut(address, gap - 4, true)),
    );
  }

  row(row, index, x, many) {
    const y = HEAD + index * ROW;
    const isChosen = row.entry.number === this.chosen;
    const kinds = ["row", row.tone, row.again ? "again" : "", isChosen ? "chosen" : ""].filter(Boolean).join(" ");
    const drawn = shape("g", {
      class: kinds,
      role: "button",
      tabindex: "-1",
      "aria-label": spoken(row, this.data.columns, index, many),
      "aria-pressed": String(isChosen),
      "data-key": row.entry.number,
    });
    drawn.append(shape("rect", { x: 1, y: y + 1, width: this.width - 2, height: ROW - 2, rx: 4, class: "hit" }));
    if (this.time) drawn.append(shape("text", { x: TIME, y: y + 19, class: "time" }, row.seconds.toFixed(3)));
    drawn.append(...(row.source === row.target ? this.decision(row, y, x) : this.arrow(row, y, x)));
    return drawn;
  }

  decision(row, y, x) {
    const at = x(row.source);
    const text = cut(row.label, this.width - this.time - 2 * SIDE - 14);
    const long = [...text].length * CHARACTER;
    // To the right of the server's line where it fits, otherwise as far left as needed.
    const start = Math.max(this.time + SIDE + 14, Math.min(at + 10, this.width - SIDE - long));
    const covers = start < at + 10;
    return [
      shape("circle", { cx: covers ? start - 9 : at, cy: y + ROW / 2, r: 4, class: "mark" }),
      shape("rect", { x: start - 3, y: y + 6, width: long + 6, height: ROW - 12, class: "back" }),
      shape("text", { x: start, y: y + 19, class: "label decision" }, text),
    ];
  }

  arrow(row, y, x) {
    const [from, to] = [x(row.source), x(row.target)];
    const tip = to > from ? -1 : 1;
    const line = y + ROW - 7;
    const label = cut(row.label + (row.again ? " (again)" : ""), Math.abs(to - from) - 8);
    const long = [...label].length * CHARACTER;
    const middle = (from + to) / 2;
    return [
      shape("line", { x1: from, y1: line, x2: to + tip * 6, y2: line, class: "shaft" }),
      shape("path", { d: `M${to} ${line}l${tip * 8} -4v8z`, class: "tip" }),
      // Lines of the columns between the two do not cross the text.
      shape("rect", { x: middle - long / 2 - 2, y: y + 5, width: long + 4, height: 15, class: "back" }),
      shape("text", { x: middle, y: y + 17, class: "label" }, label),
    ];
  }
}

/** Text for a width; of an address the end tells more than the beginning. */
function cut(text, width, keepsEnd = false) {
  const most = Math.max(Math.floor(width / CHARACTER), 3);
  const characters = [...text];
  if (characters.length <= most) return text;
  return keepsEnd ? `…${characters.slice(1 - most).join("")}` : `${characters.slice(0, most - 1).join("")}…`;
}

function spoken(row, columns, index, many) {
  const where = row.source === row.target ? "" : `, ${columns[row.source]} to ${columns[row.target]}`;
  return `${row.label}${row.again ? ", again" : ""}${where}, ${row.seconds.toFixed(3)} s, ${index + 1} of ${many}`;
}

/** Fills the panel that shows a row. */
export function fill(row, columns) {
  const [title, about, text] = details(row, columns);
  byId("message-title").textContent = title;
  put(byId("message-about"), ...pairs(about));
  byId("message-text").replaceChildren(...(row.entry.kind === "error" ? [text] : coloured(text)));
  byId("message-text").hidden = !text;
  byId("message-text").scrollTop = 0;
}

function details(row, columns) {
  const entry = row.entry;
  const at = element("time", { class: "short" }, new Date(entry.wall_us / 1000).toISOString());
  const about = [["Time", element("span", {}, `${row.seconds.toFixed(6)} s after the first, `, at)]];
  if (row.source !== row.target) {
    about.push(["From", columns[row.source]], ["To", columns[row.target]]);
    if (entry.connection) about.push(["Connection", String(entry.connection)]);
    about.push(["Size", `${entry.size} bytes`]);
    return [row.label, about, entry.encoding === "base64" ? `base64: ${entry.data}` : entry.data];
  }
  if (entry.kind === "error") return [entry.name, about, entry.result];
  about.push(["Took", `${(entry.spent_us / 1000).toFixed(3)} ms`]);
  if (entry.arguments) about.push([entry.kind === "route" ? "Event" : "Arguments", entry.arguments]);
  if (entry.result) about.push([entry.kind === "route" ? "Ended" : "Returned", entry.result]);
  return [entry.name, about, ""];
}

/** A message with its first line and the names of its headers told apart. */
function coloured(text) {
  const end = text.indexOf("\r\n\r\n");
  const head = end < 0 ? text : text.slice(0, end);
  const lines = head.split("\r\n").map((line, index) => {
    const name = index ? /^[^\s:]+(?=\s*:)/.exec(line)?.[0] : undefined;
    if (!index) return [element("strong", {}, line)];
    return name ? [element("span", { class: "name" }, name), line.slice(name.length)] : [line];
  });
  const body = end < 0 ? [] : [text.slice(end).replaceAll("\r\n", "\n")];
  return [...lines.flatMap((line, index) => (index ? ["\n", ...line] : line)), ...body];
}
