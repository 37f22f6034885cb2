"""Which sockets a kamailio.cfg asks for: `listen` and what the parameters about ports and transports make of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sipwright.settings.addresses import interface_addresses
from sipwright.settings.kamailio.report import Entry, ignored
from sipwright.settings.kamailio.sockets import SocketLine
from sipwright.settings.kamailio.tokens import Place
from sipwright.settings.listen import DEFAULT_PORTS, Listen

_NOWHERE: Final = Place("", 0)


@dataclass(frozen=True, slots=True)
class Transports:
    """What the global parameters say: the ports of addresses that name none, and which transports there are."""

    port: int = DEFAULT_PORTS["udp"]
    tls_port: int = DEFAULT_PORTS["tls"]
    tcp: bool = True
    tls: bool = False
    advertise: tuple[str, int | None] | None = None


def listening(lines: Iterable[SocketLine], transports: Transports, report: list[Entry]) -> list[Listen]:
    """The addresses of the lines; without any, all IPv4 addresses of this machine, as in Kamailio."""
    lines = list(lines) or [
        SocketLine(None, address, None, _NOWHERE) for found in interface_addresses().values() for address in found
    ]
    sockets: list[Listen] = []
    for line in lines:
        _note_options(line, report)
        for socket in _sockets(line, transports, report):
            if socket not in sockets:
                sockets.append(socket)
    return sockets


def _sockets(line: SocketLine, transports: Transports, report: list[Entry]) -> Iterable[Listen]:
    reason = _left_out(line.proto, transports)
    if reason:
        report.append(ignored("listen", "listen", line.place, reason, value=str(line), warn=line.proto == "tls"))
        return
    if line.place != _NOWHERE:
        report.append(Entry("honoured", "listen", "listen", str(line), line.place, "listen"))
    protocols = (
        [line.proto] if line.proto else [name for name in ("udp", "tcp", "tls") if not _left_out(name, transports)]
    )
    advertise = line.advertise or transports.advertise
    for host in _hosts(line.host):
        for proto in protocols:
            yield Listen(proto, host, _port(line, proto, transports), advertise, line.name)


def _left_out(proto: str | None, transports: Transports) -> str:
    if proto == "sctp":
        return "SCTP is not offered"
    if proto in ("tcp", "tls") and not transports.tcp:
        return "disable_tcp"
    if proto == "tls" and not transports.tls:
        return "without enable_tls=yes there is no TLS, as in Kamailio"
    return ""


def _port(line: SocketLine, proto: str, transports: Transports) -> int:
    if proto != "tls":
        return transports.port if line.port is None else line.port
    if line.port is None:
        return transports.tls_port
    # An address for all transports has TLS one port above.
    return line.port if line.proto else line.port + 1


def _hosts(host: str) -> list[str]:
    """All addresses of a network interface; other hosts as they are."""
    return interface_addresses().get(host) or [host]


def _note_options(line: SocketLine, report: list[Entry]) -> None:
    if line.virtual:
        reason = "an address of ours stays ours while the machine does not have it"
        report.append(ignored("listen", "virtual", line.place, reason))
    if line.agname:
        report.append(ignored("listen", "agname", line.place, "workers are not grouped by socket"))
