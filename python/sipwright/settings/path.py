"""Settings of Path (RFC 3327); names as in Kamailio's module path."""

from typing import Literal

from pydantic import Field

from sipwright.settings.section import Section


class PathSettings(Section):
    """Path: this proxy on the way to registered clients."""

    use_received: bool = Field(
        False, description="Whether `loose_route` goes where `received` of our own Route says that the client is."
    )
    received_format: Literal[0, 1] = Field(
        0, description="How `received` says it: 0 as a URI, 1 as `address~port~transport`."
    )
    received_name: str = Field("received", pattern=r"^[A-Za-z0-9.!%*_+`'~-]+$", description="Name of that parameter.")
    enable_r2: bool = Field(
        False, description="Whether there are two Path header fields, one for each side of this proxy."
    )
    sockname_mode: bool = Field(False, description="Whether the URI has the name of the socket in `sn`.")
