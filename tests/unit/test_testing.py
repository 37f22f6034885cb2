"""The test kit: scripts on the real engine in virtual time, without sockets and threads."""

from __future__ import annotations

import socket
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sipwright.testing import ExpectationError, VirtualServer
from sipwright.testing.phone import Tls

Make = Callable[..., VirtualServer]

HEAD = """
import KSR

def mod_init():
    return Handler()

class Handler:
    def child_init(self, rank):
        return 0
"""
FAILOVER = (
    HEAD
    + """
    def ksr_request_route(self, msg):
        if KSR.is_ACK():
            KSR.tm.t_check_trans()
            return 1
        KSR.tm.t_on_failure("next_gateway")
        KSR.tm.t_set_fr(60000, 30000)
        KSR.seturi("sip:gw@192.0.2.11")
        KSR.corex.append_branch_uri("sip:gw@192.0.2.12")
        KSR.corex.append_branch_uri("sip:gw@192.0.2.13")
        KSR.tm.t_relay()
        return 1

    def next_gateway(self, msg):
        KSR.info("failed with %d\\n" % KSR.pv.get("$T_reply_code"))
        KSR.seturi("sip:last@192.0.2.14")
        KSR.corex.append_branch()
        KSR.tm.t_relay()
        return 1
"""
)
RELAY = (
    HEAD
    + """
    def ksr_request_route(self, msg):
        if KSR.is_ACK() or KSR.is_CANCEL():
            KSR.tm.t_check_trans()
        if KSR.siputils.has_totag() > 0 and KSR.rr.loose_route() > 0:
            KSR.tm.t_relay()
            return 1
        if KSR.is_CANCEL():
            KSR.tm.t_relay()
            return 1
        if KSR.is_REGISTER():
            KSR.registrar.save("location", 0)
            return 1
        KSR.rr.record_route()
        if KSR.registrar.lookup("location") < 0:
            KSR.sl.send_reply(404, "Not Found")
            return 1
        KSR.tm.t_relay()
        return 1
"""
)


@pytest.fixture
def serve(tmp_path: Path, sip_server: Make) -> Make:
    """Starts a server with a script that is given as text."""

    def start(text: str, **options: object) -> VirtualServer:
        path = tmp_path / "route.py"
        path.write_text(textwrap.dedent(text))
        return sip_server(path, **options)

    return start


def route(lines: str) -> str:
    """A script whose request route has these lines."""
    return HEAD + "\n    def ksr_request_route(self, msg):\n" + textwrap.indent(textwrap.dedent(lines), " " * 8)


def test_a_call_from_ringing_to_its_end(serve: Make) -> None:
    sip = serve(RELAY)
    bob = sip.phone("bob", register=True)
    call = sip.invite("alice", "bob", body="v=0\r\n")
    call.expect(100)
    invite = bob.expect("INVITE")
    assert invite.uri == bob.contact
    assert invite.message.text == "v=0\r\n"
    assert len(invite.message.all("Via")) == 2
    bob.reply(180)
    call.expect(180)
    invite.reply(200)
    assert call.expect(200)["Contact"] == f"<{bob.contact}>"
    call.ack()
    assert bob.expect("ACK")["CSeq"] == "1 ACK"
    ended = invite.bye()
    alice = sip.phone("alice")
    alice.expect("BYE").reply(200)
    ended.expect(200)
    call.expect_nothing()
    bob.expect_nothing()
    assert sip.routes == ["ksr_request_route"] * 4
    assert call.routes == ["ksr_request_route"]


def test_three_branches_a_timeout_and_failover_in_no_time(serve: Make) -> None:
    sip = serve(FAILOVER)
    gateways = [sip.peer(f"192.0.2.1{number}") for number in (1, 2, 3, 4)]
    begin = time.process_time()
    call = sip.invite("alice", "sip:+49301234@192.0.2.1")
    gateways[0].reply(503)
    gateways[1].reply(180)
    gateways[2].reply(486)
    call.expect(180)
    assert sip.routes == ["ksr_request_route"]
    assert sip.next_timer() is not None
    sip.advance(61)
    assert call.routes == ["ksr_request_route", "next_gateway"]
    gateways[3].expect("INVITE").reply(200)
    call.expect(200)
    took = time.process_time() - begin
    assert gateways[1].expect("CANCEL").is_answered
    assert sip.logged("failed with ")
    # Some 7 ms; the rest is for a machine whose caches others use.
    assert took < 0.03, f"{took * 1000:.1f} ms of CPU"


def test_cancel(serve: Make) -> None:
    sip = serve(RELAY)
    bob = sip.phone("bob", register=True)
    call = sip.invite("alice", "bob")
    invite = bob.reply(180)
    call.expect(180)
    call.cancel().expect(200)
    call.expect(487)
    assert bob.expect("CANCEL").is_answered
    assert [response.status for response in invite.responses] == [180, 487]


def test_no_sockets_and_no_threads(serve: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket or a thread")

    before = threading.active_count()
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    sip = serve(RELAY)
    assert sip.engine.threads() == [row for row in sip.engine.threads() if row[0] == "sw-log"]
    bob = sip.phone("bob", register=True)
    sip.invite("alice", "bob")
    bob.reply(486)
    sip.advance(40)
    assert threading.active_count() == before
    assert sip.engine.stats()["transactions"] == 0


def test_time_of_scripts_stands_still_and_sleeping_turns_it(serve: Make) -> None:
    sip = serve(
        "import time, datetime\nfrom time import sleep\n"
        + route(
            """
            begin = time.monotonic()
            sleep(1.5)
            KSR.info("slept %.1f, it is %s %s\\n" % (
                time.monotonic() - begin, datetime.datetime.now(datetime.timezone.utc).isoformat(), KSR.pv.get("$TV(s)")))
            KSR.sl.send_reply(200, "OK")
            """
        )
    )
    real = time.monotonic()
    sip.phone("alice").message("bob", "hello").expect(200)
    assert time.monotonic() - real < 1
    assert sip.logged("slept 1.5, it is 2026-01-05T12:00:01.500000+00:00")
    assert sip.now_s == 1.5


def test_retransmissions_by_their_timers(serve: Make) -> None:
    sip = serve(RELAY)
    bob = sip.phone("bob", register=True)
    sip.invite("alice", "bob")
    assert sip.next_timer() == pytest.approx(0.5, abs=0.01)
    sip.advance_to_next_timer()
    sent = [packet for packet in sip.packets if packet.phone is bob and packet.message and packet.is_outgoing]
    assert [(packet.message.summary().split()[0], packet.is_repeated) for packet in sent if packet.message] == [
        ("200", False),
        ("INVITE", False),
        ("INVITE", True),
    ]
    assert len([one for one in bob.requests if one.method == "INVITE"]) == 1


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws"])
def test_streams(serve: Make, transport: str) -> None:
    listen = ["udp:192.0.2.1:5060", "tcp:192.0.2.1:5060", "tls:192.0.2.1:5061", "ws:192.0.2.1:80"]
    sip = serve(RELAY, settings={"listen": listen})
    bob = sip.phone("bob", transport=transport, register=True)
    call = sip.invite("alice", "bob")
    invite = bob.expect("INVITE")
    assert invite.message.all("Via")[0].startswith(f"SIP/2.0/{transport.upper()} ")
    invite.reply(200)
    call.expect(200)
    before = sip.engine.stats()["connections_open"]
    bob.disconnect()
    assert sip.engine.stats()["connections_open"] == before - 1


def test_a_stream_in_pieces_and_its_keep_alives(serve: Make) -> None:
    sip = serve(route('KSR.sl.send_reply(200, "OK")\n'))
    alice = sip.phone("alice", transport="tcp")
    alice.send(b"\r\n\r\n")
    assert sip.packets[-1].data == b"\r\n"
    whole = alice.request("OPTIONS", "bob").request.with_headers({"Via": alice.via()}).encode()
    for part in (whole[:20], whole[20:300], whole[300:]):
        alice.send(part)
    assert [message.status for message in alice.received] == [200, 200]


def test_the_certificate_of_a_peer(serve: Make) -> None:
    sip = serve(route('KSR.sl.send_reply(200, "v" + KSR.pv.gete("$tls_peer_verified"))\n'))
    valid = sip.phone("alice", transport="tls", tls=Tls(verdict="valid", server_name="sip.example.com"))
    assert valid.request("OPTIONS", "bob").expect(200).reason == "v1"
    other = sip.phone("carol", transport="tls", tls=Tls(verdict="expired"))
    assert other.request("OPTIONS", "bob").expect(200).reason == "v0"


def test_the_certificate_of_a_peer_that_the_server_connects_to(serve: Make) -> None:
    script = (
        HEAD
        + """
    def ksr_request_route(self, msg):
        KSR.tm.t_relay()
        return 1

    def ksr_reply_route(self, msg):
        KSR.info("verified: %s\\n" % KSR.pv.get("$tls_peer_verified"))
        return 1
"""
    )
    sip = serve(script)
    gateway = sip.phone("gw", address="192.0.2.30:5061", transport="tls", tls=Tls(verdict="valid"))
    call = sip.phone("alice").request("OPTIONS", "sip:x@192.0.2.30;transport=tls")
    gateway.reply(200)
    call.expect(200)
    assert sip.logged("verified: 1")
    assert sip.engine.stats()["connections_opened"] == 1


def test_http(serve: Make) -> None:
    script = (
        HEAD
        + """
    def ksr_request_route(self, msg):
        return 1

    def http(self, msg, event):
        KSR.xhttp.xhttp_reply(200, "OK", "text/plain", "path " + KSR.pv.gete("$hu"))
        return 1
"""
    )
    sip = serve(script, settings={"xhttp.event_callback": "http"})
    browser = sip.phone("browser", transport="tcp")
    browser.send(b"GET /status HTTP/1.1\r\nHost: sip.example.com\r\n\r\n")
    assert sip.packets[-1].data.startswith(b"HTTP/1.1 200 OK")
    assert sip.packets[-1].data.endswith(b"path /status")
    assert sip.events == ["xhttp:request"]


def test_one_server_at_a_time(serve: Make, tmp_path: Path) -> None:
    sip = serve(route('KSR.sl.send_reply(200, "OK")\n'))
    with pytest.raises(RuntimeError, match="is open in this process already"):
        VirtualServer(tmp_path / "route.py")
    sip.close()
    with VirtualServer(tmp_path / "route.py") as other:
        other.phone("alice").request("OPTIONS", "bob").expect(200)


def test_connections_and_datagrams_that_are_refused(serve: Make) -> None:
    script = route(
        """
        if KSR.is_ACK():
            return 1
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        """
    )
    pool = [f"_sip._udp.pool.example.com SRV {rank} 0 5060 {name}.example.com" for rank, name in ((1, "a"), (2, "b"))]
    sip = serve(script, records=pool, hosts={"a.example.com": "192.0.2.77", "b.example.com": "192.0.2.78"})
    sip.unreachable("192.0.2.77:5060")
    call = sip.invite("alice", "sip:x@pool.example.com")
    sip.peer("192.0.2.78").reply(200)
    call.expect(200)
    sip.invite("alice", "sip:x@192.0.2.77;transport=tcp").expect("5xx")
    sip.unreachable("192.0.2.77:5060", on=False)
    call = sip.invite("alice", "sip:x@192.0.2.77;transport=tcp")
    sip.peer("192.0.2.77").reply(200)
    call.expect(200)


def test_names(serve: Make) -> None:
    script = route("KSR.tm.t_relay()\n")
    sip = serve(
        script,
        hosts={"gw.example.com": "192.0.2.20"},
        records=["_sip._udp.pool.example.com SRV 1 0 5080 a.example.com", "a.example.com A 192.0.2.21"],
    )
    sip.invite("alice", "sip:1@gw.example.com")
    sip.peer("192.0.2.20").expect("INVITE")
    sip.invite("alice", "sip:1@pool.example.com")
    sip.peer("192.0.2.21:5080").expect("INVITE")
    sip.add_records("late.example.com A 192.0.2.22")
    sip.invite("alice", "sip:1@late.example.com")
    sip.peer("192.0.2.22").expect("INVITE")
    sip.invite("alice", "sip:1@nowhere.example.com").expect("4xx")


def test_nat(serve: Make) -> None:
    sip = serve(
        RELAY.replace("KSR.registrar.save", "KSR.nathelper.fix_nated_register()\n            KSR.registrar.save")
    )
    bob = sip.phone("bob", address="10.0.0.5:5060", source="203.0.113.7:40000", register=True)
    sip.invite("alice", "bob")
    assert bob.expect("INVITE").uri == "sip:bob@10.0.0.5:5060"
    assert sip.packets[-1].phone is bob or sip.packets[-2].phone is bob


def test_passwords_and_rows(serve: Make) -> None:
    script = route(
        """
        if KSR.auth_db.auth_check("example.com", "subscriber", 1) < 0:
            KSR.auth.auth_challenge("example.com", 1)
            return 1
        KSR.sl.send_reply(200, "OK")
        """
    )
    sip = serve(script, domain="example.com")
    sip.add_user("alice", "secret")
    assert [row["username"] for row in sip.database.rows("subscriber")] == ["alice"]
    alice = sip.phone("alice", password="secret")
    call = alice.request("OPTIONS", "bob")
    call.expect(200)
    assert [response.status for response in call.responses] == [407, 200]
    mallory = sip.phone("mallory", uri="sip:alice@example.com", password="wrong")
    again = mallory.request("OPTIONS", "bob")
    assert [response.status for response in again.responses] == [407, 407]
    assert sip.phone("nobody").request("OPTIONS", "bob").expect(407)


def test_variables_tables_events_and_the_log(serve: Make) -> None:
    script = (
        HEAD
        + """
    def ksr_request_route(self, msg):
        KSR.pv.sets("$avp(who)", KSR.pv.get("$fU"))
        KSR.htable.sht_sets("seen", KSR.pv.get("$fU"), "yes")
        KSR.pv.seti("$shv(count)", (KSR.pv.get("$shv(count)") or 0) + 1)
        KSR.sl.send_reply(200, "OK")
        return 1

    def expired(self, msg, event):
        KSR.info(event + " " + KSR.pv.gete("$shtrecord(key)"))
        return 1
"""
    )
    sip = serve(script, settings={"htable.tables": {"seen": {"autoexpire_s": 60}}, "htable.event_callback": "expired"})
    sip.watch("$avp(who)", "$rm")
    for name in ("alice", "carol"):
        sip.phone(name).request("OPTIONS", "bob").expect(200)
    calls = [call for call in sip.route_calls if call.name == "ksr_request_route"]
    assert [call.values for call in calls] == [
        {"$avp(who)": "alice", "$rm": "OPTIONS"},
        {"$avp(who)": "carol", "$rm": "OPTIONS"},
    ]
    assert sip.htable("seen") == {"alice": "yes", "carol": "yes"}
    assert sip.value("$shv(count)") == 2
    assert sip.rpc("htable.get", "seen", "alice")["item"]["value"] == "yes"
    sip.advance(100)
    assert sip.events == ["htable:mod-init", "htable:expired:seen", "htable:expired:seen"]
    assert sip.htable("seen") == {}
    assert [line.text for line in sip.log if "expired" in line.text] == [
        "htable:expired:seen alice",
        "htable:expired:seen carol",
    ]


def test_stubs(serve: Make) -> None:
    sip = serve(route('KSR.sl.send_reply(200, "r%d" % KSR.rtpengine.rtpengine_manage("replace-origin"))\n'))
    seen = sip.stub("rtpengine.rtpengine_manage", 7)
    assert sip.invite("alice", "bob").expect(200).reason == "r7"
    assert seen[0] == ("replace-origin",)


def test_routes_that_go_on_later(serve: Make) -> None:
    script = (
        HEAD
        + """
    def ksr_request_route(self, msg):
        if KSR.is_ACK():
            return 1
        KSR.tm.t_newtran()
        getattr(KSR, "async").route("later", 3)
        return 1

    def later(self, msg):
        KSR.tm.t_reply(480, "Later")
        return 1
"""
    )
    sip = serve(script)
    call = sip.invite("alice", "bob")
    sip.advance(2.9)
    assert call.final is None
    sip.advance(0.2)
    call.expect(480)


def test_errors_of_the_script(serve: Make) -> None:
    script = route("raise ValueError('oh')\n")
    sip = serve(script)
    with pytest.raises(ValueError, match="oh"):
        sip.invite("alice", "bob")
    assert sip.phone("alice").calls[0].status == 500
    sip = serve(script, raise_errors=False)
    sip.invite("alice", "bob").expect(500)
    assert sip.logged("ValueError: oh")


def test_failures_tell_the_story(serve: Make) -> None:
    sip = serve(route('KSR.warn("no way\\n")\nKSR.sl.send_reply(403, "No")\n'))
    call = sip.invite("alice", "bob")
    with pytest.raises(ExpectationError) as failure:
        call.expect(200)
    told = str(failure.value)
    assert "200 was expected, but the next response is 403 No (INVITE)" in told
    assert "-INVITE sip:bob@192.0.2.1-" in told
    assert "403 No (INVITE)" in told
    assert "routes: ksr_request_route" in told
    assert "log: warning: no way" in told
    with pytest.raises(ExpectationError, match="has received no INVITE"):
        sip.phone("bob").expect("INVITE")
    with pytest.raises(ExpectationError, match="does not listen for wss"):
        sip.phone("dora", transport="wss").request("OPTIONS", "bob")


def test_a_kamailio_cfg(tmp_path: Path, sip_server: Make) -> None:
    (tmp_path / "kamailio.cfg").write_text(
        '#!KAMAILIO\nlisten=udp:eth7:5060\nloadmodule "app_python3.so"\nloadmodule "sl.so"\nloadmodule "pv.so"\n'
        'modparam("app_python3", "load", "route.py")\ncfgengine "python"\n'
    )
    (tmp_path / "route.py").write_text(route('KSR.sl.send_reply(200, "OK")\n'))
    sip = sip_server(config=tmp_path / "kamailio.cfg", hosts={"eth7": "192.0.2.99"})
    assert sip.engine.sockets() == [("udp", "192.0.2.99", 5060)]
    sip.phone("alice").request("OPTIONS", "bob").expect(200)


def test_reload(tmp_path: Path, serve: Make) -> None:
    sip = serve(route('KSR.sl.send_reply(200, "one")\n'))
    alice = sip.phone("alice")
    assert alice.request("OPTIONS", "bob").expect(200).reason == "one"
    (tmp_path / "route.py").write_text(route('KSR.sl.send_reply(200, "two")\n'))
    sip.reload()
    assert alice.request("OPTIONS", "bob").expect(200).reason == "two"
