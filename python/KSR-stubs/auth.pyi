# Written by `python -m sipwright.kemi.stubs`.
"""KSR.auth: functions of Kamailio's module."""


def auth_algorithm(algorithm: str, /) -> int:
    """Sets the algorithms of challenges, as the setting `auth.algorithm`, from now on: 1; -1 for an unknown one."""

def auth_challenge(realm: str, flags: int, /) -> int:
    """Challenges the client: 401 with WWW-Authenticate for a REGISTER, 407 with Proxy-Authenticate for others. Flags: 1 qop=auth, 2 qop=auth-int, 4 no 500 on failure, 16 stale=true. 1 sent; -3 for ACK, which cannot be challenged."""

def auth_get_www_authenticate(realm: str, flags: int, pvdst: str, /) -> int:
    """Writes the value of a WWW-Authenticate into the variable `pvdst` and sends nothing: 1, or -1."""

def consume_credentials() -> int:
    """Removes the credentials that were found right, so that they do not go further: 1; -1 when none were."""

def has_credentials(realm: str, /) -> int:
    """1 when there are credentials for the realm in Authorization or Proxy-Authorization, else -1."""

def proxy_challenge(realm: str, flags: int, /) -> int:
    """Challenges the client by 407 with Proxy-Authenticate; flags and results as of `auth_challenge`."""

def pv_auth_check(realm: str, password: str, flags: int, checks: int, /) -> int:
    """As `pv_www_authenticate` for a REGISTER and `pv_proxy_authenticate` for others. With `checks` 1 the user must be that of From, in a REGISTER of To and in a PUBLISH of the request-URI too: else -8. With 2 besides, INVITE, BYE, MESSAGE and UPDATE are not looked at so."""

def pv_proxy_authenticate(realm: str, password: str, flags: int, /) -> int:
    """As `pv_www_authenticate`, of Proxy-Authorization."""

def pv_www_authenticate(realm: str, password: str, flags: int, /) -> int:
    """Checks Authorization against a password, or an HA1 with flag 1. 1 right; -1 error, -2 wrong password, -4 stale nonce, -5 no credentials for the realm, -6 nonce used already."""

def pv_www_authenticate_method(realm: str, password: str, flags: int, method: str, /) -> int:
    """As `pv_www_authenticate`, for credentials that were computed for another method."""

def www_challenge(realm: str, flags: int, /) -> int:
    """Challenges the client by 401 with WWW-Authenticate; flags and results as of `auth_challenge`."""
