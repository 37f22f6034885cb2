"""Listening sockets as people write them: `tls:0.0.0.0:5061 advertise sip.example.com:5061 name "edge"`.

The forms of Kamailio's `listen` are accepted: the protocol and the port may be left out (no protocol means UDP and
TCP), and the host may be the name of a network interface.
"""

import ipaddress
import shlex
from dataclasses import dataclass
from typing import Final

PROTOCOLS: Final = ("udp", "tcp", "tls", "ws", "wss")
DEFAULT_PORTS: Final = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}
EXAMPLE: Final = "tls:0.0.0.0:5061 advertise sip.example.com:5061"


@dataclass(frozen=True, slots=True)
class Listen:
    """One `listen` setting, read.

    `proto` is None for "UDP and TCP". `host` is an address, a host name or an interface name. `advertise` is what
    Via and Record-Route show instead, for a server behind NAT. `name` is what scripts call the socket.
    """

    proto: str | None
    host: str
    port: int | None
    advertise: tuple[str, int | None] | None = None
    name: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Listen":
        """Reads one `[proto:]host[:port] [advertise host[:port]] [name "x"]`; ValueError says what is wrong."""
        words = shlex.split(text)
        if not words:
            raise ValueError(f"is empty; an example: {EXAMPLE}")
        proto, host, port = _split_address(words[0])
        options = _options(words[1:])
        advertise = _split_host_port(options["advertise"]) if "advertise" in options else None
        return cls(proto, host, port, advertise, options.get("name"))

    def sockets(self) -> list[tuple[str, str, int]]:
        """The `(protocol, host, port)` that this setting binds."""
        protocols = (self.proto,) if self.proto else ("udp", "tcp")
        return [(proto, self.host, DEFAULT_PORTS[proto] if self.port is None else self.port) for proto in protocols]

    def __str__(self) -> str:
        """The setting as one would write it."""
        text = join_host_port(self.host, self.port)
        if self.proto:
            text = f"{self.proto}:{text}"
        if self.advertise:
            text += f" advertise {join_host_port(*self.advertise)}"
        return f'{text} name "{self.name}"' if self.name else text


def join_host_port(host: str, port: int | None) -> str:
    """`host:port` with the brackets that an IPv6 address needs."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def socket_text(proto: str, host: str, port: int) -> str:
    """A bound socket as `proto:host:port`, by which logs, commands and bindings name it."""
    return f"{proto}:{join_host_port(host, port)}"


def _split_address(word: str) -> tuple[str | None, str, int | None]:
    head, colon, rest = word.partition(":")
    if colon and head.lower() in PROTOCOLS:
        return head.lower(), *_split_host_port(rest)
    if colon and not rest.isdigit() and head.isalpha() and not is_ipv6(word):
        raise ValueError(f"{head!r} is not a protocol; one of: {', '.join(PROTOCOLS)}")
    return None, *_split_host_port(word)


def _split_host_port(word: str) -> tuple[str, int | None]:
    if word.startswith("["):
        host, bracket, port = word[1:].partition("]")
        if not bracket or not is_ipv6(host) or (port and not port.startswith(":")):
            raise ValueError(f"{word!r} is not an IPv6 address in brackets, such as [::1]:5060")
        port = port[1:]
    elif is_ipv6(word):
        host, port = word, ""
    else:
        host, _, port = word.partition(":")
    if not host:
        raise ValueError(f"{word!r} has no address; an example: {EXAMPLE}")
    if not port:
        return host, None
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{port!r} is not a port; a number from 0 to 65535 (0: any free one)")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether a numeric address is reached from this machine alone."""
    return ipaddress.ip_address(host.strip("[]")).is_loopback


def is_ipv6(text: str) -> bool:
    """Whether it is an IPv6 address without brackets."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _options(words: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for key, value in zip(words[::2], [*words[1::2], ""], strict=False):
        if key not in ("advertise", "name"):
            raise ValueError(f"{key!r} is not known here; after the address may come: advertise HOST:PORT, name NAME")
        if not value:
            raise ValueError(f"{key!r} needs a value")
        options[key] = value
    return options
