"""Pings to registered phones: where they come from, what they are, and what silence costs."""

from __future__ import annotations

import asyncio
from typing import Final

from conftest import Start
from sipwright.control.client import call
from support.messages import Sip, request
from support.peers import StreamPeer, UdpPeer, register
from support.servers import Server, Sipwright

SETTINGS: Final = {"nathelper.natping_interval_s": 1, "usrloc.db_mode": 0, "usrloc.nat_bflag": 6}
BY_SIP: Final = {
    **SETTINGS,
    "nathelper.sipping_bflag": 7,
    "nathelper.sipping_from": "sip:pinger@test.invalid",
    "nathelper.sipping_headers": r"X-Ping: 1\r\n",
    "timers.fr_ms": 500,
}


def counter(server: Server, name: str) -> int:
    assert isinstance(server, Sipwright)
    return int(call(server.data_dir, "core.stats")[name])


def ok(ping: Sip) -> Sip:
    kept = tuple((name, value) for name, value in ping.headers if name in ("Via", "From", "To", "Call-ID", "CSeq"))
    return Sip("SIP/2.0 200 OK", (*kept, ("Content-Length", "0")))


def test_four_bytes_from_the_socket_of_the_registration(start: Start) -> None:
    server = start("locations.py", settings=SETTINGS)

    async def run() -> None:
        async with UdpPeer.open() as phone:
            answer = await register(
                phone, server.address("udp"), "ping", f"sip:ping@{phone.address[0]}:{phone.address[1]}", "x"
            )
            assert answer.status == 200
            for _ in range(2):
                data, source = await phone.receive_bytes()
                assert (data, source) == (bytes(4), server.address("udp"))
            call(server.directory / "data", "nathelper.enable_ping", [0])
            before = counter(server, "nathelper_udp_pings")
            await asyncio.sleep(1.5)
            assert counter(server, "nathelper_udp_pings") == before

    asyncio.run(run())
    assert counter(server, "nathelper_udp_pings") >= 2


def test_contacts_that_are_not_behind_nat_are_left_alone(start: Start) -> None:
    server = start("locations.py", settings={**SETTINGS, "nathelper.ping_nated_only": True})

    async def run() -> None:
        async with UdpPeer.open() as phone:
            await register(
                phone, server.address("udp"), "plain", f"sip:plain@{phone.address[0]}:{phone.address[1]}", "x"
            )
            await asyncio.sleep(2.5)

    asyncio.run(run())
    assert counter(server, "nathelper_udp_pings") == 0


def test_a_request_over_the_connection_of_the_registration(start: Start) -> None:
    server = start("locations.py", "udp", "tcp", settings=BY_SIP)

    async def run() -> None:
        aor = "sip:stream@test.invalid"
        async with StreamPeer.open(server.address("tcp")) as phone:
            host, port = phone.address
            sent = request(
                "REGISTER",
                "sip:x",
                phone.address,
                proto="TCP",
                from_uri=aor,
                to_uri=aor,
                contact=f"sip:stream@{host}:{port};transport=tcp",
            )
            assert (await phone.ask(sent)).status == 200
            ping = await phone.receive()
            assert ping.first_line == f"OPTIONS sip:stream@{host}:{port};transport=tcp SIP/2.0"
            assert "sip:pinger@test.invalid" in ping["From"]
            assert ping["X-Ping"] == "1"
            await phone.send(ok(ping))

    asyncio.run(run())
    assert counter(server, "nathelper_sip_pings") >= 1


def test_who_answers_stays_and_who_is_silent_goes(start: Start) -> None:
    server = start("locations.py", settings={**BY_SIP, "nathelper.keepalive_timeout_s": 3})

    async def alive(phone: UdpPeer) -> None:
        while True:
            message, source = await phone.receive(30.0)
            if message.status is None:
                phone.send(ok(message), source)

    async def run() -> None:
        async with UdpPeer.open() as phone, UdpPeer.open() as silent, UdpPeer.open() as asking:
            for peer, user in ((phone, "alive"), (silent, "silent")):
                host, port = peer.address
                assert (
                    await register(peer, server.address("udp"), user, f"sip:{user}@{host}:{port}", "x")
                ).status == 200
            answering = asyncio.create_task(alive(phone))
            try:
                async with asyncio.timeout(15):
                    while await status(asking, server, "silent") != 404:
                        await asyncio.sleep(0.2)
                assert await status(asking, server, "alive") == 200
            finally:
                answering.cancel()

    asyncio.run(run())
    assert counter(server, "nathelper_removed") == 1


async def status(peer: UdpPeer, server: Server, user: str) -> int | None:
    answer = await peer.ask(request("OPTIONS", f"sip:{user}@x", peer.address), server.address("udp"))
    return answer.status
