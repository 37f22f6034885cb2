"""The network of a server under test: phones by name and address, connections, and every packet."""

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipwright.testing.ladder import Rung
from sipwright.testing.message import SipMessage
from sipwright.testing.phone import Address, Phone, Tls, Way

if TYPE_CHECKING:
    from sipwright.testing.server import VirtualServer

# RFC 5737, and the first port of dynamic ones.
_PHONES = "198.51.100."
_FIRST_PORT = 49152
# Those that `forget` keeps without a connection.
_MOST_PHONES = 1_000


@dataclass(frozen=True, slots=True)
class Packet:
    """Bytes between the server and a peer; `message` is None for what is no SIP message, such as a keep-alive.

    `is_outgoing` says that the server sent it; `is_repeated` that the same bytes went the same way before.
    """

    time_s: float
    phone: Phone
    proto: str
    data: bytes
    message: SipMessage | None
    is_outgoing: bool
    is_repeated: bool

    @property
    def rung(self) -> Rung:
        """What a ladder shows of it."""
        text = self.message.summary() if self.message else f"{len(self.data)} bytes"
        ends = ("server", self.phone.name) if self.is_outgoing else (self.phone.name, "server")
        return Rung(self.time_s, *ends, text, self.is_repeated)


class Network:
    """Who is where, and what went to and fro."""

    def __init__(self, server: "VirtualServer") -> None:
        self.phones: dict[str, Phone] = {}
        self.packets: list[Packet] = []
        # Whose connection it is.
        self.connections: dict[int, Phone] = {}
        self._server = server
        self._places: dict[Address, Phone] = {}
        self._unreachable: set[Address] = set()
        self._numbers = itertools.count(1)
        self._ports = itertools.count(_FIRST_PORT)

    def add_phone(
        self,
        name: str,
        uri: str,
        address: str | None,
        transport: str,
        source: str | None,
        password: str | None,
        tls: Tls | None,
    ) -> Phone:
        """A phone at its own address, or at one that no other has."""
        place = _address(address, 5060) if address else (f"{_PHONES}{next(self._numbers)}", 5060)
        behind = _address(source, 5060) if source else None
        phone = Phone(self._server, name, uri, place, proto=transport, source=behind, password=password, tls=tls)
        self._place(phone)
        return phone

    def peer(self, address: str, transport: str) -> Phone:
        """The peer at an address, `ip:port` or a SIP URI."""
        return self._peer_at(_address(_host_part(address), 5060), transport)

    def set_unreachable(self, address: str, on: bool) -> None:
        """See `VirtualServer.unreachable`."""
        place = _address(_host_part(address), 5060)
        for proto in ("tcp", "tls"):
            self._server.wire.refuse(proto, place, on)
        if on:
            self._unreachable.add(place)
        else:
            self._unreachable.discard(place)

    def forget(self) -> None:
        """Drops all packets, and the phones that are not connected once there are many."""
        self.packets.clear()
        for phone in self.phones.values():
            phone.forget()
        if len(self.phones) > _MOST_PHONES:
            kept = {id(phone) for phone in self.connections.values()}
            self.phones = {name: phone for name, phone in self.phones.items() if id(phone) in kept}
            self._places = {place: phone for place, phone in self._places.items() if id(phone) in kept}

    def bring(self, phone: Phone, data: bytes, way: Way) -> None:
        """Bytes of a phone arrive at the server."""
        self._note(phone, phone.proto, data, is_outgoing=False)
        if way.connection:
            self._server.wire.stream(way.connection, data)
        else:
            self._server.wire.datagram(way.socket, phone.behind or phone.address, data)

    def open_connection(self, phone: Phone, socket: int) -> int:
        """Connects a phone to a socket of the server."""
        host = (phone.behind or phone.address)[0]
        # Behind WebSocket nobody listens: the connection is the only way to the phone.
        is_own = phone.proto in ("ws", "wss")
        source = phone.behind or phone.address if is_own else (host, next(self._ports))
        facts = _facts(phone.tls or Tls()) if phone.proto in ("tls", "wss") else None
        connection = self._server.wire.connect(phone.proto, socket, source, facts)
        self.connections[connection] = phone
        self._places[source] = phone
        return connection

    def close_connection(self, connection: int) -> None:
        """A peer closes its connection."""
        self.connections.pop(connection, None)
        self._server.wire.disconnect(connection)

    def carry(self) -> bool:
        """Brings to the phones what the server has sent; False if there was nothing."""
        notes = self._server.wire.take()
        for what, proto, socket, place, connection, data in notes:
            phone = self.connections.get(connection) or self._peer_at(place, proto)
            if what == "opened":
                self.connections[connection] = phone
            elif what == "closed":
                self.connections.pop(connection, None)
            else:
                self._deliver(phone, proto, Way(socket, connection), data)
        return bool(notes)

    def _deliver(self, phone: Phone, proto: str, way: Way, data: bytes) -> None:
        message = self._note(phone, proto, data, is_outgoing=True)
        place = phone.behind or phone.address
        if proto == "udp" and place in self._unreachable:
            self._server.wire.unreachable(place, data)
        elif message is not None and not self.packets[-1].is_repeated:
            phone.receive(message, way)

    def _note(self, phone: Phone, proto: str, data: bytes, *, is_outgoing: bool) -> SipMessage | None:
        try:
            message = SipMessage.parse(data)
        except ValueError:
            message = None
        is_repeated = is_outgoing and message is not None and phone.is_repeated(data)
        self.packets.append(Packet(self._server.now_s, phone, proto, data, message, is_outgoing, is_repeated))
        return message

    def _peer_at(self, place: Address, transport: str) -> Phone:
        found = self._places.get(place)
        if found is None:
            host = f"[{place[0]}]" if ":" in place[0] else place[0]
            name = f"{host}:{place[1]}"
            found = Phone(self._server, name, f"sip:{name}", place, proto=transport)
            self._place(found)
        return found

    def _place(self, phone: Phone) -> None:
        self.phones[phone.name] = phone
        self._places[phone.address] = phone
        if phone.tls is not None:
            # For connections that the server opens.
            self._server.wire.set_tls(phone.address, _facts(phone.tls))
        if phone.behind:
            self._places[phone.behind] = phone


def _facts(tls: Tls) -> tuple[str | None, bytes | None, str]:
    return tls.server_name, tls.certificate, tls.verdict


def _host_part(text: str) -> str:
    """The host and port of a URI; other texts as they are."""
    if text.lower().startswith(("sip:", "sips:")):
        text = text.partition(":")[2].rpartition("@")[2]
    return text.partition(";")[0]


def _address(text: str, port: int) -> Address:
    host, colon, given = text.rpartition(":")
    if not colon or text.endswith("]") or (":" in host.strip("[]") and not host.startswith("[")):
        return text.strip("[]"), port
    return host.strip("[]"), int(given)
