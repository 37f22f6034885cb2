# Written by `python -m sipwright.kemi.stubs`.
"""KSR.uac: functions of Kamailio's module."""


def uac_auth() -> int:
    """In a failure route for 401 or 407: adds credentials to the request, for `t_relay`: 1, or -1 when there are none."""

def uac_auth_mode(mode: int, /) -> int:
    """As `uac_auth`; mode 1 takes what is in `uac.auth_password_avp` for HA1."""

def uac_reg_disable(attribute: str, value: str, /) -> int:
    """Disables the registration whose attribute has this value: 1; -2 without one, -3 for an attribute that is none."""

def uac_reg_enable(attribute: str, value: str, /) -> int:
    """Enables the registration whose attribute has this value: 1; -2 without one, -3 for an attribute that is none."""

def uac_reg_lookup(uuid: str, dst: str, /) -> int:
    """Sets the variable `dst` to whom the calls of a registration are for: 1; -1 without the registration."""

def uac_reg_lookup_uri(uri: str, dst: str, /) -> int:
    """As `uac_reg_lookup`, for the registration of the user `uri` here."""

def uac_reg_refresh(uuid: str, /) -> int:
    """Reads a registration from the table again: 1; -1 when it is not there."""

def uac_reg_request_to(user: str, mode: int, /) -> int:
    """Directs the request to the other server of a registration, with its credentials for `uac_auth`: 1, or -1. `user` is its l_uuid in mode 0, its l_username in mode 1."""

def uac_reg_status(uuid: str, /) -> int:
    """1 registered; -1 no such registration, -2 being registered, -3 disabled, -99 waiting for the next try."""

def uac_replace_from(display: str, uri: str, /) -> int:
    """Gives From another display name (empty for none) and URI (empty leaves it) for the next hop; a second time for the same message fails."""

def uac_replace_from_uri(uri: str, /) -> int:
    """Gives From another URI for the next hop and leaves its display name."""

def uac_replace_to(display: str, uri: str, /) -> int:
    """Gives To another display name (empty for none) and URI (empty leaves it) for the next hop; a second time for the same message fails."""

def uac_replace_to_uri(uri: str, /) -> int:
    """Gives To another URI for the next hop and leaves its display name."""

def uac_req_send() -> int:
    """Sends the request that `$uac_req(...)` describes: 1, or -1 when it cannot be sent."""

def uac_restore_from() -> int:
    """In a later request of the dialog, after `loose_route`: the URI that the other side knows, where From of the first request was replaced; -1 if it was not."""

def uac_restore_to() -> int:
    """The same where To of the first request was replaced."""
