"""What the page is told: asked once for all, bounded, without passwords and keys."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sipwright import _engine
from sipwright.record.entry import Entry
from sipwright.web import feed
from sipwright.web.feed import MOST_ENTRIES, Feed, certificates, without_password

TIMES = {"count": 4, "total_us": 800, "longest_us": 300}


def entry(number: int, call_id: str = "one", kind: str = "received") -> dict[str, Any]:
    return Entry(
        number,
        kind,
        number * 1000,
        number,
        0,
        "udp",
        ("127.0.0.1", 5060),
        ("127.0.0.1", 5070),
        *(0, call_id, "OPTIONS", 0, 1, 3, "", "", ""),
        data=b"OPTIONS sip:h SIP/2.0\r\n\r\n%d" % number,
    ).to_json()


class Controlled:
    """Control methods as a server answers them, and how often each was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.entries = [entry(1), entry(2, "other"), entry(3)]
        self.received = 0

    async def call(self, method: str, params: list[Any]) -> Any:
        self.asked[method] += 1
        await asyncio.sleep(0)
        return getattr(self, method.replace(".", "_"))(*params)

    def core_info(self) -> Any:
        return {"version": "1", "uptime_s": 1, "tls_threads_mode": 2}

    def core_stats(self) -> Any:
        return {"registered_users": 1, "script_errors": 2, "handshakes_failed_alert": 3}

    def core_traffic(self) -> Any:
        self.received += 10
        requests = {"INVITE": {"received": self.received, "sent": 0}, "BYE": {"received": 0, "sent": 0}}
        responses = {f"{n}xx": {"received": 0, "sent": self.received} for n in range(1, 7)}
        routes = {"ksr_request_route": TIMES}
        return {
            "requests": requests,
            "responses": responses,
            "routes": routes,
            "queue_waits": TIMES,
            "connections": {"tls": 1, "wss": 1},
        }

    def core_workers(self) -> Any:
        return [{"worker": 1, "busy": False}]

    def core_threads(self) -> Any:
        kinds = [("tls", False), ("tls", False), ("script", True)]
        return [{"name": "n", "kind": kind, "tid": 1, "python": python} for kind, python in kinds]

    def record_status(self) -> Any:
        return {"enabled": True, "next": self.last + 1, "entries": len(self.entries)}

    @property
    def last(self) -> int:
        return self.entries[-1]["number"] if self.entries else 0

    def record_calls(self, limit: int) -> Any:
        return [*({"call_id": f"later{n}"} for n in range(feed.MOST_CALLS)), {"call_id": "one"}][:limit]

    def record_notable(self) -> Any:
        return [entry(9, kind="error")]

    def record_read(self, start: int, limit: int, call_id: str) -> Any:
        found = [row for row in self.entries if row["number"] >= start and row["call_id"] == call_id]
        is_end = len(found) <= limit
        following = len(self.entries) + 1 if is_end else found[limit]["number"]
        return {"entries": found[:limit], "next": following, "missed": 0, "end": is_end}

    def tls_list(self, most: int) -> Any:
        return [{"id": 1, "src_ip": "127.0.0.1", "src_port": 1, "cipher": "TLS_AES_256_GCM_SHA384", "secret": "k"}]

    def tls_options(self) -> Any:
        server = {"profile": "settings", "certificate": "/none.pem", "private_key": "/key.pem", "verify_client": "none"}
        return {"server": [server], "client": [{"profile": "client", "verify": True, "passphrase_file": "/pass"}]}

    def ul_dump(self, mode: str, limit: int) -> Any:
        contact = {
            "Address": "sip:bob:hunter2@192.0.2.1:5060",
            "Expires": 60,
            "User-Agent": "phone",
            "Received": "[not set]",
        }
        user = {"Info": {"AoR": "bob", "Contacts": [{"Contact": contact}]}}
        return {"Domains": [{"Domain": {"Domain": "location", "AoRs": [user] * limit}}]}


def test_many_pages_ask_once() -> None:
    server = Controlled()

    async def look() -> list[dict[str, Any]]:
        shared = Feed(server.call)
        return await asyncio.gather(*(shared.state() for _ in range(5)))

    states = asyncio.run(look())
    assert all(state is states[0] for state in states)
    assert set(server.asked.values()) == {1}


def test_what_is_shown() -> None:
    state = asyncio.run(Feed(Controlled().call).state())
    assert state["tls_total"] == 2
    assert state["errors"] == [{"name": "script_errors", "total": 2, "rate": 0.0}]
    assert state["handshakes_failed"] == 3
    assert [row["name"] for row in state["requests"]] == ["INVITE"], "what never passed has no row"
    assert state["threads"] == [
        {"kind": "script", "threads": 1, "python": 1},
        {"kind": "tls", "threads": 2, "python": 0},
    ]
    assert len(state["registrations"]) == feed.MOST_ROWS
    assert state["registrations"][0] == {
        "aor": "bob",
        "contact": "sip:bob:xxxxxxx@192.0.2.1:5060",
        "expires": 60,
        "user_agent": "phone",
        "received": "",
    }
    text = json.dumps(state)
    assert not [word for word in ("hunter2", "key.pem", "/pass", "secret") if word in text]


def test_rates_and_their_history() -> None:
    async def look() -> Feed:
        one = Feed(Controlled().call)
        await one._state()
        await asyncio.sleep(0.01)
        await one._state()
        return one

    first, second = asyncio.run(look()).history
    assert first == {"received": 0.0, "sent": 0.0, "failed": 0.0}
    assert second["received"] > 0
    assert second["failed"] == pytest.approx(second["received"] * 3)


def test_calls_are_looked_for_when_the_recording_has_changed() -> None:
    server = Controlled()

    async def look() -> None:
        one = Feed(server.call)
        await one._state()
        await one._state()
        assert server.asked["record.calls"] == 1
        server.entries.append(entry(4))
        await one._state()
        assert server.asked["record.calls"] == 2
        # Cleared; the numbers go on.
        server.entries = [entry(4)]
        await one._state()

    asyncio.run(look())
    assert server.asked["record.calls"] == 3


def test_a_call_is_followed() -> None:
    server = Controlled()

    async def look() -> None:
        followed = Feed(server.call).follow("one")
        first = await followed.news()
        assert first is not None
        assert [row["entry"]["number"] for row in first["rows"]] == [1, 3]
        assert first["call"] == {"call_id": "one"}, "though it is not among the latest"
        assert first["columns"] == ["udp:127.0.0.1:5070", "server"]
        assert await followed.news() is None
        server.entries.append(entry(4, "other"))
        assert await followed.news() is None, "somebody else's"
        server.entries.append(entry(5))
        again = await followed.news()
        assert again is not None
        assert [row["entry"]["number"] for row in again["rows"]] == [1, 3, 5]

    asyncio.run(look())


def test_a_call_that_is_not_recorded_has_no_rows() -> None:
    found = asyncio.run(Feed(Controlled().call).follow("nobody").news())
    assert found is not None
    assert (found["call_id"], found["call"], found["rows"]) == ("nobody", None, [])


def test_of_a_long_call_the_latest_rows_are_kept() -> None:
    server = Controlled()
    server.entries = [entry(number) for number in range(1, 2 * MOST_ENTRIES + 51)]
    found = asyncio.run(Feed(server.call).follow("one").news())
    assert found is not None
    numbers = [row["entry"]["number"] for row in found["rows"]]
    assert numbers == list(range(MOST_ENTRIES + 51, 2 * MOST_ENTRIES + 51))
    assert found["left_out"] == MOST_ENTRIES + 50


def test_certificates(tmp_path: Path) -> None:
    _, path, key = _engine.make_dev_certificates(str(tmp_path), ["sip.example.org"])
    server = {"certificate": path, "private_key": key, "min_version": "1.2", "verify_client": "require"}
    profiles = [{**server, "profile": "a"}, {**server, "profile": "b", "address": "192.0.2.1:5061"}]
    other = {"profile": "c", "certificate": str(tmp_path / "none.pem"), "verify_client": "none"}
    own, missing, none = certificates({"server": [*profiles, other], "client": [{"profile": "d"}]}, time.time())
    assert "sip.example.org" in own["names"]
    assert own["days_left"] > 1
    assert own["ends"] > time.strftime("%Y-%m-%d")
    assert [row["profile"] for row in own["profiles"]] == ["a", "b"]
    assert own["profiles"][0]["verifies"] == "require"
    assert missing["problem"] == f"{tmp_path}/none.pem: No such file or directory"
    assert (none["file"], none["profiles"][0]["side"]) == ("", "client")
    assert certificates({"server": profiles, "client": []}, time.time() + 1e10)[0]["days_left"] < 0


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("sip:bob@h", "sip:bob@h"),
        ("sip:bob:pw@h:5060;transport=tls", "sip:bob:xx@h:5060;transport=tls"),
        ("SIPS:bob:p:w@h", "SIPS:bob:xxx@h"),
        ("sip:h:5060;maddr=a@b", "sip:h:5060;maddr=a@b"),
        ("sip:[2001:db8::1]:5060", "sip:[2001:db8::1]:5060"),
    ],
)
def test_passwords_in_uris(uri: str, shown: str) -> None:
    assert without_password(uri) == shown
