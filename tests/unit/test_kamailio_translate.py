"""What becomes of the statements of a kamailio.cfg: settings, and a report of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from sipwright.settings import Settings, SettingsError, load_settings
from sipwright.settings.kamailio import Translation, modparams, modules, read_kamailio_cfg, reference
from sipwright.settings.kamailio import globals as core
from sipwright.settings.kamailio.report import Entry
from sipwright.settings.section import Section
from sipwright.settings.sources import annotation_of
from support.kamailio_cfg import given, lab

SCRIPT = "/etc/kamailio/route.py"


MODULES = "tm usrloc registrar htable tls"


def translated(directory: Path, text: str, modules: str = MODULES) -> Translation:
    """A laboratory's kamailio.cfg with this text in it."""
    path = directory / "kamailio.cfg"
    path.write_text(lab(SCRIPT, "listen=udp:127.0.0.1:5070", modules, text))
    return read_kamailio_cfg(path)


def about(translation: Translation, name: str) -> Entry:
    found = [entry for entry in translation.report if name in (entry.name, entry.value)]
    assert len(found) == 1, translation.report
    return found[0]


def test_a_laboratory(tmp_path: Path) -> None:
    translation = translated(tmp_path, "")
    assert translation.refusals == translation.warnings == []
    settings = load_settings(base=translation.given, environ={})
    assert str(settings.script.path) == SCRIPT
    assert settings.script.workers == 2
    assert settings.script.isolation == "per-worker"
    assert settings.log.level == "info"
    assert [str(listen) for listen in settings.listen] == ["udp:127.0.0.1:5070"]
    assert settings.modules == ["tm", "usrloc", "registrar", "htable", "tls", "app_python3"]
    assert {entry.status for entry in translation.report} == {"honoured", "ignored"}
    assert about(translation, "debug").place.line == 3


@pytest.mark.parametrize(
    ("text", "setting", "value"),
    [
        ("debug=-3", "log.level", "error"),
        ("debug=0", "log.level", "warning"),
        ("debug=3", "log.level", "debug"),
        ("children=1000", "script.workers", 256),
        ("children=0", "script.workers", 1),
        ("mhomed=1", "forward.mhomed", True),
        ("udp_mtu=1400", "forward.udp_mtu_bytes", 1400),
        ("server_id=3", "server_id", 3),
        ('modparam("usrloc", "share_url", "redis://h/1")', "usrloc.share_url", "redis://h/1"),
        ('modparam("usrloc", "share_node", "sip:192.0.2.1")', "usrloc.share_node", "sip:192.0.2.1"),
        ('modparam("usrloc", "share_tombstone", 60)', "usrloc.share_tombstone_s", 60),
        ('modparam("htable", "share_url", "redis://h/1")', "htable.share_url", "redis://h/1"),
        ("udp_mtu_try_proto=TLS", "forward.udp_mtu_try_proto", "tls"),
        ("udp_mtu=1400\nudp_mtu_try_proto=UDP", "forward.udp_mtu_bytes", 0),
        ("dns_try_naptr=on", "dns.naptr", True),
        ("dns_retr_time=3", "dns.timeout_ms", 3000),
        ("dns_retr_no=99", "dns.retries", 10),
        ("dns_cache_flags=5", "dns.prefer_ipv6", True),
        ("use_dns_cache=off", "dns.cache_entries", 0),
        ("use_dns_failover=yes", "dns.failover", True),
        ("tcp_connection_lifetime=3605", "timeouts.idle_ms", 3_605_000),
        ("tcp_rd_buf_size=100", "limits.max_message_bytes", 1024),
        ("tcp_max_connections=99", "limits.connections", 99),
        ('server_header="Server: My SIP"', "server_header", "My SIP"),
        ("server_signature=no", "server_header", ""),
        ("tls_threads_mode=1", "tls.threads_mode", 1),
        ("latency_limit_action=1500", "script.slow_call_ms", 2),
        ('kemi.reply_route_callback="none"', "script.reply_route", ""),
        ('kemi.onsend_route_callback="my_onsend"', "script.onsend_route", "my_onsend"),
        ("log_stderror=no", "log.output", "syslog"),
        ("log_facility=LOG_LOCAL0", "log.facility", "local0"),
        ('log_name="my edge"', "log.name", "my_edge"),
        ("pstn.gw_port = 5090", "cfg.variables.pstn.gw_port", 5090),
        ('rundir="/run/k"', "data_dir", "/run/k"),
        ("alias=a.example.com", "aliases", ["a.example.com"]),
        ('modparam("tm", "fr_timer", 5000)', "timers.fr_ms", 5000),
        ('modparam("tm", "fr_inv_timer", 60000)', "timers.fr_inv_ms", 60_000),
        ('modparam("tm", "failure_reply_mode", 1)', "tm.failure_reply_mode", 1),
        ('modparam("tm", "event_callback", "on_event")', "tm.event_callback", "on_event"),
        ('modparam("registrar", "max_expires", 3600)', "registrar.max_expires_s", 3600),
        ('modparam("nathelper|registrar", "received_avp", "$avp(x)")', "registrar.received_avp", "$avp(x)"),
        ('modparam("app_python3", "mod_init_function", "begin")', "script.mod_init", "begin"),
        ('modparam("app_python3", "child_init_method", "begin")', "script.child_init", "begin"),
        ('modparam("tls", "private_key", "/k.pem")', "tls.private_key", "/k.pem"),
        ('modparam("tls", "config", "/etc/tls.cfg")', "tls.config", "/etc/tls.cfg"),
        ('modparam("tls", "tls_method", "TLSv1.3")', "tls.min_version", "1.3"),
        ('modparam("tls", "require_certificate", 1)', "tls.verify_client", "require"),
        ('modparam("tls", "verify_certificate", 1)', "tls.verify_client", "optional"),
        ('modparam("tls", "verify_certificate", 0)', "tls.verify_server", False),
        ('modparam("tls", "verify_client", "optional_no_ca")', "tls.verify_client", "optional_no_ca"),
        ('modparam("tls", "session_cache", 0)', "tls.session_cache", 0),
        ("tos=IPTOS_LOWDELAY", "forward.tos", 16),
        ("tos=184", "forward.tos", 184),
        ("force_rport=yes", "forward.force_rport", True),
        ("local_rport=yes", "forward.local_rport", True),
        ('log_prefix="[$ci] "', "log.prefix", "[$ci] "),
        ("log_prefix_mode=1", "log.prefix_mode", 1),
        ('user_agent_header="User-Agent: me"', "user_agent_header", "me"),
        ('xavp_via_params="vp"', "xavp_via_params", "vp"),
        ('kemi.pre_routing_callback="first"', "script.pre_routing", "first"),
        ('kemi.received_route_callback="none"', "script.received_route", ""),
        ('modparam("corex", "alias_subdomains", "example.org")', "corex.alias_subdomains", ["example.org"]),
        (
            'modparam("pv", "shvset", "gw=s:sip:10.0.0.1;transport=tcp")',
            "pv.shvset",
            ["gw=s:sip:10.0.0.1;transport=tcp"],
        ),
        ('modparam("pv", "avp_aliases", "a=s:b;c=i:1")', "pv.avp_aliases", "a=s:b;c=i:1"),
        ('modparam("maxfwd", "max_limit", 16)', "maxfwd.max_limit", 16),
        ('modparam("sanity", "noreply", 1)', "sanity.noreply", 1),
        ('modparam("domain", "register_myself", 1)', "domain.register_myself", 1),
        ('modparam("domain", "name_col", "n")', "domain.name_col", "n"),
        (
            'modparam("htable", "htable", "a=>size=8;autoexpire=10;initval=1;updateexpire=0")',
            "htable.tables.a",
            {"size": 8, "autoexpire_s": 10, "initval": 1, "updateexpire": 0},
        ),
    ],
)
def test_honoured(tmp_path: Path, text: str, setting: str, value: object) -> None:
    translation = translated(tmp_path, text + "\n#!ifdef NEVER\n#!endif", f"{MODULES} corex pv maxfwd sanity domain")
    assert translation.refusals == []
    assert given(translation)[setting] == value
    load_settings(base=[one for one in translation.given if one.path[0] != "tls"], environ={})


def test_defaults_are_kamailios(tmp_path: Path) -> None:
    values = given(translated(tmp_path, ""))
    assert values["forward.udp_mtu_bytes"] == 0
    assert values["dns.naptr"] is False
    assert values["registrar.use_path"] is False


@pytest.mark.parametrize(
    ("text", "name", "status", "note"),
    [
        ("memdbg=5", "memdbg", "ignored", "there is no memory manager of its own"),
        ("mem_dbg=5", "mem_dbg", "ignored", "there is no memory manager of its own"),
        ("tos=IPTOS_LOWDELAY", "tos", "honoured", "`forward.tos`"),
        ("tos=IPTOS_SPEED", "tos", "refused", "must be a number or one of IPTOS_LOWDELAY, IPTOS_THROUGHPUT"),
        ("received_route_mode=1", "received_route_mode", "ignored", "`script.received_route` runs when it is set"),
        ('modparam("tm", "fr_timer_avp", "$avp(x)")', "tm.fr_timer_avp", "missing", "is not offered; call KSR.tm.t_set_fr"),
        ("childern=2", "childern", "unknown", "there is no such parameter; did you mean children?"),
        ("mhomed=\"1\"", "mhomed", "refused", "must be yes or no"),
        ("server_header=1", "server_header", "refused", "must be text in quotes"),
        ("udp_mtu_try_proto=\"TCP\"", "udp_mtu_try_proto", "refused", "must be a name without quotes"),
        ("listen=tls:127.0.0.1:5071", "tls:127.0.0.1:5071", "ignored", "without enable_tls=yes there is no TLS"),
        ('modparam("usrloc", "hash_size", 12)', "usrloc.hash_size", "ignored", "the table grows with its bindings"),
        ('modparam("tm", "fr_tmier", 1)', "tm.fr_tmier", "unknown", "did you mean fr_timer?"),
        ('modparam("tls", "tls_method", "SSLv3")', "tls.tls_method", "refused", "its protocol is broken"),
        ('modparam("htable", "htable", "a=>size")', "htable.htable", "refused", "is no ATTRIBUTE=VALUE"),
        ('modparam("htable", "htable", "a=>dmqreplicate2=1")', "htable.htable", "honoured", "without meaning here: dmqreplicate2"),
        ('loadmodule "presence"', "presence", "refused", "this module of Kamailio is not offered"),
        ('loadmodule "regsitrar"', "regsitrar", "refused", "there is no such module; did you mean registrar?"),
        ('loadmodule "xhttp_rpc"', "xhttp_rpc", "ignored", "the control socket is always there"),
        ("#!inlcude_file x", "#!inlcude_file", "unknown", "did you mean #!include_file?"),
    ],
)  # fmt: skip
def test_report(tmp_path: Path, text: str, name: str, status: str, note: str) -> None:
    entry = about(translated(tmp_path, text), name)
    assert (entry.status, note in entry.note) == (status, True), entry
    assert entry.place.line > 8


@pytest.mark.parametrize(
    ("text", "status", "note"),
    [
        ("route[KEMI_FIXUP] { save('location'); lookup('location'); }", "ignored", "is run from native routes only"),
        ("failure_route[F] { t_reply('500', 'x'); }", "ignored", "is run from native routes only"),
        ("onreply_route { xlog('x'); exit; }", "ignored", "decides nothing"),
        ("request_route { sl_send_reply('200', 'OK'); }", "refused", "move it to ksr_request_route(self, msg)"),
        ("route { exit; }", "refused", "move it to ksr_request_route(self, msg)"),
        ("request_route { python_exec('x'); }", "refused", "calls the script by python_exec"),
        ("reply_route { force_rport(); }", "refused", "move it to ksr_reply_route(self, msg)"),
        ("onsend_route { drop; }", "refused", "move it to ksr_onsend_route(self, msg)"),
        ("event_route[xhttp:request] { xhttp_reply('200'); }", "refused", 'modparam("xhttp", "event_callback", ...)'),
    ],
)
def test_native_routes(tmp_path: Path, text: str, status: str, note: str) -> None:
    entries = [entry for entry in translated(tmp_path, text).report if entry.kind == "route"]
    assert [(entry.status, note in entry.note) for entry in entries] == [(status, True)], entries


@pytest.mark.parametrize(
    ("old", "new", "line", "note"),
    [
        ('cfgengine "python"', "", 1, 'there is no cfgengine "python"'),
        ('cfgengine "python"', "request_route { exit; }", 18, 'there is no cfgengine "python"'),
        ('cfgengine "python"', 'cfgengine "python3"', 18, 'Kamailio knows this engine as "python"'),
        ('cfgengine "python"', 'cfgengine "lua"', 18, 'only "python" is offered'),
        (f'modparam("app_python3", "load", "{SCRIPT}")', "", 15, 'modparam("app_python3", "load", "FILE.py") is missing'),
    ],
)  # fmt: skip
def test_without_a_script(tmp_path: Path, old: str, new: str, line: int, note: str) -> None:
    path = tmp_path / "kamailio.cfg"
    path.write_text(lab(SCRIPT, modules="tm usrloc registrar sl rr").replace(old, new))
    entries = read_kamailio_cfg(path).refusals
    assert [(entry.place.line, note in entry.note) for entry in entries] == [(line, True)], entries


def test_enable_tls_needs_the_module(tmp_path: Path) -> None:
    entries = translated(tmp_path, "enable_tls=yes", "tm").refusals
    assert [entry.note for entry in entries] == ['needs loadmodule "tls.so"']


def test_a_wrong_value_is_told_with_its_place(tmp_path: Path) -> None:
    translation = translated(tmp_path, 'modparam("tm", "failure_reply_mode", 9)')
    with pytest.raises(SettingsError) as caught:
        load_settings(base=translation.given, environ={})
    assert "kamailio.cfg:16: modparam tm.failure_reply_mode: tm.failure_reply_mode: must be one of" in str(caught.value)


def test_other_sources_come_after(tmp_path: Path) -> None:
    base = translated(tmp_path, "").given
    toml = tmp_path / "sipwright.toml"
    toml.write_text("[script]\nworkers = 5\n")
    assert load_settings(toml, base=base, environ={}).script.workers == 5
    settings = load_settings(toml, ["script.workers=6"], {"SIPWRIGHT_SCRIPT__WORKERS": "7"}, base=base)
    assert settings.script.workers == 6


def test_a_script_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "route.py").touch()
    (tmp_path / "kamailio.cfg").write_text(lab("route.py"))
    translation = read_kamailio_cfg(tmp_path / "kamailio.cfg")
    assert given(translation)["script.path"] == tmp_path / "route.py"
    monkeypatch.chdir(tmp_path)
    translation = read_kamailio_cfg(Path("kamailio.cfg"))
    assert given(translation)["script.path"] == tmp_path / "route.py"


def test_tables_name_settings_that_exist() -> None:
    settings = [target.setting for target in (*core.HONOURED.values(), *modparams.SPECIAL.values())]
    for setting in [*settings, *(setting for setting, _ in core.DEFAULTS.values())]:
        assert annotation_of(Settings, tuple(setting.split("."))) is not None, setting


@pytest.mark.parametrize(
    ("url", "modules", "driver"),
    [
        ("redis://127.0.0.1/0", "tm", "db_redis"),
        ("mysql://u:p@host/db", "tm", "db_mysql"),
        ("mysql://u:p@host/db", "tm db_mysql.so", ""),
        ("sqlite:///var/lib/sip.db", "tm db_mysql", "db_sqlite"),
        ("postgres://u@host/db", "tm", "db_postgres"),
        ("redis://127.0.0.1/0", "tm db_redis", ""),
        ("http://127.0.0.1", "tm", ""),
        ("nonsense", "tm", ""),
    ],
)
def test_a_database_without_its_module(tmp_path: Path, url: str, modules: str, driver: str) -> None:
    """Kamailio would not start; here the driver is built in, and the report says so."""
    text = f'modparam("usrloc", "db_url", "{url}")'
    loads = "\n".join(f'loadmodule "{name}"' for name in [*modules.split(), "usrloc"])
    report = translated(tmp_path, f"{loads}\n{text}", "sl").report
    translation = translated(tmp_path, 'modparam("usrloc", "share_url", "redis://127.0.0.1/0")')
    assert not [entry for entry in translation.report if "needs loadmodule" in entry.note]
    found = [entry for entry in report if entry.name == "usrloc.db_url" and "needs loadmodule" in entry.note]
    assert [entry.note.split('"')[1] for entry in found] == ([f"{driver}.so"] if driver else [])
    assert all(entry.is_warning and "u:p@" not in entry.value for entry in found)


def test_passwords_are_not_shown(tmp_path: Path) -> None:
    text = 'modparam("tm", "x_secret", "abc")\nmodparam("tm", "db_url", "mysql://u:abc@host/db")\n'
    text += 'modparam("tm", "password_column", "abc_")\n'
    entries = translated(tmp_path, text, f"{MODULES} db_mysql").report
    values = [entry.value for entry in entries if entry.name.startswith("tm.")]
    assert values == ["***", "mysql://u:***@host/db", "abc_"]


def test_parameters_of_a_section_are_found_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    class Probe(Section):
        plain: int = 0
        wait_s: int = 0
        wait_ms_ms: int = 0
        room_bytes: int = 0
        other: str = Field("", json_schema_extra={"modparam": "kamailios_name"})
        many: list[str] = Field(default_factory=list)

    monkeypatch.setattr(modparams, "section_of", lambda module: Probe)
    names = ["plain", "wait", "wait_ms", "room", "kamailios_name", "many", "none"]
    targets = [modparams.setting_of("probe", name) for name in names]
    settings = [None if target is None else target.setting for target in targets]
    assert settings == [
        "probe.plain",
        "probe.wait_s",
        "probe.wait_ms_ms",
        "probe.room_bytes",
        "probe.other",
        "probe.many",
        None,
    ]
    assert modparams.is_list("probe.many")
    assert not modparams.is_list("probe.other")


def test_ignored_parameters_are_named_beside_their_settings() -> None:
    assert modparams.why_ignored("dispatcher", "ds_timer_mode").startswith("keep-alives run beside")


def test_every_parameter_of_kamailio_is_known() -> None:
    without = [
        f"{module}.{name}"
        for module, names in modules.parameters().items()
        if not modules.why_not_offered(module)
        for name in names
        if reference.parameter(module, name) == ("missing", "")
    ]
    assert without == []


def test_reasons_are_of_parameters_that_kamailio_has() -> None:
    for name in modparams.MISSING:
        module, _, parameter = name.partition(".")
        assert parameter in modules.parameters()[module], name
        assert modparams.setting_of(module, parameter) is None, name
        assert not modparams.why_ignored(module, parameter), name


def test_no_parameter_is_in_two_tables() -> None:
    names = [*core.HONOURED, *core.SPECIAL, *core.IGNORED, *core.MISSING, *core.ALIASES]
    assert len(names) == len(set(names))
    assert set(core.ALIASES.values()) <= set(names)
    assert not modparams.SPECIAL.keys() & modparams.IGNORED.keys()


def test_modules_are_known() -> None:
    assert {"kemix", "presence", "tm", "db_mysql"} <= modules.known()
    assert "kx" not in modules.known()
    assert modules.without_effect("tls") == modules.without_effect("tm") == ""
    assert modules.without_effect("stun")
    assert modules.why_not_offered("kemix") == modules.why_not_offered("db_postgres") == ""
