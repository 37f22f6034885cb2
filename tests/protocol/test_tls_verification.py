"""Who is believed: chains, names by RFC 5922, revocation lists, depth; connections that come in and that go out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from conftest import Start
from support import tls
from support.certificates import CLIENT, Authority, Issued, key_pem
from support.messages import unique
from support.servers import Server

SCRIPT = "tls_probe.py"
HOSTS = '{ "good.test" = ["127.0.0.1"], "a.good.test" = ["127.0.0.1"], "bad.test" = ["127.0.0.1"] }'


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def serving(start: Start, authority: Authority, **more: object) -> Server:
    """A server that trusts the authority, knows some hosts and has a certificate of its own."""
    own = authority.issue()
    settings = {
        "tls.certificate": own.chain,
        "tls.private_key": own.key,
        "tls.ca_list": authority.file,
        "dns.hosts": HOSTS,
        **{key.replace("__", "."): value for key, value in more.items()},
    }
    return start(SCRIPT, "tls", settings=settings)


def relayed(server: Server, uri: str, headers: Mapping[str, str] | None = None) -> int:
    """The final status of a request that the server is to relay to that URI."""
    address = server.address("tls")
    with tls.connect(address, tls.context()) as client:
        more = {"X-Du": uri, **(headers or {})}
        return tls.ask(client, address, "MESSAGE", *more.items()).status or 0


def test_names_of_servers_are_those_of_rfc_5922(start: Start, authority: Authority) -> None:
    server = serving(start, authority)
    cases: list[tuple[Issued, str, bool]] = [
        (authority.issue("x", ["good.test"]), "good.test", True),
        (authority.issue("x", ["good.test"]), "bad.test", False),
        (authority.issue("x", ["sip:good.test"]), "good.test", True),
        # A SIP URI takes the right to speak from DNS names (section 7.1).
        (authority.issue("x", ["sip:bad.test", "good.test"]), "good.test", False),
        (authority.issue("x", ["sip:alice@good.test"]), "good.test", False),
        # The common name counts without a subjectAltName only.
        (authority.issue("good.test", None), "good.test", True),
        (authority.issue("good.test", ["bad.test"]), "good.test", False),
        # Section 7.2 forbids wildcards.
        (authority.issue("x", ["*.good.test"]), "a.good.test", False),
        (authority.issue("x", ["127.0.0.1"]), "127.0.0.1", True),
        (authority.issue("x", ["good.test"]), "127.0.0.1", False),
    ]
    for issued, host, is_right in cases:
        with tls.Peer(issued) as peer:
            status = relayed(server, peer.uri(host))
            assert (status == 200, len(peer.requests)) == (is_right, int(is_right)), (issued.x509.subject, host)
            expected = [] if host[0].isdigit() else [host]
            assert [name for name in peer.names if name] == expected * len(peer.names), host
    tls.wait_for_log(server, 'certificate not valid for name "bad.test"')


def test_wildcards_where_the_settings_allow_them(start: Start, authority: Authority) -> None:
    server = serving(start, authority, tls__wildcards="yes")
    with tls.Peer(authority.issue("x", ["*.good.test"])) as peer:
        assert relayed(server, peer.uri("a.good.test")) == 200
        assert relayed(server, peer.uri("bad.test")) != 200


def test_chains_of_servers(start: Start, authority: Authority) -> None:
    server = serving(start, authority)
    stranger = Authority(authority.directory / unique("stranger"), "Stranger")
    middle = Authority(authority.directory / unique("middle"), "Middle", parent=authority)
    for issued, is_right in [
        (middle.issue("x", ["good.test"]), True),
        (authority.expired("good.test"), False),
        (stranger.issue("x", ["good.test"]), False),
        (authority.issue("x", ["good.test"], purposes=[CLIENT]), False),
    ]:
        with tls.Peer(issued) as peer:
            assert (relayed(server, peer.uri("good.test")) == 200) is is_right


def test_profiles_of_single_servers(start: Start, authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger", "Stranger")
    strange, ours = stranger.issue("x", ["good.test"]), authority.issue("x", ["sip.provider.test"])
    first, second = authority.issue("first", purposes=[CLIENT]), authority.issue("second", purposes=[CLIENT])
    with (
        tls.Peer(strange) as relaxed,
        tls.Peer(ours, authority.file) as named,
        tls.Peer(authority.issue("x", ["good.test"]), authority.file) as chosen,
    ):
        own = authority.issue()
        (tmp_path / "tls.cfg").write_text(f"""
[server:default]
certificate = {own.chain}
private_key = {own.key}
[client:default]
ca_list = {authority.file}
[client:127.0.0.1:{relaxed.port}]
verify_certificate = no
[client:127.0.0.1:{named.port}]
ca_list = {authority.file}
server_name = sip.provider.test
certificate = {first.chain}
private_key = {first.key}
[client:any]
ca_list = {authority.file}
server_id = second
certificate = {second.chain}
private_key = {second.key}
""")
        server = start(SCRIPT, "tls", settings={"tls.config": tmp_path / "tls.cfg", "dns.hosts": HOSTS})
        place = f"{tmp_path}/tls.cfg:7 [client:127.0.0.1:{relaxed.port}]"
        tls.wait_for_log(server, f"TLS client profile {place}: certificates are not verified")
        assert server.log().count("certificates are not verified") == 1

        assert relayed(server, relaxed.uri("good.test")) == 200
        assert relayed(server, named.uri("good.test")) == 200
        assert (named.names, named.clients) == (["sip.provider.test"], ["first"])
        # The chosen profile opens a connection of its own, and is used once.
        assert relayed(server, chosen.uri("good.test")) == 200
        assert chosen.clients == []
        assert relayed(server, chosen.uri("good.test"), {"X-Id": "second"}) == 200
        assert chosen.clients == ["second"]
        assert relayed(server, chosen.uri("good.test"), {"X-Id": "second"}) == 200
        assert chosen.connections == 2


def is_served(server: Server, authority: Authority, *certificates: Issued) -> list[bool]:
    return [tls.is_served(server.address("tls"), tls.context(authority.file, own)) for own in certificates]


def test_revoked_clients_are_refused(start: Start, authority: Authority) -> None:
    good, bad = authority.issue("good"), authority.issue("bad")
    crl = authority.revoke(bad, file="clients.crl")
    server = serving(start, authority, tls__verify_client="require", tls__crl=crl)
    assert is_served(server, authority, good, bad) == [True, False]
    tls.wait_for_log(server, "invalid peer certificate: Revoked")


def test_a_list_that_is_out_of_date_refuses_everybody(start: Start, authority: Authority) -> None:
    crl = authority.revoke(valid_days=-1, file="old.crl")
    server = serving(start, authority, tls__verify_client="require", tls__crl=crl)
    assert is_served(server, authority, authority.issue("good")) == [False]


def test_each_certificate_of_a_chain_must_be_covered(start: Start, authority: Authority) -> None:
    middle = Authority(authority.directory / unique("middle"), "Middle CRL", parent=authority)
    good = middle.issue("good")
    upper = authority.revoke(file="upper.crl")
    both = authority.directory / "both.crl"
    both.write_bytes(upper.read_bytes() + middle.revoke().read_bytes())
    for crl, expected in [(upper, False), (both, True)]:
        server = serving(start, authority, tls__verify_client="require", tls__crl=crl)
        assert is_served(server, authority, good) == [expected]


def test_revoked_servers_are_refused(start: Start, authority: Authority) -> None:
    good, bad = authority.issue("x", ["good.test"]), authority.issue("x", ["bad.test"])
    server = serving(start, authority, tls__crl=authority.revoke(bad, file="servers.crl"))
    with tls.Peer(good) as right, tls.Peer(bad) as wrong:
        assert relayed(server, right.uri("good.test")) == 200
        assert relayed(server, wrong.uri("bad.test")) != 200


def descend(authority: Authority, names: Iterable[str]) -> Authority:
    for name in names:
        authority = Authority(authority.directory / unique("d"), name, parent=authority)
    return authority


def test_verify_depth(start: Start, authority: Authority) -> None:
    flat = authority.issue("flat")
    deep = descend(authority, ["One", "Two"]).issue("deep")
    server = serving(start, authority, tls__verify_client="require", tls__verify_depth=1)
    assert is_served(server, authority, flat, deep) == [True, False]
    tls.wait_for_log(server, "the chain has 2 intermediate certificates, verify_depth allows 1")
    server = serving(start, authority, tls__verify_client="require", tls__verify_depth=2)
    assert is_served(server, authority, flat, deep) == [True, True]


def test_a_directory_of_authorities(start: Start, authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other", "Other")
    (tmp_path / "authorities").mkdir()
    (tmp_path / "authorities" / "0a1b2c3d.0").symlink_to(other.file)
    (tmp_path / "authorities" / "README").write_text("not a certificate")
    server = serving(start, authority, tls__verify_client="require", tls__ca_path=tmp_path / "authorities")
    assert is_served(server, authority, authority.issue("one"), other.issue("two")) == [True, True]
    # Only the authorities of ca_list are announced to clients.
    _, report = tls.s_client(server.address("tls"), "-tls1_2")
    assert "Sipwright test CA" in report.split("Acceptable client certificate CA names")[1]
    assert "CN = Other" not in report


def test_a_listed_certificate_is_trusted_itself(start: Start, authority: Authority, tmp_path: Path) -> None:
    phone = Authority(tmp_path, "Self-signed phone")
    key = tmp_path / "phone.key"
    key.write_bytes(key_pem(phone.key))
    own = Issued(phone.x509, phone.file, key)
    listed = tmp_path / "listed.pem"
    listed.write_bytes(authority.file.read_bytes() + phone.file.read_bytes())
    server = serving(start, authority, tls__verify_client="require")
    assert is_served(server, authority, own) == [False]
    server = serving(start, authority, tls__verify_client="require", tls__ca_list=listed)
    assert is_served(server, authority, own) == [True]


NAMES = (
    "tls_version tls_cipher_bits tls_peer_subject_cn tls_peer_serial tls_peer_verified tls_peer_expired tls_peer_revoked "
    "tls_peer_selfsigned tls_my_subject_cn tls_peer_server_name tls_peer_san_hostname tls_peer_san_uri "
    "tls(p_subject_line) tls(m_issuer_line) tls_peer_san_count(dns) (tls_peer_san_hostname[1]) tls_my_version "
    "tls_peer_subject_country"
)


def seen(server: Server, own: Issued | None) -> dict[str, str]:
    """What the script sees of a connection."""
    address = server.address("tls")
    with tls.connect(address, tls.context(own=own), "edge.test") as client:
        told = tls.ask(client, address, "OPTIONS", ("X-Names", NAMES)).all("X-Value")
    return dict(line.split("=", 1) for line in told)


def test_what_scripts_see(start: Start, authority: Authority) -> None:
    server = serving(start, authority, tls__verify_client="optional_no_ca")
    own = authority.issue("client.test", ["client.test", "two.test", "sip:client.test"])
    values = seen(server, own)
    assert values == {
        "tls_version": "'TLSv1.3'",
        "tls_cipher_bits": "'256'",
        "tls_peer_subject_cn": "'client.test'",
        "tls_peer_serial": f"'{own.serial}'",
        "tls_peer_verified": "'1'",
        "tls_peer_expired": "'0'",
        "tls_peer_revoked": "'0'",
        "tls_peer_selfsigned": "'0'",
        "tls_my_subject_cn": "'localhost'",
        "tls_peer_server_name": "'edge.test'",
        "tls_peer_san_hostname": "'client.test'",
        "tls_peer_san_uri": "'sip:client.test'",
        "tls(p_subject_line)": "'/CN=client.test'",
        "tls(m_issuer_line)": "'/CN=Sipwright test CA'",
        "tls_peer_san_count(dns)": "'2'",
        "(tls_peer_san_hostname[1])": "'two.test'",
        "tls_my_version": "'2'",
        "tls_peer_subject_country": "None",
        "verified": "1",
        "cget": "'/CN=localhost'",
    }
    values = seen(server, None)
    assert (values["tls_peer_subject_cn"], values["tls_peer_verified"], values["verified"]) == ("None", "'0'", "-1")
    values = seen(server, authority.expired("client"))
    assert (values["tls_peer_expired"], values["tls_peer_verified"], values["verified"]) == ("'1'", "'0'", "-1")
