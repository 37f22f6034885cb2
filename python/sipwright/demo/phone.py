"""A small SIP phone over TLS that registers, calls and is called; without media.

It knows as much of SIP as the demonstration needs, and is no user agent for anything else.
"""

import itertools
import secrets
import socket
import ssl
from dataclasses import dataclass
from typing import Final, Self

TIMEOUT_S: Final = 10.0
SDP: Final = "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
_COPIED: Final = ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route")


class PhoneError(Exception):
    """Something else came than the call wants; the text says what."""


@dataclass(frozen=True, slots=True)
class Message:
    """A SIP message: first line, header fields in order."""

    first_line: str
    fields: tuple[tuple[str, str], ...]

    @property
    def status(self) -> int:
        """Code of a response, 0 for a request."""
        return int(self.first_line.split(" ")[1]) if self.first_line.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """Method, of a response that of its CSeq."""
        return self.one("CSeq").split()[1] if self.status else self.first_line.split(" ")[0]

    def all(self, name: str) -> list[str]:
        """Values of the fields of that name."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def one(self, name: str) -> str:
        """The first of them; empty without any."""
        return next(iter(self.all(name)), "")


class Phone:
    """A phone of `user`, connected to the server at `address`; `certificate` is what it trusts."""

    def __init__(self, user: str, address: tuple[str, int], certificate: str) -> None:
        self.user = user
        self._address = address
        context = ssl.create_default_context(cafile=certificate)
        plain = socket.create_connection(address, TIMEOUT_S)
        self._socket = context.wrap_socket(plain, server_hostname=address[0])
        self._stream = self._socket.makefile("rb")
        self._host, self._port = self._socket.getsockname()[:2]
        self._cseq = itertools.count(1)
        self._call_id = ""
        self._from = self._to = self._target = ""
        self._routes: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._socket.close()

    @property
    def tls(self) -> str:
        """Version and cipher that the connection has."""
        cipher = self._socket.cipher()
        return f"{self._socket.version()} {cipher[0] if cipher else ''}"

    @property
    def address_of_record(self) -> str:
        """Its URI."""
        return f"sip:{self.user}@{self._address[0]}"

    @property
    def _contact(self) -> str:
        return f"<sip:{self.user}@{self._host}:{self._port};transport=tls>"

    def register(self) -> None:
        """Registers; PhoneError when it is refused."""
        self._begin(self.address_of_record, self.address_of_record, f"sip:{self._address[0]}")
        self._request("REGISTER", [("Contact", self._contact), ("Expires", "60")])
        self._response(200)

    def call(self, uri: str) -> None:
        """Sends an INVITE."""
        self._begin(self.address_of_record, uri, uri)
        contact = [("Contact", self._contact), ("Content-Type", "application/sdp")]
        self._request("INVITE", contact, SDP.format(host=self._host))

    def confirm(self) -> None:
        """Waits until the call is answered and acknowledges that."""
        self._response(180)
        answer = self._response(200)
        self._to = answer.one("To")
        self._target = answer.one("Contact").strip("<>")
        self._routes = answer.all("Record-Route")[::-1]
        self._request("ACK", cseq="1")

    def ring(self) -> Message:
        """Waits for a call and rings; the INVITE."""
        invite = self._expected("INVITE")
        self._answer(invite, "180 Ringing")
        return invite

    def answer(self, invite: Message) -> None:
        """Answers the call and waits for the ACK."""
        self._answer(invite, "200 OK", SDP.format(host=self._host))
        self._expected("ACK")

    def hang_up(self) -> None:
        """Ends its call."""
        self._request("BYE")
        self._response(200)

    def hung_up(self) -> None:
        """Waits until the other side ends the call."""
        self._answer(self._expected("BYE"), "200 OK")

    def _begin(self, from_uri: str, to_uri: str, target: str) -> None:
        self._call_id = f"{secrets.token_hex(8)}@{self._host}"
        self._from = f"<{from_uri}>;tag={secrets.token_hex(4)}"
        self._to, self._target, self._routes = f"<{to_uri}>", target, []
        self._cseq = itertools.count(1)

    def _request(self, method: str, more: list[tuple[str, str]] | None = None, body: str = "", cseq: str = "") -> None:
        fields = [
            ("Via", f"SIP/2.0/TLS {self._host}:{self._port};branch=z9hG4bK{secrets.token_hex(8)};rport"),
            ("Max-Forwards", "70"),
            ("From", self._from),
            ("To", self._to),
            ("Call-ID", self._call_id),
            ("CSeq", f"{cseq or next(self._cseq)} {method}"),
            *(("Route", route) for route in self._routes),
            *(more or []),
        ]
        self._send(f"{method} {self._target} SIP/2.0", fields, body)

    def _answer(self, request: Message, line: str, body: str = "") -> None:
        fields = [(name, value) for name, value in request.fields if name in _COPIED]
        if "tag=" not in request.one("To"):
            tag = f";tag={self.user}{request.one('CSeq').split()[0]}"
            fields = [(name, value + tag if name == "To" else value) for name, value in fields]
        kind = [("Contact", self._contact), ("Content-Type", "application/sdp")] if body else []
        self._send(f"SIP/2.0 {line}", [*fields, *kind], body)

    def _send(self, first_line: str, fields: list[tuple[str, str]], body: str) -> None:
        lines = [first_line, *(f"{name}: {value}" for name, value in fields), f"Content-Length: {len(body)}", "", body]
        self._socket.sendall("\r\n".join(lines).encode())

    def _receive(self) -> Message:
        lines: list[str] = []
        while line := self._stream.readline().decode().rstrip("\r\n"):
            lines.append(line)
        if not lines:
            raise PhoneError(f"{self.user}: the server closed the connection")
        pairs = [line.partition(":") for line in lines[1:]]
        message = Message(lines[0], tuple((name.strip(), value.strip()) for name, _, value in pairs))
        self._stream.read(int(message.one("Content-Length") or 0))
        return message

    def _response(self, status: int) -> Message:
        while (message := self._receive()).status == 100:
            pass
        if message.status != status:
            raise PhoneError(f"{self.user}: {message.first_line} instead of {status}")
        return message

    def _expected(self, method: str) -> Message:
        message = self._receive()
        if message.status or message.method != method:
            raise PhoneError(f"{self.user}: {message.first_line} instead of {method}")
        return message
