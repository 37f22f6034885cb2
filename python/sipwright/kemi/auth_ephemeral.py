"""KSR.auth_ephemeral: users whose names hold the time of their end and whose passwords are made from a shared secret."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sipwright import log
from sipwright.control.rpc import FAILED, RpcError
from sipwright.kemi import auth, inwork
from sipwright.kemi.calls import ksr
from sipwright.modules.auth import ERROR, INVALID_PASSWORD, OK, PASSWORD_EXPIRED, UNCHALLENGED, chosen
from sipwright.modules.digest import Credentials, ha1_of
from sipwright.modules.ephemeral import expires_at, is_right, password
from sipwright.settings.auth import AuthEphemeralSettings

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = ["autheph_authenticate", "autheph_check", "autheph_proxy", "autheph_www", "autheph_www_method"]


@dataclass
class _State:
    settings: AuthEphemeralSettings = field(default_factory=AuthEphemeralSettings)
    # Newest first; replaced, never changed, so that workers need no lock.
    secrets: tuple[str, ...] = ()


_state = _State()


def configure(host: "Host") -> None:
    """Uses the host's settings from now on."""
    _state.settings = host.settings.auth_ephemeral
    _state.secrets = tuple(_state.settings.secret)
    host.rpc.add("autheph.add_secret", add_secret)
    host.rpc.add("autheph.rm_secret", rm_secret)
    host.rpc.add("autheph.dump_secrets", dump_secrets)


@ksr("auth_ephemeral.autheph_check")
def autheph_check(realm: str) -> int:
    """Checks the credentials of a REGISTER in Authorization, of others in Proxy-Authorization.

    1 right; -1 error, or a user name without a time; -2 wrong password, -4 stale nonce, -5 no credentials for the realm,
    -6 nonce used already, -7 the time of the user name is over.
    """
    return _check(auth.header_of_method(), realm)


@ksr("auth_ephemeral.autheph_www")
def autheph_www(realm: str) -> int:
    """Checks Authorization; results as of `autheph_check`."""
    return _check(auth.WWW, realm)


@ksr("auth_ephemeral.autheph_www_method")
def autheph_www_method(realm: str, method: str) -> int:
    """As `autheph_www`, for credentials that were computed for another method."""
    return _check(auth.WWW, realm, method)


@ksr("auth_ephemeral.autheph_proxy")
def autheph_proxy(realm: str) -> int:
    """Checks Proxy-Authorization; results as of `autheph_check`."""
    return _check(auth.PROXY, realm)


@ksr("auth_ephemeral.autheph_authenticate")
def autheph_authenticate(username: str, password: str) -> int:
    """Checks a user name and a password: 1; -1 wrong, -7 the time of the user name is over."""
    code = _time_code(username) if username and password else ERROR
    if code != OK:
        return code
    return OK if is_right(username, password, _state.secrets, _state.settings.sha_algorithm) else ERROR


def add_secret(secret: str) -> dict[str, int]:
    """Adds a secret, by which new passwords are to be made."""
    if not secret:
        raise RpcError(FAILED, "the secret is empty")
    _state.secrets = (secret, *_state.secrets)
    return {"secrets": len(_state.secrets)}


def rm_secret(index: int) -> dict[str, int]:
    """Removes a secret by its number in `autheph.dump_secrets`."""
    if not isinstance(index, int) or not 0 <= index < len(_state.secrets):
        raise RpcError(FAILED, f"there is no secret {index}")
    _state.secrets = _state.secrets[:index] + _state.secrets[index + 1 :]
    return {"secrets": len(_state.secrets)}


def dump_secrets() -> list[dict[str, Any]]:
    """The secrets by number, newest first. Only their first characters: the control socket is no place for the rest."""
    return [{"index": index, "secret": f"{secret[:2]}..."} for index, secret in enumerate(_state.secrets)]


def _check(header: str, realm: str, method: str = "") -> int:
    if (method or inwork.text("$rm")) in UNCHALLENGED:
        return OK
    _, credentials = chosen(inwork.message().headers(header), realm)
    if credentials is not None and (code := _time_code(credentials.username)) != OK:
        return code
    code = ERROR
    for secret in _state.secrets or ("",):

        def find(found: Credentials, secret: str = secret) -> str | None:
            if not _state.secrets:
                return None
            return ha1_of(found, password(found.username, secret, _state.settings.sha_algorithm))

        code = auth.check_credentials(header, realm, find, method).code
        if code != INVALID_PASSWORD:
            break
    return code


def _time_code(username: str) -> int:
    end = expires_at(username, _state.settings.username_format)
    if end is None:
        log.error("KSR.auth_ephemeral: the user name holds no time")
        return ERROR
    return OK if end > time.time() else PASSWORD_EXPIRED
