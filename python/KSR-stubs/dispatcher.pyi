# Written by `python -m sipwright.kemi.stubs`.
"""KSR.dispatcher: functions of Kamailio's module."""


def ds_is_active(set: int, /) -> int:
    """Whether a destination of the set may be chosen: 1 or -1."""

def ds_is_active_uri(set: int, uri: str, /) -> int:
    """Whether the destination of the set with that URI may be chosen: 1 or -1."""

def ds_is_from_list(set: int, /) -> int:
    """Whether the sender's address and port are those of a destination of the set, -1 for all sets: 1 or -1."""

def ds_is_from_list_mode(set: int, mode: int, /) -> int:
    """As `ds_is_from_list`; `mode` is a sum of 1 any port, 2 any transport, 4 active ones only: 1 or -1."""

def ds_is_from_list_uri(set: int, mode: int, uri: str, /) -> int:
    """As `ds_is_from_list_mode`, for the address of a URI instead of the sender's: 1 or -1."""

def ds_is_from_lists() -> int:
    """Whether the sender's address and port are those of a destination: 1 or -1."""

def ds_list_exists(set: int, /) -> int:
    """Whether there is that set: 1 or -1."""

def ds_load_unset() -> int:
    """Takes the call off the load of the destination that it was sent to: 0, or -1 when it was not counted."""

def ds_load_update() -> int:
    """Keeps the load of algorithm 10: BYE and CANCEL end a call, a 2xx to INVITE confirms it: 0, as in Kamailio."""

def ds_mark_addr(state: str, set: int, uri: str, /) -> int:
    """Marks the destinations of a set with that URI, as `ds_mark_dst_state`: 1 or -1."""

def ds_mark_dst() -> int:
    """Marks the current destination as inactive: 1, or -1 when there is none."""

def ds_mark_dst_state(state: str, /) -> int:
    """Marks the current destination: a active, i inactive, t trying, d disabled, each also with p for probing: 1 or -1."""

def ds_next_domain() -> int:
    """Goes to the next one of the chosen destinations and puts it into the request-URI: 1, or -1 after the last."""

def ds_next_dst() -> int:
    """Goes to the next one of the chosen destinations and makes it the destination URI: 1, or -1 after the last."""

def ds_reload() -> int:
    """Reads the list of destinations again: 1, or -1 when that fails or the last time was less than `reload_delta` ago."""

def ds_select(set: int, algorithm: int, /) -> int:
    """Chooses destinations of a set for `ds_set_dst`, `ds_next_dst` and their kin, and sets none: 1, or -1."""

def ds_select_domain(set: int, algorithm: int, /) -> int:
    """Chooses a destination of a set and puts it into the request-URI, behind the user: 1, or -1 when there is none."""

def ds_select_domain_limit(set: int, algorithm: int, limit: int, /) -> int:
    """As `ds_select_domain`; keeps at most so many destinations for failover, 0 for all."""

def ds_select_dst(set: int, algorithm: int, /) -> int:
    """Chooses a destination of a set and makes it the destination URI: 1, or -1 when there is none."""

def ds_select_dst_limit(set: int, algorithm: int, limit: int, /) -> int:
    """As `ds_select_dst`; keeps at most so many destinations for failover, 0 for all."""

def ds_select_limit(set: int, algorithm: int, limit: int, /) -> int:
    """As `ds_select`; keeps at most so many destinations, 0 for all."""

def ds_select_routes(rules: str, mode: str, /) -> int:
    """Chooses by `set=algorithm;set=algorithm`; `mode` d sets the destination URI, r the request-URI, x neither: 1 or -1."""

def ds_select_routes_limit(rules: str, mode: str, limit: int, /) -> int:
    """As `ds_select_routes`; stops adding destinations at that number, 0 for no limit."""

def ds_set_domain() -> int:
    """Puts the current one of the chosen destinations into the request-URI: 1 or -1."""

def ds_set_dst() -> int:
    """Makes the current one of the chosen destinations the destination URI: 1 or -1."""
