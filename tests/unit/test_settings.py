"""Layers of settings, and errors that name the key, the place and what is allowed."""

import json
import os
from pathlib import Path

import pytest

from sipwright.settings import Settings, SettingsError, load_settings
from sipwright.settings.addresses import names_of, resolve
from sipwright.settings.effective import certificate_hosts, effective
from sipwright.settings.engine import to_engine_json
from sipwright.settings.reference import reference
from sipwright.settings.sources import key_lines

ROOT = Path(__file__).resolve().parents[2]


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "sipwright.toml"
    file.write_text(text)
    return file


def test_each_layer_replaces_single_values_of_the_one_before(tmp_path: Path) -> None:
    file = written(tmp_path, "[script]\nworkers = 3\nstrict = true\n[timers]\nt1_ms = 250\n")
    settings = load_settings(
        file, ["script.workers=5"], {"SIPWRIGHT_SCRIPT__WORKERS": "4", "SIPWRIGHT_TIMERS__T2_MS": "8000"}
    )
    assert settings.script.workers == 5
    assert settings.script.strict
    assert (settings.timers.t1_ms, settings.timers.t2_ms, settings.timers.t4_ms) == (250, 8000, 5000)


def test_text_is_read_by_the_type_of_the_setting() -> None:
    settings = load_settings(
        assignments=[
            "tls.threads_mode=1",
            "tls.verify_server=no",
            "listen=udp:127.0.0.1:5060, tls:127.0.0.1",
            "htable.tables.ipban={autoexpire_s = 300}",
            "htable.tables.calls.initval=0",
        ],
        environ={},
    )
    assert settings.tls.threads_mode == 1
    assert settings.tls.verify_server is False
    assert [str(listen) for listen in settings.listen] == ["udp:127.0.0.1:5060", "tls:127.0.0.1"]
    assert settings.htable.tables["ipban"].autoexpire_s == 300
    assert settings.htable.tables["calls"].initval in (0, "0")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[script]\n\nworkerz = 2\n", "FILE:3: script.workerz: there is no such setting; did you mean script.workers?"),
        ('[script]\nisolation = "both"\n', "FILE:2: script.isolation: must be one of: 'per-worker', 'shared'"),
        ("script.workers = 0\n", "FILE:1: script.workers: must be greater than or equal to 1"),
        ('listen = ["tsl:1.2.3.4:x"]\n', "FILE:1: listen.0: 'tsl' is not a protocol; one of: udp, tcp, tls, ws, wss"),
        (
            "workers = 2\n",
            "FILE:1: workers: there is no such setting; did you mean script.workers or http_async_client.workers?",
        ),
        ("[script]\nworkers = \n", "FILE:2:11: Invalid value"),
        ("[tls]\nthreads_mode = 7\n", "FILE:2: tls.threads_mode: must be one of: 0, 1, 2"),
    ],
)
def test_errors_of_the_file_name_line_key_and_what_is_allowed(tmp_path: Path, text: str, expected: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(SettingsError) as error:
        load_settings(file, environ={})
    assert str(error.value) == expected.replace("FILE", str(file))


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        (
            "script.workes=2",
            "--set script.workes=2: script.workes: there is no such setting; did you mean script.workers?",
        ),
        ("script.workers=two", "--set script.workers=two: script.workers: must be a valid integer"),
        ("workers", "--set workers: must be KEY=VALUE"),
        ("script=5", "--set script=5: script: must be"),
        ("script.workers.x=5", "--set script.workers.x=5: script.workers.x: there is no such setting"),
    ],
)
def test_errors_of_assignments_name_the_option(assignment: str, expected: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(assignments=[assignment], environ={})
    assert str(error.value).startswith(expected)


def test_errors_of_the_environment_name_the_variable() -> None:
    with pytest.raises(SettingsError, match=r"environment variable SIPWRIGHT_TLS__THREADS_MODE: tls\.threads_mode"):
        load_settings(environ={"SIPWRIGHT_TLS__THREADS_MODE": "9"})


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, "[script]\nworkers = 0\n[limits]\nconnections = -1\n")
    with pytest.raises(SettingsError) as error:
        load_settings(file, environ={})
    assert len(error.value.lines) == 2


def test_paths_in_the_file_count_from_its_directory(tmp_path: Path) -> None:
    file = written(tmp_path, '[script]\npath = "route.py"\n')
    assert load_settings(file, environ={}).script.path == tmp_path / "route.py"


def test_a_missing_file_is_named() -> None:
    with pytest.raises(SettingsError, match=r"/nowhere/x\.toml: No such file"):
        load_settings(Path("/nowhere/x.toml"), environ={})


def test_lines_of_keys() -> None:
    text = 'a = 1\n[b.c]\n# d = 2\nd = 3\n"e f".g = 4\n[[h]]\ni = 5\n'
    assert key_lines(text) == {
        ("a",): 1,
        ("b", "c"): 2,
        ("b", "c", "d"): 4,
        ("b", "c", "e f", "g"): 5,
        ("h",): 6,
        ("h", "i"): 7,
    }


def no_certificate(directory: str, hosts: list[str]) -> tuple[str, str, str]:
    return f"{directory}/ca.pem", f"{directory}/cert.pem", f"{directory}/key.pem"


def test_without_settings_it_listens_on_loopback_with_a_development_certificate(tmp_path: Path) -> None:
    settings = effective(Settings(data_dir=tmp_path / "state"), no_certificate)
    addresses = {str(listen) for listen in settings.listen}
    assert {"udp:127.0.0.1:5060", "tcp:127.0.0.1:5060", "tls:127.0.0.1:5061"} <= addresses
    assert all("127.0.0.1" in address or "[::1]" in address for address in addresses)
    assert settings.tls.certificate == tmp_path / "state" / "tls" / "cert.pem"
    assert settings.script.path is not None
    assert settings.script.path.is_file()
    assert oct((tmp_path / "state").stat().st_mode & 0o777) == "0o700"


def test_no_certificate_is_made_when_nobody_listens_for_tls(tmp_path: Path) -> None:
    settings = load_settings(assignments=["listen=udp:127.0.0.1:0", f"data_dir={tmp_path}"], environ={})
    assert effective(settings, no_certificate).tls.certificate is None


def test_a_certificate_needs_its_key(tmp_path: Path) -> None:
    settings = load_settings(assignments=["tls.private_key=/x.pem", f"data_dir={tmp_path}"], environ={})
    with pytest.raises(SettingsError, match=r"tls\.certificate: must be given too"):
        effective(settings, no_certificate)


def test_certificates_are_for_advertised_names_and_aliases_too() -> None:
    settings = load_settings(
        assignments=["listen=tls:0.0.0.0 advertise sip.example.com:5061", "aliases=example.com,udp:example.net:5060"],
        environ={},
    )
    hosts = certificate_hosts(settings)
    assert {"localhost", "sip.example.com", "example.com", "example.net"} <= set(hosts)
    assert "0.0.0.0" not in hosts


def test_engine_configuration(tmp_path: Path) -> None:
    settings = load_settings(
        assignments=[
            "listen=127.0.0.1:5070,tls:[::1]:5071 advertise sip.example.com:443 name edge",
            "script.workers=3",
            "limits.queue_messages=100",
            f"data_dir={tmp_path}",
        ],
        environ={},
    )
    config = json.loads(to_engine_json(effective(settings, no_certificate)))
    assert config["listen"] == [
        {"proto": "udp", "addr": "127.0.0.1", "port": 5070},
        {"proto": "tcp", "addr": "127.0.0.1", "port": 5070},
        {"proto": "tls", "addr": "::1", "port": 5071, "advertise": ["sip.example.com", 443], "name": "edge"},
    ]
    assert config["workers"] == 3
    assert config["limits"]["queue"] == 100
    assert config["tls"]["server"][-1]["certificate"] == str(tmp_path / "tls" / "cert.pem")


def test_an_address_that_is_not_there_is_named() -> None:
    settings = load_settings(assignments=["listen=udp:no-such-if0:5060"], environ={})
    with pytest.raises(SettingsError, match="listen udp:no-such-if0:5060: 'no-such-if0' is neither"):
        to_engine_json(settings)


@pytest.mark.skipif(not os.path.exists("/sys/class/net/lo"), reason="Linux names its loopback interface lo")
def test_interface_names_stand_for_their_address() -> None:
    assert resolve("lo") == "127.0.0.1"


def test_the_reference_page_is_current() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    assert page == reference(), "run: python -m sipwright.settings.reference"


def test_every_setting_is_described() -> None:
    assert "|  |" not in reference()


def test_auto_aliases_are_the_names_of_the_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Off by default; the wildcard address has no name."""
    listen = ["udp:192.0.2.1:5060", "tcp:192.0.2.1:5060", "udp:192.0.2.2:5060"]
    names = {"192.0.2.1": ["edge.example.com", "edge"], "192.0.2.2": ["edge.example.com"]}

    def aliases(**given: object) -> list[str]:
        settings = Settings.model_validate({"listen": listen, "aliases": ["own.example.com"], **given})
        return list(json.loads(to_engine_json(settings, reverse=lambda address: names[address]))["aliases"])

    assert aliases() == ["own.example.com"]
    assert aliases(auto_aliases=True) == ["own.example.com", "edge.example.com", "edge"]
    monkeypatch.setattr("socket.gethostbyaddr", lambda address: ("edge.example.com", ["edge"], [address]))
    assert names_of("0.0.0.0") == []
    assert names_of("192.0.2.1") == names["192.0.2.1"]
