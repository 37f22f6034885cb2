"""The frame of `sipwright top`: rates, what stands first, and that it fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console

from sipwright.views.sample import Change, Sample
from sipwright.views.top import frame, uptime

METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "PRACK", "SUBSCRIBE", "NOTIFY", "INFO")


def sampled(at: float, times: int, workers: int = 2) -> Sample:
    """A server whose counters are `times` what they were at first."""
    stats = {
        "received_udp": 100 * times,
        "script_errors": 3 * times,
        "stray_responses": 5,
        "handshakes_failed_alert": 2,
    }
    traffic = {
        "requests": {n: {"received": (i + 1) * 10 * times, "sent": 10 * times} for i, n in enumerate(METHODS)},
        "responses": {f"{n}xx": {"received": times, "sent": 2 * times} for n in range(1, 7)},
        "routes": {
            f"route_{n}": {"count": 10 * times, "total_us": 10_000 * n * times, "longest_us": 9} for n in range(1, 9)
        },
        "queue_waits": {"count": 10 * times, "total_us": 5_000 * times, "longest_us": 7_000},
        "connections": {"tls": 1_234},
    }
    busy: list[Mapping[str, Any]] = [{"worker": 1, "busy": True, "since_ms": 812, "route": "ksr_request_route"}]
    idle = [{"worker": n, "busy": False} for n in range(2, workers + 1)]
    info = {
        "version": "1",
        "uptime_s": 5,
        "tls_threads_mode": 2,
        "status": "ok",
        "script_version": 1,
        "script": "/x" * 99,
    }
    return Sample(at, info, stats, traffic, [*busy, *idle])


def shown(change: Change, height: int = 24) -> list[str]:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(frame(change, height))
    return captured.get().splitlines()


@pytest.mark.parametrize("height", [24, 30, 50])
@pytest.mark.parametrize("workers", [1, 64])
def test_it_fits(height: int, workers: int) -> None:
    lines = shown(Change(sampled(0, 1, workers), sampled(1, 2, workers)), height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith("q quits")


def test_rates_are_those_of_the_interval() -> None:
    change = Change(sampled(0, 1), sampled(2, 3))
    assert change.rate("received_udp") == 100
    assert change.messages("requests", "ACK", "received") == 20
    assert change.route("route_2") == (10, 2.0)
    assert change.waits() == (10, 0.5)
    assert change.handshake_failures() == 2
    assert change.errors() == [("script_errors", 9, 3.0), ("stray_responses", 5, 0.0)]


def test_nothing_happened() -> None:
    one = sampled(5, 1)
    assert Change(one, one).route("route_1") == (0.0, 0.0)
    assert len(shown(Change(one, one))) <= 24


def test_the_busiest_stand_first() -> None:
    lines = shown(Change(sampled(0, 1), sampled(1, 2)))
    text = "\n".join(lines)
    assert text.index("INFO") < text.index("NOTIFY")
    assert "route_8" in text
    assert "1,234" in text
    assert "812 ms" in text


def test_a_route_that_is_new() -> None:
    before, after = sampled(0, 1), sampled(1, 2)
    old = Sample(0, before.info, before.stats, {**before.traffic, "routes": {}}, before.workers)
    assert Change(old, after).route("route_1") == (20.0, 1.0)


def test_uptime() -> None:
    assert [uptime(s) for s in (59.9, 3_661, 90_000)] == ["0:00:59", "1:01:01", "1 d 01:00"]
