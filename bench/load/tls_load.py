"""TLS load from this process: connect, shake hands, ask OPTIONS, answer keep-alives, go; prints one JSON line.

    python -m load.tls_load 127.0.0.1:5061 --ca ca.pem --rate 200 --seconds 10

Bounded in time, connections and rate. Times are the client's: on a machine that the server shares they hold the
client's own work too, so compare them within one run only.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import ipaddress
import json
import ssl
import time
from collections.abc import Sequence

from support.peers import StreamPeer, options

FAILURES = (OSError, EOFError, TimeoutError, AssertionError)


@dataclasses.dataclass
class Result:
    """What happened; times in seconds."""

    handshakes_s: list[float] = dataclasses.field(default_factory=list)
    answers_s: list[float] = dataclasses.field(default_factory=list)
    failed: int = 0
    resumed: int = 0

    def report(self, seconds: float) -> str:
        return json.dumps(
            {
                "connections": len(self.handshakes_s),
                "failed": self.failed,
                "resumed": self.resumed,
                "rate": round(len(self.handshakes_s) / seconds, 1),
                "handshake_ms": percentiles(self.handshakes_s),
                "answer_ms": percentiles(self.answers_s),
            }
        )


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p99 and the largest, in milliseconds."""
    if not values:
        return {}
    ordered = sorted(values)
    picked = {"p50": len(ordered) // 2, "p99": len(ordered) * 99 // 100, "max": len(ordered) - 1}
    return {name: round(ordered[at] * 1000, 2) for name, at in picked.items()}


@dataclasses.dataclass(frozen=True)
class Plan:
    """Whom to load, how fast, for how long."""

    server: tuple[str, int]
    tls: ssl.SSLContext
    rate: float
    seconds: float
    requests: int
    concurrent: int


async def run(plan: Plan) -> Result:
    """Open connections at the rate; no more than `concurrent` at once."""
    result, room = Result(), asyncio.Semaphore(plan.concurrent)
    start = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(int(plan.rate * plan.seconds)):
            await asyncio.sleep(max(0.0, start + number / plan.rate - time.monotonic()))
            await room.acquire()
            group.create_task(one(plan, result)).add_done_callback(lambda _: room.release())
    return result


async def one(plan: Plan, result: Result) -> None:
    begin = time.monotonic()
    try:
        async with StreamPeer.open(plan.server, plan.tls) as peer:
            await peer.ping()
            result.handshakes_s.append(time.monotonic() - begin)
            result.resumed += peer.writer.get_extra_info("ssl_object").session_reused
            for _ in range(plan.requests):
                asked = time.monotonic()
                answer = await peer.ask(options(peer, plan.server, "TLS"))
                result.failed += answer.status != 200
                result.answers_s.append(time.monotonic() - asked)
    except FAILURES:
        result.failed += 1


def parse_arguments(argv: Sequence[str] | None = None) -> Plan:
    parser = argparse.ArgumentParser(prog="tls_load", description=__doc__)
    parser.add_argument("server", help="HOST:PORT, on loopback")
    parser.add_argument("--ca", required=True, help="PEM file with the authority to trust")
    parser.add_argument("--rate", type=float, default=100.0, help="connections a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--requests", type=int, default=1, help="requests on each connection")
    parser.add_argument("--concurrent", type=int, default=64, help="connections at once")
    found = parser.parse_args(argv)
    host, _, port = found.server.rpartition(":")
    if not ipaddress.ip_address(host.strip("[]")).is_loopback:
        parser.error("load goes to loopback only")
    tls = ssl.create_default_context(cafile=found.ca)
    return Plan((host.strip("[]"), int(port)), tls, found.rate, found.seconds, found.requests, found.concurrent)


def main() -> None:
    plan = parse_arguments()
    begin = time.monotonic()
    result = asyncio.run(run(plan))
    print(result.report(time.monotonic() - begin))


if __name__ == "__main__":
    main()
