# Written by `python -m sipwright.kemi.stubs`.
"""KSR.rr: functions of Kamailio's module."""


def add_rr_param(param: str, /) -> int:
    """Adds `;name=value` to the Record-Route, before or after `record_route`."""

def check_route_param(pattern: str, /) -> int:
    """Whether the parameters of our own Route, after `loose_route`, contain a match of the regular expression."""

def is_direction(direction: str, /) -> int:
    """Whether the request goes `upstream` or `downstream`, by the `ftag` that we recorded and the From tag; downstream without an `ftag`."""

def loose_route() -> int:
    """Takes our own Route off and sets the next hop: 1 routed, 2 over the flow of a client (module outbound), -1 no Route, -2 the token of a flow was changed, -3 outside of a dialog with no other Route than ours. The edits of the Route header fields show when the message leaves."""

def loose_route_mode(mode: int, /) -> int:
    """As `loose_route`; mode 1 leaves a request-URI that names this server alone."""

def loose_route_preloaded() -> int:
    """As `loose_route`, only for requests outside of a dialog that have a Route."""

def next_hop_route() -> int:
    """Sets the destination URI to the first Route that does not name this server, and edits nothing."""

def record_route() -> int:
    """Adds our Record-Route, one or two as the transports need; a second call for the same message fails."""

def record_route_advertised_address(address: str, /) -> int:
    """As `record_route`, with this `host[:port]` instead of that of the sockets."""

def record_route_params(params: str, /) -> int:
    """As `record_route`, with `;name=value` parameters."""

def record_route_preset(outer: str, inner: str, /) -> int:
    """As `record_route`, with host, port and parameters as given; `inner` is a second Record-Route below the first, empty for none."""

def record_route_preset_one(outer: str, /) -> int:
    """As `record_route_preset` with one Record-Route."""

def remove_record_route() -> int:
    """Takes back what was recorded for this message."""
