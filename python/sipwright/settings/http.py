"""Settings of HTTP for control: JSON-RPC, metrics, health, the web page."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator, model_validator

from sipwright.settings.listen import is_loopback
from sipwright.settings.section import Positive, Section

# Where it is without any setting, when the server itself listens on loopback because no address is set.
DEFAULT_PORT: Final = 8480
_NAME: Final = re.compile(r"[a-z0-9_.-]{1,253}")


class HttpAddress(NamedTuple):
    """A numeric address and a port."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _address(value: Any) -> HttpAddress:
    if isinstance(value, HttpAddress):
        return value
    host, _, port = str(value).rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        address, number = ipaddress.ip_address(host), int(port)
    except ValueError:
        raise ValueError(f"{value!r} is not ADDRESS:PORT") from None
    if not 0 < number < 65536:
        raise ValueError(f"{value!r}: the port must be from 1 to 65535")
    return HttpAddress(str(address), number)


class HttpSettings(Section):
    """HTTP for control and monitoring: `/RPC`, `/metrics`, `/health`, `/ready`."""

    listen: list[Annotated[HttpAddress, BeforeValidator(_address), PlainSerializer(str)]] = Field(
        default_factory=list,
        description="Addresses, `ADDRESS:PORT`. Without any: 127.0.0.1:8480 if `listen` is not set either, else no HTTP. "
        "Whoever reaches it controls the server, so an address that is not loopback needs `token_file`.",
    )
    token_file: Path | None = Field(
        None,
        description="File with one or more tokens, one a line, that requests have to bring: `Authorization: Bearer TOKEN`. "
        "Only its owner may read it; it is read again when it changes. `/health` and `/ready` need none.",
    )
    hosts: list[str] = Field(
        default_factory=list,
        description="Names by which clients call it (Host header), beside `localhost` and numeric addresses; others are "
        "refused, which keeps web pages of strangers out (DNS rebinding).",
    )
    max_body_bytes: Positive = Field(1_048_576, description="Longest body of a request.")

    @field_validator("hosts")
    @classmethod
    def _are_names(cls, names: list[str]) -> list[str]:
        lowered = [name.lower() for name in names]
        for name in lowered:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no host name")
        return lowered

    @model_validator(mode="after")
    def _is_guarded(self) -> "HttpSettings":
        open_to_others = [address for address in self.listen if not address.is_loopback]
        if open_to_others and self.token_file is None:
            raise ValueError(f"token_file must be set, since {open_to_others[0]} is not loopback")
        return self
