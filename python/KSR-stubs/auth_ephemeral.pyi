# Written by `python -m sipwright.kemi.stubs`.
"""KSR.auth_ephemeral: functions of Kamailio's module."""


def autheph_authenticate(username: str, password: str, /) -> int:
    """Checks a user name and a password: 1; -1 wrong, -7 the time of the user name is over."""

def autheph_check(realm: str, /) -> int:
    """Checks the credentials of a REGISTER in Authorization, of others in Proxy-Authorization. 1 right; -1 error, or a user name without a time; -2 wrong password, -4 stale nonce, -5 no credentials for the realm, -6 nonce used already, -7 the time of the user name is over."""

def autheph_proxy(realm: str, /) -> int:
    """Checks Proxy-Authorization; results as of `autheph_check`."""

def autheph_www(realm: str, /) -> int:
    """Checks Authorization; results as of `autheph_check`."""

def autheph_www_method(realm: str, method: str, /) -> int:
    """As `autheph_www`, for credentials that were computed for another method."""
