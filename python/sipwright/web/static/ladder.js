// A call as a ladder diagram in SVG, drawn to the width that there is.

import { arrows, element, shape } from "./parts.js";

const ROW = 30;
const HEAD = 46;
const SIDE = 8;
// Width of a character of the labels, on average and generously.
const CHARACTER = 6.9;
const DECISIONS = new Set(["route", "function"]);

/** Draws `ladder` into `place`; `open(row, shape)` is called for a row that is chosen. */
export class Ladder {
  constructor(place, open) {
    this.place = place;
    this.open = open;
    this.data = null;
    this.showsDecisions = true;
    this.chosen = null;
    new ResizeObserver(() => this.draw()).observe(place);
    arrows(place, ".row");
    place.addEventListener("click", (event) => this.choose(event));
    place.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") this.choose(event);
    });
  }

  show(data) {
    this.data = data;
    this.draw(true);
  }

  choose(event) {
    const drawn = event.target.closest(".row");
    if (!drawn) return;
    event.preventDefault();
    this.chosen = Number(drawn.dataset.number);
    this.draw(true);
    this.focus();
    this.open(this.data.rows.find((row) => row.entry.number === this.chosen));
  }

  /** Puts the focus back on the row that was chosen. */
  focus() {
    this.place.querySelector(`.row[data-number="${this.chosen}"]`)?.focus();
  }

  draw(again = false) {
    const width = Math.max(this.place.clientWidth, 260);
    if (!this.data || (!again && width === this.width)) return;
    this.width = width;
    const focused = document.activeElement?.closest?.("#ladder .row")?.dataset.number;
    const rows = this.data.rows.filter((row) => this.showsDecisions || !DECISIONS.has(row.tone));
    const gap = (width - 2 * SIDE) / this.data.columns.length;
    const x = (column) => SIDE + gap * (column + 0.5);
    const height = HEAD + rows.length * ROW + 10;
    const picture = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Ladder diagram" });
    this.data.columns.forEach((name, column) => {
      picture.append(...this.column(name, x(column), gap, height));
    });
    rows.forEach((row, index) => picture.append(this.row(row, index, x, rows.length)));
    const target = rows.find((row) => row.entry.number === (Number(focused) || this.chosen)) ?? rows[0];
    this.place.replaceChildren(picture);
    const first = target && this.place.querySelector(`.row[data-number="${target.entry.number}"]`);
    first?.setAttribute("tabindex", "0");
    if (focused) first?.focus({ preventScroll: true });
  }

  column(name, x, gap, height) {
    const at = name.indexOf(":");
    const [proto, address] = at < 0 ? ["", name] : [name.slice(0, at), name.slice(at + 1)];
    const title = shape("title", {}, name);
    return [
      shape("line", { x1: x, y1: HEAD - 4, x2: x, y2: height, class: "life" }),
      shape("text", { x, y: 16, class: "proto" }, proto),
      shape("text", { x, y: 33, class: "column" }, cut(address, gap - 4), title),
    ];
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
      "data-number": row.entry.number,
    });
    drawn.append(shape("rect", { x: 1, y: y + 1, width: this.width - 2, height: ROW - 2, rx: 4, class: "hit" }));
    drawn.append(...(row.source === row.target ? this.decision(row, y, x) : this.arrow(row, y, x)));
    return drawn;
  }

  decision(row, y, x) {
    const at = x(row.source);
    const text = cut(row.label, this.width - 2 * SIDE - 14);
    const long = text.length * CHARACTER;
    // To the right of the server's line where it fits, otherwise as far left as needed.
    const start = Math.max(SIDE + 14, Math.min(at + 10, this.width - SIDE - long));
    return [
      shape("circle", { cx: at, cy: y + ROW / 2, r: 4, class: "mark" }),
      shape("rect", { x: start - 3, y: y + 6, width: long + 6, height: ROW - 12, class: "back" }),
      shape("text", { x: start, y: y + 19, class: "label decision" }, text),
    ];
  }

  arrow(row, y, x) {
    const [from, to] = [x(row.source), x(row.target)];
    const tip = to > from ? -1 : 1;
    const line = y + ROW - 7;
    return [
      shape("line", { x1: from, y1: line, x2: to + tip * 6, y2: line, class: "shaft" }),
      shape("path", { d: `M${to} ${line}l${tip * 8} -4v8z`, class: "tip" }),
      shape("text", { x: (from + to) / 2, y: y + 17, class: "label" }, cut(row.label + (row.again ? " (again)" : ""), Math.abs(to - from) - 6)),
    ];
  }
}

function cut(text, width) {
  const most = Math.max(Math.floor(width / CHARACTER), 3);
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join("")}…`;
}

function spoken(row, columns, index, many) {
  const where = row.source === row.target ? "" : `, ${columns[row.source]} to ${columns[row.target]}`;
  return `${row.label}${row.again ? ", again" : ""}${where}, ${row.seconds.toFixed(3)} s, ${index + 1} of ${many}`;
}

/** What the panel beside the ladder shows of a row: [title, pairs, text]. */
export function details(row, columns) {
  const entry = row.entry;
  const pairs = [["After", `${row.seconds.toFixed(6)} s`], ["At", new Date(entry.wall_us / 1000).toISOString()]];
  if (row.source !== row.target) {
    pairs.push(["From", columns[row.source]], ["To", columns[row.target]]);
    if (entry.connection) pairs.push(["Connection", String(entry.connection)]);
    pairs.push(["Size", `${entry.size} bytes`]);
    const text = entry.encoding === "base64" ? `base64: ${entry.data}` : entry.data;
    return [row.label, pairs, text];
  }
  if (entry.kind === "error") return [entry.name, pairs, entry.result];
  pairs.push(["Took", `${(entry.spent_us / 1000).toFixed(3)} ms`]);
  if (entry.arguments) pairs.push([entry.kind === "route" ? "Event" : "Arguments", entry.arguments]);
  if (entry.result) pairs.push([entry.kind === "route" ? "Ended" : "Returned", entry.result]);
  return [entry.name, pairs, ""];
}

/** Fills the panel. */
export function fill(row, columns) {
  const [title, pairs, text] = details(row, columns);
  document.getElementById("message-title").textContent = title;
  const about = pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  document.getElementById("message-about").replaceChildren(...about);
  const body = document.getElementById("message-text");
  body.textContent = text;
  body.hidden = !text;
}
