"""Pings that keep the way to clients behind NAT open (Kamailio's module nathelper; RFC 5626 section 4.4).

Every contact is pinged once in an interval, spread evenly: each second takes its share of the users. A ping leaves from
the socket, or over the connection, that the registration came by. Four zero bytes go to UDP contacts; those with the
branch flag for SIP get a request, whose answer shows that they are there.
"""

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from sipwright import log
from sipwright._engine import Binding
from sipwright.modules.requests import OutgoingRequest
from sipwright.modules.usrloc import Location, Tables
from sipwright.settings.model import Settings

PROBE: Final = bytes(4)
ANSWERED: Final = "nathelper:pong"
_ADDRESS: Final = re.compile(r"sips?:(?:[^@]*@)?(\[[0-9A-Fa-f:.]+\]|[0-9.]+)(?::(\d+))?(?:;(.*))?", re.IGNORECASE)


class Sender(Protocol):
    """What sends datagrams: the engine."""

    def send_datagram(self, socket: int, ip: str, port: int, data: bytes, /) -> bool: ...


@dataclass
class Pinger:
    """The pings of one server."""

    settings: Settings
    tables: Callable[[], Tables]
    sender: Sender
    socket_index: Callable[[str], int | None]
    is_enabled: bool = True
    udp_pings: int = 0
    sip_pings: int = 0
    removed: int = 0
    _cursors: dict[str, int] = field(default_factory=dict)

    def tick(self) -> None:
        """Does the share of one second."""
        if not self.is_enabled:
            return
        for table in self.tables().all():
            share = math.ceil(table.users() / self.settings.nathelper.natping_interval_s)
            if share:
                start = self._cursors.get(table.name, 0)
                self._cursors[table.name], found = table.table.page(start, share)
                for binding in found:
                    self._look_after(table, binding, int(time.time()))

    def answered(self, event: str) -> None:
        """A contact has answered a SIP ping; `event` is that of the request."""
        name, ruid, aor = event.split(" ", 2)
        table = self.tables().known(name)
        if table is not None:
            table.table.seen(aor, ruid, int(time.time()))

    def _look_after(self, table: Location, binding: Binding, now: int) -> None:
        settings = self.settings.nathelper
        if (binding.expires_at and binding.expires_at <= now) or table.is_elsewhere(binding):
            return
        if _has(binding, settings.natping_disable_bflag):
            return
        is_natted = _has(binding, self.settings.usrloc.nat_bflag)
        if settings.ping_nated_only and not is_natted:
            return
        if settings.filter_server_id and binding.server_id != self.settings.server_id:
            return
        by_sip = bool(settings.sipping_from) and (
            _has(binding, settings.sipping_bflag) if settings.ping_nated_only else settings.sipping_bflag >= 0
        )
        if not by_sip:
            self._probe(binding)
        elif not self._is_silent(table, binding, now):
            self._ask(table, binding)

    def _is_silent(self, table: Location, binding: Binding, now: int) -> bool:
        """Whether a contact has not answered for too long; it is removed then."""
        timeout = self.settings.nathelper.keepalive_timeout_s
        if not timeout or binding.seen_at + timeout > now or not binding.socket.startswith("udp:"):
            return False
        if table.remove(binding):
            self.removed += 1
            log.info(f"nathelper: {binding.uri} of {binding.aor} answers no ping; it is removed")
        return True

    def _probe(self, binding: Binding) -> None:
        """Four bytes to where a UDP contact is; others have the keep-alives of their connections."""
        place = address_of(binding.received or binding.uri)
        socket = self.socket_index(self.settings.nathelper.force_socket or binding.socket)
        if place is None or socket is None or place[0] != "udp" or binding.path:
            return
        if self.sender.send_datagram(socket, place[1], place[2], PROBE):
            self.udp_pings += 1

    def _ask(self, table: Location, binding: Binding) -> None:
        settings = self.settings.nathelper
        route = f"Route: {binding.path}\r\n" if binding.path else ""
        next_hop = binding.path.partition("<")[2].partition(">")[0] if binding.path else binding.received
        socket = settings.force_socket or (binding.socket if self.socket_index(binding.socket) is not None else "")
        request = OutgoingRequest(
            settings.sipping_method,
            binding.uri,
            settings.sipping_from,
            binding.uri,
            next_hop=next_hop,
            socket=socket,
            headers=route + settings.sipping_headers,
            callback=ANSWERED,
            event=f"{table.name} {binding.ruid} {binding.aor}",
        )
        try:
            request.send()
            self.sip_pings += 1
        except ValueError as error:
            log.debug(f"nathelper: no ping to {binding.uri}: {error}")


def address_of(uri: str) -> tuple[str, str, int] | None:
    """Transport, address and port of a URI that is an address; None for one with a name."""
    found = _ADDRESS.fullmatch(uri)
    if found is None:
        return None
    params = dict(param.partition("=")[::2] for param in (found[3] or "").split(";"))
    proto = params.get("transport", "udp").lower()
    port = int(found[2]) if found[2] else 5061 if proto == "tls" else 5060
    return (proto, found[1].strip("[]"), port) if 0 < port < 65_536 else None


def _has(binding: Binding, flag: int) -> bool:
    return flag >= 0 and bool(binding.cflags >> flag & 1)
