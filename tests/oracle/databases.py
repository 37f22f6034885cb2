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
