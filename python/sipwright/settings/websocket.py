"""Settings of WebSocket (Kamailio's module websocket, RFC 7118)."""

from typing import Final, Literal

from pydantic import Field, field_validator

from sipwright.settings.section import Positive, Section

# RFC 6455 section 5.5.
MAX_PING_BYTES: Final = 125
_OWN_TIMERS: Final = "each connection has a timer of its own"
IGNORED_MODPARAMS: Final = {
    "keepalive_interval": _OWN_TIMERS,
    "keepalive_processes": _OWN_TIMERS,
    "timer_interval": _OWN_TIMERS,
    "rm_delay_interval": "a connection that is gone is forgotten at once",
    "sub_protocols": "SIP is the only subprotocol here",
    "verbose_list": "listings are always whole",
}


class WebsocketSettings(Section):
    """WebSocket; names as in Kamailio's module websocket where it has them."""

    enabled: bool | None = Field(
        None,
        description="Whether clients that ask for WebSocket get it without a script. Left out: if an address of `listen` "
        "is for `ws` or `wss` and there is no `xhttp.event_callback` to decide.",
    )
    origins: list[str] = Field(
        default_factory=list,
        description="Origins (RFC 6454), such as `https://phone.example.com`, whose pages get WebSocket without a script; "
        "any if empty. A script looks at the header field Origin itself.",
    )
    keepalive_mechanism: Literal[0, 1, 2] = Field(
        1,
        description="What a silent client is sent: 0 nothing, and `timeouts.idle_ms` ends the connection; 1 a ping that "
        "it has to answer; 2 a pong.",
    )
    keepalive_timeout_s: Positive = Field(
        180, description="How long a client may be silent before it is sent that, in seconds."
    )
    ping_application_data: str = Field("Sipwright", description="Data of the ping; at most 125 bytes.")
    cors_mode: Literal[0, 1, 2] = Field(
        0, description="Access-Control-Allow-Origin of the 101: 0 none, 1 `*`, 2 the client's Origin."
    )
    event_callback: str = Field(
        "",
        description="Method of the script for `websocket:closed`, called when a WebSocket connection is gone, with a "
        "made-up message whose source is that connection.",
    )

    @field_validator("ping_application_data")
    @classmethod
    def _fits(cls, text: str) -> str:
        if len(text.encode()) > MAX_PING_BYTES:
            raise ValueError(f"is longer than the {MAX_PING_BYTES} bytes of a ping (RFC 6455 section 5.5)")
        return text
