"""Kamailio's tables: names, columns, types and versions as its database documentation lists them.

Every table is a SQLAlchemy `Table` in `METADATA`; `VERSIONS` has what Kamailio writes into the table `version`.
Modules that let the name of a table be chosen use `named(table, name)`.
"""

from typing import Any, Final

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, MetaData, SmallInteger, String, Table, Text
from sqlalchemy import UniqueConstraint as Unique

from sipwright.storage.types import KamailioId, UnixTime

METADATA: Final = MetaData()
# As Kamailio 5.6 and 5.7 have them.
VERSIONS: Final[dict[str, int]] = {}

_Item = Column[Any] | Unique | Index


def _text(name: str, length: int, default: str | None = "", *, null: bool = False) -> Column[Any]:
    return Column(name, String(length), nullable=null, server_default=default)


def _optional(name: str, length: int) -> Column[Any]:
    return Column(name, String(length), nullable=True)


def _number(name: str, default: int | None = 0, *, null: bool = False) -> Column[Any]:
    return Column(name, Integer, nullable=null, server_default=None if default is None else str(default))


def _unsigned(name: str) -> Column[Any]:
    return Column(name, KamailioId, nullable=False)


def _time(name: str, default: str | None = "2000-01-01 00:00:01") -> Column[Any]:
    return Column(name, UnixTime, nullable=False, server_default=default)


def _table(name: str, version: int, *items: _Item) -> Table:
    VERSIONS[name] = version
    # Whatever the database's own character set is, texts of SIP are UTF-8.
    identity = Column("id", KamailioId, primary_key=True, autoincrement=True)
    return Table(name, METADATA, identity, *items, mysql_charset="utf8mb4", mariadb_charset="utf8mb4")


def named(table: Table, name: str) -> Table:
    """The same columns under the name that a setting gives the table."""
    if name == table.name:
        return table
    return Table(name, MetaData(), *(Column(column.name, column.type) for column in table.columns))


version = _table(
    "version",
    1,
    _text("table_name", 32, None),
    _number("table_version"),
    Unique("table_name", name="version_table_name_idx"),
)

# ---- users ---------------------------------------------------------------------------------------------------------

subscriber = _table(
    "subscriber",
    7,
    _text("username", 64),
    _text("domain", 64),
    _text("password", 64),
    _text("ha1", 128),
    _text("ha1b", 128),
    Unique("username", "domain", name="subscriber_account_idx"),
    Index("subscriber_username_idx", "username"),
)

grp = _table(
    "grp",
    2,
    _text("username", 64),
    _text("domain", 64),
    _text("grp", 64),
    _time("last_modified"),
    Unique("username", "domain", "grp", name="grp_account_group_idx"),
)

re_grp = _table(
    "re_grp",
    1,
    _text("reg_exp", 128),
    _number("group_id"),
    Index("re_grp_group_idx", "group_id"),
)

uri = _table(
    "uri",
    1,
    _text("username", 64),
    _text("domain", 64),
    _text("uri_user", 64),
    _time("last_modified"),
    Unique("username", "domain", "uri_user", name="uri_account_idx"),
)

dbaliases = _table(
    "dbaliases",
    1,
    _text("alias_username", 64),
    _text("alias_domain", 64),
    _text("username", 64),
    _text("domain", 64),
    Index("dbaliases_alias_user_idx", "alias_username"),
    Index("dbaliases_alias_idx", "alias_username", "alias_domain"),
    Index("dbaliases_target_idx", "username", "domain"),
)

speed_dial = _table(
    "speed_dial",
    2,
    _text("username", 64),
    _text("domain", 64),
    _text("sd_username", 64),
    _text("sd_domain", 64),
    _text("new_uri", 255),
    _text("fname", 64),
    _text("lname", 64),
    _text("description", 64),
    Unique("username", "domain", "sd_domain", "sd_username", name="speed_dial_speed_dial_idx"),
)

usr_preferences = _table(
    "usr_preferences",
    2,
    _text("uuid", 64),
    _text("username", 255, "0"),
    _text("domain", 64),
    _text("attribute", 32),
    _number("type"),
    _text("value", 128),
    _time("last_modified"),
    Index("usr_preferences_ua_idx", "uuid", "attribute"),
    Index("usr_preferences_uda_idx", "username", "domain", "attribute"),
)

silo = _table(
    "silo",
    8,
    _text("src_addr", 255),
    _text("dst_addr", 255),
    _text("username", 64),
    _text("domain", 64),
    _number("inc_time"),
    _number("exp_time"),
    _number("snd_time"),
    _text("ctype", 32, "text/plain"),
    Column("body", LargeBinary),
    Column("extra_hdrs", Text),
    _text("callid", 128),
    _number("status"),
    Index("silo_account_idx", "username", "domain"),
)

# ---- domains and addresses -----------------------------------------------------------------------------------------

domain = _table(
    "domain",
    2,
    _text("domain", 64, None),
    _optional("did", 64),
    _time("last_modified"),
    Unique("domain", name="domain_domain_idx"),
)

domain_attrs = _table(
    "domain_attrs",
    1,
    _text("did", 64, None),
    _text("name", 32, None),
    _number("type", None),
    _text("value", 255, None),
    _time("last_modified"),
    Index("domain_attrs_domain_attrs_idx", "did", "name"),
)

address = _table(
    "address",
    6,
    _number("grp", 1),
    _text("ip_addr", 50, None),
    _number("mask", 32),
    Column("port", SmallInteger().with_variant(KamailioId(), "mysql", "mariadb"), nullable=False, server_default="0"),
    _optional("tag", 64),
)

trusted = _table(
    "trusted",
    6,
    _text("src_ip", 50, None),
    _text("proto", 4, None),
    _optional("from_pattern", 64),
    _optional("ruri_pattern", 64),
    _optional("tag", 64),
    _number("priority"),
    Index("trusted_peer_idx", "src_ip"),
)

# ---- locations -----------------------------------------------------------------------------------------------------


def _bindings(name: str, version: int, contact: int, received: int, *indexes: Index) -> Table:
    return _table(
        name,
        version,
        _text("ruid", 64),
        _text("username", 64),
        _optional("domain", 64),
        _text("contact", contact),
        _optional("received", received),
        _optional("path", 512),
        _time("expires", "2030-05-28 21:32:15"),
        Column("q", Float, nullable=False, server_default="1.0"),
        _text("callid", 255, "Default-Call-ID"),
        _number("cseq", 1),
        _time("last_modified"),
        _number("flags"),
        _number("cflags"),
        _text("user_agent", 255),
        _optional("socket", 64),
        _number("methods", None, null=True),
        _optional("instance", 255),
        _number("reg_id"),
        _number("server_id"),
        _number("connection_id"),
        _number("keepalive"),
        _number("partition"),
        Unique("ruid", name=f"{name}_ruid_idx"),
        Index(f"{name}_account_contact_idx", "username", "domain", "contact", mysql_length={"contact": 128}),
        Index(f"{name}_expires_idx", "expires"),
        *indexes,
    )


location = _bindings(
    "location",
    9,
    512,
    128,
    Index("location_tcpcon_idx", "connection_id"),
    Index("location_connection_idx", "server_id", "connection_id"),
)
aliases = _bindings("aliases", 8, 255, 255)

location_attrs = _table(
    "location_attrs",
    1,
    _text("ruid", 64),
    _text("username", 64),
    _optional("domain", 64),
    _text("aname", 64),
    _number("atype"),
    _text("avalue", 512),
    _time("last_modified"),
    Index("location_attrs_account_record_idx", "username", "domain", "ruid"),
    Index("location_attrs_last_modified_idx", "last_modified"),
)

# ---- calls ---------------------------------------------------------------------------------------------------------


def _records(name: str, version: int) -> Table:
    return _table(
        name,
        version,
        _text("method", 16),
        _text("from_tag", 128),
        _text("to_tag", 128),
        _text("callid", 255),
        _text("sip_code", 3),
        _text("sip_reason", 128),
        _time("time", None),
        Index(f"{name}_callid_idx", "callid"),
    )


acc = _records("acc", 5)
missed_calls = _records("missed_calls", 4)

acc_cdrs = _table(
    "acc_cdrs",
    2,
    _time("start_time", "2000-01-01 00:00:00"),
    _time("end_time", "2000-01-01 00:00:00"),
    Column("duration", Float(10), nullable=False, server_default="0"),
    Index("acc_cdrs_start_time_idx", "start_time"),
)

dialog = _table(
    "dialog",
    7,
    _unsigned("hash_entry"),
    _unsigned("hash_id"),
    _text("callid", 255, None),
    _text("from_uri", 255, None),
    _text("from_tag", 128, None),
    _text("to_uri", 255, None),
    _text("to_tag", 128, None),
    _text("caller_cseq", 20, None),
    _text("callee_cseq", 20, None),
    _optional("caller_route_set", 512),
    _optional("callee_route_set", 512),
    _text("caller_contact", 255, None),
    _text("callee_contact", 255, None),
    _text("caller_sock", 64, None),
    _text("callee_sock", 64, None),
    _unsigned("state"),
    _unsigned("start_time"),
    _number("timeout"),
    _number("sflags"),
    _number("iflags"),
    _optional("toroute_name", 32),
    _text("req_uri", 255, None),
    _optional("xdata", 512),
    Index("dialog_hash_idx", "hash_entry", "hash_id"),
)

dialog_vars = _table(
    "dialog_vars",
    1,
    _unsigned("hash_entry"),
    _unsigned("hash_id"),
    _text("dialog_key", 128, None),
    _text("dialog_value", 512, None),
    Index("dialog_vars_hash_idx", "hash_entry", "hash_id"),
)

sip_trace = _table(
    "sip_trace",
    4,
    _time("time_stamp"),
    _number("time_us"),
    _text("callid", 255),
    _text("traced_user", 255),
    Column("msg", Text().with_variant(Text(16_777_215), "mysql", "mariadb"), nullable=False),
    _text("method", 50),
    _text("status", 255),
    _text("fromip", 64),
    _text("toip", 64),
    _text("fromtag", 128),
    _text("totag", 128),
    _text("direction", 4),
    Index("sip_trace_traced_user_idx", "traced_user"),
    Index("sip_trace_date_idx", "time_stamp"),
    Index("sip_trace_fromip_idx", "fromip"),
    Index("sip_trace_callid_idx", "callid"),
)

# ---- what modules load ---------------------------------------------------------------------------------------------

dispatcher = _table(
    "dispatcher",
    4,
    _number("setid"),
    _text("destination", 192),
    _number("flags"),
    _number("priority"),
    _text("attrs", 128),
    _text("description", 64),
)

htable = _table(
    "htable",
    2,
    _text("key_name", 64),
    _number("key_type"),
    _number("value_type"),
    _text("key_value", 128),
    _number("expires"),
)

rtpengine = _table(
    "rtpengine",
    1,
    _number("setid"),
    _text("url", 64, None),
    _number("weight", 1),
    _number("disabled"),
    _time("stamp", "1900-01-01 00:00:01"),
    Unique("setid", "url", name="rtpengine_rtpengine_nodes"),
)

uacreg = _table(
    "uacreg",
    5,
    _text("l_uuid", 64),
    _text("l_username", 64),
    _text("l_domain", 64),
    _text("r_username", 64),
    _text("r_domain", 64),
    _text("realm", 64),
    _text("auth_username", 64),
    _text("auth_password", 64),
    _text("auth_ha1", 128),
    _text("auth_proxy", 255),
    _number("expires"),
    _number("flags"),
    _number("reg_delay"),
    _text("contact_addr", 255),
    _text("socket", 128),
    Unique("l_uuid", name="uacreg_l_uuid_idx"),
)
