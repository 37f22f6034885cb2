"""The decision whether a request is authenticated, with the codes that scripts get. No I/O but what `find` does."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sipwright.modules.digest import Credentials, CredentialsError, is_same, parse, response
from sipwright.modules.nonces import Nonces, NonceState

OK: Final = 1
ERROR: Final = -1
INVALID_PASSWORD: Final = -2
USER_UNKNOWN: Final = -3
STALE_NONCE: Final = -4
NO_CREDENTIALS: Final = -5
NONCE_REUSED: Final = -6
PASSWORD_EXPIRED: Final = -7
USER_MISMATCH: Final = -8

# There is no way to challenge these (RFC 3261 section 22.1); PRACK as Kamailio has it.
UNCHALLENGED: Final = frozenset({"ACK", "CANCEL", "PRACK"})

# HA1 of nobody, so that the answer to an unknown user takes as long as that to a wrong password.
_NOBODY: Final = secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Request:
    """What of a request counts: `bound` is what ties its nonce to it."""

    method: str
    body: bytes
    bound: bytes = b""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The code for the script, and of which header field (counted from 0) with which credentials and HA1.

    `is_stale` says that the digest is right and only the nonce is too old (RFC 7616 section 3.3).
    """

    code: int
    index: int = -1
    credentials: Credentials | None = None
    ha1: str = ""
    is_stale: bool = False


Find = Callable[[Credentials], str | None]


def authenticate(
    fields: Sequence[str],
    realm: str,
    algorithms: Sequence[str],
    request: Request,
    nonces: Nonces,
    find: Find,
    now: float,
) -> Outcome:
    """Checks the credentials for a realm among header fields.

    `find` returns the HA1 of their user, or None when there is no such user; what it raises is the caller's.
    """
    if request.method in UNCHALLENGED:
        return Outcome(OK)
    index, credentials = chosen(fields, realm, algorithms)
    if credentials is None:
        return Outcome(NO_CREDENTIALS)
    try:
        credentials.check()
    except CredentialsError:
        return Outcome(ERROR, index, credentials)
    if credentials.hash_name not in algorithms:
        return Outcome(ERROR, index, credentials)
    nonce = nonces.check(credentials.get("nonce"), now, request.bound)
    if nonce.state is NonceState.MALFORMED:
        return Outcome(ERROR, index, credentials)
    if nonce.state is NonceState.FORGED:
        return Outcome(STALE_NONCE, index, credentials)
    ha1 = find(credentials)
    is_right = is_same(response(credentials, ha1 or _NOBODY, request.method, request.body), credentials.get("response"))
    is_right = is_right and ha1 is not None
    if nonce.state is NonceState.EXPIRED:
        return Outcome(STALE_NONCE, index, credentials, is_stale=is_right)
    if not is_right or ha1 is None:
        return Outcome(USER_UNKNOWN if ha1 is None else INVALID_PASSWORD, index, credentials)
    nc = int(credentials.get("nc"), 16) if credentials.get("qop") else None
    if not nonces.use(nonce, nc):
        # A client that counts wrongly may go on with a new nonce; one that has none left is told so.
        counted = nc is not None and nonces.counts
        return Outcome(STALE_NONCE if counted else NONCE_REUSED, index, credentials, is_stale=True)
    return Outcome(OK, index, credentials, ha1)


def chosen(fields: Sequence[str], realm: str, algorithms: Sequence[str] = ()) -> tuple[int, Credentials | None]:
    """The first credentials for a realm, if there are several those with one of the algorithms; their place."""
    best: tuple[int, Credentials | None] = (-1, None)
    for index, text in enumerate(fields):
        try:
            credentials = parse(text)
        except CredentialsError:
            continue
        if credentials.realm.lower() != realm.lower() or "realm" not in credentials.parameters:
            continue
        if not algorithms or credentials.hash_name in algorithms:
            return index, credentials
        if best[1] is None:
            best = index, credentials
    return best
