"""What the page shows, collected for all who look at it: each question is asked of the server once, not once a browser."""

import asyncio
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sipwright.control.rpc import RpcError
from sipwright.record.entry import Entry
from sipwright.views import certificate
from sipwright.views.ladder import ladder_of
from sipwright.views.sample import Change, Sample

Call = Callable[[str, list[Any]], Awaitable[Any]]

SAMPLE_S: Final = 1.0
# What changes slowly and may be many.
SLOW_S: Final = 5.0
# Of the chart. After a gap, in which nobody looked, it begins anew.
HISTORY: Final = 120
GAP_S: Final = 5.0
MOST_CALLS: Final = 50
MOST_SEARCHED: Final = 1_000
MOST_ROWS: Final = 100
# Beyond that the table is not walked for the page; the number is shown.
MOST_WALKED: Final = 20_000
# Rows of one ladder: the latest.
MOST_ENTRIES: Final = 400
_PIECE: Final = 400
_URI_PASSWORD: Final = re.compile(r"(?i)(sips?:[^\s:@<>]*:)([^\s@;?<>]+)(?=@)")


@dataclass(slots=True)
class _Kept:
    value: Any = None
    at: float = -1e9
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Feed:
    """Answers for the page, from `call(method, params)`; what was asked a moment ago is not asked again."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._kept: dict[str, _Kept] = {}
        self._before: Sample | None = None
        self._recorded = (-1, -1)
        self._calls: list[dict[str, Any]] = []
        self._history: deque[dict[str, float]] = deque(maxlen=HISTORY)

    @property
    def history(self) -> list[dict[str, float]]:
        """Rates of the last seconds, the oldest first."""
        return list(self._history)

    async def state(self) -> dict[str, Any]:
        """Everything but ladders, at most so old as samples are apart. Raises RpcError."""
        shown: dict[str, Any] = await self._fresh("state", SAMPLE_S * 0.9, self._state)
        return shown

    def follow(self, call_id: str) -> "Followed":
        """A call to look at while it goes on."""
        return Followed(self._call, call_id, self._about)

    async def _about(self, call_id: str) -> dict[str, Any] | None:
        """What the list of calls says of one, however long ago it was; None when it does not know it."""
        known = [call for call in self._calls if call["call_id"] == call_id]
        if not known:
            known = [call for call in await self._call("record.calls", [MOST_SEARCHED]) if call["call_id"] == call_id]
        return known[0] if known else None

    async def _fresh(self, name: str, for_s: float, make: Callable[[], Awaitable[Any]]) -> Any:
        kept = self._kept.setdefault(name, _Kept())
        async with kept.lock:
            if time.monotonic() - kept.at >= for_s:
                kept.value = await make()
                kept.at = time.monotonic()
        return kept.value

    async def _state(self) -> dict[str, Any]:
        now = await self._sample()
        before, self._before = self._before or now, now
        if now.at - before.at > GAP_S:
            self._history.clear()
            before = now
        shown = figures(Change(before, now))
        self._history.append({name: shown[name] for name in ("received", "sent", "failed")})
        return {
            "info": dict(now.info),
            **shown,
            "workers": now.workers,
            **await self._recording(),
            **await self._connections(shown["connections"], shown["registered"]),
            **await self._fresh("slow", SLOW_S, self._slow),
        }

    async def _sample(self) -> Sample:
        names = ("core.info", "core.stats", "core.traffic", "core.workers")
        info, stats, traffic, workers = [await self._call(name, []) for name in names]
        return Sample(time.monotonic(), info, stats, traffic, workers)

    async def _recording(self) -> dict[str, Any]:
        """The latest calls, errors and slow routes; the recording is looked through only when it has changed."""
        status = await self._call("record.status", [])
        # `record.clear` leaves the numbers as they are.
        if (status["next"], status["entries"]) != self._recorded:
            self._calls = await self._call("record.calls", [MOST_CALLS])
            self._recorded = status["next"], status["entries"]
        notable = (await self._call("record.notable", []))[-MOST_ROWS:]
        return {"recording": status, "calls": self._calls, "notable": [_without_data(row) for row in notable]}

    async def _connections(self, connections: Mapping[str, int], users: int) -> dict[str, Any]:
        secure = connections.get("tls", 0) + connections.get("wss", 0)
        tls_s, users_s = (SLOW_S if many > MOST_ROWS else 0.0 for many in (secure, users))
        return {
            "tls_total": secure,
            "tls": await self._fresh("tls", tls_s, lambda: self._tls(secure)),
            "registrations": await self._fresh("users", users_s, lambda: self._registrations(users)),
        }

    async def _tls(self, total: int) -> list[dict[str, Any]]:
        if total > MOST_WALKED:
            return []
        names = ("id", "src_ip", "src_port", "state", "outbound", "timeout", "thread")
        agreed = ("cipher", "version", "profile", "server_name", "verified", "resumed", "certificate", "unverified")
        more = ("own_certificate", "peer_certificate")
        rows = await self._call("tls.list", [MOST_ROWS])
        return [{name: row.get(name) for name in (*names, *agreed, *more)} for row in rows]

    async def _registrations(self, users: int) -> list[dict[str, Any]]:
        if users > MOST_WALKED:
            return []
        dumped = await _or_none(self._call("ul.dump", ["", MOST_ROWS])) or {"Domains": []}
        return [row for domain in dumped["Domains"] for row in _bindings(domain["Domain"])][:MOST_ROWS]

    async def _slow(self) -> dict[str, Any]:
        kinds: dict[str, dict[str, Any]] = {}
        for thread in await self._call("core.threads", []):
            row = kinds.setdefault(thread["kind"], {"kind": thread["kind"], "threads": 0, "python": 0})
            row["threads"] += 1
            row["python"] += thread["python"]
        options = await self._call("tls.options", [])
        return {
            "threads": sorted(kinds.values(), key=lambda row: str(row["kind"])),
            "certificates": await asyncio.to_thread(certificates, options, time.time()),
        }


class Followed:
    """A call that somebody looks at."""

    def __init__(self, call: Call, call_id: str, about: Callable[[str], Awaitable[dict[str, Any] | None]]) -> None:
        self._call = call
        self._about = about
        self._call_id = call_id
        self._next = 0
        self._entries: deque[Entry] = deque(maxlen=MOST_ENTRIES)
        self._left_out = 0
        self._is_new = True

    async def news(self) -> dict[str, Any] | None:
        """Its ladder if it is not what it was at the last look, or at the first look; else None. Raises RpcError."""
        changed, self._is_new = self._is_new, False
        is_end = (await self._call("record.status", []))["next"] == self._next
        while not is_end:
            answer = await self._call("record.read", [self._next, _PIECE, self._call_id])
            found = [Entry.from_json(row) for row in answer["entries"]]
            self._left_out += max(0, len(self._entries) + len(found) - MOST_ENTRIES)
            self._entries.extend(found)
            changed = changed or bool(found)
            self._next, is_end = answer["next"], answer["end"]
        if not changed:
            return None
        about = await self._about(self._call_id) if self._entries else None
        shown = {"call_id": self._call_id, "call": about, "left_out": self._left_out}
        return {**shown, **ladder_of(self._entries).to_json()}


def figures(change: Change) -> dict[str, Any]:
    """Rates and gauges as numbers."""
    stats, traffic = change.after.stats, change.after.traffic
    rows = {kind: _messages(change, kind) for kind in ("requests", "responses")}
    routes = [
        {"name": name, "rate": change.route(name)[0], "mean_ms": change.route(name)[1], **times}
        for name, times in traffic["routes"].items()
    ]
    received, sent = (change.total("requests", way) + change.total("responses", way) for way in ("received", "sent"))
    return {
        **rows,
        "received": received,
        "sent": sent,
        "failed": sum(change.messages("responses", name, "sent") for name in ("4xx", "5xx", "6xx")),
        "routes": sorted(routes, key=lambda row: -row["total_us"])[:MOST_ROWS],
        "errors": [{"name": name, "total": total, "rate": rate} for name, total, rate in change.errors()],
        "connections": traffic["connections"],
        "transactions": stats.get("transactions", 0),
        "registered": stats.get("registered_users", 0),
        "queue": stats.get("queue_length", 0),
        "wait_ms": change.waits()[1],
        "handshakes": change.rate("handshakes_ok"),
        "handshakes_failed": change.handshake_failures(),
    }


def _messages(change: Change, kind: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "received": change.messages(kind, name, "received"),
            "sent": change.messages(kind, name, "sent"),
            "total": row["received"] + row["sent"],
        }
        for name, row in change.after.traffic[kind].items()
        if row["received"] or row["sent"]
    ]


def certificates(options: Mapping[str, Any], now: float) -> list[dict[str, Any]]:
    """The certificates of the profiles of `tls.options`, each file once with what the profiles ask of the other side."""
    found: dict[str, dict[str, Any]] = {}
    for side in ("server", "client"):
        for profile in options[side]:
            path = profile.get("certificate") or ""
            row = found.get(path) or found.setdefault(path, {"file": path, "profiles": [], **_certificate(path, now)})
            asks = profile.get("verify_client") if side == "server" else profile.get("verify")
            names = {name: profile.get(name) for name in ("profile", "address", "server_name", "min_version")}
            row["profiles"].append({"side": side, "verifies": asks, **names})
    return list(found.values())


def _certificate(path: str, now: float) -> dict[str, Any]:
    if not path:
        return {}
    try:
        read = certificate.read(Path(path))
    except certificate.CertificateError as error:
        return {"problem": str(error)}
    names = {"subject": read.subject, "issuer": read.issuer, "names": read.names}
    return {**names, "ends": certificate.ends(read), "days_left": read.days_left(now)}


def _without_data(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("data", "encoding")}


def _bindings(domain: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = {"contact": "Address", "expires": "Expires", "user_agent": "User-Agent", "received": "Received"}
    rows = []
    for user in domain["AoRs"]:
        for contact in user["Info"]["Contacts"]:
            row = contact["Contact"]
            shown = {name: row[key] if row[key] != "[not set]" else "" for name, key in names.items()}
            rows.append({"aor": user["Info"]["AoR"], **shown, "contact": without_password(row["Address"])})
    return rows


def without_password(uri: str) -> str:
    """A URI whose password, if it has one (RFC 3261 section 19.1.1), is as many `x`."""
    return _URI_PASSWORD.sub(lambda found: found[1] + "x" * len(found[2]), uri)


async def _or_none(asked: Awaitable[Any]) -> Any:
    """None where the method is not there."""
    try:
        return await asked
    except RpcError:
        return None
