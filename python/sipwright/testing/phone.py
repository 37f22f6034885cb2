"""Phones and other peers of a test: they send what the test says, and keep what they receive."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipwright.testing.call import Call
from sipwright.testing.dialog import DIALOG_METHODS, Dialog
from sipwright.testing.expect import ExpectationError
from sipwright.testing.incoming import Incoming
from sipwright.testing.message import Headers, SipMessage, header_lines, to_bytes, token

if TYPE_CHECKING:
    from sipwright.testing.server import VirtualServer

Address = tuple[str, int]
# Messages that `forget` keeps to know retransmissions by.
_MOST_SEEN = 1_000


@dataclass(frozen=True, slots=True)
class Way:
    """How a message came or goes: our socket by number, and the connection, 0 for UDP."""

    socket: int
    connection: int = 0


@dataclass(frozen=True, slots=True)
class Tls:
    """What TLS found of a peer: its certificate as DER, whether it is valid, the server name that it asked for.

    `verdict` is `missing`, `valid`, `revoked`, `expired`, `self-signed` or `invalid`.
    """

    certificate: bytes | None = None
    verdict: str = "missing"
    server_name: str | None = None


class Phone:
    """A peer at an address. `uri` is its address-of-record, `contact` where it can be reached.

    `source` is where its packets come from: another address than its own when it is behind NAT. It acknowledges
    failures of its calls, answers a CANCEL with 200 and the call with 487, and challenges if it has a `password`;
    everything else the test says.
    """

    def __init__(
        self,
        server: "VirtualServer",
        name: str,
        uri: str,
        address: Address,
        *,
        proto: str = "udp",
        source: Address | None = None,
        password: str | None = None,
        tls: Tls | None = None,
    ) -> None:
        self.server = server
        self.name = name
        self.uri = uri
        self.address = address
        self.proto = proto
        self.password = password
        self.tls = tls
        self.behind = source
        # Whether it acknowledges failures and answers CANCEL by itself.
        self.is_automatic = True
        self.received: list[SipMessage] = []
        self.requests: list[Incoming] = []
        self.calls: list[Call] = []
        self._unread: list[Incoming] = []
        self._answers: dict[str, tuple[int, ...]] = {}
        self._connection = 0
        self._seen: set[bytes] = set()

    def __repr__(self) -> str:
        return f"<Phone {self.name} at {self.proto}:{_host(self.address)}>"

    @property
    def user(self) -> str:
        """The user of its address-of-record."""
        return self.uri.partition(":")[2].partition("@")[0]

    @property
    def contact(self) -> str:
        """Its own URI, without brackets."""
        user = f"{self.user}@" if "@" in self.uri else ""
        transport = "" if self.proto == "udp" else f";transport={'ws' if self.proto == 'wss' else self.proto}"
        return f"sip:{user}{_host(self.address)}{transport}"

    @property
    def contact_header(self) -> str:
        """The value of its Contact."""
        return f"<{self.contact}>"

    def via(self) -> str:
        """A Via of its own, with a branch that no other has."""
        return f"SIP/2.0/{self.proto.upper()} {_host(self.address)};rport;branch=z9hG4bK{token('kit')}"

    def invite(
        self,
        to: "Phone | str",
        *,
        headers: Headers | None = None,
        body: bytes | str = b"",
        uri: str | None = None,
    ) -> Call:
        """Calls somebody: a phone, a name such as `"bob"` of the server's domain, or a URI."""
        return self.request("INVITE", to, headers=headers, body=body, uri=uri)

    def register(self, *, expires_s: int = 3600, contact: str | None = None, headers: Headers | None = None) -> Call:
        """Registers its contact for so many seconds, or ends the registration with 0; `"*"` is every contact."""
        shown = "*" if contact == "*" else f"<{contact or self.contact}>"
        lines = [("Contact", shown), ("Expires", str(expires_s)), *header_lines(headers)]
        domain = self.uri.partition("@")[2]
        return self.request("REGISTER", self.uri, headers=lines, uri=f"sip:{domain}")

    def message(self, to: "Phone | str", text: str, *, headers: Headers | None = None) -> Call:
        """Sends a MESSAGE (RFC 3428)."""
        lines = [("Content-Type", "text/plain"), *header_lines(headers)]
        return self.request("MESSAGE", to, headers=lines, body=text)

    def request(
        self,
        method: str,
        to: "Phone | str",
        *,
        headers: Headers | None = None,
        body: bytes | str = b"",
        uri: str | None = None,
    ) -> Call:
        """Sends a request outside of dialogs. `headers` are added, or stand in the place of those it would have."""
        target = self.server.uri_of(to)
        lines = [
            ("Via", self.via()),
            ("Max-Forwards", "70"),
            ("From", f"<{self.uri}>;tag={token('tag')}"),
            ("To", f"<{target}>"),
            ("Call-ID", f"{token('call')}@{self.name}"),
            ("CSeq", f"1 {method}"),
        ]
        if method in (*DIALOG_METHODS, "OPTIONS"):
            lines.append(("Contact", self.contact_header))
        payload = to_bytes(body)
        if payload and method == "INVITE":
            lines.append(("Content-Type", "application/sdp"))
        made = SipMessage(f"{method} {uri or target} SIP/2.0", tuple(lines), payload)
        return self.transact(made.with_headers(headers))

    def transact(self, request: SipMessage) -> Call:
        """Sends a request as it is; what is returned takes its responses."""
        call = Call(self, request)
        self.calls.append(call)
        self.send(request)
        return call

    def transact_within(self, dialog: Dialog, method: str, headers: Headers | None, body: bytes) -> Call:
        """Sends the next request of a dialog."""
        return self.transact(dialog.request(method, self.via(), self.contact_header, headers, body))

    def send_again(self, call: Call) -> None:
        """Sends the request of a call, which has changed."""
        self.send(call.request)

    def send(self, message: SipMessage | bytes, *, way: Way | None = None) -> None:
        """Sends a message, or any bytes, to the server."""
        data = message.encode() if isinstance(message, SipMessage) else message
        self.server.feed(self, data, way)

    def expect(self, method: str) -> Incoming:
        """The oldest request of that method which was not looked at; those of other methods stay."""
        for incoming in self._unread:
            if incoming.method == method:
                self._unread.remove(incoming)
                return incoming
        others = ", ".join(one.method for one in self._unread) or "no other request"
        raise ExpectationError(f"{self!r} has received no {method}; waiting: {others}\n{self.server.story()}")

    def expect_nothing(self) -> None:
        """That there is no request which was not looked at."""
        if self._unread:
            what = self._unread[0].message.summary()
            raise ExpectationError(f"{self!r} has received {what}\n{self.server.story()}")

    def reply(
        self, code: int, reason: str = "", *, headers: Headers | None = None, body: bytes | str = b""
    ) -> Incoming:
        """Answers the last request that has no final answer, an ACK left out."""
        for incoming in reversed(self.requests):
            if incoming.method != "ACK" and not incoming.is_answered:
                if incoming in self._unread:
                    self._unread.remove(incoming)
                incoming.reply(code, reason, headers=headers, body=body)
                return incoming
        raise ExpectationError(f"{self!r} has no request to answer with {code}\n{self.server.story()}")

    def on(self, method: str, *codes: int) -> None:
        """From now on answers every request of that method with these codes at once; without codes no more."""
        self._answers[method] = codes

    def disconnect(self) -> None:
        """Closes its connection to the server."""
        if self._connection:
            self.server.close_connection(self._connection)
            self._connection = 0

    # For the network of the kit.

    def way_to_server(self) -> Way:
        """How its requests go; the connection is opened if need be."""
        socket = self.server.socket_for(self.proto, self.address)
        if self.proto == "udp":
            return Way(socket)
        if not self._connection or not self.server.is_connected(self._connection):
            self._connection = self.server.open_connection(self, socket)
        return Way(socket, self._connection)

    def forget(self) -> None:
        """Drops what it has received and sent."""
        for kept in (self.received, self.requests, self.calls, self._unread):
            kept.clear()
        if len(self._seen) > _MOST_SEEN:
            self._seen.clear()

    def is_repeated(self, data: bytes) -> bool:
        """Whether these very bytes have come before; by UDP they are a retransmission then."""
        known = data in self._seen
        self._seen.add(data)
        return known and self.proto == "udp"

    def receive(self, message: SipMessage, way: Way) -> None:
        """Takes a message that has come and was not here before."""
        self.received.append(message)
        if not message.is_request:
            for call in reversed(self.calls):
                sent = call.request
                if (sent.call_id, sent.method) == (message.call_id, message.method) and sent.cseq == message.cseq:
                    call.receive(message)
                    break
            return
        incoming = Incoming(self, message, way, token("tag"))
        self.requests.append(incoming)
        self._unread.append(incoming)
        self._answer(incoming)

    def _answer(self, incoming: Incoming) -> None:
        codes: Iterable[int] = self._answers.get(incoming.method, ())
        if incoming.method == "CANCEL" and not codes and self.is_automatic:
            incoming.reply(200)
            for other in self.requests:
                same = other.method == "INVITE" and other.message.branch == incoming.message.branch
                if same and not other.is_answered:
                    other.reply(487)
        for code in codes:
            incoming.reply(code)


def _host(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
