// Small pieces of the page. Text from the network gets into it by textContent alone.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; strings become text. */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function shape(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Replaces what is in an element if it would look different, so that focus and selection stay. */
export function put(id, ...children) {
  const place = document.getElementById(id);
  const fresh = element("div", {}, ...children);
  if (place.textContent !== fresh.textContent || place.childElementCount !== fresh.childElementCount) {
    place.replaceChildren(...fresh.childNodes);
  }
}

/** A table: `columns` are [title, how to show a row, class]; an empty one says so. */
export function table(caption, columns, rows, none) {
  if (!rows.length) return element("p", { class: "note" }, none);
  const head = element("tr", {}, ...columns.map(([title, , kind]) => element("th", { scope: "col", class: kind ?? "" }, title)));
  const lines = rows.map((row) =>
    element("tr", {}, ...columns.map(([title, show, kind]) => element("td", { "data-title": title, class: kind ?? "" }, String(show(row))))),
  );
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    element("table", {}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...lines)),
  );
}

/** A number for people. */
export function count(value) {
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 });
}

/** Milliseconds for people. */
export function milliseconds(value) {
  if (value < 10) return `${value.toFixed(2)} ms`;
  return value < 10000 ? `${value.toFixed(0)} ms` : `${(value / 1000).toFixed(1)} s`;
}

/** Seconds as hours, minutes and seconds. */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  return `${hours ? `${hours}:` : ""}${hours ? two(Math.floor(whole / 60) % 60) : Math.floor(whole / 60)}:${two(whole % 60)}`;
}

/** Time of day of microseconds since 1970. */
export function timeOfDay(micros) {
  return new Date(micros / 1000).toLocaleTimeString("en-GB");
}

/** A URI without scheme and parameters. */
export function shortUri(uri) {
  return uri.replace(/^[a-z]+:/i, "").split(";")[0] || uri;
}

/** Moves the focus among elements with the arrow keys, Home and End; only one of them is in the order of Tab. */
export function arrows(container, selector) {
  container.addEventListener("keydown", (event) => {
    const all = [...container.querySelectorAll(selector)];
    const at = all.indexOf(event.target.closest(selector));
    if (at < 0) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = all[Math.min(Math.max(to, 0), all.length - 1)];
    for (const each of all) each.setAttribute("tabindex", each === next ? "0" : "-1");
    next.focus();
  });
}
