# Written by `python -m sipwright.kemi.stubs`.
"""KSR.path: functions of Kamailio's module."""


def add_path() -> int:
    """Adds a Path header field with our socket (RFC 3327)."""

def add_path_advertised_address(address: str, /) -> int:
    """As `add_path`, with `host[:port]` instead of our socket."""

def add_path_advertised_address_user(address: str, user: str, /) -> int:
    """As `add_path_advertised_address`, with a user part."""

def add_path_advertised_address_user_params(address: str, user: str, params: str, /) -> int:
    """As `add_path_advertised_address`, with a user part and `;name=value` parameters."""

def add_path_received() -> int:
    """As `add_path`, with the source address in `;received=`."""

def add_path_received_advertised_address(address: str, /) -> int:
    """As `add_path_received`, with `host[:port]` instead of our socket."""

def add_path_received_advertised_address_user(address: str, user: str, /) -> int:
    """As `add_path_received_advertised_address`, with a user part."""

def add_path_received_advertised_address_user_params(address: str, user: str, params: str, /) -> int:
    """As `add_path_received_advertised_address`, with a user part and `;name=value` parameters."""

def add_path_received_user(user: str, /) -> int:
    """As `add_path_received`, with a user part."""

def add_path_received_user_params(user: str, params: str, /) -> int:
    """As `add_path_received`, with a user part and `;name=value` parameters."""

def add_path_user(user: str, /) -> int:
    """As `add_path`, with a user part."""

def add_path_user_params(user: str, params: str, /) -> int:
    """As `add_path`, with a user part and `;name=value` parameters."""
