// The page of a running server: a stream of what changes, and the sections that show it.

import { Calls } from "./calls.js";
import { byId } from "./parts.js";
import { remember, showHead, showRegistrations, showScript, showTls, showTraffic } from "./sections.js";

const RETRY_MS = 2000;
// Without a word for so long the server, or the way to it, is gone.
const SILENCE_MS = 5000;
const CALL = "#call=";
let state = {};
let source = null;
let heard = 0;

const calls = new Calls((callId) => {
  if (callId) {
    location.hash = CALL + encodeURIComponent(callId);
  } else {
    // An empty fragment would lead to the top of the page.
    history.pushState(null, "", location.pathname);
    follow();
  }
});

function connect() {
  source?.close();
  const events = (source = new EventSource(`/page/live?call=${encodeURIComponent(calls.followed)}`));
  heard = Date.now();
  const on = (name, action) =>
    events.addEventListener(name, (event) => {
      heard = Date.now();
      action(JSON.parse(event.data));
    });
  on("history", remember);
  on("state", showState);
  on("call", (data) => calls.showCall(data));
  on("problem", (data) => say("problem", data.error));
  events.addEventListener("error", () => {
    say("away", "the server does not answer; trying again");
    if (events.readyState === EventSource.CLOSED) setTimeout(() => events === source && again(), RETRY_MS);
  });
}

/** After a refusal: the token may have been replaced, and the form for another one is where the page was. */
async function again() {
  const answer = await fetch("/page/icon.svg").catch(() => null);
  if (answer?.status === 401) location.reload();
  else connect();
}

function say(kind, text) {
  const place = byId("live");
  if (place.textContent !== text) place.textContent = text;
  place.className = `live ${kind}`;
}

function showState(changed) {
  state = { ...state, ...changed };
  say("live", "live");
  remember([{ received: state.received, sent: state.sent, failed: state.failed }], true);
  showHead(state);
  showTraffic(state);
  calls.show(state);
  showScript(state);
  showTls(state);
  showRegistrations(state);
}

/** Opens the call that the address names, so that Back closes it and a link leads to it. */
function follow() {
  if (location.hash.startsWith(CALL)) {
    let callId = "";
    try {
      callId = decodeURIComponent(location.hash.slice(CALL.length));
    } catch {
      return;
    }
    if (callId && callId !== calls.followed) {
      calls.open(callId);
      connect();
    }
  } else if (calls.followed && !location.hash) {
    calls.close();
    connect();
  }
}

// A page that nobody sees asks nothing.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    source?.close();
    source = null;
    say("away", "paused");
  } else {
    connect();
  }
});
setInterval(() => {
  if (source && Date.now() - heard > SILENCE_MS) {
    say("away", "the server does not answer; trying again");
    connect();
  }
}, 1000);
addEventListener("hashchange", follow);
follow();
if (!source) connect();
