"""Settings of JSON-RPC beside the control socket (Kamailio's module jsonrpcs)."""

import ipaddress
from pathlib import Path
from typing import Final

from pydantic import Field, field_validator

from sipwright.settings.section import Positive, Section

HTTP: Final = 1
FIFO: Final = 2
DATAGRAM: Final = 4
IGNORED_MODPARAMS: Final = {"dgram_workers": "requests are answered one after another"}
_OWNER: Final = "user or number; empty for that of the process."


class JsonrpcsSettings(Section):
    """JSON-RPC over HTTP, a FIFO and datagrams; names as in Kamailio's module jsonrpcs. The methods are those of the
    control socket.
    """

    transport: int = Field(
        0,
        ge=0,
        le=7,
        description="Sum of what may be used: 1 HTTP (`KSR.jsonrpcs.dispatch`), 2 FIFO, 4 datagrams; 0 for all that are "
        "set up.",
    )
    pretty_format: bool = Field(True, description="Whether answers are indented.")
    fifo_name: Path | None = Field(
        None, description="FIFO to read requests from; a relative path counts from `data_dir`. None without it."
    )
    fifo_mode: int = Field(0o600, ge=0, le=0o777, description="Permissions of the FIFO.")
    fifo_user: str = Field("", description=f"Owner of the FIFO, {_OWNER}")
    fifo_group: str = Field("", description=f"Group of the FIFO, {_OWNER.replace('user', 'name')}")
    fifo_reply_dir: Path = Field(
        Path("/tmp"), description="Directory of the FIFOs that answers go to, which requests name as `reply_name`."
    )
    dgram_socket: str = Field(
        "",
        description="Unix datagram socket to read requests from, a relative path counting from `data_dir`, or "
        "`udp:address:port` on loopback. None without it.",
    )
    dgram_mode: int = Field(0o600, ge=0, le=0o777, description="Permissions of the datagram socket.")
    dgram_user: str = Field("", description=f"Owner of the datagram socket, {_OWNER}")
    dgram_group: str = Field("", description=f"Group of the datagram socket, {_OWNER.replace('user', 'name')}")
    dgram_timeout_ms: Positive = Field(2_000, description="Longest wait until an answer is taken, in milliseconds.")

    @field_validator("dgram_socket")
    @classmethod
    def _on_loopback(cls, text: str) -> str:
        udp_address(text)
        return text

    def uses(self, transport: int) -> bool:
        """Whether that transport may be used."""
        return not self.transport or bool(self.transport & transport)


def udp_address(text: str) -> tuple[str, int] | None:
    """The address of `udp:address:port`; None for a path. ValueError unless it is a loopback address."""
    if not text.startswith("udp:"):
        return None
    host, _, port = text.removeprefix("udp:").rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
        number = int(port)
    except ValueError:
        raise ValueError(f"{text!r} is not udp:address:port") from None
    if not address.is_loopback or not 0 < number < 65536:
        raise ValueError("must be on loopback: whoever reaches it controls the server")
    return str(address), number
