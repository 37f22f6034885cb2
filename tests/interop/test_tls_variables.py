"""The same script sees the same of a TLS connection in Kamailio and in Sipwright."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from conftest import SCRIPTS
from support import tls
from support.certificates import Authority, Issued
from support.servers import ROOT, Kamailio, Listen, Server, Sipwright

TLS_CFG = """[server:default]
method = TLSv1.2+
verify_client = optional_no_ca
certificate = {0.chain}
private_key = {0.key}
ca_list = {1}
"""
KAMAILIO = """
enable_tls=yes
loadmodule "tls.so"
modparam("tls", "config", "{}")
"""
# Kamailio 5.6 has no counts, and gives None for whole subjects and issuers, which $tls(..) has.
ELSEWHERE = {"tls", *(f"tls_{who}_{what}" for who in ("my", "peer") for what in ("subject", "issuer", "san_count"))}
LINES = "tls(m_subject_line) tls(m_issuer_line) tls(p_subject_line) tls(p_issuer_line)"


def variables() -> list[str]:
    """The names in the code."""
    code = (ROOT / "crates/engine/src/tls/vars.rs").read_text()
    return sorted(set(re.findall(r'^    "(tls\w*)",$', code, re.MULTILINE)) - ELSEWHERE) + LINES.split()


def full_name(common_name: str) -> x509.Name:
    parts = [
        (NameOID.COUNTRY_NAME, "DE"),
        (NameOID.STATE_OR_PROVINCE_NAME, "Berlin"),
        (NameOID.LOCALITY_NAME, "Mitte"),
        (NameOID.ORGANIZATION_NAME, "Example"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Phones"),
        (NameOID.COMMON_NAME, common_name),
        (NameOID.USER_ID, "u1"),
    ]
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts])


def seen(server: Server, client: ssl.SSLContext) -> dict[str, str]:
    """What the script tells of the connection of that client."""
    address, values = server.address("tls"), {}
    with tls.connect(address, client, "edge.test") as peer:
        for name in variables():
            (line, *_) = tls.ask(peer, address, "OPTIONS", ("X-Names", name)).all("X-Value")
            key, _, value = line.partition("=")
            values[key] = value
    return values


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_variables_are_those_of_kamailio(tmp_path: Path, version: ssl.TLSVersion) -> None:
    authority, stranger = Authority(tmp_path / "authority"), Authority(tmp_path / "stranger", "Stranger")
    own = authority.issue(subject=full_name("server.test"), names=["server.test", "sip:server.test", "127.0.0.1"])
    names = ["client.test", "two.test", "sip:client.test", "c@client.test", "192.0.2.9", "2001:db8::9"]
    clients: list[Issued | None] = [
        authority.issue("client", names, subject=full_name("client.test")),
        authority.issue("bare", None),
        authority.expired("old"),
        stranger.issue("client"),
        None,
    ]
    config = tmp_path / "tls.cfg"
    config.write_text(TLS_CFG.format(own, authority.file))
    script = SCRIPTS / "tls_probe.py"
    theirs = Kamailio(script, tmp_path / "kamailio", [Listen("tls")], extra_config=KAMAILIO.format(config))
    ours = Sipwright(script, tmp_path / "sipwright", [Listen("tls")], settings={"tls.config": config})
    with theirs, ours:
        for certificate in clients:
            # The suite that both would choose; OpenSSL and rustls order them alike.
            context = tls.context(own=certificate, version=version)
            assert seen(ours, context) == seen(theirs, context), certificate
