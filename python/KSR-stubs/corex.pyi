# Written by `python -m sipwright.kemi.stubs`.
"""KSR.corex: functions of Kamailio's module."""


def append_branch() -> int:
    """Adds the request-URI in force as a further destination, which takes next hop, path and flags along."""

def append_branch_uri(uri: str, /) -> int:
    """Adds a further destination."""

def append_branch_uri_q(uri: str, q: str, /) -> int:
    """Adds a further destination with a q of `0` to `1`."""

def file_read(path: str, /) -> str:
    """The text of a file, of a megabyte at most; an empty str when it cannot be read."""

def file_write(path: str, text: str, /) -> int:
    """Makes the text the content of a file: 1, or -1 when it cannot be written."""

def has_ruri_user() -> int:
    """Whether the request-URI has a user part."""

def has_user_agent() -> int:
    """Whether there is a User-Agent with a value."""

def is_faked_msg() -> int:
    """Whether the message is a made-up one, as in `mod_init` and `child_init`."""

def is_socket_name(name: str, /) -> int:
    """Whether a listening socket has that name."""

def isxflagset(flag: int, /) -> int:
    """Whether an extended message flag is set."""

def resetxflag(flag: int, /) -> int:
    """Clears an extended message flag."""

def send_data(uri: str, data: str, /) -> int:
    """Sends bytes to where the URI leads."""

def sendx(uri: str, socket: str, data: str, /) -> int:
    """Sends bytes to where the URI leads, from the socket `proto:host:port`."""

def set_recv_socket(socket: str, /) -> int:
    """Takes the message as received on the socket `proto:host:port`."""

def set_recv_socket_name(name: str, /) -> int:
    """Takes the message as received on the socket of that name."""

def set_send_socket(socket: str, /) -> int:
    """Sends from the socket `proto:host:port`. As in Kamailio one that does not exist is logged and no error."""

def set_send_socket_name(name: str, /) -> int:
    """Sends from the socket of that name. One that does not exist is logged and no error."""

def set_source_address(address: str, /) -> int:
    """Takes the message as received from `proto:address:port`."""

def setxflag(flag: int, /) -> int:
    """Sets one of 64 extended message flags, kept by the transaction."""

def via_add_srvid(on: int, /) -> int:
    """Whether our own Via names this server's number, `server_id`: 1 or 0."""

def via_add_xavp_params(on: int, /) -> int:
    """Whether our own Via has the fields of the extended AVP of `xavp_via_params` as parameters: 1 or 0."""

def via_use_xavp_fields(on: int, /) -> int:
    """Whether our own Via has host and port from the fields `address` and `port` of the extended AVP of `xavp_via_fields`: 1 or 0."""
