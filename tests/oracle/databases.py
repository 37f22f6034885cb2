"""Profiles with a database: an SQLite file that Kamailio's own scripts make, for either server its own."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from pathlib import Path

from oracle.profile import HERE, Profile
from support.databases import kamailio_sqlite

FILE = "sip.db"
REALM = "oracle.test"
USERS = {"alice": "secret of alice", "bob": "secret of bob"}


def prepare(directory: Path) -> None:
    kamailio_sqlite(directory / FILE)
    with contextlib.closing(sqlite3.connect(directory / FILE)) as connection, connection:
        for name, password in USERS.items():
            ha1, ha1b = (md5(f"{user}:{REALM}:{password}") for user in (name, f"{name}@{REALM}"))
            row = (name, REALM, password, ha1, ha1b)
            connection.execute("INSERT INTO subscriber (username, domain, password, ha1, ha1b) VALUES (?,?,?,?,?)", row)


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


URL = f"sqlite://{HERE}/{FILE}"
AUTH_MODULES = f"""
loadmodule "db_sqlite.so"
loadmodule "auth.so"
loadmodule "auth_db.so"
loadmodule "auth_ephemeral.so"
modparam("auth_db", "db_url", "{URL}")
modparam("auth_db", "load_credentials", "$avp(password)=password;domain;$avp(number)=id")
modparam("auth_ephemeral", "secret", "shared")
"""
AUTH_SETTINGS: dict[str, object] = {
    "auth_db.db_url": URL,
    "auth_db.load_credentials": "$avp(password)=password;domain;$avp(number)=id",
    "auth_ephemeral.secret": "shared",
}

PROFILES = {
    "auth": Profile(AUTH_MODULES, AUTH_SETTINGS, prepare=prepare),
    "auth_counted": Profile(
        AUTH_MODULES + 'modparam("auth", "nonce_count", 1)\nmodparam("auth", "one_time_nonce", 1)\n',
        {**AUTH_SETTINGS, "auth.nonce_count": True, "auth.one_time_nonce": True},
        prepare=prepare,
    ),
    "auth_bound": Profile(
        AUTH_MODULES
        + 'modparam("auth", "auth_checks_register", 2)\nmodparam("auth", "auth_checks_no_dlg", 9)\n'
        + 'modparam("auth", "nonce_expire", 1)\nmodparam("auth", "add_authinfo_hdr", 1)\n',
        {
            **AUTH_SETTINGS,
            "auth.auth_checks_register": 2,
            "auth.auth_checks_no_dlg": 9,
            "auth.nonce_expire_s": 1,
            "auth.add_authinfo_hdr": True,
        },
        prepare=prepare,
    ),
    "auth_sha256": Profile(
        AUTH_MODULES
        + 'modparam("auth", "algorithm", "SHA-256")\nmodparam("auth_db", "calculate_ha1", 1)\n'
        + 'modparam("auth_db", "password_column", "password")\nmodparam("auth_db", "use_domain", 1)\n',
        {
            **AUTH_SETTINGS,
            "auth.algorithm": "SHA-256",
            "auth_db.calculate_ha1": True,
            "auth_db.password_column": "password",
            "auth_db.use_domain": True,
        },
        prepare=prepare,
    ),
}


ROWS = """
INSERT INTO address (grp, ip_addr, mask, port, tag) VALUES
    (1, '127.0.0.1', 32, 0, 'loopback'), (1, '10.0.0.0', 8, 0, 'ten'), (2, '10.1.0.0', 16, 5060, 'ten one'),
    (3, 'gw.example.com', 32, 0, 'name'), (4, '2001:db8::', 32, 0, 'six'), (1, '192.0.2.1', 32, 5070, 'port'),
    (5, '127.0.0.1', 32, 0, NULL), (6, '10.1.2.3', 24, 0, 'host bits');
INSERT INTO trusted (src_ip, proto, from_pattern, ruri_pattern, tag, priority) VALUES
    ('127.0.0.1', 'udp', '^sip:alice@', NULL, 'alice', 1), ('127.0.0.1', 'any', '^sip:carol@', '^sip:oracle', 'carol', 0),
    ('127.0.0.1', 'tcp', NULL, NULL, 'tcp', 0), ('192.0.2.9', 'any', NULL, NULL, 'other', 0);
INSERT INTO dbaliases (alias_username, alias_domain, username, domain) VALUES
    ('sales', 'oracle.test', 'alice', 'oracle.test'), ('help', 'oracle.test', 'bob', 'oracle.test');
INSERT INTO domain (domain, did) VALUES ('home.test', 'd1'), ('plain.test', NULL);
INSERT INTO domain_attrs (did, name, type, value) VALUES ('d1', 'quota', 0, '5'), ('d1', 'greeting', 2, 'hello');
INSERT INTO grp (username, domain, grp) VALUES ('alice', 'oracle.test', 'vip');
INSERT INTO speed_dial (username, domain, sd_username, sd_domain, new_uri) VALUES
    ('alice', 'oracle.test', '22', 'oracle.test', 'sip:real@elsewhere.test'),
    ('bob', 'oracle.test', '22', 'oracle.test', 'sip:of-bob@elsewhere.test');
"""


def prepare_tables(directory: Path) -> None:
    prepare(directory)
    with contextlib.closing(sqlite3.connect(directory / FILE)) as connection, connection:
        connection.executescript(ROWS)


TABLES = ["alias_db", "domain", "group", "uri_db", "speeddial", "permissions"]
TABLES_MODULES = AUTH_MODULES + "".join(
    f'loadmodule "{name}.so"\nmodparam("{name}", "db_url", "{URL}")\n' for name in TABLES
)
TABLES_MODULES += f'loadmodule "sqlops.so"\nmodparam("sqlops", "sqlcon", "ca=>{URL}")\n'
TABLES_SETTINGS: dict[str, object] = {
    **AUTH_SETTINGS,
    **{f"{name}.db_url": URL for name in TABLES},
    "sqlops.sqlcon": f"ca=>{URL}",
    "permissions.peer_tag_avp": "$avp(tag)",
}
ADDRESSES = """# comment
1 127.0.0.1 32 0 loopback
2 10.0.0.0 8 0 ten
2 10.1.0.0 16
3 gw.example.com
4 10.0.0.0 8 5060 port
"""
PROFILES |= {
    "tables": Profile(
        TABLES_MODULES
        + 'modparam("permissions", "peer_tag_avp", "$avp(tag)")\nmodparam("permissions", "db_mode", 1)\n',
        TABLES_SETTINGS,
        prepare=prepare_tables,
    ),
    "own_domains": Profile(
        TABLES_MODULES + 'modparam("domain", "register_myself", 1)\n',
        {**TABLES_SETTINGS, "domain.register_myself": True},
        prepare=prepare_tables,
    ),
    "address_file": Profile(
        f'loadmodule "permissions.so"\nmodparam("permissions", "address_file", "{HERE}/addresses")\n'
        'modparam("permissions", "peer_tag_avp", "$avp(tag)")\n',
        {"permissions.address_file": f"{HERE}/addresses", "permissions.peer_tag_avp": "$avp(tag)"},
        files={"addresses": ADDRESSES},
    ),
}


def prepare_acc(directory: Path) -> None:
    prepare(directory)
    with contextlib.closing(sqlite3.connect(directory / FILE)) as connection, connection:
        for table in ("acc", "missed_calls"):
            for column in ("src_user", "via_ua"):
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} VARCHAR(64)")


ACC = {"db_flag": 1, "db_missed_flag": 2, "failed_transaction_flag": 3, "detect_direction": 1}
PROFILES["acc"] = Profile(
    'loadmodule "db_sqlite.so"\nloadmodule "sqlops.so"\nloadmodule "acc.so"\n'
    f'modparam("sqlops", "sqlcon", "ca=>{URL}")\nmodparam("acc", "db_url", "{URL}")\n'
    'modparam("acc", "db_extra", "src_user=$fU;via_ua=$ua")\n'
    + "".join(f'modparam("acc", "{name}", {value})\n' for name, value in ACC.items()),
    {
        "sqlops.sqlcon": f"ca=>{URL}",
        "acc.db_url": URL,
        "acc.db_extra": "src_user=$fU;via_ua=$ua",
        **{f"acc.{name}": value for name, value in ACC.items()},
    },
    prepare=prepare_acc,
)
PROFILES["acc_timeout"] = PROFILES["acc"]


def prepare_cdr(directory: Path) -> None:
    prepare(directory)
    with contextlib.closing(sqlite3.connect(directory / FILE)) as connection, connection:
        for column in ("callid", "caller", "code"):
            connection.execute(f"ALTER TABLE acc_cdrs ADD COLUMN {column} VARCHAR(128) DEFAULT ''")


CDR_EXTRA = "callid=$dlg_var(callid);caller=$dlg_var(caller);code=$rm"
CDR = {"cdr_enable": 1, "cdr_log_enable": 0}


def _cdr(**more: int) -> Profile:
    values = {**CDR, **more}
    return Profile(
        'loadmodule "db_sqlite.so"\nloadmodule "sqlops.so"\nloadmodule "dialog.so"\nloadmodule "acc.so"\n'
        f'modparam("sqlops", "sqlcon", "ca=>{URL}")\nmodparam("acc", "db_url", "{URL}")\n'
        f'modparam("acc", "cdrs_table", "acc_cdrs")\nmodparam("acc", "cdr_extra", "{CDR_EXTRA}")\n'
        'modparam("acc", "cdr_skip", "nocdr")\nmodparam("dialog", "timeout_avp", "$avp(timeout)")\n'
        + "".join(f'modparam("acc", "{name}", {value})\n' for name, value in values.items()),
        {
            "sqlops.sqlcon": f"ca=>{URL}",
            "acc.db_url": URL,
            "acc.cdrs_table": "acc_cdrs",
            "acc.cdr_extra": CDR_EXTRA,
            "acc.cdr_skip": "nocdr",
            "dialog.timeout_avp": "$avp(timeout)",
            **{f"acc.{name}": value for name, value in values.items()},
        },
        prepare=prepare_cdr,
    )


PROFILES["cdr"] = _cdr()
PROFILES["cdr_expired"] = _cdr(cdr_expired_dlg_enable=1, cdr_on_failed=0, cdr_start_on_confirmed=1)
