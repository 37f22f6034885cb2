"""Requests of our own: what `t_uac_send`, and modules such as uac, send (RFC 3261 section 8.1)."""

from dataclasses import dataclass

from sipwright import _engine


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A request to send. URIs are bare (`sip:user@host`); what is empty the engine makes up or leaves out."""

    method: str
    uri: str
    from_uri: str
    to_uri: str
    from_tag: str = ""
    to_tag: str = ""
    call_id: str = ""
    cseq: int = 0
    # Where to send it instead of to the request-URI, and our socket as `proto:host:port` or by name.
    next_hop: str = ""
    socket: str = ""
    # Further header lines, each with CRLF.
    headers: str = ""
    body: bytes = b""
    # Method of the script's handler that gets the final response, or this request when none came, and the event's name.
    # The code is `$T_reply_code`: 408 when nobody answered, 503 when it could not be sent.
    callback: str = ""
    event: str = ""

    def send(self) -> None:
        """Sends it, retransmits it, acknowledges what has to be. ValueError says why it cannot be sent."""
        lines = [
            f"From: <{self.from_uri}>{_tag(self.from_tag)}\r\n",
            f"To: <{self.to_uri}>{_tag(self.to_tag)}\r\n",
        ]
        if self.call_id:
            lines.append(f"Call-ID: {self.call_id}\r\n")
        if self.cseq:
            lines.append(f"CSeq: {self.cseq} {self.method}\r\n")
        _engine.send_request(
            self.method,
            self.uri,
            "".join(lines) + self.headers,
            self.body,
            next_hop=self.next_hop,
            socket=self.socket,
            callback=self.callback,
            event=self.event,
        )


def _tag(tag: str) -> str:
    return f";tag={tag}" if tag else ""
