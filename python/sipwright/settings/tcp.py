"""Settings of streams: TCP, TLS and WebSocket."""

from pydantic import Field

from sipwright.settings.section import Section


class TcpSettings(Section):
    """What is accepted on streams."""

    accept_no_cl: bool = Field(
        False,
        description="Whether a SIP message on a stream without Content-Length is taken as one without a body (Kamailio's "
        "tcp_accept_no_cl), instead of being answered with 400 and ending the connection. HTTP requests need none.",
    )
