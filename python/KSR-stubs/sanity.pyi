# Written by `python -m sipwright.kemi.stubs`.
"""KSR.sanity: functions of Kamailio's module."""


def sanity_check(message_flags: int, uri_flags: int, /) -> int:
    """Checks the message (flags as in Kamailio's module sanity) and the URIs it names; 1, or -1 after the request was answered."""

def sanity_check_defaults() -> int:
    """As `sanity_check` with Kamailio's default flags."""

def sanity_reply() -> int:
    """Answers what the last check found wrong, where `sanity.noreply` keeps it from doing so itself."""
