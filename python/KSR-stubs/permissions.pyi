# Written by `python -m sipwright.kemi.stubs`.
"""KSR.permissions: functions of Kamailio's module."""


def allow_address(group: int, address: str, port: int, /) -> int:
    """Whether an address or domain name with a port is in a group: 1, or -1."""

def allow_address_group(address: str, port: int, /) -> int:
    """The group that an address or domain name with a port is in, or -1."""

def allow_source_address(group: int, /) -> int:
    """Whether the source of the request is in a group of addresses: 1, or -1. Its tag goes to `permissions.peer_tag_avp`."""

def allow_source_address_group() -> int:
    """The group that the source of the request is in, or -1."""

def allow_trusted() -> int:
    """Whether the source of the request is a trusted peer, by transport, From and request-URI: 1, or -1."""
