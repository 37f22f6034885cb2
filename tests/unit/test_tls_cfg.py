"""Kamailio's tls.cfg: what each key becomes, and what is refused with file, line and section."""

import json
from pathlib import Path

import pytest

from sipwright.settings import Settings, SettingsError, load_settings
from sipwright.settings.engine import to_engine_json
from sipwright.settings.tls import endpoint
from sipwright.settings.tls_cfg import KEYS, TlsCfg, read_tls_cfg

ROOT = Path(__file__).resolve().parents[2]

FULL = """
# The profile of everybody else.
[server:default]
method = TLSv1.2+
verify_certificate = no
require_certificate = no
private_key = key.pem          # beside this file
certificate = /etc/sip/cert.pem

[server:192.0.2.1:5061]
tls_method = TLSv1.3
verify_client = optional_no_ca
certificate = "a b.pem"
verify_depth = 3
crl = crl.pem
cipher_list = HIGH:!aNULL
server_name = example.org
server_id = edge

[server:any]
certificate = net.pem
server_name = example.net
server_name_mode = 1
require_certificate = yes
ca_list = ca.pem

[client:default]
verify_certificate = yes
require_certificate = yes
server_id = standard

[client:[2001:db8::1]:5061]
verify_certificate = no
server_name = sip.example.com
certificate = mine.pem
"""


def read(tmp_path: Path, text: str) -> TlsCfg:
    file = tmp_path / "tls.cfg"
    file.write_text(text)
    return read_tls_cfg(file)


def test_profiles_become_those_of_the_settings(tmp_path: Path) -> None:
    cfg = read(tmp_path, FULL)
    default, edge, net = (placed.profile for placed in cfg.server)
    assert (default.address, default.verify_client, default.min_version) == (None, "none", "1.2")
    assert (default.certificate, default.private_key) == (Path("/etc/sip/cert.pem"), tmp_path / "key.pem")
    assert (edge.address, edge.server_name, edge.server_id) == ("192.0.2.1:5061", "example.org", "edge")
    assert (edge.min_version, edge.max_version, edge.verify_client) == ("1.3", "1.3", "optional_no_ca")
    assert (edge.certificate, edge.private_key) == (tmp_path / "a b.pem", None)
    assert (edge.verify_depth, edge.cipher_list, edge.crl) == (3, "HIGH:!aNULL", tmp_path / "crl.pem")
    assert (net.address, net.server_name, net.server_name_mode, net.verify_client) == (
        None,
        "example.net",
        1,
        "require",
    )
    assert [placed.source for placed in cfg.server] == [
        f"{tmp_path}/tls.cfg:3 [server:default]",
        f"{tmp_path}/tls.cfg:10 [server:192.0.2.1:5061]",
        f"{tmp_path}/tls.cfg:20 [server:any]",
    ]
    by_id, standard, relaxed = (placed.profile for placed in cfg.client)
    assert (by_id.server_id, standard.server_id, standard.verify) == ("standard", None, True)
    assert (relaxed.address, relaxed.verify, relaxed.server_name) == ("[2001:db8::1]:5061", False, "sip.example.com")
    assert cfg.warnings == []


def test_servers_are_verified_unless_the_file_says_no(tmp_path: Path) -> None:
    for text, verifies in [
        ("", True),
        ("verify_certificate = no", False),
        ("verify_certificate = off\nrequire_certificate = on", True),
        ("require_certificate = no", True),
    ]:
        assert read(tmp_path, f"[client:default]\n{text}\n").client[0].profile.verify is verifies


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("method = TLSv1", "FILE:2: [server:default] method: TLSv1 is not offered"),
        ("method = SSLv3", "write TLSv1.2+"),
        ("method = TLSv9", "FILE:2: [server:default] method: 'TLSv9' is not known; one of: TLSv1.2+"),
        ("private_key = /engine:label", "FILE:2: [server:default] private_key: keys in OpenSSL engines and HSMs"),
        ("verify_certificate = maybe", "FILE:2: [server:default] verify_certificate: 'maybe' is neither yes nor no"),
        ("verify_depth = deep", "FILE:2: [server:default] verify_depth: 'deep' is not a number"),
        ("verify_depth = 1000", "FILE:2: [server:default] verify_depth: Input should be less than or equal to 255"),
        ("verify_client = sometimes", "verify_client: 'sometimes': one of: off, on, optional, optional_no_ca"),
        ("ca_lst = x", "FILE:2: [server:default] ca_lst: there is no such key; did you mean ca_list?"),
        ("crl = a\ncrl = b", "FILE:3: [server:default] crl: given before, in line 2"),
        ("crl", "FILE:2: 'crl' is no `key = value`"),
        ("[server:default]", "FILE:2 [server:default]: there is one before, in line 1"),
        ("[sever:any]", "FILE:2: 'sever' is not known here"),
        ("[server any]", "FILE:2: [server any] is no section"),
        ("[server:example.org:5061]", "FILE:2: 'example.org:5061' is not an address"),
        ("[server:192.0.2.1:99999]", "FILE:2: '99999' is not a port"),
        ("[server:any]\ncertificate = x", "FILE:2 [server:any]: needs a server_name, or write [server:default]"),
        (
            "[server:192.0.2.1:1]\ncertificate=x\n[server:192.0.2.1:1]\ncertificate=x\nserver_name=y",
            "FILE:4 [server:192.0.2.1:1]: comes after one in line 2: each needs a server_name",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(SettingsError) as error:
        read(tmp_path, f"[server:default]\n{text}\n")
    assert expected.replace("FILE", f"{tmp_path}/tls.cfg") in str(error.value)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        read(tmp_path, "x = 1\n[server:default]\nmethod = SSLv2\n[server:any]\nfoo = 1\n")
    assert len(error.value.lines) == 4


def test_a_range_that_begins_with_an_old_version_is_served_in_part(tmp_path: Path) -> None:
    cfg = read(tmp_path, "[server:default]\nmethod = TLSv1+\ncertificate = c\n[client:default]\nverify_client = on\n")
    assert (cfg.server[0].profile.min_version, cfg.server[0].profile.max_version) == ("1.2", "1.3")
    assert "of TLSv1+, TLS 1.2 and 1.3 are offered" in cfg.warnings[0]
    assert "means nothing in a client profile" in cfg.warnings[1]


def test_a_directory_of_files(tmp_path: Path) -> None:
    (tmp_path / "1.cfg").write_text("[server:default]\ncertificate = c.pem\n")
    (tmp_path / "2.cfg").write_text("[server:default]\ncertificate = d.pem\n")
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(SettingsError, match=r"2\.cfg:1 \[server:default\]: there is one before"):
        read_tls_cfg(tmp_path)
    (tmp_path / "2.cfg").write_text("[client:default]\n")
    cfg = read_tls_cfg(tmp_path)
    assert (len(cfg.server), len(cfg.client)) == (1, 1)


def test_the_engine_gets_the_profiles_with_their_places(tmp_path: Path) -> None:
    (tmp_path / "tls.cfg").write_text(FULL)
    (tmp_path / "sipwright.toml").write_text('[tls]\nconfig = "tls.cfg"\n')
    settings = load_settings(tmp_path / "sipwright.toml", environ={})
    tls = json.loads(to_engine_json(settings))["tls"]
    assert tls["server"][1]["addr"] == "192.0.2.1:5061"
    assert tls["server"][1]["private_key"] == tls["server"][1]["certificate"] == str(tmp_path / "a b.pem")
    assert tls["server"][2]["client_ca"] == str(tmp_path / "ca.pem")
    assert tls["client"][2]["source"] == f"{tmp_path}/tls.cfg:32 [client:[2001:db8::1]:5061]"


def test_a_file_and_profiles_in_the_settings_exclude_each_other() -> None:
    with pytest.raises(SettingsError, match=r"tls: config names a tls\.cfg"):
        load_settings(assignments=["tls.config=/tls.cfg", "tls.certificate=/c.pem"], environ={})
    assert Settings().tls.config is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("192.0.2.1:5061", "192.0.2.1:5061"),
        ("192.0.2.1", "192.0.2.1:0"),
        ("2001:db8::1", "[2001:db8::1]:0"),
        ("[2001:db8::1]", "[2001:db8::1]:0"),
        ("[2001:db8::1]:5061", "[2001:db8::1]:5061"),
    ],
)
def test_addresses_of_profiles(text: str, shown: str) -> None:
    assert endpoint(text) == shown


def test_every_key_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "tls-cfg.md").read_text()
    assert [key for key in KEYS if f"`{key}`" not in page] == []
