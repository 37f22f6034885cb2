"""What the page shows, collected for all who look at it: each question is asked of the server once, not once a browser."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sipwright.record.entry import Entry
from sipwright.views.ladder import ladder_of
from sipwright.views.sample import Change, Sample

Call = Callable[[str, list[Any]], Awaitable[Any]]

SAMPLE_S: Final = 1.0
# Registrations change slowly and may be many.
REGISTRATIONS_S: Final = 5.0
MOST_CALLS: Final = 50
MOST_ROWS: Final = 100
# Beyond that the table is not walked for the page; the number is shown.
MOST_USERS_WALKED: Final = 20_000
MOST_ENTRIES: Final = 1_000


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
        self._recorded = -1
        self._calls: list[dict[str, Any]] = []

    async def state(self) -> dict[str, Any]:
        """Everything but ladders."""
        shown: dict[str, Any] = await self._fresh("state", SAMPLE_S * 0.9, self._state)
        return shown

    async def ladder(self, call_id: str) -> dict[str, Any] | None:
        """The ladder of a call; None when it is not recorded."""
        answer = await self._call("record.read", [0, MOST_ENTRIES, call_id])
        if not answer["entries"]:
            return None
        ladder = ladder_of(Entry.from_json(row) for row in answer["entries"])
        found = [call for call in await self.calls() if call["call_id"] == call_id]
        return {"call_id": call_id, "call": found[0] if found else None, **ladder.to_json()}

    async def last_number(self) -> int:
        """Number that the next entry of the recording gets."""
        found: int = (await self._call("record.status", []))["next"]
        return found

    async def calls(self) -> list[dict[str, Any]]:
        """The latest calls; the recording is looked through only when there is something new in it."""
        number = await self.last_number()
        if number != self._recorded:
            self._calls = await self._call("record.calls", [MOST_CALLS])
            self._recorded = number
        return self._calls

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
        change = Change(before, now)
        users = now.stats.get("registered_users", 0)
        return {
            "info": dict(now.info),
            "seconds": change.seconds,
            **figures(change),
            "workers": now.workers,
            "recording": await self._call("record.status", []),
            "calls": await self.calls(),
            "notable": [_without_data(row) for row in (await self._call("record.notable", []))[-MOST_ROWS:]],
            "tls": (await self._call("tls.list", []))[:MOST_ROWS],
            "profiles": await self._fresh("profiles", REGISTRATIONS_S, self._profiles),
            "registrations": await self._fresh("users", REGISTRATIONS_S, lambda: self._registrations(users)),
        }

    async def _sample(self) -> Sample:
        names = ("core.info", "core.stats", "core.traffic", "core.workers")
        info, stats, traffic, workers = [await self._call(name, []) for name in names]
        return Sample(time.monotonic(), info, stats, traffic, workers)

    async def _profiles(self) -> list[dict[str, Any]]:
        options = await self._call("tls.options", [])
        names = ("profile", "address", "server_name", "certificate", "min_version", "verify_client", "verify")
        sides = [(side, profile) for side in ("server", "client") for profile in options[side]]
        return [{"side": side, **{name: profile.get(name) for name in names}} for side, profile in sides]

    async def _registrations(self, users: int) -> list[dict[str, Any]]:
        if users > MOST_USERS_WALKED:
            return []
        dumped = await self._call("ul.dump", ["", MOST_ROWS])
        return [row for domain in dumped["Domains"] for row in _bindings(domain["Domain"])][:MOST_ROWS]


def figures(change: Change) -> dict[str, Any]:
    """Rates and gauges as numbers."""
    stats, traffic = change.after.stats, change.after.traffic
    rows = {
        kind: [
            {
                "name": name,
                "received": change.messages(kind, name, "received"),
                "sent": change.messages(kind, name, "sent"),
                "total": row["received"] + row["sent"],
            }
            for name, row in traffic[kind].items()
            if row["received"] or row["sent"]
        ]
        for kind in ("requests", "responses")
    }
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


def _without_data(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("data", "encoding")}


def _bindings(domain: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for user in domain["AoRs"]:
        for contact in user["Info"]["Contacts"]:
            row = contact["Contact"]
            names = {"contact": "Address", "expires": "Expires", "user_agent": "User-Agent", "socket": "Socket"}
            rows.append({"aor": user["Info"]["AoR"], **{name: row[key] for name, key in names.items()}})
    return rows
