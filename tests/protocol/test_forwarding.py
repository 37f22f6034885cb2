"""What leaves the server and how: size and transport, requests without state, old clients, extensions passed through.

RFC 3261 sections 16.11, 17.2.3, 18.1.1 and 18.2, RFC 3581, RFC 3262 and RFC 3311. What the script does stands in the
requests themselves (`support/scripts/steps.py`).
"""

from __future__ import annotations

import asyncio
import re

import pytest

from conftest import Start, in_both
from support.messages import Sip, request, unique
from support.peers import StreamListener, UdpPeer
from support.servers import Server

RECORD = "KSR.rr.record_route()"
PADDING = (("Subject", "x" * 1300),)
Address = tuple[str, int]


def do(*steps: str) -> tuple[tuple[str, str], ...]:
    return tuple(("X-Do", step) for step in steps)


def to(address: Address, parameters: str = "") -> str:
    return f'KSR.pv.sets("$du", "sip:{address[0]}:{address[1]}{parameters}")'


def branch(message: Sip) -> str:
    found = re.search(r"branch=([^;,\s]+)", message.all("Via")[0])
    assert found is not None
    return found[1]


# Size, parameters of the next hop, settings, and whether it leaves by TCP.
SIZES = [
    (PADDING, "", {}, True),
    ((), "", {}, False),
    (PADDING, ";transport=udp", {}, False),
    (PADDING, "", {"forward.udp_mtu_bytes": "0"}, False),
    (PADDING, "", {"forward.udp_mtu_bytes": "3000"}, False),
]


@pytest.mark.parametrize(("padding", "parameters", "settings", "by_tcp"), SIZES, ids=range(len(SIZES)))
def test_large_requests_leave_by_tcp(
    start: Start, padding: tuple[tuple[str, str], ...], parameters: str, settings: dict[str, str], by_tcp: bool
) -> None:
    """RFC 3261 section 18.1.1; Via and Record-Route name the transport that is used."""
    server = start("steps.py", "udp", "tcp", settings=settings)

    async def run() -> None:
        async with UdpPeer.open() as caller, UdpPeer.open() as callee, StreamListener.open(*callee.address) as listener:
            extra = (*padding, *do(RECORD, to(callee.address, parameters)))
            caller.send(request("MESSAGE", "sip:bob@example.com", caller.address, extra=extra), server.address("udp"))
            if by_tcp:
                stream = await listener.accept()
                seen = await stream.receive()
                assert len(seen.all("Record-Route")) == 2
                assert f":{server.port('tcp')};transport=tcp;r2=on" in seen.all("Record-Route")[0]
                await stream.send(seen.reply(200, "OK", "x"))
            else:
                seen, source = await callee.receive()
                assert len(seen.all("Record-Route")) == 1
                callee.send(seen.reply(200, "OK", "x"), source)
            name = "TCP" if by_tcp else "UDP"
            assert seen.all("Via")[0].startswith(f"SIP/2.0/{name} 127.0.0.1:{server.port(name.lower())};branch=")
            answer, _ = await caller.receive()
            assert (answer.status, len(answer.all("Via"))) == (200, 1)

    asyncio.run(run())


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_large_requests_leave_by_udp_when_tcp_is_refused(start: Start, method: str) -> None:
    """RFC 3261 section 18.1.1: an element that only speaks UDP still gets it, as UDP, retransmitted until answered."""
    server = start("steps.py", "udp", "tcp")

    async def run() -> None:
        async with UdpPeer.open() as caller, UdpPeer.open() as callee:
            extra = (*PADDING, *do(RECORD, to(callee.address)))
            caller.send(request(method, "sip:bob@example.com", caller.address, extra=extra), server.address("udp"))
            seen, _ = await callee.receive()
            again, source = await callee.receive()
            assert branch(again) == branch(seen)
            assert source == server.address("udp")
            assert seen.all("Via")[0].startswith(f"SIP/2.0/UDP 127.0.0.1:{server.port('udp')};branch=")
            assert len(seen.all("Record-Route")) == 1
            callee.send(again.reply(200, "OK", "x"), source)
            while (answer := (await caller.receive())[0]).status == 100:
                pass
            assert answer.status == 200

    asyncio.run(run())


def test_large_requests_fail_when_nobody_is_there(start: Start) -> None:
    """Neither transport: the branch ends by its timer, with 408, and not by the refused connection."""
    server = start("steps.py", "udp", "tcp", settings={"timers.fr_ms": "300"})

    async def run() -> None:
        async with UdpPeer.open() as caller, UdpPeer.open() as gone:
            nobody = gone.address
        async with UdpPeer.open() as caller:
            extra = (*PADDING, *do(to(nobody)))
            caller.send(request("INVITE", "sip:bob@example.com", caller.address, extra=extra), server.address("udp"))
            while (answer := (await caller.receive())[0]).status == 100:
                pass
            assert answer.status == 408

    asyncio.run(run())


STATELESS = {
    "forward": 'KSR.pv.sets("$du", "{uri}") and KSR.forward()',
    "forward_uri": 'KSR.forward_uri("{uri}")',
}


@pytest.mark.parametrize("step", STATELESS.values(), ids=STATELESS)
def test_stateless_branches_are_stable(start: Start, step: str) -> None:
    """RFC 3261 section 16.11: retransmissions, the CANCEL and the ACK of a failure get the branch of their request."""
    server = start("steps.py")

    async def run() -> None:
        address = server.address("udp")
        async with UdpPeer.open() as caller, UdpPeer.open() as callee:
            uri = f"sip:{callee.address[0]}:{callee.address[1]}"
            extra = (*do(step.format(uri=uri)), ("X-Stop", "yes"))
            invite = request("INVITE", "sip:bob@example.com", caller.address, extra=extra)

            async def pass_on(sent: Sip) -> Sip:
                caller.send(sent, address)
                seen, _ = await callee.receive()
                assert seen.method == sent.method
                assert len(seen.all("Via")) == 2
                return seen

            def like(method: str, to_tag: str = "") -> Sip:
                headers = dict(invite.headers) | {"CSeq": f"1 {method}", "To": invite["To"] + to_tag}
                return Sip(f"{method} {invite.uri} SIP/2.0", tuple(headers.items()))

            first = await pass_on(invite)
            assert branch(first).startswith("z9hG4bK")
            assert branch(await pass_on(invite)) == branch(first)
            assert branch(await pass_on(like("CANCEL"))) == branch(first)
            assert branch(await pass_on(like("ACK", ";tag=failed"))) == branch(first)
            other = request("INVITE", "sip:bob@example.com", caller.address, extra=extra)
            assert branch(await pass_on(other)) != branch(first)
            callee.send(first.reply(486, "Busy Here", "x"), address)
            answer, _ = await caller.receive()
            assert (answer.status, answer.all("Via")[0].split(";")[1]) == (486, invite["Via"].split(";")[1])

    asyncio.run(run())


def via(peer: UdpPeer, parameters: str, host: str = "127.0.0.1", port: int | None = None) -> str:
    return f"SIP/2.0/UDP {host}:{port or peer.address[1]}{parameters}"


def with_via(sent: Sip, value: str) -> Sip:
    return Sip(sent.first_line, tuple((name, value if name == "Via" else old) for name, old in sent.headers))


@in_both
def test_clients_of_rfc_2543(start: Start, kind: str) -> None:
    """RFC 3261 section 17.2.3: without the magic cookie requests are matched by what RFC 2543 had."""
    server = start("steps.py", kind=kind)

    async def run() -> None:
        address = server.address("udp")
        async with UdpPeer.open() as caller, UdpPeer.open() as callee:
            sent = request("INVITE", "sip:bob@example.com", caller.address, extra=do(to(callee.address)))
            old = with_via(sent, via(caller, ""))
            caller.send(old, address)
            seen, source = await callee.receive()
            assert branch(seen).startswith("z9hG4bK")
            assert seen.all("Via")[1] == old["Via"]
            caller.send(old, address)
            callee.send(seen.reply(486, "Busy Here", "x"), source)
            while (ack := (await callee.receive())[0]).method == "INVITE":
                assert branch(ack) == branch(seen)
            assert (ack.method, branch(ack)) == ("ACK", branch(seen))
            while (answer := (await caller.receive())[0]).status == 100:
                pass
            assert (answer.status, answer.all("Via")) == (486, [old["Via"]])
            headers = dict(old.headers) | {"CSeq": "1 ACK", "To": answer["To"]}
            caller.send(Sip(f"ACK {old.uri} SIP/2.0", tuple(headers.items())), address)
            # The ACK ends here, and with it the retransmissions of the answer.
            with pytest.raises(TimeoutError):
                await callee.receive(0.7)
            assert await until_quiet(caller) <= {486}

    asyncio.run(run())


async def until_quiet(peer: UdpPeer) -> set[int | None]:
    """What still comes until nothing has come for longer than T1: two answers crossed the ACK at most."""
    late: set[int | None] = set()
    for _ in range(3):
        try:
            late.add((await peer.receive(0.8))[0].status)
        except TimeoutError:
            return late
    raise AssertionError("the answer is still retransmitted after its ACK")


VIAS = [
    # RFC 3581 section 4: rport and received are filled in, whatever sent-by says.
    ("127.0.0.1", 0, ";rport", ";rport={port}", ";received=127.0.0.1"),
    ("192.0.2.9", 5060, ";rport", ";rport={port}", ";received=127.0.0.1"),
    # RFC 3261 section 18.2.1: received where sent-by is not the source.
    ("client.example.com", 0, "", "", ";received=127.0.0.1"),
    ("127.0.0.1", 0, "", "", ""),
]


@in_both
@pytest.mark.parametrize(("host", "port", "asked", "rport", "received"), VIAS, ids=range(len(VIAS)))
def test_via_of_the_sender_is_completed(
    start: Start, kind: str, host: str, port: int, asked: str, rport: str, received: str
) -> None:
    """And the answer comes back to where the completed Via says."""
    server = start("steps.py", kind=kind)

    async def run() -> None:
        address = server.address("udp")
        async with UdpPeer.open() as caller, UdpPeer.open() as callee:
            sent = request("MESSAGE", "sip:bob@example.com", caller.address, extra=do(to(callee.address)))
            sent = with_via(sent, via(caller, f"{asked};branch=z9hG4bK{unique()}", host, port or None))
            caller.send(sent, address)
            seen, source = await callee.receive()
            completed = seen.all("Via")[1]
            for wanted in (rport.format(port=caller.address[1]), received):
                assert wanted in completed
            assert ("received" in completed) == bool(received)
            assert ("rport" in completed) == bool(rport)
            callee.send(seen.reply(200, "OK", "x"), source)
            assert (await caller.receive())[0].status == 200

    asyncio.run(run())


def strip(message: Sip) -> list[tuple[str, str]]:
    """The headers but those that a hop adds or counts."""
    hop = ("Via", "Record-Route", "Route", "X-Did", "Max-Forwards")
    return [(name, value) for name, value in message.headers if name not in hop]


@in_both
def test_extensions_pass_untouched(start: Start, kind: str) -> None:
    """Reliable provisional responses (RFC 3262), PRACK, UPDATE (RFC 3311) and early media reach the other side."""
    server = start("steps.py", kind=kind)

    async def run(server: Server) -> None:
        address = server.address("udp")
        async with UdpPeer.open() as caller, UdpPeer.open() as callee:
            offer = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n"
            sdp = (("Content-Type", "application/sdp"),)
            steps = do(RECORD, to(callee.address))
            extra = (("Supported", "100rel"), ("Require", "100rel"), *sdp)
            invite = request("INVITE", "sip:bob@example.com", caller.address, extra=(*extra, *steps), body=offer)
            caller.send(invite, address)
            seen, source = await callee.receive()
            assert (strip(seen)[: len(strip(invite))], seen.body) == (
                [*strip(invite), ("Content-Length", str(len(offer)))][: len(strip(invite))],
                offer,
            )
            early = seen.reply(183, "Session Progress", "callee", (("Require", "100rel"), ("RSeq", "988789"), *sdp))
            callee.send(Sip(early.first_line, early.headers, b"v=0\r\nearly\r\n"), source)
            while (progress := (await caller.receive())[0]).status == 100:
                pass
            assert (progress.status, progress["RSeq"], progress["Require"]) == (183, "988789", "100rel")
            assert progress.body == b"v=0\r\nearly\r\n"
            for number, (method, own) in enumerate([("PRACK", (("RAck", "988789 1 INVITE"),)), ("UPDATE", sdp)], 2):
                route = "".join(re.findall(r"<[^>]*>", progress["Record-Route"]))
                sent = request(method, "sip:bob@example.com", caller.address, cseq=number, call_id=invite["Call-ID"])
                kept = [h for h in sent.headers if h[0] not in ("From", "To")]
                both = (("From", progress["From"]), ("To", progress["To"]), ("Route", route))
                steps = do("KSR.rr.loose_route()", to(callee.address))
                sent = Sip(sent.first_line, (*kept, *both, *own, *steps), b"v=0\r\n" if method == "UPDATE" else b"")
                caller.send(sent, address)
                while (got := (await callee.receive())[0]).method != method:
                    assert got.method == "INVITE"
                assert [h for h in strip(got) if h[0] != "Content-Length"] == strip(sent)
                assert got.body == sent.body
                callee.send(got.reply(200, "OK"), source)
                while (answer := (await caller.receive())[0]).method != method:
                    assert answer.status in (100, 183)
                assert answer.status == 200
            callee.send(seen.reply(200, "OK", "callee"), source)
            while (answer := (await caller.receive())[0]).status != 200:
                assert answer.status in (100, 183)

    asyncio.run(run(server))
