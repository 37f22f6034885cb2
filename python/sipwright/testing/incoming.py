"""A request that a phone of a test has received, and its answers to it."""

from typing import TYPE_CHECKING

from sipwright.testing.dialog import DIALOG_METHODS, Dialog
from sipwright.testing.expect import ExpectationError
from sipwright.testing.message import REASONS, Headers, SipMessage, to_bytes

if TYPE_CHECKING:
    from sipwright.testing.call import Call
    from sipwright.testing.phone import Phone, Way


class Incoming:
    """A request at `phone`, with the responses that it gave."""

    def __init__(self, phone: "Phone", message: SipMessage, way: "Way", tag: str) -> None:
        self.phone = phone
        self.message = message
        self.responses: list[SipMessage] = []
        self.dialog: Dialog | None = None
        self._way = way
        self._tag = tag

    def __repr__(self) -> str:
        return f"<{self.message.summary()} at {self.phone.name}>"

    def __getitem__(self, name: str) -> str:
        return self.message[name]

    @property
    def method(self) -> str:
        """The method."""
        return self.message.method

    @property
    def uri(self) -> str:
        """The Request-URI."""
        return self.message.uri

    @property
    def is_answered(self) -> bool:
        """Whether a final response was given."""
        return any(response.status >= 200 for response in self.responses)

    def reply(
        self, code: int, reason: str = "", *, headers: Headers | None = None, body: bytes | str = b""
    ) -> SipMessage:
        """Sends a response (RFC 3261 section 8.2.6); `headers` are added, or stand in the place of those it would have."""
        request = self.message
        if request.method == "ACK":
            raise ExpectationError(f"{self!r}: nobody answers an ACK")
        lines = [("Via", via) for via in request.all("Via")]
        if code > 100:
            lines += [("Record-Route", route) for route in request.all("Record-Route")]
        tagged = code > 100 and not request.to_tag
        to = f"{request['To']};tag={self._tag}" if tagged else request["To"]
        lines += [("From", request["From"]), ("To", to), ("Call-ID", request.call_id), ("CSeq", request["CSeq"])]
        if 100 < code < 400:
            lines.append(("Contact", self.phone.contact_header))
        first = f"SIP/2.0 {code} {reason or REASONS.get(code, 'Unknown')}"
        response = SipMessage(first, tuple(lines), to_bytes(body)).with_headers(headers)
        self.responses.append(response)
        if 100 < code < 300 and request.method in DIALOG_METHODS:
            self.dialog = Dialog.of_callee(request, response)
        self.phone.send(response, way=self._way)
        return response

    def bye(self, *, headers: Headers | None = None) -> "Call":
        """Ends the call that began with this request."""
        return self.request_within("BYE", headers=headers)

    def request_within(self, method: str, *, headers: Headers | None = None, body: bytes | str = b"") -> "Call":
        """Sends a request within the dialog."""
        if self.dialog is None:
            raise ExpectationError(f"{self!r}: there is no dialog for a {method}: no response made one")
        return self.phone.transact_within(self.dialog, method, headers, to_bytes(body))
