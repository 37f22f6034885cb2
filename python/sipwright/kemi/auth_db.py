"""KSR.auth_db: authentication of users whose passwords are in a database, with Kamailio's return codes."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sipwright import log
from sipwright.kemi import auth, inwork
from sipwright.kemi.calls import ksr
from sipwright.modules.aor import user_and_host
from sipwright.modules.auth import ERROR, OK
from sipwright.modules.credentials import TABLE, VERSION, User, Users
from sipwright.modules.digest import Credentials
from sipwright.settings.auth import AuthDbSettings
from sipwright.storage.check import check_at_start
from sipwright.storage.errors import DatabaseError

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = ["auth_check", "is_subscriber", "www_authenticate", "www_authenticate_method"]

NO_SUBSCRIBER: Final = -2
# Flags of is_subscriber.
USE_DOMAIN: Final = 1
LOAD_NOTHING: Final = 2


@dataclass
class _State:
    settings: AuthDbSettings = field(default_factory=AuthDbSettings)
    users: Users | None = None


_state = _State()


def configure(host: "Host") -> None:
    """Uses the host's settings from now on; a database that they name is looked at, at the start of a server."""
    settings = host.settings.auth_db
    _state.settings, _state.users = settings, Users(lambda: host.database(settings.db_url), settings)
    if settings.db_url and settings.version_table:
        check_at_start(host, "auth_db", settings.db_url, (TABLE, VERSION))


@ksr("auth_db.auth_check")
def auth_check(realm: str, table: str, flags: int) -> int:
    """Checks the credentials of a REGISTER in Authorization, of others in Proxy-Authorization, by a table of users.

    1 right, or a request that cannot be challenged (ACK, CANCEL, PRACK); -1 error, -2 wrong password, -3 unknown user,
    -4 stale nonce, -5 no credentials for the realm, -6 nonce used already, -8 another user than the flags ask for. Flags:
    1 the user must be that of From, in a REGISTER of To and in a PUBLISH of the request-URI too; 2 with 1: but not in
    INVITE, BYE, MESSAGE and UPDATE.
    """
    code = _authenticate(auth.header_of_method(), realm, table)
    return auth.check_user(code, flags, with_domain=_state.settings.use_domain)


@ksr("auth_db.www_authenticate")
def www_authenticate(realm: str, table: str) -> int:
    """Checks Authorization by a table of users; results as of `auth_check`."""
    return _authenticate(auth.WWW, realm, table)


@ksr("auth_db.www_authenticate_method")
def www_authenticate_method(realm: str, table: str, method: str) -> int:
    """As `www_authenticate`, for credentials that were computed for another method."""
    return _authenticate(auth.WWW, realm, table, method)


@ksr("auth_db.is_subscriber")
def is_subscriber(uri: str, table: str, flags: int) -> int:
    """Whether the user of a URI is in the table: 1; -2 when not, -1 for an error. Flags: 1 by user and domain, 2 do not
    load `auth_db.load_credentials`.
    """
    parts = user_and_host(uri)
    if parts is None or _state.users is None:
        log.error(f"KSR.auth_db.is_subscriber: {uri!r} is no SIP URI")
        return ERROR
    if not parts[0]:
        return NO_SUBSCRIBER
    try:
        found = _state.users.lookup(table, parts[0], parts[1], use_domain=bool(flags & USE_DOMAIN))
    except DatabaseError as error:
        log.error(f"KSR.auth_db.is_subscriber: {error}")
        return ERROR
    if found is None:
        return NO_SUBSCRIBER
    if not flags & LOAD_NOTHING:
        _load(found)
    return 1


def _authenticate(header: str, realm: str, table: str, method: str = "") -> int:
    users, found = _state.users, User()
    if not realm or not table or users is None:
        log.error("KSR.auth_db: the realm and the table must not be empty")
        return ERROR

    def find(credentials: Credentials) -> str | None:
        nonlocal found
        found = users.find(table, credentials, auth.without_prefix(credentials.realm))
        return found.ha1

    try:
        code = auth.check_credentials(header, realm, find, method).code
    except DatabaseError as error:
        log.error(f"KSR.auth_db: {error}")
        return ERROR
    if code == OK:
        _load(found)
    return code


def _load(user: User) -> None:
    for variable, value in user.loaded:
        if value is not None:
            inwork.put(variable, value if isinstance(value, int | str) else str(value))
