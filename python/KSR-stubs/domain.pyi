# Written by `python -m sipwright.kemi.stubs`.
"""KSR.domain: functions of Kamailio's module."""


def is_domain_local(domain: str, /) -> int:
    """Whether a domain is ours: 1, or -1."""

def is_from_local() -> int:
    """Whether the host of From is a domain of ours: 1, or -1."""

def is_uri_host_local() -> int:
    """Whether the host of the request-URI is a domain of ours: 1, or -1."""

def lookup_domain(domain: str, /) -> int:
    """Whether a domain is ours: 1, or -1; its attributes go to the AVPs of their names, its id to `$avp(did)`."""

def lookup_domain_prefix(domain: str, prefix: str, /) -> int:
    """As `lookup_domain`, with `prefix` in front of the names of the AVPs."""
