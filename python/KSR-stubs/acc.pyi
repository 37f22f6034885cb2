# Written by `python -m sipwright.kemi.stubs`.
"""KSR.acc: functions of Kamailio's module."""


def acc_db_request(comment: str, table: str, /) -> int:
    """Accounts the request in work in a table of the database: 1; -1 without a comment or a table."""

def acc_log_request(comment: str, /) -> int:
    """Accounts the request in work in the log: 1; -1 without a comment. The comment is `404 Not here`, or a text alone."""

def acc_request(comment: str, table: str, /) -> int:
    """Accounts the request in work in the log and in a table of the database: 1; -1 without a comment or a table."""
