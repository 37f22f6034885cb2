"""TLS of a running server: listing, killing, reloading by command and by watching files, the script's veto."""

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509

from conftest import Start
from sipwright.cli.tls import command
from sipwright.control.client import ControlError, call
from sipwright.control.server import SOCKET_NAME
from support import tls
from support.certificates import Authority, Issued
from support.process import open_files, rss_bytes, wait_until
from support.servers import Server
from support.tools import tool

RELOADS = 1_000


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def put(issued: Issued, directory: Path) -> dict[str, object]:
    """Puts a certificate where the settings point to, each file at one stroke."""
    for source, name in ((issued.chain, "cert.pem"), (issued.key, "key.pem")):
        fresh = directory / f"{name}.new"
        fresh.write_bytes(source.read_bytes())
        fresh.replace(directory / name)
    return {"tls.certificate": directory / "cert.pem", "tls.private_key": directory / "key.pem"}


def ctl(server: Server, method: str, *params: object) -> Any:
    data_dir = server.directory / "data"
    wait_until((data_dir / SOCKET_NAME).exists, 5, "the control socket")
    return call(data_dir, method, list(params))


def test_connections_are_listed_and_killed(start: Start, authority: Authority, tmp_path: Path) -> None:
    settings = {**put(authority.issue(), tmp_path), "tls.verify_client": "optional", "tls.ca_list": authority.file}
    server = start("answer.py", "tls", settings=settings)
    address = server.address("tls")
    with tls.connect(address, tls.context(authority.file, authority.issue("client")), "edge.test") as peer:
        assert tls.ask(peer, address).status == 200
        (row,) = ctl(server, "tls.list")
        host, port = peer.getsockname()[:2]
        assert (row["src_ip"], row["src_port"], row["dst_port"]) == (host, port, address[1])
        assert (row["state"], row["profile"], row["server_name"]) == ("established", "tls", "edge.test")
        assert (row["verified"], row["resumed"], row["outbound"]) == (True, False, False)
        assert row["cipher"].startswith("TLS_AES_256_GCM_SHA384         TLSv1.3 Kx=any ")
        # The answer may be out before the thread has noted until when it waits.
        wait_until(lambda: 100 <= ctl(server, "tls.list")[0]["timeout"] <= 120, 5, "the time of an idle connection")
        info = ctl(server, "tls.info")
        assert info["opened_connections"] == 1
        assert info["handshakes_ok"] == 1
        with pytest.raises(ControlError, match="there is no TLS connection 77"):
            ctl(server, "tls.kill", 77)
        assert ctl(server, "tls.kill", row["id"]) == "Ok. TLS connection closed."
        assert peer.recv(1) == b""
    wait_until(lambda: ctl(server, "tls.list") == [], 5, "the connection to be gone")


def said_by_openssl(issued: Issued) -> dict[str, object]:
    """What `openssl x509` says of a certificate."""
    shown = ("-serial", "-subject", "-issuer", "-startdate", "-enddate", "-fingerprint", "-sha256")
    argv = [tool("openssl"), "x509", "-noout", "-in", str(issued.chain), "-nameopt", "compat", *shown]
    lines = subprocess.run(argv, capture_output=True, check=True, text=True, timeout=10).stdout.splitlines()
    serial, subject, issuer, begin, end, fingerprint = (line.partition("=")[2].strip() for line in lines)
    argv = [tool("openssl"), "x509", "-noout", "-in", str(issued.chain), "-ext", "subjectAltName"]
    names = subprocess.run(argv, capture_output=True, check=True, text=True, timeout=10).stdout.splitlines()[1]
    return {
        "subject": subject,
        "issuer": issuer,
        "names": [shorter(name) for name in names.strip().split(", ")],
        "serial": serial,
        "not_before": begin,
        "not_after": end,
        "fingerprint": fingerprint,
        "common_name": issued.x509.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value,
    }


def shorter(name: str) -> str:
    """A name of OpenSSL's, IPv6 addresses as RFC 5952 has them."""
    kind, _, address = name.partition(":")
    return f"{kind}:{ipaddress.ip_address(address)}" if kind == "IP Address" else name


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_certificates_of_both_sides(start: Start, authority: Authority, tmp_path: Path, mode: int) -> None:
    """Mutual TLS, and a server with a certificate for each name."""
    general, edge = authority.issue("general"), authority.issue("edge.test", ["edge.test"])
    file = tmp_path / "tls.cfg"
    asks = f"verify_certificate = yes\nrequire_certificate = no\nca_list = {authority.file}\n"
    text = "[server:{0}]\ncertificate = {1.chain}\nprivate_key = {1.key}\n{2}{3}"
    named = text.format("any", edge, asks, "server_name = edge.test\n")
    file.write_text(text.format("default", general, asks, "") + named)
    server = start("answer.py", "tls", settings={"tls.config": file, "tls.threads_mode": mode})
    address = server.address("tls")
    name = x509.Name.from_rfc4514_string("CN=Alice Example,OU=Phones,O=Example GmbH,ST=Berlin,C=DE")
    names = ("alice.test", "192.0.2.7", "2001:db8::7", "sip:alice@example.org", "alice@example.org")
    cases = [
        (authority.issue("alice", names, subject=name), "edge.test", edge, "valid"),
        (authority.issue("soon", days=5), None, general, "expires soon"),
    ]
    for own, asked, served, validity in cases:
        with tls.connect(address, tls.context(authority.file, own), asked) as peer:
            assert tls.ask(peer, address).status == 200
            (row,) = ctl(server, "tls.list")
            shown, ours = dict(row["peer_certificate"]), dict(row["own_certificate"])
            assert (shown.pop("validity"), ours.pop("validity")) == (validity, "valid")
            left = (own.x509.not_valid_after_utc - datetime.datetime.now(datetime.UTC)).days
            assert shown.pop("days_left") in (left, left + 1)
            assert ours.pop("days_left") >= 29
            assert shown == said_by_openssl(own)
            assert ours == said_by_openssl(served)
            assert (row["verified"], row["certificate"], row["unverified"]) == (True, "verified", None)
            version, cipher = peer.version(), peer.cipher()
            assert cipher is not None
            assert (row["version"], row["cipher"].split()[0]) == (version, cipher[0])
            assert (row["server_name"], row["threads_mode"]) == (asked, mode)
            one = ctl(server, "tls.show", row["id"])
            assert {**one, "timeout": 0} == {**row, "timeout": 0}
            ask = CliRunner().invoke(
                command, ["show", str(row["id"]), "-d", str(server.directory / "data"), "-o", "table"]
            )
            assert ask.exit_code == 0, ask.output
            assert f"peer_certificate.fingerprint  {shown['fingerprint']}" in ask.output
            brief = CliRunner().invoke(command, ["list", "-d", str(server.directory / "data"), "-o", "table"])
            assert all(text in brief.output for text in (shown["subject"], validity, "verified"))
            assert "PRIVATE KEY" not in json.dumps(row)
        wait_until(lambda: ctl(server, "tls.list") == [], 20, "the connection to be gone")
    with pytest.raises(ControlError, match="there is no TLS connection 77"):
        ctl(server, "tls.show", 77)


def test_why_a_certificate_is_not_verified(start: Start, authority: Authority, tmp_path: Path) -> None:
    """`optional_no_ca` lets everybody in; the list says what is wrong."""
    stranger = Authority(tmp_path / "stranger", "Stranger CA")
    settings = {
        **put(authority.issue(), tmp_path),
        "tls.ca_list": authority.file,
        "tls.verify_client": "optional_no_ca",
    }
    server = start("answer.py", "tls", settings=settings)
    address = server.address("tls")
    cases = [
        (authority.expired("old"), "expired", "certificate expired", "expired"),
        (stranger.issue("who"), "not verified", "leads to no authority in ca_list", "valid"),
        (None, "none", "it showed none", None),
    ]
    for own, verdict, why, validity in cases:
        with tls.connect(address, tls.context(authority.file, own)) as peer:
            assert tls.ask(peer, address).status == 200
            (row,) = ctl(server, "tls.list", 1)
            assert (row["verified"], row["certificate"]) == (False, verdict)
            assert why in row["unverified"]
            assert (row["peer_certificate"] or {}).get("validity") == validity
        wait_until(lambda: ctl(server, "tls.list") == [], 20, "the connection to be gone")


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_a_reload_changes_what_newcomers_see(start: Start, authority: Authority, tmp_path: Path, mode: int) -> None:
    settings = {**put(authority.issue("first"), tmp_path), "tls.threads_mode": mode, "tls.watch_s": 0}
    server = start("answer.py", "tls", settings=settings)
    address, client = server.address("tls"), tls.context(authority.file)
    with tls.connect(address, client) as old:
        assert tls.ask(old, address).status == 200
        put(authority.issue("second"), tmp_path)
        assert tls.subject(address, client) == "first"
        assert ctl(server, "tls.reload") == "Ok. TLS configuration reloaded."
        assert tls.subject(address, client) == "second"

        (tmp_path / "key.pem").write_text("nonsense")
        with pytest.raises(ControlError, match=f"stays in force: tls: {tmp_path}/key.pem: no private key in it"):
            ctl(server, "tls.reload")
        assert tls.subject(address, client) == "second"
        assert tls.ask(old, address).status == 200, "connections that were open go on"


def test_a_reload_reads_profiles_too(start: Start, authority: Authority, tmp_path: Path) -> None:
    first, second = authority.issue("first"), authority.issue("second")
    text = "[server:default]\ncertificate = {0.chain}\nprivate_key = {0.key}\n"
    file = tmp_path / "tls.cfg"
    file.write_text(text.format(first))
    server = start("answer.py", "tls", settings={"tls.config": file})
    address, client = server.address("tls"), tls.context(authority.file)
    assert tls.subject(address, client) == "first"
    file.write_text(text.format(second))
    ctl(server, "tls.reload")
    assert tls.subject(address, client) == "second"
    assert ctl(server, "tls.options")["server"][0]["profile"] == f"{file}:1 [server:default]"
    file.write_text("[server:default]\nmethod = SSLv3\n")
    with pytest.raises(ControlError, match=r"tls\.cfg:2: \[server:default\] method: SSLv3 is not offered"):
        ctl(server, "tls.reload")
    assert tls.subject(address, client) == "second"


def test_changed_files_are_reloaded_by_themselves(start: Start, authority: Authority, tmp_path: Path) -> None:
    settings = {**put(authority.issue("first"), tmp_path), "tls.watch_s": 1}
    server = start("answer.py", "tls", settings=settings)
    address, client = server.address("tls"), tls.context(authority.file)
    (tmp_path / "key.pem").write_text("nonsense")
    tls.wait_for_log(server, f"TLS: {tmp_path}/key.pem changed, what was read before stays in force")
    assert tls.subject(address, client) == "first"
    put(authority.issue("second"), tmp_path)
    wait_until(lambda: tls.subject(address, client) == "second", 10, "the new certificate")
    assert "changed and is in force" in server.log()


def test_a_new_revocation_list_refuses_also_who_would_resume(
    start: Start, authority: Authority, tmp_path: Path
) -> None:
    own = authority.issue("client")
    crl = authority.revoke(file="live.crl")
    settings = {
        **put(authority.issue(), tmp_path),
        "tls.verify_client": "require",
        "tls.ca_list": authority.file,
        "tls.crl": crl,
    }
    server = start("answer.py", "tls", settings=settings)
    address, client = server.address("tls"), tls.context(authority.file, own, ssl.TLSVersion.TLSv1_2)
    with tls.connect(address, client) as peer:
        assert tls.ask(peer, address).status == 200
        session = peer.session
    ctl(server, "tls.reload")
    assert is_resumed(address, client, session), "nothing has changed: the session is good"
    authority.revoke(own, file="live.crl")
    ctl(server, "tls.reload")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        is_resumed(address, client, session)


def is_resumed(address: tls.Address, client: ssl.SSLContext, session: ssl.SSLSession | None) -> bool:
    plain = socket.create_connection(address, timeout=tls.TIMEOUT_S)
    with client.wrap_socket(plain, server_hostname="localhost", session=session) as peer:
        assert tls.ask(peer, address).status == 200
        return bool(peer.session_reused)


def test_a_thousand_reloads_under_load_leak_nothing(start: Start, authority: Authority, tmp_path: Path) -> None:
    """Half of them with new certificates; clients connect and ask all the while."""
    pair = [authority.issue("one"), authority.issue("two")]
    server = start(
        "answer.py",
        "tls",
        settings={**put(pair[0], tmp_path), "tls.watch_s": 0},
        counted=False,
    )
    address, pid = server.address("tls"), server.process.pid
    stop, served, failed = threading.Event(), [0], []

    def load() -> None:
        client = tls.context(authority.file)
        while not stop.is_set():
            try:
                with tls.connect(address, client) as peer:
                    assert tls.ask(peer, address).status == 200
                served[0] += 1
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        reload(server, pair, tmp_path, RELOADS // 5)
        rss, descriptors = rss_bytes(pid), open_files(pid)
        reload(server, pair, tmp_path, RELOADS - RELOADS // 5)
        grown = rss_bytes(pid) - rss
        fresh = open_files(pid) - descriptors
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    print(f"{RELOADS} reloads, {served[0]} connections meanwhile: {grown} bytes, {fresh} descriptors more")
    assert failed == []
    assert served[0] > 100
    assert fresh <= 4, "those of the clients of the moment"
    # A leak of each reload's certificates and ticket keys would be some 10 kB each.
    assert grown < 2_000_000


def reload(server: Server, pair: list[Issued], directory: Path, times: int) -> None:
    for number in range(times):
        if number % 2 == 0:
            put(pair[number // 2 % 2], directory)
        ctl(server, "tls.reload")


def relay(server: Server, uri: str) -> int | None:
    address = server.address("tls")
    with tls.connect(address, tls.context()) as client:
        return tls.ask(client, address, "MESSAGE", ("X-Du", uri)).status


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_the_script_may_refuse_connections_that_go_out(
    start: Start, authority: Authority, tmp_path: Path, mode: int
) -> None:
    settings = {
        **put(authority.issue(), tmp_path),
        "tls.ca_list": authority.file,
        "tls.event_callback": "ksr_tls_event",
        "tls.threads_mode": mode,
    }
    server = start("tls_event.py", "tls", settings=settings)
    with (
        tls.Peer(authority.issue("kind", ["127.0.0.1"])) as kind,
        tls.Peer(authority.issue("evil", ["127.0.0.1"])) as evil,
    ):
        assert relay(server, kind.uri()) == 200
        assert relay(server, kind.uri()) == 200
        assert kind.connections == 1, "the event is one of the connection, not of the message"
        status = relay(server, evil.uri())
        assert (status or 0) >= 400
        assert evil.requests == []
    tls.wait_for_log(server, "event tls:connection-out peer kind verified 1")
    tls.wait_for_log(server, "event tls:connection-out peer evil verified 1")
    assert server.log().count("peer kind") == 1
    assert tls.counter(server, "refused_by_script") >= 1


def test_the_key_log_is_off_unless_asked_for(
    start: Start, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = put(authority.issue(), tmp_path)
    server = start("answer.py", "tls", settings=settings)
    assert "key log" not in server.log()
    log = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    server = start("answer.py", "tls", settings=settings)
    monkeypatch.delenv("SSLKEYLOGFILE")
    tls.wait_for_log(server, f"TLS key log {log}: every TLS session can be decrypted")
    address = server.address("tls")
    assert tls.is_served(address, tls.context(authority.file))
    lines = log.read_text().splitlines()
    assert {line.split()[0] for line in lines} >= {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0"}
    assert all(len(line.split()[1]) == 64 for line in lines)
    assert log.stat().st_mode & 0o077 == 0


def test_session_keys_rotate(start: Start, authority: Authority, tmp_path: Path) -> None:
    """A ticket is good for twice the lifetime of its key and no longer."""
    more = {"tls.ticket_lifetime_s": 1, "tls.session_cache": 0}
    server = start("answer.py", "tls", settings={**put(authority.issue(), tmp_path), **more})
    address, client = server.address("tls"), tls.context(authority.file, version=ssl.TLSVersion.TLSv1_2)
    with tls.connect(address, client) as peer:
        assert tls.ask(peer, address).status == 200
        session = peer.session
    assert is_resumed(address, client, session)
    end = time.monotonic() + 15
    while is_resumed(address, client, session):
        assert time.monotonic() < end, "the ticket is good for ever"
        time.sleep(0.5)
