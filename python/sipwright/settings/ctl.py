"""Settings of Kamailio's binary RPC, which kamcmd speaks (Kamailio's module ctl)."""

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BeforeValidator, Field, PlainSerializer

from sipwright.settings.section import Section

# Where kamcmd looks unless it is told another place; without that directory it is in `data_dir`.
RUN_DIR: Final = Path("/run/kamailio")
SOCKET_NAME: Final = "kamailio_ctl"
DEFAULT_PORT: Final = 2049
IGNORED_MODPARAMS: Final = {
    "fifo": "the old FIFO protocol is not offered; `jsonrpcs.fifo_name` is a FIFO for JSON-RPC",
    "autoconversion": "numbers and texts are always turned into what a method needs",
    "binrpc_buffer_size": "a reply has the size that it needs",
    "binrpc_max_body_size": "a reply has the size that it needs",
    "binrpc_struct_max_body_size": "a reply has the size that it needs",
}
_STREAM_NAMES: Final = ("unixs", "unix")


class CtlAddress(NamedTuple):
    """A socket: `kind` is unixs (stream), unixd (datagrams), tcp or udp; a path, or a host and a port."""

    kind: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.host}" if self.kind.startswith("unix") else f"{self.kind}:{self.host}:{self.port}"


def _address(value: Any) -> CtlAddress:
    if isinstance(value, CtlAddress):
        return value
    kind, _, rest = str(value).partition(":")
    if not rest:
        kind, rest = "unixs", kind
    if kind in _STREAM_NAMES:
        return CtlAddress("unixs", rest, 0)
    if kind == "unixd":
        return CtlAddress("unixd", rest, 0)
    if kind not in ("tcp", "udp"):
        raise ValueError(f"{value!r} is none of unixs:PATH, unixd:PATH, tcp:ADDRESS:PORT, udp:ADDRESS:PORT")
    host, _, port = rest.rpartition(":") if ":" in rest.rpartition("]")[2] else (rest, "", str(DEFAULT_PORT))
    try:
        address, number = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]")), int(port)
    except ValueError:
        raise ValueError(f"{value!r} is not {kind}:ADDRESS:PORT") from None
    if not address.is_loopback or not 0 < number < 65536:
        raise ValueError(f"{value!r} must be on loopback: whoever reaches it controls the server")
    return CtlAddress(kind, str(address), number)


def _one_or_more(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


class CtlSettings(Section):
    """Kamailio's binary RPC, for `kamcmd` and exporters; names as in Kamailio's module ctl. The methods are those of the
    control socket.
    """

    binrpc: Annotated[
        list[Annotated[CtlAddress, BeforeValidator(_address), PlainSerializer(str)]], BeforeValidator(_one_or_more)
    ] = Field(
        default_factory=list,
        description="Sockets: `unixs:PATH` (stream, also `unix:` and a path alone), `unixd:PATH` (datagrams), `tcp:ADDRESS:PORT`, `udp:ADDRESS:PORT` on "
        "loopback. Without any: `/run/kamailio/kamailio_ctl` if a kamailio.cfg loads `ctl` (in `data_dir` where there is no such "
        "directory, or another server has that socket), else none.",
    )
    mode: int = Field(0o600, ge=0, le=0o777, description="Permissions of its Unix sockets.")
    user: str = Field("", description="Their owner, name or number; empty for that of the process.")
    group: str = Field("", description="Their group, name or number; empty for that of the process.")
