"""No file descriptors left: new connections wait, all else goes on, and nothing spins meanwhile."""

from __future__ import annotations

import asyncio
import resource
import ssl
import time
from contextlib import AsyncExitStack

import pytest

from conftest import Start
from support.agents import Agent, Line
from support.certificates import Certificates
from support.peers import StreamPeer, options
from support.process import cpu_ns, open_files
from support.servers import Server

LEFT = 4
WAITING = 8
# What one and a half seconds of a server that waits may cost; one that spins takes all of them.
MEASURED_S = 1.5
IDLE_CPU_S = 0.5


def allow(server: Server, count: int) -> None:
    hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (count, hard))


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_without_descriptors(start: Start, certs: Certificates, client_tls: ssl.SSLContext, mode: int) -> None:
    settings = {**certs.settings(), "tls.threads_mode": mode, "acc.db_flag": 1, "usrloc.db_mode": 1}
    server = start("troubled.py", "udp", "tcp", "tls", counted=False, settings={**settings, "timeouts.idle_ms": 60_000})
    udp = server.address("udp")

    async def run() -> None:
        async with AsyncExitStack() as stack:
            agent = await stack.enter_async_context(Agent.on(Line()))
            assert (await agent.register(udp, "before")).status == 200
            assert (await agent.call(udp, f"sip:before@{udp[0]}:{udp[1]}"))[1] == [200, 200]
            tcp = await stack.enter_async_context(StreamPeer.open(server.address("tcp")))
            tls = await stack.enter_async_context(StreamPeer.open(server.address("tls"), client_tls))
            for peer, proto in ((tcp, "tcp"), (tls, "tls")):
                assert (await peer.ask(options(peer, server.address(proto), proto))).status == 200
            allow(server, open_files(server.process.pid) + LEFT)
            # The system takes their connections; the server gets to those it has descriptors for.
            crowd = [
                await stack.enter_async_context(StreamPeer.open(server.address("tcp"))) for _ in range(LEFT + WAITING)
            ]
            answers = [asyncio.create_task(peer.ask(options(peer, server.address("tcp"), "tcp"), 40)) for peer in crowd]
            async with asyncio.timeout(20):
                while sum(task.done() for task in answers) == 0 or open_files(server.process.pid) < limit(server):
                    await asyncio.sleep(0.05)
            await untouched(server, agent, tcp, tls)
            before = cpu_ns([server.process.pid])
            await asyncio.sleep(MEASURED_S)
            assert cpu_ns([server.process.pid]) - before < IDLE_CPU_S * 1e9, "it spins"
            assert not all(task.done() for task in answers)
            # One connection after the other ends, and another gets its turn.
            async with asyncio.timeout(40):
                while answers:
                    done, _ = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        index = answers.index(task)
                        assert (await task).status == 200
                        crowd.pop(index).writer.transport.abort()
                        answers.pop(index)
            await untouched(server, agent, tcp, tls)

    asyncio.run(run())
    assert server.log().count("new connections wait") == 1, server.log()[-4000:]
    server.assert_clean_stop(5.0)


def limit(server: Server) -> int:
    return resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)[0]


async def untouched(server: Server, agent: Agent, tcp: StreamPeer, tls: StreamPeer) -> None:
    """Calls and registrations by UDP, and connections that were there before, go on."""
    udp = server.address("udp")
    assert (await agent.register(udp, f"meanwhile{time.monotonic_ns()}")).status == 200
    assert (await agent.call(udp, f"sip:before@{udp[0]}:{udp[1]}"))[1] == [200, 200]
    for peer, proto in ((tcp, "tcp"), (tls, "tls")):
        assert (await peer.ask(options(peer, server.address(proto), proto))).status == 200
