"""The state of a dialog at one of its ends (RFC 3261 section 12), from which requests within it are made."""

from dataclasses import dataclass, field
from typing import Final, Self

from sipwright.testing.message import Headers, SipMessage, header_lines, parameter, uri_of

DIALOG_METHODS: Final = ("INVITE", "SUBSCRIBE", "REFER")


@dataclass(slots=True)
class Dialog:
    """One end: `local` and `remote` are From and To values with their tags, `target` is the other's Contact."""

    call_id: str
    local: str
    remote: str
    target: str
    cseq: int
    routes: list[str] = field(default_factory=list)

    @classmethod
    def of_caller(cls, request: SipMessage, response: SipMessage) -> Self:
        """The caller's end, by a response that has a tag."""
        routes = response.all("Record-Route")[::-1]
        contact = response.all("Contact")
        target = uri_of(contact[0]) if contact else request.uri
        return cls(request.call_id, response["From"], response["To"], target, request.cseq, routes)

    @classmethod
    def of_callee(cls, request: SipMessage, response: SipMessage) -> Self:
        """The callee's end, by the response that it gave."""
        routes = request.all("Record-Route")
        contact = request.all("Contact")
        target = uri_of(contact[0]) if contact else uri_of(request["From"])
        return cls(request.call_id, response["To"], response["From"], target, 0, routes)

    def request(
        self, method: str, via: str, contact: str, headers: Headers | None = None, body: bytes = b""
    ) -> SipMessage:
        """The next request of this end; an ACK has the number of the INVITE."""
        if method not in ("ACK", "CANCEL"):
            self.cseq += 1
        uri, routes = self.target, list(self.routes)
        if routes and parameter(f"<>;{uri_of(routes[0]).partition(';')[2]}", "lr") is None:
            # A strict router (section 12.2.1.1).
            uri, routes = uri_of(routes[0]), [*routes[1:], f"<{self.target}>"]
        lines = [
            ("Via", via),
            *(("Route", route) for route in routes),
            ("Max-Forwards", "70"),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.cseq} {method}"),
            ("Contact", contact),
        ]
        made = SipMessage(f"{method} {uri} SIP/2.0", tuple(lines), body)
        return made.with_headers(header_lines(headers))
