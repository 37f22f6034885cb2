# Written by `python -m sipwright.kemi.stubs`.
"""KSR.auth_db: functions of Kamailio's module."""


def auth_check(realm: str, table: str, flags: int, /) -> int:
    """Checks the credentials of a REGISTER in Authorization, of others in Proxy-Authorization, by a table of users. 1 right, or a request that cannot be challenged (ACK, CANCEL, PRACK); -1 error, -2 wrong password, -3 unknown user, -4 stale nonce, -5 no credentials for the realm, -6 nonce used already, -8 another user than the flags ask for. Flags: 1 the user must be that of From, in a REGISTER of To and in a PUBLISH of the request-URI too; 2 with 1: but not in INVITE, BYE, MESSAGE and UPDATE."""

def is_subscriber(uri: str, table: str, flags: int, /) -> int:
    """Whether the user of a URI is in the table: 1; -2 when not, -1 for an error. Flags: 1 by user and domain, 2 do not load `auth_db.load_credentials`."""

def www_authenticate(realm: str, table: str, /) -> int:
    """Checks Authorization by a table of users; results as of `auth_check`."""

def www_authenticate_method(realm: str, table: str, method: str, /) -> int:
    """As `www_authenticate`, for credentials that were computed for another method."""
