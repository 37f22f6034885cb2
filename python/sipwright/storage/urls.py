"""Database URLs as Kamailio writes them, and SQLAlchemy's own.

Kamailio's (`mysql://user:password@host:port/name`, `postgres://...`, `sqlite:///path`) are taken literally: a password
is not percent-decoded, and the path of an SQLite file is absolute whatever the number of slashes. A URL that names a
driver (`postgresql+psycopg://`, `mysql+pymysql://`, `sqlite+pysqlite://`) or `postgresql://` follows SQLAlchemy's rules.
"""

import os
import re
from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from sipwright.storage.errors import DatabaseUrlError

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"
MYSQL: Final = "mysql"

_DRIVERS: Final = {SQLITE: "sqlite+pysqlite", POSTGRESQL: "postgresql+psycopg", MYSQL: "mysql+pymysql"}
_OF_KAMAILIO: Final = {"mysql": MYSQL, "postgres": POSTGRESQL, "sqlite": SQLITE}
_REFUSED: Final = {
    "text": "tables in text files have no transactions and one writer; load them into SQLite: "
    "`sipwright db create --url sqlite:///path`, then import the rows",
    "dbtext": "tables in text files are not supported; use sqlite:///path",
    "flatstore": "files of accounting records are not supported; use sqlite:///path, or acc's log",
    "unixodbc": "ODBC is not supported; name the database itself: mysql:// or postgres://",
    "redis": "tables in Redis are not supported; use sqlite:///path, mysql:// or postgres://",
    "mongodb": "MongoDB is not supported; use sqlite:///path, mysql:// or postgres://",
    "cassandra": "Cassandra is not supported; use sqlite:///path, mysql:// or postgres://",
    "oracle": "Oracle is not supported; use sqlite:///path, mysql:// or postgres://",
    "berkeley": "Berkeley DB is not supported; use sqlite:///path",
    "cluster": "db_cluster is not supported; a proxy such as MaxScale or HAProxy makes several servers one",
}
_FORMS: Final = "sqlite:///path, postgres://user:password@host/name or mysql://user:password@host/name"
_NETWORK: Final = re.compile(
    r"(?:(?P<user>[^:@/]*)(?::(?P<password>.*))?@)?(?P<host>\[[^\]]*\]|[^:/@]*)(?::(?P<port>\d+))?/(?P<name>[^/?]+)"
)
_MYSQL_SOCKETS: Final = ("/run/mysqld/mysqld.sock", "/tmp/mysql.sock")


def read_url(text: str) -> URL:
    """The URL for SQLAlchemy, with its driver. Raises DatabaseUrlError, whose text has no password."""
    scheme, separator, rest = text.partition("://")
    kind = scheme.lower()
    if kind in _REFUSED:
        raise DatabaseUrlError(f"{kind}: {_REFUSED[kind]}")
    if not separator:
        raise DatabaseUrlError(f"a database URL is {_FORMS}")
    if kind == SQLITE:
        return _sqlite(rest)
    if kind in _OF_KAMAILIO:
        return _network(_OF_KAMAILIO[kind], rest)
    return _of_sqlalchemy(kind, text)


def masked(url: URL) -> str:
    """The URL as it may be logged: without the password."""
    return url.render_as_string(hide_password=True)


def kind_of(url: URL) -> str:
    """`sqlite`, `postgresql` or `mysql`."""
    name = url.get_backend_name()
    return MYSQL if name == "mariadb" else name


def _sqlite(rest: str) -> URL:
    if not rest.startswith("/") or not rest.strip("/"):
        raise DatabaseUrlError("sqlite: the path of the file must be absolute: sqlite:///var/lib/sipwright/sip.db")
    return URL.create(_DRIVERS[SQLITE], database="/" + rest.lstrip("/"))


def _network(kind: str, rest: str) -> URL:
    found = _NETWORK.fullmatch(rest)
    if found is None:
        raise DatabaseUrlError(f"{kind}: the URL is not understood; it is {_FORMS}")
    host = (found["host"] or "localhost").strip("[]")
    url = URL.create(
        _DRIVERS[kind],
        username=found["user"] or None,
        password=found["password"],
        host=host,
        port=int(found["port"]) if found["port"] else None,
        database=found["name"],
    )
    # MySQL's own client library means the socket file by localhost, and servers without TCP rely on it.
    if kind == MYSQL and host == "localhost" and url.port is None:
        socket = next((path for path in _MYSQL_SOCKETS if os.path.exists(path)), None)
        return url.update_query_dict({"unix_socket": socket}) if socket else url
    return url


def _of_sqlalchemy(kind: str, text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise DatabaseUrlError(f"{kind}: the URL is not understood; it is {_FORMS}") from None
    backend = kind_of(url)
    if backend not in _DRIVERS:
        raise DatabaseUrlError(f"{kind}: there is no database of that kind; there are {_FORMS}")
    if "+" not in url.drivername:
        url = url.set(drivername=_DRIVERS[backend])
    elif url.get_driver_name() != _DRIVERS[backend].partition("+")[2]:
        raise DatabaseUrlError(f"{kind}: the driver is not supported; use {_DRIVERS[backend]}://")
    if not url.database:
        raise DatabaseUrlError(f"{kind}: the URL names no database")
    return url
