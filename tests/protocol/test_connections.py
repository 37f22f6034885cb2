"""Connections for replies and forwarded requests: closed, kept from opening, opened anew, shared (RFC 5923).

RFC 3261 sections 18.1.1 and 18.2.2. What the script does stands in the requests (`support/scripts/steps.py`).
"""

from __future__ import annotations

import asyncio

import pytest

from conftest import Start, in_both
from support.messages import Sip, request, unique
from support.peers import StreamListener, StreamPeer, UdpPeer
from support.ports import free_port

Address = tuple[str, int]


def do(*steps: str) -> tuple[tuple[str, str], ...]:
    return tuple(("X-Do", step) for step in steps)


def to(address: Address, transport: str = "") -> str:
    return f'KSR.pv.sets("$du", "sip:{address[0]}:{address[1]}{transport}")'


def over_tcp(method: str, sent_by: Address, *steps: str, stop: bool = False) -> Sip:
    extra = (*do(*steps), *((("X-Stop", "yes"),) if stop else ()))
    return request(method, "sip:bob@example.com", sent_by, proto="TCP", extra=extra)


async def final(peer: StreamPeer) -> Sip:
    while (message := await peer.receive()).status in (100, 180):
        pass
    return message


@in_both
def test_reply_close_without_a_transaction(start: Start, kind: str) -> None:
    """set_reply_close: the answer, then the end of the connection."""
    server = start("steps.py", "udp", "tcp", kind=kind)

    async def run() -> None:
        async with StreamPeer.open(server.address("tcp")) as peer:
            steps = ("KSR.set_reply_close()", 'KSR.sl.sl_send_reply(200, "OK")')
            await peer.send(over_tcp("OPTIONS", peer.address, *steps, stop=True))
            assert (await peer.receive()).status == 200
            assert await peer.closed()

    asyncio.run(run())


def test_reply_close_of_a_relayed_request(start: Start) -> None:
    """Provisional responses leave the connection open, the final one is the last that it carries."""
    server = start("steps.py", "udp", "tcp")

    async def run() -> None:
        async with StreamPeer.open(server.address("tcp")) as caller, UdpPeer.open() as callee:
            await caller.send(over_tcp("INVITE", caller.address, "KSR.set_reply_close()", to(callee.address)))
            seen, source = await callee.receive()
            callee.send(seen.reply(180, "Ringing", "x"), source)
            while (await caller.receive()).status != 180:
                pass
            assert not await caller.closed(0.1)
            callee.send(seen.reply(486, "Busy Here", "x"), source)
            assert (await caller.receive()).status == 486
            assert await caller.closed()

    asyncio.run(run())


@in_both
def test_reply_finds_a_new_connection(start: Start, kind: str) -> None:
    """RFC 3261 section 18.2.2: the connection is gone, so one is opened to the source address and sent-by's port."""
    server = start("steps.py", "udp", "tcp", kind=kind)

    async def run() -> None:
        async with StreamListener.open() as listener, UdpPeer.open() as callee:
            async with StreamPeer.open(server.address("tcp")) as caller:
                sent = over_tcp("MESSAGE", listener.address, to(callee.address))
                await caller.send(sent)
                seen, source = await callee.receive()
                caller.writer.close()
                await caller.writer.wait_closed()
            await no_connection_left(server.address("tcp"))
            callee.send(seen.reply(200, "OK", "x"), source)
            again = await listener.accept()
            answer = await again.receive()
            assert (answer.status, answer["Call-ID"]) == (200, sent["Call-ID"])

    asyncio.run(run())


async def no_connection_left(server: Address) -> None:
    """Wait until the server has closed its side of every connection (state 01 is ESTABLISHED, 08 CLOSE_WAIT)."""
    port = f":{server[1]:04X}"
    async with asyncio.timeout(5):
        while True:
            with open("/proc/net/tcp") as table:
                rows = [line.split() for line in table.readlines()[1:]]
            if not any(row[1].endswith(port) and row[3] in ("01", "08") for row in rows):
                return
            await asyncio.sleep(0.01)


def test_reply_no_connect(start: Start) -> None:
    """set_reply_no_connect: the reply is lost with its connection, and the server goes on."""
    server = start("steps.py", "udp", "tcp")

    async def run() -> None:
        async with StreamListener.open() as listener, UdpPeer.open() as callee:
            async with StreamPeer.open(server.address("tcp")) as caller:
                steps = ("KSR.set_reply_no_connect()", to(callee.address))
                await caller.send(over_tcp("MESSAGE", listener.address, *steps))
                seen, source = await callee.receive()
                caller.writer.close()
                await caller.writer.wait_closed()
            await no_connection_left(server.address("tcp"))
            callee.send(seen.reply(200, "OK", "x"), source)
            with pytest.raises(TimeoutError):
                await listener.accept(0.3)

    asyncio.run(run())


def test_forward_no_connect(start: Start) -> None:
    """set_forward_no_connect: 500 for want of a connection; with one the request goes through."""
    server = start("steps.py", "udp", "tcp")

    async def run() -> None:
        address = server.address("udp")
        async with UdpPeer.open() as caller, StreamListener.open() as listener:
            target = to(listener.address, ";transport=tcp")
            steps = do("KSR.set_forward_no_connect()", target)
            refused = await caller.ask(request("MESSAGE", "sip:bob@example.com", caller.address, extra=steps), address)
            assert refused.status == 500
            caller.send(request("MESSAGE", "sip:bob@example.com", caller.address, extra=do(target)), address)
            callee = await listener.accept()
            await callee.send((await callee.receive()).reply(200, "OK", "x"))
            assert (await caller.receive())[0].status == 200
            caller.send(request("MESSAGE", "sip:bob@example.com", caller.address, extra=steps), address)
            await callee.send((await callee.receive()).reply(202, "Accepted", "x"))
            assert (await caller.receive())[0].status == 202

    asyncio.run(run())


@in_both
def test_forward_close(start: Start, kind: str) -> None:
    """set_forward_close: the request arrives whole, then the connection ends."""
    server = start("steps.py", "udp", "tcp", kind=kind)

    async def run() -> None:
        async with UdpPeer.open() as caller, StreamListener.open() as listener:
            steps = do("KSR.set_forward_close()", to(listener.address, ";transport=tcp"))
            sent = request("MESSAGE", "sip:bob@example.com", caller.address, extra=steps, body=b"x" * 5000)
            caller.send(sent, server.address("udp"))
            callee = await listener.accept()
            assert (await callee.receive()).body == sent.body
            assert await callee.closed()

    asyncio.run(run())


@in_both
@pytest.mark.parametrize("step", ["KSR.add_tcp_alias({port})", "KSR.add_tcp_alias_via()"])
def test_alias_of_a_connection(start: Start, kind: str, step: str) -> None:
    """RFC 5923: what is for the port that the peer listens on goes back over the connection that it opened."""
    server = start("steps.py", "udp", "tcp", kind=kind)

    async def run() -> None:
        port = free_port()  # nobody listens there
        async with StreamPeer.open(server.address("tcp")) as edge, UdpPeer.open() as other:
            steps = (step.format(port=port), 'KSR.sl.sl_send_reply(200, "OK")')
            await edge.send(over_tcp("OPTIONS", ("127.0.0.1", port), *steps, stop=True))
            assert (await edge.receive()).status == 200
            sent = request(
                "MESSAGE",
                "sip:edge@example.com",
                other.address,
                call_id=unique("alias"),
                extra=do(to(("127.0.0.1", port), ";transport=tcp")),
            )
            other.send(sent, server.address("udp"))
            seen = await edge.receive()
            assert (seen.method, seen["Call-ID"]) == ("MESSAGE", sent["Call-ID"])
            await edge.send(seen.reply(200, "OK", "x"))
            assert (await other.receive())[0].status == 200

    asyncio.run(run())


def test_alias_of_another_is_not_taken(start: Start) -> None:
    """The port of a connection that is there stays that connection's."""
    server = start("steps.py", "udp", "tcp")

    async def run() -> None:
        async with StreamPeer.open(server.address("tcp")) as first, StreamPeer.open(server.address("tcp")) as second:
            step = f'KSR.hdr.append_to_reply("X-Got: %d\\r\\n" % KSR.add_tcp_alias({first.address[1]}))'
            await first.send(over_tcp("OPTIONS", first.address, 'KSR.sl.sl_send_reply(200, "OK")', stop=True))
            assert (await first.receive()).status == 200
            await second.send(over_tcp("OPTIONS", second.address, step, 'KSR.sl.sl_send_reply(200, "OK")', stop=True))
            assert (await second.receive())["X-Got"] == "-1"

    asyncio.run(run())
