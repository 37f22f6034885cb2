"""The deployments of examples/kamailio with real clients, in Sipwright and, unchanged, in Kamailio.

Each test looks at both sides of its calls, at the route calls of the script, and at the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import in_both
from support import deployments
from support.callers import PASSWORDS, authenticated, calls, final, first, within
from support.certificates import Certificates
from support.deployments import DEPLOYMENTS, Deployment, rows
from support.messages import Sip, request
from support.peers import StreamPeer, UdpPeer, eventually
from support.phones import Phone, answered_call, baresip
from support.ports import free_port
from support.process import wait_until
from support.servers import SIPWRIGHT, Kamailio
from support.sipp import Sipp
from support.tools import tool

Deploy = Callable[..., Kamailio]


@pytest.fixture(scope="session")
def users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deployments.make_users(tmp_path_factory.mktemp("users") / "users.db", PASSWORDS)


@pytest.fixture
def deploy(certs: Certificates) -> Iterator[Deploy]:
    """Starts a deployment in a server; `files` takes the place of what lies in its folder."""
    with contextlib.ExitStack() as stack:

        def start(deployment: Deployment, kind: str, **files: str) -> Kamailio:
            named = {name.replace("_", "."): text for name, text in files.items()}
            deployment.prepare(named, certs)
            return stack.enter_context(deployment.server(kind))

        yield start


# ---- the files -------------------------------------------------------------------------------------------------------

CHECKED = [
    ("lab-registrar", []),
    *(("production-edge", [f"WITH_{name}"] if name else []) for name in ("", "DIALOG", "RTPENGINE")),
    ("production-edge", ["WITHOUT_TLS"]),
    ("production-edge", ["WITH_DIALOG", "WITH_RTPENGINE"]),
]
DATABASES = [("production-edge", [f"WITH_{name}"]) for name in ("POSTGRES", "MYSQL")]


@pytest.mark.parametrize(("name", "defines"), [*CHECKED, *DATABASES])
def test_check_finds_nothing(name: str, defines: list[str]) -> None:
    """As it lies there, with each of its switches."""
    options = [word for define in defines for word in ("-A", define)]
    argv = [str(SIPWRIGHT), "check", "kamailio.cfg", "--output", "json", *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=DEPLOYMENTS / name)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["runs"] is True
    assert found["findings"] == found["problems"] == []
    assert [entry for entry in found["entries"] if entry["status"] in ("refused", "unknown", "missing")] == []


@pytest.mark.parametrize(("name", "defines"), CHECKED)
def test_kamailio_accepts_it(name: str, defines: list[str]) -> None:
    """Debian's Kamailio; its drivers for PostgreSQL and MySQL are packages of their own."""
    options = [word for define in defines for word in ("-A", define)]
    argv = [tool("kamailio"), "-c", "-f", "kamailio.cfg", *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, cwd=DEPLOYMENTS / name)
    assert done.returncode == 0, done.stderr
    assert "config file ok" in done.stdout + done.stderr


# ---- lab-registrar ---------------------------------------------------------------------------------------------------


@pytest.mark.timeout(120)
@in_both
def test_lab_phones_register_and_call(deploy: Deploy, tmp_path: Path, users: Path, kind: str) -> None:
    server = deploy(deployments.lab(tmp_path / "lab", users), kind)
    host, port = server.address("udp")
    with (
        Phone("udp", "bob", (host, port), tmp_path, password=PASSWORDS["bob"]) as bob,
        Phone("udp", "alice", (host, port), tmp_path, password=PASSWORDS["alice"]) as alice,
    ):
        call_id = answered_call(alice, bob, f"sip:bob@{host}:{port}")
        assert server.route_calls("REGISTER") == 4, "each once to be challenged, once with credentials"
        assert server.route_calls("INVITE", call_id) == 2, "once to be challenged, once with credentials"
        assert server.route_calls("BYE", call_id) == 1
        wait_until(lambda: len(rows(server, "*", "location")) == 2, 30, "locations in the database")
    found = rows(server, "username, contact, socket", "location")
    assert sorted(row[0] for row in found) == ["alice", "bob"]
    for user, contact, socket in found:
        assert contact.startswith(f"sip:{user}@127.0.0.1:")
        assert socket == f"udp:{host}:{port}"


@pytest.mark.timeout(60)
@in_both
def test_lab_wrong_password(deploy: Deploy, tmp_path: Path, users: Path, kind: str) -> None:
    server = deploy(deployments.lab(tmp_path / "lab", users), kind)
    with Phone("udp", "alice", server.address("udp"), tmp_path, password="wrong") as alice:
        assert alice.event("registered") in ("401", "403")
    assert server.route_calls("REGISTER") >= 2
    host, port = server.address("udp")

    async def nobody_is_there() -> None:
        async with UdpPeer.open() as peer:
            answer = await authenticated(peer, server, "INVITE", f"sip:nobody@{host}:{port}", "bob")
            assert answer.status == 404

    asyncio.run(nobody_is_there())
    assert rows(server, "*", "location") == []


@in_both
def test_lab_phone_behind_nat(deploy: Deploy, tmp_path: Path, users: Path, kind: str) -> None:
    """Its Contact and Via have a private address that nobody can reach; INVITE and BYE come to where it sends from."""
    server = deploy(deployments.lab(tmp_path / "lab", users), kind)
    at, (host, port) = server.address("udp"), server.address("udp")
    hidden = ("192.168.7.7", 5062)

    async def run() -> None:
        async with UdpPeer.open() as bob, UdpPeer.open() as alice:
            contact = ("Contact", f"<sip:bob@{hidden[0]}:{hidden[1]}>")
            answer = await authenticated(bob, server, "REGISTER", f"sip:{host}:{port}", "bob", contact, local=hidden)
            assert answer.status == 200
            assert f";rport={bob.address[1]}" in answer["Via"]
            invite, taken = await calls(alice, server, f"sip:bob@{host}:{port}", "alice"), await bob.receive()
            got = taken[0]
            assert got.method == "INVITE"
            assert got.get("Proxy-Authorization") is None, "bob has no use for alice's digest"
            bob.send(got.reply(200, "OK", "bob", (("Contact", contact[1]),)), at)
            ok = await alice.final(invite["Call-ID"])
            assert f";alias={bob.address[0]}~{bob.address[1]}~1" in ok["Contact"]
            for method in ("ACK", "BYE"):
                alice.send(within(method, ok, alice), at)
                came = (await bob.receive())[0]
                assert came.method == method
                assert came.uri == f"sip:bob@{hidden[0]}:{hidden[1]}"
            bob.send(came.reply(200, "OK"), at)
            assert (await alice.final(invite["Call-ID"]))["CSeq"] == "3 BYE"

    asyncio.run(run())
    assert server.route_calls("BYE") == 1


@in_both
def test_lab_voicemail(deploy: Deploy, tmp_path: Path, users: Path, kind: str) -> None:
    """Who does not answer, who is busy and who is not there has a voicemail; who does not exist has none."""
    voicemail_port = free_port()
    defines = {"VOICEMAIL": f'"sip:127.0.0.1:{voicemail_port}"', "RING_MS": 700}
    server = deploy(deployments.lab(tmp_path / "lab", users, **defines), kind)
    host, port = server.address("udp")
    at, bob_uri = (host, port), f"sip:bob@{host}:{port}"

    async def leaves_a_message(alice: UdpPeer, voicemail: UdpPeer, call_id: str) -> None:
        got = await first(voicemail, "INVITE", call_id)
        assert got.uri == f"sip:bob@127.0.0.1:{voicemail_port}"
        voicemail.send(got.reply(200, "OK", "vm", (("Contact", f"<sip:vm@127.0.0.1:{voicemail_port}>"),)), at)
        ok = await alice.final(call_id)
        assert (ok.status, "tag=vm" in ok["To"]) == (200, True)
        alice.send(within("ACK", ok, alice), at)
        await first(voicemail, "ACK", call_id)

    async def run() -> None:
        async with UdpPeer.open() as bob, UdpPeer.open() as alice, UdpPeer.open(port=voicemail_port) as voicemail:
            absent = await calls(alice, server, bob_uri, "alice")
            await leaves_a_message(alice, voicemail, absent["Call-ID"])
            contact = ("Contact", f"<sip:bob@{bob.address[0]}:{bob.address[1]}>")
            assert (await authenticated(bob, server, "REGISTER", f"sip:{host}:{port}", "bob", contact)).status == 200

            silent = await calls(alice, server, bob_uri, "alice")
            got = await first(bob, "INVITE", silent["Call-ID"])
            bob.send(got.reply(180, "Ringing", "bob"), at)
            cancel = await first(bob, "CANCEL", silent["Call-ID"])
            bob.send(cancel.reply(200, "OK"), at)
            bob.send(got.reply(487, "Request Terminated", "bob"), at)
            await leaves_a_message(alice, voicemail, silent["Call-ID"])

            busy = await calls(alice, server, bob_uri, "alice")
            bob.send((await first(bob, "INVITE", busy["Call-ID"])).reply(486, "Busy Here", "bob"), at)
            await first(bob, "ACK", busy["Call-ID"])
            await leaves_a_message(alice, voicemail, busy["Call-ID"])

            answer = await authenticated(alice, server, "INVITE", f"sip:nobody@{host}:{port}", "alice")
            assert answer.status == 404

    asyncio.run(run())
    assert server.route_calls("INVITE") == 8


# ---- production-edge -------------------------------------------------------------------------------------------------

CALL_COLUMNS = "method, sip_code, src_user, src_ip, src_proto, dst_user, account"


@pytest.mark.timeout(120)
@in_both
def test_edge_call_from_tls_to_udp(deploy: Deploy, tmp_path: Path, users: Path, certs: Certificates, kind: str) -> None:
    server = deploy(deployments.edge(tmp_path / "edge", users), kind)
    host, port = server.address("udp")
    with (
        Phone("udp", "bob", (host, port), tmp_path, password=PASSWORDS["bob"]) as bob,
        Phone("tls", "alice", server.address("tls"), tmp_path, certs.ca, password=PASSWORDS["alice"]) as alice,
    ):
        call_id = answered_call(alice, bob, f"sip:bob@{host}:{port}")
        assert server.route_calls("INVITE", call_id) == 2
    wait_until(lambda: len(rows(server, "*", "acc")) == 2, 10, "two rows in acc")
    assert rows(server, CALL_COLUMNS, "acc", f"callid = '{call_id}'") == [
        ("INVITE", "200", "alice", "127.0.0.1", "tls", "bob", "alice"),
        # Only the INVITE was authenticated.
        ("BYE", "200", "alice", "127.0.0.1", "tls", "bob", None),
    ]
    assert re.search(rf"ACC: transaction answered: .*{re.escape(call_id)}.*account=alice", server.log())


@pytest.mark.timeout(120)
@in_both
def test_edge_call_to_tls(deploy: Deploy, tmp_path: Path, users: Path, certs: Certificates, kind: str) -> None:
    """The phone is reached over the connection that it registered on, the callee's BYE too."""
    server = deploy(deployments.edge(tmp_path / "edge", users), kind)
    host, port = server.address("udp")
    with (
        Phone("tls", "alice", server.address("tls"), tmp_path, certs.ca, password=PASSWORDS["alice"]) as alice,
        Phone("udp", "bob", (host, port), tmp_path, password=PASSWORDS["bob"]) as bob,
    ):
        answered_call(bob, alice, f"sip:alice@{host}:{port}")
    wait_until(lambda: len(rows(server, "*", "acc")) == 2, 10, "two rows in acc")
    assert rows(server, "src_proto", "acc") == [("udp",), ("udp",)]


@pytest.mark.timeout(60)
@in_both
def test_edge_baresip_over_tls(deploy: Deploy, tmp_path: Path, users: Path, certs: Certificates, kind: str) -> None:
    """It registers with its password and calls a phone that is busy, which leaves a missed call."""
    server = deploy(deployments.edge(tmp_path / "edge", users), kind)
    host, port = server.address("tls")

    async def run() -> str:
        async with UdpPeer.open() as bob:
            contact = ("Contact", f"<sip:bob@{bob.address[0]}:{bob.address[1]}>")
            home = f"sip:{host}:{server.port('udp')}"
            assert (await authenticated(bob, server, "REGISTER", home, "bob", contact)).status == 200
            dial = f"/dial sip:bob@{host}:{port}"
            caller = asyncio.create_task(asyncio.to_thread(baresip, "carol", (host, port), tmp_path, certs.ca, dial))
            invite, _ = await bob.receive(15)
            bob.send(invite.reply(486, "Busy Here", to_tag="busy"), server.address("udp"))
            assert (await bob.receive())[0].method == "ACK"
            return await caller

    printed = asyncio.run(run())
    assert re.search(r"200 OK .*\[1 binding\]", printed)
    assert "486 Busy Here" in printed
    wait_until(lambda: len(rows(server, "*", "missed_calls")) == 1, 10, "a row in missed_calls")
    assert rows(server, CALL_COLUMNS, "missed_calls") == [
        ("INVITE", "486", "carol", "127.0.0.1", "tls", "bob", "carol")
    ]
    assert rows(server, "*", "acc") == []


@in_both
def test_edge_names_and_transports_of_its_routes(
    deploy: Deploy, tmp_path: Path, users: Path, client_tls: ssl.SSLContext, kind: str
) -> None:
    """Between TLS and UDP there are two Record-Routes, with the public name; requests of both sides follow them."""
    server = deploy(deployments.edge(tmp_path / "edge", users), kind)
    (host, port), tls = server.address("udp"), server.address("tls")

    async def run() -> None:
        async with UdpPeer.open() as bob, StreamPeer.open(tls, client_tls) as alice:
            contact = ("Contact", f"<sip:bob@{bob.address[0]}:{bob.address[1]}>")
            assert (await authenticated(bob, server, "REGISTER", f"sip:{host}:{port}", "bob", contact)).status == 200
            invite = await calls(alice, server, f"sip:bob@{host}:{port}", "alice")
            got = await first(bob, "INVITE", invite["Call-ID"])
            routes = [
                route.partition("<")[2].partition(">")[0] for route in ", ".join(got.all("Record-Route")).split(", ")
            ]
            assert [route.partition(";")[0] for route in routes] == [f"sip:localhost:{port}", f"sip:localhost:{tls[1]}"]
            assert [";r2=on" in route for route in routes] == [True, True]
            assert ";transport=tls" in routes[1]
            assert got["Via"].startswith(f"SIP/2.0/UDP localhost:{port};")
            bob.send(got.reply(200, "OK", "bob", (contact,)), (host, port))
            ok = await final(alice, invite["Call-ID"])
            await alice.send(within("ACK", ok, alice))
            assert (await first(bob, "ACK", invite["Call-ID"])).all("Route") == []
            bob.send(within("BYE", got, bob), (host, port))
            bye = await alice.receive()
            assert (bye.method, bye.all("Route")) == ("BYE", [])
            await alice.send(bye.reply(200, "OK"))
            assert (await bob.final(invite["Call-ID"])).status == 200

    asyncio.run(run())
    wait_until(lambda: len(rows(server, "*", "acc")) == 2, 10, "two rows in acc")
    # The callee hangs up: its BYE is accounted with the caller's tag first, as the INVITE.
    tags = rows(server, "from_tag, to_tag", "acc")
    assert tags[0] == tags[1]


@in_both
def test_edge_answers_keepalives_and_refuses_relaying(deploy: Deploy, tmp_path: Path, users: Path, kind: str) -> None:
    server = deploy(deployments.edge(tmp_path / "edge", users), kind)
    host, port = server.address("udp")

    async def run() -> None:
        async with UdpPeer.open() as peer, StreamPeer.open(server.address("tcp")) as stream:
            alive = await peer.ask(request("OPTIONS", f"sip:{host}:{port}", peer.address), (host, port))
            assert alive.first_line == "SIP/2.0 200 Alive"
            over_tcp = request("OPTIONS", f"sip:{host}:{port};transport=tcp", stream.address, proto="TCP")
            assert (await stream.ask(over_tcp)).first_line == "SIP/2.0 200 Alive"
            away = await authenticated(peer, server, "INVITE", "sip:anyone@foreign.invalid", "alice")
            assert away.first_line == "SIP/2.0 403 Relaying denied"
            assert (await another_user(peer, server)).first_line == "SIP/2.0 403 Not your address"

    async def another_user(peer: UdpPeer, server: Kamailio) -> Sip:
        return await authenticated(peer, server, "REGISTER", f"sip:{host}:{port}", "alice", claimed="bob")

    asyncio.run(run())
    assert server.route_calls("OPTIONS") == 2
    assert rows(server, "*", "location") == []


@in_both
@pytest.mark.parametrize("why", ["scanner", "passwords", "flood"])
def test_edge_bans(deploy: Deploy, tmp_path: Path, users: Path, kind: str, why: str) -> None:
    """Whoever scans, guesses or floods hears nothing more; others do."""
    server = deploy(deployments.edge(tmp_path / "edge", users, FLOOD_LIMIT=20), kind)
    at = server.address("udp")

    async def asks(peer: UdpPeer, timeout_s: float = 5.0) -> Sip:
        return await peer.ask(request("OPTIONS", f"sip:{at[0]}:{at[1]}", peer.address), at, timeout_s)

    async def run() -> None:
        async with UdpPeer.open("127.0.0.2") as villain, UdpPeer.open() as friend:
            if why != "scanner":
                assert (await asks(villain)).status == 200
            await MISDEEDS[why](villain, server)
            assert (await asks(friend)).status == 200
            with pytest.raises(TimeoutError):
                await asks(villain, 1.0)

    asyncio.run(run())
    assert "127.0.0.2 is banned" in server.log()
    assert "127.0.0.1 is banned" not in server.log()


async def scan(villain: UdpPeer, server: Kamailio) -> None:
    at = server.address("udp")
    agent = ("User-Agent", "friendly-scanner")
    villain.send(request("OPTIONS", f"sip:100@{at[0]}:{at[1]}", villain.address, extra=(agent,)), at)
    wait_until(lambda: server.route_calls("OPTIONS") == 1, 5, "the scanner's request")


async def guess(villain: UdpPeer, server: Kamailio) -> None:
    home = f"sip:{server.address('udp')[0]}:{server.port('udp')}"
    for _ in range(4):
        answer = await authenticated(villain, server, "REGISTER", home, "alice", password="wrong")
        assert answer.status == 401
    with pytest.raises(TimeoutError):
        await authenticated(villain, server, "REGISTER", home, "alice", password="wrong", timeout_s=1.0)


async def flood(villain: UdpPeer, server: Kamailio) -> None:
    at = server.address("udp")
    for _ in range(100):
        villain.send(request("OPTIONS", f"sip:{at[0]}:{at[1]}", villain.address), at)
    await eventually(lambda: "127.0.0.2 is banned" in server.log())


MISDEEDS = {"scanner": scan, "passwords": guess, "flood": flood}


@in_both
def test_edge_fails_over_to_the_second_server(deploy: Deploy, tmp_path: Path, users: Path, kind: str) -> None:
    """One of two application servers is down: calls go to the other, later ones at once; with none left there is a 503."""
    dead, alive = free_port(), free_port()
    servers = f"1 sip:127.0.0.1:{dead}\n1 sip:127.0.0.1:{alive}\n"
    server = deploy(deployments.edge(tmp_path / "edge", users), kind, dispatcher_list=servers)
    host, port = server.address("udp")

    async def run() -> None:
        async with UdpPeer.open() as alice, UdpPeer.open(port=alive) as application:
            for number in range(3):
                invite = await calls(alice, server, f"sip:{number}00@{host}:{port}", "alice")
                got = await first(application, "INVITE", invite["Call-ID"], timeout_s=10)
                assert got.uri == f"sip:{number}00@{host}:{port}"
                contact = ("Contact", f"<sip:app@127.0.0.1:{alive}>")
                application.send(got.reply(200, "OK", "app", (contact,)), (host, port))
                ok = await alice.final(invite["Call-ID"])
                assert "tag=app" in ok["To"]
                alice.send(within("ACK", ok, alice), (host, port))
                await first(application, "ACK", invite["Call-ID"])

            # A user who is busy is no reason to try the other server, an overloaded server is.
            invite = await calls(alice, server, f"sip:300@{host}:{port}", "alice")
            got = await first(application, "INVITE", invite["Call-ID"])
            application.send(got.reply(486, "Busy Here", "app"), (host, port))
            assert (await alice.final(invite["Call-ID"])).status == 486
            invite = await calls(alice, server, f"sip:400@{host}:{port}", "alice")
            got = await first(application, "INVITE", invite["Call-ID"])
            application.send(got.reply(503, "Overloaded", "app"), (host, port))
            assert (await alice.final(invite["Call-ID"])).status == 500
            none_left = await authenticated(alice, server, "INVITE", f"sip:500@{host}:{port}", "alice")
            assert (none_left.status, none_left["Retry-After"]) == (503, "30")

    asyncio.run(run())
    # By turn: the first or the second call met the server that is down, and none after it.
    assert server.log().count(f"sip:127.0.0.1:{dead} failed with 408") == 1
    assert server.log().count(f"sip:127.0.0.1:{alive} failed with 503") == 1
    wait_until(lambda: len(rows(server, "*", "acc")) == 3, 10, "three rows in acc")
    assert rows(server, "dst_user, account", "acc") == [(f"{number}00", "alice") for number in range(3)]


@pytest.mark.timeout(90)
@in_both
def test_edge_calls_of_a_trunk(deploy: Deploy, tmp_path: Path, users: Path, kind: str) -> None:
    """sipp calls from the trunk's address, without a password, and two sipp share its calls as application servers."""
    trunk, ports, count = free_port(), [free_port(), free_port()], 10
    lists = {
        "address_list": f"1 127.0.0.1 32 {trunk} carrier\n",
        "dispatcher_list": "".join(f"1 sip:127.0.0.1:{port}\n" for port in ports),
    }
    server = deploy(deployments.edge(tmp_path / "edge", users), kind, **lists)
    host, port = server.address("udp")
    with contextlib.ExitStack() as stack:
        callees = [
            stack.enter_context(Sipp("callee", (host, port), tmp_path, port=one, calls=count, timeout_s=60))
            for one in ports
        ]
        target = {"target": f"sip:0205550100@{host}:{port}"}
        options = {"port": trunk, "calls": count, "rate": 10, "keys": target}
        caller = stack.enter_context(Sipp("caller", (host, port), tmp_path, **options))  # type: ignore[arg-type]
        assert caller.wait() == 0, caller.errors() + server.log()[-4000:]
        for callee in callees:
            callee.finish()
        taken = [callee.figures().successful for callee in callees]
    assert sum(taken) == count
    assert min(taken) >= 1
    assert server.route_calls("INVITE") == server.route_calls("BYE") == count
    wait_until(lambda: len(rows(server, "*", "acc")) == 2 * count, 10, "a row for each INVITE and BYE")
    assert rows(server, "DISTINCT dst_user, src_ip, account", "acc", "method = 'INVITE'") == [
        ("0205550100", "127.0.0.1", "carrier")
    ]
    assert len(rows(server, "*", "acc", "method = 'BYE' AND account = 'carrier'")) == count


@in_both
def test_edge_trunk_of_another_address_needs_a_password(deploy: Deploy, tmp_path: Path, users: Path, kind: str) -> None:
    server = deploy(deployments.edge(tmp_path / "edge", users), kind, address_list="1 127.0.0.9 32 0 carrier\n")
    host, port = server.address("udp")

    async def run() -> None:
        async with UdpPeer.open() as stranger, UdpPeer.open("127.0.0.9") as trunk:
            uri = f"sip:0205550100@{host}:{port}"
            assert (await stranger.ask(request("INVITE", uri, stranger.address), (host, port))).status == 407
            # The application servers of the list are not there.
            answer = await trunk.ask(request("INVITE", uri, trunk.address), (host, port), 15)
            assert answer.status in (408, 500, 503)
            refused = await trunk.ask(request("REGISTER", f"sip:{host}:{port}", trunk.address), (host, port))
            assert refused.status == 403

    asyncio.run(run())


@in_both
def test_edge_bounds_the_calls_of_a_user(deploy: Deploy, tmp_path: Path, users: Path, kind: str) -> None:
    application = free_port()
    deployment = deployments.edge(tmp_path / "edge", users, WITH_DIALOG=None, CALLS_PER_USER=1)
    server = deploy(deployment, kind, dispatcher_list=f"1 sip:127.0.0.1:{application}\n")
    host, port = server.address("udp")
    uri = f"sip:100@{host}:{port}"

    async def run() -> None:
        async with UdpPeer.open() as alice, UdpPeer.open(port=application) as callee:
            invite = await calls(alice, server, uri, "alice")
            got = await first(callee, "INVITE", invite["Call-ID"])
            callee.send(got.reply(200, "OK", "app", (("Contact", f"<sip:app@127.0.0.1:{application}>"),)), (host, port))
            ok = await alice.final(invite["Call-ID"])
            alice.send(within("ACK", ok, alice), (host, port))
            await first(callee, "ACK", invite["Call-ID"])
            second = await authenticated(alice, server, "INVITE", uri, "alice")
            assert second.first_line == "SIP/2.0 486 Too Many Calls"
            alice.send(within("BYE", ok, alice), (host, port))
            callee.send((await first(callee, "BYE", invite["Call-ID"])).reply(200, "OK"), (host, port))
            assert (await alice.final(invite["Call-ID"])).status == 200
            third = await calls(alice, server, uri, "alice")
            got = await first(callee, "INVITE", third["Call-ID"])
            callee.send(got.reply(486, "Busy Here", "app"), (host, port))
            assert (await alice.final(third["Call-ID"])).first_line == "SIP/2.0 486 Busy Here"

    asyncio.run(run())
