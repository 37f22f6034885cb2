"""Settings of flows of clients (RFC 5626); names as in Kamailio's module outbound."""

from pydantic import Field

from sipwright.settings.section import Section


class OutboundSettings(Section):
    """This proxy as an edge proxy: tokens of flows in Path and Record-Route."""

    enabled: bool | None = Field(
        None,
        description="Whether `add_path` and `record_route` write tokens of flows and `loose_route` follows them; None for yes "
        "where a kamailio.cfg loads the module outbound.",
    )
    force_outbound_flag: int = Field(
        -1, ge=-1, le=31, description="Message flag that asks for a token whatever the client says; -1 for none."
    )
    force_no_outbound_flag: int = Field(-1, ge=-1, le=31, description="Message flag that forbids one; -1 for none.")
    flow_token_secret: str = Field(
        "",
        max_length=1024,
        description="Key of the tokens; empty for one that is drawn at each start, so that older tokens are refused.",
    )
