"""KSR.uri_db: which URIs users may use, with Kamailio's return codes."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sipwright import log
from sipwright.kemi import auth, inwork
from sipwright.kemi.calls import ksr
from sipwright.modules.aor import user_and_host
from sipwright.settings.lookups import UriDbSettings
from sipwright.storage.errors import DatabaseError
from sipwright.storage.lookup import rows_of

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = ["check_from", "check_to", "check_uri", "check_uri_realm", "does_uri_exist"]

ERROR: Final = -1
NOT_AUTHENTICATED: Final = -2
MISMATCH: Final = -10
NO_SUCH_URI: Final = -5
URI_TABLE: Final = "uri"


@dataclass
class _State:
    settings: UriDbSettings = field(default_factory=UriDbSettings)
    host: "Host | None" = None


_state = _State()


def configure(host: "Host") -> None:
    """Uses the host's settings from now on."""
    _state.settings, _state.host = host.settings.uri_db, host


@ksr("uri_db.check_from")
def check_from() -> int:
    """Whether the user of From is the one that was authenticated, or a name that it may use: 1; -10 when not, -2 when nobody
    was authenticated, -1 for an error.
    """
    return _check_authenticated(inwork.text("$fu"))


@ksr("uri_db.check_to")
def check_to() -> int:
    """As `check_from`, for To."""
    return _check_authenticated(inwork.text("$tu"))


@ksr("uri_db.check_uri")
def check_uri(uri: str) -> int:
    """As `check_from`, for any URI."""
    return _check_authenticated(uri)


@ksr("uri_db.check_uri_realm")
def check_uri_realm(uri: str, username: str, realm: str) -> int:
    """As `check_uri`, for a user and realm that are given."""
    return _check(uri, username, realm)


@ksr("uri_db.does_uri_exist")
def does_uri_exist() -> int:
    """Whether the user of the request-URI is in the table of users: 1; -5 when not, -1 for an error."""
    settings = _state.settings
    user, host = inwork.text("$rU"), inwork.text("$rd")
    if not user:
        return ERROR
    column = settings.uriuser_column if settings.use_uri_table else settings.user_column
    where = {column: user}
    if settings.use_domain:
        where[settings.domain_column] = host
    return _exists(URI_TABLE if settings.use_uri_table else settings.db_table, column, where, NO_SUCH_URI)


def _check_authenticated(uri: str) -> int:
    credentials = auth.authorized_credentials()
    if credentials is None:
        log.error("KSR.uri_db: nobody was authenticated in this request")
        return NOT_AUTHENTICATED
    return _check(uri, credentials.user, credentials.domain or credentials.realm)


def _check(uri: str, username: str, realm: str) -> int:
    settings, parts = _state.settings, user_and_host(uri)
    if parts is None or not parts[0]:
        log.error(f"KSR.uri_db: {uri!r} is no SIP URI with a user")
        return ERROR
    user, host = parts
    if not settings.use_uri_table:
        same = user.lower() == username.lower() and (not settings.use_domain or host.lower() == realm.lower())
        return 1 if same else MISMATCH
    where = {settings.user_column: username, settings.uriuser_column: user}
    if settings.use_domain:
        where[settings.domain_column] = realm
    return _exists(URI_TABLE, settings.uriuser_column, where, MISMATCH)


def _exists(table: str, column: str, where: dict[str, str], otherwise: int) -> int:
    if _state.host is None:
        return ERROR
    try:
        return 1 if rows_of(_state.host.database(_state.settings.db_url), table, (column,), where, 1) else otherwise
    except DatabaseError as error:
        log.error(f"KSR.uri_db: {error}")
        return ERROR
