"""Media proxies: a call through Debian's rtpengine with its packets, and errors of the control protocols."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Start
from sipwright.control.client import call
from support.control import data_of
from support.media import SDP, SDP_TYPE, ControlPeer, rtpengine, rtpengine_peer, rtpproxy_peer
from support.messages import Sip, request
from support.peers import UdpPeer
from support.ports import free_port
from support.process import wait_until
from support.servers import Server

PROXIED = SDP.replace(b"127.0.0.1", b"127.0.0.9") % 36_000


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[str]:
    with rtpengine(tmp_path) as url:
        yield url


@pytest.fixture
def media_sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    pair = tuple(socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for one in pair:
        one.bind(("127.0.0.1", 0))
        one.settimeout(5)
    yield pair[0], pair[1]
    for one in pair:
        one.close()


def media_port(message: Sip) -> int:
    found = re.search(rb"m=audio (\d+) ", message.body)
    assert found, message.body
    return int(found[1])


def with_body(message: Sip, body: bytes) -> Sip:
    return Sip(message.first_line, (*message.headers, SDP_TYPE), body)


def rtp(sequence: int, text: bytes) -> bytes:
    """A packet of PCMU (RFC 3550 section 5.1)."""
    return b"\x80\x00" + sequence.to_bytes(2, "big") + (160 * sequence).to_bytes(4, "big") + b"SSRC" + text * 32


def test_a_call_through_rtpengine(
    start: Start, daemon: str, media_sockets: tuple[socket.socket, socket.socket]
) -> None:
    """Both sides see ports of rtpengine, which relays their packets; BYE ends the session there."""
    server = start("media.py", settings={"rtpengine.rtpengine_sock": daemon})
    asyncio.run(rtpengine_call(server, *media_sockets))
    assert "manage INVITE 1" in server.log()
    assert "manage BYE 1" in server.log()
    assert call(data_of(server), "rtpengine.get_hash_total") == 0


async def rtpengine_call(server: Server, hers: socket.socket, his: socket.socket) -> None:
    async with UdpPeer.open() as alice, UdpPeer.open() as bob:
        address = server.address("udp")
        host, port = bob.address
        invite = request(
            "INVITE",
            f"sip:bob@{host}:{port}",
            alice.address,
            contact=f"sip:alice@{alice.address[0]}:{alice.address[1]}",
            extra=(("X-Flags", "replace-origin replace-session-connection"), SDP_TYPE),
            body=SDP % hers.getsockname()[1],
        )
        alice.send(invite, address)
        offer, _ = await bob.receive()
        assert media_port(offer) != hers.getsockname()[1]
        assert int(offer["Content-Length"]) == len(offer.body)
        answer = offer.reply(200, "OK", "bob", (("Contact", f"<sip:bob@{host}:{port}>"),))
        bob.send(with_body(answer, SDP % his.getsockname()[1]), address)
        ok = await alice.final(invite["Call-ID"])
        assert media_port(ok) not in (his.getsockname()[1], media_port(offer))
        await asyncio.to_thread(relayed, hers, his, media_port(ok))
        await asyncio.to_thread(relayed, his, hers, media_port(offer))
        bye = request("BYE", f"sip:bob@{host}:{port}", alice.address, call_id=invite["Call-ID"], cseq=2)
        routes = tuple(("Route", route) for route in reversed(ok.all("Record-Route")))
        kept = tuple(h for h in bye.headers if h[0] not in ("From", "To"))
        alice.send(Sip(bye.first_line, (*kept, ("From", ok["From"]), ("To", ok["To"]), *routes)), address)
        while (got := (await bob.receive())[0]).method != "BYE":
            pass
        bob.send(got.reply(200, "OK"), address)
        assert (await alice.final(invite["Call-ID"])).method == "BYE"


def relayed(sender: socket.socket, receiver: socket.socket, port: int) -> None:
    """A packet sent to rtpengine's port arrives at the other side."""
    sent = rtp(int(time.monotonic()) & 0xFFF, b"media")
    sender.sendto(sent, ("127.0.0.1", port))
    got, source = receiver.recvfrom(2_000)
    assert got[12:] == sent[12:]
    assert source[1] != sender.getsockname()[1]


# Peers of the test's own


def asked(server: Server, do: str, body: bytes = SDP % 4_000, **headers: str) -> str:
    """The result of one KSR function, with the variables that the script names."""

    async def ask() -> str:
        async with UdpPeer.open() as peer:
            more = tuple((name.replace("_", "-"), value) for name, value in headers.items())
            sent = request(
                "INVITE", "sip:x@test.invalid", peer.address, extra=(("X-Do", do), SDP_TYPE, *more), body=body
            )
            return (await peer.ask(sent, server.address("udp"), 8))["X-Result"]

    return asyncio.run(ask())


FAST = {"rtpengine.rtpengine_tout_ms": 100, "rtpengine.rtpengine_retr": 2}


def ok(_: dict[str, Any]) -> dict[str, Any]:
    return {"result": "ok", "sdp": PROXIED}


def test_commands_are_sent_again_and_an_instance_that_is_silent_is_left_alone(start: Start) -> None:
    silent = rtpengine_peer(lambda _: None)
    with silent.running():
        server = start(
            "media.py",
            settings={
                **FAST,
                "rtpengine.rtpengine_sock": silent.url,
                "rtpengine.aggressive_redetection": False,
            },
        )
        assert asked(server, "rtpengine.rtpengine_offer|").startswith("-1 ")
        offers = [command for command in silent.commands if b"5:offer" in command]
        assert len(offers) == 2
        assert offers[0] == offers[1]
        data = data_of(server)
        shown = call(data, "rtpengine.show", ["all"])
        assert (shown[0]["disabled"], 50 < shown[0]["recheck_ticks"] <= 60) == (1, True)
        assert asked(server, "rtpengine.rtpengine_offer|").startswith("-1 ")
        assert len([command for command in silent.commands if b"5:offer" in command]) == 2
        silent.answer = rtpengine_peer(ok).answer
        assert call(data, "rtpengine.ping", [silent.url]) == [{"url": silent.url, "status": "success"}]
        assert asked(server, "rtpengine.rtpengine_offer|").startswith("1 ")


def test_the_next_instance_takes_over(start: Start) -> None:
    full, other = rtpengine_peer(lambda _: {"result": "load limit"}), rtpengine_peer(ok)
    with full.running(), other.running():
        sockets = f"{full.url} {other.url}"
        server = start(
            "media.py", settings={**FAST, "rtpengine.rtpengine_sock": sockets, "rtpengine.rtp_inst_pvar": "$avp(inst)"}
        )
        for _ in range(4):
            assert asked(server, "rtpengine.rtpengine_offer|") == f"1 {other.url} - -"


def test_a_call_stays_at_its_instance(start: Start) -> None:
    peers = [rtpengine_peer(ok) for _ in range(2)]
    with peers[0].running(), peers[1].running():
        server = start("media.py", settings={"rtpengine.rtpengine_sock": f"{peers[0].url} {peers[1].url}"})
        data = data_of(server)
        wait_until(lambda: bool(peers[0].commands and peers[1].commands), 5, "both instances are asked")
        assert asked(server, "rtpengine.rtpengine_offer|", Call_ID_Of="x").startswith("1 ")
        used = next(peer for peer in peers if any(b"5:offer" in command for command in peer.commands))
        assert call(data, "rtpengine.get_hash_total") == 1
        assert call(data, "rtpengine.enable", ["all", 0])["status"] == "disable"
        assert asked(server, "rtpengine.rtpengine_offer|").startswith("-1 ")
        assert call(data, "rtpengine.enable", [used.url, 1])["status"] == "enable"
        assert asked(server, "rtpengine.rtpengine_offer|").startswith("1 ")


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage",
        b"d6:result2:ok",
        {"result": "error", "error-reason": "Unknown call-id"},
        {"result": "ok"},
        {"sdp": "v=0"},
    ],
    ids=str,
)
def test_answers_that_are_no_use(start: Start, answer: dict[str, Any] | bytes) -> None:
    peer = rtpengine_peer(lambda _: answer)
    with peer.running():
        server = start("media.py", settings={"rtpengine.rtpengine_sock": peer.url})
        assert asked(server, "rtpengine.rtpengine_offer|").startswith("-1 ")


def test_a_blocked_worker_is_the_only_one_that_waits(start: Start) -> None:
    peer = rtpengine_peer(lambda _: None)
    with peer.running():
        settings = {
            "rtpengine.rtpengine_sock": peer.url,
            "rtpengine.rtpengine_tout_ms": 1_500,
            "rtpengine.rtpengine_retr": 1,
        }
        server = start("media.py", settings=settings)

        async def story() -> float:
            async with UdpPeer.open() as one, UdpPeer.open() as two:
                waits = request(
                    "INVITE",
                    "sip:x@test.invalid",
                    one.address,
                    extra=(("X-Do", "rtpengine.rtpengine_offer|"), SDP_TYPE),
                    body=SDP % 4_000,
                )
                one.send(waits, server.address("udp"))
                while not any(b"5:offer" in command for command in peer.commands):
                    await asyncio.sleep(0.01)
                begin = time.monotonic()
                quick = request("OPTIONS", "sip:x@test.invalid", two.address, extra=(("X-Do", "is_OPTIONS"),))
                await two.ask(quick, server.address("udp"))
                return time.monotonic() - begin

        assert asyncio.run(story()) < 1.0


def test_variables_in_place_of_the_body(start: Start) -> None:
    peer = rtpengine_peer(
        lambda made: {"result": "ok", "sdp": "new " + made["sdp"][:3]} if made["command"] == "offer" else QUALITY
    )
    with peer.running():
        server = start(
            "media.py",
            settings={
                "rtpengine.rtpengine_sock": peer.url,
                "rtpengine.read_sdp_pv": "$hdr(X-Sdp)",
                "rtpengine.write_sdp_pv": "$avp(new)",
                "rtpengine.mos_average_pv": "$avp(mos)",
            },
        )
        assert asked(server, "rtpengine.rtpengine_offer|", X_Sdp="v=1 from a header") == "1 - new v=1 -"
        assert asked(server, "rtpengine.rtpengine_query|") == "1 - - 4.3"


QUALITY: dict[str, Any] = {"result": "ok", "SSRC": {"12": {"average MOS": {"MOS": 43, "samples": 3}}}}


def test_sets_and_recording(start: Start) -> None:
    one, two = rtpengine_peer(ok), rtpengine_peer(ok)
    with one.running(), two.running():
        server = start(
            "media.py",
            settings={
                "rtpengine.rtpengine_sock": f'["0 == {one.url}", "7 == {two.url}"]',
                "rtpengine.setid_default": 7,
            },
        )
        assert asked(server, "rtpengine.set_rtpengine_set|8").startswith("-1 ")
        assert asked(server, "rtpengine.set_rtpengine_set2|0|7").startswith("1 ")
        assert asked(server, "rtpengine.start_recording").startswith("1 ")
        assert any(b"15:start recording" in command for command in two.commands)
        assert not any(b"15:start recording" in command for command in one.commands)


def branch_of(command: bytes) -> str:
    found = re.search(rb"10:via-branch(\d+):", command)
    assert found, command
    return command[found.end() : found.end() + int(found[1])].decode()


@pytest.mark.parametrize("in_branch_route", [False, True])
def test_the_branch_that_the_request_leaves_with(start: Start, in_branch_route: bool) -> None:
    """rtpengine hears of the branch before the callee does; the answer names the same one."""
    peer = rtpengine_peer(ok)

    async def story(server: Server) -> Sip:
        async with UdpPeer.open() as alice, UdpPeer.open() as bob:
            host, port = bob.address
            extra = (
                ("X-Flags", "via-branch=auto-next"),
                SDP_TYPE,
                *((("X-Branched", "yes"),) if in_branch_route else ()),
            )
            invite = request("INVITE", f"sip:bob@{host}:{port}", alice.address, extra=extra, body=SDP % 4_000)
            alice.send(invite, server.address("udp"))
            offer, _ = await bob.receive()
            answer = offer.reply(200, "OK", "bob", (("X-Flags", "via-branch=auto-next"), SDP_TYPE))
            bob.send(Sip(answer.first_line, answer.headers, SDP % 5_000), server.address("udp"))
            await alice.final(invite["Call-ID"])
            return offer

    with peer.running():
        server = start("media.py", settings={"rtpengine.rtpengine_sock": peer.url})
        offer = asyncio.run(story(server))
        commands = [command for command in peer.commands if b"10:via-branch" in command]
        assert [b"5:offer" in command for command in commands] == [True, False]
        assert {branch_of(command) for command in commands} == {offer["Via"].partition("branch=")[2].partition(";")[0]}


def test_an_instance_is_taken_for_granted(start: Start) -> None:
    """With ping_mode 0 the first thing that it hears is a call."""
    peer = rtpengine_peer(ok)
    with peer.running():
        server = start("media.py", settings={"rtpengine.rtpengine_sock": peer.url, "rtpengine.ping_mode": 0})
        assert asked(server, "rtpengine.rtpengine_offer|").startswith("1 ")
        assert len(peer.commands) == 1
        assert b"5:offer" in peer.commands[0]


# Keys


def dtmf_settings(port: int) -> dict[str, object]:
    return {
        "rtpengine.dtmf_events_sock": f"127.0.0.1:{port}",
        "rtpengine.event_callback": "dtmf",
        "rtpengine.dtmf_event": "$avp(key)",
    }


def test_keys_reach_the_script(start: Start) -> None:
    port = free_port("127.0.0.1")
    server = start("media.py", settings=dtmf_settings(port))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for data in (b"no event", b'{"callid":"c1","source_tag":"a","type":"DTMF","event":5,"duration":80}'):
            sock.sendto(data, ("127.0.0.1", port))
    wait_until(lambda: "rtpengine:dtmf-event c1 a 5 80" in server.log(), 5, "the route for the key")
    assert "sent no event of DTMF: b'no event'" in server.log()


def test_an_address_that_is_taken(start: Start) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(RuntimeError, match=r"rtpengine.dtmf_events_sock: 127.0.0.1:.*in use"):
            start("media.py", settings=dtmf_settings(sock.getsockname()[1]))


# RTPProxy


def story_of_rtpproxy(server: Server, proxy: ControlPeer) -> list[Sip]:
    """An INVITE with its 200 and a BYE; what each side saw."""

    async def story() -> list[Sip]:
        async with UdpPeer.open() as alice, UdpPeer.open() as bob:
            host, port = bob.address
            invite = request(
                "INVITE",
                f"sip:bob@{host}:{port}",
                alice.address,
                contact="sip:alice@127.0.0.1",
                extra=(("X-Media", "rtpproxy"), SDP_TYPE),
                body=SDP % 4_000,
            )
            alice.send(invite, server.address("udp"))
            offer, _ = await bob.receive()
            answer = offer.reply(200, "OK", "bob", (("X-Media", "rtpproxy"), SDP_TYPE))
            bob.send(Sip(answer.first_line, answer.headers, SDP % 5_000), server.address("udp"))
            return [offer, await alice.final(invite["Call-ID"])]

    return asyncio.run(story())


def test_a_call_through_rtpproxy(start: Start) -> None:
    proxy = rtpproxy_peer()
    with proxy.running():
        server = start("media.py", settings={"rtpproxy.rtpproxy_sock": proxy.url})
        for seen in story_of_rtpproxy(server, proxy):
            assert b"c=IN IP4 127.0.0.9" in seen.body
            assert b"m=audio 35000 " in seen.body
            assert seen.body.endswith(b"a=nortpproxy:yes\r\n")
            assert int(seen["Content-Length"]) == len(seen.body)
        assert [command[:1] for command in proxy.commands] == [b"V", b"V", b"V", b"V", b"U", b"L"]
        listed = call(data_of(server), "rtpproxy.list")
        assert [(one["url"], one["disabled"], one["setid"]) for one in listed] == [(proxy.url, 0, 0)]


def test_a_proxy_that_is_silent_or_switched_off(start: Start) -> None:
    proxy = rtpproxy_peer()
    answers, proxy.answer = proxy.answer, lambda command: None
    with proxy.running():
        server = start("media.py", settings={"rtpproxy.rtpproxy_sock": proxy.url, "rtpproxy.rtpproxy_retr": 1})
        assert asked(server, "rtpproxy.rtpproxy_offer|").startswith("-3 ")
        assert asked(server, "rtpproxy.rtpproxy_offer|").startswith("-3 ")
        assert proxy.commands == [b"V"]
        proxy.answer = answers
        data = data_of(server)
        call(data, "rtpproxy.enable", [proxy.url, 1])
        assert asked(server, "rtpproxy.rtpproxy_offer|").startswith("1 ")
        call(data, "rtpproxy.enable", [proxy.url, 0])
        assert asked(server, "rtpproxy.rtpproxy_offer|").startswith("-3 ")


def test_a_proxy_on_a_unix_socket(start: Start, tmp_path: Path) -> None:
    """Without cookies, one connection for each command, as Kamailio does."""
    path = tmp_path / "rtpproxy.sock"
    answer = rtpproxy_peer().answer
    commands: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    data = peer.recv(2_000)
                    if not data:
                        return
                    commands.append(data)
                    peer.sendall(answer(data) or b"")

        import threading

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        server = start("media.py", settings={"rtpproxy.rtpproxy_sock": f"unix:{path}"})
        assert asked(server, "rtpproxy.rtpproxy_offer|").startswith("1 ")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
            end.connect(str(path))
        thread.join(5)
    assert [command[:1] for command in commands] == [b"V", b"V", b"V", b"V", b"U"]
