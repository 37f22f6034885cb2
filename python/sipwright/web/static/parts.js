// Small pieces of the page. Text from the network gets into it as text alone.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

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

/** Changes what is in an element into `children`. What is the same stays: focus, selection, places of scroll bars, opened details. */
export function put(place, ...children) {
  const focused = document.activeElement;
  become(place, children);
  // An element that was moved has lost it.
  if (focused !== document.activeElement && place.contains(focused)) focused.focus({ preventScroll: true });
}

function become(place, children) {
  const keyed = new Map([...place.children].filter((old) => old.dataset.key).map((old) => [old.dataset.key, old]));
  let at = place.firstChild;
  for (const fresh of children) {
    const node = typeof fresh === "string" ? document.createTextNode(fresh) : fresh;
    const key = node.dataset?.key;
    const old = key ? keyed.get(key) : at;
    if (old && old.nodeName === node.nodeName && old.dataset?.key === key) {
      if (old === at) at = at.nextSibling;
      else place.insertBefore(old, at);
      adopt(old, node);
    } else {
      place.insertBefore(node, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function adopt(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    // Whether details are open is up to who looks at them.
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  become(old, [...fresh.childNodes]);
}

/**
 * A table: `columns` are [title, how to show a row, class]; an empty one says so. A `wide` one becomes a list of cards
 * where there is no room.
 */
export function table(caption, columns, rows, none, wide = false) {
  if (!rows.length) return element("div", { class: "none" }, element("h3", {}, caption), element("p", { class: "note" }, none));
  const head = element("tr", {}, ...columns.map(([title, , kind]) => element("th", { scope: "col", class: kind ?? "" }, title)));
  const lines = rows.map((row) => element("tr", {}, ...columns.map((column) => cell(column, row))));
  return element(
    "div",
    { class: wide ? "scroll wide" : "scroll", tabindex: "0", role: "region", "aria-label": caption },
    element("table", {}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...lines)),
  );
}

function cell([title, show, kind], row) {
  const shown = show(row);
  const attributes = { "data-title": title, class: kind ?? "" };
  return shown instanceof Node ? element("td", attributes, shown) : element("td", attributes, String(shown ?? ""));
}

/** Text that wraps behind its marks, as in a long URI, name or path, rather than within a word, a number or an address. */
export function wrapping(text) {
  const parts = text.split(/(?<=[_@;/,]|[.:](?!\d))(?=[^_@;/,.:\s])/);
  return parts.length < 2 ? text : element("span", {}, ...parts.flatMap((part, index) => (index ? [element("wbr"), part] : [part])));
}

/** Names and values. */
export function pairs(rows) {
  return rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
}

/** The result of a control method; null when there is none. */
export async function ask(method, params) {
  const body = JSON.stringify({ jsonrpc: "2.0", method, params, id: 1 });
  try {
    const answer = await fetch("/RPC", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    return (await answer.json()).result ?? null;
  } catch {
    return null;
  }
}

/** A number for people. */
export function count(value) {
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 });
}

/** A word with its number: `1 user`, `2 users`. */
export function plural(number, word) {
  return `${count(number)} ${word}${number === 1 ? "" : "s"}`;
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
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}`;
}

/** Time of day of microseconds since 1970. */
export function timeOfDay(micros) {
  return new Date(micros / 1000).toLocaleTimeString("en-GB");
}

/** A URI without scheme and parameters. */
export function shortUri(uri) {
  return uri.replace(/^[a-z]+:/i, "").split(";")[0] || uri;
}

/** Moves the focus among elements with the arrow keys, Home and End; one of them is in the order of Tab: see `enterable`. */
export function arrows(container, selector) {
  container.addEventListener("keydown", (event) => {
    const all = [...container.querySelectorAll(selector)];
    const at = all.indexOf(event.target.closest(selector));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const next = all[Math.min(Math.max(to, 0), all.length - 1)];
    enterable(all, next);
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  });
}

/** Has Tab lead to one of the elements: `chosen`, or the first. */
export function enterable(all, chosen) {
  const one = chosen ?? all[0];
  for (const each of all) each.setAttribute("tabindex", each === one ? "0" : "-1");
}
