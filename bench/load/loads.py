"""The loads: OPTIONS answered by the script, calls relayed by it. Each runs against one started server.

All of it is loopback traffic, bounded in count and in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from load.figures import Figure
from support.peers import UdpPeer, register
from support.ports import free_port
from support.process import cpu_ns
from support.servers import Server
from support.sipp import Sipp

WARM_UP_S = 1.0
REGISTERED_USERS = 2_000


@dataclass(frozen=True)
class Plan:
    """How much load, and how often."""

    rounds: int
    options_rate: int
    options_seconds: float
    saturation_seconds: float
    outstanding: int
    calls_rate: int
    calls_seconds: float
    client: Path

    @classmethod
    def make(cls, client: Path, *, quick: bool) -> Plan:
        if quick:
            return cls(2, 5000, 5, 3, 64, 500, 8, client)
        return cls(5, 5000, 20, 5, 64, 500, 60, client)


class Meter:
    """CPU time of all processes and threads of the server, between construction and `stop`."""

    def __init__(self, server: Server) -> None:
        self._pids = server.process.pids()
        self._cpu, self._start, self._machine = cpu_ns(self._pids), time.monotonic(), machine_ticks()

    def stop(self, done: int, failed: int, retransmissions: int = 0, seconds: float | None = None) -> Figure:
        cpu, wall = cpu_ns(self._pids) - self._cpu, time.monotonic() - self._start
        steal, total = (now - then for now, then in zip(machine_ticks(), self._machine, strict=True))
        return Figure(cpu, done, failed, retransmissions, seconds or wall, steal / max(total, 1))


def machine_ticks() -> tuple[int, int]:
    """Time that the host took away from all cores since the start, and all time, in clock ticks (proc(5))."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return fields[7], sum(fields[:8])


def options_fixed(server: Server, plan: Plan) -> Figure:
    """OPTIONS at a fixed rate, sent by sipp."""
    closed_loop(server, plan, WARM_UP_S)
    host, port = server.address("udp")
    calls = int(plan.options_rate * plan.options_seconds)
    meter = Meter(server)
    with Sipp(
        "options",
        (host, port),
        server.directory,
        port=free_port(),
        calls=calls,
        rate=plan.options_rate,
        keys={"target": f"sip:ping@{host}:{port}"},
        timeout_s=plan.options_seconds + 20,
    ) as sipp:
        sipp.wait()
        counted = sipp.figures()
    return meter.stop(counted.successful, calls - counted.successful, counted.retransmissions)


def options_saturated(server: Server, plan: Plan) -> Figure:
    """OPTIONS as fast as the server answers, a fixed number of them outstanding."""
    closed_loop(server, plan, WARM_UP_S)
    meter = Meter(server)
    result = closed_loop(server, plan, plan.saturation_seconds)
    return meter.stop(int(result["answered"]), int(result["lost"]), seconds=result["seconds"])


def refreshes(server: Server, plan: Plan) -> Figure:
    """Registrations of `REGISTERED_USERS` users, refreshed one after the other, a fixed number of them outstanding."""
    closed_loop(server, plan, WARM_UP_S, REGISTERED_USERS)
    meter = Meter(server)
    result = closed_loop(server, plan, plan.saturation_seconds, REGISTERED_USERS)
    return meter.stop(int(result["answered"]), int(result["lost"] + result["bad"]), seconds=result["seconds"])


def closed_loop(
    server: Server, plan: Plan, seconds: float, users: int = 0, fields: Path | None = None
) -> dict[str, float]:
    """OPTIONS, or the REGISTERs of so many users, each with the header field on its line of a file."""
    host, port = server.address("udp")
    argv = [str(plan.client), f"{host}:{port}", str(seconds), str(plan.outstanding), str(users)]
    argv += [str(fields)] if fields else []
    done = subprocess.run(argv, check=True, capture_output=True, timeout=seconds + 30)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def relayed_calls(server: Server, plan: Plan) -> Figure:
    """Calls to the called side's own address, which the script relays as they come."""
    return calls(server, plan, lambda port: f"sip:callee@127.0.0.1:{port}")


def registered_calls(server: Server, plan: Plan) -> Figure:
    """Calls to a registered user, found and retargeted by the script."""
    host, port = server.address("udp")

    def target(callee_port: int) -> str:
        user = f"callee{callee_port}"
        asyncio.run(register_callee(server, user, callee_port))
        return f"sip:{user}@{host}:{port}"

    return calls(server, plan, target)


async def register_callee(server: Server, user: str, callee_port: int) -> None:
    """A user for each load: a second contact of the same user would have calls ring at the first one's port too."""
    async with UdpPeer.open() as peer:
        answer = await register(peer, server.address("udp"), user, f"sip:callee@127.0.0.1:{callee_port}")
        assert answer.status == 200, answer.first_line


def calls(server: Server, plan: Plan, target: Callable[[int], str], ports: Sequence[int] = ()) -> Figure:
    """INVITE 180 200 ACK BYE 200 through the server; all ends are sipp, the counts of all are summed.

    Calls arrive at `ports`, or at one free port; `target` gets the first of them.
    """
    remote, count = server.address("udp"), int(plan.calls_rate * plan.calls_seconds)
    ports = ports or [free_port()]
    limit = plan.calls_seconds + 30
    with contextlib.ExitStack() as stack:
        callees = [
            stack.enter_context(Sipp("callee", remote, server.directory, port=port, calls=count, timeout_s=limit + 30))
            for port in ports
        ]
        uri = target(ports[0])
        meter = Meter(server)
        with Sipp(
            "caller",
            remote,
            server.directory,
            port=free_port(),
            calls=count,
            rate=plan.calls_rate,
            keys={"target": uri},
            timeout_s=limit,
        ) as caller:
            caller.wait()
            made = caller.figures()
        figure = meter.stop(made.successful, count - made.successful)
        for callee in callees:
            callee.finish()
        retransmissions = made.retransmissions + sum(callee.figures().retransmissions for callee in callees)
    return replace(figure, retransmissions=retransmissions)
