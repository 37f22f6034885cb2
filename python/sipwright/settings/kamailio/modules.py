"""Kamailio's modules: which of them are offered, and what of `KSR` each of them brings.

A module is offered when there are KSR functions of it, when the settings have a section of its name, or when it is in
WITHOUT_EFFECT: then nothing needs to be done for it.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

_CONTROL: Final = "the control socket is always there: `sipwright ctl`"
_DATABASE: Final = "database drivers are built in"

WITHOUT_EFFECT: Final[dict[str, str]] = {
    "app_python3": "the script is what Sipwright runs",
    "app_python3s": "the script is what Sipwright runs",
    "cfg_rpc": "settings are shown by `sipwright check` and core.info",
    "db_cluster": _DATABASE,
    "db_mysql": _DATABASE,
    "db_postgres": _DATABASE,
    "db_sqlite": _DATABASE,
    "debugger": "`script.slow_call_ms`, tracebacks and pdb take its place",
    "sctp": "SCTP is not offered; TCP and UDP are not concerned",
    "stun": "STUN requests are not answered; SIP is not concerned",
    "tls": "TLS is built in",
    "tls_wolfssl": "TLS is built in",
    "xhttp_rpc": _CONTROL,
}

# Modules that neither have parameters or functions in our tables, nor need any, so that a name can be told from a typo.
_OTHERS: Final = (
    *("app_java", "app_lua", "app_lua_sr", "app_mono", "app_perl", "app_python", "app_ruby", "avp", "cdp", "cdp_avp"),
    *("cnxcc", "cpl_c", "db_berkeley", "db_cassandra", "db_mongodb", "db_oracle", "db_perlvdb", "db_redis"),
    *("db_unixodbc", "dnssec", "erlang", "geoip", "geoip2", "gzcompress", "h350", "http_async_client", "ims_auth"),
    *("ims_charging", "ims_dialog", "ims_icscf", "ims_isc", "ims_qos", "ims_registrar_pcscf", "ims_registrar_scscf"),
    *("ims_usrloc_pcscf", "ims_usrloc_scscf", "janssonrpcc", "jansson", "json", "jwt", "kafka", "kazoo", "ldap"),
    *("lwsc", "microhttpd", "misc_radius", "mqtt", "nats", "ndb_cassandra", "ndb_mongodb", "ndb_redis", "nghttp2"),
    *("nsq", "osp", "peering", "phonenum", "posops", "presence", "presence_conference", "presence_dialoginfo"),
    *("presence_dfks", "presence_mwi", "presence_profile", "presence_reginfo", "presence_xml", "pua", "pua_bla"),
    *("pua_dialoginfo", "pua_json", "pua_reginfo", "pua_rpc", "pua_usrloc", "pua_xmpp", "purple", "rabbitmq", "rls"),
    *("rtp_media_server", "ruxc", "snmpstats", "stirshaken", "sworker", "systemdops", "tlsa", "uuid", "xcap_client"),
    *("xcap_server", "xhttp_pi", "xmlops", "xmlrpc", "xmpp", "app_python3", "exec"),
)


@cache
def parameters() -> dict[str, dict[str, str]]:
    """The parameters of the modules of Kamailio 5.6, by module and name, each with its type: text or number."""
    table: dict[str, dict[str, str]] = {}
    for line in Path(__file__).with_name("modparams.tsv").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            module, name, kind = line.split("\t")
            table.setdefault(module, {})[name] = kind
    return table


@cache
def known() -> frozenset[str]:
    """The names of all modules that Kamailio has."""
    from sipwright.kemi import known as functions

    return frozenset(
        {*functions.modules(), *parameters(), *WITHOUT_EFFECT, *_OTHERS} - {"hdr", "kx", "pvx", "x"} | {"kemix"}
    )


def missing_driver(parameter: str, value: object, loaded: Iterable[str]) -> str:
    """The module that Kamailio finds the database of a URL by, `db_mysql` for `mysql://`, where it is not loaded; empty for
    anything else. `sqlcon` of sqlops has a name before its URL.
    """
    if not isinstance(value, str) or not parameter.endswith(("db_url", "sqlcon")):
        return ""
    scheme, separator, _ = value.rpartition("=>")[2].partition("://")
    driver = f"db_{scheme}"
    return driver if separator and driver in known() and driver not in loaded else ""


def does_something(module: str) -> bool:
    """Whether a module has KSR functions or a section of the settings."""
    from sipwright.kemi import namespace
    from sipwright.settings.model import Settings

    return module in Settings.model_fields or bool(namespace.offered_modules() & set(namespace.provided_by(module)))


def without_effect(module: str) -> str:
    """Why nothing is done for a module; empty for one that does something, or is not offered."""
    return "" if does_something(module) else WITHOUT_EFFECT.get(module, "")


def why_not_offered(module: str) -> str:
    """Why a module cannot be loaded; empty when it can."""
    from sipwright.nearest import nearest

    if module in WITHOUT_EFFECT or does_something(module):
        return ""
    if module in known():
        return "this module of Kamailio is not offered; leave it out if the script can do without its functions"
    near = nearest(module, known())
    return f"there is no such module{f'; did you mean {near[0]}?' if near else ''}"
