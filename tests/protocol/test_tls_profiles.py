"""Profiles of TLS: which certificate is shown to whom, what is asked of clients, what is refused at the start."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from conftest import Start
from support import tls
from support.certificates import CLIENT, DAY, SIP_DOMAIN, Authority, Issued, Kind, key_pem, make_key, now
from support.servers import SIPWRIGHT, Server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def issued(authority: Authority) -> Issued:
    return authority.issue(file="server")


def settings_for(issued: Issued, **more: object) -> dict[str, object]:
    return {"tls.certificate": issued.chain, "tls.private_key": issued.key, **more}


def with_cfg(start: Start, directory: Path, text: str, settings: Mapping[str, object] | None = None) -> Server:
    file = directory / "tls.cfg"
    file.write_text(text)
    return start("answer.py", "tls", settings={"tls.config": file, **(settings or {})})


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_tls_cfg_of_kamailio_chooses_by_name(start: Start, authority: Authority, tmp_path: Path, mode: int) -> None:
    shown = {name: authority.issue(name, file=f"{name}-{mode}") for name in ("default", "exact", "domain", "below")}
    text = f"""
[server:default]
method = TLSv1.2+
certificate = {shown["default"].chain}
private_key = {shown["default"].key}
"""
    for name, server_name, name_mode in [
        ("exact", "example.org", 0),
        ("domain", "example.net", 1),
        ("below", "example.com", 2),
    ]:
        text += f"""
[server:any]
certificate = {shown[name].chain}
private_key = {shown[name].key}
server_name = {server_name}
server_name_mode = {name_mode}
"""
    address = with_cfg(start, tmp_path, text, {"tls.threads_mode": mode}).address("tls")
    client = tls.context(authority.file)
    for asked, expected in [
        ("example.org", "exact"),
        ("sip.example.org", "default"),
        ("example.net", "domain"),
        ("a.b.Example.NET", "domain"),
        ("example.com", "default"),
        ("sip.example.com", "below"),
        ("other.test", "default"),
        (None, "default"),
    ]:
        assert tls.subject(address, client, asked) == expected, asked


def test_the_address_counts_for_more_than_the_name(start: Start, authority: Authority, tmp_path: Path) -> None:
    by_address, by_name = authority.issue("address"), authority.issue("name")
    server = start(
        "answer.py",
        "tls",
        "tls:127.0.0.2",
        settings={
            "tls.server": f'[{{address = "127.0.0.2", certificate = "{by_address.chain}", '
            f'private_key = "{by_address.key}"}}, {{server_name = "example.org", certificate = "{by_name.chain}", '
            f'private_key = "{by_name.key}"}}]',
            **settings_for(authority.issue("rest")),
        },
    )
    client = tls.context(authority.file)
    first, second = server.address("tls", 0), server.address("tls", 1)
    assert tls.subject(first, client, "example.org") == "name"
    assert tls.subject(first, client, "other.test") == "rest"
    assert tls.subject(second, client, "example.org") == "address"


@pytest.mark.parametrize("mode", [0, 1, 2])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_mutual_tls(start: Start, authority: Authority, mode: int, version: ssl.TLSVersion) -> None:
    stranger = Authority(authority.directory / "stranger", "Stranger").issue("client")
    settings = settings_for(authority.issue(), **{"tls.ca_list": authority.file, "tls.threads_mode": mode})
    own = authority.issue("client", purposes=[CLIENT])
    sip = authority.issue("client", purposes=[SIP_DOMAIN])

    def served(address: tls.Address, certificate: Issued | None) -> bool:
        return tls.is_served(address, tls.context(authority.file, certificate, version))

    required = start("answer.py", "tls", settings={**settings, "tls.verify_client": "require"}).address("tls")
    assert served(required, own)
    assert served(required, sip)
    assert not served(required, None)
    assert not served(required, stranger)
    assert not served(required, authority.expired("client"))

    optional = start("answer.py", "tls", settings={**settings, "tls.verify_client": "optional"}).address("tls")
    assert served(optional, own)
    assert served(optional, None)
    assert not served(optional, stranger)

    lenient = start("answer.py", "tls", settings={**settings, "tls.verify_client": "optional_no_ca"}).address("tls")
    assert served(lenient, None)
    assert served(lenient, stranger)
    assert served(lenient, authority.expired("client"))


def test_refused_clients_are_counted_and_named(start: Start, authority: Authority) -> None:
    settings = settings_for(authority.issue(), **{"tls.ca_list": authority.file, "tls.verify_client": "require"})
    server = start("answer.py", "tls", settings=settings)
    assert not tls.is_served(server.address("tls"), tls.context(authority.file))
    tls.wait_for_counter(server, "handshakes_failed_certificate", 1)
    tls.wait_for_log(server, "TLS handshake from 127.0.0.1:")
    tls.wait_for_log(server, "failed, profile tls: peer sent no certificates")


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_kinds_of_keys(start: Start, authority: Authority, kind: Kind) -> None:
    server = start("answer.py", "tls", settings=settings_for(authority.issue(f"{kind}.test", kind=kind)))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        client = tls.context(authority.file, version=version)
        assert tls.subject(server.address("tls"), client) == f"{kind}.test"


@pytest.mark.parametrize("where", ["file", "env"])
def test_an_encrypted_key(
    start: Start, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("päss word\n")
    monkeypatch.setenv("TLS_SECRET", "päss word")
    given = {"file": ("tls.passphrase_file", secret), "env": ("tls.passphrase_env", "TLS_SECRET")}[where]
    settings = settings_for(authority.issue(passphrase="päss word".encode()), **dict([given]))
    assert tls.is_served(start("answer.py", "tls", settings=settings).address("tls"), tls.context(authority.file))


def openssl_key(source: Path, target: Path, *options: str) -> Path:
    argv = ["openssl", "pkcs8", "-topk8", "-in", str(source), "-out", str(target), "-passout", "pass:secret", *options]
    subprocess.run(argv, check=True, capture_output=True, timeout=20)
    return target


@pytest.mark.parametrize(
    "options",
    [("-v2", "aes-128-cbc"), ("-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA1"), ("-v2prf", "hmacWithSHA512")],
)
def test_encrypted_keys_as_openssl_writes_them(
    start: Start, authority: Authority, tmp_path: Path, options: tuple[str, ...]
) -> None:
    made = authority.issue()
    key = openssl_key(made.key, tmp_path / "sealed.key", *options)
    (tmp_path / "secret").write_text("secret")
    settings = {
        "tls.certificate": made.chain,
        "tls.private_key": key,
        "tls.passphrase_file": tmp_path / "secret",
    }
    assert tls.is_served(start("answer.py", "tls", settings=settings).address("tls"), tls.context(authority.file))


def test_the_key_may_be_in_the_file_of_the_certificate(start: Start, authority: Authority, tmp_path: Path) -> None:
    made = authority.issue()
    both = tmp_path / "both.pem"
    both.write_bytes(made.chain.read_bytes() + made.key.read_bytes())
    server = start("answer.py", "tls", settings={"tls.certificate": both})
    assert tls.is_served(server.address("tls"), tls.context(authority.file))


def refusal(tmp_path: Path, settings: Mapping[str, object]) -> str:
    """What the server says when it does not start."""
    argv: list[str] = [str(SIPWRIGHT), "run", "--listen", "tls:127.0.0.1:0", "--set", f"data_dir={tmp_path / 'data'}"]
    for key, value in settings.items():
        argv += ["--set", f"{key}={value}"]
    env = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, env=env, check=False)
    assert done.returncode in (1, 2), done
    return done.stderr


def test_what_cannot_be_used_is_named_with_its_file(issued: Issued, authority: Authority, tmp_path: Path) -> None:
    other = authority.issue()
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("-----BEGIN CERTIFICATE-----\nnonsense!\n-----END CERTIFICATE-----\n")
    sealed = authority.issue(passphrase=b"secret")
    old = tmp_path / "old.key"
    old.write_bytes(key_pem(make_key(), b"secret", traditional=True))
    wrong = tmp_path / "wrong"
    wrong.write_text("guess")
    cases: list[tuple[dict[str, object], str]] = [
        ({"tls.private_key": other.key}, f"tls: {other.key}: is not the key of {issued.chain}"),
        ({"tls.certificate": tmp_path / "gone.pem"}, f"tls: {tmp_path}/gone.pem: No such file"),
        ({"tls.certificate": garbage}, f"tls: {garbage}: not PEM"),
        ({"tls.private_key": issued.chain}, f"tls: {issued.chain}: no private key in it"),
        ({"tls.private_key": sealed.key}, f"{sealed.key}: the private key is encrypted; give its passphrase"),
        ({"tls.private_key": sealed.key, "tls.passphrase_file": wrong}, f"{sealed.key}: wrong passphrase"),
        ({"tls.private_key": old}, f"{old}: a private key encrypted in the old PEM format"),
        ({"tls.verify_client": "require"}, "no ca_list says by whom"),
        ({"tls.ca_path": tmp_path / "no"}, f"{tmp_path}/no: No such file"),
        ({"tls.cipher_list": "AES256-SHA:RC4"}, "leaves no cipher suite; not offered: AES256-SHA, RC4"),
        ({"tls.curves": "brainpoolP256r1"}, 'curve "brainpoolP256r1" is not offered; one of X25519MLKEM768'),
        ({"tls.min_version": "1.1"}, "tls.min_version: must be one of: '1.2', '1.3'"),
        ({"tls.ocsp_response": issued.chain}, f"{issued.chain}: is no OCSP response in DER"),
        ({"tls.crl": issued.chain, "tls.ca_list": authority.file}, "certificate revocation list (BEGIN X509 CRL)"),
    ]
    for changed, expected in cases:
        said = refusal(tmp_path, {**settings_for(issued), **changed})
        assert expected in said, said


def test_a_bad_tls_cfg_is_refused_with_line_and_section(issued: Issued, tmp_path: Path) -> None:
    file = tmp_path / "tls.cfg"
    file.write_text(f"[server:default]\ncertificate = {issued.chain}\nmethod = TLSv1\n")
    said = refusal(tmp_path, {"tls.config": file})
    assert f"{file}:3: [server:default] method: TLSv1 is not offered" in said
    file.write_text(f"\n[server:default]\ncertificate = {issued.chain}\nprivate_key = gone.key\n")
    said = refusal(tmp_path, {"tls.config": file})
    assert f"{file}:2 [server:default]: {tmp_path}/gone.key: No such file" in said


def test_versions_ciphers_and_curves(start: Start, authority: Authority) -> None:
    more = {"tls.max_version": "1.2", "tls.cipher_list": "ECDHE-ECDSA-AES128-GCM-SHA256:AES256-SHA"}
    server = start("answer.py", "tls", settings=settings_for(authority.issue(), **more, **{"tls.curves": "P-384"}))
    address = server.address("tls")
    tls.wait_for_log(server, "not offered: AES256-SHA")
    code, report = tls.s_client(address, "-tls1_2")
    assert code == 0
    assert "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256" in report, report
    assert "ECDH, secp384r1" in report or "ECDH, P-384" in report, report
    assert tls.s_client(address, "-tls1_3")[0] != 0
    assert tls.s_client(address, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384")[0] != 0
    assert tls.s_client(address, "-tls1_2", "-curves", "X25519")[0] != 0


def test_certificates_that_end_soon_are_named_at_the_start(start: Start, authority: Authority) -> None:
    # Half a day more: how long the start takes must not matter.
    made = authority.issue(days=3, since=now() - DAY / 2)
    server = start("answer.py", "tls", settings=settings_for(made))
    tls.wait_for_log(server, "is out of date in 3 days, on ")
    server = start("answer.py", "tls", settings=settings_for(authority.expired()))
    tls.wait_for_log(server, "is out of date since ")
    server = start("answer.py", "tls", settings=settings_for(authority.issue()))
    assert tls.is_served(server.address("tls"), tls.context(authority.file))
    assert "out of date" not in server.log()


def test_a_stapled_ocsp_response(start: Start, authority: Authority) -> None:
    made = authority.issue()
    server = start(
        "answer.py", "tls", settings=settings_for(made, **{"tls.ocsp_response": authority.ocsp_response(made)})
    )
    for version in ("-tls1_2", "-tls1_3"):
        _, report = tls.s_client(server.address("tls"), version, "-status")
        assert "OCSP Response Status: successful" in report, report
        assert f"{made.serial:X}" in report.replace(":", ""), report
