# Written by `python -m sipwright.kemi.stubs`.
"""KSR.kx: functions of Kamailio's module."""


def get_au() -> str | int | None:
    """User of the credentials."""

def get_body() -> str | int | None:
    """The body, null when empty."""

def get_bodylen() -> int:
    """Bytes of the body."""

def get_callid() -> str | int | None:
    """Call-ID."""

def get_conid() -> int:
    """Number of the connection, -1 without one."""

def get_cturi() -> str | int | None:
    """URI of the first contact, with the alias of `set_contact_alias`."""

def get_def(name: str, /) -> str | int | None:
    """Value of a preprocessor define."""

def get_defn(name: str, /) -> int:
    """Value of a define as a number, 0 when it is none."""

def get_duri() -> str | int | None:
    """The destination URI."""

def get_env(name: str, /) -> str | int | None:
    """Value of a variable of the server's environment, None when it has none."""

def get_envn(name: str, /) -> int:
    """Value of a variable of the server's environment as a number, 0 when it is none."""

def get_fhost() -> str | int | None:
    """Host of From."""

def get_furi() -> str | int | None:
    """URI of From."""

def get_fuser() -> str | int | None:
    """User of From."""

def get_method() -> str | int | None:
    """Method of the request, of CSeq in a response."""

def get_msgbuf() -> str | int | None:
    """The message as received."""

def get_msglen() -> int:
    """Bytes of the message."""

def get_msgtype() -> int:
    """1 for a request, 2 for a response."""

def get_nhuri() -> str | int | None:
    """Destination URI, or the request-URI when there is none."""

def get_ouri() -> str | int | None:
    """The request-URI as received."""

def get_proto() -> str | int | None:
    """Transport, in lower case."""

def get_protoid() -> int:
    """Number of the transport, as `$prid`."""

def get_rcv_sock_name() -> str | int | None:
    """Name of our socket."""

def get_rcvaddr_sock() -> str | int | None:
    """Our socket as `proto:address:port`."""

def get_rcvadvip() -> str | int | None:
    """Advertised address of our socket."""

def get_rcvadvport() -> str | int | None:
    """Advertised port of our socket."""

def get_rcvip() -> str | int | None:
    """Address of our socket."""

def get_rcvport() -> str | int | None:
    """Port of our socket."""

def get_rhost() -> str | int | None:
    """Host of the request-URI."""

def get_ruri() -> str | int | None:
    """The request-URI in force."""

def get_ruser() -> str | int | None:
    """User of the request-URI."""

def get_send_sock() -> str | int | None:
    """The socket to send from, if forced."""

def get_send_sock_name() -> str | int | None:
    """Name of the socket to send from, if one is forced."""

def get_send_sock_port() -> int:
    """Port of the forced socket, or 0."""

def get_srcaddr_sock() -> str | int | None:
    """Source as `proto:address:port`."""

def get_srcip() -> str | int | None:
    """Source address."""

def get_srcport() -> str | int | None:
    """Source port."""

def get_srcuri() -> str | int | None:
    """Source as a URI."""

def get_status() -> int:
    """Status code, -1 for a request."""

def get_thost() -> str | int | None:
    """Host of To."""

def get_timestamp() -> int:
    """When the message came, seconds since 1970."""

def get_turi() -> str | int | None:
    """URI of To."""

def get_tuser() -> str | int | None:
    """User of To."""

def get_ua() -> str | int | None:
    """User-Agent."""

def gete_au() -> str | int | None:
    """As `get_au`, but an empty str when there is none."""

def gete_body() -> str | int | None:
    """As `get_body`, but an empty str when there is none."""

def gete_cturi() -> str | int | None:
    """As `get_cturi`, but an empty str when there is none."""

def gete_duri() -> str | int | None:
    """As `get_duri`, but an empty str when there is none."""

def gete_fhost() -> str | int | None:
    """As `get_fhost`, but an empty str when there is none."""

def gete_fuser() -> str | int | None:
    """As `get_fuser`, but an empty str when there is none."""

def gete_rhost() -> str | int | None:
    """As `get_rhost`, but an empty str when there is none."""

def gete_ruser() -> str | int | None:
    """As `get_ruser`, but an empty str when there is none."""

def gete_thost() -> str | int | None:
    """As `get_thost`, but an empty str when there is none."""

def gete_tuser() -> str | int | None:
    """As `get_tuser`, but an empty str when there is none."""

def gete_ua() -> str | int | None:
    """As `get_ua`, but an empty str when there is none."""

def gets_status() -> str | int | None:
    """Status code as text; null in requests."""

def getw_au() -> str | int | None:
    """As `get_au`, but `<null>` when there is none."""

def getw_body() -> str | int | None:
    """As `get_body`, but `<null>` when there is none."""

def getw_cturi() -> str | int | None:
    """As `get_cturi`, but `<null>` when there is none."""

def getw_duri() -> str | int | None:
    """As `get_duri`, but `<null>` when there is none."""

def getw_fhost() -> str | int | None:
    """As `get_fhost`, but `<null>` when there is none."""

def getw_fuser() -> str | int | None:
    """As `get_fuser`, but `<null>` when there is none."""

def getw_rhost() -> str | int | None:
    """As `get_rhost`, but `<null>` when there is none."""

def getw_ruser() -> str | int | None:
    """As `get_ruser`, but `<null>` when there is none."""

def getw_thost() -> str | int | None:
    """As `get_thost`, but `<null>` when there is none."""

def getw_tuser() -> str | int | None:
    """As `get_tuser`, but `<null>` when there is none."""

def getw_ua() -> str | int | None:
    """As `get_ua`, but `<null>` when there is none."""

def ifdef(name: str, /) -> bool:
    """Whether a preprocessor define of that name exists."""

def ifndef(name: str, /) -> bool:
    """Whether no preprocessor define of that name exists."""
