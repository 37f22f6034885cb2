"""A name server on a loopback port, which can hang, lie and cut its replies."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from support.ports import free_port

# What to send by UDP in the place of the reply: any number of datagrams.
Lie = Callable[[bytes, bytes], list[bytes]]


@dataclass
class NameServer:
    """Records by name and type; what is not there does not exist."""

    port: int
    records: dict[tuple[str, str], dns.rrset.RRset] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    """Not answered; one that is in `lies` too is not answered by TCP alone."""
    elsewhere: set[str] = field(default_factory=set)
    """Answered by UDP from another address."""
    lies: dict[str, Lie] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def set(self, name: str, ttl: int, kind: str, *data: str) -> None:
        """Publishes the records of a name and type in the place of the ones before."""
        self.records[name, kind] = dns.rrset.from_text(f"{name}.", ttl, "IN", kind, *data)

    def count(self, name: str, kind: str | None = None) -> int:
        """How often a name was asked for."""
        return sum(1 for asked, of_kind, _ in self.asked if asked == name and kind in (None, of_kind))

    def answer(self, wire: bytes, proto: str) -> list[bytes]:
        """The messages that answer a query."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind, proto))
        lie = self.lies.get(name) if proto == "udp" else None
        if name in self.hanging and lie is None:
            return []
        reply = dns.message.make_response(query)
        found = self.records.get((name, kind))
        if found is not None:
            reply.answer.append(found)
        elif not any(known == name for known, _ in self.records):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        good: bytes = reply.to_wire()
        return lie(wire, good) if lie else [good]

    def is_elsewhere(self, wire: bytes) -> bool:
        """Whether the name of a query is answered from another address."""
        return dns.message.from_wire(wire).question[0].name.to_text(omit_final_dot=True) in self.elsewhere


def truncated(_: bytes, good: bytes) -> list[bytes]:
    """Only the header says something: ask again by TCP."""
    reply = dns.message.from_wire(good)
    reply.answer.clear()
    reply.flags |= dns.flags.TC
    return [reply.to_wire()]


@contextlib.contextmanager
def name_server(port: int = 0) -> Iterator[NameServer]:
    """Runs a name server, by UDP and TCP; on a free port unless one is named."""
    server = NameServer(port or free_port())

    class Udp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, reply_socket = self.request
            source = other if server.is_elsewhere(wire) else reply_socket
            for message in server.answer(wire, "udp"):
                source.sendto(message, self.client_address)

    class Tcp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection: socket.socket = self.request
            connection.settimeout(5)
            length = int.from_bytes(connection.recv(2, socket.MSG_WAITALL), "big")
            answers = server.answer(connection.recv(length, socket.MSG_WAITALL), "tcp")
            for message in answers:
                connection.sendall(len(message).to_bytes(2, "big") + message)
            if not answers:
                # Until the other side closes, or for so long that it has given up.
                with contextlib.suppress(OSError):
                    connection.recv(1)

    class Reused(socketserver.ThreadingTCPServer):
        allow_reuse_address = True

    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
        socketserver.UDPServer(("127.0.0.1", server.port), Udp) as udp,
        Reused(("127.0.0.1", server.port), Tcp) as tcp,
    ):
        other.bind(("127.0.0.2", server.port))
        threads = [threading.Thread(target=each.serve_forever, args=(0.05,)) for each in (udp, tcp)]
        for thread in threads:
            thread.start()
        try:
            yield server
        finally:
            udp.shutdown()
            tcp.shutdown()
            for thread in threads:
                thread.join(5)
