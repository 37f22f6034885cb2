# Written by `python -m sipwright.kemi.stubs`.
"""KSR.tls: functions of Kamailio's module."""


def cget(name: str, /) -> str | int | None:
    """What the variable `$tls_` with that name, or `$tls(name)`, has; an empty str when it has nothing."""

def is_peer_verified() -> int:
    """Whether the message came by TLS from a peer with a valid certificate: 1 or -1."""

def set_connect_server_id(srvid: str, /) -> int:
    """The TLS profile with that `server_id` is used for the next connection that this worker opens; an empty str takes it back."""
