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
# Modules of which nothing has to be set: all their parameters are ignored, for this reason.
IGNORED_MODULES: Final[dict[str, str]] = {
    "ctl": "the control socket lies in the data directory",
    "debugger": "`script.slow_call_ms`, tracebacks and pdb take its place",
    "jsonrpcs": "the control socket lies in the data directory",
    "statistics": "counters are always on",
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
