"""Parameters of modules: which setting each is.

The rule is in `setting_of`: parameter `fr` of module `x` is the setting `x.fr`, `x.fr_s`, `x.fr_ms` or `x.fr_bytes`, or the
field of section `x` whose `json_schema_extra` says `{"modparam": "fr"}`. SPECIAL has those that are another setting or
need a conversion. What a module's settings file lists in IGNORED_MODPARAMS means nothing here.
"""

import importlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from sipwright.settings.kamailio.globals import Target
from sipwright.settings.model import Settings
from sipwright.settings.section import Section

UNITS: Final = ("", "_s", "_ms", "_bytes")
_BLOCKLIST: Final = "there is no blocklist of destinations; `dns.failover` tries the next target"
_CHALLENGE: Final = "challenges have the header fields of RFC 3261; add others by `append_to_reply`"
_NO_GROUP_ID: Final = "belongs to get_user_group, which is no function of KEMI scripts"
_TLS_LIBRARY: Final = "belongs to OpenSSL; the TLS library here is rustls"


SPECIAL: Final[dict[str, Target]] = {
    "app_python3.load": Target("script.path", "text"),
    "app_python3.script_name": Target("script.path", "text"),
    "app_python3.mod_init_function": Target("script.mod_init", "text"),
    "app_python3.child_init_method": Target("script.child_init", "text"),
    "app_python3s.load": Target("script.path", "text"),
    "app_python3s.script_init": Target("script.mod_init", "text"),
    "app_python3s.script_child_init": Target("script.child_init", "text"),
    "tls.session_cache": Target("tls.session_cache", "number", lambda on: None if on else 0, "0: no sessions are kept"),
    "tm.fr_inv_timer": Target("timers.fr_inv_ms"),
    "tm.fr_timer": Target("timers.fr_ms"),
    "tm.max_inv_lifetime": Target("timers.max_inv_ms"),
    "tm.max_noninv_lifetime": Target("timers.max_noninv_ms"),
    "tm.retr_timer1": Target("timers.t1_ms"),
    "tm.retr_timer2": Target("timers.t2_ms"),
    "tm.wt_timer": Target("timers.t4_ms"),
}
# Parameters of the module tls that are files, by the same name.
TLS_FILES: Final = ("config", "certificate", "private_key", "ca_list", "ca_path", "crl")
# Parameters with code of their own in `translate.py`: what they do here.
BY_CODE: Final[dict[str, str]] = {
    "htable.htable": "`htable.tables`, one table by each",
    "tls.method": "as `tls.tls_method`",
    "tls.require_certificate": "`tls.verify_client`, and servers are verified",
    "tls.tls_method": "`tls.min_version` and `tls.max_version`",
    "tls.verify_certificate": "`tls.verify_client` and `tls.verify_server`",
    "tls.verify_client": "`tls.verify_client`",
}
# For sections that have no IGNORED_MODPARAMS beside them.
IGNORED: Final[dict[str, str]] = {
    "acc.acc_extra_size": "any number of fields is written",
    "acc.clone_msg": "accounting sees the message as the script left it",
    "async.ms_timer": "every wait is exact to the millisecond",
    "async.return": "a route ends when it returns",
    "async.workers": "the script workers go on with what waits",
    "db_sqlite.db_set_journal_mode": "the journal is a write-ahead log",
    "group.multiple_gid": _NO_GROUP_ID,
    "group.re_exp_column": _NO_GROUP_ID,
    "group.re_gid_column": _NO_GROUP_ID,
    "group.re_table": _NO_GROUP_ID,
    "htable.event_callback_mode": "`htable:mod-init` comes once, before the first message",
    "htable.timer_procs": "ended items are searched for beside the workers",
    "rr.enable_socket_mismatch_warning": "there is no such warning",
    "sl.default_code": "functions of scripts are given the code",
    "sl.default_reason": "functions of scripts are given the reason",
    "tm.blst_503": _BLOCKLIST,
    "tm.blst_503_def_timeout": _BLOCKLIST,
    "tm.blst_503_max_timeout": _BLOCKLIST,
    "tm.blst_503_min_timeout": _BLOCKLIST,
    "tm.blst_methods_add": _BLOCKLIST,
    "tm.blst_methods_lookup": _BLOCKLIST,
    "tm.default_code": "functions of scripts are given the code",
    "tm.default_reason": "functions of scripts are given the reason",
    "tm.enable_uac_fr": "requests of the server's own always time out",
    "tm.exec_time_check": "`script.slow_call_ms` logs slow calls with file and line",
    "tm.pass_provisional_replies": "modules are told what they ask for",
    "tm.relay_100": "a 100 is never forwarded (RFC 3261 section 16.7)",
    "tm.reparse_invite": "CANCEL and ACK are always made from the INVITE that was sent",
    "tm.reparse_on_dns_failover": "the next target gets the header fields of its own socket",
    "tm.dns_reuse_rcv_socket": "the next target is reached by the socket that can send to it",
    "tmx.precheck_trans": "copies of a request do not reach the script",
    "app_python3.threads_mode": "threads of the script always run",
    "app_python3s.threads_mode": "threads of the script always run",
    "tls.con_ct_wq_max": "`limits.write_buffer_bytes` bounds each connection",
    "tls.connection_timeout": "`timeouts.idle_ms` (tcp_connection_lifetime) closes silent connections",
    "tls.ct_wq_blk_size": "`limits.write_buffer_bytes` bounds each connection",
    "tls.ct_wq_max": "`limits.write_buffer_bytes` bounds each connection",
    "tls.engine": _TLS_LIBRARY,
    "tls.engine_algorithms": _TLS_LIBRARY,
    "tls.engine_config": _TLS_LIBRARY,
    "tls.low_mem_threshold1": "there is no memory manager of its own",
    "tls.low_mem_threshold2": "there is no memory manager of its own",
    "tls.rand_engine": _TLS_LIBRARY,
    "tls.renegotiation": "renegotiation is never done",
    "tls.send_close_notify": "is always sent",
    "tls.server_name": "the certificate of these parameters is for every name",
    "tls.session_id": _TLS_LIBRARY,
    "tls.ssl_freelist_max_len": _TLS_LIBRARY,
    "tls.ssl_max_send_fragment": _TLS_LIBRARY,
    "tls.ssl_read_ahead": _TLS_LIBRARY,
    "tls.ssl_release_buffers": _TLS_LIBRARY,
    "tls.tls_debug": "`log.level` decides",
    "tls.tls_disable_compression": "compression is never done",
    "tls.tls_force_run": _TLS_LIBRARY,
    "tls.tls_log": "`log.level` decides",
    "tm.auto_inv_100_r": "the reason is `tm.auto_inv_100_reason`",
    "tm.delete_timer": "finished transactions are dropped when nothing refers to them",
    "tm.unix_tx_timeout": "there is no such socket",
}
# What Kamailio does by these is not done here: the report warns, with what to do instead.
MISSING: Final[dict[str, str]] = {
    "auth.challenge_attr": _CHALLENGE,
    "auth.protect_contacts": "Contact has no part in nonces; `auth.auth_checks_register` has the rest",
    "auth.use_domain": "compare the domains in the script",
    "auth_db.force_generate_avps": "the AVPs of `auth_db.load_credentials` are set when the credentials are right",
    "corex.dns_cache": "write the record to `dns.records` or `dns.hosts`",
    "corex.evcb_reply_out": "use the onsend route",
    "corex.nio_intercept": "there is no route that rewrites what the network carries",
    **dict.fromkeys(
        ("db_cluster.cluster", "db_cluster.connection", "db_cluster.inactive_interval", "db_cluster.max_query_length"),
        "name one database; let a proxy of the database choose among its nodes",
    ),
    "db_sqlite.db_set_readonly": "let the system give the server no more than reading",
    "dialog.ruri_pvar": "the dialog's URI is the request-URI",
    "dialog.xavp_cfg": "`KSR.dialog` and `$dlg_ctx` set the same",
    **dict.fromkeys(
        (
            *("dmq.multi_notify", "dmq.notification_address", "dmq.notification_channel", "dmq.num_workers"),
            *("dmq.ping_interval", "dmq.server_address", "dmq.server_socket", "dmq.worker_usleep"),
            *("htable.dmq_init_sync", "htable.enable_dmq"),
        ),
        "servers share what they know through a database, not by messages among themselves",
    ),
    "mqueue.db_url": "queues are kept in memory",
    "mqueue.mqueue_addmode": "an item is added whatever its key",
    "mqueue.mqueue_name": "declare it by `mqueue`",
    "mqueue.mqueue_size": "declare it by `mqueue`",
    "rr.custom_user_avp": "`rr.add_username` writes the user of the request-URI",
    "rr.ignore_sips": "a sips request-URI is record-routed as sips (RFC 5630)",
    "rr.sockname_mode": "a Route names our socket by its address",
    **dict.fromkeys(
        (
            f"rtpengine.mos_{which}_roundtrip_leg{party}_pv"
            for which in ("min", "max", "average")
            for party in ("", "_A", "_B")
        ),
        "the round trips of both ways are in `mos_min_roundtrip_pv` and so on",
    ),
    "sl.bind_tm": "`send_reply` answers through the transaction if there is one; `sl_send_reply` never does",
    "sl.event_callback_fl_ack": "the ACK of a stateless reply ends in the engine",
    "sl.event_callback_lres_sent": "use the onsend route",
    "sl.rich_redirect": "put the Contact into the script's own 3xx by `append_to_reply`",
    "sqlops.sqlres": "a result is made when a query names it",
    "tls.xavp_cfg": "`tls.client` profiles choose by server name and address",
    "tm.ac_extra_hdrs": "CANCEL and ACK have the header fields that RFC 3261 wants",
    "tm.aggregate_challenges": "challenges are always collected (RFC 3261 section 16.7 step 7)",
    "tm.callid_cseq_matching": "transactions are matched by their branch",
    "tm.callid_matching": "transactions are matched by their branch",
    "tm.contact_flows_avp": "flows of one instance that wait are the transaction's own",
    "tm.contacts_avp": "contacts of `t_load_contacts` that wait are the transaction's own",
    "tm.disable_6xx_block": "call KSR.tm.t_set_disable_6xx(1)",
    "tm.event_callback_lres_sent": "use the onsend route",
    "tm.failure_exec_mode": "a branch that could not be forwarded always reaches the failure route",
    "tm.faked_reply_prio": "the best response is chosen as RFC 3261 section 16.7 step 6 says",
    "tm.fr_inv_timer_avp": "call KSR.tm.t_set_fr(milliseconds, milliseconds)",
    "tm.fr_timer_avp": "call KSR.tm.t_set_fr(milliseconds, milliseconds)",
    "tm.local_ack_mode": "the ACK for a 2xx goes where its route set leads (RFC 3261 section 13.2.2.4)",
    "tm.on_sl_reply": "`ksr_reply_route` sees responses without a transaction too",
    "tm.reply_relay_mode": "a 2xx is always forwarded",
    "tm.rich_redirect": "put the Contact into the script's own 3xx by `append_to_reply`",
    "tm.tw_append": "there is no such socket",
    "tm.xavp_contact": "the binding that `lookup` found is in `$ruid` and `$ulc`",
    "uac.reg_use_domain": "registrations are known by `l_uuid`, and by `l_username` with `l_domain`",
}
# Modules of which nothing has to be set: all their parameters are ignored, for this reason.
IGNORED_MODULES: Final[dict[str, str]] = {
    "ctl": "the control socket lies in the data directory",
    "debugger": "`script.slow_call_ms`, tracebacks and pdb take its place",
    "jsonrpcs": "the control socket lies in the data directory",
    "statistics": "counters are always on",
    "xhttp_rpc": "`sipwright ctl` and the control socket show the same",
    "xlog": "KSR.xlog writes to the log as it is set up in `[log]`",
}


def section_of(module: str) -> type[Section] | None:
    """The section of the settings that has a module's name."""
    field = Settings.model_fields.get(module)
    model = field.annotation if field is not None else None
    return model if isinstance(model, type) and issubclass(model, Section) else None


def setting_of(module: str, name: str) -> Target | None:
    """The setting that a parameter is; None if it is none by the rule or by SPECIAL."""
    section = section_of(module)
    if section is not None:
        for field_name, field in section.model_fields.items():
            extra = field.json_schema_extra
            if isinstance(extra, dict) and extra.get("modparam") == name:
                return Target(f"{module}.{field_name}", "text")
        if f"{module}.{name}" not in SPECIAL and f"{module}.{name}" not in BY_CODE:
            for unit in UNITS:
                if name + unit in section.model_fields:
                    return Target(f"{module}.{name}{unit}", "text")
    return SPECIAL.get(f"{module}.{name}")


def why_ignored(module: str, name: str) -> str:
    """Why a parameter means nothing here; empty if it is not known to."""
    reasons = _ignored_by_section(module)
    return reasons.get(name) or IGNORED.get(f"{module}.{name}") or IGNORED_MODULES.get(module, "")


def why_missing(module: str, name: str) -> str:
    """What to do instead of a parameter of Kamailio's that is not offered; empty if it is none of these."""
    return MISSING.get(f"{module}.{name}", "")


def is_list(setting: str) -> bool:
    """Whether a setting takes one value after the other."""
    module, _, name = setting.partition(".")
    section = section_of(module)
    return section is not None and _holds_list(section.model_fields[name].annotation)


def _holds_list(annotation: Any) -> bool:
    return get_origin(annotation) in (list, tuple) or any(_holds_list(item) for item in get_args(annotation))


@cache
def _ignored_by_section(module: str) -> dict[str, str]:
    """IGNORED_MODPARAMS of the file of settings with the module's name, or, in a file with several sections,
    `MODULE_IGNORED_MODPARAMS` of the one that has its section.
    """
    section = section_of(module)
    if section is not None:
        file = sys.modules[section.__module__]
        if own := getattr(file, f"{module.upper()}_IGNORED_MODPARAMS", None):
            return dict(own)
    name = f"sipwright.settings.{module}"
    if not module.isidentifier() or importlib.util.find_spec(name) is None:
        return {}
    return dict(getattr(importlib.import_module(name), "IGNORED_MODPARAMS", {}))


def script_path(text: str, cfg: Path) -> Path:
    """A file that a parameter names: from the working directory or, if it is not there, beside the kamailio.cfg."""
    path = Path(text).expanduser()
    if path.is_absolute() or path.exists():
        return path.absolute()
    beside = cfg.parent / path
    return (beside if beside.exists() else path).absolute()


def tls_path(text: str, cfg: Path) -> Path:
    """As Kamailio's module tls: what begins with neither / nor . counts from the kamailio.cfg's directory."""
    path = Path(text)
    return path if path.is_absolute() else (Path.cwd() if text.startswith(".") else cfg.parent.absolute()) / path
