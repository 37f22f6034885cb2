"""KSR.auth: challenges and credentials (RFC 7616, RFC 8760), with Kamailio's return codes.

`check_credentials` is what auth_db and auth_ephemeral use: they only know where the passwords are.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sipwright import _engine, log
from sipwright.kemi import inwork
from sipwright.kemi.calls import ksr
from sipwright.modules import digest
from sipwright.modules.auth import ERROR, OK, UNCHALLENGED, USER_MISMATCH, Find, Outcome, Request, chosen
from sipwright.modules.auth import authenticate as decide
from sipwright.modules.nonces import Nonces
from sipwright.settings.auth import AuthSettings

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = [
    "auth_algorithm",
    "auth_challenge",
    "auth_get_www_authenticate",
    "consume_credentials",
    "has_credentials",
    "proxy_challenge",
    "pv_auth_check",
    "pv_proxy_authenticate",
    "pv_www_authenticate",
    "pv_www_authenticate_method",
    "www_challenge",
]

WWW: Final = "Authorization"
PROXY: Final = "Proxy-Authorization"

# Flags of challenges.
QOP_AUTH: Final = 1
QOP_AUTH_INT: Final = 2
STALE: Final = 16
# Flags of pv_*: the password is an HA1.
IS_HA1: Final = 1
CANNOT_CHALLENGE: Final = -3
UNCHECKED_WITH_2: Final = frozenset({"BYE", "INVITE", "MESSAGE", "UPDATE"})


@dataclass
class _State:
    settings: AuthSettings = field(default_factory=AuthSettings)
    nonces: Nonces = field(default_factory=lambda: Nonces(AuthSettings()))
    algorithm: str = ""


@dataclass
class _Result:
    """What the last check of a worker found, and for which message."""

    message: int = -1
    header: str = ""
    index: int = -1
    is_authorized: bool = False
    is_consumed: bool = False
    is_stale: bool = False


_state = _State()
_results = threading.local()


def configure(host: "Host") -> None:
    """Uses the host's settings from now on; nonces of before are no longer known unless there is an `auth.secret`."""
    settings = host.settings.auth
    _state.settings, _state.nonces, _state.algorithm = settings, Nonces(settings), settings.algorithm


@ksr("auth.auth_challenge")
def auth_challenge(realm: str, flags: int) -> int:
    """Challenges the client: 401 with WWW-Authenticate for a REGISTER, 407 with Proxy-Authenticate for others.

    Flags: 1 qop=auth, 2 qop=auth-int, 4 no 500 on failure, 16 stale=true. 1 sent; -3 for ACK, which cannot be challenged.
    """
    return _challenge(realm, flags, is_proxy=_method() != "REGISTER")


@ksr("auth.www_challenge")
def www_challenge(realm: str, flags: int) -> int:
    """Challenges the client by 401 with WWW-Authenticate; flags and results as of `auth_challenge`."""
    return _challenge(realm, flags, is_proxy=False)


@ksr("auth.proxy_challenge")
def proxy_challenge(realm: str, flags: int) -> int:
    """Challenges the client by 407 with Proxy-Authenticate; flags and results as of `auth_challenge`."""
    return _challenge(realm, flags, is_proxy=True)


@ksr("auth.auth_get_www_authenticate")
def auth_get_www_authenticate(realm: str, flags: int, pvdst: str) -> int:
    """Writes the value of a WWW-Authenticate into the variable `pvdst` and sends nothing: 1, or -1."""
    values = _challenges(realm, flags)
    return 1 if values and inwork.put(pvdst, values[0]) else -1


@ksr("auth.auth_algorithm")
def auth_algorithm(algorithm: str) -> int:
    """Sets the algorithms of challenges, as the setting `auth.algorithm`, from now on: 1; -1 for an unknown one."""
    try:
        _state.algorithm = AuthSettings(algorithm=algorithm).algorithm
    except ValueError:
        log.error(f"KSR.auth.auth_algorithm: {algorithm!r} is none of {', '.join(digest.ALGORITHMS)}")
        return -1
    return 1


@ksr("auth.has_credentials")
def has_credentials(realm: str) -> int:
    """1 when there are credentials for the realm in Authorization or Proxy-Authorization, else -1."""
    message = _engine.current()
    found = any(chosen(message.headers(header), realm)[1] is not None for header in (WWW, PROXY))
    return 1 if found else -1


@ksr("auth.consume_credentials")
def consume_credentials() -> int:
    """Removes the credentials that were found right, so that they do not go further: 1; -1 when none were."""
    result = _result()
    if not result.is_authorized:
        if _method() not in UNCHALLENGED:
            log.error("KSR.auth.consume_credentials: no credentials of this request were checked and found right")
        return -1
    if result.is_consumed:
        return 1
    result.is_consumed = True
    return 1 if _engine.textops_remove_hf_idx(result.header, result.index) == 1 else -1


@ksr("auth.pv_www_authenticate")
def pv_www_authenticate(realm: str, password: str, flags: int) -> int:
    """Checks Authorization against a password, or an HA1 with flag 1.

    1 right; -1 error, -2 wrong password, -4 stale nonce, -5 no credentials for the realm, -6 nonce used already.
    """
    return _check_password(WWW, realm, password, flags, _method())


@ksr("auth.pv_www_authenticate_method")
def pv_www_authenticate_method(realm: str, password: str, flags: int, method: str) -> int:
    """As `pv_www_authenticate`, for credentials that were computed for another method."""
    return _check_password(WWW, realm, password, flags, method)


@ksr("auth.pv_proxy_authenticate")
def pv_proxy_authenticate(realm: str, password: str, flags: int) -> int:
    """As `pv_www_authenticate`, of Proxy-Authorization."""
    return _check_password(PROXY, realm, password, flags, _method())


@ksr("auth.pv_auth_check")
def pv_auth_check(realm: str, password: str, flags: int, checks: int) -> int:
    """As `pv_www_authenticate` for a REGISTER and `pv_proxy_authenticate` for others.

    With `checks` 1 the user must be that of From, in a REGISTER of To and in a PUBLISH of the request-URI too: else -8. With
    2 besides, INVITE, BYE, MESSAGE and UPDATE are not looked at so.
    """
    code = _check_password(header_of_method(), realm, password, flags, _method())
    return check_user(code, checks, with_domain=False)


# ---- for other modules ---------------------------------------------------------------------------------------------


def header_of_method() -> str:
    """Where the credentials of a request for us are: a REGISTER is for a registrar, the rest for a proxy."""
    return WWW if _method() == "REGISTER" else PROXY


def check_credentials(header: str, realm: str, find: Find, method: str = "") -> Outcome:
    """Checks the credentials for a realm; `find` returns the HA1 of their user or None. What it raises goes on."""
    message = _engine.current()
    fields = message.headers(header)
    request = Request(method or _method(), inwork.body(), _bound())
    outcome = decide(fields, realm, _accepted(), request, _state.nonces, find, time.time())
    result = _Result(inwork.number(), header, outcome.index, outcome.index >= 0 and outcome.code == OK)
    result.is_stale = outcome.is_stale
    _results.last = result
    if outcome.code == OK and outcome.credentials is not None and _state.settings.add_authinfo_hdr:
        _add_authentication_info(outcome)
    return outcome


def check_user(code: int, checks: int, *, with_domain: bool) -> int:
    """`code`, or -8 when the user of credentials that were found right is not the one that the request is from."""
    method = _method()
    result = _result()
    if code != OK or not checks & 1 or not result.is_authorized:
        return code
    if checks & 2 and method in UNCHECKED_WITH_2:
        return code
    credentials = digest.parse(_engine.current().headers(result.header)[result.index])
    for name in ("f", *{"REGISTER": "t", "PUBLISH": "r"}.get(method, "")):
        if inwork.text(f"${name}U") != credentials.user:
            return USER_MISMATCH
        domain = credentials.domain or credentials.realm
        if with_domain and inwork.text(f"${name}d").lower() != domain.lower():
            return USER_MISMATCH
    return code


def authorized_credentials() -> digest.Credentials | None:
    """The credentials that were found right in the message in work."""
    result = _result()
    if not result.is_authorized:
        return None
    return digest.parse(_engine.current().headers(result.header)[result.index])


def without_prefix(realm: str) -> str:
    """A realm as a domain: without `auth.realm_prefix`."""
    return realm.removeprefix(_state.settings.realm_prefix)


# ---- helpers -------------------------------------------------------------------------------------------------------


def _check_password(header: str, realm: str, password: str, flags: int, method: str) -> int:
    def find(credentials: digest.Credentials) -> str:
        return password if flags & IS_HA1 else digest.ha1_of(credentials, password)

    return check_credentials(header, realm, find, method).code


def _challenge(realm: str, flags: int, *, is_proxy: bool) -> int:
    if _method() == "ACK":
        return CANNOT_CHALLENGE
    values = _challenges(realm, flags)
    settings = _state.settings
    name = settings.proxy_challenge_header if is_proxy else settings.www_challenge_header
    for value in values:
        _engine.append_reply_header(f"{name}: {value}\r\n")
    send = _engine.sl_sl_send_reply if settings.force_stateless_reply else _engine.sl_send_reply
    if not values:
        if not flags & 4:
            send(500, "Internal Server Error")
        return ERROR
    status, reason = (407, "Proxy Authentication Required") if is_proxy else (401, "Unauthorized")
    return 1 if send(status, reason) == 1 else ERROR


def _challenges(realm: str, flags: int) -> list[str]:
    """The values of the challenges, one for each algorithm; none when the realm cannot be written."""
    try:
        text = digest.quoted(realm)
    except ValueError as error:
        log.error(f"KSR.auth: the realm {realm!r} cannot be challenged: {error}")
        return []
    nonce = _state.nonces.make(time.time(), _bound())
    parts = [f"Digest realm={text}", f'nonce="{nonce}"']
    if flags & QOP_AUTH_INT:
        parts.append('qop="auth-int"')
    elif flags & QOP_AUTH:
        parts.append('qop="auth"')
    if flags & STALE or _result().is_stale:
        parts.append("stale=true")
    if not _state.algorithm:
        return [", ".join(parts)]
    return [", ".join([*parts, f"algorithm={name}"]) for name in _state.algorithm.split(",")]


def _accepted() -> tuple[str, ...]:
    """The algorithms that were offered, best first."""
    return tuple(_state.algorithm.split(",")) if _state.algorithm else (digest.MD5,)


def _bound() -> bytes:
    """The parts of the request that its nonce is tied to, by the settings."""
    settings, message = _state.settings, _engine.current()
    if _method() == "REGISTER":
        checks = settings.auth_checks_register
    else:
        checks = settings.auth_checks_in_dlg if message.to_tag else settings.auth_checks_no_dlg
    if not checks:
        return b""
    parts = (message.RURI, message.call_id, message.from_tag, message.source.ip)
    kept = [part if checks & (1 << bit) else "" for bit, part in enumerate(parts)]
    return "\0".join(kept).encode("utf-8", "surrogateescape")


def _add_authentication_info(outcome: Outcome) -> None:
    credentials = outcome.credentials
    if credentials is None or not credentials.get("qop"):
        return
    parts = [f'nextnonce="{_state.nonces.make(time.time(), _bound())}"', f"qop={credentials.get('qop')}"]
    parts.append(f'rspauth="{digest.rspauth(credentials, outcome.ha1, b"")}"')
    parts += [f"cnonce={digest.quoted(credentials.get('cnonce'))}", f"nc={credentials.get('nc')}"]
    _engine.append_reply_header(f"Authentication-Info: {', '.join(parts)}\r\n")


def _method() -> str:
    return inwork.text("$rm")


def _result() -> _Result:
    """What the last check of this message found."""
    last: _Result | None = getattr(_results, "last", None)
    return last if last is not None and last.message == inwork.number() else _Result()
