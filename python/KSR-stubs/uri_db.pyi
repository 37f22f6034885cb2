# Written by `python -m sipwright.kemi.stubs`.
"""KSR.uri_db: functions of Kamailio's module."""


def check_from() -> int:
    """Whether the user of From is the one that was authenticated, or a name that it may use: 1; -10 when not, -2 when nobody was authenticated, -1 for an error."""

def check_to() -> int:
    """As `check_from`, for To."""

def check_uri(uri: str, /) -> int:
    """As `check_from`, for any URI."""

def check_uri_realm(uri: str, username: str, realm: str, /) -> int:
    """As `check_uri`, for a user and realm that are given."""

def does_uri_exist() -> int:
    """Whether the user of the request-URI is in the table of users: 1; -5 when not, -1 for an error."""
